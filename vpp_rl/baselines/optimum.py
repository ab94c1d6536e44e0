"""The non-anticipative optimum of a price-taking battery on the synthetic price process.

Stochastic dynamic programming on the process's own state: the three factors, each a Rouwenhorst
chain that keeps the mean, variance and autocorrelation of its Ornstein-Uhlenbeck law exactly,
and the usable fill. It works on marginal values, so that the decision is the same comparison of
price and value that `value_curve` dispatch makes. Seasons are taken as stationary: each
quarter's daily cycle is swept until it repeats.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vpp_envs.dispatch.water_value import marginal_after_trade, shifted
from vpp_envs.signals.synthetic.prices import PriceModel, price_of

_NODES = (13, 21, 7)  # of the slow, fast and five-minute factor
_FILL_POINTS = 77
_SWEEPS = 4  # days; the value of a day ahead is forgotten within two


@dataclass(frozen=True)
class OptimalValue:
    """Marginal values of one quarter's day, at the end of each tick, given the factors then."""

    table: Tensor  # (ticks of a day, slow, fast, five-minute, F) [currency/kWh]
    axes: tuple[Tensor, Tensor, Tensor]  # nodes of the factors

    def curve(self, tick_of_day: Tensor, factors: Tensor) -> Tensor:
        """Marginal value against fill at the end of each tick, by linear interpolation.

        Args:
            tick_of_day: (B,) int64.
            factors: Slow, fast and five-minute factor during the tick, (B, 3).

        Returns:
            (B, F) float32. [currency/kWh]
        """
        table = self.table
        corner, share = [], []
        for dim, axis in enumerate(self.axes):
            at = ((factors[:, dim] - axis[0]) / (axis[1] - axis[0])).clamp(0.0, len(axis) - 1.0)
            left = at.floor().clamp(max=len(axis) - 2).to(torch.int64)
            corner.append(left)
            share.append((at - left).to(table.dtype).unsqueeze(-1))
        curve = torch.zeros(len(tick_of_day), table.shape[-1], dtype=table.dtype)
        for bits in range(8):
            pick = [(bits >> dim) & 1 for dim in range(3)]
            weight = torch.ones_like(share[0])
            for dim in range(3):
                weight = weight * (share[dim] if pick[dim] else 1.0 - share[dim])
            node = [corner[dim] + pick[dim] for dim in range(3)]
            curve = curve + weight * table[tick_of_day, node[0], node[1], node[2]]
        return curve


def solve_optimum(
    model: PriceModel,
    quarter: int,
    duration_h: float,
    one_way_eff: float,
    wear_per_kwh: float,
    dt_h: float,
) -> OptimalValue:
    """Sweep one quarter's day backwards until its marginal values repeat.

    Args:
        model: The market's price process.
        quarter: 1 to 4.
        duration_h: Usable energy over power, the same for charging and discharging. [h]
        one_way_eff: Square root of the round-trip efficiency.
        wear_per_kwh: Cost of wear per kWh discharged, AC. [currency/kWh]
        dt_h: Tick. [h]
    """
    chains = [
        _rouwenhorst(count, float(torch.exp(torch.tensor(-dt_h / tau_h, dtype=torch.float64))))
        for count, tau_h in zip(_NODES, model.taus_h, strict=True)
    ]
    (slow, _), (fast, _), (minutes, _) = chains
    loading = model.loadings
    g = (
        loading[0] * slow.reshape(-1, 1, 1)
        + loading[1] * fast.reshape(1, -1, 1)
        + loading[2] * minutes.reshape(1, 1, -1)
    )
    ticks = round(24.0 / dt_h)
    rows = torch.arange(24).reshape(-1, 1, 1, 1) + 24 * (quarter - 1)
    price_by_hour = (price_of(g, rows, model) / 1000.0).float().unsqueeze(-1)
    table = torch.zeros(ticks, *_NODES, _FILL_POINTS)
    up, down = one_way_eff * dt_h / duration_h, -dt_h / (duration_h * one_way_eff)
    value = torch.zeros(*_NODES, _FILL_POINTS)
    for sweep in range(_SWEEPS):
        for tick in range(ticks - 1, -1, -1):
            if sweep == _SWEEPS - 1:
                table[tick] = value
            price = price_by_hour[tick * 24 // ticks]
            before = marginal_after_trade(
                value,
                price / one_way_eff,
                (price - wear_per_kwh) * one_way_eff,
                shifted(value, up, -1e9),
                shifted(value, down, 1e9),
            )
            value = _expect(before, [matrix for _, matrix in chains])
    return OptimalValue(table, (slow, fast, minutes))


def _expect(value: Tensor, matrices: list[Tensor]) -> Tensor:
    """Expectation over one tick of all three chains, (slow, fast, minutes, F)."""
    slow, fast, minutes = matrices
    a, b, c, f = value.shape
    value = (slow @ value.reshape(a, -1)).reshape(a, b, c, f)
    value = torch.matmul(fast, value.reshape(a, b, -1)).reshape(a, b, c, f)
    return torch.matmul(minutes, value)


def _rouwenhorst(count: int, decay: float) -> tuple[Tensor, Tensor]:
    """Nodes and transition matrix of a chain with unit variance and autocorrelation `decay`.

    Kopecky and Suen 2010, "Finite state Markov-chain approximations to highly persistent
    processes", Review of Economic Dynamics 13(3).
    """
    stay = (1.0 + decay) / 2.0
    matrix = torch.tensor([[stay, 1.0 - stay], [1.0 - stay, stay]], dtype=torch.float64)
    for size in range(3, count + 1):
        grown = torch.zeros(size, size, dtype=torch.float64)
        grown[:-1, :-1] += stay * matrix
        grown[:-1, 1:] += (1.0 - stay) * matrix
        grown[1:, :-1] += (1.0 - stay) * matrix
        grown[1:, 1:] += stay * matrix
        grown[1:-1] /= 2.0
        matrix = grown
    edge = (count - 1) ** 0.5
    return torch.linspace(-edge, edge, count, dtype=torch.float64), matrix.float()
