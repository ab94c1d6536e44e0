"""AEMO's archive of dispatch prices: table DISPATCHPRICE of the MMS data model, zipped or not.

Lines begin with C (comment), I (names of columns) or D (data). A stamp names the END of a
five-minute interval in UTC+10. When AEMO intervenes, an interval stands twice: the run with
INTERVENTION=1 is what was physically dispatched, the run with INTERVENTION=0 is priced as if AEMO
had not intervened, and is the one that the market is settled at. PRICE_AND_DEMAND shows the same.
"""

import csv
import io
import zipfile

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.aemo import NEM_LIMITS, NEM_ZONE
from vpp_envs.signals.readers.clock import to_utc
from vpp_envs.signals.readers.csv_rows import text_lines
from vpp_envs.signals.readers.quotes import Market, Quotes, chosen, series_of
from vpp_envs.signals.table import PriceSeries

TABLE = ("DISPATCH", "PRICE")
_COLUMNS = ("SETTLEMENTDATE", "REGIONID", "INTERVENTION", "RRP")
_INTERVAL = np.timedelta64(300, "s")


def read_mmsdm(name: str, raw: bytes, market: str | None, hold_gaps: bool) -> PriceSeries:
    """Read the energy price of one region.

    Columns of later versions of the table, such as the prices of one-second services, do not
    matter here.

    Args:
        name: File name for sentences.
        raw: Bytes of the CSV file, or of the zip archive with it.
        market: Region such as "SA1"; None takes the only one of the file.
        hold_gaps: As in `quotes.series_of`.

    Raises:
        InputError: The file is cut short or damaged, lacks the region, or as `quotes.series_of`.
    """
    table = _table(name, _csv(name, raw))
    regions = np.array(table["REGIONID"])
    region = chosen(name, sorted(set(regions)), market)
    table = table[(regions == region) & (table["INTERVENTION"] == "0")]
    row = table.index.to_numpy()
    end = pd.to_datetime(table["SETTLEMENTDATE"], format="%Y/%m/%d %H:%M:%S", errors="coerce")
    price = pd.to_numeric(table["RRP"], errors="coerce").to_numpy(np.float64)
    bad = end.isna().to_numpy() | ~np.isfinite(price)
    if bad.any():
        raise InputError(
            f"{name}, row {row[bad.argmax()]}: SETTLEMENTDATE or RRP is no stamp such as "
            "2021/12/01 00:05:00 or no number; fetch the file again."
        )
    start = end.to_numpy().astype("datetime64[s]") - _INTERVAL
    quotes = Quotes(name, row, to_utc(name, start, NEM_ZONE, row), price)
    about = Market(region, "AUD", NEM_ZONE, NEM_LIMITS, real_time=True)
    return series_of(quotes, raw, about, hold_gaps)


def _csv(name: str, raw: bytes) -> list[str]:
    """Lines of the one CSV file of an archive, or of the file itself."""
    if not raw.startswith(b"PK"):
        return text_lines(name, raw)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [member for member in archive.namelist() if member.lower().endswith(".csv")]
            if len(members) != 1:
                raise InputError(f"{name} holds {len(members)} CSV files; expected one.")
            return text_lines(f"{name}/{members[0]}", archive.read(members[0]))
    except (zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{name} is a damaged zip file; fetch it again.") from error


def _table(name: str, lines: list[str]) -> pd.DataFrame:
    """Data rows of the table as text by column, indexed by line."""
    places: list[int] | None = None
    number, cells = [], []
    for line, row in enumerate(csv.reader(lines), start=1):
        if tuple(row[1:3]) != TABLE:
            continue
        if row[0] == "I":
            places = _places(name, line, row)
        elif row[0] == "D":
            if places is None or len(row) <= max(places):
                raise InputError(f"{name}, row {line} does not fit its names; fetch it again.")
            number.append(line)
            cells.append([row[place] for place in places])
    if not lines or not lines[-1].startswith("C,"):
        raise InputError(f"{name} does not end with its line 'END OF REPORT'; fetch it again.")
    return pd.DataFrame(cells, index=number, columns=list(_COLUMNS), dtype="object")


def _places(name: str, line: int, names: list[str]) -> list[int]:
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise InputError(f"{name}, row {line}: the column {missing[0]} is missing.")
    return [names.index(column) for column in _COLUMNS]
