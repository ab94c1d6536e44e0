"""What is wrong with a file, all of it: where, value, rule and fix."""

from collections.abc import Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing to mend in a file."""

    line: int  # line or row, as an editor counts, 0 where there is no file
    key: str  # such as import.periods[1].hours, or a column
    value: str  # as it stands there, empty where nothing does
    rule: str  # what is wrong; after a semicolon the fix
    warning: bool = False  # may stand, and looks like a slip

    def told(self, at: str = "line") -> str:
        """As a line of a report.

        Args:
            at: What the numbers count: "line" or "row".
        """
        where = f"{at} {self.line}, " * bool(self.line)
        what = f"{self.value} {self.rule}".strip()
        return f"{where}{self.key}: {what}{'' if what.endswith('?') else '.'}"


def report(source: str, problems: Sequence[Problem], at: str = "line", most: int = 100) -> str:
    """Write one sentence, or a line for each problem in the order of the file.

    Args:
        source: Name of the file.
        problems: At least one.
        at: As in `Problem.told`.
        most: Lines for so many; the rest is counted.
    """
    if len(problems) == 1:
        return f"{source}, {problems[0].told(at)}"
    lines = [f"  {problem.told(at)}" for problem in sorted(problems)[:most]]
    if len(problems) > most:
        lines.append(f"  and {len(problems) - most:,} more.")
    return "\n".join([f"{source} has {len(problems):,} problems:", *lines])
