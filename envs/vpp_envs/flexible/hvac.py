"""Homes with a thermostat in the chain: their heat is a store, and comfort is the promise.

Whether a unit heats or cools follows from the weather alone: it heats while the house without it
would settle below the middle between the two set-points. In a step of five minutes or more it runs
for any share of the time; below, it is on or off, and a compressor that has switched stays so.

The houses are monotone: with more heat nothing gets colder. So air inside its edge, and mass that
is warmed by no more than this air and its own gains, stay inside under any power of the envelope as
long as the unit can carry the load at the edge. Where it cannot, it runs flat-out, and what is
missing is `capacity_infeasible_k_h`. The envelope knows the expected gains; a surprise beyond the
agreement's margin is `beyond_margin_k_h`, until the air is back. All else would be `broken`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.house import equilibrium_c, step_house
from vpp_envs.devices.hvac import HvacRun, heat_into_rooms_kw, heat_to_reach_kw, thermostat
from vpp_envs.flexible.flex import Flex, Served, into_flex
from vpp_envs.flexible.hvac_band import HVAC_COHORTS, HvacAgreement, HvacBand, HvacCohort
from vpp_envs.flexible.hvac_envelope import (
    HvacFleet,
    HvacMoment,
    HvacPlan,
    HvacState,
    HvacTables,
    cycles_inside,
    flex,
    moment_of,
    plan_of,
)

__all__ = [
    "HVAC_COHORTS",
    "HvacAgreement",
    "HvacCohort",
    "HvacFleet",
    "HvacMoment",
    "HvacOutcome",
    "HvacState",
    "HvacTables",
    "first_state",
    "flex",
    "moment_of",
    "step",
]


class HvacOutcome(NamedTuple):
    """What happened to the homes in one step, (..., N)."""

    state: HvacState  # at the end
    served: Served
    aux_kwh: Tensor  # of it, resistance heat, electric [kWh]
    furnace_kwh: Tensor  # heat from another fuel [kWh]
    heat_kwh: Tensor  # of the unit into the air, negative when it cools, furnace included [kWh]
    gains_kwh: Tensor  # of sun and people [kWh]
    loss_kwh: Tensor  # gone outdoors [kWh]
    stored_kwh: Tensor  # change of the heat in air and mass [kWh]
    discomfort_k_h: Tensor  # farther than 1 K from the set-points in force [K h]
    capacity_infeasible_k_h: Tensor  # outside the band with the unit flat-out [K h]
    beyond_margin_k_h: Tensor  # outside by a surprise beyond the margin [K h]
    other_side_k_h: Tensor  # outside the band on the side that the unit cannot mend [K h]


class _Outside(NamedTuple):
    """Where the air ended outside its band, and why, (..., N)."""

    short_k: Tensor  # beyond the edge that the unit keeps [K]
    other_k: Tensor  # beyond the edge that it cannot [K]
    surprised: Tensor  # heat beyond the margin against it in this step, bool
    lost: Tensor  # such a surprise still shows, bool
    excused: Tensor  # short for no one's fault, bool
    driven: Tensor  # the unit drove it beyond the full edge, bool


def step(
    asked_kw: Tensor, around: Flex, moment: HvacMoment, fleet: HvacFleet, dt_h: float
) -> HvacOutcome:
    """Serve the homes for one step of constant power.

    Args:
        asked_kw: Power asked of each unit, NaN = nobody asks, (..., N). [kW]
        around: From `flex`, perhaps narrowed by the home's connection.
        moment: From `moment_of`.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    params, house, state = fleet.params, fleet.params.house, moment.state
    plan = plan_of(moment, fleet, dt_h)
    power_kw = into_flex(asked_kw, around)
    run = _split(power_kw, plan, dt_h)
    heat_kw = heat_into_rooms_kw(run, plan.unit, params)
    end = step_house(state.air_c, state.mass_c, moment.heat, heat_kw, house, plan.over)
    outside = _outside(end.air_c, power_kw, run, plan, moment, fleet, dt_h)
    twin, twin_kw = _twin(plan, moment, fleet, dt_h)
    after = _after(end.air_c, end.mass_c, run, twin, outside, plan, moment, fleet, dt_h)
    managed = fleet.agreement.managed > 0
    none = torch.zeros_like(power_kw)
    over_k = torch.where(managed, outside.short_k, none)
    by_surprise = outside.surprised | (state.lost > 0)
    broken = managed & (((over_k > 0) & ~outside.excused) | outside.driven)
    stored_kwh = house.air_kwh_per_k * (end.air_c - state.air_c) + house.mass_kwh_per_k * (
        end.mass_c - state.mass_c
    )
    return HvacOutcome(
        after,
        Served(power_kw, twin_kw, none, none, broken),
        run.aux_kw * dt_h,
        run.furnace_kw * dt_h,
        heat_kw * dt_h,
        (moment.heat.air_kw + moment.heat.mass_kw) * dt_h,
        end.loss_kwh,
        stored_kwh,
        _discomfort_k(end.air_c, moment, fleet) * dt_h,
        torch.where(outside.excused & ~by_surprise, over_k, none) * dt_h,
        torch.where(outside.excused & by_surprise, over_k, none) * dt_h,
        torch.where(managed, outside.other_k, none) * dt_h,
    )


