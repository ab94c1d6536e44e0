"""Trained runs as entrants of a contest: read together, and checked to belong together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.scenario import ScenarioSpec
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.evaluation.benchmark import Entrant
from vpp_rl.training.checkpoint import load_policy
from vpp_rl.training.job import scenario_from
from vpp_rl.training.run import LEARNING


@dataclass(frozen=True)
class Runs:
    """Runs on one scenario."""

    entrants: tuple[Entrant, ...]
    spec: ScenarioSpec
    config: dict[str, Any]  # of the first run
    learning: pd.DataFrame | None  # columns `figures.LEARNING_COLUMNS`


def read_runs(folders: Sequence[Path]) -> Runs:
    """Read the folders of finished runs.

    Args:
        folders: One or more.

    Raises:
        InputError: A run is unfinished or damaged, or they are of different scenarios.
    """
    if not folders:
        raise InputError("vpp evaluate needs the folder of a run: vpp evaluate RUN.")
    entrants, curves = [], []
    configs = [_config(folder) for folder in folders]
    spec = scenario_from(configs[0])
    for folder, config in zip(folders, configs, strict=True):
        if scenario_from(config) != spec:
            raise InputError(
                f"{folder} was trained on another scenario than {folders[0]}: evaluate them apart."
            )
        network, facts = load_policy(folder)
        name = f"{facts.agent}, {facts.dispatch.replace('_', ' ')}"
        policy = TrainedPolicy(network, facts.dispatch, name)
        entrants.append(Entrant(policy, facts.seed, facts.train_s, facts.train_steps))
        if (folder / LEARNING).is_file():
            curve = pd.read_csv(folder / LEARNING).rename(columns={"home_steps": "steps"})
            curves.append(curve.assign(policy=name, seed=facts.seed))
    return Runs(tuple(entrants), spec, configs[0], pd.concat(curves) if curves else None)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: give the folder of a run that `vpp train` wrote.")
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): copy the run again.") from None
    return config
