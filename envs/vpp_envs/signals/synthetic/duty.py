"""Stays of vehicles on duty at their depot: school buses, delivery vans, municipal vehicles.

Duties are nearly the same every day: departures are kept, returns stray by a quarter of an hour
(sigma), a day's energy by 12 %, and 3 vehicles in 100 stay in a day. School buses run in the
morning and in the afternoon of school days, and stand all summer and over the turn of the year,
which south of the equator is one long break; vans run Monday to Saturday, municipal vehicles on
weekdays. Hours and distances are an assumption about American fleets, remembered from published
duty cycles; what cold and heat cost (`devices.ev.weather_factor`) comes in where a scenario knows
its air. Draws are keyed by the day since 1970, so that a week's table equals the same rows of a
year's.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import Tensor

from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.synthetic.driving import Stays, in_ticks, midnights, tabulate

DUTY_ARCHETYPES = 8  # of each kind
_MARGIN_DAYS = 100  # a bus that stands all summer came before a table begins, or leaves after it
_OUT_OF_SERVICE_SHARE = 0.03
_RETURN_SIGMA_H = 0.25
_DISTANCE_SIGMA = 0.12


class Duty(NamedTuple):
    """A working day of a kind of vehicle."""

    trips_h: tuple[tuple[float, float], ...]  # local hour at which each leaves and is back [h]
    spread_h: float  # of departures and returns between archetypes, either way [h]
    km: tuple[float, float]  # a day, of the shortest and the longest archetype [km]
    works: Callable[[np.ndarray, bool], np.ndarray]  # dates, and whether it is the south


def _weekday(dates: np.ndarray) -> np.ndarray:
    """0 = Monday; 1970 began on a Thursday."""
    day: np.ndarray = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return day


def _school_days(dates: np.ndarray, south: bool) -> np.ndarray:
    """Weekdays outside the long holidays: about 200 a year."""
    year = dates.astype("datetime64[Y]")
    day = (dates.astype("datetime64[D]") - year.astype("datetime64[D]")).astype(np.int64)
    turn = (day < 3) | (day >= 353)  # to 3 January, from 20 December
    summer = (day < 31) | (day >= 348) if south else (day >= 166) & (day < 240)
    winter = (day >= 180) & (day < 194) if south else turn
    days: np.ndarray = (_weekday(dates) < 5) & ~summer & ~winter
    return days


DUTIES: dict[str, Duty] = {
    "school_bus": Duty(((5.75, 9.25), (13.25, 16.75)), 0.25, (97.0, 129.0), _school_days),
    "delivery_van": Duty(
        ((8.5, 18.5),), 0.7, (90.0, 135.0), lambda dates, south: _weekday(dates) < 6
    ),
    "municipal": Duty(((7.5, 16.5),), 0.25, (40.0, 72.0), lambda dates, south: _weekday(dates) < 5),
}


def duty_table(zone: str, start_utc: np.datetime64, ticks: int, seed: int) -> Tensor:
    """Tabulate the stays of vehicles on duty.

    Args:
        zone: IANA zone of their clock; Australian ones are south of the equator.
        start_utc: Start of the first tick.
        ticks: Number of ticks of five minutes, T.
        seed: Of the draws.

    Returns:
        Columns as those of `driving.stay_table`, kind by kind in the order of `DUTIES`,
        (T, 4, K) float32.
    """
    days, midnight = midnights(zone, start_utc, ticks, _MARGIN_DAYS, _MARGIN_DAYS)
    south = zone.startswith(("Australia/", "Pacific/Auckland"))
    stays = [
        _stays(days, midnight, seed, number, duty, k, south)
        for number, duty in enumerate(DUTIES.values())
        for k in range(DUTY_ARCHETYPES)
    ]
    return tabulate(stays, ticks)


def _stays(
    days: Tensor, midnight: np.ndarray, seed: int, number: int, duty: Duty, k: int, south: bool
) -> Stays:
    """Stays of one archetype between its trips."""
    name = number * DUTY_ARCHETYPES + k
    place = (k + 0.5) / DUTY_ARCHETYPES  # of the archetype, from the shortest to the longest
    dates = days.numpy().astype("datetime64[D]")
    service = uniform(seed, 0, name, days, Purpose.DUTY_SERVICE).numpy() >= _OUT_OF_SERVICE_SHARE
    goes = duty.works(dates, south) & service
    km_a_trip = (duty.km[0] + place * (duty.km[1] - duty.km[0])) / len(duty.trips_h)
    leaves, back, km = [], [], []
    for trip, (leaves_h, back_h) in enumerate(duty.trips_h):
        word = name * len(duty.trips_h) + trip
        # Who leaves late need not be who has far to go.
        shift_h = duty.spread_h * (2.0 * ((place * 5.0) % 1.0) - 1.0)
        late_h = _RETURN_SIGMA_H * normal(seed, 0, word, days, Purpose.DUTY_RETURN).numpy()
        strays = 1.0 + _DISTANCE_SIGMA * normal(seed, 0, word, days, Purpose.DUTY_DISTANCE).numpy()
        leaves.append(midnight + in_ticks(np.full(len(midnight), leaves_h + shift_h)))
        back.append(midnight + in_ticks(back_h + shift_h + late_h))
        km.append(km_a_trip * strays.clip(0.5, 1.5))
    # Trip by trip within a day, day by day.
    ordered = [np.stack(part, -1)[goes].reshape(-1) for part in (leaves, back, km)]
    departure, arrival, driven_km = ordered
    # A stay lasts from one return to the next departure; the last return has none yet.
    declared = np.maximum(departure[1:], arrival[:-1] + 1)
    return Stays(arrival[:-1], declared, declared, np.round(driven_km[:-1], 3))
