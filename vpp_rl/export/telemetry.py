"""Telemetry and signals as tables come, to the matrices that a controller reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_rl.export.controller import SIGNAL_ENTRIES, TELEMETRY_COLUMNS
from vpp_rl.suggestion import did_you_mean

COLUMNS = tuple(name for name, _ in TELEMETRY_COLUMNS)
ENTRIES = tuple(name for name, _ in SIGNAL_ENTRIES)
NODES = "nodes_per_mwh"


@dataclass(frozen=True)
class SetPointTable:
    """Set-points of a fleet for one control interval; load convention, (N,) each."""

    battery_kw: np.ndarray  # charging positive
    solar_limit_kw: np.ndarray  # most that the solar system may produce
    low_kw: np.ndarray  # envelope of the battery, lower edge
    high_kw: np.ndarray  # envelope of the battery, upper edge
    valid: np.ndarray  # False: the telemetry lacked a number, the home was left alone
    valid_from: np.datetime64
    valid_until: np.datetime64  # no set-point may be followed after this


def telemetry_matrix(telemetry: Any) -> Tensor:  # noqa: ANN401 - whatever has columns
    """Turn a table into the telemetry matrix, (N, 13) float32.

    Args:
        telemetry: Mapping of column to array, pandas DataFrame, pyarrow Table, or a matrix with
            the columns in the manifest's order.

    Raises:
        InputError: A column is missing or unknown, or has another length.
    """
    if isinstance(telemetry, np.ndarray | Tensor):
        matrix = torch.as_tensor(telemetry, dtype=torch.float32)
        if matrix.ndim != 2 or matrix.shape[1] != len(COLUMNS):
            raise InputError(
                f"telemetry has shape {tuple(matrix.shape)}, expected (homes, {len(COLUMNS)}) with "
                f"the columns {', '.join(COLUMNS)}."
            )
        return matrix.contiguous()
    columns = _columns(telemetry)
    for name in columns:
        if name not in COLUMNS:
            raise InputError(
                f"telemetry has an unknown column '{name}'{did_you_mean(name, COLUMNS)}"
            )
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise InputError(f"telemetry lacks the column '{missing[0]}': add it, a number a home.")
    homes = len(columns[COLUMNS[0]])
    for name, values in columns.items():
        if values.shape != (homes,):
            raise InputError(
                f"telemetry column '{name}' has shape {values.shape}, expected ({homes},) like "
                f"'{COLUMNS[0]}'."
            )
    return torch.from_numpy(np.stack([columns[name] for name in COLUMNS], axis=-1))


def _columns(telemetry: Any) -> dict[str, np.ndarray]:  # noqa: ANN401
    """Name to float32 array."""
    if hasattr(telemetry, "column_names"):
        telemetry = {name: telemetry[name].to_numpy() for name in telemetry.column_names}
    elif not isinstance(telemetry, Mapping) and not hasattr(telemetry, "columns"):
        raise InputError(
            f"telemetry must be a mapping, DataFrame, Arrow table or matrix, got "
            f"{type(telemetry).__name__}."
        )
    try:
        return {str(name): np.asarray(telemetry[name], np.float32) for name in telemetry}
    except (TypeError, ValueError) as error:
        raise InputError(f"telemetry holds something that is no number ({error}).") from None


def signal_tensors(signals: Mapping[str, Any], leads: int, bins: int) -> tuple[Tensor, Tensor]:
    """Turn signals into the signal vector, (7,), and the forecast's nodes, (H, Q), float32.

    Raises:
        InputError: An entry is missing, unknown, no number, or of the wrong shape.
    """
    _check_entries(signals)
    vector = torch.tensor([float(signals[name]) for name in ENTRIES], dtype=torch.float32)
    nodes = torch.as_tensor(np.asarray(signals[NODES]), dtype=torch.float32)
    if nodes.shape != (leads, bins):
        raise InputError(
            f"signals '{NODES}' has shape {tuple(nodes.shape)}, expected ({leads}, {bins}): half "
            "hours ahead by probability bin."
        )
    for name, value in zip(ENTRIES, vector.tolist(), strict=True):
        if not np.isfinite(value):
            raise InputError(f"signals '{name}' is {value}: give a number.")
    if not bool(torch.isfinite(nodes).all()):
        raise InputError(f"signals '{NODES}' holds something that is no number.")
    return vector, nodes


def _check_entries(signals: Mapping[str, Any]) -> None:
    """Refuse an unknown or missing entry."""
    known = (*ENTRIES, NODES)
    for name in signals:
        if name not in known:
            raise InputError(f"signals have an unknown entry '{name}'{did_you_mean(name, known)}")
    for name in known:
        if name not in signals:
            raise InputError(f"signals lack the entry '{name}': add it.")
