"""Who is at home: heat of people, lights and appliances, and the thermostat's schedule.

An archetype is a household's routine on its local clock: when it wakes, leaves, returns and goes to
bed, on weekdays and on rest days. A thermostat with a schedule opens its band while nobody is in
or everybody sleeps; about a third of the households has one (an assumption). A band that closes
does so on a ramp which ends when they return or wake, so that the house is ready by then.

Gains are expected by the routine, and come as expected times a factor: of the day (who is in, what
is cooked) and of the moment. A table's values are keyed by the tick since 1970, as in `recursion`,
and its schedule by the local clock, so that a week's table equals the same rows of a year's.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.random import Purpose, normal
from vpp_envs.signals.local_clock import known_zone, local_clock
from vpp_envs.signals.synthetic.recursion import TICK_S, TICKS_PER_DAY, autoregressive, tick_of
from vpp_envs.signals.synthetic.strata import strata

SCHEDULE_SHARE = 0.35  # of households that let the band open while away
AWAY_K, ASLEEP_K = 2.5, 1.0
RAMP_K_PER_H = 1.0  # fastest closing of the band
WORKER_SHARE = 0.7  # of households of which nobody is in on weekdays
AWAKE, AWAY, ASLEEP = 1.5, 0.5, 0.7  # expected gains, relative to each other
DAY_DEVIATION = 0.15  # of the logarithm of a day's gains
MOMENT_DEVIATION = 0.30  # of the logarithm within the day
MOMENT_DECAY = 0.9  # a tick: three quarters of an hour
_MEMORY = 8  # doublings: 256 ticks, after which 0.9 has decayed below 1e-11


class Routines(NamedTuple):
    """How K households spend their day, (K,) each; times on the local clock."""

    wakes_h: Tensor  # on weekdays; an hour later on rest days [h]
    leaves_h: Tensor  # on weekdays [h]
    returns_h: Tensor  # on weekdays [h]
    sleeps_h: Tensor  # before midnight [h]
    works: Tensor  # nobody is in on weekdays, bool
    away_k: Tensor  # by which the band opens while away [K]
    asleep_k: Tensor  # and while asleep [K]


class GainTables(NamedTuple):
    """Heat of people, lights and appliances, (T, K) float32. [per unit of the home's mean]"""

    gain_pu: Tensor  # that comes
    expected_pu: Tensor  # by the routine


def routines(count: int) -> Routines:
    """Spread K routines evenly; no draws, so no seed changes them."""
    has_schedule = strata(count, math.sqrt(3.0) - 1.0) < SCHEDULE_SHARE
    return Routines(
        wakes_h=5.75 + 1.5 * strata(count, math.sqrt(7.0) - 2.0),
        leaves_h=7.5 + 1.5 * strata(count, math.sqrt(5.0) - 2.0),
        returns_h=15.5 + 3.0 * strata(count, math.pi - 3.0),
        sleeps_h=21.5 + 2.0 * strata(count, math.sqrt(6.0) - 2.0),
        works=strata(count, math.e - 2.0) < WORKER_SHARE,
        away_k=AWAY_K * has_schedule,
        asleep_k=ASLEEP_K * has_schedule,
    )


def offset_table(zone: str, start_utc: np.datetime64, ticks: int, archetypes: int = 32) -> Tensor:
    """Tabulate by how much each routine's schedule opens the band at the end of each tick.

    Args:
        zone: IANA zone of the households' clock.
        start_utc: Start of the first five-minute tick, UTC.
        ticks: Number of ticks T.
        archetypes: Number of routines K.

    Returns:
        At least 0; it falls by no more than `RAMP_K_PER_H`, (T, K) float32. [K]

    Raises:
        InputError: An unknown zone, or a start off the five-minute clock.
    """
    kinds = routines(archetypes)
    ahead = math.ceil(max(AWAY_K, ASLEEP_K) / RAMP_K_PER_H * 3600 / TICK_S)
    first = tick_of(start_utc) + 1
    asleep, away = _whereabouts(kinds, zone, first, ticks + ahead)
    open_k = torch.where(asleep, kinds.asleep_k, torch.where(away, kinds.away_k, 0.0))
    closing_k = open_k[:ticks]
    for later in range(1, ahead + 1):
        ramp_k = RAMP_K_PER_H * later * TICK_S / 3600
        closing_k = torch.minimum(closing_k, open_k[later : later + ticks] + ramp_k)
    return closing_k.to(torch.float32)


def gain_tables(
    zone: str, start_utc: np.datetime64, ticks: int, seed: int, archetypes: int = 32
) -> GainTables:
    """Tabulate gains of routines; arguments as in `offset_table`, and the seed of what comes."""
    kinds = routines(archetypes)
    first = tick_of(start_utc)
    asleep, away = _whereabouts(kinds, zone, first, ticks)
    expected = _level(asleep, away) / _mean_level(kinds)
    column = torch.arange(archetypes)
    day = torch.arange(first, first + ticks).unsqueeze(-1) // TICKS_PER_DAY
    busy = DAY_DEVIATION * normal(seed, 0, column, day, Purpose.GAIN_DAY)
    memory = torch.arange(first - 2**_MEMORY + 1, first + ticks).unsqueeze(-1)
    noise = normal(seed, 0, column, memory, Purpose.GAIN)
    moment = MOMENT_DEVIATION * autoregressive(noise, MOMENT_DECAY, _MEMORY)
    spread = 0.5 * (DAY_DEVIATION**2 + MOMENT_DEVIATION**2)
    comes = expected * torch.exp(busy + moment - spread)
    return GainTables(comes.to(torch.float32), expected.to(torch.float32))


def _level(asleep: Tensor, away: Tensor) -> Tensor:
    """Expected gains, relative to each other, (T, K)."""
    level = torch.where(away, AWAY, AWAKE).to(torch.float64)
    return torch.where(asleep, ASLEEP, level)


def _mean_level(kinds: Routines) -> Tensor:
    """Mean of the expected gains over a week of seven plain days, (K,)."""
    hour = (torch.arange(TICKS_PER_DAY, dtype=torch.float64).unsqueeze(-1)) * 24.0 / TICKS_PER_DAY
    workday = _level(*_at(kinds, hour, torch.zeros_like(hour, dtype=torch.bool))).mean(dim=0)
    rest_day = _level(*_at(kinds, hour, torch.ones_like(hour, dtype=torch.bool))).mean(dim=0)
    return (5.0 * workday + 2.0 * rest_day) / 7.0


def _whereabouts(kinds: Routines, zone: str, first: int, ticks: int) -> tuple[Tensor, Tensor]:
    """Who is asleep and who is away when each tick starts, (T, K) bool."""
    try:
        name = known_zone(zone)
    except InputError as error:
        raise InputError(f"the zone '{zone}' of the households {error}") from error
    start = np.datetime64(first * TICK_S, "s")
    clock = local_clock(name, start, TICK_S, ticks)
    hour = torch.from_numpy(clock.second / 3600.0).unsqueeze(-1)
    return _at(kinds, hour, torch.from_numpy(clock.weekend).unsqueeze(-1))


def _at(kinds: Routines, hour: Tensor, rest_day: Tensor) -> tuple[Tensor, Tensor]:
    """Who is asleep and who is away at a time of day, (T, K) bool."""
    wakes_h = kinds.wakes_h + 1.0 * rest_day
    asleep = (hour < wakes_h) | (hour >= kinds.sleeps_h)
    away = kinds.works & ~rest_day & (hour >= kinds.leaves_h) & (hour < kinds.returns_h)
    return asleep, away & ~asleep
