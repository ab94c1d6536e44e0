"""Run a policy over windows of unseen days and homes, and book what it earned."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.devices.ev import EvState
from vpp_envs.dispatch.value_curve import usable_fill
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.scenario import Scenario, ScenarioSpec, build_scenario
from vpp_envs.transition import Totals
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.policy import Policy, scene_of
from vpp_rl.stays import stay_costs


@dataclass(frozen=True)
class Windows:
    """Which days are played: all policies see the same windows, homes and initial fills."""

    split: str = "test"
    window_days: int | None = None  # none: ten days, or a quarter of a short split
    most: int | None = None
    seed: int = 20_000  # of the initial fills
    copies: int = 1  # the whole list of windows that often, the copies alike


@dataclass(frozen=True)
class Trace:
    """What happened tick by tick, fleet sums, in one window."""

    tick: Tensor  # (T,)
    totals: Totals  # (T,) each
    fill: Tensor  # usable fill of each home, of its car where no home has a battery, (T, N)


def play(
    policy: Policy,
    spec: ScenarioSpec,
    windows: Windows,
    progress: Callable[[int, int], None] | None = None,
    trace_row: int | None = None,
) -> tuple[pd.DataFrame, Trace | None]:
    """Play a policy over all windows at once.

    Args:
        policy: Who acts.
        spec: The scenario.
        windows: Which days.
        progress: Called with ticks done and ticks in all.
        trace_row: Window of which the trace is kept.

    Returns:
        One row a window (the columns `WINDOW_COLUMNS` of the scoreboard), and the trace.
    """
    env, starts, days = window_env(spec, windows)
    ticks = days * env.scenario.ticks_per_day
    start_kwh = _stored_kwh(env)
    sums: Totals | None = None
    ev_cost = torch.zeros(len(starts), dtype=torch.float64)
    cars = _Cars()
    kept: list[tuple[Tensor, Totals, Tensor]] = []
    with torch.no_grad():
        for tick in range(ticks):
            scene = scene_of(env)
            set_points = policy.act(scene)
            before_kwh, before_cars, before_tick = env.energy_kwh, env.state.ev, env.tick
            cars.append(env)
            price = env.moment.price_per_kwh.squeeze(-1)
            env.step_set_points(set_points)
            assert env.last is not None
            totals = env.last[1]
            ev_cost = ev_cost + totals.ev_kwh * price
            sums = (
                totals
                if sums is None
                else Totals(*(a + b for a, b in zip(sums, totals, strict=True)))
            )
            if trace_row is not None:
                kept.append(
                    (
                        before_tick[trace_row],
                        Totals(*(t[trace_row] for t in totals)),
                        _fill(before_kwh[trace_row], before_cars, trace_row, env),
                    )
                )
            if progress is not None:
                progress(tick + 1, ticks)
    assert sums is not None
    gained_kwh = _stored_kwh(env) - start_kwh
    frame = _frame(policy, env.scenario, days, starts, sums, gained_kwh)
    if env.state.ev is not None:
        frame = frame.assign(**_of_cars(sums, ev_cost), **cars.stays(env))
    if env.fleet.flexible is not None:
        frame = frame.assign(**_of_flexible(sums))
    if not env.scenario.around.absent:
        frame = frame.assign(**_of_circumstances(sums))
    return frame, _trace(kept) if kept else None


def worth(frame: pd.DataFrame, spec: ScenarioSpec) -> "pd.Series[float]":
    """What rules are tuned for and looks compared by: profit, less what discomfort counts.

    Args:
        frame: A row a window, from `play`.
        spec: The scenario, whose `comfort_per_k_h` is 0 where money alone counts.
    """
    if spec.comfort_per_k_h > 0.0 and "discomfort_k_h" in frame:
        return frame.profit - spec.comfort_per_k_h * frame.discomfort_k_h
    return frame.profit


def window_env(spec: ScenarioSpec, windows: Windows) -> tuple[FleetVectorEnv, Tensor, int]:
    """An environment at the start of the windows, in float64, a row each.

    Args:
        spec: The scenario.
        windows: Which days.

    Returns:
        Environment of W rows, first tick of each, (W,) int64, and days of a window.
    """
    spec = replace(spec, fleet_mix=FleetMix())  # windows know the homes as they are
    starts, days = window_starts(build_scenario(spec, windows.split), windows)
    seeds = [windows.seed + row for row in range(len(starts))] * windows.copies
    starts = starts.repeat(windows.copies)
    env = FleetVectorEnv(
        spec, len(starts), split=windows.split, dtype="float64", autoreset_mode="Disabled"
    )
    env.reset(seed=[*seeds], options={"start_ticks": starts, "episode_days": days})
    return env, starts, days


def window_starts(scenario: Scenario, windows: Windows) -> tuple[Tensor, int]:
    """Where the windows begin, copies not counted.

    Args:
        scenario: Of the windows' split.
        windows: Which days.

    Returns:
        First tick of each window, (W,) int64, and days of a window.
    """
    days = windows.window_days or scenario.fitting_days()
    return scenario.window_starts(days, windows.most), days


def inventory_value_per_kwh(scenario: Scenario) -> float:
    """Credit for a kWh left in store at the end of a window, against one there at its start.

    The market's typical price, the median |price| of its training days, after discharging
    losses: an accounting convention, the same for every policy and bound. Behind a tariff, whose
    typical price is that of its dear hours, what buying it back costs in a cheap hour, or nothing
    where that is below 0.
    [currency/kWh]
    """
    per_mwh = scenario.market.price_scale
    if scenario.export_per_kwh is not None:
        per_mwh = max(0.0, float(scenario.market.price_per_mwh.quantile(0.1)))
    return per_mwh / 1000.0 * float(0.9**0.5)


def _fill(energy_kwh: Tensor, cars: EvState | None, row: int, env: FleetVectorEnv) -> Tensor:
    """Fill of each home's battery, or of its car where no home has a battery, (N,)."""
    fleet = env.fleet
    if cars is None or fleet.ev is None or bool((fleet.battery.discharge_kw > 0).any()):
        return usable_fill(energy_kwh, fleet)
    return cars.energy_kwh[row] / fleet.ev.params.capacity_kwh


