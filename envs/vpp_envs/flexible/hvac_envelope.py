"""The viability envelope of a home with a thermostat: the powers that keep its band."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.house import (
    HouseHeat,
    HouseStep,
    equilibrium_c,
    heat_of,
    house_step,
    house_step_over,
    step_house,
)
from vpp_envs.devices.hvac import (
    HvacParams,
    HvacUnit,
    aux_to_give_kw,
    heat_to_reach_kw,
    thermostat,
    unit_now,
)
from vpp_envs.fleet.fleet import column_of_each
from vpp_envs.flexible.flex import Flex, read_curve
from vpp_envs.flexible.hvac_band import HvacAgreement, HvacBand, band_at


class HvacFleet(NamedTuple):
    """Constants of the homes with a thermostat, (N,)."""

    params: HvacParams
    agreement: HvacAgreement
    archetype: Tensor  # column of the tables of gains and schedules, (N,) int64
    cohort: Tensor  # class by time constant, -1 without a unit or not managed, (N,) int64


class HvacState(NamedTuple):
    """State of houses and units, (..., N)."""

    air_c: Tensor  # [C]
    mass_c: Tensor  # [C]
    on: Tensor  # 1 if the compressor ran at the end of the last step, else 0
    held_h: Tensor  # how long it must still stay so [h]
    settled_c: Tensor  # equilibrium that was expected when it last was free to switch [C]
    lost: Tensor  # 1 from a surprise beyond the margin until unit and air are back in control
    heated: Tensor  # 1 if the last step was one of heating, else 0
    alone_air_c: Tensor  # the same of the twin that is left alone
    alone_mass_c: Tensor
    alone_on: Tensor
    alone_held_h: Tensor


class HvacTables(NamedTuple):
    """Signals by tick, (T, K) by archetype or (T, 1), and the value curve by issue."""

    air_c: Tensor  # outdoors (T, 1) [C]
    sun_w_per_m2: Tensor  # on the horizontal (T, 1) [W/m2]
    gain_pu: Tensor  # heat of people, lights and appliances (T, K) [per unit of the home's mean]
    expected_pu: Tensor  # the same as the controller expects it (T, K)
    offset_k: Tensor  # by which the schedule opens the band at the tick's end (T, K) [K]
    curve: Tensor  # worth of an AC kWh by class and fill (I, C, F) [currency/kWh]


class HvacMoment(NamedTuple):
    """What acts on each home in one step, (..., N)."""

    state: HvacState
    heat: HouseHeat  # that comes
    expected: HouseHeat  # that the envelope reckons with
    offset_k: Tensor  # [K]
    curve: Tensor  # (..., C, F)


class HvacPlan(NamedTuple):
    """What one step's envelope and outcome both need, (..., N)."""

    unit: HvacUnit
    band: HvacBand
    over: HouseStep
    k_per_kw: Tensor  # answer of the air to heat through the step
    free_c: Tensor  # expected air at the end without the unit
    on: Tensor  # the compressor was running, in this direction, bool
    held: Tensor  # it must stay as it is, bool
    held_h: Tensor


def cycles_inside(dt_h: float) -> bool:
    """Return whether a step holds whole cycles of an on/off unit: from five minutes on."""
    return dt_h > 5.0 / 60.0 - 1e-9


def moment_of(state: HvacState, rows: HvacTables, fleet: HvacFleet, dt_h: float) -> HvacMoment:
    """Scale one row of the tables to homes, (..., N).

    Args:
        state: Of the homes.
        rows: One row a scenario, (B, K) or (B, 1), and the curve in force, (B, C, F).
        fleet: Constants, (N,).
        dt_h: Length of the step, which changes nothing here. [h]
    """
    house = fleet.params.house
    column = fleet.archetype
    gain_kw = column_of_each(rows.gain_pu, column) * house.gain_mean_kw
    expected_kw = column_of_each(rows.expected_pu, column) * house.gain_mean_kw
    offset_k = column_of_each(rows.offset_k, column) * fleet.agreement.offset_share
    return HvacMoment(
        state,
        heat_of(rows.air_c, rows.sun_w_per_m2, gain_kw, house),
        heat_of(rows.air_c, rows.sun_w_per_m2, expected_kw, house),
        offset_k,
        rows.curve,
    )


