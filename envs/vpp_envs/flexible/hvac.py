"""Heating and cooling of a house: a band of comfort that is promised, and power inside it.

The machine heats or cools by whether the air, left to itself, would end the step below or above
the middle between the two set-points. Cooling may go down from the set-point to pre-cool, never
beyond the middle, and up to set back; heating likewise the other way. So the store is full, in
both modes, when the air is at the inner edge, and a mode never undoes what the other has stored.

At five minutes and above the power is a mean over a step in which the machine cycles. Below, the
machine is on or off for all of a step, and a compressor that was switched rests or runs on for
its least time, which the edges of the band foresee.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.house import (
    Temperatures,
    after_step,
    air_rise_k_per_kw,
    equilibrium,
    lost_kwh,
    transition,
)
from vpp_envs.devices.hvac import (
    Range,
    heat_kw,
    machine_range,
    most_kw,
    power_for_kw,
)
from vpp_envs.fleet.pick import column_of_each
from vpp_envs.flexible.flex import Flex, Served, into_flex, with_thermostat
from vpp_envs.flexible.hvac_parts import HvacFleet, HvacMoment, HvacOutcome, HvacState, HvacTables


class _Course(NamedTuple):
    """A house over the step ahead with its machine off, and what the machine can do."""

    now: Temperatures
    free: Temperatures  # at the end, machine off
    rest: Temperatures  # equilibrium of the step, machine off
    outdoor_c: Tensor
    cools: Tensor  # the machine's mode, bool
    able: Range
    most_kw: Tensor  # that the machine can draw [kW]
    rise_k_per_kw: Tensor  # of the air, per kW of heat


def moment_of(state: HvacState, rows: HvacTables, fleet: HvacFleet, dt_h: float) -> HvacMoment:
    """Scale the rows of the tables to the homes; see `vpp_envs.flexible.kinds`."""
    people = column_of_each(rows.gain_pu, fleet.archetype)
    gain_kw = fleet.gain_kw * people + fleet.aperture_m2 * rows.sun_kw_per_m2
    away = column_of_each(rows.away, fleet.archetype)
    outdoor_c = rows.air_c.expand_as(gain_kw)
    return HvacMoment(state, outdoor_c, gain_kw, away, rows.curve)


def band_c(moment: HvacMoment, fleet: HvacFleet) -> tuple[Tensor, Tensor]:
    """The coldest and the warmest that was promised now, (..., N). [C]

    Set-points move apart while people are away, and together again before they come: the table of
    people has the ramp in it, so that the band closes no faster than a machine can follow.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
    """
    agreed = fleet.agreement
    away_k = agreed.away_k * moment.away
    coldest_c = agreed.heat_set_c - agreed.setback_k - away_k
    return coldest_c, agreed.cool_set_c + agreed.setback_k + away_k


def flex(moment: HvacMoment, fleet: HvacFleet, dt_h: float) -> Flex:
    """What the machines tell dispatch; see `vpp_envs.flexible.flex`.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    s = moment.state
    now = Temperatures(s.air_c, s.mass_c)
    course = _course(now, moment, fleet, dt_h)
    agreed = fleet.agreement
    coldest_c, warmest_c = band_c(moment, fleet)
    must_c = torch.where(course.cools, warmest_c - agreed.margin_k, coldest_c + agreed.margin_k)
    inner_c = _inner_c(course.cools, fleet)
    # A kelvin too warm is cooled away, a kelvin too cold is heated away.
    low_kw = power_for_kw(_needed_kw(course, must_c), course.cools, course.able)
    high_kw = power_for_kw(_needed_kw(course, inner_c), course.cools, course.able)
    high_kw = torch.maximum(high_kw, low_kw)
    alone_kw, _ = _thermostat(s.on, s.since_h, course, moment, fleet, dt_h)
    least_kw = torch.zeros_like(low_kw)
    if dt_h < 5.0 / 60.0 - 1e-9:
        low_kw, high_kw = _switched(low_kw, high_kw, must_c, inner_c, course, moment, fleet, dt_h)
        least_kw = course.most_kw
    fill = _fill(now, course.cools, coldest_c, warmest_c, inner_c, fleet)
    fill = torch.where(course.most_kw > 0, fill, torch.ones_like(fill))
    edges_kw = (low_kw, high_kw)
    return with_thermostat(
        fleet.cohort, fleet.rated_kw, edges_kw, alone_kw, least_kw, fill, moment.curve
    )


