"""Synthetic base load of homes: a daily rhythm, a slow residual and appliance spikes.

An archetype's load is ``(1 - s) shape(t) exp(residual) + spikes``: the shape has a morning and
an evening peak on the market's clock, the residual is an AR(1) of standard deviation 0.25 in the
logarithm, and the spikes carry the share s of the energy and come more often when the home is
busy. Heating and cooling are not in it: they belong to devices of their own.

Everything is keyed by the tick since 1970 with a finite memory (see `recursion`): a table of ten
days equals these days in a table of a year.
"""

from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.synthetic.recursion import TICK_S, TICKS_PER_DAY, autoregressive, tick_of
from vpp_envs.signals.synthetic.strata import strata

RESIDUAL_DEVIATION = 0.25  # of the logarithm
RESIDUAL_DECAY = 0.96  # a tick: the residual lasts two hours
SPIKE_SHARE = 0.40  # of the energy
SPIKE_TICKS = (1, 1, 1, 2, 2, 3, 4, 6)  # equally likely lengths: a kettle to an oven
SPIKE_DEVIATION = 0.5  # of the logarithm of the height
_MEMORY = 8  # doublings: 256 ticks, after which 0.96 has decayed below 1e-4


class LoadArchetypes(NamedTuple):
    """How K kinds of home spend their day, (K,) each."""

    morning_h: Tensor  # weekday morning peak, local time [h]
    evening_h: Tensor  # evening peak, local time [h]
    morning_weight: Tensor  # height of the morning bump over the night level
    evening_weight: Tensor  # height of the evening bump over the night level
    spike_height: Tensor  # mean height of a spike [per unit of the home's mean]


def load_archetypes(count: int) -> LoadArchetypes:
    """Spread K archetypes evenly over timing and peakiness; no draws, so no seed changes them."""
    return LoadArchetypes(
        morning_h=6.0 + 2.5 * strata(count, 0.6180339887498949),
        evening_h=17.5 + 3.0 * strata(count, 0.4142135623730951),
        morning_weight=0.2 + 0.8 * strata(count, 0.7320508075688772),
        evening_weight=0.8 + 1.2 * strata(count, 0.6457513110645906),
        spike_height=2.5 + 2.5 * strata(count, 0.2599210498948732),
    )


def daily_shape(archetypes: LoadArchetypes, weekend: bool) -> Tensor:
    """Return the expected load at each tick of the local day, (288, K), over the week's mean.

    On weekends the morning comes 1.5 h later and people are at home at midday.

    Args:
        archetypes: Kinds of home, (K,).
        weekend: Saturday and Sunday instead of Monday to Friday.
    """
    workday, rest_day = _bumps(archetypes, 0.0, 0.15), _bumps(archetypes, 1.5, 0.45)
    mean = (5.0 * workday.mean(dim=0) + 2.0 * rest_day.mean(dim=0)) / 7.0
    return (rest_day if weekend else workday) / mean


def load_table(
    zone: str, start_utc: np.datetime64, ticks: int, seed: int, archetypes: int = 32
) -> Tensor:
    """Tabulate the base load of archetypes of homes.

    Args:
        zone: IANA zone of the market's clock.
        start_utc: Start of the first five-minute tick, UTC.
        ticks: Number of ticks T.
        seed: Names the residuals and spikes.
        archetypes: Number of kinds of home K, see `load_archetypes`.

    Returns:
        Load, (T, K) float32. [per unit of the home's mean over a year]

    Raises:
        InputError: An unknown zone, or a start off the five-minute clock.
    """
    first = tick_of(start_utc)
    kinds = load_archetypes(archetypes)
    lead = max(SPIKE_TICKS) - 1
    shape = _shape_over(kinds, zone, first - lead, lead + ticks)
    column = torch.arange(archetypes)
    memory = torch.arange(first - 2**_MEMORY + 1, first + ticks).unsqueeze(-1)
    noise = normal(seed, 0, column, memory, Purpose.LOAD)
    residual = RESIDUAL_DEVIATION * autoregressive(noise, RESIDUAL_DECAY, _MEMORY)
    # The mean of a lognormal lies half a variance above its median.
    background = shape[lead:] * torch.exp(residual - RESIDUAL_DEVIATION**2 / 2.0)
    spikes = _spikes(kinds, shape, first - lead, seed)
    return ((1.0 - SPIKE_SHARE) * background + SPIKE_SHARE * spikes).to(torch.float32)


