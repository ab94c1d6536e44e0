"""What stored energy is worth to a learner: the potential of shaped rewards."""

import numpy as np
import torch

from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.vector_env import FleetVectorEnv


class StoredValue:
    """Tabulated water value of what the cohorts of an environment have stored.

    A reward that gains ``gamma * phi(s') - phi(s)`` leaves every policy's rank as it is (Ng, Harada
    and Russell 1999) and, with this phi, pays for stored energy when it is stored.
    """

    def __init__(self, env: FleetVectorEnv) -> None:
        """Integrate the value curves of an environment's scenario."""
        names = env.observation_names
        fills = [names.index(f"{c}/fill_mean") for c in env.scenario.cohort_names]
        self.fill_at = np.array(fills, dtype=int)  # typed: there may be no cohort
        self._worth, self._env = _worth_by_fill(env), env
        self._fleet, self._size = env.fleet, _size(env)

    @property
    def size(self) -> np.ndarray:
        """Usable energy of each row's cohorts, times what a reward of 1 is worth, (B, C)."""
        if self._fleet is not self._env.fleet:  # episodes may draw other homes
            self._fleet, self._size = self._env.fleet, _size(self._env)
        return self._size

    def __call__(self, observation: np.ndarray, tick: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Value of the stored energy by cohort mean, in units of the reward, (B,).

        Args:
            observation: Raw, (B, F).
            tick: Of each row, (B,).
            size: Of each row's fleet when that was observed, (B, C).
        """
        issues, cohorts, points = self._worth.shape
        issue = np.minimum(tick // TICKS_PER_ISSUE, issues - 1)
        first = (issue[:, None] * cohorts + np.arange(cohorts)) * points
        at = observation[:, self.fill_at].astype(np.float64) * (points - 1)
        cell = np.minimum(at.astype(np.int64), points - 2)
        left = self._worth.take(first + cell)
        right = self._worth.take(first + cell + 1)
        stored: np.ndarray = (size * (left + (at - cell) * (right - left))).sum(-1)
        return stored


def _worth_by_fill(env: FleetVectorEnv) -> np.ndarray:
    """Water value of a usable kWh filled so far, (I, C, F) float64: the area under the curve."""
    curve = env.tables.curve.cpu().double()
    area = torch.cumulative_trapezoid(curve, dx=1.0 / (curve.shape[-1] - 1), dim=-1)
    table: np.ndarray = torch.nn.functional.pad(area, (1, 0)).numpy()
    return table


def _size(env: FleetVectorEnv) -> np.ndarray:
    """See `StoredValue.size`."""
    fleet = env.fleet
    usable_kwh = (fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh).double()
    parts = [(usable_kwh * (fleet.cohort == c)).sum(-1) for c in range(len(env.scenario.cohorts))]
    if not parts:
        return np.zeros((env.num_envs, 0))
    size = torch.stack(parts, -1) * (env.reward_scale / env.rated_kw).unsqueeze(-1)
    table: np.ndarray = size.expand(env.num_envs, -1).cpu().numpy()
    return table