def _split(power_kw: Tensor, plan: HvacPlan, dt_h: float) -> HvacRun:
    """Give a served power to compressor and resistance heat; a furnace looks after itself."""
    unit = plan.unit
    none = torch.zeros_like(power_kw)
    compressor_kw = torch.minimum(power_kw, unit.full_kw)
    if not cycles_inside(dt_h):
        runs = (power_kw >= unit.full_kw * 0.999999) & (plan.on | ~plan.held)
        compressor_kw = torch.where(runs, compressor_kw, none)
    furnace_kw = heat_to_reach_kw(plan.band.set_c, plan.free_c, unit, plan.k_per_kw)
    return HvacRun(
        compressor_kw, power_kw - compressor_kw, torch.minimum(furnace_kw, unit.furnace_kw)
    )


def _outside(
    air_c: Tensor,
    power_kw: Tensor,
    run: HvacRun,
    plan: HvacPlan,
    moment: HvacMoment,
    fleet: HvacFleet,
    dt_h: float,
) -> _Outside:
    """Check the promise itself at the end of a step, whatever the envelope said, (..., N)."""
    unit, band, state = plan.unit, plan.band, moment.state
    tolerance_k = 1e-6 if air_c.dtype == torch.float64 else 5e-4
    house, margin_kw = fleet.params.house, fleet.agreement.margin_kw
    expected_c = equilibrium_c(moment.expected, house)
    # What is held was decided on what was known when it switched.
    known_c = torch.where(plan.held, state.settled_c, expected_c)
    helps_kw = unit.sign * (equilibrium_c(moment.heat, house) - known_c) * house.ua_w_per_k / 1e3
    surprised = helps_kw < -margin_kw
    short_k = unit.sign * (band.empty_c - air_c)
    short_k = torch.where(short_k > tolerance_k, short_k, torch.zeros_like(short_k))
    most_kw = unit.full_kw + unit.aux_kw
    flat_out = power_kw >= most_kw * 0.99999
    excused = surprised | flat_out | (plan.held & (state.lost > 0))
    beyond_k = unit.sign * (air_c - band.full_c)
    bound = plan.held & (state.lost > 0)
    driven = (beyond_k > tolerance_k) & (run.compressor_kw > 0) & (helps_kw <= margin_kw) & ~bound
    # Who may not switch carries a surprise of either side along; else it ends with the air back.
    astray = surprised if cycles_inside(dt_h) else surprised | (helps_kw > margin_kw)
    lost = astray | ((state.lost > 0) & (plan.held | (short_k > 0)))
    other_k = (unit.sign * (air_c - band.other_c)).clamp(min=0.0)
    return _Outside(short_k, other_k, surprised, lost, excused, driven)


def _discomfort_k(air_c: Tensor, moment: HvacMoment, fleet: HvacFleet) -> Tensor:
    """How much farther than 1 K the air is from the set-points in force, (..., N). [K]"""
    warm_k = air_c - (fleet.agreement.cool_set_c + moment.offset_k + 1.0)
    cold_k = (fleet.agreement.heat_set_c - moment.offset_k - 1.0) - air_c
    return torch.maximum(warm_k, cold_k).clamp(min=0.0)


