"""What one column of a fleet table may hold, and the columns that several kinds of row share."""

import math
from typing import NamedTuple

NEEDED = "needed"


class Column(NamedTuple):
    """What one column of one kind of row may hold."""

    name: str
    meaning: str
    default: float | None = None  # where the cell is blank; none: see `without`
    without: str = NEEDED  # what a blank cell means, for people, where there is no default
    least: float = 0.0
    most: float = math.inf
    zero: bool = True  # whether the bound below is allowed itself
    usual: tuple[float, float] = (0.0, math.inf)  # beyond: a warning
    slip: str = ""  # what a value above them, or above `most`, probably is, and the fix
    low: str = ""  # the same of a value below
    form: str = "number"  # or "whole", "truth" for yes and no, "choice" for one of `choices`
    choices: tuple[str, ...] = ()  # words of a choice; their number is what is kept


def blank_means(column: Column) -> str:
    """What a blank cell means, for people."""
    if column.default is None:
        return column.without
    if column.form == "truth":
        return "yes" if column.default else "no"
    return column.choices[int(column.default)] if column.choices else f"{column.default:g}"


def range_of(column: Column) -> str:
    """What is refused and what looks like a slip, for people."""
    if column.form == "truth":
        return "yes or no"
    if column.choices:
        return ", ".join(column.choices)
    least = f"{'at least' if column.zero else 'above'} {column.least:g}"
    parts = [least] if column.most == math.inf else [f"{least}, at most {column.most:g}"]
    low, high = column.usual
    low, high = max(low, column.least), min(high, column.most)
    if (low, high) != (column.least, column.most):
        parts.append(f"usual {low:g} to {high:g}" if high < math.inf else f"usual from {low:g}")
    return "; ".join(parts)


def archetype_column(count: int, of: str) -> Column:
    """Which simulated profile a home has."""
    return Column(
        "archetype",
        f"which of the {count} simulated {of} profiles, from 0",
        without="drawn by home_id",
        most=count - 1,
        form="whole",
    )


def share_column(name: str, meaning: str, default: float | None, low: float) -> Column:
    """A share above 0, unusual below `low`."""
    slip = "looks like percent; write a share such as 0.9"
    usual = (low, 1.0)
    return Column(name, meaning, default, most=1.0, zero=False, usual=usual, slip=slip)


def power_column(
    name: str, meaning: str, most: float, zero: bool = True, default: float | None = None
) -> Column:
    """A power, unusual above `most`. [kW]"""
    slip = "looks like W; write kW, such as 5"
    return Column(name, meaning, default, zero=zero, usual=(0.0, most), slip=slip)


def energy_column(name: str, meaning: str, most: float) -> Column:
    """An energy, unusual above `most`. [kWh]"""
    slip = "looks like Wh; write kWh, such as 13.5"
    return Column(name, meaning, zero=False, usual=(0.0, most), slip=slip)


def truth_column(name: str, meaning: str, default: float) -> Column:
    """Yes or no."""
    return Column(name, meaning, default, most=1.0, form="truth")
