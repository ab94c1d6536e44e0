"""Measured series of homes on their meters' clock: load and solar, with what each file lacks.

Known are the tidy half hours of Smart Grid Smart City (homes of New South Wales, kWh), Ausgrid's
solar homes in the yearly layout (a row a day and meter, kWh a half hour, columns 0:30 to 0:00) and
as tidy half hours (kW), and SimBench's profiles (per unit of nominal power, clock of Germany).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.clock import known_zone, to_utc
from vpp_envs.signals.readers.csv_rows import csv_rows, file_bytes, text_lines
from vpp_envs.signals.readers.frame import frame_of, numbers_of, stamps_of

HALF_HOUR_S = 1800
_HALF_HOUR = np.timedelta64(HALF_HOUR_S, "s")
_ISO = ("%Y-%m-%d %H:%M:%S",)
_SIMBENCH = ("%d.%m.%Y %H:%M",)
# Meters of the Ausgrid files: general consumption, controlled load (hot water), gross generation.
_LOADS, _SOLAR = ("GC", "CL"), "GG"


@dataclass(frozen=True)
class HomeSeries:
    """Mean power of a home on a regular clock."""

    home: str
    start_utc: np.datetime64  # of the first interval (s)
    dt_s: int
    load_kw: np.ndarray  # draw without solar, NaN where the meter was silent, (T,) float64
    solar_kw: np.ndarray | None  # gross generation, at least 0, (T,) float64; none: not measured
    zone: str  # IANA zone of the homes
    source: str

    @property
    def net_kw(self) -> np.ndarray:
        """Power at the meter, import positive, (T,). [kW]"""
        return self.load_kw if self.solar_kw is None else self.load_kw - self.solar_kw

    @property
    def coverage(self) -> float:
        """Share of the intervals that the meter measured. [0 to 1]"""
        return float(np.isfinite(self.load_kw).mean())

    @property
    def gaps(self) -> int:
        """Number of unbroken silences."""
        silent = np.isnan(self.load_kw)
        return int((silent & ~np.append(False, silent[:-1])).sum())

    @property
    def stamps_utc(self) -> np.ndarray:
        """Start of each interval, (T,) datetime64[s]."""
        stamps: np.ndarray = self.start_utc + np.timedelta64(self.dt_s, "s") * np.arange(
            len(self.load_kw)
        )
        return stamps


def read_sgsc(path: str | Path, zone: str = "Etc/GMT-10") -> dict[str, HomeSeries]:
    """Read the tidy half hours of Smart Grid Smart City: columns home, time, load_kwh.

    Args:
        path: Parquet or CSV.
        zone: Clock of the stamps. The data do not say it; no half hour stands twice on 7 April
            2013, when Sydney's clocks went back, so that standard time is taken.

    Returns:
        Series by home, all over the whole period of the file: a home that begins late is silent
        before. See `HomeSeries.coverage` and `covered`.

    Raises:
        InputError: A column is missing, or a home has a half hour twice or off the clock.
    """
    path = Path(path)
    frame = frame_of(path.name, file_bytes(path))
    _needs(path.name, frame, ("home", "time", "load_kwh"))
    row = frame.index.to_numpy()
    start = to_utc(path.name, _stamps(path.name, frame["time"], _ISO), zone, row)
    load_kw = numbers_of(path.name, frame["load_kwh"]) * 3600.0 / HALF_HOUR_S
    homes = frame["home"].astype(str).to_numpy()
    first, count = start.min(), int((start.max() - start.min()) // _HALF_HOUR) + 1
    series = {}
    for home in np.unique(homes):
        mine = homes == home
        cells = _placed(path.name, home, start[mine], load_kw[mine], first, count)
        series[home] = HomeSeries(home, first, HALF_HOUR_S, cells, None, zone, path.name)
    return series


def covered(homes: dict[str, HomeSeries], least_coverage: float) -> dict[str, HomeSeries]:
    """Return homes as they are if each is measured often enough.

    Args:
        homes: By name.
        least_coverage: Share of the intervals that a home must have measured. [0 to 1]

    Raises:
        InputError: Homes with less; the sentence names each with its coverage.
    """
    short = [home for home in homes.values() if home.coverage < least_coverage]
    if short:
        names = ", ".join(f"{home.home} ({home.coverage:.1%}, {home.gaps} gaps)" for home in short)
        raise InputError(
            f"{short[0].source}: homes measured less than {least_coverage:.1%} of the time: "
            f"{names}; leave them out or ask for less."
        )
    return homes


def read_ausgrid(path: str | Path, zone: str = "Etc/GMT-10") -> dict[str, HomeSeries]:
    """Read Ausgrid's solar homes, in the yearly layout or as tidy half hours of one home.

    Args:
        path: CSV. In the yearly layout the first line is a title, dates are day/month/year, and
            cells are the energy of the half hour that ENDS at the column's time.
        zone: Clock of the stamps: Ausgrid's meters keep standard time all year.

    Returns:
        Series by customer; the tidy table's only home is called by its file.

    Raises:
        InputError: Neither layout, a cell is not a number, or a half hour stands twice.
    """
    path = Path(path)
    raw = file_bytes(path)
    lines = text_lines(path.name, raw)
    if len(lines) > 1 and lines[1].startswith("Customer,"):
        return _ausgrid_wide(path.name, lines, zone)
    frame = frame_of(path.name, raw)
    _needs(path.name, frame, ("time", "load_kw", "pv_kw"))
    start = to_utc(
        path.name,
        stamps_of(path.name, frame["time"], _ISO, "2011-07-01 00:30:00"),
        zone,
        frame.index.to_numpy(),
    )
    count = int((start.max() - start.min()) // _HALF_HOUR) + 1
    home = path.name.partition(".")[0]
    load_kw, solar_kw = (
        _placed(path.name, home, start, numbers_of(path.name, frame[column]), start.min(), count)
        for column in ("load_kw", "pv_kw")
    )
    return {home: HomeSeries(home, start.min(), HALF_HOUR_S, load_kw, solar_kw, zone, path.name)}


def read_simbench(path: str | Path, zone: str = "Europe/Berlin") -> tuple[np.ndarray, pd.DataFrame]:
    """Read SimBench's profiles, CSV (";") or tidy Parquet, per unit of nominal power.

    Its clock has daylight saving: a gap of an hour in March and a doubled hour in October are none
    in UTC.

    Args:
        path: With a column `time`.
        zone: Clock of the stamps.

    Returns:
        Starts of the quarter hours, UTC, (T,) datetime64[s], and the profiles by name, (T, K).

    Raises:
        InputError: A quarter hour is missing or twice.
    """
    path = Path(path)
    frame = frame_of(path.name, file_bytes(path))
    _needs(path.name, frame, ("time",))
    row = frame.index.to_numpy()
    wall = _stamps(path.name, frame["time"], _SIMBENCH)
    start = to_utc(path.name, wall, known_zone(zone, "zone"), row)
    steps = np.diff(start)
    if len(steps) and (steps != steps[0]).any():
        at = int((steps != steps[0]).argmax()) + 1
        raise InputError(
            f"{path.name}, row {row[at]}: {wall[at]} in {zone} does not follow {wall[at - 1]}; "
            "expected every quarter hour once."
        )
    profiles = {
        column: numbers_of(path.name, frame[column]) for column in frame.columns if column != "time"
    }
    return start, pd.DataFrame(profiles)


def _ausgrid_wide(name: str, lines: list[str], zone: str) -> dict[str, HomeSeries]:
    """Series of the yearly layout; its title is left out, so that rows count one less."""
    rows = csv_rows(name, "\n".join(lines[1:]).encode())
    frame = pd.DataFrame(rows.cells, index=[number + 1 for number in rows.number], dtype="object")
    times = [column for column in frame.columns if column.replace(":", "").isdigit()]
    _needs(name, frame, ("Customer", "Consumption Category", "date"))
    if len(times) != 48:
        raise InputError(f"{name}, row 2: {len(times)} columns are times; expected 0:30 to 0:00.")
    day = stamps_of(name, frame["date"], ("%d/%m/%Y",), "31/07/2011")
    wall = (day[:, None] + _HALF_HOUR * np.arange(48)).ravel()
    start = to_utc(name, wall, zone, frame.index.to_numpy().repeat(48), np.zeros(len(wall), bool))
    start = start.reshape(-1, 48)
    energy_kwh = np.stack([numbers_of(name, frame[column]) for column in times], axis=1)
    power_kw = energy_kwh * 3600.0 / HALF_HOUR_S
    customer, meter = frame["Customer"].to_numpy(), frame["Consumption Category"].to_numpy()
    series = {}
    for home in pd.unique(customer):
        mine = customer == home
        first = start[mine].min()
        count = int((start[mine].max() - first) // _HALF_HOUR) + 1
        by_meter = {}
        for kind in pd.unique(meter[mine]):
            rows_kw, starts = power_kw[mine & (meter == kind)], start[mine & (meter == kind)]
            label = f"{home} {kind}"
            by_meter[kind] = _placed(name, label, starts.ravel(), rows_kw.ravel(), first, count)
        load_kw = np.sum([by_meter[kind] for kind in _LOADS if kind in by_meter], axis=0)
        series[home] = HomeSeries(
            home, first, HALF_HOUR_S, load_kw, by_meter.get(_SOLAR), zone, name
        )
    return series


def _needs(name: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(
            f"{name} has no column {missing[0]}; expected {', '.join(columns)} among "
            f"{', '.join(map(str, frame.columns[:8]))}."
        )


def _stamps(name: str, column: pd.Series, formats: tuple[str, ...]) -> np.ndarray:
    """Local stamps of Parquet, or of text."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.to_numpy().astype("datetime64[s]")
    return stamps_of(name, column, formats, "2013-01-31 14:30:00")


def _placed(
    name: str, home: str, start: np.ndarray, cells: np.ndarray, first: np.datetime64, count: int
) -> np.ndarray:
    """Cells on the half hours from `first` on, NaN where there is none, (count,)."""
    place, rest = np.divmod((start - first).astype(np.int64), HALF_HOUR_S)
    twice = pd.Series(place).duplicated().to_numpy()
    bad = (rest != 0) | twice
    if bad.any():
        at = int(bad.argmax())
        problem = "is not on the half hour" if rest[at] else "stands twice"
        raise InputError(f"{name}, home {home}: {start[at]} {problem}; keep one row a half hour.")
    placed = np.full(count, np.nan)
    placed[place] = cells
    return placed
