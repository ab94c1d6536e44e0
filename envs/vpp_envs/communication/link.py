"""The way from the operator to each home: online or not, how late a command is, whether it is lost.

Homes have the link of an archetype. It is up or down for a while (a Markov chain of two states,
E. N. Gilbert, "Capacity of a burst-noise channel", Bell System Technical Journal 39, 1960), and
while it is up a command takes a lognormal time and is lost now and then. The numbers are field
experience told second-hand, not measurements: 3 to 6 % of homes offline, median latency 2 s,
sigma 0.8, 1 to 5 % of messages lost.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.synthetic.recursion import TICK_S, hold, tick_of
from vpp_envs.signals.synthetic.strata import strata

MEDIAN_LATENCY_S = 2.0
LATENCY_DEVIATION = 0.8  # of the logarithm
MOST_LATENCY_S = 60.0
_MEMORY = 14  # doublings: 57 days, after which a chain has forgotten how it began


class LinkArchetypes(NamedTuple):
    """How good K kinds of link are, (K,) float64."""

    online: Tensor  # share of time [0 to 1]
    offline_h: Tensor  # mean time that it stays away [h]
    loss: Tensor  # probability that a message is lost while the link is up [0 to 1]


class LinkTable(NamedTuple):
    """What each kind of link does at each tick, (T, K) float32."""

    online: Tensor  # 1: up, 0: down
    lost: Tensor  # 1: this tick's command is lost
    latency_s: Tensor  # until this tick's command arrives [s]


def link_archetypes(count: int) -> LinkArchetypes:
    """Spread K kinds of link evenly over quality; no draws, so no seed changes them.

    Links are up for 94 to 97 % of the time and lose 1 to 5 % of messages. That they stay away for
    half an hour to eight hours (a router that is restarted, a day's fault) is an assumption.

    Args:
        count: Number of kinds, K.
    """
    return LinkArchetypes(
        online=0.94 + 0.03 * strata(count, math.sqrt(2.0) - 1.0),
        offline_h=0.5 * 16.0 ** strata(count, math.sqrt(3.0) - 1.0),
        loss=0.01 + 0.04 * strata(count, math.sqrt(5.0) - 2.0),
    )


def link_table(
    start_utc: np.datetime64,
    ticks: int,
    seed: int,
    archetypes: int = 64,
    kinds: LinkArchetypes | None = None,
) -> LinkTable:
    """Tabulate links; a week's table equals these rows of a year's.

    At each tick a chain jumps to up with probability b, to down with probability a, and else stays:
    its state is that of its last jump, so that it is known without what was before. It leaves "up"
    with probability a and "down" with b, and is up for b / (a + b) of the time.

    Args:
        start_utc: Start of the first tick.
        ticks: Number of ticks, T.
        seed: Of the draws.
        archetypes: Number of kinds, K.
        kinds: Their qualities, (K,); none: `link_archetypes`.

    Raises:
        InputError: The start is off the five-minute clock.
    """
    kinds = link_archetypes(archetypes) if kinds is None else kinds
    first, column = tick_of(start_utc), torch.arange(len(kinds.online))
    to_up = (TICK_S / 3600.0 / kinds.offline_h).clamp(max=1.0)
    to_down = to_up * (1.0 - kinds.online) / kinds.online
    # Both are probabilities of one draw; a link that is hardly ever up keeps its share.
    scale = (to_up + to_down).clamp(min=1.0)
    to_up, to_down = to_up / scale, to_down / scale
    memory = torch.arange(first - 2**_MEMORY + 1, first + ticks).unsqueeze(-1)
    draw = uniform(seed, 0, column, memory, Purpose.LINK_CHANGE)
    jumps = (draw < to_up) | (draw >= 1.0 - to_down)
    online = hold(draw < to_up, jumps, _MEMORY)
    tick = torch.arange(first, first + ticks).unsqueeze(-1)
    score = normal(seed, 0, column, tick, Purpose.LINK_LATENCY)
    latency_s = (MEDIAN_LATENCY_S * torch.exp(LATENCY_DEVIATION * score)).clamp(max=MOST_LATENCY_S)
    lost = uniform(seed, 0, column, tick, Purpose.LINK_LOSS) < kinds.loss
    return LinkTable(online.float(), lost.float(), latency_s.float())


def sample_links(seed: int, home: Tensor, archetypes: int) -> Tensor:
    """Give each home a kind of link, (N,) int64; homes of one kind go offline together.

    Args:
        seed: Of the fleet.
        home: Ids of the homes, (N,) int64.
        archetypes: Number of kinds, K.
    """
    share = uniform(seed, 0, home, 0, Purpose.FLEET_LINK)
    return (share * archetypes).to(torch.int64)


def reached(online: Tensor, lost: Tensor) -> Tensor:
    """Whether this step's command arrives, (..., N) bool.

    Args:
        online: 1 where the link is up, (..., N).
        lost: 1 where the message is lost, (..., N).
    """
    return (online > 0) & (lost <= 0)


def late_share(latency_s: Tensor, dt_h: float) -> Tensor:
    """Share of the step for which the old set-point still stands, (..., N). [0 to 1]

    Args:
        latency_s: Until the command arrives, (..., N). [s]
        dt_h: Length of the step. [h]
    """
    return (latency_s / (3600.0 * dt_h)).clamp(0.0, 1.0)


def heard_kw(asked_kw: Tensor, old_kw: Tensor, arrives: Tensor, late: Tensor) -> Tensor:
    """Mean power that a device is asked for over the step, NaN = nobody asks, (..., N). [kW]

    A device that is not reached is on its own. Where no set-point stands yet, the new one counts
    from the start of the step, because a step has one power: that makes a first answer early by
    its latency.

    Args:
        asked_kw: This step's set-point, NaN = nobody asks, (..., N). [kW]
        old_kw: The set-point that stands so far, NaN = nobody asks, (..., N). [kW]
        arrives: From `reached`, (..., N) bool.
        late: From `late_share`, (..., N). [0 to 1]
    """
    # Plain numbers under each mask: a NaN in the branch not taken would spoil gradients.
    silent = torch.isnan(old_kw) | torch.isnan(asked_kw)
    none = torch.zeros_like(asked_kw)
    new_kw = torch.where(torch.isnan(asked_kw), none, asked_kw)
    before_kw = torch.where(silent, new_kw, old_kw)
    mixed_kw = new_kw + late * (before_kw - new_kw)
    nobody = torch.full_like(asked_kw, torch.nan)
    return torch.where(arrives & ~torch.isnan(asked_kw), mixed_kw, nobody)


def standing_kw(asked_kw: Tensor, arrives: Tensor) -> Tensor:
    """Set-point that stands after the step, NaN = nobody asks, (..., N). [kW]

    Args:
        asked_kw: This step's set-point, (..., N). [kW]
        arrives: From `reached`, (..., N) bool.
    """
    return torch.where(arrives, asked_kw, torch.full_like(asked_kw, torch.nan))


def visible_cohort(cohort: Tensor, online: Tensor) -> Tensor:
    """Class of each device as dispatch may count it: -1 while its home is offline, (..., N) int64.

    An offline device keeps its promises by itself and leaves the operator's envelope.

    Args:
        cohort: Class, -1 without a device, (N,) or (..., N) int64.
        online: 1 where the link is up, (..., N).
    """
    here = cohort + torch.zeros_like(online, dtype=torch.int64)
    return torch.where(online > 0, here, torch.full_like(here, -1))
