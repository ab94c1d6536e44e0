"""One step of the cars: they are served, leave, drive and come home."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.ev import EvState, Session, charged_kwh, floor_kwh, reachable_kwh
from vpp_envs.dispatch.ev_envelope import (
    EvEnvelope,
    charging_at_once_kw,
    into_steps,
    rounding,
)
from vpp_envs.fleet.fleet import EvFleet

# A car that would come home emptier was charged on its way, at someone else's charger.
_LEAST_ARRIVAL_FILL = 0.1


class EvOutcome(NamedTuple):
    """What happened to the cars in one step, (..., N)."""

    state: EvState  # at the end
    power_kw: Tensor  # served, AC, charging positive [kW]
    alone_kw: Tensor  # had the car charged at once, AC [kW]
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
) -> EvOutcome:
    """Serve the cars for one step of constant power, then let them go and come.

    Args:
        asked_kw: Power asked of each car, charging positive, NaN = nobody asks, (..., N). [kW]
        state: At the start, (..., N).
        session: What is known of their stay.
        envelope: Of the step.
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    params = ev.params
    power_kw = into_steps(asked_kw, envelope)
    raw_kwh = state.energy_kwh + charged_kwh(power_kw, params, dt_h)
    alone_kw = charging_at_once_kw(state.alone_kwh, session, ev, dt_h)
    alone_kwh = torch.minimum(
        state.alone_kwh + charged_kwh(alone_kw, params, dt_h), params.capacity_kwh
    )
    energy_kwh, short_kwh = _stay(raw_kwh, state.excused_kwh, session, ev, dt_h)
    # What the site's load took from it is excused, nothing else.
    site_short_kwh = torch.where(envelope.site_limited, short_kwh, torch.zeros_like(short_kwh))
    excused_kwh = state.excused_kwh + site_short_kwh
    left_early_kwh, missed_kwh = _leave(energy_kwh, excused_kwh, session, ev, dt_h)
    none = torch.zeros_like(excused_kwh)
    stays = EvState(energy_kwh, torch.where(session.ends > 0, none, excused_kwh), alone_kwh)
    after, trip_kwh, away_kwh, infeasible_kwh = _come_home(stays, session, ev)
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
    raw_kwh: Tensor, excused_kwh: Tensor, session: Session, ev: EvFleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """Energy after the step without rounding, and what of the promise is out of reach since. [kWh]

    Rounding is written back at once: a day of steps flat-out would make it watt-hours.
    """
    plugged = session.hours_left > 0
    after_h = (session.hours_left - dt_h).clamp(min=0.0)
    promised_kwh = ev.agreement.target_kwh - excused_kwh
    least_kwh = torch.where(plugged, floor_kwh(promised_kwh, after_h, ev.params), raw_kwh)
    near = raw_kwh >= least_kwh - _tolerance_kwh(raw_kwh, ev)
    energy_kwh = torch.where(near, torch.maximum(raw_kwh, least_kwh), raw_kwh)
    energy_kwh = torch.minimum(energy_kwh, ev.params.capacity_kwh)
    short_kwh = promised_kwh - reachable_kwh(energy_kwh, after_h, ev.params)
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


def _come_home(
    state: EvState, session: Session, ev: EvFleet
) -> tuple[EvState, Tensor, Tensor, Tensor]:
    """Let cars arrive: emptier, and with a promise of what can still be reached.

    Returns:
        State; energy taken by the trip; charged on the way; and out of reach at plug-in. [kWh]
    """
    params, arrives = ev.params, session.arrives_h > 0
    none = torch.zeros_like(state.energy_kwh)
    trip_kwh = torch.where(arrives, session.driven_km * params.drive_kwh_per_km, none)
    home_kwh = torch.where(arrives, _LEAST_ARRIVAL_FILL * params.capacity_kwh, none)
    left_kwh = state.energy_kwh - trip_kwh
    away_kwh = torch.where(arrives, (home_kwh - left_kwh).clamp(min=0.0), none)
    left_kwh = left_kwh + away_kwh
    reach_kwh = reachable_kwh(left_kwh, session.arrives_h, params)
    infeasible_kwh = _counted(ev.agreement.target_kwh - reach_kwh, arrives, ev)
    alone_kwh = torch.maximum(state.alone_kwh - trip_kwh, home_kwh)
    after = EvState(
        left_kwh,
        torch.where(arrives, infeasible_kwh, state.excused_kwh),
        torch.where(arrives, alone_kwh, state.alone_kwh),
    )
    return after, trip_kwh, away_kwh, infeasible_kwh


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
    share: Tensor, hours_left: Tensor, ev: EvFleet, dtype: torch.dtype, device: torch.device
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
    """
    target_kwh = ev.agreement.target_kwh
    least_kwh = floor_kwh(target_kwh, hours_left, ev.params).clamp(min=0.0)
    least_kwh = torch.maximum(least_kwh, _LEAST_ARRIVAL_FILL * ev.params.capacity_kwh)
    least_kwh = torch.minimum(torch.maximum(least_kwh, ev.agreement.minimum_kwh), target_kwh)
    energy_kwh = torch.where(
        hours_left > 0, least_kwh + share * (target_kwh - least_kwh), target_kwh + 0.0 * share
    ).to(device, dtype)
    return EvState(energy_kwh, torch.zeros_like(energy_kwh), energy_kwh)
