"""Weather files: EPW, TMY3 and NSRDB (PSM3, PSM4), told apart by what they hold.

pvlib takes the files apart. What their stamps mean stands here: an EPW or TMY3 row names the end
of its hour in local standard time (NREL/TP-581-43156, section 2), an NSRDB row the moment in the
middle of it.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import file_bytes
from vpp_envs.signals.readers.weather_check import hours_of
from vpp_envs.signals.readers.weather_hours import (
    COLUMNS,
    HALF_HOUR,
    HOUR,
    Covered,
    WeatherHours,
    WeatherRows,
)

_TMY3_DATE, _TMY3_TIME = "Date (MM/DD/YYYY)", "Time (HH:MM)"

_Reader = Callable[[str, str, ModuleType], WeatherRows]


def read_weather(
    path: str | Path,
    fill: str | None = None,
    calendar: str | None = None,
    covered: Covered | None = None,
) -> WeatherHours:
    """Read a year of hourly sun and air.

    Args:
        path: EPW, TMY3 or NSRDB, plain or gzipped.
        fill: Rule for missing hours and values, see `hours_of`; none: they are refused.
        calendar: "typical_year": the file's months, days and hours serve any year.
        covered: Days that the file must have where no calendar is named; none: any.

    Raises:
        InputError: pvlib is not installed, the file cannot be read or is of another kind, or what
            it holds cannot be the weather: all that is wrong, in one sentence.
    """
    return hours_of(weather_rows(path), fill, calendar, covered)


def weather_rows(path: str | Path) -> WeatherRows:
    """Read what a weather file states, whatever it is.

    Args:
        path: EPW, TMY3 or NSRDB, plain or gzipped.

    Raises:
        InputError: pvlib is not installed, or the file cannot be read or is of another kind.
    """
    iotools = _iotools()
    name = Path(path).name
    text = _text(Path(path))
    kind, reader = _reader(name, text)
    try:
        return reader(name, text, iotools)
    except (ValueError, KeyError, TypeError, IndexError, StopIteration, csv.Error) as error:
        first_line = str(error).strip().splitlines()[:1]
        why = first_line[0].rstrip(".") if first_line else type(error).__name__
        raise InputError(
            f"{name} begins like a weather file ({kind}) but cannot be read ({why}); correct its "
            "rows, or fetch it again."
        ) from error


def _iotools() -> ModuleType:
    try:
        from pvlib import iotools
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pvlib":
            raise
        raise InputError(
            "scenario.weather.file needs pvlib, which is not installed: run pip install "
            '"vpp-rl[weather]"'
        ) from error
    assert isinstance(iotools, ModuleType)
    return iotools


def _text(path: Path) -> str:
    """Text of a file; names of places may be in any one-byte alphabet."""
    raw = file_bytes(path)
    try:
        raw = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path.name} is a damaged gzip file; fetch it again.") from error
    if b"\0" in raw:
        raise InputError(
            f"{path.name} is not text; expected the weather file itself, not an archive of it."
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _reader(name: str, text: str) -> tuple[str, _Reader]:
    """Name of the format of a file and who reads it, by its first lines."""
    first, second = [*text.splitlines()[:2], "", ""][:2]
    if first.upper().startswith("LOCATION,"):
        return "EPW", _epw
    if second.startswith(_TMY3_DATE):
        return "TMY3", _tmy3
    if "Latitude" in first and "Local Time Zone" in first:
        return "NSRDB", _nsrdb
    raise InputError(
        f"{name} is no weather file that is known: it begins with {first[:40]!r}; expected EPW "
        "(LOCATION,...), TMY3 (Date (MM/DD/YYYY) in its second line) or NSRDB (Source,Location "
        "ID,...)."
    )


def _epw(name: str, text: str, iotools: ModuleType) -> WeatherRows:
    data, place = iotools.read_epw(io.StringIO(text))
    start = _wall(data.index)  # pvlib has moved the stamps to the start of the hour
    values = _values(data)
    return WeatherRows(name, start, values, place["latitude"], place["longitude"], place["TZ"])


def _tmy3(name: str, text: str, iotools: ModuleType) -> WeatherRows:
    data, place = iotools.read_tmy3(io.StringIO(text), map_variables=True)
    # From the columns: pvlib's own index shifts a 29 February to March.
    day = pd.to_datetime(data[_TMY3_DATE], format="%m/%d/%Y").to_numpy().astype("datetime64[s]")
    clock = data[_TMY3_TIME].str.split(":", expand=True).astype(int).to_numpy()
    end = day + (3600 * clock[:, 0] + 60 * clock[:, 1]).astype("timedelta64[s]")
    values = _values(data)
    where = place["latitude"], place["longitude"], place["TZ"]
    return WeatherRows(name, end - HOUR, values, *where)


def _nsrdb(name: str, text: str, iotools: ModuleType) -> WeatherRows:
    data, place = iotools.read_nsrdb_psm4(io.StringIO(text), map_variables=True)
    start = _wall(data.index) - HALF_HOUR
    values = _values(data)
    where = place["latitude"], place["longitude"], float(place["Time Zone"])
    return WeatherRows(name, start, values, *where)


def _wall(index: pd.DatetimeIndex) -> np.ndarray:
    """What the file's own clock shows, (R,) datetime64[s]."""
    return np.asarray(index.tz_localize(None).to_numpy()).astype("datetime64[s]")


def _values(data: pd.DataFrame) -> np.ndarray:
    """Sun and air in the order of `COLUMNS`, NaN where a cell is empty, (R, 4)."""
    cells = data[["ghi", "dni", "dhi", "temp_air"]]
    numbers = cells.apply(pd.to_numeric, errors="coerce")
    words = (numbers.isna() & cells.notna()).to_numpy()
    if words.any():
        row, column = (int(at[0]) for at in np.nonzero(words))
        raise ValueError(
            f"row {row + 1} below the header has {cells.iat[row, column]!r} for {COLUMNS[column]}"
        )
    return np.asarray(numbers.to_numpy(dtype=np.float64))
