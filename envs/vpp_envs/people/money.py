"""Payments of programmes: from the sponsor through the aggregator to each home, in float64.

Every payment is booked once, as what the sponsor pays for a home; the parties' cash follows from
it, so that what is paid is what is received.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.people.payment_rules import PaymentTerms


class Earned(NamedTuple):
    """What of a season is remembered for payments, (..., N) float64."""

    season_kwh: Tensor  # delivered in the events of this season [kWh]
    season_h: Tensor  # that events of this season called for [h]
    credit: Tensor  # earned as bill credit and not yet used [currency]


class Payments(NamedTuple):
    """What the sponsor pays for each home in one step, by reason, (..., N) float64. [currency]"""

    energy: Tensor  # for delivered kWh
    capacity: Tensor  # for mean kW over the season; below 0 where an event lowers it
    event: Tensor  # for events taken part in
    flat: Tensor  # for being enrolled
    upfront: Tensor  # for joining


class PaymentParties(NamedTuple):
    """Cash of each party, money in positive, (..., N) float64; credits are cash to the retailer."""

    sponsor: Tensor
    aggregator: Tensor
    homeowner: Tensor  # in hand
    retailer: Tensor  # holds it for the homeowner's next bills


class Delivery(NamedTuple):
    """What homes did for a programme in one step, (..., N)."""

    kwh: Tensor  # delivered beyond the baseline, positive [kWh]
    called: Tensor  # in an event, whether or not the owner joined, bool
    completed: Tensor  # the event that ended with this step was taken part in, bool
    enrolled: Tensor  # bool
    joins: Tensor  # joins the programme with this step, bool
    new_season: Tensor  # this step is the first of a season, bool


def first_earned(like: Tensor) -> Earned:
    """Nothing earned yet.

    Args:
        like: Any state of the homes, (..., N).
    """
    none = torch.zeros_like(like, dtype=torch.float64)
    return Earned(none, none, none)


def pay(
    terms: PaymentTerms, earned: Earned, delivery: Delivery, dt_h: float
) -> tuple[Payments, Earned]:
    """Pay one step.

    Delivery below the baseline costs nothing (no programme in the data punishes it). A season's
    mean power counts the hours of all events that called a home, whether it joined or not, and is
    paid step by step as the mean changes: over a season the changes add up to rate times mean.

    Args:
        terms: Of each home, (N,).
        earned: So far, (..., N).
        delivery: Of the step, (..., N).
        dt_h: Length of the step. [h]

    Returns:
        Payments of the step, and what is remembered.
    """
    called = delivery.called.double()
    kwh = delivery.kwh.double().clamp(min=0.0) * called
    none = torch.zeros_like(kwh)
    before_kwh = torch.where(delivery.new_season, none, earned.season_kwh)
    before_h = torch.where(delivery.new_season, none, earned.season_h)
    after_kwh, after_h = before_kwh + kwh, before_h + called * dt_h
    change_kw = _mean_kw(after_kwh, after_h) - _mean_kw(before_kwh, before_h)
    payments = Payments(
        kwh * terms.per_kwh,
        change_kw * terms.per_kw_season,
        delivery.completed.double() * terms.per_event,
        delivery.enrolled.double() * terms.per_day * (dt_h / 24.0),
        delivery.joins.double() * terms.upfront,
    )
    credit = earned.credit + gross(payments) * terms.home_share * terms.as_credit
    return payments, Earned(after_kwh, after_h, credit)


def gross(payments: Payments) -> Tensor:
    """All that the sponsor pays for each home, (..., N). [currency]"""
    p = payments
    return p.energy + p.capacity + p.event + p.flat + p.upfront


def to_home(payments: Payments, terms: PaymentTerms) -> Tensor:
    """What each home gets of it, in cash or on its bill, (..., N). [currency]

    Args:
        payments: Of a step, (..., N).
        terms: Of each home, (N,).
    """
    return gross(payments) * terms.home_share


def payment_parties(payments: Payments, terms: PaymentTerms) -> PaymentParties:
    """Cash of a step by party; the four add up to zero.

    Args:
        payments: Of the step, (..., N).
        terms: Of each home, (N,).
    """
    paid, given = gross(payments), to_home(payments, terms)
    credit = given * terms.as_credit
    return PaymentParties(-paid, paid - given, given - credit, credit)


def use_credit(credit: Tensor, bill: Tensor) -> tuple[Tensor, Tensor]:
    """Set credit off against bills; what is left is carried over, and no bill falls below 0.

    Args:
        credit: Held for each home, (..., N). [currency]
        bill: Owed by each home, below 0 where it is owed to the home, (..., N). [currency]

    Returns:
        What is left to pay, and the credit that is carried over.
    """
    used = torch.minimum(credit.clamp(min=0.0), bill.clamp(min=0.0))
    return bill - used, credit - used


def _mean_kw(kwh: Tensor, hours: Tensor) -> Tensor:
    """Mean power over some hours, 0 over none. [kW]"""
    return kwh / hours.clamp(min=1e-9)
