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
    params, target_kwh = ev.params, ev.agreement.target_kwh
    power_kw = into_steps(asked_kw, envelope)
    raw_kwh = state.energy_kwh + charged_kwh(power_kw, params, dt_h)
    alone_kw = charging_at_once_kw(state.alone_kwh, session, ev, dt_h)
    alone_kwh = torch.minimum(
        state.alone_kwh + charged_kwh(alone_kw, params, dt_h), params.capacity_kwh
    )
    tolerance_kwh = rounding(raw_kwh) * params.capacity_kwh
    none = torch.zeros_like(raw_kwh)

    # While it stays: what the site's load took from it is excused, nothing else.
    plugged = session.hours_left > 0
    after_h = (session.hours_left - dt_h).clamp(min=0.0)
    promised_kwh = target_kwh - state.excused_kwh
    # Rounding is written back at once: a day of steps flat-out would make it watt-hours.
    least_kwh = torch.where(plugged, floor_kwh(promised_kwh, after_h, params), raw_kwh)
    near = raw_kwh >= least_kwh - tolerance_kwh
    energy_kwh = torch.where(near, torch.maximum(raw_kwh, least_kwh), raw_kwh)
    energy_kwh = torch.minimum(energy_kwh, params.capacity_kwh)
    reach_kwh = reachable_kwh(energy_kwh, after_h, params)
    short_kwh = (promised_kwh - reach_kwh).clamp(min=0.0)
    short_kwh = torch.where(plugged & (short_kwh > tolerance_kwh), short_kwh, none)
    site_short_kwh = torch.where(envelope.site_limited, short_kwh, none)
    excused_kwh = state.excused_kwh + site_short_kwh

    # When it leaves: before its word, or on it.
    leaves = plugged & (session.ends > 0)
    missing_kwh = (target_kwh - excused_kwh - energy_kwh).clamp(min=0.0)
    missing_kwh = torch.where(leaves & (missing_kwh > tolerance_kwh), missing_kwh, none)
    early = after_h > 0.5 * dt_h
    left_early_kwh = torch.where(early, missing_kwh, none)
    missed_kwh = missing_kwh - left_early_kwh
    excused_kwh = torch.where(leaves, none, excused_kwh)

    # When it comes home: emptier, and with a promise of what can still be reached.
    arrives = session.arrives_h > 0
    trip_kwh = torch.where(arrives, session.driven_km * params.drive_kwh_per_km, none)
    home_kwh = torch.where(arrives, _LEAST_ARRIVAL_FILL * params.capacity_kwh, none)
    left_kwh = torch.where(arrives, energy_kwh - trip_kwh, energy_kwh)
    away_kwh = torch.where(arrives, (home_kwh - left_kwh).clamp(min=0.0), none)
    left_kwh = left_kwh + away_kwh
    arrival_reach_kwh = reachable_kwh(left_kwh, session.arrives_h, params)
    infeasible_kwh = (target_kwh - arrival_reach_kwh).clamp(min=0.0)
    infeasible_kwh = torch.where(arrives & (infeasible_kwh > tolerance_kwh), infeasible_kwh, none)
    after = EvState(
        left_kwh,
        torch.where(arrives, infeasible_kwh, excused_kwh),
        torch.where(arrives, torch.maximum(alone_kwh - trip_kwh, home_kwh), alone_kwh),
    )
    minimum_kwh = torch.minimum(ev.agreement.minimum_kwh, state.energy_kwh)
    broken = (
        (missed_kwh > 0)
        | (~envelope.site_limited & (short_kwh > 0))
        | (plugged & (raw_kwh < minimum_kwh - tolerance_kwh))
        | (raw_kwh > params.capacity_kwh + tolerance_kwh)
        | (~plugged & (power_kw != 0))
        | ((ev.agreement.managed <= 0) & (power_kw < 0))
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
