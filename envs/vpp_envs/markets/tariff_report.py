"""What is wrong with a tariff file: what YAML and pydantic find, in our words and with lines."""

import difflib
from collections.abc import Iterator, Mapping

import yaml
from pydantic_core import ErrorDetails

from vpp_envs.markets.tariff_schema import Demand, FaultError, Period, Rates, TariffRecord
from vpp_envs.problems import Problem

_KEYS = sorted(
    {
        field.alias or key
        for record in (TariffRecord, Rates, Period, Demand)
        for key, field in record.model_fields.items()
    }
)
# What pydantic finds by itself, in our words: rule and fix.
_RULES = {
    "missing": "is missing; add it",
    "list_type": "must be a list; write [..], or entries that start with a dash",
    "model_type": "must be a mapping; write key: value pairs below it",
    "literal_error": "must be 15, 30 or 60; write the minutes that the power is averaged over",
}

Place = tuple[str | int, ...]  # keys and indices from the top of a file to a value


def problems_of(found: ErrorDetails, lines: Mapping[Place, int]) -> Iterator[Problem]:
    """Put one of pydantic's findings into our words.

    Args:
        found: The finding.
        lines: Line of each value, as in `yaml_lines`.
    """
    place: Place = found["loc"]
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), 0)
    value, cause = found["input"], found.get("ctx", {}).get("error")
    if isinstance(cause, FaultError):
        rules = cause.sentences
    elif found["type"] == "extra_forbidden":
        value, rules = None, (_unknown(str(place[-1])),)
    else:
        rules = (_RULES.get(found["type"], str(cause or found["msg"])),)
    shown = "" if value is None or isinstance(value, dict) else repr(value)
    for rule in rules:
        yield Problem(line, _dotted(place), shown, rule)


def yaml_lines(text: str) -> tuple[dict[Place, int], tuple[Problem, ...]]:
    """Find the line of every value, and the keys that occur twice, of which YAML keeps the last.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    lines: dict[Place, int] = {}
    doubled: list[Problem] = []
    seen: set[int] = set()  # an alias stands for what its anchor's line says

    def visit(node: yaml.Node, place: Place, line: int) -> None:
        if place in lines:
            rule = f"stands in line {lines[place]} already; keep one"
            doubled.append(Problem(line, _dotted(place), "", rule))
        lines[place] = line
        if id(node) not in seen:
            seen.add(id(node))
            for part, item, item_line in _children(node):
                visit(item, (*place, part), item_line)

    root = yaml.compose(text, yaml.SafeLoader)
    if root is not None:
        visit(root, (), 1)
    return lines, tuple(doubled)


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, int]]:
    """Key or index, value and line of what a node holds."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield index, item, item.start_mark.line + 1
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            yield str(key.value), item, key.start_mark.line + 1


def yaml_fault(source: str, error: yaml.YAMLError) -> str:
    """Say where a file is not YAML.

    Args:
        source: Name of the file.
        error: What the parser raised.
    """
    mark = getattr(error, "problem_mark", None)
    where = f"{source}, line {mark.line + 1}" if mark else source
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{where} is not valid YAML: {problem}; mend the line or the one above it."


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, _KEYS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "take it out"
    return f"is no key here; {hint}"


def _dotted(place: Place) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).removeprefix(".")
