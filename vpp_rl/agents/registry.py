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
    # Settings that a learner takes up which goes on from a state written with others. All others
    # have shaped that state: networks, rows, what a replay remembers, what is learned by now.
    changeable: tuple[str, ...]


_OF_EVERY_PPO = (
    "learning_rate",
    "batch",
    "epochs",
    "gamma",
    "gae_lambda",
    "clip_range",
    "entropy",
)


def _apg() -> LearnerKind:
    from vpp_rl.agents.analytic import AnalyticLearner, AnalyticSettings

    return LearnerKind(
        AnalyticSettings,
        AnalyticLearner,
        "Disabled",
        steps_env=False,
        changeable=(
            *("learning_rate", "temperature", "final_temperature"),
            *("weight_decay", "max_grad_norm"),
        ),
    )


def _ppo() -> LearnerKind:
    from vpp_rl.agents.ppo import PpoLearner, PpoSettings

    return LearnerKind(
        PpoSettings, PpoLearner, "SameStep", steps_env=True, changeable=_OF_EVERY_PPO
    )


def _off_policy(settings: str, *changeable: str) -> LearnerKind:
    from vpp_rl.agents import off_policy

    return LearnerKind(
        getattr(off_policy, settings),
        off_policy.OffPolicyLearner,
        "SameStep",
        steps_env=True,
        # Not gamma: the replay holds rewards that were shaped with it.
        changeable=("learning_rate", "batch", "gradient_steps", "tau", "horizon_h", *changeable),
    )


def _rllib_ppo() -> LearnerKind:
    from vpp_rl.agents.rllib import RllibSettings, make

    # Its runners step environments of their own, which they make from the scenario.
    return LearnerKind(RllibSettings, make, "NextStep", steps_env=False, changeable=_OF_EVERY_PPO)


# By name: functions, because the library that a learner needs is imported only with it.
LEARNERS: dict[str, Callable[[], LearnerKind]] = {
    "apg": _apg,
    "ppo": _ppo,
    "sac": partial(_off_policy, "SacSettings", "target_entropy"),
    "td3": partial(_off_policy, "Td3Settings", "noise", "policy_delay", "target_noise"),
    "tqc": partial(_off_policy, "TqcSettings", "target_entropy", "dropped_quantiles"),
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
