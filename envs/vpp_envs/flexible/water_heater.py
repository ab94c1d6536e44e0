"""Hot water: a tank that is never colder than promised, heated when a kWh is worth it.

The tank may be anywhere between the least that was promised, with a margin for one large draw
that the heater cannot make up at once, and the most that it may hold. Once a week it must have
been at 60 C for the sake of Legionella, or at the most it may be where that is less: a task with
a deadline, forced when no time is left.

One node has no cold layer below a hot one: all of it cools with every draw. It so counts about ten
times as much cold water as a tank of two layers under the same power and draws, and its promise
is kept with room to spare.

Many heaters hear CTA-2045 messages and no power; `water_heater_thermostat` says what they can do.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.tank import Layers
from vpp_envs.devices.water_heater import (
    Draw,
    Heater,
    Taken,
    flow,
    heat_kw,
    heater_now,
    kwh_per_k,
    most_kw,
    passage,
    power_for_kw,
    taken,
)
from vpp_envs.fleet.pick import beside, column_of_each, first_of, is_nan, second_of
from vpp_envs.flexible.flex import (
    Edges,
    Flex,
    Served,
    into_flex,
    told_of_homes,
    unless_out,
    with_thermostat,
)
from vpp_envs.flexible.water_heater_layers import (
    heats_to,
    layers_ahead,
    layers_now,
    pass_layers,
    watched_c,
)
from vpp_envs.flexible.water_heater_parts import (
    TankAhead,
    TankState,
    WaterHeaterFleet,
    WaterHeaterMoment,
    WaterHeaterOutcome,
    WaterHeaterState,
    WaterHeaterTables,
)
from vpp_envs.flexible.water_heater_thermostat import (
    by_message,
    most_stored_c,
    own_thermostat,
    relay,
    relay_by_message,
    thermostat_kw,
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
    water = layers_now(s.temp_c, s.above_k)
    layers = layers_ahead(water, draw, tank, fleet.layered, dt_h)
    heater = heater_now(water.lower_c, draw, tank)
    floor_c = floor_of_c(heater, fleet, dt_h)
    like = torch.zeros_like(floor_c)
    top_c = agreed.most_c - _still_comes_k(heater, s.ran_h, fleet, dt_h)
    hot_c = agreed.hot_c + like
    to_top, to_floor, to_hot = heats_to(s.temp_c, (top_c, floor_c, hot_c), passing, layers, dt_h)
    high_kw, low_kw = power_for_kw(to_top, heater), power_for_kw(to_floor, heater)
    cool_c = (torch.minimum(water.upper_c, hot_c) + 2.0 * water.lower_c) / 3.0
    cool_c = s.temp_c if layers is None else torch.where(layers.layered, cool_c, s.temp_c)
    due = is_due(cool_c, s.cool_h, heater, fleet)
    low_kw = torch.where(due, torch.maximum(power_for_kw(to_hot, heater), low_kw), low_kw)
    high_kw = torch.maximum(high_kw, low_kw)
    alone_kw, calls = thermostat_kw(s, own_thermostat(agreed), passing, heater, dt_h, layers)
    least_kw = like
    if dt_h < 5.0 / 60.0 - 1e-9:
        low_kw, high_kw, least_kw = _on_or_off(low_kw, high_kw, heater, s.ran_h)
    wide = Edges(low_kw, high_kw, alone_kw)
    low_kw, high_kw, _ = by_message(wide, s, floor_c, passing, heater, fleet, dt_h, layers)
    edges = with_thermostat(fleet.cohort, low_kw, high_kw, alone_kw)
    return TankAhead(s, passing, heater, floor_c, edges, least_kw, calls, layers)


def flex(moment: WaterHeaterMoment, fleet: WaterHeaterFleet, dt_h: float) -> Flex:
    """What the heaters tell dispatch; see `vpp_envs.flexible.flex`.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    ahead, most_c = moment.ahead, most_stored_c(fleet)
    temp_c, floor_c = ahead.state.temp_c[0], ahead.floor_c[0]
    fill = ((temp_c - floor_c) / (most_c - floor_c).clamp(min=1.0)).clamp(0.0, 1.0)
    return told_of_homes(
        fleet.cohort, fleet.rated_kw, ahead.edges, ahead.least_kw, fill, moment.curve
    )


def step(
    asked_kw: Tensor,
    around: Flex,
    moment: WaterHeaterMoment,
    fleet: WaterHeaterFleet,
    dt_h: float,
    out: Tensor | None = None,
) -> WaterHeaterOutcome:
    """Advance the tanks by one step.

    Args:
        asked_kw: Power asked, NaN = the thermostat decides, (..., N). [kW]
        around: The heaters at this moment, narrowed by the home's connection.
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        out: 1 where the grid is away, and the twin stands still, too, (..., N).
    """
    ahead = moment.ahead
    power_kw, twin_kw = into_flex(asked_kw, around), unless_out(ahead.edges.alone_kw[1], out)
    both_kw = torch.stack((power_kw, twin_kw))
    heat = heat_kw(both_kw, ahead.heater)
    ended, gone = _ended(both_kw, heat, moment, fleet, dt_h)
    after = _after(ahead, ended, both_kw, _silent(asked_kw), fleet, dt_h)
    state = WaterHeaterState(first_of(after), second_of(after))
    before, heater = first_of(ahead.state), first_of(ahead.heater)
    water = layers_now(state.tank.temp_c, state.tank.above_k)
    exists = (fleet.rated_kw > 0).to(water.upper_c.dtype)
    below_k_h = exists * (fleet.agreement.least_c - water.upper_c).clamp(min=0.0) * dt_h
    large = (gone.delivered_kwh > fleet.agreement.draw_kwh).to(exists.dtype)
    none = torch.zeros_like(power_kw)
    week_h = 7.0 * 24.0
    broken = _broken(power_kw, water, heater, before, fleet, dt_h)
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
    above_k = None if fleet.layered is None else zero
    tank = TankState(temp_c, zero, share * 6.0 * 24.0, zero, above_k)
    return WaterHeaterState(tank, tank)


