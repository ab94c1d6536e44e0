"""Perfect-foresight bound of one home: the most that any dispatch could have earned.

The programme uses the simulator's own equations (battery with losses, solar that may be curtailed,
site limits, wear), so that its plan replays to its objective and no policy earns more.

How it stays a linear programme
-------------------------------
Given the battery's power p, the best solar output is known: with a price of at least 0 all of it
up to the export limit, with a negative price only what keeps the import within its limit. So
the money of an interval is a function of p alone, and by `storage_lp.ac_power_kw` of the change
x of stored energy alone; it is piecewise linear, with kinks at x = 0 and where the solar output
starts to follow the battery. The site has no rows of its own.

The kinks are concave, and the programme exact, but for x = 0 at deeply negative prices. Charging
pays ``price / eta`` for a stored kWh, discharging earns ``(price - wear) * eta`` from one;
charging pays less than discharging earns where

    price < -wear * eta**2 / (1 - eta**2),

about -360 per MWh at a round trip of 0.9 and 0.04 per kWh of wear. There an average of the two
(burning energy in the losses) is worth more than resting, and a linear programme takes it. Such
an interval enters with the chord over its kink; where the solution rests on a chord, the interval
gets a binary (all segments below the kink are full, or none above it is used), and the programme
is solved again until no chord is left in use.

What the agreement forces
-------------------------
A battery below its reserve recharges at its full rate (`storage_lp.lowest_path_kwh`). The import
limit gives way to the reserve only: a site exceeds it where the battery at the reserve, or at
full discharge, cannot hold it. These intervals, found by interval arithmetic, carry a binary too.
"""

import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vpp_envs.errors import InputError
from vpp_rl.baselines.storage_lp import (
    NEGLIGIBLE,
    Bools,
    EnergyPath,
    Floats,
    Splits,
    TradeCurve,
    ac_power_kw,
    chord_value,
    kinks_upward,
    load_programme,
    lowest_path_kwh,
    new_solver,
    path_programme,
    run_solver,
    snapped_edges,
    stored_kwh,
    trade_value_per_kwh,
)

KWH_PER_MWH = 1000.0
# Relative to the objective; a hundredth of what a replayed plan is held to.
GAP = 1e-8


@dataclass(frozen=True)
class SiteProblem:
    """Constants of one home over the horizon; the fields of the fleet as plain numbers."""

    capacity_kwh: float  # usable energy, DC side
    reserve_kwh: float  # energy kept for the owner
    charge_kw: float  # AC limit when charging
    discharge_kw: float  # AC limit when discharging, positive
    one_way_eff: float  # square root of the AC-to-AC round-trip efficiency
    standing_loss_kw: float  # constant draw on the DC side
    wear_per_kwh: float  # currency per kWh discharged, AC
    import_limit_kw: float  # most that the site may draw
    export_limit_kw: float  # most that the site may inject, positive
    initial_kwh: float  # stored energy at the start
    final_value_per_kwh: float  # credit for stored energy above the reserve at the end, DC side
    dt_h: float  # length of an interval

    def __post_init__(self) -> None:
        """Refuse what no battery can be.

        Raises:
            InputError: On the first impossible field.
        """
        checks = {
            "capacity_kwh must be above 0": self.capacity_kwh > 0.0,
            "dt_h must be above 0": self.dt_h > 0.0,
            "reserve_kwh must lie in 0..capacity_kwh": 0.0 <= self.reserve_kwh <= self.capacity_kwh,
            "initial_kwh must lie in 0..capacity_kwh": 0.0 <= self.initial_kwh <= self.capacity_kwh,
            "one_way_eff must lie in (0, 1]": 0.0 < self.one_way_eff <= 1.0,
            "power limits, losses and wear must be 0 or more": min(
                self.charge_kw,
                self.discharge_kw,
                self.standing_loss_kw,
                self.wear_per_kwh,
                self.import_limit_kw,
                self.export_limit_kw,
            )
            >= 0.0,
            "charge_kw * one_way_eff must cover standing_loss_kw, or no reserve can be kept": (
                self.standing_loss_kw <= self.charge_kw * self.one_way_eff
            ),
        }
        for demand, holds in checks.items():
            if not holds:
                raise InputError(f"site problem: {demand}, got {self}")


