"""A linear programme of homes, put together of their devices' columns and rows.

Everything counts by interval: a column is a number for each of the T intervals, a row an equation
or an inequality for each. What a device draws it says by the names of its columns, so that the
meter's row needs to know nothing else of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vpp_rl.baselines.storage_lp import Columns, Floats, Ints, Programme


class Column(NamedTuple):
    """One number an interval, (T,) or one for all."""

    lower: Floats | float
    upper: Floats | float
    value: Floats | float = 0.0  # objective


class Term(NamedTuple):
    """A column times a factor in a row of the same interval, or of the one before."""

    name: str
    factor: Floats | float
    before: bool = False  # of the interval before; none in the first


class Row(NamedTuple):
    """One condition an interval on a sum of terms, (T,) or one for all."""

    terms: tuple[Term, ...]
    lower: Floats | float
    upper: Floats | float


class Part(NamedTuple):
    """A device in a programme."""

    columns: Mapping[str, Column]
    rows: tuple[Row, ...]
    draws: Mapping[str, float]  # columns that the home draws, with their sign
    must_kw: Floats | float = 0.0  # most that it may have to draw, whatever the connection [kW]


def meter_of(parts: Sequence[Part], load_kw: Floats) -> Row:
    """Join the parts of a home at its meter: what they draw and the load add up to nothing.

    Args:
        parts: Devices and the connection.
        load_kw: What the home draws anyhow, (T,). [kW]
    """
    terms = tuple(Term(name, sign) for part in parts for name, sign in part.draws.items())
    return Row(terms, -load_kw, -load_kw)


def renamed(part: Part, before: str) -> Part:
    """The same part with something before the names of its columns, beside others of its kind."""
    return Part(
        {before + name: column for name, column in part.columns.items()},
        tuple(
            row._replace(terms=tuple(term._replace(name=before + term.name) for term in row.terms))
            for row in part.rows
        ),
        {before + name: sign for name, sign in part.draws.items()},
        part.must_kw,
    )


def programme_of(parts: Sequence[Part], joints: Sequence[Row], ticks: int) -> Programme:
    """Put parts together.

    Args:
        parts: Devices and connections, whose names of columns all differ.
        joints: What ties them together, such as `meter_of`.
        ticks: Intervals T.
    """
    columns = {name: column for part in parts for name, column in part.columns.items()}
    at = {name: place * ticks + np.arange(ticks) for place, name in enumerate(columns)}
    rows = [*joints, *(row for part in parts for row in part.rows)]

    def spread(numbers: Sequence[Floats | float]) -> Floats:
        return np.concatenate([np.broadcast_to(number, ticks) for number in numbers])

    return Programme(
        value=spread([column.value for column in columns.values()]),
        lower=spread([column.lower for column in columns.values()]),
        upper=spread([column.upper for column in columns.values()]),
        row_lower=spread([row.lower for row in rows]),
        row_upper=spread([row.upper for row in rows]),
        entries=_entries(rows, at, ticks),
        integral=np.zeros(len(columns) * ticks, dtype=np.bool_),
    )


def _entries(rows: Sequence[Row], at: Mapping[str, Ints], ticks: int) -> Columns:
    """Matrix of a programme."""
    row_of, column_of, factor = [], [], []
    for place, row in enumerate(rows):
        number = place * ticks + np.arange(ticks)
        for term in row.terms:
            first = int(term.before)
            row_of.append(number[first:])
            column_of.append(at[term.name][: ticks - first])
            factor.append(np.broadcast_to(term.factor, ticks)[first:])
    return Columns(np.concatenate(row_of), np.concatenate(column_of), np.concatenate(factor))


def solution_of(parts: Sequence[Part], solution: Floats, ticks: int) -> dict[str, Floats]:
    """Cut a solution into its columns by name, (T,) each."""
    names = [name for part in parts for name in part.columns]
    return {name: solution[i * ticks : (i + 1) * ticks] for i, name in enumerate(names)}
