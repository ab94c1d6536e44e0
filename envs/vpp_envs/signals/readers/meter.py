"""Readings of a customer's meter, from a CSV file with one row an interval.

Columns: `time`, the start of the interval, with its UTC offset or on a clock without changes; and
`import_kwh`, alone or with `export_kwh`, or `net_kwh`, or `net_kw`, import positive. For a tariff
that passes the wholesale price on, `wholesale_per_mwh`.
"""

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.local_clock import known_zone, local_clock
from vpp_envs.signals.readers.csv_rows import CsvRows, csv_rows, file_bytes

_ENERGY = (("import_kwh",), ("import_kwh", "export_kwh"), ("net_kwh",), ("net_kw",))
_COLUMNS = ("time", "import_kwh", "export_kwh", "net_kwh", "net_kw", "wholesale_per_mwh")
_YEARS = range(1990, 2101)
_CLOCK_STEP_S = 900  # clocks change on a quarter-hour


@dataclass(frozen=True)
class MeterReadings:
    """Energy at a meter on a regular clock; intervals are named by their start, in UTC."""

    start_utc: np.datetime64  # start of the first interval (s)
    dt_s: int  # length of an interval [s]
    import_kwh: Tensor  # drawn from the grid, (T,) float64 [kWh]
    export_kwh: Tensor  # fed into the grid, (T,) float64 [kWh]
    wholesale_per_mwh: Tensor | None  # (T,) float64 [currency/MWh]
    source: str  # file


def read_meter(path: str | Path, zone: str | None = None) -> MeterReadings:
    """Read a file of meter readings, plain or gzipped.

    Args:
        path: The CSV file.
        zone: IANA time zone of stamps that carry no UTC offset. Its clock must not change while
            the readings last: an hour that occurs twice cannot be told apart.

    Raises:
        InputError: The file is missing, unreadable or not one gap-free series; the sentence names
            file, row (header = row 1) and column.
    """
    path = Path(path)
    rows = csv_rows(path.name, file_bytes(path), least_rows=2)
    titles = _energy_columns(rows)
    start_s = _starts(rows, zone)
    dt_s = _interval_length(rows, start_s)
    energy = {title: _numbers(rows, title, signed=title.startswith("net")) for title in titles}
    scale = dt_s / 3600.0 if titles == ("net_kw",) else 1.0
    imported = energy[titles[0]].clip(min=0.0) * scale
    if titles[0] == "import_kwh":
        exported = energy.get("export_kwh", np.zeros_like(imported))
    else:
        exported = (-energy[titles[0]]).clip(min=0.0) * scale
    wholesale = None
    if "wholesale_per_mwh" in rows.cells:
        wholesale = torch.from_numpy(_numbers(rows, "wholesale_per_mwh", signed=True))
    return MeterReadings(
        start_utc=np.datetime64(int(start_s[0]), "s"),
        dt_s=dt_s,
        import_kwh=torch.from_numpy(imported),
        export_kwh=torch.from_numpy(exported),
        wholesale_per_mwh=wholesale,
        source=path.name,
    )


