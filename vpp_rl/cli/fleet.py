"""``vpp fleet``: write, check and describe a table of homes and their devices."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from vpp_envs.fleet.fleet import Fleet
    from vpp_envs.problems import Problem

ABOUT = """usage: vpp fleet template [--out FILE] [--homes N]
       vpp fleet validate FILE
       vpp fleet describe FILE | OVERRIDES
       vpp fleet sample --out FILE [OVERRIDES]
       vpp fleet event FILE | OVERRIDES [--mw MW] [--hours H] [--fill F]
       vpp fleet commit [OVERRIDES] [--events N] [--history N] [--chance P] [--lead H]
                        [--prepare H] [--seed N]
       vpp fleet shapes --data FOLDER --out FOLDER [--homes N] [--weeks N]

Write, check and describe fleets of homes as tables, CSV or Parquet.

  template  a valid table of a few homes to start from; without --out it is printed
  validate  name everything that is wrong with a table, errors and warnings apart
  describe  what there is in a table, or in the fleet of a configuration
  sample    write the fleet of a configuration as a table
  event     how much its batteries give in a peak event, reserves kept (250 MW for 2 hours, full)
  commit    what may be promised for an event an hour ahead, and how often it is kept: 400 events
            teach, 600 later ones test, with owners who opt out and override, links that fail and
            feeders that go dark (scenario.people, scenario.links, scenario.outages)
  shapes    load shapes of simulated homes beside those of public data (64 homes, 26 weeks)

  vpp fleet template --out homes.csv
  vpp fleet validate homes.csv
  vpp fleet describe fleet=mixed fleet.homes=1000
  vpp fleet sample --out homes.parquet fleet=suburb fleet.homes=100
  vpp fleet event fleet=mixed fleet.homes=50000 fleet.battery_share=0.6 --mw 175 --hours 2
  vpp fleet commit fleet=california fleet.homes=200 scenario.links.kinds=128
  vpp train fleet.table=homes.csv

