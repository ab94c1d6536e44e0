"""The viability envelope of a car at its charger: the powers that keep the promise to its driver.

The promise is the target at the *declared* departure. From the target a floor runs back in time:
the energy from which flat-out charging still gets there. Whatever keeps the car above the floor at
the end of the step keeps the promise. What was out of reach at plug-in, or fell to the site's own
load since, is excused and counted under its own name.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.ev import (
    EvParams,
    EvState,
    Session,
    at_power,
    floor_kwh,
    most_charge_kw,
    promising,
)
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import EvFleet
from vpp_envs.fleet.pick import is_nan


class EvEnvelope(NamedTuple):
    """Range of a car's power for one step, (..., N); between 0 and the step there is nothing."""

    low_kw: Tensor  # least charge, or most discharge [kW]
    high_kw: Tensor  # most charge [kW]
    step_kw: Tensor  # least charge above 0 [kW]
    alone_kw: Tensor  # of a car that nobody commands: to its target, by its driver's habit [kW]
    site_limited: Tensor  # the site's own load leaves less than the promise needs, bool


def ev_range(state: EvState, session: Session, ev: EvFleet, dt_h: float) -> EvEnvelope:
    """Return the powers from which the target, or what is not excused of it, stays in reach.

    With D the energy missing to the floor at the end of the step: from ``D / (eta dt)`` if D > 0,
    else from the discharge that takes the car down to its floor, up to what the car can take.

    Args:
        state: Of the cars, (..., N).
        session: What is known of their stay.
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    params = ev.params
    plugged = session.hours_left > 0
    none = torch.zeros_like(state.energy_kwh)
    most_kw = torch.where(plugged, most_charge_kw(state.energy_kwh, params, dt_h), none)
    step_kw = torch.minimum(params.least_charge_kw, most_kw)
    missing_kwh = required_kwh(state, session, ev, dt_h) - state.energy_kwh
    sure_kw, guaranteed_kw = most_kw, state.sure_kw
    if guaranteed_kw is not None:
        # A minimum may be further away than what is guaranteed gets in a step.
        sure_kw = torch.minimum(most_kw, guaranteed_kw.clamp(min=0.0))
    need_kw = _making_up_kw(missing_kwh, sure_kw, params, dt_h)
    give_kw = torch.maximum(
        missing_kwh.clamp(max=0.0) * params.discharge_eff / dt_h, -params.discharge_kw
    )
    low_kw = torch.where(need_kw > 0, need_kw, give_kw)
    low_kw = torch.where(plugged, low_kw, none)
    alone_kw = by_habit_kw(state.energy_kwh, state.sure_kw, session, ev, dt_h)
    alone_kw = torch.maximum(alone_kw, low_kw)
    # Where others may not choose, the driver's habit is all there is.
    managed = ev.agreement.managed > 0
    return EvEnvelope(
        torch.where(managed, low_kw, alone_kw),
        torch.where(managed, most_kw, alone_kw),
        step_kw,
        alone_kw,
        torch.zeros_like(plugged),
    )


def beside_site(own: EvEnvelope, site_kw: Tensor, agreement: Agreement) -> EvEnvelope:
    """Narrow a car's own range by the site's connection.

    Args:
        own: From `ev_range`.
        site_kw: What the home draws without its car, (..., N). [kW]
        agreement: Site limits, (N,).
    """
    none = torch.zeros_like(own.low_kw)
    room_kw = (agreement.import_limit_kw - site_kw).clamp(min=0.0)
    high_kw = torch.minimum(own.high_kw, room_kw)
    high_kw = torch.where(high_kw < own.step_kw, none, high_kw)
    export_room_kw = (agreement.export_limit_kw + site_kw).clamp(min=0.0)
    low_kw = torch.where(own.low_kw < 0, torch.maximum(own.low_kw, -export_room_kw), own.low_kw)
    return EvEnvelope(
        torch.minimum(low_kw, high_kw),
        high_kw,
        own.step_kw,
        torch.minimum(own.alone_kw, high_kw),
        low_kw > high_kw,
    )


def required_kwh(state: EvState, session: Session, ev: EvFleet, dt_h: float) -> Tensor:
    """Return the least energy at the end of the step that keeps the promise, (..., N). [kWh]

    Args:
        state: Of the cars, (..., N).
        session: What is known of their stay.
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    promised_kwh = ev.agreement.target_kwh - state.excused_kwh
    return _least_kwh(promised_kwh, promising(ev.params, state), session, ev, dt_h)


