"""The vector environment as RLlib's runners want it: a class of one argument, in next-step mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from vpp_envs.saved_state import plain, restored
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.vector_env import FleetVectorEnv, Stepped
from vpp_rl.agents.stored_value import StoredValue

# What the wrapper itself carries from step to step, its normaliser included.
_STATE = ("_mean", "_scale", "_potential", "_ended", "_earned", "_lived")
RUNNERS_ID = "rllib-single-agent-env-v0"  # under which RLlib registers whatever it runs


@dataclass(frozen=True)
class Plan:
    """What a runner makes its environment from: small enough to be sent to another process."""

    scenario: ScenarioSpec
    dispatch: str
    reward_scale: float
    compile: bool
    mean: np.ndarray  # of the policy network's normaliser, (F,)
    scale: np.ndarray  # (F,)
    gamma: float
    shaping: bool
    group: int


class RunnersEnv(VectorEnv[Any, Any, Any]):
    """Normalised observations, shaped and paired rewards; see `sb3_env.FleetVecEnv`.

    In next-step mode a row's last observation is returned as it is, and the step after it starts
    the row anew, ignores its action and pays nothing. RLlib counts on that mode. It accepts
    same-step mode without a word and then joins the end of one episode to the start of the next.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        """Build the rows of one runner.

        Args:
            context: RLlib's: ``num_envs`` of its own, and ``plan`` from the algorithm.
        """
        plan: Plan = context["plan"]
        env = FleetVectorEnv(
            plan.scenario,
            num_envs=context["num_envs"],
            dispatch=plan.dispatch,
            split="train",
            autoreset_mode=AutoresetMode.NEXT_STEP,
            reward_scale=plan.reward_scale,
            stagger=True,
            compile=plan.compile,
        )
        self.fleet_env, self._plan = env, plan
        self.num_envs, self.metadata = env.num_envs, env.metadata
        self.single_observation_space = env.single_observation_space
        self.observation_space = env.observation_space
        self.single_action_space = env.single_action_space
        self.action_space = env.action_space
        self._mean, self._scale = plan.mean.copy(), plan.scale.copy()
        self._stored_value = StoredValue(env)
        self._potential = np.zeros(env.num_envs)
        self._ended = np.zeros(env.num_envs, dtype=bool)
        self._earned, self._lived = 0.0, 0
        self._stand_still = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start all rows; right after `set_state`, leave them as they are.

        Args:
            seed: Runners with different seeds live different days; rows of a group the same.
            options: Of `FleetVectorEnv.reset`.
        """
        if self._stand_still:
            self._stand_still = False
            return self._normal(self._seen()), {}
        if isinstance(seed, int):
            groups = self.num_envs // self._plan.group
            seed = [seed * groups + row // self._plan.group for row in range(self.num_envs)]
        observation, _ = self.fleet_env.reset(seed=seed, options=options)
        stored = self._stored_value
        self._potential = stored(observation, self.fleet_env.tick.numpy(), stored.size)
        self._ended[:] = False
        return self._normal(observation), {}

    def step(self, actions: np.ndarray) -> Stepped:
        """Advance all rows by one control interval; rows that ended start anew instead."""
        started = self._ended
        observation, reward, terminated, truncated, _ = self.fleet_env.step(actions)
        self._earned += float(reward.sum())
        self._lived += int((~started).sum())
        if self._plan.shaping:
            stored = self._stored_value
            potential = stored(observation, self.fleet_env.tick.numpy(), stored.size)
            gain = self._plan.gamma * potential - self._potential
            reward = reward + np.where(started, 0.0, gain)
            self._potential = potential
        if self._plan.group > 1:
            groups = reward.reshape(-1, self._plan.group)
            reward = (groups - groups.mean(axis=1, keepdims=True)).reshape(-1)
        self._ended = truncated
        return self._normal(observation), reward.astype(np.float32), terminated, truncated, {}

    def mean_reward(self) -> float:
        """What a row earned an interval since this was asked last, before it was shaped."""
        mean = self._earned / self._lived if self._lived else float("nan")
        self._earned, self._lived = 0.0, 0
        return mean

    @property
    def ended(self) -> np.ndarray:
        """Rows that the next step starts anew, (B,) bool."""
        return self._ended.copy()

    def get_state(self) -> dict[str, Any]:
        """Copy all that the next step depends on, the environment's own state included."""
        state = {name: plain(getattr(self, name)) for name in _STATE}
        return {"env": self.fleet_env.get_state(), **state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state: the next reset only shows it.

        Args:
            state: From `get_state` of an environment made with the same arguments.
        """
        self.fleet_env.set_state(state["env"])
        for name in _STATE:
            setattr(self, name, restored(state[name], getattr(self, name), name))
        self._stand_still = True

    def _seen(self) -> np.ndarray:
        """The raw observation, (B, F)."""
        seen: np.ndarray = self.fleet_env.observation.to("cpu").float().numpy()
        return seen

    def _normal(self, observation: np.ndarray) -> np.ndarray:
        """Normalise as the policy network will."""
        normal = (observation - self._mean) * self._scale
        clipped: np.ndarray = normal.clip(-10.0, 10.0).astype(np.float32)
        return clipped
