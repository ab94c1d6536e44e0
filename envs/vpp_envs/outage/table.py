"""Interruptions of feeders: when the grid is away, by tick.

Homes on a feeder go dark together. Interruptions begin at random (a Poisson process) and last a
lognormal time. The default of 1.2 interruptions a year of 2 h on average is an assumption of the
size of the indices that utilities report (SAIFI, and SAIDI over SAIFI, without major events; their
definitions: IEEE 1366); so is sigma 1, which makes the median 73 minutes.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.synthetic.recursion import TICK_S, TICKS_PER_DAY, tick_of

MOST_DAYS = 14  # that one interruption lasts


class OutageRates(NamedTuple):
    """How often and how long the grid is away."""

    interruptions_a_year: float = 1.2
    mean_h: float = 2.0  # length of an interruption
    deviation: float = 1.0  # of the logarithm of the length


def sample_feeders(seed: int, home: Tensor, archetypes: int) -> Tensor:
    """Give each home a feeder, (N,) int64.

    Args:
        seed: Of the fleet.
        home: Ids of the homes, (N,) int64.
        archetypes: Number of feeders, K.
    """
    share = uniform(seed, 0, home, 0, Purpose.FLEET_FEEDER)
    return (share * archetypes).to(torch.int64)


def checked_rates(rates: OutageRates) -> OutageRates:
    """Return rates that a table can be made with.

    Args:
        rates: As a person wrote them.

    Raises:
        InputError: A rate that cannot be; the message names it.
    """
    # At most one interruption begins in a tick; a thousand a year is one in a hundred ticks.
    bounds = {
        "interruptions_a_year": (0.0, 1000.0),
        "mean_h": (TICK_S / 3600.0, 24.0 * MOST_DAYS),
        "deviation": (0.0, 3.0),
    }
    for name, (least, most) in bounds.items():
        value = getattr(rates, name)
        if not least <= value <= most:
            raise InputError(
                f"scenario.outages.{name} must be from {least:g} to {most:g}, got {value:g}; "
                "give 0 interruptions a year for a grid that never fails."
            )
    return rates


def outage_probability(rates: OutageRates, hours: float) -> float:
    """Probability that the grid is away at some time of an event of some hours.

    Interruptions that touch it began in it or before, while they lasted: as many as begin in the
    event's length and their own mean length together.

    Args:
        rates: How often and how long.
        hours: Length of the event. [h]
    """
    return -math.expm1(-rates.interruptions_a_year * (rates.mean_h + hours) / 8766.0)


def outage_table(
    start_utc: np.datetime64,
    ticks: int,
    seed: int,
    archetypes: int = 16,
    rates: OutageRates | None = None,
) -> Tensor:
    """Tabulate where the grid is away; a week's table equals these rows of a year's.

    An interruption takes whole ticks, at least one.

    Args:
        start_utc: Start of the first tick.
        ticks: Number of ticks, T.
        seed: Of the draws.
        archetypes: Number of feeders, K.
        rates: How often and how long; none: the defaults.

    Returns:
        1 where the feeder is dark for the tick, else 0, (T, K) float32.

    Raises:
        InputError: Rates that cannot be, or a start off the five-minute clock.
    """
    rates = checked_rates(OutageRates() if rates is None else rates)
    lead = MOST_DAYS * TICKS_PER_DAY
    first = tick_of(start_utc) - lead
    tick = torch.arange(first, first + lead + ticks).unsqueeze(-1)
    chance = rates.interruptions_a_year / (365.25 * TICKS_PER_DAY)
    begins = uniform(seed, 0, torch.arange(archetypes), tick, Purpose.OUTAGE_START) < chance
    row, column = begins.nonzero(as_tuple=True)
    score = normal(seed, 0, column, first + row, Purpose.OUTAGE_LENGTH)
    median_h = rates.mean_h * math.exp(-0.5 * rates.deviation**2)
    length = (median_h * 3600.0 / TICK_S) * torch.exp(rates.deviation * score)
    length = length.round().to(torch.int64).clamp(1, lead)
    # One more where an interruption begins, one less where it has ended: running sums count them.
    change = torch.zeros(lead + ticks + 1, archetypes, dtype=torch.int64)
    one = torch.ones_like(row)
    change.index_put_((row, column), one, accumulate=True)
    change.index_put_(((row + length).clamp(max=lead + ticks), column), -one, accumulate=True)
    dark = change.cumsum(0)[lead : lead + ticks] > 0
    return dark.to(torch.float32)
