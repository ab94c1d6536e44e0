"""Heating and cooling of a house: a band of comfort that is promised, and power inside it.

The machine heats or cools by whether the air, left to itself, would end the step below or above
the middle between the two set-points. Cooling may go down from the set-point to pre-cool, never
beyond the middle, and up to set back; heating likewise the other way. So the store is full, in
both modes, when the air is at the inner edge, and a mode never undoes what the other has stored.

At five minutes and above the power is a mean over a step in which the machine cycles. Below, the
machine is on or off for all of a step, and a compressor that was switched rests or runs on for
its least time, which the edges of the band foresee.
"""

import torch
from torch import Tensor

from vpp_envs.devices.house import (
    Temperatures,
    after_step,
    equilibrium,
    lost_kwh,
    rise_k_per_kw,
    settled_rise_k_per_kw,
    transition,
)
from vpp_envs.devices.hvac import (
    heat_kw,
    machine_range,
    most_kw,
    power_for_kw,
)
from vpp_envs.fleet.pick import beside, column_of_each, first_of, second_of
from vpp_envs.flexible.flex import (
    Flex,
    Served,
    into_flex,
    told_of_homes,
    unless_out,
    with_thermostat,
)
from vpp_envs.flexible.hvac_parts import (
    Gains,
    HouseAhead,
    HouseCourse,
    HouseState,
    HvacFleet,
    HvacMoment,
    HvacOutcome,
    HvacState,
    HvacTables,
)

# Of the heat of people and appliances half warms the air, as in GridLAB-D; the sun through windows
# falls on floors and walls, which give a tenth of it to the air at once. With GridLAB-D's half for
# the sun, too, a house fitted to OCHRE's misses the electricity of cooling by 7 %.
PEOPLE_TO_AIR, SUN_TO_AIR = 0.5, 0.1


def moment_of(state: HvacState, rows: HvacTables, fleet: HvacFleet, dt_h: float) -> HvacMoment:
    """Scale the rows of the tables to the homes; see `vpp_envs.flexible.kinds`."""
    people_kw = fleet.gain_kw * column_of_each(rows.gain_pu, fleet.archetype)
    sun_kw = fleet.aperture_m2 * rows.sun_kw_per_m2
    gains = Gains(
        PEOPLE_TO_AIR * people_kw + SUN_TO_AIR * sun_kw,
        (1.0 - PEOPLE_TO_AIR) * people_kw + (1.0 - SUN_TO_AIR) * sun_kw,
    )
    away = column_of_each(rows.away, fleet.archetype)
    outdoor_c = rows.air_c.expand_as(people_kw)
    ahead = foresee(beside(*state), outdoor_c, gains, away, fleet, dt_h)
    return HvacMoment(outdoor_c, gains, away, ahead, rows.curve)


def band_c(away: Tensor, fleet: HvacFleet) -> tuple[Tensor, Tensor]:
    """The coldest and the warmest that was promised now, (..., N). [C]

    Set-points move apart while people are away, and together again before they come: the table of
    people has the ramp in it, so that the band closes no faster than a machine can follow.

    Args:
        away: How far the set-points have moved apart, (..., N). [0 to 1]
        fleet: Constants, (N,).
    """
    agreed = fleet.agreement
    away_k = agreed.away_k * away
    coldest_c = agreed.heat_set_c - agreed.setback_k - away_k
    return coldest_c, agreed.cool_set_c + agreed.setback_k + away_k