def _least_kwh(
    target_kwh: Tensor, params: EvParams, session: Session, ev: EvFleet, dt_h: float
) -> Tensor:
    """Least energy at the end of the step from which some chargers still reach a target. [kWh]"""
    after_h = (session.hours_left - dt_h).clamp(min=0.0)
    return torch.maximum(floor_kwh(target_kwh, after_h, params), ev.agreement.minimum_kwh)


def _making_up_kw(missing_kwh: Tensor, most_kw: Tensor, params: EvParams, dt_h: float) -> Tensor:
    """Power that stores what is missing in a step, or as much of it as it can, (..., N). [kW]

    Args:
        missing_kwh: To be stored; nothing is done below 0, (..., N). [kWh]
        most_kw: That may be drawn, (..., N). [kW]
        params: Constants of the cars, (N,).
        dt_h: Length of the step. [h]
    """
    # Rounding alone must not switch a charger on.
    missing = missing_kwh > rounding(missing_kwh) * params.capacity_kwh
    step_kw = torch.minimum(params.least_charge_kw, most_kw)
    power_kw = torch.maximum(missing_kwh / (params.charge_eff * dt_h), step_kw)
    return torch.where(missing, torch.minimum(power_kw, most_kw), torch.zeros_like(power_kw))


def by_habit_kw(
    energy_kwh: Tensor, sure_kw: Tensor | None, session: Session, ev: EvFleet, dt_h: float
) -> Tensor:
    """Return the power of a car whose driver alone decides, (..., N). [kW]

    It charges to its target at once, but for a car that its driver lets rest: that draws what
    keeps the target in reach, flat out from the last moment on. At a shared connection the last
    moment comes earlier, because only what is guaranteed is sure. A target that is out of reach
    leaves no moment to rest in, so that nothing need be known of excuses.

    Args:
        energy_kwh: Stored energy, (..., N). [kWh]
        sure_kw: Guaranteed by a shared connection, (..., N); none: the charger's power. [kW]
        session: What is known of the stay.
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    at_once_kw, rests = charging_at_once_kw(energy_kwh, session, ev, dt_h), session.rests
    if rests is None:
        return at_once_kw
    params, target_kwh = ev.params, ev.agreement.target_kwh
    most_kw = most_charge_kw(energy_kwh, params, dt_h)
    missing_kwh = _least_kwh(target_kwh, params, session, ev, dt_h) - energy_kwh
    late_kw = _making_up_kw(missing_kwh, most_kw, params, dt_h)
    if sure_kw is not None:
        sure_kw = torch.minimum(most_kw, sure_kw.clamp(min=0.0))
        sure = at_power(params, sure_kw)
        missing_kwh = _least_kwh(target_kwh, sure, session, ev, dt_h) - energy_kwh
        late_kw = torch.maximum(late_kw, _making_up_kw(missing_kwh, sure_kw, params, dt_h))
    late_kw = torch.where(session.hours_left > 0, late_kw, torch.zeros_like(late_kw))
    return torch.where(rests, late_kw, at_once_kw)


def charging_at_once_kw(energy_kwh: Tensor, session: Session, ev: EvFleet, dt_h: float) -> Tensor:
    """Return the power of a car that charges to its target at once, (..., N). [kW]

    Args:
        energy_kwh: Stored energy, (..., N). [kWh]
        session: What is known of the stay.
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    params = ev.params
    wanted_kwh = torch.maximum(ev.agreement.target_kwh, ev.agreement.minimum_kwh)
    most_kw = most_charge_kw(energy_kwh, params, dt_h)
    power_kw = _making_up_kw(wanted_kwh - energy_kwh, most_kw, params, dt_h)
    return torch.where(session.hours_left > 0, power_kw, torch.zeros_like(power_kw))


def into_steps(power_kw: Tensor, envelope: EvEnvelope) -> Tensor:
    """Bring a power into the envelope and out of the hole below the least charge, (..., N). [kW]

    What is not a number leaves a car to its driver's habit.

    Args:
        power_kw: Asked of the cars, (..., N). [kW]
        envelope: Of the step.
    """
    asked_kw = torch.where(is_nan(power_kw), envelope.alone_kw, power_kw)
    power_kw = torch.minimum(torch.maximum(asked_kw, envelope.low_kw), envelope.high_kw)
    step_kw = torch.minimum(envelope.step_kw, envelope.high_kw)
    hole = (power_kw > 0) & (power_kw < step_kw)
    on = (power_kw >= 0.5 * step_kw) | (envelope.low_kw > 0)
    return torch.where(hole, torch.where(on, step_kw, torch.zeros_like(power_kw)), power_kw)


def rounding(like: Tensor) -> float:
    """Relative rounding of a sum of a few terms in the working precision."""
    return 1e-12 if like.dtype == torch.float64 else 4e-7
