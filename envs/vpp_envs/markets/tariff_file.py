"""Tariff files: YAML in, a `Tariff` or a report of everything that is wrong with it out."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from vpp_envs.errors import InputError
from vpp_envs.markets.coverage import window_mask
from vpp_envs.markets.tariff import TABLE_SHAPE, DemandCharge, Rate, Tariff
from vpp_envs.markets.tariff_report import Place, problems_of, yaml_fault, yaml_lines
from vpp_envs.markets.tariff_schema import Rates, TariffRecord, Window, dear_faults
from vpp_envs.problems import Problem, report
from vpp_envs.signals.readers.csv_rows import CsvRows, csv_rows, file_bytes


def read_tariff(path: str | Path) -> Tariff:
    """Read a tariff file.

    Args:
        path: YAML file; a table that it names lies beside it.

    Raises:
        InputError: The file cannot be read, or something in it cannot stand; the message has one
            line for each problem, with line, key, value, rule and fix.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected one tariff file in YAML.")
    raw = file_bytes(path)
    try:
        text = raw.decode("utf-8-sig")
        lines, doubled = yaml_lines(text)
        values = yaml.safe_load(text)
    except UnicodeDecodeError:
        raise InputError(f"{path.name} is not text in UTF-8; expected a YAML file.") from None
    except yaml.YAMLError as error:
        raise InputError(yaml_fault(path.name, error)) from None
    except ValueError as error:  # a date such as 2026-02-30
        raise InputError(
            f"{path.name} holds a date or a number that is none ({error}); mend it."
        ) from None
    if not isinstance(values, dict):
        raise InputError(
            f"{path.name} holds no keys; expected a tariff, `vpp tariff template` writes one."
        )
    return tariff_from(values, path.name, path.parent, lines, doubled)


def tariff_from(
    values: Mapping[str, Any],
    source: str = "tariff",
    folder: Path = Path(),
    lines: Mapping[Place, int] | None = None,
    known: tuple[Problem, ...] = (),
) -> Tariff:
    """Build a tariff from plain values, as YAML has them.

    Args:
        values: The keys of a tariff file.
        source: Name for sentences.
        folder: Where a table lies that the tariff names.
        lines: Line of each value in a file, for sentences.
        known: Problems that were found before.

    Raises:
        InputError: As `read_tariff`.
    """
    problems = list(known)
    record = None
    try:
        record = TariffRecord.model_validate(dict(values))
    except ValidationError as error:
        for found in error.errors():
            problems += problems_of(found, lines or {})
    if record is None or problems:
        raise InputError(report(source, problems))
    holidays = record.holidays
    return Tariff(
        name=record.name,
        currency=record.currency,
        zone=record.zone,
        daily_charge=record.daily_charge,
        imports=_rate(record.imports, folder, record.currency),
        exports=_rate(record.exports, folder, record.currency),
        demand=tuple(
            DemandCharge(one.name, one.per_kw, one.interval_min * 60, _mask(one))
            for one in record.demand
        ),
        holidays=tuple(day for day in holidays if isinstance(day, date)),
        yearly_holidays=tuple(day for day in holidays if isinstance(day, tuple)),
    )


def _rate(rates: Rates, folder: Path, currency: str) -> Rate:
    """Fill the tables of one direction."""
    factor = rates.wholesale_factor
    period = np.zeros(TABLE_SHAPE, dtype=np.int64)
    if rates.table is not None:
        return Rate(("table",), period, _read_table(folder / rates.table, currency), factor)
    if rates.periods is None:
        name = "adder" if factor else "flat"
        return Rate((name,), period, np.full(TABLE_SHAPE, rates.per_kwh or 0.0), factor)
    # Periods of one name and price are one line of a bill.
    kinds = list(dict.fromkeys((one.name, one.per_kwh) for one in rates.periods))
    per_kwh = np.zeros(TABLE_SHAPE)
    for one in rates.periods:
        mask = _mask(one)
        period[mask] = kinds.index((one.name, one.per_kwh))
        by_minute = np.repeat(one.per_kwh, TABLE_SHAPE[2] // len(one.per_kwh))
        per_kwh[mask] = np.broadcast_to(by_minute, TABLE_SHAPE)[mask]
    return Rate(tuple(name for name, _ in kinds), period, per_kwh, factor)


def _mask(window: Window) -> np.ndarray:
    return window_mask(window.months, window.days, window.hours)


def _read_table(path: Path, currency: str) -> np.ndarray:
    """Read 288 rows of month 1 to 12 and hour 0 to 23, with a price for each kind of day.

    Without a column for holidays they are priced as weekends, as net billing does.
    """
    rows = csv_rows(path.name, file_bytes(path), least_rows=288)
    needed = ("month", "hour", "weekday", "weekend")
    missing = [title for title in needed if title not in rows.cells]
    if missing:
        raise InputError(
            f"{path.name}, row 1: the column {missing[0]} is missing; expected {', '.join(needed)} "
            "and perhaps holiday."
        )
    kinds = ["weekday", "weekend", "holiday" if "holiday" in rows.cells else "weekend"]
    month, hour = (_column(rows, title) for title in ("month", "hour"))
    known = np.isin(month, range(1, 13)) & np.isin(hour, range(24))
    cell = np.where(known, (month - 1) * 24 + hour, -1).astype(np.int64)
    first = np.unique(cell, return_index=True)[1]
    wrong = sorted({*np.flatnonzero(~known), *range(len(cell))} - {*first[cell[first] >= 0]})
    if wrong:
        raise InputError(
            f"{path.name}, row {rows.number[wrong[0]]}: month {month[wrong[0]]:g}, hour "
            f"{hour[wrong[0]]:g} is out of range or stands there twice; expected months 1 to 12 "
            "and hours 0 to 23, each pair once."
        )
    table = np.empty((12, 24, len(kinds)))
    for column, title in enumerate(kinds):
        table.reshape(-1, len(kinds))[cell, column] = _column(rows, title)
    for fault in dear_faults(table.ravel().tolist(), currency):
        raise InputError(f"{path.name}: {fault}.")
    return np.repeat(table.transpose(0, 2, 1), 60, axis=2)


def _column(rows: CsvRows, title: str) -> np.ndarray:
    numbers = np.empty(len(rows.number))
    for index, cell in enumerate(rows.cells[title]):
        try:
            numbers[index] = float(cell)
        except ValueError:
            numbers[index] = np.nan
        if not np.isfinite(numbers[index]):
            raise InputError(
                f"{rows.name}, row {rows.number[index]}, column {title}: '{cell}' is not a number; "
                "write it plainly, such as 0.05."
            )
    return numbers
