"""ERCOT's yearly workbooks of day-ahead settlement point prices (report 13060).

One sheet a month. The stamp is the END of the hour on the clock of Texas, 01:00 to 24:00, with a
flag for the second of two equal hours in November; in March one hour is left out.
"""

import io
import zipfile
from collections.abc import Iterator
from importlib import import_module

import numpy as np

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.clock import to_utc
from vpp_envs.signals.readers.quotes import Market, Quotes, chosen, series_of
from vpp_envs.signals.table import PriceLimits, PriceSeries

COLUMNS = (
    "Delivery Date",
    "Hour Ending",
    "Repeated Hour Flag",
    "Settlement Point",
    "Settlement Point Price",
)
ZONE = "America/Chicago"
# The offer cap was 9000 USD/MWh until 2021; congestion takes points beyond it.
LIMITS = PriceLimits(-3000.0, 15_000.0)


def read_ercot(name: str, raw: bytes, market: str | None, hold_gaps: bool) -> PriceSeries:
    """Read the prices of one settlement point.

    Args:
        name: File name for sentences.
        raw: Bytes of the workbook.
        market: Settlement point such as "HB_HOUSTON".
        hold_gaps: As in `quotes.series_of`.

    Raises:
        InputError: The workbook cannot be read, lacks the point or holds a cell that is none of
            ERCOT's, or as `quotes.series_of`.
    """
    rows = list(_rows(name, raw))
    point = chosen(name, sorted({cells[3] for _, cells in rows}), market, "settlement point")
    mine = [(row, cells) for row, cells in rows if cells[3] == point]
    row = np.array([number for number, _ in mine])
    start = np.array([_start(name, number, cells) for number, cells in mine])
    second = np.array([_repeated(name, number, cells) for number, cells in mine])
    price = np.array([_price(name, number, cells) for number, cells in mine])
    quotes = Quotes(name, row, to_utc(name, start, ZONE, row, second), price)
    return series_of(quotes, raw, ercot_market(point), hold_gaps)


def ercot_market(point: str) -> Market:
    """Return what the day-ahead prices of a settlement point are."""
    return Market(point, "USD", ZONE, LIMITS)


def _rows(name: str, raw: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Rows of all sheets as text, each with its sheet and number, such as Jan!2."""
    try:
        load_workbook = import_module("openpyxl").load_workbook
    except ImportError as error:
        raise InputError(
            f"{name} is a workbook, and reading one needs openpyxl: pip install 'vpp-rl[workbooks]'"
            ", or save its sheets as CSV."
        ) from error
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True)
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise InputError(f"{name} is a damaged workbook; fetch it again.") from error
    for sheet in book.worksheets:
        lines = ([_text(cell) for cell in line] for line in sheet.iter_rows(values_only=True))
        header = next(lines, [])
        missing = [title for title in COLUMNS if title not in header]
        if missing:
            raise InputError(
                f"{name}, sheet {sheet.title}, row 1: the column {missing[0]} is missing; expected "
                "ERCOT's day-ahead settlement point prices (report 13060)."
            )
        places = [header.index(title) for title in COLUMNS]
        for number, line in enumerate(lines, start=2):
            if any(line):
                yield f"{sheet.title}!{number}", tuple(line[place] for place in places)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _start(name: str, row: str, cells: tuple[str, ...]) -> np.datetime64:
    """Start of the hour on the clock of Texas: a day's last hour ends at 24:00."""
    try:
        month, day, year = cells[0].split("/")
        hour, minute = cells[1].split(":")
        if not 1 <= int(hour) <= 24 or minute != "00":
            raise ValueError(cells[1])
        midnight = np.datetime64(f"{year}-{month}-{day}", "s")
    except ValueError as error:
        raise InputError(
            f"{name}, row {row}: '{cells[0]}' and '{cells[1]}' are no day and hour such as "
            "'01/31/2022' and '24:00'."
        ) from error
    return midnight + np.timedelta64(int(hour) - 1, "h")


def _repeated(name: str, row: str, cells: tuple[str, ...]) -> bool:
    if cells[2] not in ("Y", "N"):
        raise InputError(f"{name}, row {row}: Repeated Hour Flag '{cells[2]}' is not Y or N.")
    return cells[2] == "Y"


def _price(name: str, row: str, cells: tuple[str, ...]) -> float:
    try:
        price = float(cells[4])
    except ValueError:
        price = np.nan
    if not np.isfinite(price):
        raise InputError(f"{name}, row {row}: the price '{cells[4]}' is not a number.")
    return price