def foresee(
    s: HouseState, outdoor_c: Tensor, gains: Gains, away: Tensor, fleet: HvacFleet, dt_h: float
) -> HouseAhead:
    """What machines can do in a step, and what their own thermostats will.

    Args:
        s: State of the houses, (..., N).
        outdoor_c: Outdoor air, (..., N). [C]
        gains: Heat of sun, people and appliances, (..., N). [kW]
        away: How far the set-points have moved apart, (..., N). [0 to 1]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    agreed, over = fleet.agreement, transition(fleet.house, dt_h)
    rest = equilibrium(outdoor_c, gains.air_kw, gains.mass_kw, fleet.house)
    now = Temperatures(s.air_c, s.mass_c)
    free = after_step(now, rest, over)
    cools = free.air_c >= 0.5 * (agreed.heat_set_c + agreed.cool_set_c)
    able = machine_range(outdoor_c, fleet.params)
    rise = rise_k_per_kw(fleet.house, over).air_c
    inner_c = _inner_c(cools, fleet)
    coldest_c, warmest_c = band_c(away, fleet)
    must_c = torch.where(cools, warmest_c - agreed.margin_k, coldest_c + agreed.margin_k)
    most = most_kw(cools, able)
    if dt_h < 5.0 / 60.0 - 1e-9:
        # On means the pump alone, wherever it can keep the promise by itself.
        needed_kw = (coldest_c + agreed.margin_k - free.air_c) / rise
        enough = (able.pump_kw > 0) & (able.pump_kw * able.heat_per_kw >= needed_kw)
        most = torch.where(~cools & enough, able.pump_kw, most)
    # A kelvin too warm is cooled away, a kelvin too cold is heated away.
    low_kw = power_for_kw((must_c - free.air_c) / rise, cools, able)
    high_kw = power_for_kw((inner_c - free.air_c) / rise, cools, able)
    high_kw = torch.maximum(high_kw, low_kw)
    least_kw = torch.zeros_like(low_kw)
    course = HouseCourse(s, free, rest, over, cools, able, most, rise, inner_c)
    alone_kw = _thermostat(course, away, fleet, dt_h)
    if dt_h < 5.0 / 60.0 - 1e-9:
        low_kw, high_kw = _switched(low_kw, must_c, course, fleet, dt_h)
        least_kw = most
    edges = with_thermostat(fleet.cohort, low_kw, high_kw, alone_kw)
    return HouseAhead(course, edges, least_kw)


def flex(moment: HvacMoment, fleet: HvacFleet, dt_h: float) -> Flex:
    """What the machines tell dispatch; see `vpp_envs.flexible.flex`.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    ahead = moment.ahead
    fill = _fill(moment, fleet)
    return told_of_homes(
        fleet.cohort, fleet.rated_kw, ahead.edges, ahead.least_kw, fill, moment.curve
    )


def step(
    asked_kw: Tensor,
    around: Flex,
    moment: HvacMoment,
    fleet: HvacFleet,
    dt_h: float,
    out: Tensor | None = None,
) -> HvacOutcome:
    """Advance the houses by one step.

    Args:
        asked_kw: Power asked, NaN = the thermostat decides, (..., N). [kW]
        around: The machines at this moment, narrowed by the home's connection.
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        out: 1 where the grid is away; twins and the fans of burners stand still, too, (..., N).
    """
    course = moment.ahead.course
    twin_kw = unless_out(moment.ahead.edges.alone_kw[1], out)
    power_kw = into_flex(asked_kw, around)
    both_kw = torch.stack((power_kw, twin_kw))
    burner_kw = unless_out(_burner_kw(moment, fleet), out)
    heat = heat_kw(both_kw, course.cools, course.able) + burner_kw
    per_kw = settled_rise_k_per_kw(fleet.house)
    s, rest = course.state, course.rest
    rest = Temperatures(rest.air_c + heat * per_kw.air_c, rest.mass_c + heat * per_kw.mass_c)
    after = after_step(Temperatures(s.air_c, s.mass_c), rest, course.over)
    on = (both_kw > 0).to(s.on.dtype)
    since_h = torch.where(on == s.on, s.since_h + dt_h, torch.full_like(on, dt_h))
    both = HouseState(after.air_c, after.mass_c, on, since_h)
    state, before = HvacState(first_of(both), second_of(both)), first_of(s)
    now, then = Temperatures(before.air_c, before.mass_c), first_of(after)
    lost = lost_kwh(now, then, first_of(rest), moment.outdoor_c, fleet.house, dt_h)
    coldest_c, warmest_c = band_c(moment.away, fleet)
    exists = (fleet.rated_kw > 0).to(then.air_c.dtype)
    too_k = (then.air_c - warmest_c).clamp(min=0.0) + (coldest_c - then.air_c).clamp(min=0.0)
    none = torch.zeros_like(power_kw)
    return HvacOutcome(
        state,
        Served(power_kw, twin_kw, none, none, _broken(power_kw, then.air_c, moment, fleet, dt_h)),
        heat[0] * dt_h,
        lost,
        (moment.gains.air_kw + moment.gains.mass_kw) * dt_h,
        exists * _discomfort_k(then.air_c, moment.away, fleet) * dt_h,
        exists * too_k * dt_h,
    )


