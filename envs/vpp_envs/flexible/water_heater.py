"""Hot water: a tank that is never colder than promised, heated when a kWh is worth it.

The tank may be anywhere between the least that was promised, with a margin for one large draw
that the heater cannot make up at once, and the most that it may hold. Once a week it must have
been at 60 C for the sake of Legionella, or at the most it may be where that is less: a task with
a deadline, forced when no time is left.

One node has no cold layer below a hot one: all of it cools with every draw. It so counts about ten
times as much cold water as a tank of two layers under the same power and draws, and its promise
is kept with room to spare.
"""

import torch
from torch import Tensor

from vpp_envs.devices.water_heater import (
    Draw,
    Flow,
    Heater,
    Passage,
    flow,
    heat_for_kw,
    heat_kw,
    heat_within_kw,
    heater_now,
    kwh_per_k,
    most_kw,
    passage,
    power_for_kw,
    taken,
)
from vpp_envs.fleet.pick import beside, column_of_each, first_of, second_of
from vpp_envs.flexible.flex import Flex, Served, into_flex, told_of_homes, with_thermostat
from vpp_envs.flexible.water_heater_parts import (
    TankAhead,
    TankState,
    WaterHeaterFleet,
    WaterHeaterMoment,
    WaterHeaterOutcome,
    WaterHeaterState,
    WaterHeaterTables,
)


def moment_of(
    state: WaterHeaterState, rows: WaterHeaterTables, fleet: WaterHeaterFleet, dt_h: float
) -> WaterHeaterMoment:
    """Scale the rows of the tables to the homes; see `vpp_envs.flexible.kinds`."""
    mixed_l = fleet.use * column_of_each(rows.mixed_l, fleet.archetype)
    hot_l = fleet.use * column_of_each(rows.hot_l, fleet.archetype)
    others = (rows.mains_c, rows.ambient_c, rows.wet_bulb_c)
    draw = Draw(mixed_l, hot_l, *(column.expand_as(mixed_l) for column in others))
    return WaterHeaterMoment(draw, foresee(beside(*state), draw, fleet, dt_h), rows.curve)


def foresee(s: TankState, draw: Draw, fleet: WaterHeaterFleet, dt_h: float) -> TankAhead:
    """What tanks can do in a step, and what their own thermostats will.

    Args:
        s: Their state, (..., N).
        draw: Water drawn in the step, (..., N).
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    tank, agreed = fleet.params, fleet.agreement
    passing = flow(draw, tank, dt_h)
    heater = heater_now(s.temp_c, draw, tank)
    floor_c = floor_of_c(heater, fleet, dt_h)
    like = torch.zeros_like(floor_c)
    top_c = agreed.most_c - _still_comes_k(heater, s.ran_h, fleet, dt_h)
    high_kw = power_for_kw(heat_within_kw(s.temp_c, top_c, passing, dt_h), heater)
    low_kw = power_for_kw(heat_for_kw(s.temp_c, floor_c, passing, dt_h), heater)
    due = is_due(s.temp_c, s.cool_h, heater, fleet)
    hot_kw = power_for_kw(heat_within_kw(s.temp_c, agreed.hot_c + like, passing, dt_h), heater)
    low_kw = torch.where(due, torch.maximum(hot_kw, low_kw), low_kw)
    high_kw = torch.maximum(high_kw, low_kw)
    alone_kw, calls = _thermostat(s, passing, heater, fleet, dt_h)
    least_kw = like
    if dt_h < 5.0 / 60.0 - 1e-9:
        low_kw, high_kw, least_kw = _on_or_off(low_kw, high_kw, heater, s.ran_h)
    edges = with_thermostat(fleet.cohort, low_kw, high_kw, alone_kw)
    return TankAhead(s, passing, heater, floor_c, edges, least_kw, calls)


def flex(moment: WaterHeaterMoment, fleet: WaterHeaterFleet, dt_h: float) -> Flex:
    """What the heaters tell dispatch; see `vpp_envs.flexible.flex`.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    ahead, most_c = moment.ahead, fleet.agreement.most_c
    temp_c, floor_c = ahead.state.temp_c[0], ahead.floor_c[0]
    fill = ((temp_c - floor_c) / (most_c - floor_c).clamp(min=1.0)).clamp(0.0, 1.0)
    return told_of_homes(
        fleet.cohort, fleet.rated_kw, ahead.edges, ahead.least_kw, fill, moment.curve
    )


