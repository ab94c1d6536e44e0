"""A table of text cells in a CSV or Parquet file: the same rows whichever it is."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import CsvRows, csv_rows, file_bytes

_PARQUET = b"PAR1"
ENDINGS = (".csv", ".parquet")


def read_cells(path: Path) -> CsvRows:
    """Read a table, told apart by its first bytes; cells of Parquet become the text of a CSV file.

    Args:
        path: CSV, plain or gzipped, or Parquet. Rows of Parquet are numbered as in a CSV file, so
            that the first is row 2.

    Raises:
        InputError: The file cannot be read, is no table, or has no rows.
    """
    raw = file_bytes(path)
    if not raw.startswith(_PARQUET):
        rows = csv_rows(path.name, raw)
        if len(rows.cells) == 1 and any(mark in next(iter(rows.cells)) for mark in ";\t"):
            raise InputError(
                f"{path.name}, row 1: columns are separated by semicolons or tabs; save it with "
                "commas between columns, and points in numbers."
            )
        return rows
    try:
        table = pq.read_table(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path.name} is a damaged Parquet file ({str(error).splitlines()[0]}); write it again."
        ) from error
    if not table.num_rows:
        raise InputError(f"{path.name} has no rows; expected one row a device.")
    cells = {
        name: [_text(value) for value in column.to_pylist()]
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    if len(cells) < len(table.column_names):
        raise InputError(f"{path.name}: a column occurs twice; keep one.")
    return CsvRows(path.name, list(range(2, table.num_rows + 2)), cells)


def _text(value: object) -> str:
    """A value as a CSV file would have it; whole floats are what is left of numbers with gaps."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def write_cells(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Write a table whole or not at all, as the ending of its name says.

    Args:
        path: A name that ends in .csv or .parquet.
        columns: Values by column, None where there is none; floats are written exactly.

    Raises:
        InputError: Another ending, or the file cannot be written.
    """
    if path.suffix not in ENDINGS:
        raise InputError(f"{path}: a fleet table ends in .csv or .parquet; name it so.")
    raw = csv_bytes(columns) if path.suffix == ".csv" else _parquet(columns)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(raw)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written ({error.strerror}); check it.") from error


def csv_bytes(columns: Mapping[str, Sequence[object]]) -> bytes:
    """A table as a CSV file has it; arguments as in `write_cells`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def _parquet(columns: Mapping[str, Sequence[object]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), out)
    return out.getvalue()
