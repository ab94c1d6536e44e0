"""The exact conditional law of the synthetic price process, as a forecast.

Given the three factors at the issue, the score ``g`` of any later five-minute interval is
normal with a known mean and variance, so the mean price in each probability bin follows by
integration through the quantile map. Nobody can forecast this market better.
"""

import torch
from torch import Tensor

from vpp_envs.forecast.protocol import LEAD_H, LEADS, NODE_WEIGHTS, PriceForecast
from vpp_envs.signals.synthetic.prices import PriceModel, price_of

_POINTS_PER_BIN = 4
_TAIL_POINTS = 12  # geometric in the top bin, where the Pareto tail lives
_CHUNK = 64  # issues at once: what a core's own cache holds
_LIMIT, _GRID = 6.0, 6001  # scores that are tabulated


def exact_forecast(factors: Tensor, lead_clock_row: Tensor, model: PriceModel) -> PriceForecast:
    """Forecast from the factors at each issue.

    Args:
        factors: Slow, fast and five-minute factor at the issue, (I, 3).
        lead_clock_row: Row of the quantile map of each lead's half hour, (I, H) int64.
        model: The market's constants.

    Returns:
        The law of the five-minute price in the middle of each lead's half hour, in bins, float32.
    """
    scores, share = _bin_points()
    mean_of, spread = _transition(model)
    table = _tabulated(model)
    nodes = []
    for start in range(0, len(factors), _CHUNK):
        part = slice(start, start + _CHUNK)
        centre = factors[part].float() @ mean_of
        g = centre.unsqueeze(-1) + spread.unsqueeze(-1) * scores
        nodes.append(_read(table, g, lead_clock_row[part].unsqueeze(-1)) @ share)
    return PriceForecast(torch.cat(nodes), torch.tensor(NODE_WEIGHTS))


def _tabulated(model: PriceModel) -> Tensor:
    """Price against score on a fine grid for each quarter and hour, (96, G) float32."""
    scores = torch.linspace(-_LIMIT, _LIMIT, _GRID, dtype=torch.float64)
    return price_of(scores, torch.arange(96).unsqueeze(-1), model).float()


def _read(table: Tensor, g: Tensor, row: Tensor) -> Tensor:
    """Interpolate the tabulated price, shape of g."""
    at = (g.clamp(-_LIMIT, _LIMIT) + _LIMIT) * ((_GRID - 1) / (2.0 * _LIMIT))
    cell = at.to(torch.int64).clamp(max=_GRID - 2)
    flat = table.reshape(-1)
    index = row * _GRID + cell
    left = flat[index]
    return left + (at - cell) * (flat[index + 1] - left)


def _transition(model: PriceModel) -> tuple[Tensor, Tensor]:
    """Weights of the factors in the mean of g, (3, H), and its standard deviation, (H,)."""
    # The issue is at the start of a half hour; the middle of lead h lies 1.5 half hours + h later.
    lead_h = LEAD_H * (torch.arange(LEADS, dtype=torch.float64) + 1.5)
    tau_h = torch.tensor(model.taus_h, dtype=torch.float64)
    loading = torch.tensor(model.loadings, dtype=torch.float64)
    decay = torch.exp(-lead_h / tau_h.unsqueeze(-1))
    weight = loading.unsqueeze(-1) * decay
    variance = (loading.square().unsqueeze(-1) * (1.0 - decay.square())).sum(0)
    return weight.float(), variance.sqrt().float()


def _bin_points() -> tuple[Tensor, Tensor]:
    """Normal scores inside the bins, (J,), and the share of each in its bin's mean, (J, Q)."""
    points: list[float] = []
    owner: list[tuple[int, float]] = []
    low = 0.0
    for node, width in enumerate(NODE_WEIGHTS):
        if node < len(NODE_WEIGHTS) - 1:
            for k in range(_POINTS_PER_BIN):
                points.append(low + width * (k + 0.5) / _POINTS_PER_BIN)
                owner.append((node, 1.0 / _POINTS_PER_BIN))
        else:
            for k in range(_TAIL_POINTS):
                left, right = width * 0.5**k, width * 0.5 ** (k + 1)
                if k == _TAIL_POINTS - 1:
                    right = 0.0
                points.append(1.0 - 0.5 * (left + right))
                owner.append((node, (left - right) / width))
        low += width
    scores = torch.special.ndtri(torch.tensor(points, dtype=torch.float64)).float()
    share = torch.zeros(len(points), len(NODE_WEIGHTS))
    for row, (node, weight) in enumerate(owner):
        share[row, node] = weight
    return scores, share
