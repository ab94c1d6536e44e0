"""AEMO's monthly PRICE_AND_DEMAND files, as published, read into a price series.

A stamp names the END of its interval in UTC+10, all year. Intervals are 30 minutes long until
2021-09-30 and 5 minutes from 2021-10-01, when five-minute settlement began.
"""

import difflib
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import CsvRows, csv_rows, file_bytes
from vpp_envs.signals.readers.files import LONGEST_FILL_S, PUBLISHED_NAME, expand, held, join
from vpp_envs.signals.table import PriceLimits, PriceSeries

NEM_ZONE = "Etc/GMT-10"  # POSIX sign: UTC+10, no daylight saving
NEM_REGIONS = ("NSW1", "QLD1", "SA1", "SNOWY1", "TAS1", "VIC1")

_COLUMNS = ("REGION", "SETTLEMENTDATE", "RRP")
_SETTLED = ("TRADE", "ACTUAL")
_FIVE_MINUTES_SINCE = np.datetime64("2021-10-01T00:00:00", "s")
_UTC_OFFSET = np.timedelta64(10 * 3600, "s")
_STAMP = re.compile(r"(\d{4})[/-](\d\d)[/-](\d\d)[ T](\d\d:\d\d)(:\d\d)?")
_STAMP_WITH_OFFSET = re.compile(r".*\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)")


# The settings of July 2026 to June 2027, the widest so far.
NEM_LIMITS = PriceLimits(-1000.0, 23_200.0)


def read_price_and_demand(
    path: str | Path, market: str | None = None, allow_gaps: bool = False
) -> PriceSeries:
    """Read one PRICE_AND_DEMAND file, plain or gzipped, at the resolution it was published in.

    Args:
        path: The CSV file.
        market: Region that the file must hold, e.g. "SA1"; None takes the one it holds.
        allow_gaps: Hold the last price through gaps of up to two hours, and say so in `source`.

    Returns:
        Prices in AUD/MWh by interval start in UTC, `dt_s` 300 or 1800, with the SHA-256 of the
        file's bytes.

    Raises:
        InputError: The file is missing, unreadable or not one gap-free series of one region; the
            sentence names file, row (header = row 1) and column.
    """
    path = Path(path)
    raw = file_bytes(path)
    rows = csv_rows(path.name, raw, least_rows=2)
    _check_header(rows)
    region = _region(rows, market)
    end = _interval_ends(rows)
    price = _prices(rows)
    _check_order(rows, end, price)
    _check_month(rows, end)
    dt_s = _interval_length(rows, end)
    _check_gaps(rows, end, dt_s, allow_gaps)
    price, filled = _on_grid(end, price, dt_s)
    start_utc = (end[0] - np.timedelta64(dt_s, "s") - _UTC_OFFSET).astype("datetime64[ms]")
    source, digest = path.name + held(filled), hashlib.sha256(raw).hexdigest()
    return PriceSeries(
        start_utc, dt_s, price, region, "AUD", NEM_ZONE, source, digest, NEM_LIMITS, real_time=True
    )


def read_price_and_demand_files(
    paths: str | Path | Sequence[str | Path], market: str | None = None, allow_gaps: bool = False
) -> PriceSeries:
    """Read files, a folder or a glob pattern of PRICE_AND_DEMAND files as one series in time order.

    Args:
        paths: A file, a folder, a pattern such as "prices/*_SA1.csv", or several of these.
        market: Region; needed where a folder holds several.
        allow_gaps: As in `read_price_and_demand`, between the files too.

    Returns:
        The joined series; its SHA-256 is that of its files' digests, one a line.

    Raises:
        InputError: As `read_price_and_demand`; also if files overlap, leave a gap, or differ in
            region or in resolution.
    """
    files = expand(paths, market)
    return join([read_price_and_demand(file, market, allow_gaps) for file in files], allow_gaps)


def _check_header(rows: CsvRows) -> None:
    header = list(rows.cells)
    for column in _COLUMNS:
        if column in header:
            continue
        priced = [title for title in header if title.upper().startswith(("RRP", "PRICE"))]
        near = difflib.get_close_matches(column, header, n=1)
        if column == "RRP" and priced:
            hint = f"'{priced[0]}' must hold AUD/MWh (1 $/kWh = 1000 $/MWh) and be named RRP"
        else:
            hint = f"did you mean '{near[0]}'?" if near else f"its columns are {', '.join(header)}"
        raise InputError(f"{rows.name}, row 1: the column {column} is missing; {hint}.")


