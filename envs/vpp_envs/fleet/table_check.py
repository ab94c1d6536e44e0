"""Check a fleet table: every rule is looked at for every row, so that one report holds all.

What is wrong counts as unknown for the rules that follow, so that one slip is one line.
"""

import difflib
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vpp_envs.fleet.columns import ID, KIND, KINDS, NEEDED, Column, column_names
from vpp_envs.fleet.table_blanks import fill_blanks
from vpp_envs.fleet.table_rule import SITE, Columns, Rule
from vpp_envs.fleet.table_rules import PARTS, RULES
from vpp_envs.problems import Problem
from vpp_envs.signals.readers.csv_rows import CsvRows

_TRUTH = {"yes": 1.0, "true": 1.0, "1": 1.0, "no": 0.0, "false": 0.0, "0": 0.0}
_TWICE = {
    "site": "keep one row with what was agreed on",
    "battery": "join the two in one row: add their usable_kwh, charge_kw and discharge_kw",
    "solar": "join the two in one row: add their ac_kw",
    "ev": "one car a home can be simulated: take one out, or give it a home_id and a site row",
    "water_heater": "join the two in one row: add their volume_l, element_kw and draw_l_per_day",
    "hvac": "join the two in one row: add their sizes",
    "generator": "one a home can be simulated: keep that which runs first",
}
_TAKE_OUT = "one a home can be simulated: take one out, or give it a home_id and a site row"
_SHOWN = 40  # letters of a cell in a report


class Devices(NamedTuple):
    """The rows of one kind, (M,)."""

    name: np.ndarray  # of the home, as the table has it
    home: np.ndarray  # place of the home's site among the sites, -1 without one, int64
    column: dict[str, np.ndarray]  # float64, defaults filled in, NaN for what is open or wrong


class _Rows(NamedTuple):
    """The cells of the rows of one kind, (M,)."""

    kind: str
    number: np.ndarray  # as an editor counts
    text: dict[str, np.ndarray]  # by column, objects

    def cells(self, column: str) -> np.ndarray:
        """Text of a column, blank where the table lacks it."""
        blank = np.full(len(self.number), "", dtype=object)
        return self.text.get(column, blank)

    def problems(
        self, where: np.ndarray, column: str, rule: str, warning: bool = False
    ) -> Iterator[Problem]:
        """What is wrong in some rows, by a mask."""
        cells = self.cells(column)
        for at in np.flatnonzero(where):
            yield Problem(int(self.number[at]), column, _shown(cells[at]), rule, warning)


def check_cells(cells: CsvRows) -> tuple[dict[str, Devices], list[Problem]]:
    """Turn the cells of a fleet table into numbers by kind of row.

    Args:
        cells: Of the whole table.

    Returns:
        Rows by kind, which are worth something only without errors; and errors and warnings.
    """
    text = {name: np.array(column, dtype=object) for name, column in cells.cells.items()}
    problems = list(_header_problems(cells))
    if ID not in text or KIND not in text:
        return {}, sorted(problems)
    everything = _Rows("", np.array(cells.number), text)
    problems += _key_problems(everything)
    devices: dict[str, Devices] = {}
    for kind in KINDS:
        at = np.flatnonzero((text[KIND] == kind) & (text[ID] != ""))
        part = {name: column[at] for name, column in text.items()}
        rows = _Rows(kind, everything.number[at], part)
        devices[kind], found = _devices(rows, devices.get("site"))
        problems += found
    return devices, sorted(problems)


def _header_problems(cells: CsvRows) -> Iterator[Problem]:
    known = column_names()
    for name in cells.cells:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "take it out"
            yield Problem(1, name or "(without a name)", "", f"is no column here; {hint}")
    for name in (ID, KIND):
        if name not in cells.cells:
            yield Problem(1, name, "", "is missing; add the column")
    yield from _missing_columns(cells)


def _missing_columns(cells: CsvRows) -> Iterator[Problem]:
    """Columns that rows of the table need, each once."""
    kinds = set(cells.cells.get(KIND, ()))
    of: dict[str, list[str]] = {}
    for kind, columns in KINDS.items():
        for column in columns:
            if kind in kinds and _needed(column) and column.name not in cells.cells:
                of.setdefault(column.name, []).append(kind)
    for name, needing in of.items():
        yield Problem(
            1, name, "", f"is missing; add the column for rows of {' and '.join(needing)}"
        )


