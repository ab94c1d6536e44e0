"""The table of learners: name, settings, and the function that trains."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import AnalyticSettings, Progress, train_analytic
from vpp_rl.agents.network import PolicyNetwork

Settings = Any  # one of the settings dataclasses below
Train = Callable[
    [FleetVectorEnv, Settings, int, Callable[[Progress, PolicyNetwork], None], bool], PolicyNetwork
]


@dataclass(frozen=True)
class Learner:
    """How a learner is set up and run."""

    settings: type[Any]
    train: Train
    autoreset_mode: str
    steps_env: bool  # it steps the environment, whose rows then start at different ages


def learner(name: str) -> Learner:
    """Return a learner by name; the library that it needs is imported only now.

    Raises:
        InputError: The name is unknown.
    """
    if name == "apg":
        return Learner(AnalyticSettings, train_analytic, "Disabled", steps_env=False)
    if name == "ppo":
        from vpp_rl.agents.ppo import PpoSettings, train_ppo

        return Learner(PpoSettings, train_ppo, "SameStep", steps_env=True)
    raise InputError(f"agent.name must be apg or ppo, got {name!r}.")