def stored_kwh(moment: HvacMoment, fleet: HvacFleet) -> Tensor:
    """Electricity that warmth, or while it cools cold, beyond the set-point would cost. [kWh]

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
    """
    course, house, agreed = moment.ahead.course, fleet.house, fleet.agreement
    cools = course.cools[0]
    set_c = torch.where(cools, agreed.cool_set_c, agreed.heat_set_c)
    air_kwh = house.air_kwh_per_k * (course.state.air_c[0] - set_c)
    warmth_kwh = air_kwh + house.mass_kwh_per_k * (course.state.mass_c[0] - set_c)
    pump = torch.where(course.able.pump_kw > 0, course.able.heat_per_kw, 1.0 + 0.0 * warmth_kwh)
    return torch.where(cools, -warmth_kwh / course.able.cool_per_kw, warmth_kwh / pump)


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
    between_c = agreed.heat_set_c + share * (agreed.cool_set_c - agreed.heat_set_c)
    air_c = torch.minimum(torch.maximum(rows.air_c + 3.0, agreed.heat_set_c), agreed.cool_set_c)
    inside = (air_c > agreed.heat_set_c) & (air_c < agreed.cool_set_c)
    air_c = torch.where(inside, between_c, air_c + zero)
    rested = zero + 1.0  # an hour: every lockout is over
    house = HouseState(air_c, air_c, zero, rested)
    return HvacState(house, house)


def _burner_kw(moment: HvacMoment, fleet: HvacFleet) -> Tensor:
    """Heat of a burner that holds the heating set-point, (2, ..., N). [kW]"""
    agreed, course = fleet.agreement, moment.ahead.course
    set_c = agreed.heat_set_c - agreed.away_k * moment.away
    needed_kw = ((set_c - course.free.air_c) / course.rise_k_per_kw).clamp(min=0.0)
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


def _fill(moment: HvacMoment, fleet: HvacFleet) -> Tensor:
    """Where air and mass together stand between the outer and the inner edge, (..., N)."""
    house, course = fleet.house, moment.ahead.course
    cools, inner_c = course.cools[0], course.inner_c[0]
    air_kwh = house.air_kwh_per_k * course.state.air_c[0]
    mass_kwh = house.mass_kwh_per_k * course.state.mass_c[0]
    mean_c = (air_kwh + mass_kwh) / (house.air_kwh_per_k + house.mass_kwh_per_k)
    coldest_c, warmest_c = band_c(moment.away, fleet)
    outer_c = torch.where(cools, warmest_c, coldest_c)
    width_k = (inner_c - outer_c).abs().clamp(min=0.1)
    beyond_k = torch.where(cools, outer_c - mean_c, mean_c - outer_c)
    fill = (beyond_k / width_k).clamp(0.0, 1.0)
    return torch.where(course.most_kw[0] > 0, fill, torch.ones_like(fill))


def _thermostat(course: HouseCourse, away: Tensor, fleet: HvacFleet, dt_h: float) -> Tensor:
    """What the home's own thermostat does, (..., N). [kW]

    From five minutes on it holds the set-point by cycling within the step; resistance helps a
    heat pump only where the air is far below (1.6 K, OCHRE's second stage). Below, it switches at
    the edges of its deadband and honours the compressor's least times.
    """
    agreed, s = fleet.agreement, course.state
    away_k = agreed.away_k * away
    set_c = torch.where(course.cools, agreed.cool_set_c + away_k, agreed.heat_set_c - away_k)
    if dt_h >= 5.0 / 60.0 - 1e-9:
        heat = (set_c - course.free.air_c) / course.rise_k_per_kw
        pump = course.able.pump_kw * course.able.heat_per_kw
        alone = (pump > 0) & (s.air_c > set_c - 1.6)
        heat = torch.where(alone, torch.minimum(heat, pump), heat)
        return power_for_kw(heat, course.cools, course.able)
    # Positive where the machine has work to do.
    off_k = torch.where(course.cools, s.air_c - set_c, set_c - s.air_c)
    half_k = 0.5 * fleet.deadband_k
    wants = torch.where(s.on > 0, off_k > -half_k, off_k >= half_k)
    runs = torch.where(_locked(s, fleet), s.on > 0, wants) & (course.most_kw > 0)
    return torch.where(runs, course.most_kw, torch.zeros_like(course.most_kw))


def _locked(s: HouseState, fleet: HvacFleet) -> Tensor:
    """Whether the machine may not be switched yet, (..., N) bool."""
    return s.since_h < torch.where(s.on > 0, fleet.run_h, fleet.rest_h) - 1e-9