def _region(rows: CsvRows, market: str | None) -> str:
    regions = rows.cells["REGION"]
    published = PUBLISHED_NAME.fullmatch(rows.name)
    wanted = market or (published[3].upper() if published else regions[0])
    if wanted not in NEM_REGIONS:
        near = difflib.get_close_matches(wanted.upper(), NEM_REGIONS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(NEM_REGIONS)}."
        raise InputError(f"{rows.name}: '{wanted}' is not a region of the NEM; {hint}")
    for number, region in zip(rows.number, regions, strict=True):
        if region != wanted:
            raise InputError(
                f"{rows.name}, row {number}, column REGION: {region or 'nothing'} where {wanted} "
                "is expected; name the right market or file, one region a file."
            )
    # A forecast row would hand the future to a controller.
    for number, kind in zip(rows.number, rows.cells.get("PERIODTYPE", []), strict=False):
        if kind not in _SETTLED:
            raise InputError(
                f"{rows.name}, row {number}, column PERIODTYPE: '{kind}' is not a settled price; "
                f"expected {' or '.join(_SETTLED)}, remove the row."
            )
    return wanted


def _interval_ends(rows: CsvRows) -> np.ndarray:
    """Stamps as published, (R,) datetime64[s], end of the interval in UTC+10."""
    stamps = rows.cells["SETTLEMENTDATE"]
    parsed = [_STAMP.fullmatch(stamp) for stamp in stamps]
    tidy = ["{}-{}-{}T{}{}".format(*found.groups(":00")) if found else "" for found in parsed]
    end = pd.to_datetime(pd.Series(tidy), format="%Y-%m-%dT%H:%M:%S", errors="coerce")
    if end.isna().any():
        row = int(end.isna().to_numpy().argmax())
        problem = "is not a stamp such as 2022/07/01 00:05:00"
        if _STAMP_WITH_OFFSET.fullmatch(stamps[row]):
            problem = "carries a time zone of its own; convert all rows to UTC+10 and drop it"
        raise InputError(
            f"{rows.name}, row {rows.number[row]}, column SETTLEMENTDATE: '{stamps[row]}' {problem}"
            " (AEMO writes plain UTC+10, the end of the interval)."
        )
    return end.to_numpy().astype("datetime64[s]")


def _prices(rows: CsvRows) -> np.ndarray:
    cells = rows.cells["RRP"]
    price = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(np.float64)
    _refuse_prices(rows, ~np.isfinite(price), "is not a number; expected AUD/MWh such as 85.31")
    floor, cap = NEM_LIMITS
    outside = (price < floor) | (price > cap)
    _refuse_prices(
        rows, outside, f"is outside the market's limits {floor:,.0f} to {cap:,.0f} AUD/MWh"
    )
    size = np.abs(price[price != 0.0])
    if size.size and np.median(size) < 1.0 and size.max() <= cap / 1000.0:
        raise InputError(
            f"{rows.name}, column RRP: half of the prices are below 1 in size and none is above "
            f"{size.max():g}, which looks like $/kWh; expected AUD/MWh, multiply by 1000."
        )
    return price


