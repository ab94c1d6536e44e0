"""Synthetic stays of cars at home: when they come, when they say they leave, how far they drove.

An archetype is a driver's habit. Seven in ten commute: off at 7.5 +- 1.2 h and home at
18.0 +- 2.5 h on weekdays; the others, and everybody on weekends, leave less regularly and are back
at any hour. Errands follow one return from work in seven and half of the other ones, so that
evenings and weekends fall into short stays. A day's distance is lognormal, median 43 km (27 miles),
sigma 0.75; some charge at work, or elsewhere on the way. Who comes home plugs in with a probability
of 0.7 to 0.9; else the distance adds to the next stay's. One day in ten the car stays where it is.
One morning in fifty it leaves up to three hours before its time. Beside the weekday sessions of
EVI-Pro (arrival at 16.8 +- 4.0 h, median 17.3 h; stay 12.3 +- 5.8 h, median 13.2 h, none beyond
25 h) they arrive at 17.3 +- 3.4 h, median 17.7 h, and those of up to 25 h last 12.0 +- 5.5 h,
median 12.8 h. The numbers and their sources stand in `outings.Driving`. When a car that is left
alone charges within its stay is a habit of its own (`fleet.fleet.HABITS`): by default all charge at
once; in GMLC's fleets (electric_vehicles_fleet/config.ini) 40 % do, 30 % at midnight and 30 % when
charging is needed, which is ``fleet.ev_midnight_share=0.3 fleet.ev_last_moment_share=0.3``. Draws
are keyed by the day since 1970, so that a week's table equals the same rows of a year's.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.signals.market import DT_S
from vpp_envs.signals.synthetic.outings import Outings, outings

_HISTORY_DAYS = 14  # before the table: distances that nobody plugged in after
_FUTURE_DAYS = 14  # after it: departures that are declared in it, however often the car rests


class Stays(NamedTuple):
    """Stays of one car at its charger in time order, (J,) each; ticks may lie outside a table."""

    arrival: np.ndarray  # first tick, int64
    declared: np.ndarray  # tick of the declared departure, int64
    end: np.ndarray  # tick at which it leaves, not after the declared one, int64
    driven_km: np.ndarray  # since it was plugged in last, less what was charged on the way, float64


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
    days, midnight = midnights(zone, start_utc, ticks, _HISTORY_DAYS, _FUTURE_DAYS)
    drawn = outings(days, seed, archetypes)
    return tabulate([_stays(drawn, midnight, k) for k in range(archetypes)], ticks)


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


def midnights(
    zone: str, start_utc: np.datetime64, ticks: int, before: int, after: int
) -> tuple[Tensor, np.ndarray]:
    """Local days around a table, since 1970, and the tick at which each begins.

    Args:
        zone: IANA zone of the clock.
        start_utc: Start of the table.
        ticks: Its length.
        before: Days before it.
        after: Days after it.
    """
    start = pd.Timestamp(start_utc, tz="UTC")
    first = start.tz_convert(zone).tz_localize(None).normalize() - pd.Timedelta(days=before)
    count = ticks * DT_S // 86_400 + before + after
    local = pd.date_range(first, periods=count, freq="D")
    utc = local.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")
    midnight = np.asarray((utc - start) // pd.Timedelta(seconds=DT_S), dtype=np.int64)
    return torch.from_numpy(np.asarray((local - pd.Timestamp(0)).days, dtype=np.int64)), midnight


def in_ticks(hours: np.ndarray) -> np.ndarray:
    """Hours in whole ticks.

    Args:
        hours: Of any shape. [h]
    """
    ticks: np.ndarray = np.round(hours * 3600 / DT_S).astype(np.int64)
    return ticks


def _stays(drawn: Outings, midnight: np.ndarray, k: int) -> Stays:
    """Stays of one archetype between its outings."""
    # Outing by outing within a day, day by day.
    goes = drawn.goes[:, k].reshape(-1)
    dawn = midnight.repeat(drawn.goes.shape[-1])[goes]
    leaves, back, km, plugs, early_h = (
        part[:, k].reshape(-1)[goes]
        for part in (drawn.leaves_h, drawn.back_h, drawn.km, drawn.plugs, drawn.early_h)
    )
    # A stay lasts from one return to the next departure; the last return has none yet.
    arrival, declared = (dawn + in_ticks(back))[:-1], (dawn + in_ticks(leaves))[1:]
    end = np.maximum(declared - in_ticks(early_h[1:]), arrival + 1)
    plugged = plugs[:-1]
    # In whole metres sums are exact, wherever they begin.
    driven_m = np.cumsum(np.round(1000.0 * km[:-1]))[plugged]
    driven_km = np.diff(driven_m, prepend=0.0) / 1000.0
    return Stays(arrival[plugged], declared[plugged], end[plugged], driven_km)
