"""Which times of the year a list of periods leaves without a price, or gives two."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from vpp_envs.markets.tariff import DAY_KINDS, HOLIDAY, TABLE_SHAPE

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Name, months from 0, kinds of day, minutes of the day.
Span = tuple[str, Sequence[int], Sequence[int], Sequence[int]]
# First minute, minute after the last, indices of the periods that hold.
_Stretch = tuple[int, int, tuple[int, ...]]


def window_mask(months: Sequence[int], days: Sequence[int], minutes: Sequence[int]) -> np.ndarray:
    """Mark a window in a table.

    Args:
        months: January is 0.
        days: Indices of DAY_KINDS.
        minutes: Of the local day.

    Returns:
        TABLE_SHAPE bool.
    """
    mask = np.zeros(TABLE_SHAPE, dtype=bool)
    mask[np.ix_(months, days, minutes)] = True
    return mask


def coverage_faults(spans: Sequence[Span], kinds: Iterable[int]) -> list[str]:
    """Say where periods leave a hole or overlap.

    Args:
        spans: The periods.
        kinds: Kinds of day that occur.

    Returns:
        One sentence for each hole and each overlap, months with the same fault together; none
        where every minute of the year has exactly one period.
    """
    kinds = list(kinds)
    faults = [
        f"'{name}' names holidays and none are listed; add them under holidays, or take it out"
        for name, _, days, _ in spans
        if set(days) == {HOLIDAY} and HOLIDAY not in kinds
    ]
    empty = np.zeros((0, *TABLE_SHAPE), dtype=bool)
    masks = [window_mask(months, days, minutes)[None] for _, months, days, minutes in spans]
    covers = np.concatenate([empty, *masks])
    kinds_of: dict[_Stretch, dict[int, list[int]]] = {}
    for kind in kinds:
        for month in range(TABLE_SHAPE[0]):
            for stretch in _stretches(covers[:, month, kind]):
                if len(stretch[2]) != 1:
                    kinds_of.setdefault(stretch, {}).setdefault(kind, []).append(month)
    return faults + [
        _sentence([DAY_KINDS[kind] for kind in same], months, stretch, spans)
        for stretch, months_of in kinds_of.items()
        for same, months in _together(months_of)
    ]


def _together(months_of: dict[int, list[int]]) -> Iterator[tuple[list[int], list[int]]]:
    """Kinds of day that share their months."""
    for months in dict.fromkeys(map(tuple, months_of.values())):
        yield [kind for kind in months_of if tuple(months_of[kind]) == months], list(months)


def _stretches(covers: np.ndarray) -> Iterator[_Stretch]:
    """Stretches of a day in which the same periods hold."""
    changes = np.flatnonzero(np.diff(covers, axis=1).any(axis=0)) + 1
    edges = [0, *(int(edge) for edge in changes), covers.shape[1]]
    for start, end in pairwise(edges):
        yield start, end, tuple(int(one) for one in np.flatnonzero(covers[:, start]))


def _sentence(kinds: list[str], months: list[int], stretch: _Stretch, spans: Sequence[Span]) -> str:
    start, end, periods = stretch
    when = f"{' and '.join(kinds)} {clock_span(start, end)} in {month_names(months)} has"
    if not periods:
        return f"{when} no price; add a period or widen one"
    names = " and ".join(f"'{spans[one][0]}'" for one in periods)
    return f"{when} {len(periods)} prices, {names}; shorten all but one"


def clock_span(start: int, end: int) -> str:
    """Write a window of the day, minutes from midnight, as 17:00-21:00."""
    return f"{start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"


def month_names(months: Sequence[int]) -> str:
    """Write months from 0, in order, as Jan-Mar, Dec."""
    runs: list[list[int]] = []
    for month in months:
        if runs and runs[-1][-1] == month - 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(
        _MONTHS[run[0]] if len(run) == 1 else f"{_MONTHS[run[0]]}-{_MONTHS[run[-1]]}"
        for run in runs
    )