def flex(moment: HvacMoment, fleet: HvacFleet, dt_h: float) -> Flex:
    """Return what each home may draw in this step, (..., N).

    Args:
        moment: From `moment_of`.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    params = fleet.params
    plan = plan_of(moment, fleet, dt_h)
    state, unit, band = moment.state, plan.unit, plan.band
    own = thermostat(
        state.air_c,
        state.mass_c,
        plan.on,
        plan.held,
        band.set_c,
        moment.expected,
        unit,
        params,
        plan.over,
        cycles_inside(dt_h),
    )
    alone_kw = own.compressor_kw + own.aux_kw
    low_kw, high_kw, least_kw = _edges(plan, moment, fleet, dt_h)
    managed = fleet.agreement.managed > 0
    low_kw = torch.where(managed, low_kw, alone_kw)
    high_kw = torch.where(managed, torch.maximum(high_kw, low_kw), alone_kw)
    fill = _fill(state, band, params)
    cohort = fleet.cohort + torch.zeros_like(fill, dtype=torch.int64)
    return Flex(
        cohort,
        params.aux_kw + rated_kw(params),
        low_kw,
        high_kw,
        torch.minimum(torch.maximum(alone_kw, low_kw), high_kw),
        torch.where(managed, least_kw, torch.zeros_like(least_kw)),
        fill,
        read_curve(moment.curve, fill, cohort),
        moment.curve,
    )


def rated_kw(params: HvacParams) -> Tensor:
    """Electric power of compressor and fan in rating weather, positive, (N,). [kW]"""
    most_kw = torch.maximum(params.cool_kw / params.cool_cop, params.heat_kw / params.heat_cop)
    return torch.where(most_kw > 0, most_kw + params.fan_kw, torch.ones_like(most_kw))


def plan_of(moment: HvacMoment, fleet: HvacFleet, dt_h: float) -> HvacPlan:
    """Read direction, band and free motion of a step, (..., N).

    Args:
        moment: From `moment_of`.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    params, agreement, state = fleet.params, fleet.agreement, moment.state
    house = params.house
    middle_c = 0.5 * (agreement.cool_set_c + agreement.heat_set_c)
    heats = equilibrium_c(moment.expected, house) < middle_c
    unit = unit_now(heats, moment.expected.outdoor_c, params)
    over = house_step(house, dt_h)
    none = torch.zeros_like(state.air_c)
    free_c = step_house(state.air_c, state.mass_c, moment.expected, none, house, over).air_c
    turned = heats != (state.heated > 0)
    # What turns from heating to cooling has stopped; it then keeps its time off.
    held_h = torch.where(turned & (state.on > 0), params.off_h + none, state.held_h)
    # Where cycles lie inside the step, no lockout outlasts one.
    still_h = 1e9 if cycles_inside(dt_h) else 0.5 * dt_h
    return HvacPlan(
        unit,
        band_at(moment.offset_k, unit, agreement),
        over,
        over.end_air_air / house.air_kwh_per_k,
        free_c,
        (state.on > 0) & ~turned & (unit.full_kw > 0),
        held_h > still_h,
        held_h,
    )


