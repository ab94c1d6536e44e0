"""What the owners got and what they put up with: named metrics, never one number.

Nothing here is added up across its names, and none of it enters the profit: a reward may weigh
single metrics, by their names, where its configuration says so.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.people.fairness import gini, jain, most_calls_a_week


class Satisfaction(NamedTuple):
    """Metrics of each home over some time, (..., N) float64; of a step, or a sum of steps."""

    comfort_degree_h: Tensor  # air outside the band [K h]
    cold_showers: Tensor  # steps with a draw below useful hot water
    cold_water_kwh: Tensor  # missing to useful hot water [kWh]
    missed_departures: Tensor  # cars that left with less than was promised
    missed_departure_kwh: Tensor  # missing to what was promised [kWh]
    backup_shortfall_kwh: Tensor  # missing to the reserve when an outage began [kWh]
    unserved_kwh: Tensor  # load that an outage left unserved [kWh]
    calls: Tensor  # events that began for the home
    opt_outs: Tensor  # of them, those that the owner stayed out of
    overrides: Tensor  # of them, those that the owner left
    complaints: Tensor  # made by the owner
    payment: Tensor  # from programmes, cash and credit [currency]


class FleetSatisfaction(NamedTuple):
    """The same seen over all homes, (...) float64."""

    total: Satisfaction  # sums over the homes
    worst: Satisfaction  # of the home that has most of each
    gini_calls: Tensor  # 0: all called alike
    jain_calls: Tensor  # 1: all called alike
    gini_discomfort: Tensor  # of degree-hours
    most_calls_a_week: Tensor  # of any home, in the last seven days
    payment_per_degree_h: Tensor  # NaN where nobody was uncomfortable [currency/(K h)]


def no_satisfaction(like: Tensor) -> Satisfaction:
    """Nothing yet.

    Args:
        like: Any state of the homes, (..., N).
    """
    none = torch.zeros_like(like, dtype=torch.float64)
    return Satisfaction(*([none] * len(Satisfaction._fields)))


def plus(before: Satisfaction, step: Satisfaction) -> Satisfaction:
    """Add a step to what was before, name by name.

    Args:
        before: Sum so far, (..., N).
        step: Of a step, (..., N).
    """
    return Satisfaction(*(a + b.double() for a, b in zip(before, step, strict=True)))


def payment_per_degree_h(satisfaction: Satisfaction) -> Tensor:
    """What a degree-hour of discomfort was paid with, (..., N); NaN without discomfort.

    Args:
        satisfaction: Of the homes, (..., N).
    """
    return satisfaction.payment / torch.where(
        satisfaction.comfort_degree_h > 0,
        satisfaction.comfort_degree_h,
        torch.full_like(satisfaction.comfort_degree_h, torch.nan),
    )


def over_fleet(satisfaction: Satisfaction, week_calls: Tensor, among: Tensor) -> FleetSatisfaction:
    """See homes as a fleet.

    Args:
        satisfaction: Of the homes, (..., N).
        week_calls: Calls of the last seven days, (..., N).
        among: Homes of the programme, (..., N) or (N,) bool: fairness is among them.
    """
    total = Satisfaction(*(metric.sum(-1) for metric in satisfaction))
    return FleetSatisfaction(
        total,
        Satisfaction(*(metric.amax(-1) for metric in satisfaction)),
        gini(satisfaction.calls, among),
        jain(satisfaction.calls, among),
        gini(satisfaction.comfort_degree_h, among),
        most_calls_a_week(week_calls.double(), among),
        payment_per_degree_h(total),
    )


def departures(missed_kwh: Tensor, left_early_kwh: Tensor) -> tuple[Tensor, Tensor]:
    """Departures with less than was promised, and what was missing, (..., N). [-, kWh]

    Args:
        missed_kwh: Missing on the declared departure, (..., N). [kWh]
        left_early_kwh: Missing to cars that left before it, which breaks no promise but leaves a
            driver with less all the same, (..., N). [kWh]
    """
    missing_kwh = missed_kwh.double() + left_early_kwh.double()
    return (missing_kwh > 0).double(), missing_kwh


def outside_band_degree_h(air_c: Tensor, low_c: Tensor, high_c: Tensor, dt_h: float) -> Tensor:
    """Degree-hours of air outside the agreed band in one step, (..., N). [K h]

    Args:
        air_c: Of the home, (..., N). [degC]
        low_c: Lower edge at this hour, (..., N) or (N,). [degC]
        high_c: Upper edge, likewise. [degC]
        dt_h: Length of the step. [h]
    """
    outside_k = (low_c - air_c).clamp(min=0.0) + (air_c - high_c).clamp(min=0.0)
    return outside_k.double() * dt_h
