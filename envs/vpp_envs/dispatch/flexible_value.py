"""What a kWh drawn now is worth to a flexible load: to one that leaks, and to one with a deadline.

Both are the water value of a store that never gives back. A tank or a house drains whether or not
anybody draws, so that it must buy again and again; a job waits for its cheapest hour until none is
left. A kWh is worth the price that it saves later.
"""

import torch
from torch import Tensor

from vpp_envs.dispatch.water_value import levelled, narrowed

FLEXIBLE_POINTS = 17  # of a value curve over fill


def leaking_value(
    nodes_per_kwh: Tensor,
    weights: Tensor,
    full_h: float,
    drain: Tensor,
    decay_per_h: float,
    lead_h: float,
) -> Tensor:
    """Tabulate the value of a kWh drawn now by a thermal store, at the end of the half hour.

    Fill is counted in what the device draws at full power: that fills the store in ``full_h``.
    While it drains, it needs ``drain`` of its power merely to stay where it is. With the store at
    an edge of its band the price is paid now, whatever it is; else a kWh saves the lower of the
    price now and its value later, ``q = E[max(min(price, q'(f down)), q'(f up))]``, less what leaks
    away until then. Only 0.8 of each lead's spread is drawn, as in `water_value`.

    Args:
        nodes_per_kwh: Forecast price of each lead by probability bin, (..., H, Q). [currency/kWh]
        weights: Probability of each bin, (Q,).
        full_h: From empty to full at rated power, if nothing drained. [h]
        drain: Share of rated power that holds the store where it is, (..., H) or (H,). [0 to 1]
        decay_per_h: Share of what is stored that leaks away in an hour. [1/h]
        lead_h: Length of a lead. [h]

    Returns:
        Value per AC kWh, falling with fill, (..., F). [currency/kWh]
    """
    points = 17  # FLEXIBLE_POINTS
    nodes = narrowed(nodes_per_kwh, weights)
    mean = (nodes_per_kwh * weights).sum(-1)
    kept = float(torch.exp(torch.tensor(-decay_per_h * lead_h)))
    fill = torch.linspace(0.0, 1.0, points, dtype=nodes.dtype, device=nodes.device)
    curve = mean.mean(-1, keepdim=True) * kept * torch.ones_like(fill)
    drain = drain.to(nodes.dtype).expand(mean.shape)
    for back in range(nodes.shape[-2]):
        lead = nodes.shape[-2] - 1 - back
        fall = (drain[..., lead] * (lead_h / full_h)).unsqueeze(-1)
        idle_at, full_at = fill - fall, fill - fall + lead_h / full_h
        if_idle = _at(curve, idle_at, 1e9, -1e9).unsqueeze(-1)
        if_full = _at(curve, full_at, 1e9, -1e9).unsqueeze(-1)
        price = nodes[..., lead, :].unsqueeze(-2)
        # What is bought in any case at an edge is bought at the price of now.
        saved = torch.maximum(torch.minimum(price, if_idle), if_full)
        curve = kept * (saved * weights).sum(-1)
    return levelled(curve, 0.375 * lead_h / full_h)


def _at(curve: Tensor, fill: Tensor, below: float, above: float) -> Tensor:
    """Read a curve at fills of each row; outside the band it is what is given, (..., F)."""
    points = curve.shape[-1]
    at = (fill.clamp(0.0, 1.0) * (points - 1)).expand_as(curve)
    cell = at.floor().clamp(max=points - 2.0)
    left = cell.to(torch.int64)
    value = torch.lerp(curve.gather(-1, left), curve.gather(-1, left + 1), at - cell)
    value = torch.where(fill < -1e-6, torch.full_like(value, below), value)
    return torch.where(fill > 1.0 + 1e-6, torch.full_like(value, above), value)


def waiting_value(
    nodes_per_kwh: Tensor, weights: Tensor, job_h: float, slack_h: float, lead_h: float
) -> Tensor:
    """Tabulate the price at which a waiting job starts, by the slack that it has left.

    Optimal stopping: a job that may wait for one more half hour starts if the mean price over its
    run is below what waiting is expected to cost, ``V(s) = E[min(cost now, V(s - 1))]``. Without
    slack it must start, and a kWh is worth any price. Only 0.8 of each lead's spread is drawn.

    Args:
        nodes_per_kwh: Forecast price of each lead by probability bin, (..., H, Q). [currency/kWh]
        weights: Probability of each bin, (Q,).
        job_h: How long the job runs. [h]
        slack_h: Slack at the last point of the curve. [h]
        lead_h: Length of a lead. [h]

    Returns:
        Start at or below this price now, falling with slack, (..., F). [currency/kWh]
    """
    points = 17  # FLEXIBLE_POINTS
    nodes = narrowed(nodes_per_kwh, weights)
    leads = nodes.shape[-2]
    # The price over the run that starts at a lead: its first half hour is drawn, the rest expected.
    mean = (nodes * weights).sum(-1)
    length = max(1, round(job_h / lead_h))
    ahead = torch.nn.functional.pad(mean, (0, length), value=0.0)
    ahead[..., leads:] = mean[..., -1:]
    run = ahead.unfold(-1, length, 1)[..., :leads, :].mean(-1)
    cost = run.unsqueeze(-1) + (nodes - mean.unsqueeze(-1)) / length
    steps = min(leads, max(1, round(slack_h / lead_h)))
    by_slack = [run[..., 0] + 1e3]  # a thousand a kWh is beyond every cap
    for slack in range(1, steps + 1):
        # Backwards from the last half hour that leaves no slack: there it starts at any price.
        wait = run[..., min(slack, leads) - 1]
        for lead in range(slack - 2, -1, -1):
            wait = (torch.minimum(cost[..., lead, :], wait.unsqueeze(-1)) * weights).sum(-1)
        # In terms of the price of now: the rest of a run that starts now is expected.
        rest = run[..., 0] * length - ahead[..., length - 1]
        by_slack.append(wait * length - rest)
    curve = torch.stack(by_slack, -1)
    at = torch.linspace(0.0, float(steps), points, dtype=curve.dtype, device=curve.device)
    cell = at.floor().clamp(max=steps - 1.0)
    left = cell.to(torch.int64)
    low, high = curve.index_select(-1, left), curve.index_select(-1, left + 1)
    # Less than a half hour of slack is still slack: only at its end the price does not matter.
    return torch.where(
        at < 1e-9, low, torch.where(cell < 1.0, high, torch.lerp(low, high, at - cell))
    )