def _edges(
    plan: HvacPlan, moment: HvacMoment, fleet: HvacFleet, dt_h: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Least and most power that keep the promise, and the power of a start, (..., N). [kW]"""
    unit, band, agreement = plan.unit, plan.band, fleet.agreement
    margin_k = agreement.margin_kw * plan.k_per_kw
    must_c = band.empty_c + unit.sign * margin_k
    may_c = band.full_c - unit.sign * margin_k
    must_kw = heat_to_reach_kw(must_c, plan.free_c, unit, plan.k_per_kw)
    none = torch.zeros_like(must_kw)
    if cycles_inside(dt_h):
        may_kw = heat_to_reach_kw(may_c, plan.free_c, unit, plan.k_per_kw)
        least_on_kw = torch.minimum(must_kw / unit.heat_per_kw, unit.full_kw)
        most_on_kw = torch.minimum(may_kw / unit.heat_per_kw, unit.full_kw)
        least_kw = none
    else:
        stops, starts = _may_switch(plan, moment, fleet, dt_h, must_c, may_c)
        must = torch.where(plan.held, plan.on, ~stops)
        may = torch.where(plan.held, plan.on, starts | must)
        least_on_kw = torch.where(must, unit.full_kw, none)
        most_on_kw = torch.where(may, unit.full_kw, none)
        least_kw = torch.where(may & ~must, unit.full_kw, none)
    aux_kw = aux_to_give_kw(must_kw, least_on_kw, unit, fleet.params.duct_eff)
    # Resistance heat runs only where the promise needs it: nobody preheats with it.
    low_kw = least_on_kw + aux_kw
    return low_kw, torch.maximum(most_on_kw, low_kw), least_kw


def _may_switch(
    plan: HvacPlan, moment: HvacMoment, fleet: HvacFleet, dt_h: float, must_c: Tensor, may_c: Tensor
) -> tuple[Tensor, Tensor]:
    """Whether a unit may be off, and whether it may be on, through this step, (..., N) bool.

    Stopping or starting binds for the lockout; staying as it is binds for this step alone.
    """
    params, unit = fleet.params, plan.unit
    full_kw = unit.sign * unit.heat_per_kw * unit.full_kw
    on_c = plan.free_c + full_kw * plan.k_per_kw
    # Lockouts end on the clock of the steps.
    off_c, off_k = _after_lock(torch.zeros_like(full_kw), params.off_h, moment, fleet, dt_h)
    run_c, run_k = _after_lock(full_kw, params.on_h, moment, fleet, dt_h)
    step_stays = unit.sign * (plan.free_c - must_c) >= 0
    lock_stays = unit.sign * (off_c - plan.band.empty_c) >= off_k
    step_fits = unit.sign * (may_c - on_c) >= 0
    lock_fits = unit.sign * (plan.band.full_c - run_c) >= run_k
    stops = step_stays & (lock_stays | ~plan.on)
    starts = step_fits & (lock_fits | plan.on)
    return stops, starts


def _after_lock(
    unit_kw: Tensor, lock_h: Tensor, moment: HvacMoment, fleet: HvacFleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """Air after a lockout with this heat, and its margin: surprises and the closing band. [C, K]"""
    house, state = fleet.params.house, moment.state
    time_h = (torch.ceil(lock_h / dt_h - 1e-6) * dt_h).clamp(min=dt_h)
    over = house_step_over(house, time_h)
    end = step_house(state.air_c, state.mass_c, moment.expected, unit_kw, house, over)
    # Outdoors may move by a degree meanwhile, and a heat pump's capacity with it by a twentieth.
    margin_kw = fleet.agreement.margin_kw + 0.05 * unit_kw.abs()
    surprise_k = margin_kw * over.end_air_air / house.air_kwh_per_k
    return end.air_c, surprise_k + fleet.agreement.ramp_k_per_h * time_h


def _fill(state: HvacState, band: HvacBand, params: HvacParams) -> Tensor:
    """Where the heat of air and mass stands between the edges, (..., N). [0 to 1]"""
    house = params.house
    air, mass = house.air_kwh_per_k, house.mass_kwh_per_k
    stored_c = (air * state.air_c + mass * state.mass_c) / (air + mass)
    width_k = band.full_c - band.empty_c
    width_k = torch.where(width_k == 0, torch.ones_like(width_k), width_k)
    return ((stored_c - band.empty_c) / width_k).clamp(0.0, 1.0)
