"""Hours of sun and air: as a weather file states them, as a year of them, and their calendar.

A slot is an hour by month, day and hour of a leap year, 0 to 8783, so that years of either length
and typical years, whose months are of several years, are told alike.
"""

from typing import NamedTuple

import numpy as np

COLUMNS = ("global sun", "direct sun", "diffuse sun", "air")  # of the values
SLOTS = 366 * 24
HOUR, HALF_HOUR = np.timedelta64(3600, "s"), np.timedelta64(1800, "s")
_LEAP_YEAR = np.datetime64("2000-01-01", "D")
_LEAP_DAY = slice(59 * 24, 60 * 24)
# Beyond these a value is a mark that there is none: from 9999 W/m2 and 99.9 C on in EPW (EnergyPlus
# Auxiliary Programs, data dictionary), -9900 in TMY3, -9999 and the like elsewhere.
_MARKED_BELOW, _MARKED_FROM = -900.0, np.array([9999.0, 9999.0, 9999.0, 99.9])


class Covered(NamedTuple):
    """The time that a market's days take."""

    start_utc: np.datetime64
    end_utc: np.datetime64


class WeatherRows(NamedTuple):
    """What the rows of a weather file state, in any order."""

    name: str  # of the file, for sentences
    start: np.ndarray  # of the hour, on the file's own clock, (R,) datetime64[s]
    values: np.ndarray  # columns as `COLUMNS`, means of the hour [W/m2] and [C], (R, 4)
    latitude_deg: float
    longitude_deg: float
    utc_offset_h: float  # of the file's own clock, the same all year

    @property
    def offset(self) -> np.timedelta64:
        """The file's own clock less UTC."""
        return np.timedelta64(round(3600 * self.utc_offset_h), "s")


class LaidYear(NamedTuple):
    """The rows of a file laid on the hours of a year."""

    slot: np.ndarray  # that the year has, (H,)
    values: np.ndarray  # NaN where there is none, (H, 4)
    absent: np.ndarray  # hours without a row, (H,) bool
    up: np.ndarray  # highest sine of the sun's elevation in the hour, (H,)
    start: np.ndarray  # on the file's own clock, (H,) datetime64[s]


class WeatherHours(NamedTuple):
    """A whole year of hours in the order of the calendar; a typical one joins months of years."""

    name: str
    start_utc: np.ndarray  # (H,) datetime64[s]
    ghi_w_per_m2: np.ndarray  # mean global sunlight on the horizontal, (H,)
    dni_w_per_m2: np.ndarray  # mean beam on a plane that faces the sun, (H,)
    dhi_w_per_m2: np.ndarray  # mean diffuse sunlight on the horizontal, (H,)
    air_c: np.ndarray  # (H,)
    latitude_deg: float
    longitude_deg: float
    utc_offset_h: float
    filled: int  # hours in which the file lacks a value

    @property
    def offset(self) -> np.timedelta64:
        """The file's own clock less UTC."""
        return np.timedelta64(round(3600 * self.utc_offset_h), "s")

    @property
    def slot(self) -> np.ndarray:
        """Place of each hour in a leap year, (H,)."""
        return slots_of(self.start_utc + self.offset)


def marked(values: np.ndarray) -> np.ndarray:
    """Where a file says that it has no value.

    Args:
        values: Columns as `COLUMNS`, (..., 4).

    Returns:
        (..., 4) bool.
    """
    none: np.ndarray = (values >= _MARKED_FROM) | (values <= _MARKED_BELOW) | np.isnan(values)
    return none


def slots_of(start: np.ndarray) -> np.ndarray:
    """Place of hours in a leap year, by their middle.

    Args:
        start: Of each hour, on the clock that names days, (R,) datetime64[s].

    Returns:
        0 to 8783, (R,) int64.
    """
    middle = start + HALF_HOUR
    day = middle.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    month_of_year = month.astype(np.int64) % 12
    in_leap_year = (_LEAP_YEAR.astype("datetime64[M]") + month_of_year).astype("datetime64[D]")
    before = (in_leap_year - _LEAP_YEAR).astype(np.int64) + (day - month).astype(np.int64)
    hour = (middle - day).astype("timedelta64[h]").astype(np.int64)
    slots: np.ndarray = 24 * before + hour
    return slots


def starts_of(slot: np.ndarray, year: np.ndarray) -> np.ndarray:
    """Hours of a year by their slots, as the clock that names days shows them.

    Args:
        slot: (H,).
        year: Of each, (H,).

    Returns:
        (H,) datetime64[s].
    """
    day = _LEAP_YEAR + slot // 24
    month = day.astype("datetime64[M]")
    month_of_year = (month - _LEAP_YEAR.astype("datetime64[M]")).astype(np.int64)
    first = (np.datetime64("1970-01", "M") + (year - 1970) * 12 + month_of_year).astype(
        "datetime64[D]"
    )
    starts: np.ndarray = (first + (day - month)).astype("datetime64[s]") + (slot % 24) * HOUR
    return starts


def year_slots(leap_day: bool) -> np.ndarray:
    """Slots of a year with or without a 29 February, (8784,) or (8760,)."""
    slots = np.arange(SLOTS)
    return slots if leap_day else np.delete(slots, _LEAP_DAY)


def without_leap_day(slot: np.ndarray) -> np.ndarray:
    """The same hours, with those of 28 February for those of the 29th, (R,)."""
    leap = (slot >= _LEAP_DAY.start) & (slot < _LEAP_DAY.stop)
    return np.where(leap, slot - 24, slot)


def slot_text(slot: int) -> str:
    """An hour as a person writes it: month, day, and hour at its start."""
    return str(_LEAP_YEAR + slot // 24)[5:] + f" {slot % 24:02}:00"
