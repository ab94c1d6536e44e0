"""The perfect-foresight bound of homes with more than batteries, or behind tariffs: a plan each."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vpp_envs.devices.ev import EvParams, floor_kwh, reachable_kwh
from vpp_envs.fleet.agreement import EvAgreement
from vpp_envs.fleet.connection import is_shared, of_group
from vpp_envs.fleet.fleet import EvFleet, Fleet
from vpp_envs.scenario import Scenario, ScenarioSpec
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.baselines.flexible_lp import Kind, kinds_in_windows
from vpp_rl.baselines.home_lp import Home, Member, Signals, solve_homes
from vpp_rl.baselines.parts import Part
from vpp_rl.baselines.plan import PerfectForesight
from vpp_rl.rollout import Windows, inventory_value_per_kwh, window_env


def is_exact(scenario: Scenario) -> bool:
    """Whether `plan.plan_windows` knows all that the homes have: batteries, and one price."""
    simple = scenario.cars is None and scenario.fleet.flexible is None
    return simple and scenario.export_per_kwh is None


def plan_homes(
    spec: ScenarioSpec, windows: Windows, progress: Callable[[int, int], None] | None = None
) -> PerfectForesight:
    """Solve the perfect-foresight programme of every home in every window.

    Args:
        spec: The scenario.
        windows: The windows that will be played.
        progress: Called with homes done and homes in all.
    """
    env, starts, days = window_env(spec, windows)
    fleet, ev = env.fleet, env.fleet.ev or _no_cars(env.fleet)
    cars = env.state.ev
    car_kwh = torch.zeros_like(env.energy_kwh) if cars is None else cars.energy_kwh
    dt_h, ticks = env.scenario.dt_h, days * env.scenario.ticks_per_day
    rows, homes = env.energy_kwh.shape
    plans = torch.zeros(3, ticks, rows, homes, dtype=torch.float64)
    objective = torch.zeros(rows, dtype=torch.float64)
    credit = inventory_value_per_kwh(env.scenario)
    kinds = kinds_in_windows(env, starts, ticks)
    nobody = torch.full((ticks, rows, homes), torch.nan, dtype=torch.float64)
    flexible_kw = {kind: nobody.clone() for kind in kinds}
    groups = _groups(fleet)
    for row in range(rows):
        span = slice(int(starts[row]), int(starts[row]) + ticks)
        alone = [kind.alone_kw[:, row] for kind in kinds.values()]
        alone_kw = sum(alone, torch.zeros(ticks, homes, dtype=torch.float64))
        signals = _signals(env, fleet, ev, span, alone_kw, car_kwh[row].double())
        devices = partial(_devices, kinds, row)
        for group, limit_kw in groups:
            members = [
                Member(
                    _home(fleet, ev, index, env.energy_kwh[row], car_kwh[row]),
                    signals(index),
                    tuple(devices(index).values()),
                    bool(ev.agreement.managed[index] <= 0),
                )
                for index in group
            ]
            solved = solve_homes(members, limit_kw, dt_h, credit)
            for index, member, plan in zip(group, members, solved, strict=True):
                for kind, power in zip(devices(index), plan.flexible_kw, strict=True):
                    flexible_kw[kind][:, row, index] = torch.from_numpy(power)
                for place, power in enumerate((plan.battery_kw, plan.solar_kw, plan.ev_kw)):
                    plans[place, :, row, index] = torch.from_numpy(power)
                objective[row] += plan.profit - credit * _opening_kwh(member.home)
            if progress is not None:
                progress(row * homes + max(group) + 1, rows * homes)
    # The programmes are solved to the end: their objective is the bound.
    exact = torch.zeros_like(objective)
    asked_kw = list(flexible_kw.values())
    return PerfectForesight(plans[0], plans[1], objective, exact, plans[2], asked_kw)


def _groups(fleet: Fleet) -> list[tuple[list[int], float | None]]:
    """Places of homes that share a connection, with its limit; one home alone has none. [kW]"""
    shared = fleet.shared
    if shared is None:
        return [([index], None) for index in range(len(fleet.home_id))]
    limit_kw, shares = of_group(shared.limit_kw, shared), is_shared(shared)
    groups: list[tuple[list[int], float | None]] = []
    for first in shared.group.unique().tolist():
        members = (shared.group == first).nonzero().flatten().tolist()
        groups.append((members, float(limit_kw[first]) if shares[first] else None))
    return groups


def _devices(kinds: Mapping[str, Kind], row: int, index: int) -> dict[str, Part]:
    """Parts of a home's flexible devices that may be commanded, by kind."""
    parts = {kind: one.part(row, index) for kind, one in kinds.items()}
    return {kind: part for kind, part in parts.items() if part is not None}


def _opening_kwh(home: Home) -> float:
    """What is stored at the start and not the plan's merit. [kWh]"""
    return home.initial_kwh + min(home.ev_initial_kwh, home.ev_target_kwh)


def _home(fleet: Fleet, ev: EvFleet, index: int, battery_kwh: Tensor, car_kwh: Tensor) -> Home:
    """Take one home out of a fleet."""
    battery, agreement, car = fleet.battery, fleet.agreement, ev.params

    def of(column: Tensor) -> float:
        return float(column[index])

    return Home(
        of(battery.capacity_kwh),
        of(agreement.reserve_kwh),
        of(battery.charge_kw),
        of(battery.discharge_kw),
        of(battery.one_way_eff),
        of(battery.standing_loss_kw),
        of(battery.wear_per_kwh),
        of(agreement.import_limit_kw),
        of(agreement.export_limit_kw),
        of(battery_kwh),
        of(car.capacity_kwh),
        of(car.charge_kw),
        of(car.discharge_kw),
        of(car.charge_eff),
        of(car.discharge_eff),
        of(car.wear_per_kwh),
        of(car_kwh),
        of(ev.agreement.target_kwh),
    )