def _bumps(archetypes: LoadArchetypes, later_h: float, midday: float) -> Tensor:
    """Return a level of 1 with bumps morning, midday and evening, and a dip at night, (288, K)."""
    hour = ((torch.arange(TICKS_PER_DAY) + 0.5) * 24.0 / TICKS_PER_DAY).to(torch.float64)
    hour = hour.unsqueeze(-1)
    return (
        1.0
        + archetypes.morning_weight * _bump(hour, archetypes.morning_h + later_h, 1.0)
        + midday * _bump(hour, torch.tensor(13.0), 2.5)
        + archetypes.evening_weight * _bump(hour, archetypes.evening_h, 2.0)
        # Homes are quietest between two and five.
        - 0.4 * _bump(hour, torch.tensor(3.5), 2.5)
    )


def _bump(hour: Tensor, centre_h: Tensor, width_h: float) -> Tensor:
    """Return a bell of height 1 around a time of day, across midnight too."""
    distance = (hour - centre_h + 12.0) % 24.0 - 12.0
    return torch.exp(-0.5 * (distance / width_h) * (distance / width_h))


def _shape_over(kinds: LoadArchetypes, zone: str, first: int, ticks: int) -> Tensor:
    """Return the expected load of each tick by the local clock, (T, K)."""
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            f"no time zone is called '{zone}'; give an IANA name such as 'Etc/GMT-10'"
        ) from error
    seconds = np.arange(first, first + ticks) * TICK_S
    local = pd.DatetimeIndex(seconds.astype("datetime64[s]"), tz="UTC").tz_convert(clock)
    tick_of_day = torch.from_numpy(
        (local.hour * 12 + local.minute // 5).to_numpy().astype(np.int64)
    )
    weekend = torch.from_numpy((local.day_of_week >= 5).astype(np.int64))
    week = torch.cat([daily_shape(kinds, False), daily_shape(kinds, True)])
    return week[weekend * TICKS_PER_DAY + tick_of_day]


def _spikes(kinds: LoadArchetypes, shape: Tensor, first: int, seed: int) -> Tensor:
    """Return appliance spikes whose expectation is the shape, from its tick 5 on, (T, K)."""
    lead = max(SPIKE_TICKS) - 1
    lengths = torch.tensor(SPIKE_TICKS)
    count, columns = shape.shape
    tick = torch.arange(first, first + count).unsqueeze(-1)
    draw = uniform(seed, 0, torch.arange(columns), tick, Purpose.LOAD_SPIKE_START)
    energy = kinds.spike_height * (sum(SPIKE_TICKS) / len(SPIKE_TICKS))
    row, column = (draw < shape / energy).nonzero(as_tuple=True)
    # Height and length are drawn where a spike starts, and nowhere else.
    chance = uniform(seed, 0, column, first + row, Purpose.LOAD_SPIKE_LENGTH)
    length = lengths[(chance * len(SPIKE_TICKS)).to(torch.int64)]
    score = normal(seed, 0, column, first + row, Purpose.LOAD_SPIKE_HEIGHT)
    spread = torch.exp(SPIKE_DEVIATION * score - SPIKE_DEVIATION**2 / 2.0)
    total = torch.zeros_like(shape)
    for since in range(lead + 1):
        running = (length > since) & (row + since < count)
        height = kinds.spike_height[column[running]] * spread[running]
        # One spike at most starts in a cell, so each pass adds once to each.
        total[row[running] + since, column[running]] += height
    return total[lead:]
