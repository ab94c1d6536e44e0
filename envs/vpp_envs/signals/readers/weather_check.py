"""The rows of a weather file as a whole year: laid on its hours, checked, and its holes filled."""

import numpy as np
import torch

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.weather_faults import (
    LONGEST_H,
    clock_faults,
    hole_faults,
    long_hole_faults,
    night_faults,
    place_faults,
    range_faults,
    row_faults,
    year_faults,
)
from vpp_envs.signals.readers.weather_hours import (
    COLUMNS,
    HALF_HOUR,
    HOUR,
    SLOTS,
    Covered,
    LaidYear,
    WeatherHours,
    WeatherRows,
    marked,
    slots_of,
    starts_of,
    year_slots,
)
from vpp_envs.signals.sunlight import sun_position


def hours_of(
    rows: WeatherRows, fill: str | None, calendar: str | None, covered: Covered | None
) -> WeatherHours:
    """Make a whole year of the rows of a file.

    Holes are hours without a row and values that the file marks as missing. "interpolate" draws a
    straight line through at most 6 hours, without sun at night; "previous_day" takes the same hour
    of the day before, through at most three days.

    Args:
        rows: As read.
        fill: Rule for holes; none: they are refused.
        calendar: "typical_year": the file's months, days and hours serve any year.
        covered: Days that the file must have where no calendar is named; none: any.

    Raises:
        InputError: All that is wrong with the file, in one sentence.
    """
    if faults := place_faults(rows) or clock_faults(rows):
        raise _refusal(rows.name, faults, [])
    year = _laid(rows, calendar)
    faults, fixes = row_faults(rows, fill) + range_faults(rows) + night_faults(year), []
    holes = hole_faults(year) if fill is None else long_hole_faults(year, fill)
    if holes and fill is None and not all(long_hole_faults(year, rule) for rule in LONGEST_H):
        fixes.append("fill holes with scenario.weather.fill=interpolate or previous_day")
    other_years = [] if calendar or covered is None else year_faults(rows, year, covered)
    if other_years:
        rule = "scenario.weather.calendar=typical_year"
        fixes.append(f"let its months, days and hours serve any year with {rule}")
    faults += holes + other_years
    if faults:
        raise _refusal(rows.name, faults, fixes)
    ghi, dni, dhi, air_c = _filled(year, fill).T
    return WeatherHours(
        rows.name,
        year.start - rows.offset,
        ghi,
        dni,
        dhi,
        air_c,
        rows.latitude_deg,
        rows.longitude_deg,
        rows.utc_offset_h,
        int(np.isnan(year.values).any(-1).sum()),
    )


def _refusal(name: str, faults: list[str], fixes: list[str]) -> InputError:
    fix = ", ".join([*fixes, "correct the rows, or name another file"])
    return InputError(f"{name} cannot be the weather: {'; '.join(faults)}; to mend it, {fix}.")


def _laid(rows: WeatherRows, calendar: str | None) -> LaidYear:
    """Lay rows on the hours that their year has; a typical year has no 29 February."""
    slot = slots_of(rows.start)
    years = (rows.start + HALF_HOUR).astype("datetime64[Y]").astype(np.int64) + 1970
    own = np.unique(years)
    leap = len(own) == 1 and own[0] % 4 == 0 and (own[0] % 100 != 0 or own[0] % 400 == 0)
    wanted = year_slots(leap_day=bool(leap) and calendar is None)
    values, year = np.full((SLOTS, len(COLUMNS)), np.nan), np.zeros(SLOTS, dtype=np.int64)
    values[slot] = np.where(marked(rows.values), np.nan, rows.values)
    year[slot] = years
    absent = np.isin(wanted, slot, invert=True)
    # An hour without a row is of the year of the hour before it.
    known = np.maximum.accumulate(np.where(absent, 0, np.arange(len(wanted))))
    of_year = year[wanted][known]
    of_year = np.where(of_year == 0, own[0], of_year)
    into_hour = rows.start[0] - (rows.start[0] + HALF_HOUR).astype("datetime64[h]")
    start = starts_of(wanted, of_year) + into_hour
    return LaidYear(wanted, values[wanted], absent, _highest_up(rows, start), start)


def _highest_up(rows: WeatherRows, start: np.ndarray) -> np.ndarray:
    """Highest sine of the sun's elevation at start, middle and end of each hour, (H,)."""
    utc = start - rows.offset
    stamps = np.stack([utc, utc + HALF_HOUR, utc + HOUR])
    day = stamps.astype("datetime64[D]")
    day_of_year = (day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    hour_utc = (stamps - day).astype(np.float64) / 3600.0
    where = rows.latitude_deg, rows.longitude_deg
    sun = sun_position(torch.from_numpy(day_of_year + 1.0), torch.from_numpy(hour_utc), *where)
    highest: np.ndarray = sun.up.numpy().max(0)
    return highest


def _filled(year: LaidYear, fill: str | None) -> np.ndarray:
    """The values of a year with its holes filled, (H, 4)."""
    values, hole = year.values.copy(), np.isnan(year.values)
    if fill == "interpolate":
        index = np.arange(len(values))
        for column, empty in zip(values.T, hole.T, strict=True):
            column[empty] = np.interp(index[empty], index[~empty], column[~empty])
        values[:, :3] = np.where(hole[:, :3] & (year.up <= 0.0)[:, None], 0.0, values[:, :3])
    elif fill == "previous_day":
        for row, column in zip(*np.nonzero(hole), strict=True):
            values[row, column] = values[row - 24, column]
    return values
