"""Synthetic wholesale prices: a Gaussian copula under a quantile map, with a Pareto tail.

Two Ornstein-Uhlenbeck factors (days and hours) and a third for the minutes within the half
hour drive a standard normal ``g``; its probability is read through the quantiles of the
quarter and hour, calibrated on public AEMO 2024 and ERCOT 2023/24 prices. The law of any later
price given today's factors is therefore known exactly, which gives an honest forecast
(`vpp_envs.forecast.exact`) and a computable non-anticipative optimum.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.random import Purpose, normal

# Probabilities at which the map is tabulated; above the last the tail is Pareto.
KNOTS = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
_QUANTILE_COLUMNS = ("q01", "q05", "q10", "q25", "q50", "q75", "q90", "q95", "q99")


@dataclass(frozen=True)
class PriceModel:
    """Calibrated constants of one market's price process."""

    market: str
    currency: str
    zone: str  # IANA zone of the market's clock
    slow_share: float  # share of the half-hourly variance in the slow factor
    slow_tau_h: float
    fast_tau_h: float
    tail_alpha: float  # Pareto exponent above the 99th percentile
    cap_per_mwh: float
    floor_per_mwh: float
    five_minute_share: float = 0.10  # share of the variance within the half hour
    five_minute_tau_h: float = 0.15

    @property
    def loadings(self) -> tuple[float, float, float]:
        """Weights of the slow, fast and five-minute factor in g; their squares sum to 1."""
        rest = 1.0 - self.five_minute_share
        return (
            (rest * self.slow_share) ** 0.5,
            (rest * (1.0 - self.slow_share)) ** 0.5,
            self.five_minute_share**0.5,
        )

    @property
    def taus_h(self) -> tuple[float, float, float]:
        """Time constants of the slow, fast and five-minute factor. [h]"""
        return (self.slow_tau_h, self.fast_tau_h, self.five_minute_tau_h)


# Copula fits on half-hourly data, rmse of the autocorrelation about 0.035. NEM cap of 2024-25.
_NEM = {"currency": "AUD", "cap_per_mwh": 17_500.0, "floor_per_mwh": -1_000.0}
_ERCOT = {
    "currency": "USD",
    "zone": "America/Chicago",
    "cap_per_mwh": 5_000.0,
    "floor_per_mwh": -251.0,
}
_FITS: dict[str, tuple[float, float, float, float]] = {
    "SA1": (0.45, 72.0, 4.0, 0.82),
    "VIC1": (0.50, 96.0, 4.0, 1.92),
    "NSW1": (0.50, 144.0, 2.0, 0.68),
    "QLD1": (0.45, 240.0, 2.5, 0.94),
    "ERCOT2023": (0.25, 144.0, 5.0, 1.10),
    "ERCOT2024": (0.30, 96.0, 5.0, 1.38),
}
MARKETS = tuple(_FITS)


def price_model(market: str) -> PriceModel:
    """Return the calibrated price process of a market.

    Args:
        market: One of `MARKETS`; ``ERCOT1``-style names are not known.

    Raises:
        InputError: The market has no calibration.
    """
    if market not in _FITS:
        raise InputError(
            f"market.region={market!r} has no synthetic price model; choose one of "
            f"{', '.join(MARKETS)}, or give recorded prices with market.prices=FILE."
        )
    common: dict[str, object] = dict(_ERCOT if market.startswith("ERCOT") else _NEM)
    common.setdefault("zone", "Etc/GMT-10")
    slow_share, slow_tau_h, fast_tau_h, tail_alpha = _FITS[market]
    return PriceModel(
        market=market,
        slow_share=slow_share,
        slow_tau_h=slow_tau_h,
        fast_tau_h=fast_tau_h,
        tail_alpha=tail_alpha,
        **common,  # type: ignore[arg-type]
    )


