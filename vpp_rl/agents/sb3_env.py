"""The vector environment as Stable-Baselines3 wants it: one thin adapter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.saved_state import plain, restored
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.stored_value import StoredValue

# What the adapter itself carries from step to step. The normaliser belongs to it, because on
# another machine the first observations may differ in their last bits.
_STATE = ("_steps", "_potential", "_mean", "_scale")


class FleetVecEnv(VecEnv):
    """Same-step autoreset, fresh infos, normalised observations, shaped and paired rewards.

    Rows of a group live the same days from the same stored energy, and each is paid what it made
    more than the group's mean at the same interval: prices are nobody's merit, and without them
    the reward shows what the action did (common random numbers; the others' rewards do not depend
    on a row's action, so the gradient keeps its direction). A row alone is paid all that it made.

    With ``shaping`` the reward gains ``gamma * phi(s') - phi(s)``, phi being the tabulated water
    value of the mean fill: a potential, which leaves every policy's rank as it is (Ng, Harada and
    Russell 1999) and pays for stored energy when it is stored.
    """

    def __init__(
        self,
        env: FleetVectorEnv,
        mean: Tensor,
        scale: Tensor,
        gamma: float,
        shaping: bool,
        group: int,
    ) -> None:
        """Wrap an environment in same-step autoreset mode."""
        if env.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise InputError(
                f"Stable-Baselines3 needs autoreset_mode=SameStep, got {env.autoreset_mode.value}."
            )
        self.env = env  # before the base class asks it for its render mode
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._mean, self._scale = mean.float().numpy(), scale.float().numpy()
        self._gamma, self._shaping, self._group = gamma, shaping, group
        self._actions: np.ndarray | None = None
        self._steps = np.zeros(env.num_envs, dtype=int)
        self._potential = np.zeros(env.num_envs)
        self._stored_value = StoredValue(env)

    def reset(self) -> np.ndarray:
        """Start all rows."""
        first = self._seeds[0]
        seeds: list[int | None] | None = None
        if first is not None:
            seeds = [first + row // self._group for row in range(self.num_envs)]
        observation, _ = self.env.reset(seed=seeds)
        self._reset_seeds()
        self._steps[:] = 0
        stored = self._stored_value
        self._potential = stored(observation, self.env.tick.numpy(), stored.size)
        return self._normal(observation)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Advance all rows by one control interval."""
        assert self._actions is not None
        ends_at, size = self.env.tick.numpy() + 1, self._stored_value.size
        observation, reward, _, truncated, info = self.env.step(self._actions)
        self._steps += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(truncated)
        for row in ended:
            infos[row] = {
                "terminal_observation": self._normal(info["final_obs"][row]),
                "TimeLimit.truncated": True,
                "episode": {"r": info["episode_return"][row], "l": int(self._steps[row])},
            }
            self._steps[row] = 0
        if self._shaping:
            stored = self._stored_value
            potential = stored(observation, self.env.tick.numpy(), stored.size)
            after = potential.copy()
            if len(ended):
                # The environment stands in the new episode already: the old one's last potential
                # is read from the tables, or it would pay to sell out at the last step.
                last = np.stack(info["final_obs"][ended])
                after[ended] = stored(last, ends_at[ended], size[ended])
            reward = reward + self._gamma * after - self._potential
            self._potential = potential
        if self._group > 1:
            groups = reward.reshape(-1, self._group)
            reward = (groups - groups.mean(axis=1, keepdims=True)).reshape(-1)
        return self._normal(observation), reward.astype(np.float32), truncated, infos

    def get_state(self) -> dict[str, Any]:
        """Copy all that the next step depends on, the environment's own state included."""
        return {"env": self.env.get_state()} | {name: plain(getattr(self, name)) for name in _STATE}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Args:
            state: From `get_state` of an adapter made with the same arguments.
        """
        self.env.set_state(state["env"])
        for name in _STATE:
            setattr(self, name, restored(state[name], getattr(self, name), name))

    def _normal(self, observation: np.ndarray) -> np.ndarray:
        """Normalise as the policy network will."""
        normal: np.ndarray = (observation - self._mean) * self._scale
        return normal.clip(-10.0, 10.0, out=normal)

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Read an attribute of the rows, which they share."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: object, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the rows, which they share."""
        setattr(self.env, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the rows, which they share."""
        return [getattr(self.env, method_name)(*method_args, **method_kwargs)]

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """No row is wrapped."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[np.ndarray | None]:
        """There are no images."""
        return [None] * self.num_envs