def _switched(
    low_kw: Tensor, must_c: Tensor, course: HouseCourse, fleet: HvacFleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """Edges of a machine that is on or off: both off, both on, or free, (..., N). [kW]

    Whoever switches is held to it for the least time, so that the air is foreseen that long.
    """
    s, most = course.state, course.most_kw
    locked = _locked(s, fleet)
    # A switch commits the machine for its least time: five minutes off, three on.
    off_h, on_h = max(dt_h, 5.0 / 60.0), max(dt_h, 3.0 / 60.0)
    if_off = _ahead_c(course, torch.zeros_like(most), fleet, off_h)
    idle_c = torch.where(s.on > 0, if_off, course.free.air_c)
    if_on = _ahead_c(course, most, fleet, on_h)
    run_c = torch.where(s.on > 0, _ahead_c(course, most, fleet, dt_h), if_on)
    inner_c = course.inner_c
    must_run = torch.where(course.cools, idle_c > must_c, idle_c < must_c)
    # Comfort at the outer edge goes before the inner one.
    must_rest = torch.where(course.cools, run_c < inner_c, run_c > inner_c) & ~must_run
    zero = torch.zeros_like(low_kw)
    low, high = torch.where(must_run, most, zero), torch.where(must_rest, zero, most)
    held = torch.where(s.on > 0, most, zero)
    return torch.where(locked, held, low), torch.where(locked, held, high)


def _ahead_c(course: HouseCourse, power_kw: Tensor, fleet: HvacFleet, hours: float) -> Tensor:
    """Air after some hours of a power, (..., N). [C]"""
    over = transition(fleet.house, hours)
    free_c = after_step(
        Temperatures(course.state.air_c, course.state.mass_c), course.rest, over
    ).air_c
    rise = rise_k_per_kw(fleet.house, over).air_c
    return free_c + rise * heat_kw(power_kw, course.cools, course.able)


def _discomfort_k(air_c: Tensor, away: Tensor, fleet: HvacFleet) -> Tensor:
    """How far the air is beyond a kelvin from the set-points, (..., N). [K]"""
    agreed = fleet.agreement
    away_k = agreed.away_k * away
    warm_k = (air_c - (agreed.cool_set_c + away_k + 1.0)).clamp(min=0.0)
    return warm_k + (agreed.heat_set_c - away_k - 1.0 - air_c).clamp(min=0.0)


def _broken(
    power_kw: Tensor, air_c: Tensor, moment: HvacMoment, fleet: HvacFleet, dt_h: float
) -> Tensor:
    """Whether comfort was given up although the machine could have kept it, (..., N) bool.

    Outside the band with the machine at its limit, or held by a lockout, is misfortune.
    """
    course = moment.ahead.course
    cools, most, s = course.cools[0], course.most_kw[0], first_of(course.state)
    tolerance_k = 1e-3 if air_c.dtype == torch.float32 else 1e-6
    coldest_c, warmest_c = band_c(moment.away, fleet)
    inner_c = course.inner_c[0]
    work_k = torch.where(cools, air_c - warmest_c, coldest_c - air_c)
    over_k = torch.where(cools, inner_c - air_c, air_c - inner_c)
    idle = power_kw < most * (1.0 - 1e-5) - 1e-6
    neglected = (work_k > tolerance_k) & idle
    overdone = (over_k > tolerance_k) & (power_kw > 1e-6)
    switched = torch.zeros_like(idle)
    if dt_h < 5.0 / 60.0 - 1e-9:
        locked = _locked(s, fleet)
        neglected = neglected & ~locked
        overdone = overdone & ~locked & (s.on > 0)
        switched = locked & ((power_kw > 0) != (s.on > 0)) & (most > 0)
        # Who stops early is held to it: a rest that leads out of the band is neglect, too.
        now = Temperatures(s.air_c, s.mass_c)
        over = transition(fleet.house, 5.0 / 60.0)
        rested_c = after_step(now, course.rest, over).air_c
        rested_k = torch.where(cools, rested_c - warmest_c, coldest_c - rested_c)
        stops = ~locked & (s.on > 0) & (power_kw <= 1e-6) & (most > 0)
        neglected = neglected | (stops & (rested_k > tolerance_k))
    managed = (fleet.cohort >= 0) & (fleet.rated_kw > 0)
    return managed & (neglected | overdone | switched)
