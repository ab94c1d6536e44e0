"""What a kWh drawn now is worth to a job that may stop and go on at will, such as a pool pump's.

It needs some hours of those that are left, the cheapest: it runs at every price up to the one that
as large a share of the time ahead stays below. So its value falls with the share of the time left
in which it need not run.
"""

import torch
from torch import Tensor

from vpp_envs.dispatch.water_value import narrowed


def pausing_value(nodes_per_kwh: Tensor, weights: Tensor, window_h: float, lead_h: float) -> Tensor:
    """Tabulate the price at which a job that may pause runs, by the share of time it may rest.

    The curve is the distribution of prices over the window, read from its upper end; where no rest
    is left the envelope makes it run. Only 0.8 of each lead's spread is drawn, as in `water_value`.

    Args:
        nodes_per_kwh: Forecast price of each lead by probability bin, (..., H, Q). [currency/kWh]
        weights: Probability of each bin, (Q,).
        window_h: From the time when such a job typically comes to its deadline. [h]
        lead_h: Length of a lead. [h]

    Returns:
        Run at or below this price now, falling with the share, (..., F). [currency/kWh]
    """
    points = 17  # FLEXIBLE_POINTS
    # Half up, because scripts round to a float.
    leads = max(1, min(nodes_per_kwh.shape[-2], int(window_h / lead_h + 0.5)))
    nodes = narrowed(nodes_per_kwh, weights)[..., :leads, :].flatten(-2)
    chance = (weights / weights.sum() / leads).repeat(leads).expand(nodes.shape)
    price, order = nodes.sort(dim=-1)
    chance = chance.gather(-1, order)
    # Each price stands at the middle of its share of the time.
    at = chance.cumsum(-1) - 0.5 * chance
    asked = torch.linspace(1.0, 0.0, points, dtype=price.dtype, device=price.device)
    asked = asked.expand(price.shape[:-1] + (points,)).contiguous()
    right = torch.searchsorted(at.contiguous(), asked).clamp(1, max(1, price.shape[-1] - 1))
    left = right - 1
    right = right.clamp(max=price.shape[-1] - 1)
    span = (at.gather(-1, right) - at.gather(-1, left)).clamp(min=1e-9)
    share = ((asked - at.gather(-1, left)) / span).clamp(0.0, 1.0)
    return torch.lerp(price.gather(-1, left), price.gather(-1, right), share)
