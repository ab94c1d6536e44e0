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
        self._worth = _worth_by_fill(env)

    def __call__(self, observation: np.ndarray, tick: np.ndarray) -> np.ndarray:
        """Value of the stored energy by cohort mean, in units of the reward, (B,).

        Args:
            observation: Raw, (B, F).
            tick: Of each row, (B,).
        """
        issues, cohorts, points = self._worth.shape
        issue = np.minimum(tick // TICKS_PER_ISSUE, issues - 1)
        first = (issue[:, None] * cohorts + np.arange(cohorts)) * points
        at = observation[:, self.fill_at].astype(np.float64) * (points - 1)
        cell = np.minimum(at.astype(np.int64), points - 2)
        left = self._worth.take(first + cell)
        right = self._worth.take(first + cell + 1)
        stored: np.ndarray = (left + (at - cell) * (right - left)).sum(-1)
        return stored


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