def _stored_kwh(env: FleetVectorEnv) -> Tensor:
    """Energy in all batteries, and in cars up to their targets, (B,) float64. [kWh]

    What a car holds beyond its target leaves with it.
    """
    stored = env.energy_kwh.double().sum(-1)
    cars, ev = env.state.ev, env.fleet.ev
    if cars is None or ev is None:
        return stored
    within_kwh = torch.minimum(cars.energy_kwh, ev.agreement.target_kwh)
    return stored + within_kwh.double().sum(-1)


def _of_cars(sums: Totals, cost: Tensor) -> dict[str, np.ndarray]:
    """What happened to the cars of each window, by column."""
    return {
        "ev_cost": cost.numpy(),
        "ev_kwh": sums.ev_kwh.numpy(),
        "ev_discharged_kwh": sums.ev_discharged_kwh.numpy(),
        "ev_driven_kwh": sums.ev_driven_kwh.numpy(),
        "ev_away_kwh": sums.ev_away_kwh.numpy(),
        "ev_infeasible": sums.ev_infeasible.numpy(),
        "ev_infeasible_kwh": sums.ev_infeasible_kwh.numpy(),
        "ev_site_short_kwh": sums.ev_site_short_kwh.numpy(),
        "ev_left_early_kwh": sums.ev_left_early_kwh.numpy(),
        "ev_missed_kwh": sums.ev_missed_kwh.numpy(),
    }


# What people feel and what their devices did: of the sums of a window, under the same names.
COMFORT_COLUMNS = (
    *("water_kwh", "water_cold_kwh", "water_short_k_h", "water_beyond_k_h"),
    *("hvac_kwh", "discomfort_k_h", "hvac_short_k_h"),
    *(
        "appliance_kwh",
        "appliance_jobs",
        "appliance_late_jobs",
        "generator_kwh",
        "generator_co2_kg",
    ),
)


