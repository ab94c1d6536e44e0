"""The cells of a CSV file with their row numbers, plain or gzipped; faults become sentences."""

import csv
import difflib
import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

from vpp_envs.errors import InputError

_GZIP = b"\x1f\x8b"


class CsvRows(NamedTuple):
    """The cells of a file by column."""

    name: str  # of the file, for sentences
    number: list[int]  # of each row, as a text editor counts: the header is row 1
    cells: dict[str, list[str]]  # by column, without surrounding blanks


def file_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        InputError: It does not exist (the sentence names the nearest neighbour), is a folder, or
            cannot be read.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected one CSV file.")
    if not path.parent.is_dir():
        raise InputError(f"{path} does not exist, nor does its folder; check the path.")
    if not path.is_file():
        neighbours = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
        near = difflib.get_close_matches(path.name, neighbours, n=1)
        hint = f"did you mean {near[0]}?" if near else "check the name."
        raise InputError(f"{path} does not exist; {hint}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its rights.") from error


def csv_rows(name: str, raw: bytes, least_rows: int = 1, delimiter: str = ",") -> CsvRows:
    """Split the bytes of a delimited file with a header into cells; skip blank lines.

    Args:
        name: File name for sentences.
        raw: Bytes of the file; gzip is recognised by its first bytes.
        least_rows: Rows below the header that the file must have.
        delimiter: What parts the cells.

    Raises:
        InputError: Not UTF-8 CSV text, empty, too few rows, a doubled column, or a row with more or
            fewer cells than the header.
    """
    lines = text_lines(name, raw)
    try:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        table = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(
            f"{name}, row {reader.line_num} is not CSV ({error}); expected comma-separated text."
        ) from error
    table = [(number, row) for number, row in table if any(row)]
    if not table:
        raise InputError(f"{name} is empty; expected a header and rows, fetch the file again.")
    header = table.pop(0)[1]
    doubled = next((title for title in header if header.count(title) > 1), None)
    if doubled is not None:
        raise InputError(f"{name}, row 1: column '{doubled}' occurs twice; keep one.")
    if len(table) < least_rows:
        raise InputError(
            f"{name} has fewer rows below its header than {least_rows}; it may be cut short, fetch "
            "it again."
        )
    for number, row in table:
        if len(row) != len(header):
            raise InputError(
                f"{name}, row {number}: {len(row)} cells where the header has {len(header)}; "
                "the row is damaged or the file cut short, fetch it again."
            )
    columns = zip(*(row for _, row in table), strict=True)
    cells = {title: list(column) for title, column in zip(header, columns, strict=True)}
    return CsvRows(name, [number for number, _ in table], cells)


def text_lines(name: str, raw: bytes) -> list[str]:
    """Return the lines of a text file, plain or gzipped.

    Raises:
        InputError: A damaged gzip file, or not UTF-8.
    """
    try:
        text = gzip.decompress(raw) if raw.startswith(_GZIP) else raw
        return text.decode("utf-8-sig").splitlines()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{name} is a damaged gzip file; fetch it again.") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not text in UTF-8; expected the CSV file itself, not an archive of it."
        ) from error