A table has one row a device. home_id, a number or text, says which rows are one home; kind is site,
battery, solar, ev, water_heater, hvac, dishwasher, washer, dryer, pool_pump or generator. Each home
has one site row with what was agreed on for its connection, and at most one row of each other kind:
two batteries are joined by adding their capacities and powers. A cell that means nothing for its
kind stays blank. Powers and energies are positive, at the AC side where nothing else is said.
[What a blank cell means stands in brackets], and then what it may be: beyond that it is refused,
beyond what is usual a warning says so."""

_SHOWN = 40  # problems of a kind


def run(argv: Sequence[str]) -> int:
    """Run ``vpp fleet``."""
    from vpp_rl.cli.fleet_commit import commit
    from vpp_rl.cli.fleet_shapes import shapes
    from vpp_rl.cli.words import run_verb

    if not argv or any(flag in argv for flag in ("-h", "--help")):
        from vpp_envs.fleet.columns import columns_help

        print(f"{ABOUT}\n{columns_help()}")
        return 0 if argv else 2
    verbs = {
        "template": _template,
        "validate": _validate,
        "describe": _describe,
        "sample": _sample,
        "event": _event,
        "commit": commit,
        "shapes": shapes,
    }
    return run_verb("fleet", verbs, argv)


def _template(words: Sequence[str]) -> int:
    from vpp_envs.errors import InputError
    from vpp_envs.fleet.example import example_columns
    from vpp_envs.fleet.table_cells import csv_bytes, write_cells
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words
    from vpp_rl.files import refuse_to_overwrite

    asked = read_words("fleet template", words, "", ("--out", "--homes"))
    homes = asked.get("--homes", "4")
    if not homes.isdecimal() or int(homes) < 1:
        raise InputError(
            f"vpp fleet template: --homes must be a whole number above 0, got {homes!r}."
        )
    cells = example_columns(int(homes))
    if "--out" not in asked:
        print(csv_bytes(cells).decode(), end="")
        return 0
    path = Path(asked["--out"])
    refuse_to_overwrite(path)
    write_cells(path, cells)
    console().print(f"wrote {path}\nnext: edit it, then vpp fleet validate {path}")
    return 0


def _validate(words: Sequence[str]) -> int:
    from vpp_envs.fleet.table import inspect_fleet
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words

    path = Path(read_words("fleet validate", words, "FILE", ())["FILE"])
    table, problems = inspect_fleet(path)
    errors = [problem for problem in problems if not problem.warning]
    warnings = [problem for problem in problems if problem.warning]
    out = console()
    for title, some in (("Errors", errors), ("Warnings", warnings)):
        if some:
            out.print(_problem_table(f"{title} ({len(some):,})", some), soft_wrap=False)
        if len(some) > _SHOWN:
            out.print(f"and {len(some) - _SHOWN:,} more {title.lower()}.\n")
    if table is None:
        out.print(f"{path.name} cannot be used: mend the {_count(len(errors), 'error')}.")
        return 2
    out.print(
        f"{path.name} is valid: {_count(len(table.names), 'home')}, "
        f"{_count(len(warnings), 'warning')}.\n"
        f"next: vpp fleet describe {path}   or   vpp train fleet.table={path}"
    )
    return 0


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _problem_table(title: str, problems: Sequence["Problem"]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("row", justify="right", no_wrap=True)
    table.add_column("column", no_wrap=True)
    table.add_column("value", overflow="fold", max_width=16)
    table.add_column("rule")
    table.add_column("fix")
    for problem in problems[:_SHOWN]:
        rule, _, fix = problem.rule.partition("; ")
        table.add_row(str(problem.line), problem.key, problem.value, rule, fix)
    return table


def _describe(words: Sequence[str]) -> int:
    from vpp_rl.cli.console import console
    from vpp_rl.cli.fleet_view import fleet_view

    fleet, name = _named(words)
    out = console()
    for part in fleet_view(fleet, name):
        out.print(part)
    return 0


def _named(words: Sequence[str]) -> tuple["Fleet", str]:
    """The fleet of a table, or of a configuration, and what it is called."""
    from vpp_envs.fleet.table import read_fleet

    if len(words) == 1 and "=" not in words[0]:
        return read_fleet(words[0]), Path(words[0]).name
    return _composed(words), " ".join(words) or "fleet=mixed"


def _event(words: Sequence[str]) -> int:
    from vpp_rl.cli.console import console
    from vpp_rl.cli.fleet_event_view import event_view
    from vpp_rl.cli.words import read_words
    from vpp_rl.evaluation.fleet_event import peak_event

    flags = ("--mw", "--hours", "--fill")
    first = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    asked = read_words("fleet event", words[first:], "", flags)
    defaults = {"--mw": "250", "--hours": "2", "--fill": "1"}
    target_mw, hours, fill = (_number(key, asked.get(key, defaults[key])) for key in flags)
    fleet, name = _named(words[:first])
    event = peak_event(fleet, target_mw, hours, fill)
    for part in event_view(event, name, target_mw):
        console().print(part)
    return 0


def _number(key: str, text: str) -> float:
    """The number after a flag.

    Raises:
        InputError: It is none.
    """
    from vpp_envs.errors import InputError

    try:
        return float(text)
    except ValueError:
        raise InputError(f"vpp fleet event: {key} must be a number, got {text!r}.") from None


def _sample(words: Sequence[str]) -> int:
    from vpp_envs.errors import InputError
    from vpp_envs.fleet.table import write_fleet
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words
    from vpp_rl.files import refuse_to_overwrite

    overrides = [word for word in words if "=" in word and not word.startswith("--")]
    flags = [word for word in words if word not in overrides]
    asked = read_words("fleet sample", flags, "", ("--out",))
    if "--out" not in asked:
        raise InputError("vpp fleet sample needs the name of a table: add --out homes.csv")
    path = Path(asked["--out"])
    refuse_to_overwrite(path)
    fleet = _composed(overrides)
    write_fleet(fleet, path)
    console().print(
        f"wrote {_count(len(fleet.home_id), 'home')} to {path}\nnext: vpp fleet describe {path}"
    )
    return 0


def _composed(overrides: Sequence[str]) -> "Fleet":
    """Fleet of a configuration of ``vpp train``: all homes of its table, or sampled ones."""
    from vpp_envs.fleet.sampling import sample_fleet
    from vpp_envs.fleet.table import read_fleet
    from vpp_rl.configuration import compose, resolved
    from vpp_rl.training.job import scenario_from

    spec = scenario_from(resolved(compose("train", overrides))).fleet
    return sample_fleet(spec) if spec.table is None else read_fleet(spec.table)