class _Twin(NamedTuple):
    """The home that nobody ever commands, at the end of a step, (..., N)."""

    air_c: Tensor
    mass_c: Tensor
    on: Tensor
    held_h: Tensor


def _twin(
    plan: HvacPlan, moment: HvacMoment, fleet: HvacFleet, dt_h: float
) -> tuple[_Twin, Tensor]:
    """Let the twin pass the step under its own thermostat; its state and its power. [kW]"""
    params, state = fleet.params, moment.state
    turned = plan.unit.heats != (state.heated > 0)
    on = (state.alone_on > 0) & ~turned & (plan.unit.full_kw > 0)
    stopped = turned & (state.alone_on > 0)
    held_h = torch.where(stopped, params.off_h + 0.0 * state.alone_held_h, state.alone_held_h)
    run = thermostat(
        state.alone_air_c,
        state.alone_mass_c,
        on,
        held_h > 0.5 * dt_h,
        plan.band.set_c,
        moment.expected,
        plan.unit,
        params,
        plan.over,
        cycles_inside(dt_h),
    )
    heat_kw = heat_into_rooms_kw(run, plan.unit, params)
    end = step_house(
        state.alone_air_c, state.alone_mass_c, moment.heat, heat_kw, params.house, plan.over
    )
    ran = run.compressor_kw > 0
    after = _Twin(
        end.air_c, end.mass_c, ran.to(end.air_c.dtype), _held_h(ran, on, held_h, fleet, dt_h)
    )
    return after, run.compressor_kw + run.aux_kw


def _held_h(ran: Tensor, on: Tensor, held_h: Tensor, fleet: HvacFleet, dt_h: float) -> Tensor:
    """How long a compressor must stay as it is after a step, (..., N). [h]"""
    lock_h = torch.where(ran, fleet.params.on_h, fleet.params.off_h)
    return (torch.where(ran != on, lock_h, held_h) - dt_h).clamp(min=0.0)


def _after(
    air_c: Tensor,
    mass_c: Tensor,
    run: HvacRun,
    twin: _Twin,
    outside: _Outside,
    plan: HvacPlan,
    moment: HvacMoment,
    fleet: HvacFleet,
    dt_h: float,
) -> HvacState:
    """State at the end of the step, (..., N)."""
    state = moment.state
    ran = run.compressor_kw > 0
    expected_c = equilibrium_c(moment.expected, fleet.params.house)
    return HvacState(
        air_c,
        mass_c,
        ran.to(air_c.dtype),
        _held_h(ran, plan.on, plan.held_h, fleet, dt_h),
        torch.where(plan.held, state.settled_c, expected_c),
        outside.lost.to(air_c.dtype),
        plan.unit.heats.to(air_c.dtype),
        twin.air_c,
        twin.mass_c,
        twin.on,
        twin.held_h,
    )


def first_state(
    share: Tensor, rows: HvacTables, fleet: HvacFleet, dtype: torch.dtype, device: torch.device
) -> HvacState:
    """Return homes at the start of an episode, the unit off and free to start.

    Air and mass stand alike inside the band, a tenth of it away from either edge at least.

    Args:
        share: Of the way from the empty to the full edge, (..., N). [0 to 1]
        rows: One row a scenario, as in `moment_of`.
        fleet: Constants, (N,).
        dtype: Working precision.
        device: Where the homes live.
    """
    zero = torch.zeros_like(share)
    blank = HvacState(*(zero for _ in HvacState._fields))
    # Only the signals count here; the length of the step does not.
    plan = plan_of(moment_of(blank, rows, fleet, 1.0), fleet, 1.0)
    band: HvacBand = plan.band
    air_c = band.empty_c + (0.1 + 0.8 * share) * (band.full_c - band.empty_c)
    air_c = air_c.to(device, dtype)
    zero = torch.zeros_like(air_c)
    heated = plan.unit.heats.to(device, dtype)
    return HvacState(air_c, air_c, zero, zero, air_c, zero, heated, air_c, air_c, zero, zero)
