"""Rainflow counting: which charges and discharges of a battery form cycles, and how deep.

The three-point rule of ASTM E1049-85 (2017), section 5.4.4: a range that a larger one follows is
one cycle and is taken out, half a cycle where it holds the first point; what is left at the end
counts half each. It runs for all columns at once, one point in time after the other. Which points
belong together carries no gradient, how far they lie apart does.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Cycles(NamedTuple):
    """Counted cycles, each in the row of the point where it starts, (..., T, N)."""

    depth: Tensor  # range of the cycle, 0 where none starts [share of capacity]
    number: Tensor  # 1, or 0.5 for half a cycle; 0 where none starts
    end: Tensor  # row of the point where it ends, its own row where none starts, int64


class _Stack(NamedTuple):
    """Points that wait for their partner, in place, (T, M), and how many there are, (1, M)."""

    row: Tensor  # of the point, int64
    fill: Tensor  # at the point
    size: Tensor  # int64


def count_cycles(fill: Tensor, least_depth: float = 0.0) -> Cycles:
    """Count the cycles of traces, as ``extract_cycles`` of the package rainflow does.

    Args:
        fill: Stored energy over capacity, one row a point in time, (..., T, N). [0 to 1]
        least_depth: Cycles no deeper than this do not count: rounding, and telemetry's noise.
            [share of capacity]
    """
    with torch.no_grad():
        end, count = _partners(fill.movedim(-2, 0).reshape(fill.shape[-2], -1))
    rest = fill.movedim(-2, 0).shape
    end, count = (part.reshape(rest).movedim(0, -2) for part in (end, count))
    depth = (fill - fill.gather(-2, end)).abs()
    count = torch.where(depth > least_depth, count, torch.zeros_like(count))
    return Cycles(torch.where(count > 0, depth, torch.zeros_like(depth)), count, end)


def mean_within(values: Tensor, cycles: Cycles) -> Tensor:
    """Mean of a trace from each cycle's start up to before its end, (..., T, N).

    Rows where no cycle starts hold the value at that row.

    Args:
        values: A trace beside that of the cycles, (..., T, N).
        cycles: Counted cycles.
    """
    summed = torch.cat((torch.zeros_like(values[..., :1, :]), values.cumsum(-2)), -2)
    row = _rows(cycles.end, -2)
    length = (cycles.end - row).clamp(min=1)
    return (summed.gather(-2, row + length) - summed[..., :-1, :]) / length


def _rows(like: Tensor, axis: int) -> Tensor:
    """Number of each row along an axis, in the shape of another tensor, int64."""
    shape = [1] * like.dim()
    shape[axis] = like.shape[axis]
    return torch.arange(like.shape[axis], device=like.device).reshape(shape).expand(like.shape)


def _turning_points(fill: Tensor) -> Tensor:
    """Rows of (T, M) where the trace turns, with its first and its last, bool.

    Of a plateau the last row counts.
    """
    change = fill.diff(dim=0)
    moves = change != 0
    row = _rows(change, 0)
    last_move = torch.where(moves, row, torch.zeros_like(row)).cummax(0).values
    way = change.sign().gather(0, last_move)
    turns = torch.ones_like(fill, dtype=torch.bool)
    turns[1:-1] = moves[1:] & (way[1:] * way[:-1] < 0)
    return turns


def _partners(fill: Tensor) -> tuple[Tensor, Tensor]:
    """Row where the cycle ends that starts in each row, and its count, (T, M)."""
    turns = _turning_points(fill)
    end, count = _rows(fill, 0).clone(), torch.zeros_like(fill)
    size = torch.zeros_like(end[:1])
    stack = _Stack(torch.zeros_like(end), torch.zeros_like(fill), size)
    for row in range(fill.shape[0]):
        stack = _push(stack, row, fill[row : row + 1], turns[row : row + 1])
        closes = _closes(stack)
        while bool(closes.any()):
            stack = _close(stack, closes, end, count)
            closes = _closes(stack)
    # What is left counts half each; the place above the last point holds no partner.
    left = _rows(stack.row, 0)[:-1] < stack.size - 1
    for row in range(int(stack.size.max()) - 1):
        start = stack.row[row : row + 1]
        _write(end, start, stack.row[row + 1 : row + 2], left[row : row + 1])
        _write(count, start, torch.full_like(count[:1], 0.5), left[row : row + 1])
    return end, count


def _write(into: Tensor, place: Tensor, value: Tensor, where: Tensor) -> None:
    """Write one value a column at a place of its own, where asked, in place."""
    into.scatter_(0, place, torch.where(where, value, into.gather(0, place)))


def _push(stack: _Stack, row: int, fill: Tensor, turns: Tensor) -> _Stack:
    """Put one point on top of the columns that turn there."""
    place = stack.size.clamp(max=stack.row.shape[0] - 1)
    _write(stack.row, place, torch.full_like(place, row), turns)
    _write(stack.fill, place, fill, turns)
    return _Stack(stack.row, stack.fill, stack.size + turns.long())


def _closes(stack: _Stack) -> Tensor:
    """Columns whose last range is at least the one before it, (1, M) bool."""
    third, second, top = _top_three(stack, stack.fill)
    return (stack.size >= 3) & ((top - second).abs() >= (second - third).abs())


def _top_three(stack: _Stack, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Third from the top, second, and top, (1, M) each."""
    place = (stack.size - 3).clamp(min=0)
    most = values.shape[0] - 1
    return (
        values.gather(0, place),
        values.gather(0, (place + 1).clamp(max=most)),
        values.gather(0, (place + 2).clamp(max=most)),
    )


def _close(stack: _Stack, closes: Tensor, end: Tensor, count: Tensor) -> _Stack:
    """Count the range below the top where it closes, and take it out.

    It starts at the third point from the top. If that is the first of all it counts half and the
    second stays, to start the next range; else it counts one, and both go.
    """
    start, partner, top = _top_three(stack, stack.row)
    _, partner_fill, top_fill = _top_three(stack, stack.fill)
    first = closes & (stack.size == 3)
    whole = closes & ~first
    _write(end, start, partner, closes)
    _write(count, start, 1.0 - 0.5 * first.to(count.dtype), closes)
    place = (stack.size - 3).clamp(min=0)
    above = (place + 1).clamp(max=stack.row.shape[0] - 1)
    for values, second, last in (
        (stack.row, partner, top),
        (stack.fill, partner_fill, top_fill),
    ):
        _write(values, place, torch.where(whole, last, second), closes)
        _write(values, above, last, first)
    return _Stack(stack.row, stack.fill, stack.size - first.long() - 2 * whole.long())