def step(
    asked_kw: Tensor, around: Flex, moment: WaterHeaterMoment, fleet: WaterHeaterFleet, dt_h: float
) -> WaterHeaterOutcome:
    """Advance the tanks by one step.

    Args:
        asked_kw: Power asked, NaN = the thermostat decides, (..., N). [kW]
        around: The heaters at this moment, narrowed by the home's connection.
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    ahead, tank = moment.ahead, fleet.params
    power_kw, twin_kw = into_flex(asked_kw, around), ahead.edges.alone_kw[1]
    both_kw = torch.stack((power_kw, twin_kw))
    heat = heat_kw(both_kw, ahead.heater)
    passed = passage(ahead.state.temp_c, heat, ahead.flow, dt_h)
    after = _after(ahead, passed, both_kw, fleet, dt_h)
    state = WaterHeaterState(first_of(after), second_of(after))
    before, heater = first_of(ahead.state), first_of(ahead.heater)
    gone = taken(first_of(passed), moment.draw, tank, dt_h)
    temp_c = state.tank.temp_c
    exists = (fleet.rated_kw > 0).to(temp_c.dtype)
    below_k_h = exists * (fleet.agreement.least_c - temp_c).clamp(min=0.0) * dt_h
    large = (gone.delivered_kwh > fleet.agreement.draw_kwh).to(temp_c.dtype)
    none = torch.zeros_like(power_kw)
    week_h = 7.0 * 24.0
    broken = _broken(power_kw, temp_c, heater, before, fleet, dt_h)
    return WaterHeaterOutcome(
        state,
        Served(power_kw, twin_kw, none, none, broken),
        heat[0] * dt_h,
        gone.lost_kwh,
        gone.delivered_kwh,
        exists * gone.cold_kwh,
        exists * gone.cold_l,
        below_k_h * (1.0 - large),
        below_k_h * large,
        exists * (state.tank.cool_h - week_h).clamp(0.0, dt_h),
    )


def stored_kwh(moment: WaterHeaterMoment, fleet: WaterHeaterFleet) -> Tensor:
    """Electricity that the warmth above the promise would cost to make, (..., N). [kWh]

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
    """
    ahead = moment.ahead
    above_k = ahead.state.temp_c[0] - fleet.agreement.least_c
    heat_per_kw = torch.where(
        ahead.heater.pump_kw[0] > 0, ahead.heater.pump_cop[0], torch.ones_like(above_k)
    )
    return kwh_per_k(fleet.params) * above_k / heat_per_kw


def first_state(
    share: Tensor, rows: WaterHeaterTables, fleet: WaterHeaterFleet, dt_h: float
) -> WaterHeaterState:
    """Tanks at the start of an episode: within their deadband, somewhere in their week.

    Args:
        share: Of the deadband, (B, N). [0 to 1]
        rows: Of the first tick, (B, K).
        fleet: Constants, (N,).
        dt_h: Length of a step. [h]
    """
    agreed = fleet.agreement
    temp_c = agreed.set_c - (1.0 - share) * agreed.deadband_k
    zero = torch.zeros_like(temp_c)
    # Six days at most, so that nobody begins with a deadline that cannot be met.
    tank = TankState(temp_c, zero, share * 6.0 * 24.0, zero)
    return WaterHeaterState(tank, tank)


def _after(
    ahead: TankAhead, passed: Passage, power_kw: Tensor, fleet: WaterHeaterFleet, dt_h: float
) -> TankState:
    """State of tanks after a step of a power."""
    s = ahead.state
    hot = passed.temp_c >= fleet.agreement.hot_c - 1e-3
    return TankState(
        passed.temp_c,
        _relay(passed.temp_c, ahead.calls, fleet),
        torch.where(hot, torch.zeros_like(s.cool_h), s.cool_h + dt_h),
        _ran_h(power_kw, ahead.heater, s.ran_h, dt_h),
    )


def floor_of_c(heater: Heater, fleet: WaterHeaterFleet, dt_h: float) -> Tensor:
    """Least temperature at a step's end from which the promise survives a large draw, (..., N).

    A draw that the heater makes up while it flows, five minutes or the step, needs no margin. What
    a compressor that starts here will add before it may stop stays below the most.

    Args:
        heater: What the heaters can do now.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    tank, agreed = fleet.params, fleet.agreement
    flat_out_kw = heat_kw(most_kw(heater), heater)
    missing_kwh = (agreed.draw_kwh - flat_out_kw * max(dt_h, 5.0 / 60.0)).clamp(min=0.0)
    starts_c = _still_comes_k(heater, torch.zeros_like(missing_kwh), fleet, dt_h)
    ceiling_c = torch.maximum(agreed.most_c - 0.5 - starts_c, agreed.least_c + 0.0 * starts_c)
    return torch.minimum(agreed.least_c + missing_kwh / kwh_per_k(tank), ceiling_c)


def is_due(temp_c: Tensor, cool_h: Tensor, heater: Heater, fleet: WaterHeaterFleet) -> Tensor:
    """Whether the weekly heat against Legionella can wait no longer, (..., N) bool.

    It is begun an hour and two heating times before the week is over: people may draw meanwhile.

    Args:
        temp_c: Of the tank, (..., N). [C]
        cool_h: Since it was last hot enough, (..., N). [h]
        heater: What it can do now.
        fleet: Constants, (N,).
    """
    flat_out_kw = heat_kw(most_kw(heater), heater)
    needed_kwh = (fleet.agreement.hot_c - temp_c).clamp(min=0.0) * kwh_per_k(fleet.params)
    heating_h = needed_kwh / flat_out_kw.clamp(min=0.1)
    return (cool_h + 2.0 * heating_h + 1.0 >= 7.0 * 24.0) & (fleet.rated_kw > 0)


