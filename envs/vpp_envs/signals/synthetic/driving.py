"""Synthetic stays of cars at home: when they come, when they say they leave, how far they drove.

An archetype is a driver's habit. Seven in ten commute: home at 18.0 +- 2.5 h and off at
7.5 +- 1.2 h on weekdays; the others, and everybody on weekends, leave in the morning and return in
the afternoon or evening. A day's distance is lognormal, median 43 km (27 miles), sigma 0.75. Who
comes home plugs in with a probability of 0.7 to 0.9; else the distance adds to the next stay's. One
day in ten the car stays where it is. One departure in fifty comes up to three hours before its
time. The numbers are an assumption about residential drivers. Beside the home sessions of EVI-Pro
(mean arrival 16.8 h, mean stay 12.3 h) they come home alike (17.1 h) and stay longer (18.1 h, half
of them 16.0 h), because nobody here drives twice a day. Draws are keyed by the day since 1970, so
that a week's table equals the same rows of a year's.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.market import DT_S
from vpp_envs.signals.synthetic.strata import strata

MEDIAN_KM = 27.0 * 1.609
SIGMA_KM = 0.75
MOST_KM = 200.0 * 1.609
COMMUTER_SHARE = 0.7
REST_DAY_SHARE = 0.1
EARLY_SHARE = 0.02
_HISTORY_DAYS = 14  # before the table: distances that nobody plugged in after
_FUTURE_DAYS = 14  # after it: departures that are declared in it, however often the car rests


class Stays(NamedTuple):
    """Stays of one car at its charger in time order, (J,) each; ticks may lie outside a table."""

    arrival: np.ndarray  # first tick, int64
    declared: np.ndarray  # tick of the declared departure, int64
    end: np.ndarray  # tick at which it leaves, not after the declared one, int64
    driven_km: np.ndarray  # since it left last, float64


def stay_table(
    zone: str, start_utc: np.datetime64, ticks: int, seed: int, archetypes: int = 32
) -> Tensor:
    """Tabulate the stays of archetypes of drivers.

    Args:
        zone: IANA zone of their clock.
        start_utc: Start of the first tick.
        ticks: Number of ticks of five minutes, T.
        seed: Of the draws.
        archetypes: Number of habits, K.

    Returns:
        Ticks left to the declared departure, whether the stay ends with the tick, ticks of the stay
        that begins at the tick's end, and km driven before it; (T, 4, K) float32. Ticks, because
        float32 holds them exactly.
    """
    days, midnight = _midnights(zone, start_utc, ticks)
    return tabulate([_stays(days, midnight, seed, k, archetypes) for k in range(archetypes)], ticks)


def tabulate(stays: list[Stays], ticks: int) -> Tensor:
    """Write stays by tick; arguments and result as in `stay_table`, a column for each entry."""
    table = np.zeros((ticks, 4, len(stays)), dtype=np.float32)
    tick = np.arange(ticks)
    for column, stay in enumerate(stays):
        if not len(stay.arrival):
            continue
        current = np.searchsorted(stay.arrival, tick, side="right") - 1
        at = current.clip(min=0)
        here = (current >= 0) & (tick < stay.end[at])
        table[:, 0, column] = np.where(here, stay.declared[at] - tick, 0)
        table[:, 1, column] = here & (tick + 1 == stay.end[at])
        before = stay.arrival - 1
        inside = (before >= 0) & (before < ticks)
        table[before[inside], 2, column] = (stay.declared - stay.arrival)[inside]
        table[before[inside], 3, column] = stay.driven_km[inside]
    return torch.from_numpy(table)


def _midnights(zone: str, start_utc: np.datetime64, ticks: int) -> tuple[Tensor, np.ndarray]:
    """Local days around the table, since 1970, and the tick at which each begins."""
    start = pd.Timestamp(start_utc, tz="UTC")
    first = start.tz_convert(zone).tz_localize(None).normalize() - pd.Timedelta(days=_HISTORY_DAYS)
    count = ticks * DT_S // 86_400 + _HISTORY_DAYS + _FUTURE_DAYS
    local = pd.date_range(first, periods=count, freq="D")
    utc = local.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")
    midnight = np.asarray((utc - start) // pd.Timedelta(seconds=DT_S), dtype=np.int64)
    return torch.from_numpy(np.asarray((local - pd.Timestamp(0)).days, dtype=np.int64)), midnight


def _stays(days: Tensor, midnight: np.ndarray, seed: int, k: int, archetypes: int) -> Stays:
    """Stays of one archetype."""

    def share(purpose: int) -> np.ndarray:
        drawn: np.ndarray = uniform(seed, 0, k, days, purpose).numpy()
        return drawn

    def bell(purpose: int) -> np.ndarray:
        drawn: np.ndarray = normal(seed, 0, k, days, purpose).numpy()
        return drawn

    habit = _Habit.of(k, archetypes)
    weekday = ((days.numpy() + 3) % 7) < 5  # 1970 began on a Thursday
    commutes = weekday & habit.commutes
    leaves_h = np.where(commutes, habit.leaves_h, habit.free_leaves_h)
    leaves_h = leaves_h + np.where(commutes, 0.6, 1.5) * bell(Purpose.DRIVE_DEPARTURE)
    back_h = np.where(commutes, habit.back_h, habit.free_back_h)
    back_h = back_h + np.where(commutes, 1.2, 2.5) * bell(Purpose.DRIVE_ARRIVAL)
    leaves_h = leaves_h.clip(4.0, 14.0)
    back_h = np.maximum(back_h, leaves_h + 0.5).clip(max=23.5)
    km = (MEDIAN_KM * np.exp(SIGMA_KM * bell(Purpose.DRIVE_DISTANCE))).clip(max=MOST_KM)
    goes = share(Purpose.DRIVE_REST_DAY) >= REST_DAY_SHARE
    leaves = (midnight + np.round(leaves_h * 3600 / DT_S).astype(np.int64))[goes]
    back = (midnight + np.round(back_h * 3600 / DT_S).astype(np.int64))[goes]
    km = km[goes]
    plugs = (share(Purpose.DRIVE_PLUG_IN) < habit.plugs_in)[goes]
    early_h = np.where(
        share(Purpose.DRIVE_EARLY) < EARLY_SHARE, 0.5 + 2.5 * share(Purpose.DRIVE_EARLY_BY), 0.0
    )[goes]
    # A stay lasts from one return to the next departure; the last return has none yet.
    arrival, declared = back[:-1], leaves[1:]
    early = np.round(early_h[1:] * 3600 / DT_S).astype(np.int64)
    end = np.maximum(declared - early, arrival + 1)
    plugged = plugs[:-1]
    # In whole metres sums are exact, wherever they begin.
    driven_m = np.cumsum(np.round(1000.0 * km[:-1]))[plugged]
    driven_km = np.diff(driven_m, prepend=0.0) / 1000.0
    return Stays(arrival[plugged], declared[plugged], end[plugged], driven_km)


class _Habit(NamedTuple):
    """When a driver usually goes and comes, and how often the car is plugged in."""

    commutes: bool
    leaves_h: float
    back_h: float
    free_leaves_h: float
    free_back_h: float
    plugs_in: float

    @classmethod
    def of(cls, k: int, archetypes: int) -> "_Habit":
        """Habit of one of so many archetypes, spread evenly; no draws, so no seed changes it."""
        normal_scores = torch.special.ndtri(
            torch.stack(
                [
                    strata(archetypes, math.sqrt(3.0) - 1.0),
                    strata(archetypes, math.sqrt(5.0) - 2.0),
                ]
            ).clamp(0.01, 0.99)
        )
        leave, back = normal_scores[:, k].tolist()
        return cls(
            commutes=float(strata(archetypes, math.e - 2.0)[k]) < COMMUTER_SHARE,
            leaves_h=7.5 + 1.0 * leave,
            back_h=18.0 + 2.2 * back,
            free_leaves_h=10.0 + 1.0 * leave,
            free_back_h=16.0 + 2.0 * back,
            plugs_in=0.7 + 0.2 * float(strata(archetypes, math.sqrt(2.0) - 1.0)[k]),
        )