@dataclass(frozen=True)
class Plan:
    """A dispatch of one home with what it earns; it replays exactly."""

    battery_kw: Floats  # (T,) AC power, charging positive
    solar_kw: Floats  # (T,) AC output used, 0 or more
    energy_kwh: Floats  # (T+1,) stored energy
    profit: float  # energy market less wear [currency]
    objective: float  # profit plus the credit for the final energy [currency]
    gap: float  # bound less objective: how much more another dispatch could earn at most
    site_excess_kwh: float  # energy drawn beyond the import limit because nothing could hold it
    binaries: int  # integer columns that the last programme needed


class Money(NamedTuple):
    """What each interval of a dispatch brings, (T,) each."""

    solar_kw: Floats
    energy_market: Floats
    wear: Floats
    excess_kw: Floats


class Site(NamedTuple):
    """One home and its signals: load, available solar [kW] and price [currency/kWh], (T,) each."""

    home: SiteProblem
    price_per_kwh: Floats
    load_kw: Floats
    available_kw: Floats


class SiteModel(NamedTuple):
    """One home reduced to its battery: solar and site limits are inside the curve."""

    curve: TradeCurve
    path: EnergyPath
    limit_kwh: Floats  # (T,) most that the import limit allows the stored energy to change
    gate: Bools  # (T, S-1) edge at the import limit, where segments lie beyond it


def settle_dispatch(site: Site, battery_kw: Floats) -> Money:
    """Choose the best solar output for a battery's power and settle the site with it.

    Args:
        site: Home and signals, (T,).
        battery_kw: AC power, charging positive, (T,).

    Returns:
        Solar output, market income (of the aggregator), wear, and import beyond the limit.
    """
    home = site.home
    demand_kw = site.load_kw + battery_kw
    wanted_kw = np.where(
        site.price_per_kwh >= 0.0,
        demand_kw + home.export_limit_kw,
        demand_kw - home.import_limit_kw,
    )
    solar_kw = np.clip(wanted_kw, 0.0, site.available_kw)
    net_kw = demand_kw - solar_kw
    return Money(
        solar_kw=solar_kw,
        energy_market=-net_kw * home.dt_h * site.price_per_kwh,
        wear=home.wear_per_kwh * np.maximum(-battery_kw, 0.0) * home.dt_h,
        excess_kw=np.maximum(net_kw - home.import_limit_kw, 0.0),
    )


def site_model(site: Site) -> SiteModel:
    """Reduce home, solar and site limits to one piecewise linear function an interval."""
    home, dt_h = site.home, site.home.dt_h
    surplus_kw = site.available_kw - site.load_kw
    loss_kwh = np.full_like(surplus_kw, home.standing_loss_kw * dt_h)

    def change_kwh(power_kw: Floats) -> Floats:
        return stored_kwh(power_kw, home.one_way_eff, dt_h)

    low = change_kwh(np.maximum(-home.discharge_kw, -home.export_limit_kw - site.load_kw))
    most = change_kwh(np.full_like(low, home.charge_kw))
    limit = change_kwh(np.minimum(home.charge_kw, home.import_limit_kw + surplus_kw))
    limit = np.maximum(low, limit)
    lowest = lowest_path_kwh(home.initial_kwh, home.reserve_kwh, most, loss_kwh)
    highest = np.full_like(lowest, home.capacity_kwh)
    lowest[0] = highest[0] = home.initial_kwh
    # Only a battery that ends at its lowest may break the import limit, by this much at most.
    top = np.maximum(limit, np.diff(lowest) + loss_kwh)
    follows_below = site.price_per_kwh >= 0.0
    full_export_kw = surplus_kw - home.export_limit_kw
    full_import_kw = home.import_limit_kw - site.load_kw
    turn = change_kwh(np.where(follows_below, full_export_kw, full_import_kw))
    inner = snapped_edges(np.stack((np.zeros_like(low), turn, limit), axis=-1), low, top)
    edges = np.concatenate((low[:, None], inner, top[:, None]), axis=-1)
    middle = 0.5 * (edges[:, :-1] + edges[:, 1:])
    # While the solar output follows the battery, a further kWh passes the meter by.
    follows = np.where(
        follows_below[:, None],
        middle < turn[:, None],
        (middle > turn[:, None]) & (middle < limit[:, None]),
    )
    price = np.where(follows, 0.0, site.price_per_kwh[:, None])
    value = trade_value_per_kwh(middle, price, home.one_way_eff, home.wear_per_kwh)
    width = np.diff(edges, axis=-1)
    for segment in range(1, width.shape[1]):
        # An empty segment takes its neighbour's value, so that it shows no kink.
        empty = width[:, segment] == 0.0
        value[empty, segment] = value[empty, segment - 1]
    last_within = (inner <= limit[:, None]).sum(axis=-1) - 1
    gate = (top - limit > NEGLIGIBLE)[:, None] & (np.arange(inner.shape[1]) == last_within[:, None])
    path = EnergyPath(lowest, highest, loss_kwh, home.final_value_per_kwh)
    return SiteModel(TradeCurve(low, width, value), path, limit, gate)


