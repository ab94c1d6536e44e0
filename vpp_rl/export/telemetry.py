"""Telemetry and signals as tables come, to the matrices that a controller reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time_ns
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_rl.export.columns import NODES, SIGNAL_ENTRIES, WITH_CARS, WITHOUT_CARS, Column
from vpp_rl.suggestion import did_you_mean

COLUMNS = tuple(column.name for column in WITHOUT_CARS.telemetry)
CAR_COLUMNS = tuple(column.name for column in WITH_CARS.telemetry)  # those and a car's
ENTRIES = tuple(entry.name for entry in SIGNAL_ENTRIES)


@dataclass(frozen=True)
class SetPointTable:
    """Set-points of a fleet for one control interval; load convention, (N,) each."""

    battery_kw: np.ndarray  # charging positive
    solar_limit_kw: np.ndarray  # most that the solar system may produce; NaN: rating not known
    low_kw: np.ndarray  # envelope of the battery, lower edge
    high_kw: np.ndarray  # envelope of the battery, upper edge
    valid: np.ndarray  # False: the telemetry is incomplete or impossible, do not command this home
    valid_from: np.datetime64  # UTC
    valid_until: np.datetime64  # UTC; no set-point may be followed from then on
    # Of the car, charging positive, and its envelope; NaN where `valid` is False. None: the
    # controller was trained on homes without cars.
    ev_kw: np.ndarray | None = None
    ev_low_kw: np.ndarray | None = None
    ev_high_kw: np.ndarray | None = None


def telemetry_matrix(
    telemetry: Any,  # noqa: ANN401 - whatever has columns
    names: tuple[str, ...] = COLUMNS,
) -> Tensor:
    """Turn a table into the telemetry matrix, (N, columns) float32.

    Args:
        telemetry: Mapping of column to array, pandas DataFrame, pyarrow Table, or a matrix with
            the columns in the manifest's order. What is missing (None, null, NaN) stays NaN.
        names: Columns of the controller, in order; by default of one without cars.

    Raises:
        InputError: There is no home; a column is missing, unknown, of another length or no number.
    """
    if isinstance(telemetry, np.ndarray | Tensor):
        matrix = torch.as_tensor(np.asarray(_numbers("telemetry", telemetry)))
        if matrix.ndim != 2 or matrix.shape[1] != len(names):
            raise InputError(
                f"telemetry has shape {tuple(matrix.shape)}, expected (homes, {len(names)}) with "
                f"the columns {', '.join(names)}."
            )
    else:
        columns = _columns(telemetry, names)
        matrix = torch.from_numpy(np.stack([columns[name] for name in names], axis=-1))
    if len(matrix) == 0:
        raise InputError("telemetry has no row: give at least one home.")
    return matrix.contiguous()


def _columns(telemetry: Any, known: tuple[str, ...]) -> dict[str, np.ndarray]:  # noqa: ANN401
    """Name to float32 array, all of one length."""
    if hasattr(telemetry, "column_names"):  # an Arrow table
        names = list(telemetry.column_names)
    elif isinstance(telemetry, Mapping) or hasattr(telemetry, "columns"):
        names = list(telemetry)
    else:
        raise InputError(
            f"telemetry must be a mapping, DataFrame, Arrow table or matrix, got "
            f"{type(telemetry).__name__}."
        )
    _check_names("telemetry", "column", names, known)
    columns = {name: _numbers(f"telemetry column '{name}'", telemetry[name]) for name in names}
    wanted = columns[known[0]].shape[:1]
    for name, values in columns.items():
        if values.ndim != 1 or values.shape != wanted:
            raise InputError(
                f"telemetry column '{name}' has shape {values.shape}, expected one number a home, "
                f"as many as '{known[0]}' has."
            )
    return columns


def signal_tensors(signals: Any, leads: int, bins: int) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Turn signals into the signal vector, (7,), and the forecast's nodes, (H, Q), float32.

    Raises:
        InputError: An entry is missing, unknown, no number, out of range, or of the wrong shape.
    """
    if not isinstance(signals, Mapping):
        raise InputError(f"signals must be a mapping of names, got {type(signals).__name__}.")
    _check_names("signals", "entry", list(signals), (*ENTRIES, NODES.name))
    vector = np.empty(len(ENTRIES), np.float32)
    for place, entry in enumerate(SIGNAL_ENTRIES):
        vector[place] = _in_range(entry, signals[entry.name], ())
    nodes = _in_range(NODES, signals[NODES.name], (leads, bins))
    return torch.from_numpy(vector), torch.from_numpy(nodes)


def _check_names(what: str, part: str, names: list[Any], known: tuple[str, ...]) -> None:
    """Refuse a name that is unknown, missing or there twice."""
    for name in names:
        if name not in known:
            raise InputError(
                f"{what} has an unknown {part} '{name}'{did_you_mean(str(name), known)} "
                f"({what} has {', '.join(known)})"
            )
        if names.count(name) > 1:
            raise InputError(f"{what} has the {part} '{name}' twice: leave one out.")
    for name in known:
        if name not in names:
            raise InputError(f"{what} lacks the {part} '{name}': add it.")


def _numbers(what: str, values: Any) -> np.ndarray:  # noqa: ANN401 - whatever holds numbers
    """Values as a contiguous float32 array."""
    try:
        # A nullable column of pandas says by itself how its missing values become NaN.
        if hasattr(values, "isna"):
            values = values.to_numpy(np.float32, na_value=np.nan)
        # A number beyond float32 becomes infinite, which is out of every range.
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(values, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} holds something that is no number ({error}).") from None


def _in_range(entry: Column, values: Any, shape: tuple[int, ...]) -> np.ndarray:  # noqa: ANN401
    """Values of a signal, of the right shape and within its range."""
    what = f"signals entry '{entry.name}'"
    numbers = _numbers(what, values).reshape(np.shape(values))
    if numbers.shape != shape:
        expected = f"shape {shape}: half hours ahead by bin" if shape else "one number"
        raise InputError(f"{what} has shape {numbers.shape}, expected {expected}.")
    wrong = numbers[~((numbers >= entry.low) & (numbers <= entry.high))]
    if wrong.size:
        raise InputError(
            f"{what} is {wrong.flat[0]:g}, expected a number from {entry.low:g} to {entry.high:g} "
            f"[{entry.unit}]."
        )
    return numbers


def start_of_interval(now: object, control_dt_s: int) -> np.datetime64:
    """Start of the control interval that holds a time, UTC, to the millisecond.

    Intervals are those of the market's clock: a late call must not reach into the next price.

    Args:
        now: A datetime that names its zone, or a numpy one, which is UTC; by default the clock's.
        control_dt_s: Control interval. [s]

    Raises:
        InputError: The datetime names no zone.
    """
    stamp = _utc(now)
    late = (stamp - np.datetime64(0, "ms")) % np.timedelta64(control_dt_s, "s")
    start: np.datetime64 = stamp - late
    return start


def _utc(now: object) -> np.datetime64:
    """A time in UTC, to the millisecond."""
    if now is None:
        return np.datetime64(time_ns() // 1_000_000, "ms")
    if isinstance(now, datetime):
        if now.tzinfo is None:
            raise InputError(f"now={now.isoformat()} names no zone: add tzinfo, such as UTC.")
        return np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "ms")
    if not isinstance(now, np.datetime64) or np.isnat(now):
        raise InputError(f"now must be a datetime with its zone, got {now!r}.")
    stamp: np.datetime64 = now.astype("datetime64[ms]")
    return stamp
