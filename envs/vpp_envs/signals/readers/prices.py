"""Prices of any publisher, recognised by what a file holds, not by its name."""

from collections.abc import Callable, Sequence
from pathlib import Path

from vpp_envs.errors import InputError
from vpp_envs.signals.readers import caiso, ember, mmsdm, smard
from vpp_envs.signals.readers.aemo import read_price_and_demand
from vpp_envs.signals.readers.csv_rows import file_bytes, text_lines
from vpp_envs.signals.readers.ercot import read_ercot
from vpp_envs.signals.readers.files import expand, join
from vpp_envs.signals.readers.frame import PARQUET, parquet_columns
from vpp_envs.signals.readers.own import NO_NOTES, PriceNotes, read_own
from vpp_envs.signals.readers.tidy import is_tidy, read_tidy
from vpp_envs.signals.table import PriceSeries

# Reads a file's name, bytes, wanted market, and whether gaps are held.
Reader = Callable[[str, bytes, str | None, bool], PriceSeries]

_ZIP = b"PK\x03\x04"
_WORKBOOK = b"[Content_Types].xml"
_AEMO_COLUMNS = {"REGION", "SETTLEMENTDATE", "RRP"}


def read_prices(
    paths: str | Path | Sequence[str | Path],
    market: str | None = None,
    hold_gaps: bool = False,
    notes: PriceNotes = NO_NOTES,
) -> PriceSeries:
    """Read recorded prices as one series, at the resolution that they were published in.

    Known are AEMO (PRICE_AND_DEMAND, and DISPATCHPRICE of the MMSDM archive), Ember's European
    day-ahead prices, SMARD, ERCOT's day-ahead workbooks, CAISO as gridstatus writes it, and tidy
    tables whose column names say what they hold. Any other CSV or Parquet file is read as `notes`
    say.

    Args:
        paths: A file, a folder of AEMO's monthly files, a pattern, or several of these.
        market: Region, bidding zone, node or settlement point; None takes the only one there is.
        hold_gaps: Hold the last price through gaps of up to two hours, and say so in `source`.
        notes: What a file is that no publisher is known of.

    Returns:
        Prices per MWh by interval start in UTC, with the market's clock, currency and limits, and
        the SHA-256 of the file's bytes.

    Raises:
        InputError: A file cannot be read as one gap-free series; one sentence says where and why.
    """
    parts = [_read(file, market, hold_gaps, notes) for file in expand(paths, market)]
    return join(parts, hold_gaps)


def _read(path: Path, market: str | None, hold_gaps: bool, notes: PriceNotes) -> PriceSeries:
    raw = file_bytes(path)
    if _is_price_and_demand(path.name, raw):
        _refuse(path.name, "AEMO's PRICE_AND_DEMAND", notes)
        return read_price_and_demand(path, market, hold_gaps)
    found = _publisher(path.name, raw)
    if found is None:
        return read_own(path.name, raw, market, hold_gaps, notes)
    publisher, reader = found
    _refuse(path.name, publisher, notes)
    return reader(path.name, raw, market, hold_gaps)


def _is_price_and_demand(name: str, raw: bytes) -> bool:
    # Two of three columns suffice: the reader says best what the third is called.
    return len(_AEMO_COLUMNS & set(_header(name, raw))) >= 2


def _publisher(name: str, raw: bytes) -> tuple[str, Reader] | None:
    """Who published a file and how it is read; None for anybody else."""
    if raw.startswith(_ZIP):
        if _WORKBOOK in raw:
            return "ERCOT's", read_ercot
        return "AEMO's MMSDM", mmsdm.read_mmsdm
    header = _header(name, raw)
    if header[0] == "C":
        return "AEMO's MMSDM", mmsdm.read_mmsdm
    if set(ember.COLUMNS) <= set(header):
        return "Ember's", ember.read_ember
    if smard.START in header:
        return "SMARD's", smard.read_smard
    if set(caiso.COLUMNS) <= set(header):
        return "CAISO's", caiso.read_caiso
    return ("a tidy", read_tidy) if is_tidy(header) else None


def _header(name: str, raw: bytes) -> list[str]:
    """Titles of the columns."""
    if raw.startswith(PARQUET):
        return parquet_columns(name, raw)
    if raw.startswith(_ZIP):
        return []
    line = next((line for line in text_lines(name, raw) if line.strip()), "")
    delimiter = ";" if line.count(";") > line.count(",") else ","
    return [cell.strip().strip('"') for cell in line.split(delimiter)]


def _refuse(name: str, publisher: str, notes: PriceNotes) -> None:
    """A publisher's file says what it is: what the configuration says besides could only differ."""
    if notes.given():
        raise InputError(
            f"{name} is {publisher} file, which has unit, currency, columns and clock of its own; "
            f"remove {' and '.join(notes.given())}."
        )
