"""One step of the people: called before dispatch, heard after the physics.

`open_step` says who is in an event and who may be commanded; `close_step` takes what owners felt
and lets them override, complain and leave. Between the two stands the simulator.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.people.calendar import Calendar
from vpp_envs.people.hazard import (
    PeopleDraws,
    Temper,
    cold_water_complaint,
    departure_complaint,
    gives_up,
    leave_probability,
    override_probability,
)
from vpp_envs.people.programme import (
    PeopleState,
    Programme,
    advance,
    begin,
    calls_last_week,
    starts_now,
    takes_part,
)


class PeopleFleet(NamedTuple):
    """Constants of the owners of N homes."""

    programme: Programme
    temper: Temper
    pay_per_event: Tensor  # what they expect for one, (N,) [currency]
    most_complaints: Tensor  # before they leave the programme, (N,)
    enrolled: Tensor  # at the start, (N,) bool


class PeopleRows(NamedTuple):
    """What a scenario knows by tick that concerns people, (T, 1) as a table, (..., 1) in a step."""

    calendar: Calendar
    event: Tensor  # above 0 while an event runs
    notice_h: Tensor  # how long ago it was announced [h]


class Felt(NamedTuple):
    """What owners noticed of one step, (..., N)."""

    discomfort_k: Tensor  # distance of the air from what is preferred, 0 without a device [K]
    outlet_c: Tensor  # of the water heater [degC]
    shower_l: Tensor  # hot water drawn, 0 without a device [l]
    missing_kwh: Tensor  # to a car that left in this step [kWh]
    car_kwh: Tensor  # capacity of the car, 1 without one, (N,) [kWh]


class Reaction(NamedTuple):
    """What owners did in one step, (..., N) bool."""

    called: Tensor  # an event began for the home
    opted_out: Tensor  # and its owner stayed out
    overrode: Tensor  # left the event
    complained: Tensor
    left: Tensor  # left the programme


def nothing_felt(like: Tensor) -> Felt:
    """A step that nobody noticed; replace what a home has.

    Args:
        like: Any state of the homes, (..., N).
    """
    none = torch.zeros_like(like)
    return Felt(none, none, none, none, none + 1.0)


def open_step(
    state: PeopleState, people: PeopleFleet, rows: PeopleRows, draws: PeopleDraws
) -> PeopleState:
    """Begin a step: see `programme.begin`.

    Args:
        state: At the end of the last step, (..., N).
        people: Constants, (N,).
        rows: Of this tick, (..., 1).
        draws: Of this tick, (..., N).
    """
    programme = people.programme
    return begin(state, programme, rows.event, rows.calendar, rows.notice_h, draws.opt_out)


def close_step(
    state: PeopleState, people: PeopleFleet, felt: Felt, draws: PeopleDraws, dt_h: float
) -> tuple[PeopleState, Reaction]:
    """End a step: owners react to what they felt.

    Discomfort counts for overrides only while a home takes part in an event.

    Args:
        state: After `open_step`, (..., N).
        people: Constants, (N,).
        felt: In this step, (..., N).
        draws: Of this tick, (..., N).
        dt_h: Length of the step. [h]
    """
    temper = people.temper
    overrides = draws.override < override_probability(
        temper, felt.discomfort_k, state.event_h, calls_last_week(state), people.pay_per_event, dt_h
    )
    overrides = overrides & takes_part(state)
    complains = cold_water_complaint(felt.outlet_c, felt.shower_l)
    complaints = state.complaints + complains.to(state.complaints.dtype)
    leaves = (
        (draws.leave < leave_probability(temper, state.overrides_month, dt_h))
        | departure_complaint(temper, felt.missing_kwh, felt.car_kwh, draws.departure)
        | gives_up(complaints, people.most_complaints)
    ) & state.enrolled
    starts = starts_now(state)
    reaction = Reaction(starts, starts & state.opted_out, overrides, complains, leaves)
    return advance(state, overrides, complains, leaves, dt_h), reaction
