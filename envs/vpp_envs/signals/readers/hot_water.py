"""Draws of hot water by the minute, as NREL's profiles give them: shares of each fixture's most.

Known are the publisher's CSV (one row a minute, an empty cell is no draw) and a sparse table (one
row for each minute with a draw, of several homes). Showers, sinks and baths draw water that is
mixed to 40.6 C; washers and dishwashers draw it hot.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.csv_rows import file_bytes, text_lines
from vpp_envs.signals.readers.frame import frame_of, numbers_of

MINUTES_OF_YEAR = 525_600
_LITRES = 3.7854
# Most that each fixture draws [L/min], from the gallons a minute that NREL states, and whether it
# is mixed.
_FIXTURES: dict[str, tuple[float, bool]] = {
    "Showers": (4.2 * _LITRES, True),
    "Sinks": (3.3 * _LITRES, True),
    "Baths": (7.5 * _LITRES, True),
    "CW": (5.1 * _LITRES, False),
    "DW": (2.7 * _LITRES, False),
}


class HotWaterRecord(NamedTuple):
    """Draws of K homes from the first of January on, a column each."""

    homes: tuple[str, ...]
    mixed_l: Tensor  # at fixtures, (T, K) float32 [L]
    hot_l: Tensor  # by machines, (T, K) float32 [L]


def read_hot_water(path: str | Path, tick_s: int = 300) -> HotWaterRecord:
    """Read draws, recognised by their columns.

    Args:
        path: CSV, plain or gzipped, or Parquet.
        tick_s: Length of a tick: whole minutes, an hour at most. [s]

    Returns:
        Litres a tick, in the form of `synthetic.hot_water.hot_water_table`. A sparse table covers
        a year of 365 days.

    Raises:
        InputError: Columns are missing, a share is not between 0 and 1, or a minute is not of the
            year or comes twice.
    """
    path = Path(path)
    if tick_s < 60 or 3600 % tick_s or tick_s % 60:
        raise InputError(f"tick_s must be whole minutes that divide an hour, got {tick_s}.")
    raw = file_bytes(path)
    frame = frame_of(path.name, raw)
    missing = [name for name in _FIXTURES if name not in frame.columns]
    if missing:
        raise InputError(
            f"{path.name} has no column '{missing[0]}'; expected {', '.join(_FIXTURES)}."
        )
    minute = _minutes(path.name, frame)
    names = _names(path, frame)
    homes = tuple(dict.fromkeys(names))
    column = pd.Categorical(names, categories=list(homes)).codes.astype(np.int64)
    _refuse_doubles(path.name, frame, minute, column)
    dense = "minute_of_year" not in frame.columns
    # Rows without any draw are blank, and no row of the table: their lines are counted.
    minutes = len(text_lines(path.name, raw)) - 1 if dense else MINUTES_OF_YEAR
    ticks = -(-minutes * 60 // tick_s)
    cell = (minute * 60 // tick_s) * len(homes) + column
    litres = {True: np.zeros(ticks * len(homes)), False: np.zeros(ticks * len(homes))}
    for fixture, (most_l, mixed) in _FIXTURES.items():
        drawn = most_l * _shares(path.name, frame[fixture])
        litres[mixed] += np.bincount(cell, weights=drawn, minlength=ticks * len(homes))
    mixed_l, hot_l = (
        torch.from_numpy(litres[kind].reshape(ticks, len(homes)).astype(np.float32))
        for kind in (True, False)
    )
    return HotWaterRecord(homes, mixed_l, hot_l)


def _names(path: Path, frame: pd.DataFrame) -> list[str]:
    """Home of each row."""
    if "profile" in frame.columns:
        return [str(name) for name in frame["profile"]]
    return [path.name.split(".")[0]] * len(frame)


def _minutes(name: str, frame: pd.DataFrame) -> np.ndarray:
    """Minute of each row since the first of January, (R,) int64."""
    if "minute_of_year" not in frame.columns:
        return frame.index.to_numpy(np.int64) - 2  # the header is row 1
    minute = numbers_of(name, frame["minute_of_year"])
    inside = (minute >= 0) & (minute < MINUTES_OF_YEAR) & (minute == np.floor(minute))
    if not inside.all():
        at = int((~inside).argmax())
        raise InputError(
            f"{name}, row {frame.index[at]}, column minute_of_year: {minute[at]:g} is not a whole "
            f"minute from 0 to {MINUTES_OF_YEAR - 1}."
        )
    return minute.astype(np.int64)


def _shares(name: str, column: pd.Series) -> np.ndarray:
    """Share of its most that a fixture draws, 0 where the cell is empty, (R,)."""
    share: np.ndarray = np.nan_to_num(numbers_of(name, column), nan=0.0)
    bad = (share < 0.0) | (share > 1.0)
    if bad.any():
        at = int(bad.argmax())
        raise InputError(
            f"{name}, row {column.index[at]}, column {column.name}: {share[at]:g} is not a share "
            "between 0 and 1 of the fixture's most; give fractions, not litres."
        )
    return share


def _refuse_doubles(name: str, frame: pd.DataFrame, minute: np.ndarray, column: np.ndarray) -> None:
    """Refuse a home's minute that comes twice: its water would count twice."""
    doubled = pd.Series(column * MINUTES_OF_YEAR + minute).duplicated().to_numpy()
    if doubled.any():
        at = int(doubled.argmax())
        raise InputError(
            f"{name}, row {frame.index[at]}: minute {minute[at]} of this home comes twice; keep "
            "one."
        )
