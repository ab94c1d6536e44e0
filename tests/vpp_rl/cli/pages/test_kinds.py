import re

import pytest

from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS
from vpp_envs.flexible.kinds import KINDS
from vpp_envs.flexible_tables import COHORTS
from vpp_envs.observation import BATTERY_FEATURES, CAR_FEATURES, FLEXIBLE_FEATURES
from vpp_rl.cli.pages import shared
from vpp_rl.cli.pages.kinds import PAGES
from vpp_rl.cli.pages.page import Argument, Fields, Names, Text, blocks_of, markdown, notes_of
from vpp_rl.cli.pages.source_notes import argument_note

HEADINGS = (
    *(shared.WHAT, shared.PARAMETERS, shared.PROMISE, shared.STATE, shared.ENVELOPE, shared.STEP),
    *(shared.ALONE, shared.SEEN, shared.COMMANDS, shared.CLASSES, shared.SAMPLING, shared.SOURCES),
)
# Of names that end like this the unit belongs into the comment.
WITH_UNIT = re.compile(r"_(kw|kwh|h|s|c|k|l|km|kg|m2|kw_per_k|kwh_per_k|per_kwh|per_h|per_l)$")
SHAPE_OR_TYPE = re.compile(r"\([^()]*\)|int64|bool")


def fields_shown(kind):
    parts = [part for parts in PAGES[kind]().sections.values() for part in parts]
    return [part for part in parts if isinstance(part, Fields)]


def test_every_kind_of_device_has_a_page():
    assert tuple(PAGES) == ("battery", "solar", "ev", "depot", *KINDS)


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_has_all_sections_in_order(kind):
    expected = [name for name in HEADINGS if kind != "solar" or name != shared.CLASSES]
    assert list(PAGES[kind]().sections) == expected
    headings = re.findall(r"^## (.*)$", markdown(PAGES[kind]()), re.MULTILINE)
    assert headings == expected


@pytest.mark.parametrize("kind", PAGES)
def test_no_section_is_empty_and_nothing_in_one_is(kind):
    for heading, parts in PAGES[kind]().sections.items():
        assert parts, heading
        for part in parts:
            assert all(block.strip() for block in blocks_of(part)), (heading, part)
            if isinstance(part, Names):
                assert part.names, (heading, part)
            if isinstance(part, Argument):
                assert argument_note(part.function, part.name).meaning, part
            if isinstance(part, Fields):
                assert {note.name for note in notes_of(part)} >= set(part.names), part


@pytest.mark.parametrize("kind", PAGES)
def test_every_field_shown_says_what_it_means(kind):
    """A shape or a type alone is no meaning: add a comment to the field."""
    silent = [
        f"{part.owner.__name__}.{note.name}"
        for part in fields_shown(kind)
        for note in notes_of(part)
        if not re.search("[a-z]{2}", SHAPE_OR_TYPE.sub("", note.meaning))
    ]
    assert silent == []


@pytest.mark.parametrize("kind", PAGES)
def test_every_field_that_is_named_by_a_unit_says_it(kind):
    silent = [
        f"{part.owner.__name__}.{note.name}"
        for part in fields_shown(kind)
        for note in notes_of(part)
        if WITH_UNIT.search(note.name) and not note.unit
    ]
    assert silent == []


@pytest.mark.parametrize("kind", PAGES)
def test_the_names_in_the_observation_are_those_of_the_kind(kind):
    features = {"battery": BATTERY_FEATURES, "solar": ("fleet/solar",)}
    features |= dict.fromkeys(("ev", "depot"), CAR_FEATURES)
    shown = [part for part in PAGES[kind]().sections[shared.SEEN] if isinstance(part, Names)]
    expected = features.get(kind, FLEXIBLE_FEATURES)
    assert shown[0].names[-len(expected) :] == expected
    # Beside these a class of batteries has the points of its value curve.
    assert kind == "battery" or len(shown[0].names) == len(expected)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("battery", ("battery_1h/power", "home_0/power")),
        ("solar", ("solar/curtail", "solar/curtail")),
        ("ev", ("ev_v1g/power", "home_0/ev")),
        ("depot", ("ev_v1g/power", "home_0/ev")),
        ("hvac", ("hvac_short/power", "home_0/hvac")),
        ("dryer", ("dryer/power", "home_0/dryer")),
    ],
)
def test_the_names_in_the_action_are_those_of_the_kind(kind, names):
    _, by_class, by_home = PAGES[kind]().sections[shared.COMMANDS]
    assert (*by_class.names, *by_home.names) == names


@pytest.mark.parametrize("kind", [kind for kind in PAGES if kind != "solar"])
def test_every_class_of_a_kind_is_shown_with_its_numbers(kind):
    cohorts = {"battery": BATTERY_COHORTS, "ev": EV_COHORTS, "depot": EV_COHORTS, **COHORTS}[kind]
    part = PAGES[kind]().sections[shared.CLASSES][-1]
    assert [title for title, _ in part.records] == [f"`{cohort.name}`" for cohort in cohorts]
    text = markdown(PAGES[kind]()).partition(f"## {shared.CLASSES}")[2]
    assert all(f"`{cohort.name}`" in text for cohort in cohorts)
    if kind == "hvac":
        assert "| `hvac_medium` | 0.8 | 0.18 | 26 |" in text


@pytest.mark.parametrize("kind", PAGES)
def test_rows_of_a_table_have_as_many_cells_as_its_head(kind):
    tables = [b for b in markdown(PAGES[kind]()).split("\n\n") if b.startswith("|")]
    assert tables
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, table


@pytest.mark.parametrize("kind", PAGES)
def test_the_kind_itself_is_sampled_by_a_share_of_homes(kind):
    (spec,) = (p for p in fields_shown(kind) if p.owner.__name__ == "FleetSpec")
    assert f"{kind}_share" in spec.names


def test_the_page_says_what_the_source_says():
    text = markdown(PAGES["battery"]())
    assert "| `charge_kw` | AC limit when charging | kW |" in text
    assert "Power of a device that is left alone: the point of its envelope nearest to zero" in text
    assert "| `export_limit_kw` | per phase in Australia; none: no limit binds | kW | 5 |" in text
    assert "BLAST-Lite" in text.partition(f"## {shared.SOURCES}")[2]
    dryer = markdown(PAGES["dryer"]())
    assert "| `energy_kwh` | least and most of a job | kWh | 1.5, 1.9 |" in dryer


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_names_functions_that_exist(kind):
    for parts in PAGES[kind]().sections.values():
        for part in parts:
            if isinstance(part, Text):
                assert part.of.__name__.startswith("vpp_envs.") or callable(part.of)
                assert part.of.__doc__