def _needed(column: Column) -> bool:
    return column.default is None and column.without == NEEDED


def _key_problems(rows: _Rows) -> Iterator[Problem]:
    """Blank home ids, and kinds that do not exist."""
    rule = "is blank; name the home by a number or text"
    yield from rows.problems(rows.cells(ID) == "", ID, rule)
    for at, kind in enumerate(rows.cells(KIND)):
        if kind not in KINDS:
            near = difflib.get_close_matches(kind.lower(), list(KINDS), n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"write {', '.join(KINDS)}"
            rule = f"is no kind of row; {hint}"
            yield Problem(int(rows.number[at]), KIND, _shown(kind), rule)


def _devices(rows: _Rows, sites: Devices | None) -> tuple[Devices, list[Problem]]:
    """Read the rows of one kind, and find what is wrong with them."""
    name = rows.cells(ID)
    place = {one: at for at, one in enumerate(name if sites is None else sites.name)}
    home = np.array([place.get(one, -1) for one in name], dtype=np.int64)
    columns, problems = _columns(rows)
    problems += _doubled(rows)
    problems += _foreign(rows)
    rule = "has no row of kind site; add one with the limits that were agreed on"
    problems += rows.problems(home < 0, ID, rule)
    of_site = columns if sites is None else sites.column
    limits = ("import_limit_kw", "export_limit_kw")
    of_home = {SITE + limit: np.append(of_site[limit], np.nan)[home] for limit in limits}
    problems += _broken(rows, {**columns, **of_home})
    return Devices(name, home, columns), problems


def _doubled(rows: _Rows) -> Iterator[Problem]:
    """Homes with more than one row of a kind."""
    first: dict[str, int] = {}
    for number, name in zip(rows.number.tolist(), rows.cells(ID), strict=True):
        if first.setdefault(name, number) != number:
            fix = _TWICE.get(rows.kind, _TAKE_OUT)
            rule = f"has a {rows.kind} in row {first[name]} already; {fix}"
            yield Problem(number, ID, _shown(name), rule)


def _foreign(rows: _Rows) -> Iterator[Problem]:
    """Cells that mean something in rows of other kinds only."""
    own = {ID, KIND, *(column.name for column in KINDS[rows.kind])}
    for name in column_names():
        if name not in own:
            rule = f"means nothing in a row of kind {rows.kind}; leave the cell blank"
            yield from rows.problems(rows.cells(name) != "", name, rule)


def _columns(rows: _Rows) -> tuple[dict[str, np.ndarray], list[Problem]]:
    """Read every column of a kind, defaults filled in, NaN for what is open or wrong."""
    columns: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    for column in KINDS[rows.kind]:
        blank = rows.cells(column.name) == ""
        if column.name in rows.text and _needed(column):
            rule = f"is blank; every row of kind {rows.kind} needs it"
            problems += rows.problems(blank, column.name, rule)
        number, fault = _numbers(rows, column)
        problems += fault
        number[blank] = np.nan if column.default is None else column.default
        columns[column.name] = number
    problems += _fill_parts(rows, columns)
    if rows.kind == "ev":
        # A charger of less than six amperes charges at its own power or not at all.
        lesser = np.fmin(columns["least_charge_kw"], columns["charge_kw"])
        blank = rows.cells("least_charge_kw") == ""
        columns["least_charge_kw"] = np.where(blank, lesser, columns["least_charge_kw"])
    fill_blanks(rows.kind, columns, lambda name: rows.cells(name) == "")
    return columns, problems


def _numbers(rows: _Rows, column: Column) -> tuple[np.ndarray, list[Problem]]:
    """Read one column, NaN for what is blank or wrong."""
    number, problems = _read_numbers(rows, column)
    low = number < column.least if column.zero else number <= column.least
    high = number > column.most
    if column.form == "whole":
        low = low | high | (number % 1 > 0)
        high = np.zeros_like(low)
        fix = column.slip or "leave it blank for a random one"
        rule = f"must be a whole number from 0 to {column.most:.0f}; {fix}"
    else:
        bound = f"{'at least' if column.zero else 'above'} {column.least:g}"
        rule = f"must be {bound}; {column.low or 'write it without a sign, or mend it'}"
    problems += rows.problems(low, column.name, rule)
    rule = f"must be at most {column.most:g}; {column.slip}"
    problems += rows.problems(high, column.name, rule)
    number[low | high] = np.nan
    least, most = column.usual
    problems += rows.problems(number > most, column.name, column.slip, warning=True)
    rule = column.low or "is unusually low; check it"
    problems += rows.problems(number < least, column.name, rule, warning=True)
    return number, problems


def _read_numbers(rows: _Rows, column: Column) -> tuple[np.ndarray, list[Problem]]:
    """Turn cells into numbers: at once where all are, else cell by cell."""
    cells = rows.cells(column.name)
    number, problems = np.full(len(cells), np.nan), []
    given = np.flatnonzero(cells != "")
    try:
        number[given] = cells[given].astype(np.float64)
        if column.form in ("number", "whole") and np.isfinite(number[given]).all():
            return number, []
    except ValueError:
        pass
    for at in given:
        number[at], rule = _number(cells[at], column)
        if rule:
            value = _shown(cells[at])
            problems.append(Problem(int(rows.number[at]), column.name, value, rule))
    return number, problems


def _number(cell: str, column: Column) -> tuple[float, str]:
    """Read one cell: the number, or NaN and what is wrong."""
    if column.form == "truth":
        truth = _TRUTH.get(cell.lower(), math.nan)
        return truth, "must be yes or no; write one of the two" * math.isnan(truth)
    if column.choices:
        return _chosen(cell, column.choices)
    try:
        number = float(cell)
    except ValueError:
        if re.fullmatch(r"-?\d+,\d+", cell):
            return math.nan, "is no number; write a point instead of the comma"
        if re.fullmatch(r"-?[\d.]+\s*[A-Za-z%/]+", cell):
            return math.nan, "is no number; write it without its unit, which the column names"
        return math.nan, "is no number; write it plainly, such as 13.5"
    if not math.isfinite(number):
        return math.nan, "is not finite; write a number"
    return number, ""


def _chosen(cell: str, choices: tuple[str, ...]) -> tuple[float, str]:
    """Number of a word among those to choose from, or NaN and what is wrong."""
    word = cell.lower().replace("_", " ")
    if word in choices:
        return float(choices.index(word)), ""
    near = difflib.get_close_matches(word, choices, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "write one of them"
    return math.nan, f"must be {', '.join(choices[:-1])} or {choices[-1]}; {hint}"


def _fill_parts(rows: _Rows, columns: dict[str, np.ndarray]) -> Iterator[Problem]:
    """Put what was given in per cent of the capacity into kWh."""
    for part in PARTS.get(rows.kind, ()):
        pct, kwh = f"{part.name}_pct", f"{part.name}_kwh"
        share, energy = rows.cells(pct) != "", rows.cells(kwh) != ""
        rule = f"stands beside {kwh}; keep one of the two"
        yield from rows.problems(share & energy, pct, rule)
        rule = f"is blank, and so is {kwh}; fill in one, because {part.why}"
        none = ~share & ~energy
        missing = part.needed(columns) & none
        yield from rows.problems(missing, pct, rule)
        of_share = columns[pct] / 100.0 * columns[part.capacity]
        columns[kwh] = np.where(energy, columns[kwh], of_share)
        columns[kwh][none & ~missing] = 0.0


def _broken(rows: _Rows, columns: Columns) -> Iterator[Problem]:
    """What the numbers of a row say together."""
    for rule in RULES[rows.kind]:
        broken = rule.broken(columns)
        name = rule.column
        if name.endswith("_pct"):  # named by what was given
            other = name.removesuffix("pct") + "kwh"
            in_kwh = rows.cells(name) == ""
            yield from rows.problems(broken & in_kwh, other, rule.rule, rule.warning)
            broken = broken & ~in_kwh
        if rule.expected:
            yield from _told(rows, broken, rule, columns)
            continue
        yield from rows.problems(broken, name, rule.rule, rule.warning)


def _told(rows: _Rows, broken: np.ndarray, rule: Rule, columns: Columns) -> Iterator[Problem]:
    """What some rows break, each with the numbers that were expected of it."""
    expected = [number(columns) for number in rule.expected]
    for at in np.flatnonzero(broken):
        text = rule.rule.format(*(number[at] for number in expected))
        yield from rows.problems(np.arange(len(broken)) == at, rule.column, text, rule.warning)


def _shown(cell: str) -> str:
    """A cell as a report shows it: numbers plainly, other text in quotes."""
    try:
        float(cell)
    except ValueError:
        return repr(cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}...") if cell else ""
    return cell
