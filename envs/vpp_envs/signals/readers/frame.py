"""A table of a CSV or Parquet file by column, indexed by the number of each row."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pyarrow.parquet import read_schema

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import csv_rows, text_lines

PARQUET = b"PAR1"


def frame_of(name: str, raw: bytes) -> pd.DataFrame:
    """Read a table; cells of CSV stay text, and its delimiter is the "," or ";" of its header.

    Args:
        name: File name for sentences.
        raw: Bytes of the file; CSV may be gzipped.

    Returns:
        Columns by title. The index numbers the rows: of CSV as an editor does, the header being
        row 1, of Parquet from 1 on.

    Raises:
        InputError: Neither CSV nor Parquet, or damaged.
    """
    if raw.startswith(PARQUET):
        try:
            frame = pd.read_parquet(io.BytesIO(raw))
        except (OSError, ValueError) as error:
            raise _damaged(name) from error
        return frame.set_axis(pd.RangeIndex(1, len(frame) + 1))
    header = next(iter(text_lines(name, raw)), "")
    rows = csv_rows(name, raw, delimiter=";" if header.count(";") > header.count(",") else ",")
    return pd.DataFrame(rows.cells, index=rows.number, dtype="object")


def parquet_columns(name: str, raw: bytes) -> list[str]:
    """Return the titles of a Parquet file's columns.

    Raises:
        InputError: It is damaged.
    """
    try:
        return [str(column) for column in read_schema(io.BytesIO(raw)).names]
    except (OSError, ValueError) as error:
        raise _damaged(name) from error


def numbers_of(name: str, column: pd.Series, missing: str = "", comma: bool = False) -> np.ndarray:
    """Read a column of numbers, (R,) float64; NaN where a cell is empty or `missing`.

    Args:
        name: File name for sentences.
        column: Of the table.
        missing: What stands where there is no number.
        comma: Whether the decimal sign is a comma, and thousands are parted by points.

    Raises:
        InputError: A cell is neither a finite number nor `missing`.
    """
    plain = column
    if comma:
        plain = column.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    number = pd.to_numeric(plain, errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(number) & ~(column.isna() | column.isin(["", missing])).to_numpy()
    if bad.any():
        at = int(bad.argmax())
        raise InputError(
            f"{name}, row {column.index[at]}, column {column.name}: '{column.iloc[at]}' is not a "
            "number."
        )
    return np.where(np.isfinite(number), number, np.nan)


def stamps_of(name: str, column: pd.Series, formats: Sequence[str], example: str) -> np.ndarray:
    """Read a column of stamps as text, each in any of some formats, (R,) datetime64[s].

    Args:
        name: File name for sentences.
        column: Of the table.
        formats: In strptime's language.
        example: For the sentence.

    Raises:
        InputError: A cell is in none of the formats.
    """
    stamps = np.full(len(column), np.datetime64("NaT"), "datetime64[s]")
    for form in formats:
        still = np.isnat(stamps)
        if still.any():
            read = pd.to_datetime(column[still], format=form, errors="coerce")
            stamps[still] = read.to_numpy().astype("datetime64[s]")
    if np.isnat(stamps).any():
        at = int(np.isnat(stamps).argmax())
        raise InputError(
            f"{name}, row {column.index[at]}, column {column.name}: '{column.iloc[at]}' is not a "
            f"stamp such as {example}."
        )
    return stamps


def _damaged(name: str) -> InputError:
    return InputError(f"{name} is a damaged Parquet file; fetch it again.")