def _energy_columns(rows: CsvRows) -> tuple[str, ...]:
    for title in rows.cells:
        if title not in _COLUMNS:
            near = difflib.get_close_matches(title, _COLUMNS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "take it out or rename it."
            raise InputError(f"{rows.name}, row 1: the column '{title}' is not known; {hint}")
    found = tuple(title for title in rows.cells if title.startswith(("import", "export", "net")))
    titles = tuple(sorted(found, reverse=True))
    if "time" not in rows.cells or titles not in _ENERGY:
        raise InputError(
            f"{rows.name}, row 1: the columns are {', '.join(rows.cells)}; expected time, and "
            "import_kwh with or without export_kwh, or net_kwh, or net_kw."
        )
    return titles


def _starts(rows: CsvRows, zone: str | None) -> np.ndarray:
    """Start of each interval, seconds since 1970 UTC, (T,) int64."""
    stamps = [_stamp(rows, index) for index in range(len(rows.number))]
    naive = [stamp.tzinfo is None for stamp in stamps]
    if any(naive) and not all(naive):
        index = naive.index(not naive[0])
        raise InputError(
            f"{_at(rows, index)} has {'no' if naive[index] else 'a'} UTC offset, unlike the rows "
            "before it; write all stamps alike."
        )
    if not naive[0]:
        if zone is not None:
            raise InputError(
                f"{rows.name}: the stamps carry their UTC offset, leave the zone '{zone}' away."
            )
        return np.array([round(stamp.timestamp()) for stamp in stamps])
    if zone is None:
        raise InputError(
            f"{_at(rows, 0)} has no UTC offset; write {stamps[0].isoformat()}+01:00 or the like, "
            "or name the zone of a clock that does not change, such as --zone Etc/GMT-10."
        )
    wall = np.array([round(stamp.replace(tzinfo=UTC).timestamp()) for stamp in stamps])
    return wall - _one_offset(rows, stamps, zone)


def _stamp(rows: CsvRows, index: int) -> datetime:
    cell = rows.cells["time"][index]
    try:
        stamp = datetime.fromisoformat(cell)
    except ValueError:
        raise InputError(
            f"{_at(rows, index)} is not a stamp; expected one such as 2026-07-01T00:30:00+10:00."
        ) from None
    if stamp.year not in _YEARS:
        raise InputError(
            f"{_at(rows, index)} is of the year {stamp.year}; expected {_YEARS[0]} to {_YEARS[-1]}."
        )
    return stamp


def _one_offset(rows: CsvRows, stamps: list[datetime], zone: str) -> int:
    """Offset from UTC of a clock that does not change while the readings last. [s]"""
    try:
        name = known_zone(zone)
    except InputError as error:
        raise InputError(f"--zone '{zone}' {error}") from None
    # A day on either side, so that no stamp can be the second of two.
    first = np.datetime64(min(stamps) - timedelta(days=1), "s")
    quarters = (max(stamps) - min(stamps) + timedelta(days=2)) // timedelta(seconds=_CLOCK_STEP_S)
    offsets = local_clock(name, first, _CLOCK_STEP_S, quarters).offset_s
    changes = np.flatnonzero(np.diff(offsets))
    if len(changes):
        change = first + np.timedelta64(_CLOCK_STEP_S, "s") * (int(changes[0]) + 1)
        moment = change + np.timedelta64(int(offsets[changes[0]]), "s")
        raise InputError(
            f"{rows.name}, column time: the clock of {zone} changes on {str(moment)[:10]}, and "
            "stamps without a UTC offset do not say on which side they are; write the offsets, or "
            "name a fixed zone if the meter's clock does not change (Etc/GMT-1 is UTC+1)."
        )
    return int(offsets[0])


def _interval_length(rows: CsvRows, start_s: np.ndarray) -> int:
    """Seconds of an interval; every row follows the one before it by that."""
    steps = np.diff(start_s)
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    dt_s = int(lengths[counts.argmax()]) if len(lengths) else 0
    wrong = np.flatnonzero((steps != dt_s) | (steps <= 0))
    if not len(wrong):
        return dt_s
    row = int(wrong[0])
    step, here = int(steps[row]), _at(rows, row + 1)
    before = f"row {rows.number[row]}"
    if step == 0:
        raise InputError(f"{here} is the instant of {before} again; keep one row an interval.")
    if step < 0:
        raise InputError(
            f"{here} lies before {before}; sort the rows by time, or write UTC offsets if a clock "
            "was set back there."
        )
    if step % dt_s:
        raise InputError(
            f"{here} follows {before} by {step} s where most rows follow by {dt_s} s; "
            "give intervals of one length."
        )
    missing = np.maximum(steps // dt_s - 1, 0)
    raise InputError(
        f"{here} follows a gap of {missing[row]} intervals after {before}, of {missing.sum()} that "
        "are missing in the file; add them, a bill needs every interval."
    )


def _numbers(rows: CsvRows, title: str, signed: bool) -> np.ndarray:
    numbers = np.empty(len(rows.number))
    for index, cell in enumerate(rows.cells[title]):
        try:
            numbers[index] = float(cell)
        except ValueError:
            numbers[index] = np.nan
    wrong = ~np.isfinite(numbers) | ((numbers < 0.0) & (not signed))
    if wrong.any():
        index = int(wrong.argmax())
        kind = "a number" if signed else "a number of at least 0"
        raise InputError(f"{_at(rows, index, title)} is not {kind}; mend the cell.")
    return numbers


def _at(rows: CsvRows, index: int, title: str = "time") -> str:
    cell = rows.cells[title][index]
    return f"{rows.name}, row {rows.number[index]}, column {title}: '{cell}'"
