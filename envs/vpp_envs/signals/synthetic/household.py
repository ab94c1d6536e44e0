"""Synthetic base load of homes: a daily rhythm, a slow residual and appliance spikes.

An archetype's load is ``(1 - s) activity exp(residual) + spikes``: the activity is a shape with
a morning and an evening peak on the market's clock, times a factor of the day; the residual is
an AR(1) of standard deviation 0.25 in the logarithm; spikes carry the share s of the energy and
come more often when the home is active. Heating and cooling are not in it: they belong to
devices of their own. A table's values are keyed by the tick since 1970, as in `recursion`.

Half-hourly statistics beside six metered homes of New South Wales (Smart Grid Smart City,
January to June 2013, all uses but controlled hot water), mean and range over homes; those homes
have air conditioners, which the upper tail and the variation from day to day show:

    per unit of the mean              here                 metered
    median                            0.59 (0.54-0.66)     0.47 (0.34-0.63)
    95th percentile                   3.3  (2.9-3.8)       3.8  (3.1-4.6)
    standard deviation                1.1  (0.9-1.3)       1.4  (1.0-2.0)
    autocorrelation at 30 min         0.62 (0.59-0.67)     0.56 (0.33-0.77)
    autocorrelation at 60 min         0.31 (0.25-0.39)     0.38 (0.14-0.61)
    evening peak of the mean day      1.65 (1.34-1.91)     1.7  (1.3-2.1)
    weekend over weekday              1.07 (1.00-1.14)     1.09 (0.98-1.20)
    standard deviation of days        0.38 (0.33-0.42)     0.52 (0.44-0.69)

At five minutes, where no metered home is at hand: 95th percentile 3.7, standard deviation 1.3,
autocorrelation 0.88 from one tick to the next.
"""

import math
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
RESIDUAL_DECAY = 0.97  # a tick: the residual lasts three hours
DAY_DEVIATION = 0.30  # of the logarithm of a day's activity
SPIKE_SHARE = 0.45  # of the energy
SPIKE_TICKS = (1, 2, 3, 4, 6, 9, 12, 18)  # equally likely lengths: a kettle to an oven
SPIKE_DEVIATION = 0.5  # of the logarithm of the height
BLOCK_TICKS = 28 * TICKS_PER_DAY  # what is scaled to its expected energy
_MEMORY = 9  # doublings: 512 ticks, after which 0.97 has decayed below 1e-6


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
        morning_h=6.0 + 2.5 * strata(count, math.sqrt(7.0) - 2.0),
        evening_h=17.5 + 3.0 * strata(count, math.cbrt(2.0) - 1.0),
        morning_weight=0.2 + 0.8 * strata(count, math.sqrt(6.0) - 2.0),
        evening_weight=0.5 + 1.0 * strata(count, math.pi - 3.0),
        spike_height=1.5 + 2.0 * strata(count, math.log(2.0)),
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
    before = first % BLOCK_TICKS
    count = -(-(before + ticks) // BLOCK_TICKS) * BLOCK_TICKS
    load = _whole_blocks(load_archetypes(archetypes), zone, first - before, count, seed)
    return load[before : before + ticks].to(torch.float32)


def _whole_blocks(kinds: LoadArchetypes, zone: str, first: int, ticks: int, seed: int) -> Tensor:
    """Return the load of whole blocks, each scaled to its expected energy, (T, K).

    Long spikes and busy days make homes lifelike, but leave a year's mean uncertain by several
    per cent, and a home's mean is given: its product with the table must return it.
    """
    lead = max(SPIKE_TICKS) - 1
    day, row = _local_clock(zone, first - lead, lead + ticks)
    week = torch.cat([daily_shape(kinds, weekend=False), daily_shape(kinds, weekend=True)])
    shape = week[row]
    column = torch.arange(shape.shape[1])
    busy = normal(seed, 0, column, day.unsqueeze(-1), Purpose.LOAD_DAY)
    activity = shape * torch.exp(DAY_DEVIATION * busy - DAY_DEVIATION**2 / 2.0)
    memory = torch.arange(first - 2**_MEMORY + 1, first + ticks).unsqueeze(-1)
    noise = normal(seed, 0, column, memory, Purpose.LOAD)
    residual = RESIDUAL_DEVIATION * autoregressive(noise, RESIDUAL_DECAY, _MEMORY)
    background = (1.0 - SPIKE_SHARE) * activity[lead:] * torch.exp(residual)
    load = background + _spikes(kinds, activity, first - lead, seed)
    blocks = (-1, BLOCK_TICKS, shape.shape[1])
    # Running sums add in the same order whatever the number of blocks; sums need not.
    drawn = load.reshape(blocks).cumsum(dim=1)[:, -1:]
    expected = shape[lead:].reshape(blocks).cumsum(dim=1)[:, -1:]
    return (load.reshape(blocks) * (expected / drawn)).flatten(0, 1)


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


def _local_clock(zone: str, first: int, ticks: int) -> tuple[Tensor, Tensor]:
    """Return the local date (days since 1970) and the row of the week's shape, (T,) each."""
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise InputError(
            f"no time zone is called '{zone}'; give an IANA name such as 'Etc/GMT-10'"
        ) from error
    seconds = np.arange(first, first + ticks) * TICK_S
    local = pd.DatetimeIndex(seconds.astype("datetime64[s]"), tz="UTC").tz_convert(clock)
    wall = local.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    day, second = np.divmod(wall, 86400)
    # The first of January 1970 was a Thursday, so that Saturday and Sunday are 2 and 3 of 7.
    weekend = (day % 7 == 2) | (day % 7 == 3)
    return torch.from_numpy(day), torch.from_numpy(weekend * TICKS_PER_DAY + second // TICK_S)


def _spikes(kinds: LoadArchetypes, activity: Tensor, first: int, seed: int) -> Tensor:
    """Return appliance spikes that expect their share of the activity, (T, K).

    Args:
        kinds: Kinds of home, (K,).
        activity: Expected load, with the ticks before the table in which a spike may start
            that still runs in it.
        first: Tick of the first row of the activity.
        seed: Names the spikes.
    """
    lengths = torch.tensor(SPIKE_TICKS)
    count, columns = activity.shape
    tick = torch.arange(first, first + count).unsqueeze(-1)
    draw = uniform(seed, 0, torch.arange(columns), tick, Purpose.LOAD_SPIKE_START)
    energy = kinds.spike_height * (sum(SPIKE_TICKS) / len(SPIKE_TICKS))
    row, column = (draw < SPIKE_SHARE * activity / energy).nonzero(as_tuple=True)
    # Height and length are drawn where a spike starts, and nowhere else.
    chance = uniform(seed, 0, column, first + row, Purpose.LOAD_SPIKE_LENGTH)
    length = lengths[(chance * len(SPIKE_TICKS)).to(torch.int64)]
    score = normal(seed, 0, column, first + row, Purpose.LOAD_SPIKE_HEIGHT)
    spread = torch.exp(SPIKE_DEVIATION * score - SPIKE_DEVIATION**2 / 2.0)
    height = kinds.spike_height[column] * spread
    total = torch.zeros_like(activity)
    for since in range(max(SPIKE_TICKS)):
        running = (length > since) & (row + since < count)
        # At most one spike starts in a cell, so that one pass adds once to a cell.
        total[row[running] + since, column[running]] += height[running]
    return total[max(SPIKE_TICKS) - 1 :]