def replay(home: SiteProblem, model: SiteModel, change_kwh: Floats) -> tuple[Floats, Floats]:
    """Run planned changes of stored energy through the limits of the agreement.

    Any plan comes out feasible; one that is feasible but for rounding comes out as it is.

    Args:
        home: Constants.
        model: The home as a battery.
        change_kwh: Wanted change before standing losses, (T,). [kWh]

    Returns:
        Battery power (T,) [kW] and stored energy (T+1,) [kWh].
    """
    loss_kwh = home.standing_loss_kw * home.dt_h
    allowed = np.clip(change_kwh, model.curve.low_kwh, model.limit_kwh)
    energy = [home.initial_kwh]
    for change, lowest in zip(allowed.tolist(), model.path.lowest_kwh[1:].tolist(), strict=True):
        after = energy[-1] + change - loss_kwh
        energy.append(min(max(after, lowest), home.capacity_kwh))
    energy_kwh = np.array(energy)
    moved_kwh = np.diff(energy_kwh) + loss_kwh
    return ac_power_kw(moved_kwh, home.one_way_eff, home.dt_h), energy_kwh


def solve_foresight(
    problem: SiteProblem,
    price_per_mwh: Floats,
    load_kw: Floats,
    solar_available_kw: Floats,
    time_limit_s: float = 60.0,
) -> Plan:
    """Find the dispatch of one home that earns the most, knowing all prices, load and sun.

    Args:
        problem: Constants of the home.
        price_per_mwh: Energy price, (T,). [currency/MWh]
        load_kw: Base load, 0 or more, (T,). [kW]
        solar_available_kw: Solar output before curtailment, AC, 0 or more, (T,). [kW]
        time_limit_s: Wall time after which a home with binaries is given up; the plan is then
            the best one found, and its `gap` says what it may lack.

    Returns:
        The plan; ``objective + gap`` is an upper bound for any policy.

    Raises:
        InputError: If the signals differ in length or hold an impossible value.
    """
    site = _checked_site(problem, price_per_mwh, load_kw, solar_available_kw)
    deadline = time.perf_counter() + time_limit_s
    model = site_model(site)
    kinks = kinks_upward(model.curve)
    split = model.gate | (kinks & model.gate.any(axis=-1, keepdims=True))
    least_kw = ac_power_kw(model.curve.low_kwh, problem.one_way_eff, problem.dt_h)
    constant = _profit(settle_dispatch(site, least_kw)) + _final_credit(problem, 0.0)
    plan, bound = None, np.inf
    while True:
        chorded = kinks & ~split
        value = chord_value(model.curve, chorded)
        optimum = _optimise(model, value, split, deadline - time.perf_counter())
        bound = min(bound, constant + optimum.bound)
        found = _plan(site, model, optimum.change_kwh)
        if plan is None or found.objective > plan.objective:
            plan = found
        plan = replace(plan, gap=bound - plan.objective, binaries=int(split.sum()))
        on_chord = _rests_on_chord(model.curve, value, chorded, optimum.change_kwh)
        closed = plan.gap <= GAP * max(1.0, abs(plan.objective))
        if closed or not on_chord.any() or time.perf_counter() > deadline:
            return plan
        split |= on_chord


class _Optimum(NamedTuple):
    change_kwh: Floats  # (T,)
    bound: float  # on the value of segments and final energy


