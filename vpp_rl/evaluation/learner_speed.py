"""How fast PPO learns on this machine, beside the same PPO on an environment that does nothing."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.signals.market import MarketSpec
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.ppo import PpoSettings, ppo_model
from vpp_rl.agents.sb3_env import FleetVecEnv
from vpp_rl.evaluation.speed import seconds_of


@dataclass(frozen=True)
class LearnerSpeed:
    """PPO on our environment, and on one that does nothing."""

    ours: float  # steps a second
    idle: float  # steps a second

    @property
    def share(self) -> float:
        """Share of the idle speed that is reached. [0 to 1]"""
        return self.ours / self.idle


class IdleVecEnv(FleetVecEnv):
    """The same spaces, and a step that hands out the same arrays and infos for ever.

    Nothing of the adapter is left in it (no normaliser, no shaping, no list of infos), so that what
    remains is the learner alone: the strictest measure to hold an environment against.
    """

    def __init__(self, env: FleetVectorEnv, *arguments: Any) -> None:
        """Take the spaces of an environment, which is never stepped; see `FleetVecEnv`."""
        super().__init__(env, *arguments)
        rows, features = self.num_envs, len(env.observation_names)
        self._seen = np.zeros((rows, features), np.float32)
        self._reward, self._done = np.zeros(rows, np.float32), np.zeros(rows, bool)
        self._infos: list[dict[str, Any]] = [{}] * rows

    def reset(self) -> np.ndarray:
        """Do nothing."""
        return self._seen

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Do nothing."""
        return self._seen, self._reward, self._done, self._infos


def measure_learner(
    updates: int,
    settings: PpoSettings,
    homes: int = 64,
    compile: bool = True,
    done: Callable[[], None] = lambda: None,
) -> LearnerSpeed:
    """PPO's steps a second on our environment, adapter included, and on `IdleVecEnv`.

    Both learn in turn, an update (collection and training) at a time, and the median update
    counts. The first of each is not counted: it compiles. Rows are of different ages, so that
    restarts come as often as they do in training.

    Args:
        updates: Counted updates of each.
        settings: Of PPO.
        homes: Homes of each row.
        compile: Compile the environment.
        done: Called after every pair of updates.
    """
    spec = ScenarioSpec(
        market=MarketSpec(train_days=30), fleet=FleetSpec(homes=homes, duration_h=2.0)
    )
    env = FleetVectorEnv(
        spec, settings.scenarios, autoreset_mode="SameStep", stagger=True, compile=compile
    )
    ours, idle = _update(FleetVecEnv, env, settings), _update(IdleVecEnv, env, settings)
    times: list[tuple[float, float]] = []
    for _ in range(updates + 1):
        times.append((seconds_of(ours), seconds_of(idle)))
        done()
    steps = settings.scenarios * settings.steps
    counted = times[1:]
    return LearnerSpeed(
        steps / statistics.median(pair[0] for pair in counted),
        steps / statistics.median(pair[1] for pair in counted),
    )


def _update(
    kind: type[FleetVecEnv], env: FleetVectorEnv, settings: PpoSettings
) -> Callable[[], object]:
    """A learner that makes one update at each call, as `PpoLearner` does."""
    features = len(env.observation_names)
    adapter = kind(
        env,
        torch.zeros(features),
        torch.ones(features),
        settings.gamma,
        settings.shaping,
        settings.group,
    )
    adapter.seed(0)
    model = ppo_model(adapter, settings, seed=0)
    return partial(model.learn, settings.scenarios * settings.steps, reset_num_timesteps=False)
