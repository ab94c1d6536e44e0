"""The table of learners: name, settings, and how one is made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.learner import Learner

Settings = Any  # the settings dataclass of a learner


@dataclass(frozen=True)
class LearnerKind:
    """How a learner is set up and made."""

    settings: type[Any]  # has name, hidden, scenarios (rows), seconds and iterations at least
    make: Callable[[FleetVectorEnv, Settings, int, bool], Learner]  # env, settings, seed, compile
    autoreset_mode: str
    steps_env: bool  # it steps the environment, whose rows then start at different ages


def _apg() -> LearnerKind:
    from vpp_rl.agents.analytic import AnalyticLearner, AnalyticSettings

    return LearnerKind(AnalyticSettings, AnalyticLearner, "Disabled", steps_env=False)


def _ppo() -> LearnerKind:
    from vpp_rl.agents.ppo import PpoLearner, PpoSettings

    return LearnerKind(PpoSettings, PpoLearner, "SameStep", steps_env=True)


def _off_policy(settings: str) -> LearnerKind:
    from vpp_rl.agents import off_policy

    return LearnerKind(
        getattr(off_policy, settings), off_policy.OffPolicyLearner, "SameStep", steps_env=True
    )


def _rllib_ppo() -> LearnerKind:
    from vpp_rl.agents.rllib import RllibSettings, make

    # Its runners step environments of their own, which they make from the scenario.
    return LearnerKind(RllibSettings, make, "NextStep", steps_env=False)


# By name: functions, because the library that a learner needs is imported only with it.
LEARNERS: dict[str, Callable[[], LearnerKind]] = {
    "apg": _apg,
    "ppo": _ppo,
    "sac": partial(_off_policy, "SacSettings"),
    "td3": partial(_off_policy, "Td3Settings"),
    "tqc": partial(_off_policy, "TqcSettings"),
    "rllib_ppo": _rllib_ppo,
}


def learner(name: str) -> LearnerKind:
    """Return a kind of learner by name; the library that it needs is imported only now.

    Raises:
        InputError: The name is unknown.
    """
    if name not in LEARNERS:
        *most, last = LEARNERS
        raise InputError(f"agent.name must be {', '.join(most)} or {last}, got {name!r}.")
    return LEARNERS[name]()