def _optimise(model: SiteModel, value: Floats, split: Bools, seconds: float) -> _Optimum:
    """Solve one programme; without a solution in time the battery idles."""
    interval, edge = np.nonzero(split)
    splits = Splits(interval, edge, model.gate[interval, edge]) if len(interval) else None
    solver = new_solver(time_limit=max(seconds, 0.0), mip_rel_gap=GAP, mip_abs_gap=GAP)
    load_programme(solver, path_programme(model.curve, value, model.path, splits))
    solved = run_solver(solver)
    info = solver.getInfo()
    at = np.nonzero(model.curve.width_kwh)[0]
    change_kwh = np.zeros_like(model.limit_kwh)
    if solved:
        used = np.asarray(solver.getSolution().col_value)[: len(at)]
        change_kwh = model.curve.low_kwh + np.bincount(at, used, minlength=len(change_kwh))
    if splits is not None:
        return _Optimum(change_kwh, info.mip_dual_bound)
    return _Optimum(change_kwh, info.objective_function_value if solved else np.inf)


def _rests_on_chord(curve: TradeCurve, value: Floats, chorded: Bools, change_kwh: Floats) -> Bools:
    """Chorded edges at which the chord promises more than the curve pays, (T, S-1)."""
    interval, edge = np.nonzero(chorded)
    reach = np.cumsum(curve.width_kwh, axis=-1)
    below, above = curve.width_kwh[interval, edge], curve.width_kwh[interval, edge + 1]
    start = curve.low_kwh[interval] + reach[interval, edge] - below
    used = np.clip(change_kwh[interval] - start, 0.0, below + above)
    paid = curve.value_per_kwh[interval, edge] * np.minimum(used, below)
    paid += curve.value_per_kwh[interval, edge + 1] * np.maximum(used - below, 0.0)
    rests = np.zeros_like(chorded)
    rests[interval, edge] = value[interval, edge] * used - paid > NEGLIGIBLE
    return rests


def _plan(site: Site, model: SiteModel, change_kwh: Floats) -> Plan:
    """Replay the changes and settle them; gap and binaries are filled in by the search."""
    home = site.home
    battery_kw, energy_kwh = replay(home, model, change_kwh)
    money = settle_dispatch(site, battery_kw)
    profit = _profit(money)
    return Plan(
        battery_kw=battery_kw,
        solar_kw=money.solar_kw,
        energy_kwh=energy_kwh,
        profit=profit,
        objective=profit + _final_credit(home, float(energy_kwh[-1])),
        gap=np.inf,
        site_excess_kwh=float(money.excess_kw.sum() * home.dt_h),
        binaries=0,
    )


def _profit(money: Money) -> float:
    return float(money.energy_market.sum() - money.wear.sum())


def _final_credit(home: SiteProblem, energy_kwh: float) -> float:
    return home.final_value_per_kwh * (energy_kwh - home.reserve_kwh)


def _checked_site(
    problem: SiteProblem, price_per_mwh: Floats, load_kw: Floats, solar_available_kw: Floats
) -> Site:
    """Turn the signals into float64 arrays of one length, in currency per kWh."""
    signals = {
        "price_per_mwh": np.asarray(price_per_mwh, dtype=np.float64),
        "load_kw": np.asarray(load_kw, dtype=np.float64),
        "solar_available_kw": np.asarray(solar_available_kw, dtype=np.float64),
    }
    shape = signals["price_per_mwh"].shape
    for name, signal in signals.items():
        if signal.ndim != 1 or signal.shape != shape or not len(signal):
            raise InputError(
                f"{name}: expected shape {shape} (T,) like price_per_mwh, got {signal.shape}"
            )
        if not np.isfinite(signal).all():
            raise InputError(
                f"{name}[{int(np.isfinite(signal).argmin())}]: expected a finite number"
            )
        if name != "price_per_mwh" and signal.min() < 0.0:
            raise InputError(
                f"{name}[{int(signal.argmin())}]: expected 0 or more, got {signal.min()}"
            )
    return Site(
        home=problem,
        price_per_kwh=signals["price_per_mwh"] / KWH_PER_MWH,
        load_kw=signals["load_kw"],
        available_kw=signals["solar_available_kw"],
    )
