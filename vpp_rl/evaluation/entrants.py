"""Trained runs as entrants of a contest: read together, and checked to belong together."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.scenario import ScenarioSpec
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.evaluation.benchmark import Entrant
from vpp_rl.training.checkpoint import load_policy
from vpp_rl.training.job import scenario_from
from vpp_rl.training.run import DONE
from vpp_rl.training.watch import LEARNING


@dataclass(frozen=True)
class Runs:
    """Runs on one scenario."""

    entrants: tuple[Entrant, ...]
    spec: ScenarioSpec
    config: dict[str, Any]  # of the first run
    learning: pd.DataFrame | None  # columns `figures.LEARNING_COLUMNS`


@dataclass(frozen=True)
class _Run:
    """One run, as its folder says."""

    folder: Path
    config: dict[str, Any]
    spec: ScenarioSpec
    entrant: Entrant


def read_runs(folders: Sequence[Path]) -> Runs:
    """Read the folders of finished runs.

    Args:
        folders: One or more.

    Raises:
        InputError: A run is unfinished or damaged, or they are of different scenarios, or those
            of one name are not the seeds of one learner.
    """
    if not folders:
        raise InputError("vpp evaluate needs the folder of a run: vpp evaluate RUN.")
    runs = [_read_run(folder) for folder in folders]
    for first, second in combinations(runs, 2):
        _refuse_strangers(first, second)
    curves = [_learning(run) for run in runs if (run.folder / LEARNING).is_file()]
    return Runs(
        tuple(run.entrant for run in runs),
        runs[0].spec,
        runs[0].config,
        pd.concat(curves) if curves else None,
    )


def read_priced_runs(folders: Sequence[Path]) -> tuple[list[tuple[float, Entrant]], ScenarioSpec]:
    """Read finished runs that differ in the price of discomfort alone, and in their seed.

    Args:
        folders: One or more.

    Returns:
        Price and entrant of each, and their scenario without a price.

    Raises:
        InputError: A run is unfinished or damaged, or they are of different scenarios or learners.
    """
    if not folders:
        raise InputError("vpp frontier needs the folders of runs: vpp frontier RUN RUN ...")
    runs = [_read_run(folder) for folder in folders]
    unpriced = [
        replace(run, spec=replace(run.spec, comfort_per_k_h=0.0), entrant=_named(run))
        for run in runs
    ]
    for first, second in combinations(unpriced, 2):
        _refuse_strangers(first, second)
    priced = zip(runs, unpriced, strict=True)
    return [(run.spec.comfort_per_k_h, one.entrant) for run, one in priced], unpriced[0].spec


def _named(run: _Run) -> Entrant:
    """An entrant whose name says its price, so that seeds of two prices are no twins."""
    policy = run.entrant.policy
    name = f"{policy.name}, {run.spec.comfort_per_k_h:g} a K h"
    return replace(run.entrant, policy=replace(policy, name=name))


def run_config(folder: Path) -> dict[str, Any]:
    """Read the configuration that a run was made with.

    Args:
        folder: Of the run.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: give the folder of a run that `vpp train` wrote.")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): copy the run again.") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} is not the configuration of a run: copy the run again.")
    return config


def difference(first: object, second: object, key: str = "") -> str:
    """Name the first key in which two configurations differ, with both values.

    Args:
        first: Mappings, lists and scalars.
        second: Likewise.
        key: Dotted name of what is compared.

    Returns:
        Such as ``"agent.seconds (120 and 200)"``; ``""`` where they are the same.
    """
    if not (isinstance(first, Mapping) and isinstance(second, Mapping)):
        return "" if first == second else f"{key} ({first!r} and {second!r})"
    for name in {**first, **second}:
        inner = f"{key}.{name}" if key else str(name)
        if found := difference(first.get(name), second.get(name), inner):
            return found
    return ""


def _read_run(folder: Path) -> _Run:
    config = run_config(folder)
    if not (folder / DONE).is_file():
        raise InputError(
            f"{folder} is unfinished: train it to the end, or name the folder of another run."
        )
    network, facts = load_policy(folder)
    name = f"{facts.agent}, {facts.dispatch.replace('_', ' ')}"
    policy = TrainedPolicy(network, facts.dispatch, name)
    entrant = Entrant(policy, facts.seed, facts.train_s, facts.train_steps)
    return _Run(folder, config, scenario_from(config), entrant)


def _refuse_strangers(first: _Run, second: _Run) -> None:
    """Refuse two runs that one scoreboard cannot hold."""
    if first.spec != second.spec:
        raise InputError(
            f"{second.folder} was trained on another scenario than {first.folder}: "
            "evaluate them apart."
        )
    name = first.entrant.policy.name
    if name != second.entrant.policy.name:
        return
    differs = difference(first.config.get("agent"), second.config.get("agent"), "agent")
    if differs:
        raise InputError(
            f"{first.folder} and {second.folder} are both '{name}', but are no seeds of one "
            f"learner: they differ in {differs}; evaluate them apart."
        )
    if first.entrant.seed == second.entrant.seed:
        raise InputError(
            f"{first.folder} and {second.folder} are both '{name}' of seed {first.entrant.seed}: "
            "name one of them."
        )


def _learning(run: _Run) -> pd.DataFrame:
    """The learning curve of a run, with the columns `figures.LEARNING_COLUMNS`."""
    curve = pd.read_csv(run.folder / LEARNING).rename(columns={"home_steps": "steps"})
    return curve.assign(policy=run.entrant.policy.name, seed=run.entrant.seed)
