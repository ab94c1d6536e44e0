"""A page of documentation as Markdown, put together of what the source says about itself."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from vpp_rl.cli.pages.source_notes import (
    Note,
    argument_note,
    docstring_text,
    field_notes,
    sources_named,
)


class Text(NamedTuple):
    """The docstring of a module or a function."""

    of: ModuleType | Callable[..., object]


class Fields(NamedTuple):
    """A table of fields with meaning and unit, and their values in some records."""

    owner: type
    names: tuple[str, ...] = ()  # none: all
    records: tuple[tuple[str, Any], ...] = ()  # what they are called, and whose values to show


class Argument(NamedTuple):
    """What a docstring says about one argument of a function."""

    function: Callable[..., object]
    name: str


class Names(NamedTuple):
    """A list of names."""

    title: str
    names: tuple[str, ...]


class Sources(NamedTuple):
    """What the files of some modules say about where their numbers come from."""

    modules: tuple[ModuleType, ...]
    constants: tuple[tuple[ModuleType, tuple[str, ...]], ...] = ()  # of others, these alone


Part = Text | Fields | Argument | Names | Sources
Sections = dict[str, tuple[Part, ...]]  # by heading


class Page(NamedTuple):
    """What the page of one kind of device shows."""

    title: str
    summary: str  # in a line
    sections: Sections


def markdown(page: Page) -> str:
    """Write a page as Markdown.

    Args:
        page: What it shows.
    """
    blocks = [f"# {page.title}", page.summary]
    for heading, parts in page.sections.items():
        blocks += [f"## {heading}", *(block for part in parts for block in blocks_of(part))]
    return "\n\n".join(blocks) + "\n"


def blocks_of(part: Part) -> Iterator[str]:
    """Paragraphs and tables of one part of a page.

    Args:
        part: What to show.
    """
    if isinstance(part, Text):
        yield f"`{_dotted(part.of)}`"
        yield docstring_text(part.of)
    elif isinstance(part, Fields):
        yield f"`{_dotted(part.owner)}`: {_first(docstring_text(part.owner))}"
        yield table_of(part)
        if len(part.records) > 1:
            yield values_of(part)
    elif isinstance(part, Argument):
        note = argument_note(part.function, part.name)
        unit = f" [{note.unit}]" if note.unit else ""
        yield f"`{_dotted(part.function)}`, argument `{note.name}`: {note.meaning}{unit}"
    elif isinstance(part, Names):
        yield f"{part.title}: {', '.join(f'`{name}`' for name in part.names)}"
    else:
        yield "\n".join(_sources(part))


def notes_of(part: Fields) -> tuple[Note, ...]:
    """What is said about the fields that a part shows, in the order of the class.

    Args:
        part: Of a page.
    """
    notes = field_notes(part.owner)
    return tuple(note for note in notes if not part.names or note.name in part.names)


def table_of(part: Fields) -> str:
    """Write fields as a table in Markdown, one row each; one record's values stand beside them.

    Args:
        part: Of a page.
    """
    records = part.records if len(part.records) == 1 else ()
    rows = [
        (f"`{note.name}`", note.meaning, note.unit, *_values(records, note.name))
        for note in notes_of(part)
    ]
    return _table(("name", "meaning", "unit", *(title for title, _ in records)), rows)


def values_of(part: Fields) -> str:
    """Write several records as a table in Markdown, one row each.

    Args:
        part: Of a page, with records.
    """
    names = [note.name for note in notes_of(part)]
    rows = [
        (title, *(_value(getattr(record, name)) for name in names))
        for title, record in part.records
    ]
    return _table(("", *(f"`{name}`" for name in names)), rows)


def _values(records: tuple[tuple[str, Any], ...], name: str) -> Iterator[str]:
    return (_value(getattr(record, name)) for _, record in records)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _sources(part: Sources) -> Iterator[str]:
    whole: tuple[tuple[ModuleType, tuple[str, ...]], ...] = tuple((m, ()) for m in part.modules)
    for module, constants in (*whole, *part.constants):
        for text in sources_named(module, constants):
            yield f"- {text} (`{module.__name__}`)"


def _dotted(thing: ModuleType | type | Callable[..., object]) -> str:
    if inspect.ismodule(thing):
        return thing.__name__
    return f"{thing.__module__}.{thing.__qualname__}"


def _first(text: str) -> str:
    """First paragraph as one line."""
    return " ".join(text.split("\n\n")[0].split())


def _cell(text: str) -> str:
    """Text that breaks no row of a table."""
    return re.sub(r"\s+", " ", text).replace("|", r"\|")


def _value(value: object) -> str:
    """A value for people."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    name = getattr(value, "name", None)
    if isinstance(name, str):  # a class, whose own numbers stand in another table
        return name
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    return str(value)
