"""What the pages of all kinds of device have in common."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from vpp_envs.dispatch.modes import DISPATCH, action_names
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible_tables import COHORTS
from vpp_envs.observation import feature_names
from vpp_rl.cli.pages.page import Fields, Names, Part, Text
from vpp_rl.cli.pages.source_notes import docstring_text

WHAT, PARAMETERS, PROMISE, STATE = "What it is", "Parameters", "What is promised", "State"
ENVELOPE, STEP, ALONE = "Envelope", "Step", "Left alone"
SEEN, COMMANDS, CLASSES = "What a policy sees", "What a policy commands", "Classes"
SAMPLING, SOURCES = "Sampling", "Sources and assumptions"

_AT_THE_METER = ("import_limit_kw", "export_limit_kw", "homeowner_share")
CONNECTION = Fields(Agreement, _AT_THE_METER)


def line_of(module: ModuleType) -> str:
    """First line of a module's docstring.

    Args:
        module: With one.
    """
    return docstring_text(module).split("\n")[0]


def sampled(*names: str) -> Fields:
    """Fields of the configuration that shape the sampled devices, with their defaults.

    Args:
        names: Of `FleetSpec`.
    """
    return Fields(FleetSpec, names, (("default", FleetSpec()),))


def sampled_at_the_meter(*names: str) -> Fields:
    """The same with the fields of the home's connection.

    Args:
        names: Of `FleetSpec`.
    """
    return sampled(*names, *_AT_THE_METER)


def classes(cohorts: tuple[Any, ...]) -> Fields:
    """Numbers of the classes of a kind, a column each.

    Args:
        cohorts: With a field `name`.
    """
    names = tuple(name for name in type(cohorts[0])._fields if name != "name")
    return Fields(type(cohorts[0]), names, tuple((f"`{one.name}`", one) for one in cohorts))


def seen(kind: str, features: Callable[..., object]) -> tuple[Part, ...]:
    """What is in the observation because of a kind.

    Args:
        kind: Of device.
        features: The function that makes them.
    """
    batteries, cars, flexible = _one_class(kind)
    names = feature_names(batteries, cars, flexible=flexible.get(kind, ()))
    if kind == "solar":
        of_fleet = tuple(name for name in names if name.endswith("/solar"))
        return Text(features), Names("Of the whole fleet", of_fleet)
    others = feature_names(())
    own = tuple(name.partition("/")[2] for name in names if name not in others)
    return Text(features), Names("Of each class, as `class/name`", own)


def commands(kind: str) -> tuple[Part, ...]:
    """What is in the action because of a kind, mode by mode, for one class and one home.

    Args:
        kind: Of device.
    """
    batteries, cars, flexible = _one_class(kind)
    parts = []
    for mode in DISPATCH:
        names = action_names(mode, batteries, 1, cars, flexible)
        if kind == "solar":
            own = tuple(name for name in names if name.startswith("solar/"))
        else:
            others = action_names(mode, (), homes=0 if kind == "battery" else 1)
            own = tuple(name for name in names if name not in others)
        parts.append(Names(f"`dispatch={mode}`", own))
    return tuple(parts)


def _one_class(kind: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Names of one class of batteries, of cars and of flexible devices, if they are the kind."""
    batteries = (BATTERY_COHORTS[0].name,) if kind == "battery" else ()
    cars = (EV_COHORTS[0].name,) if kind == "ev" else ()
    return batteries, cars, {kind: (COHORTS[kind][0].name,)} if kind in COHORTS else {}
