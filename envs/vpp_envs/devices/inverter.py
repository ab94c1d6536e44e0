"""Losses of a battery's inverter by load: what the constant efficiency of the step leaves out.

The step, the envelope and the exact bounds take one efficiency at all powers; this function is for
looking at what that costs. To be part of the step it would need its inverse in the envelope (the
power that just fills the store solves a quadratic), its slope in the water value, and pieces of
straight line in the linear programme of perfect foresight, which stays convex only if the no-load
loss runs at rest too, as the standing loss does.

With the loss at no power taken for the standing loss, which the step has, round trips of 0.89 to
0.92 lose between 0.3 % of the rating less and 1 % more in the step than here, at any power.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class InverterLoss(NamedTuple):
    """Where a loss of ``p0 + p1 |P| + p2 P^2`` comes from; the defaults, assumed, fit 5 kW."""

    no_load_share: float = 0.008  # loss at no power over the rating: 40 W
    linear_loss: float = 0.02  # loss in proportion to power
    reference_share: float = 0.66  # power at which the data sheet was read over the rating: 3.3 kW


_USUAL = InverterLoss()


def inverter_loss_kw(
    power_kw: Tensor,
    rated_kw: Tensor,
    round_trip_eff: Tensor,
    loss: InverterLoss = _USUAL,
) -> Tensor:
    """Loss of inverter and cells at an AC power, (..., N). [kW]

    ``p0 + p1 |P| + p2 P^2``, with p2 such that charging and discharging at the reference power
    give the round trip of the data sheet: ``(P - loss) / (P + loss) = RTE`` there. A round trip
    better than p0 and p1 allow (0.938 with the defaults) gets no p2, and is not reached.

    Args:
        power_kw: AC power, charging positive, (..., N). [kW]
        rated_kw: AC rating, (N,). [kW]
        round_trip_eff: AC to AC, at the reference power, (N,). [0 to 1]
        loss: Its shape.
    """
    size = power_kw.abs()
    no_load_kw, reference_kw = loss.no_load_share * rated_kw, loss.reference_share * rated_kw
    measured_kw = reference_kw * (1.0 - round_trip_eff) / (1.0 + round_trip_eff)
    rest_kw = (measured_kw - no_load_kw - loss.linear_loss * reference_kw).clamp(min=0.0)
    square_per_kw = rest_kw / (reference_kw * reference_kw)
    return no_load_kw + loss.linear_loss * size + square_per_kw * size * size


def part_load_efficiency(
    power_kw: Tensor,
    rated_kw: Tensor,
    round_trip_eff: Tensor,
    loss: InverterLoss = _USUAL,
) -> Tensor:
    """One-way efficiency at an AC power: 0 at rest, and while less comes in than is lost.

    Charging ``(P - loss) / P`` of the power is stored, discharging ``P / (P + loss)`` of what
    leaves the cells comes out. The loss is `inverter_loss_kw`, whose arguments these are.

    Returns:
        Efficiency, (..., N). [0 to 1]
    """
    loss_kw = inverter_loss_kw(power_kw, rated_kw, round_trip_eff, loss)
    size = power_kw.abs()
    runs = size > 0
    some_kw = torch.where(runs, size, torch.ones_like(size))
    storing = (1.0 - loss_kw / some_kw).clamp(min=0.0)
    eff = torch.where(power_kw > 0, storing, size / (some_kw + loss_kw))
    return torch.where(runs, eff, torch.zeros_like(eff))