def step(
    asked_kw: Tensor, around: Flex, moment: HvacMoment, fleet: HvacFleet, dt_h: float
) -> HvacOutcome:
    """Advance the houses by one step.

    Args:
        asked_kw: Power asked, NaN = the thermostat decides, (..., N). [kW]
        around: The machines at this moment, narrowed by the home's connection.
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    s = moment.state
    now = Temperatures(s.air_c, s.mass_c)
    course = _course(now, moment, fleet, dt_h)
    power_kw = into_flex(asked_kw, around)
    heat = heat_kw(power_kw, course.cools, course.able) + _burner_kw(course, moment, fleet)
    after, lost = _heated(course, heat, fleet, dt_h)
    twin = Temperatures(s.alone_air_c, s.alone_mass_c)
    twin_course = _course(twin, moment, fleet, dt_h)
    alone = (s.alone_air_c, s.alone_mass_c, s.alone_on, s.alone_since_h)
    # The twin makes the same promises, and nobody commands it.
    around_twin = flex(moment._replace(state=HvacState(*alone, *alone)), fleet, dt_h)
    twin_kw = into_flex(torch.full_like(power_kw, torch.nan), around_twin)
    twin_on = (twin_kw > 0).to(s.on.dtype)
    twin_heat = heat_kw(twin_kw, twin_course.cools, twin_course.able)
    twin_heat = twin_heat + _burner_kw(twin_course, moment, fleet)
    twin_after, _ = _heated(twin_course, twin_heat, fleet, dt_h)
    on = (power_kw > 0).to(s.on.dtype)
    state = HvacState(
        after.air_c,
        after.mass_c,
        on,
        torch.where(on == s.on, s.since_h + dt_h, torch.full_like(on, dt_h)),
        twin_after.air_c,
        twin_after.mass_c,
        twin_on,
        torch.where(twin_on == s.alone_on, s.alone_since_h + dt_h, torch.full_like(on, dt_h)),
    )
    outside_k = _outside_k(after, moment, fleet)
    discomfort_k = _discomfort_k(after, moment, fleet)
    broken = _broken(power_kw, after, course, moment, fleet, dt_h)
    none = torch.zeros_like(power_kw)
    return HvacOutcome(
        state,
        Served(power_kw, twin_kw, none, none, broken),
        heat * dt_h,
        lost,
        moment.gain_kw * dt_h,
        discomfort_k * dt_h,
        outside_k * dt_h,
    )


def first_state(share: Tensor, rows: HvacTables, fleet: HvacFleet, dt_h: float) -> HvacState:
    """Houses at the start of an episode: at their set-points, the mass with the air.

    Args:
        share: Of the way from the heating to the cooling set-point where the outdoor air lies
            between them, (..., N). [0 to 1]
        rows: Of the first tick, (B, K).
        fleet: Constants, (N,).
        dt_h: Length of a step. [h]
    """
    agreed = fleet.agreement
    zero = torch.zeros_like(share)
    moment = moment_of(HvacState(*(zero,) * 8), rows, fleet, dt_h)
    between_c = agreed.heat_set_c + share * (agreed.cool_set_c - agreed.heat_set_c)
    air_c = torch.minimum(
        torch.maximum(moment.outdoor_c + 3.0, agreed.heat_set_c), agreed.cool_set_c
    )
    inside = (air_c > agreed.heat_set_c) & (air_c < agreed.cool_set_c)
    air_c = torch.where(inside, between_c, air_c)
    rested = zero + 1.0  # an hour: every lockout is over
    return HvacState(air_c, air_c, zero, rested, air_c, air_c, zero, rested)


def _course(now: Temperatures, moment: HvacMoment, fleet: HvacFleet, dt_h: float) -> _Course:
    """Foresee a step with the machine off."""
    over = transition(fleet.house, dt_h)
    half_kw = 0.5 * moment.gain_kw
    rest = equilibrium(moment.outdoor_c, half_kw, half_kw, fleet.house)
    free = after_step(now, rest, over)
    agreed = fleet.agreement
    cools = free.air_c >= 0.5 * (agreed.heat_set_c + agreed.cool_set_c)
    able = machine_range(moment.outdoor_c, fleet.params)
    rise = air_rise_k_per_kw(fleet.house, over)
    most = most_kw(cools, able)
    if dt_h < 5.0 / 60.0 - 1e-9:
        # On means the pump alone, wherever it can keep the promise by itself.
        coldest_c, _ = band_c(moment, fleet)
        needed_kw = (coldest_c + agreed.margin_k - free.air_c) / rise
        enough = (able.pump_kw > 0) & (able.pump_kw * able.heat_per_kw >= needed_kw)
        most = torch.where(~cools & enough, able.pump_kw, most)
    return _Course(now, free, rest, moment.outdoor_c, cools, able, most, rise)


def _needed_kw(course: _Course, target_c: Tensor) -> Tensor:
    """Heat that leaves the air at a temperature at the end of the step, (..., N). [kW]"""
    return (target_c - course.free.air_c) / course.rise_k_per_kw


def _burner_kw(course: _Course, moment: HvacMoment, fleet: HvacFleet) -> Tensor:
    """Heat of a burner that holds the heating set-point, (..., N). [kW]"""
    agreed = fleet.agreement
    set_c = agreed.heat_set_c - agreed.away_k * moment.away
    needed_kw = _needed_kw(course, set_c).clamp(min=0.0)
    return torch.where(course.cools, torch.zeros_like(needed_kw), needed_kw * fleet.params.burner)


def _inner_c(cools: Tensor, fleet: HvacFleet) -> Tensor:
    """How far pre-cooling or pre-heating may go, (..., N). [C]"""
    agreed = fleet.agreement
    middle_c = 0.5 * (agreed.heat_set_c + agreed.cool_set_c)
    return torch.where(
        cools,
        torch.maximum(agreed.cool_set_c - agreed.prepare_k, middle_c),
        torch.minimum(agreed.heat_set_c + agreed.prepare_k, middle_c),
    )


def _fill(
    now: Temperatures,
    cools: Tensor,
    coldest_c: Tensor,
    warmest_c: Tensor,
    inner_c: Tensor,
    fleet: HvacFleet,
) -> Tensor:
    """Where air and mass together stand between the outer and the inner edge, (..., N)."""
    house = fleet.house
    whole = house.air_kwh_per_k + house.mass_kwh_per_k
    mean_c = (house.air_kwh_per_k * now.air_c + house.mass_kwh_per_k * now.mass_c) / whole
    outer_c = torch.where(cools, warmest_c, coldest_c)
    width_k = torch.where(cools, outer_c - inner_c, inner_c - outer_c).clamp(min=0.1)
    beyond_k = torch.where(cools, outer_c - mean_c, mean_c - outer_c)
    return (beyond_k / width_k).clamp(0.0, 1.0)


def _thermostat(
    on: Tensor,
    since_h: Tensor,
    course: _Course,
    moment: HvacMoment,
    fleet: HvacFleet,
    dt_h: float,
) -> tuple[Tensor, Tensor]:
    """What the home's own thermostat does: power [kW] and whether the machine runs, (..., N).

    From five minutes on it holds the set-point by cycling within the step. Below, it switches at
    the edges of its deadband and honours the compressor's least times.
    """
    agreed = fleet.agreement
    away_k = agreed.away_k * moment.away
    set_c = torch.where(course.cools, agreed.cool_set_c + away_k, agreed.heat_set_c - away_k)
    if dt_h >= 5.0 / 60.0 - 1e-9:
        power_kw = power_for_kw(_needed_kw(course, set_c), course.cools, course.able)
        return power_kw, (power_kw > 0).to(on.dtype)
    # Positive where the machine has work to do.
    off_k = torch.where(course.cools, course.now.air_c - set_c, set_c - course.now.air_c)
    half_k = 0.5 * fleet.deadband_k
    wants = torch.where(on > 0, off_k > -half_k, off_k >= half_k)
    least_h = torch.where(on > 0, fleet.run_h, fleet.rest_h)
    runs = torch.where(since_h < least_h - 1e-9, on > 0, wants) & (course.most_kw > 0)
    return torch.where(runs, course.most_kw, torch.zeros_like(course.most_kw)), runs.to(on.dtype)


def _switched(
    low_kw: Tensor,
    high_kw: Tensor,
    must_c: Tensor,
    inner_c: Tensor,
    course: _Course,
    moment: HvacMoment,
    fleet: HvacFleet,
    dt_h: float,
) -> tuple[Tensor, Tensor]:
    """Edges of a machine that is on or off: both off, both on, or free, (..., N). [kW]

    Whoever switches is held to it for the least time, so that the air is foreseen that long.
    """
    s, most = moment.state, course.most_kw
    least_h = torch.where(s.on > 0, fleet.run_h, fleet.rest_h)
    locked = s.since_h < least_h - 1e-9
    # A switch commits the machine for its least time: five minutes off, three on.
    off_h, on_h = max(dt_h, 5.0 / 60.0), max(dt_h, 3.0 / 60.0)
    if_off = _ahead_c(course, torch.zeros_like(most), moment, fleet, off_h)
    stays_off = course.free.air_c
    idle_c = torch.where(s.on > 0, if_off, stays_off)
    if_on = _ahead_c(course, most, moment, fleet, on_h)
    stays_on = _ahead_c(course, most, moment, fleet, dt_h)
    run_c = torch.where(s.on > 0, stays_on, if_on)
    must_run = torch.where(course.cools, idle_c > must_c, idle_c < must_c)
    # Comfort at the outer edge goes before the inner one.
    must_rest = torch.where(course.cools, run_c < inner_c, run_c > inner_c) & ~must_run
    zero = torch.zeros_like(most)
    low = torch.where(must_run, most, zero)
    high = torch.where(must_rest, zero, most)
    held = torch.where(s.on > 0, most, zero)
    return torch.where(locked, held, low), torch.where(locked, held, high)


def _ahead_c(
    course: _Course, power_kw: Tensor, moment: HvacMoment, fleet: HvacFleet, hours: float
) -> Tensor:
    """Air after some hours of a power, (..., N). [C]"""
    over = transition(fleet.house, hours)
    free_c = after_step(course.now, course.rest, over).air_c
    rise = air_rise_k_per_kw(fleet.house, over)
    return free_c + rise * heat_kw(power_kw, course.cools, course.able)


def _heated(
    course: _Course, heat: Tensor, fleet: HvacFleet, dt_h: float
) -> tuple[Temperatures, Tensor]:
    """Temperatures after a step with the machine's heat, and heat lost. [C], [kWh]"""
    over = transition(fleet.house, dt_h)
    warmer_c = heat / fleet.house.ua_kw_per_k
    rest = Temperatures(course.rest.air_c + warmer_c, course.rest.mass_c + warmer_c)
    after = after_step(course.now, rest, over)
    return after, lost_kwh(course.now, after, rest, course.outdoor_c, fleet.house, dt_h)


