"""When people have had enough: overrides of events, complaints, and leaving the programme.

The form of the hazard is that of survival analysis (D. R. Cox, "Regression models and life-tables",
JRSS B 34(2), 1972): a base rate times the exponential of what weighs on it. Its numbers are an
assumption: no published override rates were at hand to fit them. Stylised rates that they stay
near: 3 to 6 % override an hour at +1 K, 20 to 30 % four hours at +2 to 3 K.

All functions are pure: draws are given, see `draw_people`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.random import Purpose, draw_bits, uniform_from_bits


class Temper(NamedTuple):
    """How owners take events, one column per home, (N,)."""

    override_per_h: Tensor  # of one who is comfortable, when an event begins [1/h]
    per_k: Tensor  # growth of its logarithm by discomfort [1/K]
    tolerance_k: Tensor  # discomfort that nobody minds [K]
    per_event_h: Tensor  # growth by the length of the event so far [1/h]
    per_call: Tensor  # growth by each call of the last seven days
    per_log_pay: Tensor  # decline by the logarithm of 1 + payment an event
    impatience: Tensor  # factor of this owner, median 1
    leave_a_month: Tensor  # probability of leaving the programme in a quiet month [0 to 1]
    angry_overrides: Tensor  # overrides a month from which it is higher
    angry_factor: Tensor  # by this factor of the hazard
    leave_if_short: Tensor  # probability of leaving when a car left with too little [0 to 1]


class PeopleDraws(NamedTuple):
    """Uniform draws of one step, float64 in [0, 1), (..., N)."""

    opt_out: Tensor
    override: Tensor
    leave: Tensor
    departure: Tensor


def draw_people(seed: Tensor, episode: Tensor, home: Tensor, tick: Tensor) -> PeopleDraws:
    """Draw what decides about people in one step; a home's draws depend on nobody else.

    Args:
        seed: Of the scenarios, (..., 1) int64.
        episode: Numbers of their episodes, (..., 1) int64.
        home: Ids of the homes, (N,) or (..., N) int64.
        tick: Of the step, (..., 1) int64.
    """
    return PeopleDraws(
        uniform_from_bits(draw_bits(seed, episode, home, tick, Purpose.PEOPLE_OPT_OUT)),
        uniform_from_bits(draw_bits(seed, episode, home, tick, Purpose.PEOPLE_OVERRIDE)),
        uniform_from_bits(draw_bits(seed, episode, home, tick, Purpose.PEOPLE_LEAVE)),
        uniform_from_bits(draw_bits(seed, episode, home, tick, Purpose.PEOPLE_DEPARTURE)),
    )


def override_probability(
    temper: Temper,
    discomfort_k: Tensor,
    event_h: Tensor,
    calls: Tensor,
    pay: Tensor,
    dt_h: float,
) -> Tensor:
    """Probability that one who takes part overrides the event in this step, (..., N).

    ``h = h0 z exp(b1 max(0, d - d0) + b2 t + b3 n - b4 log(1 + pay))`` is integrated over the
    step, in which the discomfort stays and the event grows longer, so that twelve steps of five
    minutes are one of an hour: ``p = 1 - exp(-h(t) (exp(b2 dt) - 1) / b2)``.

    Args:
        temper: Of the owners, (N,).
        discomfort_k: Distance of the air from what is preferred, (..., N). [K]
        event_h: Length of the event at the start of the step, (..., N). [h]
        calls: Of the last seven days, (..., N).
        pay: Payment an event, at least 0, (..., N) or (N,). [currency]
        dt_h: Length of the step. [h]
    """
    weight = (
        temper.per_k * (discomfort_k.abs() - temper.tolerance_k).clamp(min=0.0)
        + temper.per_event_h * event_h
        + temper.per_call * calls
        - temper.per_log_pay * torch.log1p(pay)
    )
    # Beyond a factor of e^30 everybody has long overridden; float32 ends at e^88.
    rate_per_h = temper.override_per_h * temper.impatience * torch.exp(weight.clamp(max=30.0))
    growth = (temper.per_event_h * dt_h).clamp(min=1e-12)
    return -torch.expm1(-rate_per_h * dt_h * torch.expm1(growth) / growth)


def leave_probability(temper: Temper, overrides_month: Tensor, dt_h: float) -> Tensor:
    """Probability of leaving the programme in a step, (..., N).

    Args:
        temper: Of the owners, (N,).
        overrides_month: Overrides since the first of the month, (..., N).
        dt_h: Length of the step. [h]
    """
    # A month has 730.5 hours on average; its probability is that of a constant hazard.
    quiet_per_h = -torch.log1p(-temper.leave_a_month.clamp(max=0.999999)) / 730.5
    angry = overrides_month >= temper.angry_overrides
    rate_per_h = torch.where(angry, quiet_per_h * temper.angry_factor, quiet_per_h)
    return -torch.expm1(-rate_per_h * dt_h)


def cold_water_complaint(outlet_c: Tensor, draw_l: Tensor) -> Tensor:
    """Whether somebody stands under a cold shower, (..., N) bool.

    Args:
        outlet_c: Temperature of the water that leaves the tank, (..., N). [degC]
        draw_l: Hot water drawn for a shower in this step, (..., N). [l]
    """
    # 40.6 degC (105 degF) is what OCHRE and GMLC's device models count as useful hot water.
    return (draw_l > 0) & (outlet_c < 40.6)


def departure_complaint(
    temper: Temper, missing_kwh: Tensor, capacity_kwh: Tensor, draw: Tensor
) -> Tensor:
    """Whether a driver opts out of the programme after a departure, (..., N) bool.

    Too little is more than ten points of the capacity missing to what was promised.

    Args:
        temper: Of the owners, (N,).
        missing_kwh: Missing at the departure, 0 where no car leaves, (..., N). [kWh]
        capacity_kwh: Of the car, (N,). [kWh]
        draw: Uniform draws, (..., N). [0 to 1)
    """
    return (missing_kwh > 0.1 * capacity_kwh) & (draw < temper.leave_if_short)


def gives_up(complaints: Tensor, most_complaints: Tensor) -> Tensor:
    """Whether an owner leaves the programme after so many complaints, (..., N) bool.

    Args:
        complaints: So far, (..., N).
        most_complaints: That this owner makes before, (N,).
    """
    return complaints >= most_complaints
