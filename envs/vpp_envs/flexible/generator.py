"""Back-up generators in the chain: few may run for others, and those for few hours.

An emergency engine may not be dispatched for pay: without a permit the envelope is zero, and it
runs in an outage alone. With one it is off, or between its least and its full load. A start
commits it for its least run, a stop for its least rest; it starts only if hours and fuel last for
the least run, and fuel for that is kept back from then on.

Power is at most 0: it feeds the home. A kWh is worth what it costs to make, so that dispatch
leaves the engine off below that price. Whoever starts it pays the start, spread over the least
run: once on, it goes on down to the cost of fuel and upkeep.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.generator import cost_per_kwh, fuel_l_per_h, output_for_kw
from vpp_envs.flexible.flex import Flex, Served, into_flex
from vpp_envs.flexible.generator_parts import (
    GeneratorFleet,
    GeneratorMoment,
    GeneratorOutcome,
    GeneratorState,
    GeneratorTables,
)


class _Limits(NamedTuple):
    """What the engine's timers, hours and fuel leave, (..., N)."""

    must: Tensor  # it may not stop yet, bool
    may: Tensor  # it may run in this step, bool
    most_kw: Tensor  # that it can put out if it runs [kW]


def moment_of(
    state: GeneratorState, rows: GeneratorTables, fleet: GeneratorFleet, dt_h: float
) -> GeneratorMoment:
    """Scale the rows of the tables to the homes; see `vpp_envs.flexible.kinds`."""
    return GeneratorMoment(state, rows.outage.expand_as(state.on), rows.curve)


def flex(moment: GeneratorMoment, fleet: GeneratorFleet, dt_h: float) -> Flex:
    """What the engines tell dispatch; see `vpp_envs.flexible.flex`.

    Fill is the share of the year's hours and of the tank that is left, whichever is less.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    s = moment.state
    limits = _limits(s, fleet, dt_h, True)
    # What was started in an outage runs on for its least time with a permit or without.
    cohort = fleet.cohort + torch.zeros_like(s.on).to(torch.int64)
    permitted = (fleet.agreement.permitted_for_dr > 0) & (cohort >= 0)
    return _told(moment, limits, permitted, cohort, fleet)


def for_outage(moment: GeneratorMoment, fleet: GeneratorFleet, dt_h: float) -> Flex:
    """What the engines can supply to homes that are islanded: no permit needed, no hours counted.

    Least load, timers and fuel hold. Give it to `step` as the device at this moment.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    s = moment.state
    limits = _limits(s, fleet, dt_h, False)
    exists = (fleet.rated_kw > 0) & torch.ones_like(limits.may)
    cohort = torch.where(exists, fleet.cohort.clamp(min=0), fleet.cohort)
    return _told(moment, limits, exists, cohort, fleet)