def _signals(
    env: FleetVectorEnv,
    fleet: Fleet,
    ev: EvFleet,
    span: slice,
    alone_kw: Tensor,
    car_kwh: Tensor,
) -> Callable[[int], Signals]:
    """What each home meets in a window, with what its devices draw that nobody commands.

    Args:
        env: With the tables.
        fleet: Constants of the homes, (N,).
        ev: Of their cars, (N,).
        span: Ticks of the window.
        alone_kw: What devices draw that nobody commands, (T, N). [kW]
        car_kwh: Stored in the cars at its start, (N,). [kWh]
    """
    tables, dt_h = env.tables, env.scenario.dt_h
    price = tables.price_per_kwh[span, 0].double().numpy()
    export = price
    if tables.export_per_kwh is not None:
        export = tables.export_per_kwh[span, 0].double().numpy()
    base_kw = fleet.load_mean_kw * tables.load_pu[span][:, fleet.load_archetype]
    load = (base_kw.double() + alone_kw).numpy()
    sun = (fleet.solar_kw * tables.solar_pu[span][:, fleet.solar_archetype]).double().numpy()
    stay = torch.zeros(span.stop - span.start, 4, len(ev.archetype), dtype=torch.float64)
    if tables.ev is not None:
        stay = tables.ev.stay[span].double().index_select(-1, ev.archetype)
    left_h, ends, km = stay[:, 0] * dt_h, stay[:, 1], stay[:, 3]
    trip = (km * ev.params.drive_kwh_per_km).numpy()
    # What must be there when the car leaves, or when the window ends with it at its charger.
    after_h = (left_h - dt_h).clamp(min=0.0)
    floor = floor_kwh(ev.agreement.target_kwh, after_h, ev.params).clamp(min=0.0)
    due = (left_h > 0) & (ends > 0)
    due[-1] |= left_h[-1] > 0
    if fleet.shared is not None:
        # How much a shared connection can promise depends on what the others did: the bound
        # holds for any promise.
        due = due & ~is_shared(fleet.shared)
    least = torch.where(due, floor, torch.zeros_like(floor)).numpy()
    # Who comes home above the minimum stays above it.
    came_kwh, left_kwh = _sure_kwh(car_kwh, left_h, ends, torch.from_numpy(trip), ev, dt_h)
    certain = came_kwh >= ev.agreement.minimum_kwh
    if fleet.shared is not None:
        certain = certain & ~is_shared(fleet.shared)
    minimum = torch.where(certain, ev.agreement.minimum_kwh, 0.0)
    lower = torch.where((left_h > 0) & (ends == 0), minimum, torch.zeros_like(floor)).numpy()
    tenth = 0.1 * ev.params.capacity_kwh.numpy()
    away = np.where(trip > 0, (tenth + trip - left_kwh.numpy()).clip(min=0.0), 0.0)

    def of(index: int) -> Signals:
        return Signals(
            price,
            export,
            load[:, index],
            sun[:, index],
            (left_h[:, index] > 0).double().numpy(),
            trip[:, index],
            away[:, index],
            least[:, index],
            lower[:, index],
        )

    return of


def _sure_kwh(
    car_kwh: Tensor, left_h: Tensor, ends: Tensor, trip_kwh: Tensor, ev: EvFleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """What each car has at least, whoever commands it, by the promises that the simulator keeps.

    From a short stay it leaves with what could be reached, and comes home with less the next time.

    Args:
        car_kwh: Stored at the start, (N,). [kWh]
        left_h: Hours to the declared departure, 0 = away, (T, N). [h]
        ends: 1 where a stay ends with the interval, (T, N).
        trip_kwh: Taken by the trip that ends with the interval, (T, N). [kWh]
        ev: Constants of the cars, (N,).
        dt_h: Length of an interval. [h]

    Returns:
        Energy with which the stay of each interval began, and with which the car left last at the
        interval's end, (T, N) each. [kWh]
    """
    came, left, declared_h = car_kwh, car_kwh, left_h[0]
    rows = []
    for hours, end, trip in zip(left_h, ends, trip_kwh, strict=True):
        declared_h = torch.maximum(declared_h, hours)
        after_h = (hours - dt_h).clamp(min=0.0)
        reach = reachable_kwh(came, (declared_h - after_h).clamp(min=0.0), ev.params)
        due = torch.minimum(floor_kwh(ev.agreement.target_kwh, after_h, ev.params), reach)
        leaves, arrives = (hours > 0) & (end > 0), trip > 0
        left = torch.where(leaves, due.clamp(min=0.0), left)
        rows.append((came, left))
        home = torch.maximum(left - trip, 0.1 * ev.params.capacity_kwh)
        came = torch.where(arrives, home, torch.where(leaves, left, came))
        declared_h = torch.where(leaves | arrives, torch.zeros_like(hours), declared_h)
    came_kwh, left_kwh = (torch.stack(part) for part in zip(*rows, strict=True))
    return came_kwh, left_kwh


def _no_cars(fleet: Fleet) -> EvFleet:
    """Cars of homes that have none."""
    one, none = torch.ones_like(fleet.solar_kw), torch.zeros_like(fleet.solar_kw)
    params = EvParams(one, none, none, none, one, one, one, none, none)
    return EvFleet(
        params, EvAgreement(none, none, none), torch.zeros_like(fleet.cohort), -1 + 0 * fleet.cohort
    )
