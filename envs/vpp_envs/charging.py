"""One step of the cars: they are served, leave, drive and come home."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.ev import (
    EvState,
    Session,
    at_power,
    charged_kwh,
    floor_kwh,
    promising,
    reachable_kwh,
)
from vpp_envs.dispatch.ev_envelope import (
    EvEnvelope,
    by_habit_kw,
    into_steps,
    rounding,
)
from vpp_envs.dispatch.guarantee import guaranteed_kw
from vpp_envs.fleet.connection import SharedConnection
from vpp_envs.fleet.fleet import EvFleet
from vpp_envs.flexible.flex import unless_out

# A car that would come home emptier was charged on its way, at someone else's charger.
_LEAST_ARRIVAL_FILL = 0.1


class EvOutcome(NamedTuple):
    """What happened to the cars in one step, (..., N)."""

    state: EvState  # at the end
    power_kw: Tensor  # served, AC, charging positive [kW]
    alone_kw: Tensor  # had its driver's habit alone charged it, AC [kW]
    driven_kwh: Tensor  # taken from the store by driving [kWh]
    away_kwh: Tensor  # charged elsewhere, on the way [kWh]
    repair_kwh: Tensor  # written back against rounding, at the floor or at the top [kWh]
    infeasible_kwh: Tensor  # of the target, out of reach at the plug-in of this step [kWh]
    site_short_kwh: Tensor  # of the target, lost to the site's own load in this step [kWh]
    left_early_kwh: Tensor  # missing to the target of a car that left before it had said [kWh]
    missed_kwh: Tensor  # missing at the declared departure and not excused: never above 0 [kWh]
    broken: Tensor  # a promise was broken, bool: never true, and checked here all the same


def step_cars(
    asked_kw: Tensor,
    state: EvState,
    session: Session,
    envelope: EvEnvelope,
    ev: EvFleet,
    dt_h: float,
    out: Tensor | None = None,
    shared: SharedConnection | None = None,
) -> EvOutcome:
    """Serve the cars for one step of constant power, then let them go and come.

    Args:
        asked_kw: Power asked of each car, charging positive, NaN = nobody asks, (..., N). [kW]
        state: At the start, (..., N).
        session: What is known of their stay.
        envelope: Of the step.
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
        out: 1 where the grid is away, so that a car left alone does not charge either, (..., N).
        shared: Connections that cars share, and what these guarantee to them; none: nobody does.
    """
    params = ev.params
    power_kw = into_steps(asked_kw, envelope)
    raw_kwh = state.energy_kwh + charged_kwh(power_kw, params, dt_h)
    alone_kw = by_habit_kw(state.alone_kwh, state.sure_kw, session, ev, dt_h)
    alone_kw = unless_out(alone_kw, out)
    alone_kwh = torch.minimum(
        state.alone_kwh + charged_kwh(alone_kw, params, dt_h), params.capacity_kwh
    )
    energy_kwh, short_kwh = _stay(raw_kwh, state, session, ev, dt_h)
    # What the site's load took from it is excused, nothing else.
    site_short_kwh = torch.where(envelope.site_limited, short_kwh, torch.zeros_like(short_kwh))
    excused_kwh = state.excused_kwh + site_short_kwh
    left_early_kwh, missed_kwh = _leave(energy_kwh, excused_kwh, session, ev, dt_h)
    none = torch.zeros_like(excused_kwh)
    kept_kwh = torch.where(session.ends > 0, none, excused_kwh)
    stays = EvState(energy_kwh, kept_kwh, alone_kwh, state.sure_kw)
    home, trip_kwh, away_kwh = _come_home(stays, session, ev)
    after, infeasible_kwh = _plug_in(home, session, ev, shared, dt_h)
    broken = (
        (missed_kwh > 0)
        | (~envelope.site_limited & (short_kwh > 0))
        | _overstepped(power_kw, raw_kwh, state.energy_kwh, session, ev)
    )
    return EvOutcome(
        after,
        power_kw,
        alone_kw,
        trip_kwh,
        away_kwh,
        (energy_kwh - raw_kwh).abs(),
        infeasible_kwh,
        site_short_kwh,
        left_early_kwh,
        missed_kwh,
        broken,
    )


def _stay(
    raw_kwh: Tensor, state: EvState, session: Session, ev: EvFleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """Energy after the step without rounding, and what of the promise is out of reach since. [kWh]

    Rounding is written back at once: a day of steps flat-out would make it watt-hours.
    """
    plugged = session.hours_left > 0
    after_h = (session.hours_left - dt_h).clamp(min=0.0)
    promised_kwh, params = ev.agreement.target_kwh - state.excused_kwh, promising(ev.params, state)
    least_kwh = torch.where(plugged, floor_kwh(promised_kwh, after_h, params), raw_kwh)
    near = raw_kwh >= least_kwh - _tolerance_kwh(raw_kwh, ev)
    energy_kwh = torch.where(near, torch.maximum(raw_kwh, least_kwh), raw_kwh)
    energy_kwh = torch.minimum(energy_kwh, ev.params.capacity_kwh)
    short_kwh = promised_kwh - reachable_kwh(energy_kwh, after_h, params)
    return energy_kwh, _counted(short_kwh, plugged, ev)


def _leave(
    energy_kwh: Tensor, excused_kwh: Tensor, session: Session, ev: EvFleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """What is missing to the promise of cars that leave: before their word, and on it. [kWh]"""
    leaves = (session.hours_left > 0) & (session.ends > 0)
    missing_kwh = ev.agreement.target_kwh - excused_kwh - energy_kwh
    missing_kwh = _counted(missing_kwh, leaves, ev)
    early = session.hours_left > 1.5 * dt_h
    left_early_kwh = torch.where(early, missing_kwh, torch.zeros_like(missing_kwh))
    return left_early_kwh, missing_kwh - left_early_kwh


def _come_home(state: EvState, session: Session, ev: EvFleet) -> tuple[EvState, Tensor, Tensor]:
    """Let cars arrive, emptier.

    Returns:
        State; energy taken by the trip; and charged on the way. [kWh]
    """
    params, arrives = ev.params, session.arrives_h > 0
    none = torch.zeros_like(state.energy_kwh)
    trip_kwh = torch.where(arrives, session.driven_km * params.drive_kwh_per_km, none)
    home_kwh = torch.where(arrives, _LEAST_ARRIVAL_FILL * params.capacity_kwh, none)
    left_kwh = state.energy_kwh - trip_kwh
    away_kwh = torch.where(arrives, (home_kwh - left_kwh).clamp(min=0.0), none)
    alone_kwh = torch.maximum(state.alone_kwh - trip_kwh, home_kwh)
    alone_kwh = torch.where(arrives, alone_kwh, state.alone_kwh)
    after = EvState(left_kwh + away_kwh, state.excused_kwh, alone_kwh, state.sure_kw)
    return after, trip_kwh, away_kwh


def _plug_in(
    state: EvState, session: Session, ev: EvFleet, shared: SharedConnection | None, dt_h: float
) -> tuple[EvState, Tensor]:
    """Promise what can still be reached to cars that get a charger now.

    Args:
        state: After the step, cars come home.
        session: What is known of their stay.
        ev: Constants, (N,).
        shared: Connections that cars share; none: whoever comes home has a charger.
        dt_h: Length of the step. [h]

    Returns:
        State; and what of the target is out of reach, of a car that gets a charger now, or leaves
        and never had one. [kWh]
    """
    hours = session.arrives_h
    if shared is not None:
        state, hours = _with_chargers(state, session, ev, shared, dt_h)
    plugs = counts = hours > 0
    if session.waits_h is not None:
        # Who leaves without having had a charger leaves with what it came with.
        counts = plugs | ((session.ends > 0) & (session.waits_h > 0))
    reach_kwh = reachable_kwh(state.energy_kwh, hours, promising(ev.params, state))
    infeasible_kwh = _counted(ev.agreement.target_kwh - reach_kwh, counts, ev)
    excused_kwh = torch.where(plugs, infeasible_kwh, state.excused_kwh)
    return EvState(state.energy_kwh, excused_kwh, state.alone_kwh, state.sure_kw), infeasible_kwh


def _with_chargers(
    state: EvState, session: Session, ev: EvFleet, shared: SharedConnection, dt_h: float
) -> tuple[EvState, Tensor]:
    """Give chargers and guarantees to cars that wait for them.

    Returns:
        State with the guarantees of the next step; and the hours to the declared departure of
        those that get a charger now, 0 of all others. [h]
    """
    assert state.sure_kw is not None
    assert session.waits_h is not None
    none = torch.zeros_like(state.energy_kwh)
    ends = session.ends > 0
    stays = (session.hours_left > 0) & ~ends
    waiting_h = torch.where(ends, none, (session.waits_h - dt_h).clamp(min=0.0))
    waiting_h = torch.where(session.arrives_h > 0, session.arrives_h, waiting_h)
    held_kw = torch.where(stays, state.sure_kw, torch.nan)
    given_kw = guaranteed_kw(state.energy_kwh, waiting_h, held_kw, ev, shared)
    sure_kw = torch.where(stays, state.sure_kw, given_kw)
    state = EvState(state.energy_kwh, state.excused_kwh, state.alone_kwh, sure_kw)
    return state, torch.where(given_kw >= 0, waiting_h, none)


def _overstepped(
    power_kw: Tensor, raw_kwh: Tensor, before_kwh: Tensor, session: Session, ev: EvFleet
) -> Tensor:
    """Whether a car was served what it may not be, whatever its promise, bool."""
    plugged = session.hours_left > 0
    tolerance_kwh = _tolerance_kwh(raw_kwh, ev)
    minimum_kwh = torch.minimum(ev.agreement.minimum_kwh, before_kwh)
    return (
        (plugged & (raw_kwh < minimum_kwh - tolerance_kwh))
        | (raw_kwh > ev.params.capacity_kwh + tolerance_kwh)
        | (~plugged & (power_kw != 0))
        | ((ev.agreement.managed <= 0) & (power_kw < 0))
    )


def _counted(missing_kwh: Tensor, where: Tensor, ev: EvFleet) -> Tensor:
    """Missing energy of some cars, without what is only rounding. [kWh]"""
    counts = where & (missing_kwh > _tolerance_kwh(missing_kwh, ev))
    return torch.where(counts, missing_kwh, torch.zeros_like(missing_kwh))


def _tolerance_kwh(like: Tensor, ev: EvFleet) -> Tensor:
    """What rounding alone may miss, (N,). [kWh]"""
    return rounding(like) * ev.params.capacity_kwh


def first_cars(
    share: Tensor,
    hours_left: Tensor,
    ev: EvFleet,
    dtype: torch.dtype,
    device: torch.device,
    shared: SharedConnection | None = None,
) -> EvState:
    """Return cars at the start of an episode; nothing of their targets is out of reach.

    One at its charger has between what it needs now and its target; one that is away left with
    its target.

    Args:
        share: Of the way from need to target, (..., N). [0 to 1]
        hours_left: To the declared departure; 0 = away, (..., N). [h]
        ev: Constants, (N,).
        dtype: Working precision.
        device: Where the homes live.
        shared: Connections that cars share; none: nobody does.
    """
    target_kwh, params, sure_kw = ev.agreement.target_kwh, ev.params, None
    if shared is not None:
        empty_kwh = _LEAST_ARRIVAL_FILL * params.capacity_kwh.expand(hours_left.shape)
        held_kw = torch.full_like(hours_left, torch.nan)
        sure_kw = guaranteed_kw(empty_kwh, hours_left, held_kw, ev, shared)
        # Who waits for a charger has been at one.
        hours_left = torch.where(sure_kw < 0, torch.zeros_like(hours_left), hours_left)
        params = at_power(params, sure_kw.clamp(min=0.0))
    least_kwh = floor_kwh(target_kwh, hours_left, params).clamp(min=0.0)
    least_kwh = torch.maximum(least_kwh, _LEAST_ARRIVAL_FILL * params.capacity_kwh)
    least_kwh = torch.minimum(torch.maximum(least_kwh, ev.agreement.minimum_kwh), target_kwh)
    energy_kwh = torch.where(
        hours_left > 0, least_kwh + share * (target_kwh - least_kwh), target_kwh + 0.0 * share
    ).to(device, dtype)
    if sure_kw is not None:
        sure_kw = sure_kw.to(device, dtype)
    return EvState(energy_kwh, torch.zeros_like(energy_kwh), energy_kwh, sure_kw)