# What owners did, whom no command reached, and what outages left unserved, likewise; the share is
# a sum over the intervals.
CIRCUMSTANCE_COLUMNS = (
    *("called_homes", "opted_out", "overrode", "complained", "left"),
    *("offline_share", "outage_h", "backup_h", "unserved_kwh"),
)


def _of_circumstances(sums: Totals) -> dict[str, np.ndarray]:
    """What owners, links and outages did in each window, by column."""
    return {name: getattr(sums, name).numpy() for name in CIRCUMSTANCE_COLUMNS}


def _of_flexible(sums: Totals) -> dict[str, np.ndarray]:
    """What happened to flexible devices and their owners in each window, by column."""
    return {name: getattr(sums, name).numpy() for name in COMFORT_COLUMNS}


@dataclass
class _Cars:
    """Energies, stays and prices of the cars by interval, kept while a window is played."""

    energy_kwh: list[Tensor] = field(default_factory=list)
    ticks_left: list[Tensor] = field(default_factory=list)
    price_per_kwh: list[Tensor] = field(default_factory=list)

    def append(self, env: FleetVectorEnv) -> None:
        """Keep what an interval begins with."""
        cars = env.moment.ev
        if cars is None:
            return
        self.energy_kwh.append(cars.state.energy_kwh)
        self.ticks_left.append((cars.session.hours_left / env.scenario.dt_h).round())
        self.price_per_kwh.append(env.moment.price_per_kwh.squeeze(-1))

    def stays(self, env: FleetVectorEnv) -> dict[str, np.ndarray]:
        """Costs of the stays of each window, by column."""
        state, ev = env.state.ev, env.fleet.ev
        assert state is not None
        assert ev is not None
        costs = stay_costs(
            torch.stack([*self.energy_kwh, state.energy_kwh]),
            torch.stack(self.ticks_left),
            torch.stack(self.price_per_kwh),
            ev,
            env.scenario.dt_h,
        )
        return {
            "ev_stays": costs.stays,
            "ev_stay_cost": costs.cost,
            "ev_stay_optimum": costs.optimum,
        }


def _trace(kept: list[tuple[Tensor, Totals, Tensor]]) -> Trace:
    totals = Totals(*(torch.stack(column) for column in zip(*(k[1] for k in kept), strict=True)))
    return Trace(torch.stack([k[0] for k in kept]), totals, torch.stack([k[2] for k in kept]))


def _frame(
    policy: Policy,
    scenario: Scenario,
    days: int,
    starts: Tensor,
    sums: Totals,
    gained_kwh: Tensor,
) -> pd.DataFrame:
    """Book one row a window."""
    credit = gained_kwh * inventory_value_per_kwh(scenario)
    battery = scenario.fleet.battery
    usable_kwh = float(
        (battery.capacity_kwh - scenario.fleet.agreement.reserve_kwh)[
            battery.discharge_kw > 0
        ].sum()
    )
    market = scenario.market
    return pd.DataFrame(
        {
            "policy": policy.name,
            "kind": policy.kind,
            "seed": -1,
            "window": np.arange(len(starts)),
            "start": market.local_time(starts).date,
            "quarter": market.quarter[starts].numpy(),
            "days": float(days),
            "homes": len(scenario.fleet.home_id),
            "profit": (sums.energy_market - sums.wear + credit).numpy(),
            "energy_market": sums.energy_market.numpy(),
            "wear": sums.wear.numpy(),
            "inventory_credit": credit.numpy(),
            "throughput_kwh": sums.discharged_kwh.numpy(),
            "capacity_kwh": usable_kwh,
            "solar_kwh": sums.solar_kwh.numpy(),
            "curtailed_kwh": sums.curtailed_kwh.numpy(),
            "broken_agreements": sums.broken.numpy().astype(int),
            "site_limit_kwh": sums.site_excess_kwh.numpy(),
            "train_s": np.nan,
            "train_steps": np.nan,
        }
    )