@cache
def quantile_map(market: str) -> Tensor:
    """Return prices at `KNOTS` by quarter and hour of the market's clock, (96, 10) float64.

    Row ``24 * (quarter - 1) + hour``. The price at probability 0 is 1.5 times a negative first
    percentile and 0.7 times a positive one, but not below the market's floor.
    """
    table = np.full((96, 9), np.nan)
    file = resources.files("vpp_envs.signals.synthetic") / "price_quantiles.csv"
    with file.open() as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            if row["region"] == market:
                index = 24 * (int(row["quarter"]) - 1) + int(row["hour"])
                table[index] = [float(row[name]) for name in _QUANTILE_COLUMNS]
    first = table[:, :1]
    lowest = np.where(first < 0, 1.5 * first, 0.7 * first)
    lowest = np.maximum(lowest, price_model(market).floor_per_mwh)
    return torch.from_numpy(np.concatenate([lowest, table], axis=1))


def price_of(g: Tensor, clock_row: Tensor, model: PriceModel) -> Tensor:
    """Read standard normals through the quantile map of their quarter and hour.

    Args:
        g: Standard normal score of the price, any shape.
        clock_row: Row of `quantile_map`, int64, broadcastable to g.
        model: The market's constants.

    Returns:
        Price, shape and dtype of g. [currency/MWh]
    """
    table = quantile_map(model.market).to(g)
    knots = torch.tensor(KNOTS, dtype=g.dtype, device=g.device)
    below = torch.special.ndtr(g)
    above = torch.special.ndtr(-g)
    cell = torch.bucketize(below, knots, right=True).clamp(1, len(KNOTS) - 1) - 1
    flat = table.reshape(-1)
    at = clock_row * len(KNOTS) + cell
    left, right = flat[at], flat[at + 1]
    share = (below - knots[cell]) / (knots[cell + 1] - knots[cell])
    body = left + (right - left) * share.clamp(0.0, 1.0)
    q99 = table[:, -1][clock_row]
    tail = q99 * (above.clamp(min=1e-12) / 0.01) ** (-1.0 / model.tail_alpha)
    return torch.where(below > 0.99, tail.clamp(max=model.cap_per_mwh), body)


class PricePath(NamedTuple):
    """A realised synthetic path at five-minute ticks."""

    factors: Tensor  # slow, fast and five-minute factor, (T, 3) float64
    price_per_mwh: Tensor  # (T,) float64


def simulate_prices(
    model: PriceModel, clock_row: Tensor, seed: int, episode: int, dt_h: float
) -> PricePath:
    """Simulate one path from the stationary law.

    Args:
        model: The market's constants.
        clock_row: Row of `quantile_map` of each tick, (T,) int64.
        seed: Names the path together with episode.
        episode: Names the path together with seed.
        dt_h: Tick. [h]
    """
    ticks = torch.arange(len(clock_row), dtype=torch.int64)
    purposes = (Purpose.PRICE_SLOW, Purpose.PRICE_FAST, Purpose.PRICE_FIVE_MINUTE)
    factors = torch.stack(
        [
            _ornstein_uhlenbeck(normal(seed, episode, 0, ticks, purpose), tau_h, dt_h)
            for purpose, tau_h in zip(purposes, model.taus_h, strict=True)
        ],
        dim=-1,
    )
    g = factors @ torch.tensor(model.loadings, dtype=torch.float64)
    return PricePath(factors, price_of(g, clock_row, model))


def _ornstein_uhlenbeck(noise: Tensor, tau_h: float, dt_h: float) -> Tensor:
    """Exact unit-variance OU path from standard normals, (T,), by doubling instead of a loop."""
    decay = float(np.exp(-dt_h / tau_h))
    path: Tensor = noise * float((1.0 - decay**2) ** 0.5)
    path[0] = noise[0]
    stride, weight = 1, decay
    while stride < len(path) and weight > 1e-16:
        path = torch.cat([path[:stride], path[stride:] + weight * path[:-stride]])
        stride, weight = 2 * stride, weight**2
    return path


def clock_rows(stamps_utc: np.ndarray, zone: str) -> Tensor:
    """Return the row of `quantile_map` of each stamp, (T,) int64.

    Args:
        stamps_utc: Starts of intervals, datetime64 in UTC, (T,).
        zone: The market's IANA zone.
    """
    local = pd.DatetimeIndex(stamps_utc).tz_localize("UTC").tz_convert(zone)
    row = 24 * (local.quarter.to_numpy() - 1) + local.hour.to_numpy()
    rows: Tensor = torch.from_numpy(np.asarray(row, dtype=np.int64))
    return rows
