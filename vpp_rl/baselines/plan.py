"""The perfect-foresight bound as a policy: a plan for each home, solved first, then played."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vpp_envs.fleet.fleet import Fleet
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.simulator import SetPoints
from vpp_rl.baselines.foresight import SiteProblem, solve_foresight
from vpp_rl.policy import Scene
from vpp_rl.rollout import Windows, inventory_value_per_kwh, window_env


@dataclass
class PerfectForesight:
    """Plays plans that knew every price, load and sunbeam of their window: nobody can deploy it."""

    battery_kw: Tensor  # (T, B, N)
    solar_kw: Tensor  # (T, B, N)
    objective: Tensor  # what the plans earn with the final store, (B,)
    gap: Tensor  # bound less objective, (B,)
    ev_kw: Tensor | None = None  # (T, B, N); none: no home has a car
    flexible_kw: Sequence[Tensor] = ()  # of each kind of flexible device, (T, B, N)
    name: str = "perfect foresight"
    kind: str = "bound"
    _played: int = 0

    def act(self, scene: Scene) -> SetPoints:
        """Play the next interval of the plans."""
        tick = self._played % len(self.battery_kw)
        self._played += 1
        like = scene.moment.load_kw
        return SetPoints(
            self.battery_kw[tick].to(like),
            self.solar_kw[tick].to(like),
            None if self.ev_kw is None else self.ev_kw[tick].to(like),
            [asked_kw[tick].to(like) for asked_kw in self.flexible_kw] or None,
        )


def plan_windows(
    spec: ScenarioSpec, windows: Windows, progress: Callable[[int, int], None] | None = None
) -> PerfectForesight:
    """Solve the perfect-foresight plan of every home in every window.

    Args:
        spec: The scenario.
        windows: The windows that will be played.
        progress: Called with homes done and homes in all.
    """
    env, starts, days = window_env(spec, windows)
    scenario, fleet = env.scenario, env.fleet
    ticks = days * scenario.ticks_per_day
    rows, homes = env.energy_kwh.shape
    battery = torch.zeros(ticks, rows, homes, dtype=torch.float64)
    solar = torch.zeros_like(battery)
    objective, gap = torch.zeros(rows, dtype=torch.float64), torch.zeros(rows, dtype=torch.float64)
    final_value = inventory_value_per_kwh(scenario)
    for row in range(rows):
        span = slice(int(starts[row]), int(starts[row]) + ticks)
        price = scenario.market.price_per_mwh[span].numpy()
        load = fleet.load_mean_kw * env.tables.load_pu[span][:, fleet.load_archetype]
        sun = fleet.solar_kw * env.tables.solar_pu[span][:, fleet.solar_archetype]
        for home in range(homes):
            problem = site_problem(
                env.fleet, home, float(env.energy_kwh[row, home]), final_value, scenario.dt_h
            )
            plan = solve_foresight(
                problem,
                price,
                np.ascontiguousarray(load[:, home].numpy()),
                np.ascontiguousarray(sun[:, home].numpy()),
            )
            battery[:, row, home] = torch.from_numpy(plan.battery_kw)
            solar[:, row, home] = torch.from_numpy(plan.solar_kw)
            # The scoreboard credits the change of the store, the plan its final content.
            start_credit = final_value * (problem.initial_kwh - problem.reserve_kwh)
            objective[row] += plan.objective - start_credit
            gap[row] += plan.gap
            if progress is not None:
                progress(row * homes + home + 1, rows * homes)
    return PerfectForesight(battery, solar, objective, gap)


def site_problem(
    fleet: Fleet, home: int, initial_kwh: float, final_value_per_kwh: float, dt_h: float
) -> SiteProblem:
    """Take one home out of a fleet."""
    battery, agreement = fleet.battery, fleet.agreement
    return SiteProblem(
        capacity_kwh=float(battery.capacity_kwh[home]),
        reserve_kwh=float(agreement.reserve_kwh[home]),
        charge_kw=float(battery.charge_kw[home]),
        discharge_kw=float(battery.discharge_kw[home]),
        one_way_eff=float(battery.one_way_eff[home]),
        standing_loss_kw=float(battery.standing_loss_kw[home]),
        wear_per_kwh=float(battery.wear_per_kwh[home]),
        import_limit_kw=float(agreement.import_limit_kw[home]),
        export_limit_kw=float(agreement.export_limit_kw[home]),
        initial_kwh=initial_kwh,
        final_value_per_kwh=final_value_per_kwh,
        dt_h=dt_h,
    )
