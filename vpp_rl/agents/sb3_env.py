"""The vector environment as Stable-Baselines3 wants it: one thin adapter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.vector_env import FleetVectorEnv


class FleetVecEnv(VecEnv):
    """Same-step autoreset, fresh infos, normalised observations, shaped and paired rewards.

    Rows of a group live the same days from the same stored energy, and each is paid what it made
    more than the group's mean at the same interval: prices are nobody's merit, and without them
    the reward shows what the action did (common random numbers; the others' rewards do not depend
    on a row's action, so the gradient keeps its direction).

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
        names = env.observation_names
        fills = [names.index(f"{c}/fill_mean") for c in env.scenario.cohort_names]
        self._fill_at = np.array(fills, dtype=int)  # typed: there may be no cohort
        self._worth = _worth_by_fill(env)

    def reset(self) -> np.ndarray:
        """Start all rows."""
        first = self._seeds[0]
        seeds: list[int | None] | None = None
        if first is not None:
            seeds = [first + row // self._group for row in range(self.num_envs)]
        observation, _ = self.env.reset(seed=seeds)
        self._reset_seeds()
        self._steps[:] = 0
        self._potential = self._stored_value(observation, self.env.tick.numpy())
        return self._normal(observation)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Advance all rows by one control interval."""
        assert self._actions is not None
        ends_at = self.env.tick.numpy() + 1
        observation, reward, _, truncated, info = self.env.step(self._actions)
        self._steps += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        stored = self._stored_value(observation, self.env.tick.numpy())
        after = stored.copy()
        ended = np.flatnonzero(truncated)
        if len(ended):
            # The environment stands in the new episode already: the old one's last potential is
            # read from the tables, or it would pay to sell out at the last step.
            last = np.stack(info["final_obs"][ended])
            after[ended] = self._stored_value(last, ends_at[ended])
        for row in ended:
            infos[row] = {
                "terminal_observation": self._normal(info["final_obs"][row]),
                "TimeLimit.truncated": True,
                "episode": {"r": info["episode_return"][row], "l": int(self._steps[row])},
            }
            self._steps[row] = 0
        if self._shaping:
            reward = reward + self._gamma * after - self._potential
            self._potential = stored
        groups = reward.reshape(-1, self._group)
        reward = (groups - groups.mean(axis=1, keepdims=True)).reshape(-1)
        return self._normal(observation), reward.astype(np.float32), truncated, infos

    def _stored_value(self, observation: np.ndarray, tick: np.ndarray) -> np.ndarray:
        """Water value of the stored energy by cohort mean, in units of the reward, (B,)."""
        if not self._shaping:
            return np.zeros(len(observation))
        issues, cohorts, points = self._worth.shape
        issue = np.minimum(tick // TICKS_PER_ISSUE, issues - 1)
        first = (issue[:, None] * cohorts + np.arange(cohorts)) * points
        at = observation[:, self._fill_at].astype(np.float64) * (points - 1)
        cell = np.minimum(at.astype(np.int64), points - 2)
        left = self._worth.take(first + cell)
        right = self._worth.take(first + cell + 1)
        stored: np.ndarray = (left + (at - cell) * (right - left)).sum(-1)
        return stored

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


def _worth_by_fill(env: FleetVectorEnv) -> np.ndarray:
    """Water value of what a cohort has stored at each fill of the curve, (I, C, F) float64.

    The area under the tabulated curve up to that fill, in units of the reward.
    """
    scenario = env.scenario
    battery, agreement = scenario.fleet.battery, scenario.fleet.agreement
    usable = battery.capacity_kwh - agreement.reserve_kwh
    of_cohort = [usable[scenario.fleet.cohort == c].sum() for c in range(len(scenario.cohorts))]
    usable_kwh = torch.tensor(of_cohort, dtype=usable.dtype)
    curve = env.tables.curve.cpu().double()
    area = torch.cumulative_trapezoid(curve, dx=1.0 / (curve.shape[-1] - 1), dim=-1)
    worth = torch.nn.functional.pad(area, (1, 0)) * usable_kwh.unsqueeze(-1)
    table: np.ndarray = (worth * (env.reward_scale / env.rated_kw)).numpy()
    return table