class _Ended(NamedTuple):
    """Water of the homes' tanks and of their twins at the end of a step, (2, ..., N)."""

    temp_c: Tensor  # its mean [C]
    above_k: Tensor | None  # by which the upper layer is warmer; none: no tank has two [K]


def _ended(
    power_kw: Tensor, heat: Tensor, moment: WaterHeaterMoment, fleet: WaterHeaterFleet, dt_h: float
) -> tuple[_Ended, Taken]:
    """The water after a step, and what left the homes' tanks."""
    ahead, tank, draw = moment.ahead, fleet.params, moment.draw
    passed = passage(ahead.state.temp_c, heat, ahead.flow, dt_h)
    gone = taken(first_of(passed), draw, tank, dt_h)
    if ahead.layers is None:
        return _Ended(passed.temp_c, None), gone
    own = own_thermostat(fleet.agreement)
    after = pass_layers(power_kw, heat, ahead.layers, ahead.heater, own, draw, tank, dt_h)
    two, (upper_c, lower_c) = ahead.layers.layered, after.state
    mean_c = (upper_c + 2.0 * lower_c) / 3.0
    cold_kwh = after.cold_kwh[0]
    of_two = (
        *(after.lost_kwh[0], after.delivered_kwh[0]),
        *(cold_kwh, draw.mixed_l * (cold_kwh > 0)),
    )
    return _Ended(
        torch.where(two, mean_c, passed.temp_c),
        torch.where(two, upper_c - mean_c, torch.zeros_like(mean_c)),
    ), Taken(*(torch.where(two, one, other) for one, other in zip(of_two, gone, strict=True)))


def _silent(asked_kw: Tensor) -> Tensor:
    """1 where nobody asks (NaN), (..., N); a number, for compiled code reads truths one by one."""
    return is_nan(asked_kw).to(asked_kw.dtype)


def _after(
    ahead: TankAhead,
    ended: _Ended,
    power_kw: Tensor,
    silent: Tensor,
    fleet: WaterHeaterFleet,
    dt_h: float,
) -> TankState:
    """State of tanks after a step of a power that the homes were asked for, or were not."""
    s, agreed = ahead.state, fleet.agreement
    water = layers_now(ended.temp_c, ended.above_k)
    seen_c = ended.temp_c
    if ahead.layers is not None:
        watched = watched_c(water, fleet.params.pump_kw > 0)
        seen_c = torch.where(ahead.layers.layered, watched, seen_c)
    heating = relay(seen_c, ahead.calls, agreed)
    if fleet.messages_only is not None:
        # Nobody asks twins; whoever is asked for what it does anyway hears nothing new either.
        told_nothing = torch.stack((silent, torch.ones_like(silent)))
        left_alone = (told_nothing > 0) | (power_kw == ahead.edges.alone_kw)
        heard = relay_by_message(seen_c, ahead.calls, power_kw > 0, left_alone, agreed)
        heating = torch.where(fleet.messages_only > 0, heard, heating)
    hot = water.lower_c >= agreed.hot_c - 1e-3
    return TankState(
        ended.temp_c,
        heating,
        torch.where(hot, torch.zeros_like(s.cool_h), s.cool_h + dt_h),
        _ran_h(power_kw, ahead.heater, s.ran_h, dt_h),
        ended.above_k,
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


def _broken(
    power_kw: Tensor,
    water: Layers,
    heater: Heater,
    before: TankState,
    fleet: WaterHeaterFleet,
    dt_h: float,
) -> Tensor:
    """Whether a promise was given up although the heater could have kept it, (..., N) bool."""
    agreed = fleet.agreement
    tolerance_k = 1e-2 if power_kw.dtype == torch.float32 else 1e-6
    overshoot_k = 0.0
    if dt_h < 5.0 / 60.0 - 1e-9:
        overshoot_k = 1.0  # on for a whole step: at most the heat of a minute
    idle = power_kw < most_kw(heater) * (1.0 - 1e-5) - 1e-6
    hottest_c = torch.maximum(agreed.most_c, agreed.hot_c)
    top_c = torch.where(before.cool_h > 6.0 * 24.0, hottest_c, agreed.most_c)
    overdue = (before.cool_h + dt_h > 7.0 * 24.0) & (water.lower_c < agreed.hot_c - 1e-3)
    cold = (water.upper_c < agreed.least_c - tolerance_k) & idle
    hot = (water.upper_c > top_c + tolerance_k + overshoot_k) & (power_kw > 1e-6)
    cut_short = (before.ran_h > 0) & (before.ran_h < 10.0 / 60.0 - 1e-6) & (power_kw < 1e-6)
    cut_short = cut_short & (heater.pump_kw > 0)  # what its air locks out may stop
    return (fleet.cohort >= 0) & (cold | hot | (overdue & idle) | cut_short)
