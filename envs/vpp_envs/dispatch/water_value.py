"""The stochastic water value of stored energy: what one more kWh in the battery is worth.

Backward recursion over half-hourly leads (Xu et al., arXiv 1910.09149, in the form of a convex
storage with losses and wear): at each lead the marginal value either stays, is capped by the
price of charging, or is lifted by the price of discharging, in expectation over the forecast.
"""

import torch
from torch import Tensor


def marginal_after_trade(
    value: Tensor, buy: Tensor, sell: Tensor, if_charged: Tensor, if_discharged: Tensor
) -> Tensor:
    """Marginal value of stored energy before an interval whose price is known.

    Args:
        value: Marginal value after the interval at the same fill. [currency/kWh]
        buy: Price over efficiency: what one stored kWh costs to buy. [currency/kWh]
        sell: (Price - wear) times efficiency: what one stored kWh earns. [currency/kWh]
        if_charged: `value` at the fill reached by a full charge, -inf beyond full.
        if_discharged: `value` at the fill reached by a full discharge, +inf below empty.

    Returns:
        Marginal value before the interval, broadcast shape. [currency/kWh]
    """
    charging = torch.maximum(buy, if_charged)
    otherwise = torch.minimum(torch.maximum(sell, value), if_discharged)
    return torch.where(buy < value, charging, otherwise)


def shifted(curve: Tensor, shift: float, beyond: float) -> Tensor:
    """Read a curve at fill + shift; outside the grid it is `beyond`, (..., F) -> (..., F)."""
    at = torch.linspace(0.0, 1.0, curve.shape[-1], device=curve.device, dtype=curve.dtype) + shift
    value = _read(curve, at)
    outside = (at < -1e-6) | (at > 1.0 + 1e-6)
    return torch.where(outside, torch.full_like(value, beyond), value)


def levelled(curve: Tensor, half_width: float) -> Tensor:
    """Average a curve over fills within half_width, ends held, (..., F) -> (..., F)."""
    at = torch.linspace(0.0, 1.0, curve.shape[-1], device=curve.device, dtype=curve.dtype)
    total = _read(curve, at)
    for step in range(1, 4):
        offset = half_width * step / 3.0
        total = total + _read(curve, at - offset) + _read(curve, at + offset)
    return total / 7.0


def _read(curve: Tensor, fill: Tensor) -> Tensor:
    """Interpolate a curve at fills, (F,), ends held, (..., F)."""
    points = curve.shape[-1]
    at = fill.clamp(0.0, 1.0) * (points - 1)
    cell = at.floor().clamp(max=points - 2)
    left = cell.to(torch.int64)
    return torch.lerp(
        torch.index_select(curve, -1, left), torch.index_select(curve, -1, left + 1), at - cell
    )


def water_value(
    nodes_per_kwh: Tensor,
    weights: Tensor,
    duration_h: float,
    one_way_eff: float,
    wear_per_kwh: float,
    lead_h: float,
    buy_nodes_per_kwh: Tensor | None = None,
    discharge_h: float | None = None,
) -> Tensor:
    """Tabulate the marginal value of stored energy at the end of the current half hour.

    The recursion draws each lead's price anew, while real prices persist: what is known half an
    hour ahead is no fresh chance. So only a share of each lead's spread, 0.8, is drawn. And a
    battery that may change its mind every five minutes does not see the staircase that leads of
    half an hour at full power leave, so the curve is levelled over three quarters of a lead's
    move. Both numbers were chosen on validation days of the synthetic South Australian market,
    where they raise the share of the optimum from 94 to 97 %.

    Args:
        nodes_per_kwh: Forecast price of each lead by probability bin, (..., H, Q). [currency/kWh]
        weights: Probability of each bin, (Q,).
        duration_h: Usable energy over power of the battery class. [h]
        one_way_eff: Square root of the round-trip efficiency.
        wear_per_kwh: Cost of wear per kWh discharged, AC. [currency/kWh]
        lead_h: Length of a lead. [h]
        buy_nodes_per_kwh: What a kWh costs to store, likewise, where that is another price.
        discharge_h: Usable energy over the power that earns the price, where that is less than the
            battery's: behind a tariff, the home's own load. [h]

    Returns:
        Marginal value per stored kWh, falling with fill, (..., F). [currency/kWh]
    """
    # The last lead leaves what a kWh is typically worth a day ahead: the mean of the medians.
    middle = nodes_per_kwh[..., nodes_per_kwh.shape[-1] // 2 - 1].mean(-1, keepdim=True)
    # Seventeen fills; a literal, because scripts read no globals.
    curve = middle * one_way_eff * torch.ones(17, dtype=middle.dtype, device=middle.device)
    up = one_way_eff * lead_h / duration_h
    # No home is emptied faster than its battery can.
    emptied_h = duration_h if discharge_h is None else max(duration_h, discharge_h)
    down = -lead_h / (emptied_h * one_way_eff)
    nodes_per_kwh = narrowed(nodes_per_kwh, weights)
    buying = nodes_per_kwh
    if buy_nodes_per_kwh is not None:
        buying = narrowed(buy_nodes_per_kwh, weights)
    for back in range(nodes_per_kwh.shape[-2]):
        lead = nodes_per_kwh.shape[-2] - 1 - back
        price = nodes_per_kwh[..., lead, :].unsqueeze(-2)
        after = marginal_after_trade(
            curve.unsqueeze(-1),
            buying[..., lead, :].unsqueeze(-2) / one_way_eff,
            (price - wear_per_kwh) * one_way_eff,
            shifted(curve, up, -1e9).unsqueeze(-1),
            shifted(curve, down, 1e9).unsqueeze(-1),
        )
        curve = (after * weights).sum(-1)
    return levelled(curve, 0.75 * up)


def narrowed(nodes: Tensor, weights: Tensor) -> Tensor:
    """Draw a share of each lead's spread only, (..., H, Q)."""
    mean = (nodes * weights).sum(-1, keepdim=True)
    return mean + 0.8 * (nodes - mean)
