"""Columns of homes: change them all alike, and pick from a table what each home needs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def map_columns(
    tree: Any,  # noqa: ANN401
    change: Callable[..., Tensor],
    *others: Any,
) -> Any:  # noqa: ANN401
    """Change every column of a fleet, a state, or of a part of one, alike.

    Args:
        tree: A named tuple or a list of tensors, of such, and of None.
        change: Gets one column, and those at its place in `others`, and returns one.
        others: Trees of the same form.
    """
    if tree is None:
        return None
    if isinstance(tree, Tensor):
        return change(tree, *others)
    parts = zip(tree, *others, strict=True)
    changed = [map_columns(part, change, *rest) for part, *rest in parts]
    return changed if isinstance(tree, list) else type(tree)(*changed)


def column_of_each(table: Tensor, index: Tensor) -> Tensor:
    """Read each home's own column of a table.

    Args:
        table: By class or archetype, (..., K).
        index: Column of each home, the same for all rows or one for each, (N,) or (..., N) int64.

    Returns:
        (..., N).
    """
    if table.shape[-1] == 1:
        return table.expand(table.shape[:-1] + index.shape[-1:])
    return table.gather(-1, index.expand(table.shape[:-1] + index.shape[-1:]))


def is_nan(column: Tensor) -> Tensor:
    """Where a column has no number, bool; compiled it is vectors, which `isnan` is not."""
    return column.ne(column)


def beside(tree: Any, other: Any) -> Any:  # noqa: ANN401
    """Stack two states, so that one pass of arithmetic serves both, (2, ..., N)."""
    return map_columns(tree, lambda one, two: torch.stack((one, two)), other)


def first_of(tree: Any) -> Any:  # noqa: ANN401
    """The first of what `beside` stacked, (..., N)."""
    return map_columns(tree, lambda column: column[0])


def second_of(tree: Any) -> Any:  # noqa: ANN401
    """The second of what `beside` stacked, (..., N)."""
    return map_columns(tree, lambda column: column[1])