def on_island(moment: GeneratorMoment, fleet: GeneratorFleet, dt_h: float) -> Flex:
    """What the engines can supply in a step without the grid, behind their transfer switches.

    It depends on fuel alone: an outage does not ask how long an engine has rested.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    s = moment.state
    rested = s._replace(on=torch.zeros_like(s.on), since_s=torch.full_like(s.since_s, 1e6))
    return for_outage(moment._replace(state=rested), fleet, dt_h)


def step(
    asked_kw: Tensor,
    around: Flex,
    moment: GeneratorMoment,
    fleet: GeneratorFleet,
    dt_h: float,
    out: Tensor | None = None,
) -> GeneratorOutcome:
    """Advance the engines by one step.

    Args:
        asked_kw: Power asked, at most 0, NaN = off as soon as it may stop, (..., N). [kW]
        around: The engines at this moment, narrowed by the home's connection.
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        out: 1 where the grid is away, (..., N): what an engine does on its island takes fuel, and
            to the grid it rests.
    """
    s, engine = moment.state, fleet.params
    dt_s = float(round(dt_h * 3600.0))
    must = _limits(s, fleet, dt_h, True).must
    power_kw = into_flex(asked_kw, around)
    runs = power_kw < 0
    on = runs.to(power_kw.dtype)
    starts = on * (1.0 - s.on)
    fuel_l = on * fuel_l_per_h(-power_kw, engine) * dt_h
    left_l = s.fuel_l - fuel_l * (1.0 - engine.piped)
    since_s = torch.where(on == s.on, s.since_s + dt_s, torch.full_like(on, dt_s))
    # What an outage began and the least run carries on is not for others.
    bound = must & (s.for_others <= 0)
    for_others = torch.where(bound, torch.zeros_like(on), on * (1.0 - moment.outage))
    state = GeneratorState(
        on,
        since_s.clamp(max=1e6),
        for_others,
        s.run_s + for_others * dt_s,
        left_l.clamp(min=0.0),
    )
    output_kwh = -power_kw * dt_h
    cost = fuel_l * fleet.price_per_l + output_kwh * fleet.upkeep_per_kwh
    cost = cost + starts * fleet.start_cost
    none = torch.zeros_like(power_kw)
    broken = _broken(power_kw, s, state, left_l, fleet)
    if out is not None:
        state = _after_island(state, s, out, dt_s)
    return GeneratorOutcome(
        state,
        Served(power_kw, none, cost, none, broken),
        output_kwh,
        fuel_l,
        starts,
        on * dt_h,
        fuel_l * engine.co2_kg_per_l,
    )


def _after_island(
    after: GeneratorState, before: GeneratorState, out: Tensor, dt_s: float
) -> GeneratorState:
    """State of engines that fed no grid in this step: at rest, with the fuel that is left."""
    dark = out > 0
    none = torch.zeros_like(after.on)
    rested_s = torch.where(before.on > 0, none + dt_s, before.since_s + dt_s).clamp(max=1e6)
    return after._replace(
        on=torch.where(dark, none, after.on),
        since_s=torch.where(dark, rested_s, after.since_s),
        for_others=torch.where(dark, none, after.for_others),
        run_s=torch.where(dark, before.run_s, after.run_s),
    )


def stored_kwh(moment: GeneratorMoment, fleet: GeneratorFleet) -> Tensor:
    """Nothing: an engine stores no electricity, (..., N). [kWh]

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
    """
    return torch.zeros_like(moment.state.on + fleet.rated_kw)


def first_state(
    share: Tensor, rows: GeneratorTables, fleet: GeneratorFleet, dt_h: float
) -> GeneratorState:
    """Engines at the start of an episode: off and rested, somewhere in their year.

    Args:
        share: Of the year's hours gone, and of the upper half of the tank left, (..., N). [0 to 1]
        rows: Of the first tick, (B, K).
        fleet: Constants, (N,).
        dt_h: Length of a step. [h]
    """
    zero = torch.zeros_like(share + fleet.rated_kw)
    run_s = torch.round(share * fleet.agreement.cap_h * 3600.0)
    fuel_l = 0.5 * (1.0 + share) * fleet.params.tank_l
    return GeneratorState(zero, zero + 1e6, zero, run_s + zero, fuel_l + zero)


def _limits(s: GeneratorState, fleet: GeneratorFleet, dt_h: float, counted: bool) -> _Limits:
    """Foresee a step and what it commits to, in whole steps.

    Args:
        s: State.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        counted: Whether the hours that it runs count.
    """
    engine, agreed = fleet.params, fleet.agreement
    dt_s = float(round(dt_h * 3600.0))
    is_on = s.on > 0
    must = is_on & (s.since_s < 3600.0 * agreed.run_h)
    rested = is_on | (s.since_s >= 3600.0 * agreed.rest_h)
    ran_s = torch.where(is_on, s.since_s, torch.zeros_like(s.since_s))
    # After this step, until the least run is over.
    after_s = ((3600.0 * agreed.run_h - ran_s - dt_s) / dt_s).ceil().clamp(min=0.0) * dt_s
    hours_left = s.run_s + dt_s + after_s <= 3600.0 * agreed.cap_h
    kept_l = fuel_l_per_h(engine.least_kw, engine) * after_s / 3600.0
    # A hair less than there is, so that rounding takes nothing that is kept back.
    fuel_l = (s.fuel_l * (1.0 - 1e-6) - kept_l).clamp(min=0.0)
    from_tank_kw = output_for_kw(fuel_l / dt_h, engine)
    most_kw = torch.where(engine.piped > 0, engine.most_kw, from_tank_kw)
    most_kw = torch.minimum(most_kw, engine.most_kw)
    fuelled = (most_kw >= engine.least_kw) & (engine.most_kw > 0)
    if not counted:
        hours_left = torch.ones_like(hours_left)
    return _Limits(must, must | (rested & hours_left & fuelled), most_kw)


def _told(
    moment: GeneratorMoment,
    limits: _Limits,
    allowed: Tensor,
    cohort: Tensor,
    fleet: GeneratorFleet,
) -> Flex:
    """Put limits into the form that dispatch reads."""
    s, engine, agreed = moment.state, fleet.params, fleet.agreement
    zero = torch.zeros_like(limits.most_kw)
    least_kw = engine.least_kw + zero
    # While it must run, it runs at its least load at least, whatever the fuel.
    most_kw = torch.maximum(limits.most_kw, least_kw)
    must_only = torch.where(limits.must, -least_kw, zero)
    low_kw = torch.where(allowed & limits.may, -most_kw, must_only)
    high_kw = must_only
    full_kw = engine.most_kw
    start = fleet.start_cost / (full_kw * agreed.run_h).clamp(min=1e-6)
    running = cost_per_kwh(full_kw, fleet.price_per_l, fleet.upkeep_per_kwh, engine)
    hours = 1.0 - s.run_s / (3600.0 * agreed.cap_h).clamp(min=1.0)
    tank = torch.where(engine.piped > 0, torch.ones_like(hours), s.fuel_l / engine.tank_l)
    return Flex(
        cohort,
        fleet.rated_kw,
        low_kw,
        high_kw,
        high_kw,
        least_kw,
        torch.minimum(hours, tank).clamp(0.0, 1.0),
        running + torch.where(s.on > 0, torch.zeros_like(zero), start + zero),
        moment.curve,
    )


def _broken(
    power_kw: Tensor,
    before: GeneratorState,
    after: GeneratorState,
    left_l: Tensor,
    fleet: GeneratorFleet,
) -> Tensor:
    """Whether the engine did what it may not, by its permit, hours, timers, load or fuel, bool."""
    agreed, engine = fleet.agreement, fleet.params
    on, was_on = power_kw < 0, before.on > 0
    counts = after.for_others > 0
    unpermitted = counts & (agreed.permitted_for_dr <= 0)
    over = counts & (after.run_s > 3600.0 * agreed.cap_h)
    stopped = was_on & ~on & (before.since_s < 3600.0 * agreed.run_h)
    restarted = on & ~was_on & (before.since_s < 3600.0 * agreed.rest_h)
    slack_kw = 1e-5 * (1.0 + engine.most_kw)
    low = on & (-power_kw < engine.least_kw - slack_kw)
    high = -power_kw > engine.most_kw + slack_kw
    dry = (left_l < -1e-4 * engine.tank_l) & (engine.piped <= 0)
    return unpermitted | over | stopped | restarted | low | high | dry | (power_kw > 0)
