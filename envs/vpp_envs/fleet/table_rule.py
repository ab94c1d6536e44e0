"""One rule that ties the numbers of a row of a fleet table together."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

Columns = Mapping[str, np.ndarray]  # float64, (M,), NaN for what is open or wrong
SITE = "site."  # in front of columns of a device's site
A_HAIR = 1e-9  # 0.8 times a capacity is not exactly four fifths of it


class Rule(NamedTuple):
    """What must not be, or looks like a slip; comparisons with NaN are false."""

    column: str  # that the report names
    broken: Callable[[Columns], np.ndarray]
    rule: str  # what is wrong; after a semicolon the fix; braces hold what was expected
    warning: bool = False
    expected: tuple[Callable[[Columns], np.ndarray], ...] = ()  # numbers for the braces


def above_connection(column: str, what: str) -> Rule:
    """A device that draws more than its site may."""
    return Rule(
        column,
        lambda c: c[column] > c[SITE + "import_limit_kw"],
        f"is above the import_limit_kw of its site, so that the {what} at full power; check both",
        warning=True,
    )
