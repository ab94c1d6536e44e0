import sys
from dataclasses import dataclass
from typing import NamedTuple

from vpp_rl.cli.pages.source_notes import (
    Note,
    argument_note,
    docstring_text,
    field_notes,
    sources_named,
)

SPEED = 3.0  # of light, in NREL's units [m/s]
# Weights in a row (an assumption),
# over two lines.
WEIGHTS = (1.0, 2.0)
PLAIN = 1.0  # nobody said where from


class Inner(NamedTuple):
    """What lies inside.

    More about it.
    """

    size_kw: float


class Outer(NamedTuple):
    """A class to read."""

    same_line_kw: float  # at the meter, (N,) [kW]
    # Above it, on two
    # lines. [C]
    above_c: float
    folded: (
        float  # within brackets [0 to 1]
    )  # fmt: skip
    inner: Inner
    maybe: Inner | None = None
    silent: float = 0.0
    # Of several fields that follow.
    closed: float = 0.0  # with a stop [1/h].


@dataclass(frozen=True)
class Spec:
    """A dataclass."""

    share: float = 0.5  # of homes


def worked(first_kw, second):
    """Do something, (N,). [kW]

    How it is done.

    Args:
        first_kw: Of the first,
            on two lines. [kW]
        second: Of the second.

    Returns:
        Nothing.
    """


def test_a_comment_is_meaning_and_unit_on_the_line_above_it_or_folded():
    notes = {note.name: note for note in field_notes(Outer)}
    assert notes["same_line_kw"] == Note("same_line_kw", "at the meter, (N,)", "kW")
    assert notes["above_c"] == Note("above_c", "Above it, on two lines.", "C")
    assert notes["folded"].meaning.startswith("within brackets")
    assert notes["closed"] == Note("closed", "with a stop", "1/h")
    assert tuple(notes) == Outer._fields


def test_a_field_without_a_comment_means_what_its_named_tuple_is_and_else_nothing():
    notes = {note.name: note for note in field_notes(Outer)}
    assert notes["inner"].meaning == "What lies inside."
    assert notes["maybe"].meaning == "What lies inside."
    assert notes["silent"] == Note("silent", "", "")


def test_fields_of_a_dataclass_are_read_alike():
    assert field_notes(Spec) == (Note("share", "of homes", ""),)


def test_a_docstring_ends_before_its_sections():
    assert docstring_text(worked) == "Do something, (N,). [kW]\n\nHow it is done."


def test_an_argument_is_read_over_its_lines():
    assert argument_note(worked, "first_kw") == Note(
        "first_kw", "Of the first, on two lines.", "kW"
    )
    assert argument_note(worked, "second") == Note("second", "Of the second.", "")
    assert argument_note(worked, "third") == Note("third", "", "")


def test_sources_are_the_comments_that_name_one_or_an_assumption():
    module = sys.modules[__name__]
    assert sources_named(module, ("SPEED", "WEIGHTS", "PLAIN")) == (
        "`SPEED`: of light, in NREL's units [m/s]",
        "Weights in a row (an assumption), over two lines.",
    )
