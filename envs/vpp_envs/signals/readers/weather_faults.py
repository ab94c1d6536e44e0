"""What can be wrong with a weather file, each fault in some words that name its first hour."""

import numpy as np

from vpp_envs.signals.readers.clock import text
from vpp_envs.signals.readers.weather_hours import (
    COLUMNS,
    HOUR,
    SLOTS,
    Covered,
    LaidYear,
    WeatherRows,
    marked,
    slot_text,
    slots_of,
)

# What is possible: air at the Earth's surface, sunlight with some reflected by clouds.
LEAST, MOST = np.array([0.0, 0.0, 0.0, -90.0]), np.array([1500.0, 1500.0, 1500.0, 60.0])
_UNITS = ("W/m2", "W/m2", "W/m2", "C")
# Longer holes would be invented, not filled. [h]
LONGEST_H = {"interpolate": 6, "previous_day": 72}
# More light than twilight gives in an hour without sun: clock or place are wrong. [W/m2]
_TWILIGHT_W_PER_M2, _TWILIGHT_UP = 50.0, -0.05


def place_faults(rows: WeatherRows) -> list[str]:
    """A place that is not on the Earth."""
    limits = (
        ("latitude", rows.latitude_deg, 90.0),
        ("longitude", rows.longitude_deg, 180.0),
        ("time zone", rows.utc_offset_h, 14.0),
    )
    return [
        f"its {what} is {value:g}, and must be within {-most:g} to {most:g}"
        for what, value, most in limits
        if not abs(value) <= most
    ]


def clock_faults(rows: WeatherRows) -> list[str]:
    """No rows, or rows off the clock of ticks, so that there is no year to be looked at."""
    if not len(rows.start):
        return ["it has no rows"]
    off = rows.start.astype(np.int64) % 300 != 0
    if not off.any() and round(3600 * rows.utc_offset_h) % 300 == 0:
        return []
    return [f"its clock is off the five-minute clock in {int(off.sum())} rows"]


def row_faults(rows: WeatherRows, fill: str | None) -> list[str]:
    """Rows that are no year of hours."""
    faults = []
    count, (slot, times) = len(rows.start), np.unique(slots_of(rows.start), return_counts=True)
    if count > SLOTS or (fill is None and count not in (8760, SLOTS)):
        faults.append(f"its rows are {count}, and must be 8760 or 8784 hours")
    if (times > 1).any():
        again = slot[times > 1]
        faults.append(f"{_are(len(again), 'hour')} told more than once{_first(again)}")
    return faults


def hole_faults(year: LaidYear) -> list[str]:
    """Hours without a row, and values that are marked as missing."""
    faults = []
    if year.absent.any():
        absent = year.slot[year.absent]
        faults.append(f"{_are(len(absent), 'hour')} missing{_first(absent)}")
    for column, values in zip(COLUMNS, year.values.T, strict=True):
        empty = year.slot[np.isnan(values) & ~year.absent]
        if len(empty):
            some = _are(len(empty), "value", f" of {column}")
            faults.append(f"{some} marked as missing{_first(empty)}")
    return faults


def long_hole_faults(year: LaidYear, fill: str) -> list[str]:
    """Holes that the rule cannot fill.

    Args:
        year: As laid.
        fill: A key of `LONGEST_H`.
    """
    faults = []
    for column, values in zip(COLUMNS, year.values.T, strict=True):
        edges = np.flatnonzero(np.diff(np.isnan(values), prepend=False, append=False))
        first, length = edges[::2], edges[1::2] - edges[::2]
        long = length > LONGEST_H[fill]
        if long.any():
            faults.append(
                f"{_are(int(long.sum()), 'hole', f' of {column}')} longer than the "
                f"{LONGEST_H[fill]} h that {fill} fills{_first(year.slot[first[long]])}"
            )
        if fill == "previous_day" and len(first) and first[0] < 24:
            faults.append(f"{column} is missing on the first day, which has no day before it")
    return faults


def range_faults(rows: WeatherRows) -> list[str]:
    """Values that no weather has."""
    faults = []
    impossible = ((rows.values < LEAST) | (rows.values > MOST)) & ~marked(rows.values)
    for column in np.flatnonzero(impossible.any(0)):
        at = np.flatnonzero(impossible[:, column])
        faults.append(
            f"{_are(len(at), 'value', f' of {COLUMNS[column]}')} outside {LEAST[column]:g} to "
            f"{MOST[column]:g} {_UNITS[column]}{_first(slots_of(rows.start[at]))}, "
            f"{rows.values[at[0], column]:g}"
        )
    return faults


def night_faults(year: LaidYear) -> list[str]:
    """Light while the sun is far below the horizon of the file's own place and clock."""
    with np.errstate(invalid="ignore"):
        lit = (year.up < _TWILIGHT_UP) & (year.values[:, 0] > _TWILIGHT_W_PER_M2)
    if not lit.any():
        return []
    some = _are(int(lit.sum()), "hour")
    first = _first(year.slot[lit])
    return [f"{some} sunny while it is night at its latitude, longitude and time zone{first}"]


def year_faults(rows: WeatherRows, year: LaidYear, covered: Covered) -> list[str]:
    """Days of the market that the file's own years do not have."""
    days = f"{text(covered.start_utc)} to {text(covered.end_utc)} UTC"
    years = np.unique(year.start.astype("datetime64[Y]")).astype(str)
    first, end = year.start[0] - rows.offset, year.start[-1] + HOUR - rows.offset
    if len(np.unique((year.start + HOUR // 2).astype("datetime64[Y]"))) > 1:
        return [f"its years are {', '.join(years)}, and the market's days are {days}"]
    if first <= covered.start_utc and covered.end_utc <= end:
        return []
    return [f"it covers {text(first)} to {text(end)} UTC, and the market's days are {days}"]


def _are(count: int, what: str, of: str = "") -> str:
    return f"1 {what}{of} is" if count == 1 else f"{count} {what}s{of} are"


def _first(slot: np.ndarray) -> str:
    """Where the first of some hours is, as words that follow."""
    return f" (the first from {slot_text(int(slot[0]))})"
