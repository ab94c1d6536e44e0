"""From a composed configuration to a typed training job."""

import shutil
from collections.abc import Mapping
from typing import Any

from vpp_envs.errors import InputError
from vpp_envs.fleet.sampling import FleetSpec
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.signals.market import MarketSpec
from vpp_rl.agents.registry import learner
from vpp_rl.configuration import build
from vpp_rl.evaluation.rollout import Windows
from vpp_rl.training.run import TrainingJob


def scenario_from(cfg: Mapping[str, Any]) -> ScenarioSpec:
    """Build the scenario of a configuration with groups scenario, market and fleet."""
    values = dict(cfg["scenario"])
    values["market"] = dict(cfg["market"])
    values["fleet"] = dict(cfg["fleet"])
    build("market", values["market"], MarketSpec)
    build("fleet", values["fleet"], FleetSpec)
    return build("scenario", values, ScenarioSpec)


def job_from(cfg: Mapping[str, Any]) -> TrainingJob:
    """Build the training job of ``configs/train.yaml``."""
    name = cfg["agent"]["name"]
    return TrainingJob(
        scenario=scenario_from(cfg),
        agent=build("agent", dict(cfg["agent"]), learner(name).settings),
        dispatch=cfg["dispatch"],
        seed=int(cfg["seed"]),
        compile=_compile(cfg["compile"]),
        validations=int(cfg["validations"]),
        validation=Windows(
            "validation",
            window_days=cfg["validation_window_days"],
            most=int(cfg["validation_windows"]),
        ),
    )


def _compile(choice: object) -> bool:
    """Whether to fuse the steps: by default wherever there is a C++ compiler."""
    if choice == "auto":
        return any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    if isinstance(choice, bool):
        return choice
    raise InputError(f"compile must be true, false or auto, got {choice!r}.")