def _on_or_off(
    low_kw: Tensor, high_kw: Tensor, heater: Heater, ran_h: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Edges of a heater that is on for all of the step or off, and its least power. [kW]

    A compressor that has started runs for ten minutes (OCHRE).
    """
    pump = heater.pump_kw > 0
    least_kw = torch.where(pump, heater.pump_kw, heater.element_kw)
    stays = pump & (ran_h > 0) & (ran_h < 10.0 / 60.0 - 1e-6)
    must = (low_kw > 0) | stays
    low_kw = torch.where(must, torch.maximum(low_kw, least_kw), low_kw)
    high_kw = torch.where(high_kw >= least_kw, high_kw, low_kw)
    return low_kw, torch.maximum(high_kw, low_kw), least_kw


def _still_comes_k(heater: Heater, ran_h: Tensor, fleet: WaterHeaterFleet, dt_h: float) -> Tensor:
    """What a compressor that runs in this step warms the tank after it, for it may not stop. [K]"""
    if dt_h >= 5.0 / 60.0 - 1e-9:
        return torch.zeros_like(ran_h)
    left_h = (10.0 / 60.0 - ran_h - dt_h).clamp(min=0.0)
    return heater.pump_kw * heater.pump_cop * left_h / kwh_per_k(fleet.params)


def _ran_h(power_kw: Tensor, heater: Heater, ran_h: Tensor, dt_h: float) -> Tensor:
    """How long the compressor has run at the end of the step, (..., N). [h]

    In steps of five minutes and more its cycles lie within them.
    """
    none = torch.zeros_like(ran_h)
    if dt_h >= 5.0 / 60.0 - 1e-9:
        return none
    runs = (heater.pump_kw > 0) & (power_kw >= heater.pump_kw * (1.0 - 1e-5))
    return torch.where(runs, ran_h + dt_h, none)


def _relay(temp_c: Tensor, calls: Tensor, fleet: WaterHeaterFleet) -> Tensor:
    """The thermostat's memory: it starts below its deadband and stops at its set-point."""
    agreed = fleet.agreement
    starts = temp_c < agreed.set_c - agreed.deadband_k
    goes_on = calls & (temp_c < agreed.set_c - 1e-3)
    return (starts | goes_on).to(temp_c.dtype)


def _thermostat(
    s: TankState, passing: Flow, heater: Heater, fleet: WaterHeaterFleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """What the heater's own thermostat does: power [kW], and whether it calls for heat, bool.

    From five minutes on it reacts within the step: it starts as soon as the water would end below
    its deadband, and stops when the set-point is reached. The element helps the pump only where
    the pump alone would leave the water far below.
    """
    agreed = fleet.agreement
    idle_c = passage(s.temp_c, torch.zeros_like(s.temp_c), passing, dt_h).temp_c
    low = s.temp_c if dt_h < 5.0 / 60.0 - 1e-9 else torch.minimum(s.temp_c, idle_c)
    runs = (s.heating > 0) | (low < agreed.set_c - agreed.deadband_k)
    needed_kw = heat_within_kw(s.temp_c, agreed.set_c, passing, dt_h)
    pump_only_kw = torch.minimum(needed_kw, heater.pump_kw * heater.pump_cop)
    far = low < agreed.set_c - 13.0
    wanted_kw = torch.where((heater.pump_kw > 0) & ~far, pump_only_kw, needed_kw)
    power_kw = power_for_kw(wanted_kw, heater)
    if dt_h < 5.0 / 60.0 - 1e-9:
        power_kw = torch.where((heater.pump_kw > 0) & ~far, heater.pump_kw, most_kw(heater))
    return torch.where(runs, power_kw, torch.zeros_like(power_kw)), runs


def _broken(
    power_kw: Tensor,
    temp_c: Tensor,
    heater: Heater,
    before: TankState,
    fleet: WaterHeaterFleet,
    dt_h: float,
) -> Tensor:
    """Whether a promise was given up although the heater could have kept it, (..., N) bool."""
    agreed = fleet.agreement
    tolerance_k = 1e-2 if temp_c.dtype == torch.float32 else 1e-6
    overshoot_k = 0.0
    if dt_h < 5.0 / 60.0 - 1e-9:
        overshoot_k = 1.0  # on for a whole step: at most the heat of a minute
    idle = power_kw < most_kw(heater) * (1.0 - 1e-5) - 1e-6
    hottest_c = torch.maximum(agreed.most_c, agreed.hot_c)
    top_c = torch.where(before.cool_h > 6.0 * 24.0, hottest_c, agreed.most_c)
    overdue = (before.cool_h + dt_h > 7.0 * 24.0) & (temp_c < agreed.hot_c - 1e-3)
    cold = (temp_c < agreed.least_c - tolerance_k) & idle
    hot = (temp_c > top_c + tolerance_k + overshoot_k) & (power_kw > 1e-6)
    cut_short = (before.ran_h > 0) & (before.ran_h < 10.0 / 60.0 - 1e-6) & (power_kw < 1e-6)
    cut_short = cut_short & (heater.pump_kw > 0)  # what its air locks out may stop
    return (fleet.cohort >= 0) & (cold | hot | (overdue & idle) | cut_short)