def _outside_k(after: Temperatures, moment: HvacMoment, fleet: HvacFleet) -> Tensor:
    """How far the air is outside the promised band, 0 without a machine, (..., N). [K]"""
    coldest_c, warmest_c = band_c(moment, fleet)
    too_k = (after.air_c - warmest_c).clamp(min=0.0) + (coldest_c - after.air_c).clamp(min=0.0)
    return torch.where(fleet.rated_kw > 0, too_k, torch.zeros_like(too_k))


def _discomfort_k(after: Temperatures, moment: HvacMoment, fleet: HvacFleet) -> Tensor:
    """How far the air is beyond a kelvin from the set-points, (..., N). [K]"""
    agreed = fleet.agreement
    away_k = agreed.away_k * moment.away
    warm_k = (after.air_c - (agreed.cool_set_c + away_k + 1.0)).clamp(min=0.0)
    cold_k = (agreed.heat_set_c - away_k - 1.0 - after.air_c).clamp(min=0.0)
    return torch.where(fleet.rated_kw > 0, warm_k + cold_k, torch.zeros_like(warm_k))


def _broken(
    power_kw: Tensor,
    after: Temperatures,
    course: _Course,
    moment: HvacMoment,
    fleet: HvacFleet,
    dt_h: float,
) -> Tensor:
    """Whether comfort was given up although the machine could have kept it, (..., N) bool.

    Outside the band with the machine at its limit, or held by a lockout, is misfortune.
    """
    s = moment.state
    tolerance_k = 1e-3 if after.air_c.dtype == torch.float32 else 1e-6
    coldest_c, warmest_c = band_c(moment, fleet)
    inner_c = _inner_c(course.cools, fleet)
    work_k = torch.where(course.cools, after.air_c - warmest_c, coldest_c - after.air_c)
    over_k = torch.where(course.cools, inner_c - after.air_c, after.air_c - inner_c)
    idle = power_kw < course.most_kw * (1.0 - 1e-5) - 1e-6
    neglected = (work_k > tolerance_k) & idle
    overdone = (over_k > tolerance_k) & (power_kw > 1e-6)
    switched = torch.zeros_like(idle)
    if dt_h < 5.0 / 60.0 - 1e-9:
        least_h = torch.where(s.on > 0, fleet.run_h, fleet.rest_h)
        locked = s.since_h < least_h - 1e-9
        neglected = neglected & ~locked
        overdone = overdone & ~locked & (s.on > 0)
        switched = locked & ((power_kw > 0) != (s.on > 0)) & (course.most_kw > 0)
    managed = (fleet.cohort >= 0) & (fleet.rated_kw > 0)
    return managed & (neglected | overdone | switched)