def _refuse_prices(rows: CsvRows, bad: np.ndarray, problem: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        cell = rows.cells["RRP"][row]
        raise InputError(f"{rows.name}, row {rows.number[row]}, column RRP: '{cell}' {problem}.")


def _check_order(rows: CsvRows, end: np.ndarray, price: np.ndarray) -> None:
    twice = pd.Series(end).duplicated().to_numpy()
    if twice.any():
        row = int(twice.argmax())
        first = int((end == end[row]).argmax())
        prices = "the same price" if price[first] == price[row] else "another price"
        raise InputError(
            f"{rows.name}, row {rows.number[row]}, column SETTLEMENTDATE: {_text(end[row])} stands "
            f"in row {rows.number[first]} already, with {prices}; keep one row an interval"
            f"{_daylight_saving_hint(end[row])}."
        )
    backwards = np.diff(end) < np.timedelta64(0, "s")
    if backwards.any():
        row = int(backwards.argmax()) + 1
        raise InputError(
            f"{rows.name}, row {rows.number[row]}, column SETTLEMENTDATE: {_text(end[row])} follows"
            f" {_text(end[row - 1])}; sort the rows by time."
        )


def _check_month(rows: CsvRows, end: np.ndarray) -> None:
    """A published name tells the month, and thereby a wrong zone and start stamps."""
    published = PUBLISHED_NAME.fullmatch(rows.name)
    if not published or not 1 <= int(published[2]) <= 12:
        return
    month = np.datetime64(f"{published[1]}-{published[2]}", "M")
    outside = (end <= month.astype("datetime64[s]")) | (end > (month + 1).astype("datetime64[s]"))
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"{rows.name}, row {rows.number[row]}, column SETTLEMENTDATE: {_text(end[row])} is "
            f"outside the month {month} of the file's name, whose stamps are interval ends in "
            "UTC+10; convert stamps of another zone or rename the file."
        )


def _interval_length(rows: CsvRows, end: np.ndarray) -> int:
    """Seconds of an interval; every stamp lies on its grid and no change of era lies inside."""
    old = end <= _FIVE_MINUTES_SINCE
    if old.any() and not old.all() and _usual_step(end[old], 1800) != _usual_step(end[~old], 300):
        row = int((~old).argmax())
        raise InputError(
            f"{rows.name}, row {rows.number[row]}, column SETTLEMENTDATE: half-hourly prices end "
            f"and 5-minute prices begin after {_text(_FIVE_MINUTES_SINCE)}; split the file there."
        )
    dt_s = _usual_step(end, 0)
    if dt_s not in (300, 1800):
        raise InputError(
            f"{rows.name}, column SETTLEMENTDATE: most intervals are {dt_s} s long; expected 300 s "
            "(from October 2021) or 1800 s (before), as AEMO publishes them."
        )
    off_grid = end.astype(np.int64) % dt_s != 0
    if off_grid.any():
        row = int(off_grid.argmax())
        raise InputError(
            f"{rows.name}, row {rows.number[row]}, column SETTLEMENTDATE: {_text(end[row])} is not "
            f"on the grid of {dt_s // 60} minutes; correct the stamp."
        )
    return dt_s


def _usual_step(end: np.ndarray, lone: int) -> int:
    """Most frequent distance between neighbours [s], or `lone` for a single stamp."""
    if len(end) < 2:
        return lone
    steps, counts = np.unique(np.diff(end).astype(np.int64), return_counts=True)
    return int(steps[counts.argmax()])


def _check_gaps(rows: CsvRows, end: np.ndarray, dt_s: int, allow_gaps: bool) -> None:
    missing = np.diff(end).astype(np.int64) // dt_s - 1
    bad = missing * dt_s > (LONGEST_FILL_S if allow_gaps else 0)
    if bad.any():
        row = int(bad.argmax())
        first = end[row] + np.timedelta64(dt_s, "s")
        fix = "none longer than two hours can be filled" if allow_gaps else "fetch the file again"
        raise InputError(
            f"{rows.name}, after row {rows.number[row]}: the interval ending {_text(first)} is "
            f"missing, the first of {missing[row]} there and of {missing.sum()} in the file; {fix}"
            f"{'' if allow_gaps else ' or allow gaps'}{_daylight_saving_hint(first)}."
        )


def _on_grid(end: np.ndarray, price: np.ndarray, dt_s: int) -> tuple[np.ndarray, int]:
    """Prices without gaps, each gap holding the price before it, and how many were missing."""
    repeats = np.append(np.diff(end).astype(np.int64) // dt_s, 1)
    return np.repeat(price, repeats), int(repeats.sum() - len(price))


def _text(stamp: np.datetime64) -> str:
    return str(stamp).replace("-", "/").replace("T", " ")


def _daylight_saving_hint(stamp: np.datetime64) -> str:
    """South-eastern Australia changes its clocks at 02:00 or 03:00 on a month's first Sunday."""
    time = pd.Timestamp(stamp)
    changes = time.month in (4, 10) and time.day <= 7 and time.day_of_week == 6
    if changes and time.hour in (2, 3):
        return "; it looks like local daylight-saving time, AEMO writes UTC+10 all year"
    return ""
