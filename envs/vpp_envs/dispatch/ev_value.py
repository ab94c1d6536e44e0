"""What one more stored kWh is worth to a car that must leave at an hour with a target.

The water value of a battery with a deadline: backward recursion over half-hourly leads from each
departure. Below the target a kWh is worth any price at the departure; before it, what the cheapest
hours left are expected to cost. Energy is counted in hours of flat-out charging, so that one table
serves cars and chargers of all sizes: a lead at full power is one step of the grid.
"""

import torch
from torch import Tensor

from vpp_envs.dispatch.water_value import marginal_after_trade

NEED_POINTS = 25


def stays() -> list[int]:
    """Half hours from the end of the current one to the departure, as tabulated."""
    # A function, because scripts read no globals.
    return [0, 1, 2, 3, 4, 6, 8, 12, 16, 22, 32, 47]


STAYS = tuple(stays())
STAYS_H = tuple(stay * 0.5 for stay in STAYS)


def ev_value(
    nodes_per_kwh: Tensor,
    weights: Tensor,
    one_way_eff: float,
    wear_per_kwh: float,
    discharges: bool,
) -> Tensor:
    """Tabulate the marginal value of stored energy at the end of the current half hour.

    Args:
        nodes_per_kwh: Forecast price of each lead by probability bin, (I, H, Q). [currency/kWh]
        weights: Probability of each bin, (Q,).
        one_way_eff: Efficiency each way of the class of cars.
        wear_per_kwh: Cost of wear per kWh discharged, AC. [currency/kWh]
        discharges: Whether the class gives energy back (at about the power that it stores).

    Returns:
        Value per stored kWh by stay (`STAYS`) and need, (I, L, S). Need runs from a surplus of
        three hours of charging (first) over 0 to all of the stay (last). [currency/kWh]
    """
    nodes, share = _fewer_bins(nodes_per_kwh, weights)
    mean = (nodes * share).sum(-1, keepdim=True)
    # As with the water value: prices persist, so that not every lead is a fresh chance.
    nodes = mean + 0.8 * (nodes - mean)
    surplus = 6  # half hours of charging: three hours
    most = 24  # half hours of charging; who needs more, charges whenever it can
    cells = surplus + 1 + most  # from the surplus, over 0, to the most need
    # What is left over at the departure saves buying in the cheapest hours of the next stay.
    cheap = torch.sort(mean.squeeze(-1), -1)[0][:, : nodes.shape[-2] // 8].mean(-1)
    over = (cheap / one_way_eff).unsqueeze(-1).expand(-1, surplus + 1)
    # A thousand a kWh is beyond every cap.
    below = torch.full_like(nodes[:, 0, :1], 1e3).expand(-1, most)
    ends = stays()
    value = torch.cat([over, below], -1).unsqueeze(1).expand(-1, len(ends), -1)
    for back in range(nodes.shape[-2]):
        lead = nodes.shape[-2] - 1 - back
        first = sum([int(stay <= lead) for stay in ends])  # stays that end before this lead
        after = value[:, first:]
        price = nodes[:, lead].view(-1, 1, 1, nodes.shape[-1])
        # A need one cell less is a step to the left; the ends stay where they are.
        charged = torch.cat([torch.full_like(after[..., :1], -1e9), after[..., :-1]], -1)
        given = torch.cat([after[..., 1:], after[..., -1:]], -1)
        sell = (price - wear_per_kwh) * one_way_eff
        traded = marginal_after_trade(
            after.unsqueeze(-1),
            price / one_way_eff,
            sell if discharges else torch.full_like(sell, -1e9),
            charged.unsqueeze(-1),
            given.unsqueeze(-1),
        )
        value = torch.cat([value[:, :first], (traded * share).sum(-1)], 1)
    return _by_share(value, surplus, cells)


def _by_share(value: Tensor, surplus: int, cells: int) -> Tensor:
    """Read the values at shares of each stay instead of hours, (I, L, J) -> (I, L, S)."""
    stay = torch.tensor(stays(), dtype=value.dtype, device=value.device).unsqueeze(-1)
    # Of the 25 points, 8 lie below a need of 0.
    steps = torch.linspace(-1.0, 1.0, 17, device=value.device)
    below = steps[:8].to(value.dtype) * surplus
    shares = torch.linspace(0.0, 1.0, 17, device=value.device)
    above = shares.to(value.dtype) * stay
    # At no stay at all, any need is beyond reach.
    above = torch.where((stay == 0) & (shares > 0), torch.full_like(above, cells), above)
    at = torch.cat([below.expand(len(stay), -1), above], -1) + surplus
    at = at.clamp(0.0, cells - 1.0)
    left = at.floor().clamp(max=cells - 2.0)
    index = left.to(torch.int64).expand(len(value), -1, -1)
    low, high = value.gather(-1, index), value.gather(-1, index + 1)
    return torch.lerp(low, high, (at - left).expand_as(low))


def _fewer_bins(nodes: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Join neighbouring bins two by two: half the work, hardly another threshold."""
    weight = weights.to(nodes.dtype)
    if nodes.shape[-1] % 2:
        nodes = torch.cat([nodes, nodes[..., -1:]], -1)
        weight = torch.cat([weight, torch.zeros_like(weight[:1])])
    pairs, share = nodes.unflatten(-1, [-1, 2]), weight.unflatten(-1, [-1, 2])
    total = share.sum(-1)
    return (pairs * share).sum(-1) / total, total


def value_of_need(curve: Tensor, left_h: Tensor, need_h: Tensor, cohort: Tensor) -> Tensor:
    """Read each car's class at its stay and need, (..., N). [currency/kWh]

    Args:
        curve: `ev_value` by class, (..., C, L, S). [currency/kWh]
        left_h: From the end of the current half hour to the departure, (..., N). [h]
        need_h: Flat-out charging that is missing to the target; below 0 what is over, (..., N).
            [h]
        cohort: Class of each car, (N,) int64; -1 reads the first.
    """
    at, cell = need_place(left_h, need_h)
    row, part = stay_place(left_h)
    points, stays = curve.shape[-1], curve.shape[-2]
    first = (cohort.clamp(min=0) * stays + row) * points + cell
    flat = curve.flatten(-3)
    near = torch.lerp(flat.gather(-1, first), flat.gather(-1, first + 1), at)
    far = torch.lerp(flat.gather(-1, first + points), flat.gather(-1, first + points + 1), at)
    return torch.lerp(near, far, part)


def stay_place(left_h: Tensor) -> tuple[Tensor, Tensor]:
    """Row of the table below a stay, int64, and how far towards the next one, (..., N)."""
    # Literals, because scripts read no globals: `STAYS_H`.
    edges = torch.tensor(
        [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 16.0, 23.5],
        dtype=left_h.dtype,
        device=left_h.device,
    )
    row = (left_h.unsqueeze(-1) >= edges[1:-1]).sum(-1)
    low, high = edges[row], edges[row + 1]
    return row, ((left_h - low) / (high - low)).clamp(0.0, 1.0)


def need_place(left_h: Tensor, need_h: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the way to the next point of need, and the point below it, int64, (..., N)."""
    # A part of a half hour is bought like a whole one, as its value would else be half that of what
    # it is not: values are read in the middle of their half hour, and near the target soon there.
    read_h = need_h + torch.minimum(3.0 * need_h.clamp(min=0.0), torch.full_like(need_h, 0.25))
    share = torch.where(need_h > 0, read_h / left_h.clamp(min=1e-6), need_h / 3.0).clamp(-1.0, 1.0)
    at = torch.where(share > 0, 8.0 + share * 16.0, 8.0 + share * 8.0)
    cell = at.floor().clamp(0.0, 23.0)
    return at - cell, cell.to(torch.int64)
