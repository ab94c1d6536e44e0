"""Domain randomisation: further copies of the training days, in markets that might have been.

A policy that is trained on one market leans on its level, on the height of its spikes and on how
good its forecast happens to be. Copies of the training days vary the three, slowly and at random.
They are days like all others to a learner, and only to a learner: windows, validation and test
know the days as they were.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.forecast.naive import bin_means, oracle
from vpp_envs.forecast.protocol import PriceForecast
from vpp_envs.random import Purpose, uniform
from vpp_envs.signals.market import (
    TICKS_PER_DAY,
    TICKS_PER_ISSUE,
    MarketSignals,
    MarketSpec,
    trailing_day,
)

_DRIFT_TICKS = 28 * TICKS_PER_DAY  # from one draw to the next
_SPIKE_SCALES = 3.0  # times the typical price, above which a price is a spike
_CHUNK = 16  # issues at once: what a core's own cache holds

Range = tuple[float, float]


@dataclass(frozen=True)
class Randomisation:
    """How the copies differ from the days that they are copies of."""

    copies: int = 0  # of all training days
    regions: tuple[str, ...] = ()  # whose prices the copies take in turn; none: the market's own
    price_level: Range = (0.5, 2.0)  # factor of all prices
    spikes: Range = (0.5, 2.0)  # factor of what a price has above three times the typical one
    # Share of the way from the forecast to one that does not know the hours of the day ahead (-1),
    # or to the prices that came (+1).
    forecast_skill: Range = (-0.5, 0.0)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no copy can be made with."""
        if self.copies < 0:
            raise InputError(f"randomisation.copies must be at least 0, got {self.copies}.")
        bounds = {
            "price_level": (1e-3, 1e3),
            "spikes": (1e-3, 1e3),
            "forecast_skill": (-1.0, 1.0),
        }
        for name, (least, most) in bounds.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise InputError(
                    f"randomisation.{name} must be a low and a high end from {least:g} to "
                    f"{most:g}, got [{low:g}, {high:g}]."
                )

    def __str__(self) -> str:
        """As a user reads it."""
        ranges = {
            "price level": self.price_level,
            "spikes": self.spikes,
            "forecast skill": self.forecast_skill,
        }
        told = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in ranges.items())
        regions = f" with prices of {', '.join(self.regions)}" if self.regions else ""
        return f"train has {self.copies} randomised copies of its days{regions}: {told}"


class Variation(NamedTuple):
    """What a copy varies, by tick, (T,) float64."""

    level: Tensor  # factor of prices
    spikes: Tensor  # factor of what spikes have above other prices
    skill: Tensor  # of the forecast [-1 to 1]


def variation(spec: Randomisation, copy: int, ticks: int) -> Variation:
    """Draw what a copy varies: anew every four weeks, with a straight line between.

    Args:
        spec: Ranges and seed. Factors are uniform in their logarithm.
        copy: Number of the copy, from 1.
        ticks: Length of the copy.
    """

    def drift(span: Range, purpose: int) -> Tensor:
        knots = torch.arange(ticks // _DRIFT_TICKS + 2)
        draws = span[0] + (span[1] - span[0]) * uniform(spec.seed, copy, 0, knots, purpose)
        at = torch.arange(ticks, dtype=torch.float64) / _DRIFT_TICKS
        before = at.to(torch.int64)
        return torch.lerp(draws[before], draws[before + 1], at - before)

    def factor(span: Range, purpose: int) -> Tensor:
        return drift((math.log(span[0]), math.log(span[1])), purpose).exp()

    return Variation(
        factor(spec.price_level, Purpose.RANDOM_PRICE_LEVEL),
        factor(spec.spikes, Purpose.RANDOM_SPIKES),
        drift(spec.forecast_skill, Purpose.RANDOM_FORECAST_SKILL),
    )


def varied(market: MarketSignals, variation: Variation, price_scale: float) -> MarketSignals:
    """Vary a market: its clock stays, its prices and their forecast change.

    What is done to a price at a tick depends on that price alone, and what is done to a forecast on
    itself, so that a copy is as causal as its original, but where the skill is above 0: then the
    forecast knows something of the prices that come, as a better forecaster's would.

    Args:
        market: Signals of the training days, of this market or of another of the same clock.
        variation: By tick of these signals.
        price_scale: Typical price of the market that is trained for; another market's prices are
            brought to it, because features and rewards know one scale only. [currency/MWh]
    """
    to_scale = price_scale / market.price_scale
    factors = variation.level * to_scale, variation.spikes
    threshold = _SPIKE_SCALES * market.price_scale
    price = _varied_price(market.price_per_mwh, *factors, threshold)
    issue = torch.arange(0, len(price), TICKS_PER_ISSUE)
    nodes = _of_skill(market, variation.skill[issue])
    level, spikes = (factor[issue, None, None] for factor in factors)
    mean, std = trailing_day(price)
    return replace(
        market,
        price_per_mwh=price,
        day_mean_per_mwh=mean,
        day_std_per_mwh=std,
        forecast=PriceForecast(
            _varied_price(nodes.double(), level, spikes, threshold).float(), market.forecast.weights
        ),
    )


def with_copies(
    spec: MarketSpec,
    market: MarketSignals,
    randomisation: Randomisation,
    signals: Callable[[MarketSpec, str], MarketSignals],
) -> MarketSignals:
    """Put randomised copies of the training days behind them.

    Args:
        spec: Of the market.
        market: Signals of its training days.
        randomisation: How many copies, and how they differ.
        signals: Builds the signals of a split of another region.

    Returns:
        The market as it is, with further ticks; its days, clock and name stay.

    Raises:
        InputError: Another region's training days are not these.
    """
    if not randomisation.copies:
        return market
    regions = randomisation.regions or (spec.region,)
    sources = {region: _source(spec, market, region, signals) for region in regions}
    markets = [market]
    for number in range(1, randomisation.copies + 1):
        source = sources[regions[(number - 1) % len(regions)]]
        drawn = variation(randomisation, number, len(market.price_per_mwh))
        markets.append(varied(source, drawn, market.price_scale))
    by_tick: dict[str, Any] = {
        name: torch.cat([getattr(m, name) for m in markets])
        for name, value in vars(market).items()
        if isinstance(value, Tensor) and len(value) == len(market.price_per_mwh)
    }
    nodes = torch.cat([m.forecast.nodes_per_mwh for m in markets])
    forecast = PriceForecast(nodes, market.forecast.weights)
    return replace(
        market,
        **by_tick,
        forecast=forecast,
        copies=randomisation.copies,
        split_lines=(*market.split_lines, str(randomisation)),
    )


def _source(
    spec: MarketSpec,
    market: MarketSignals,
    region: str,
    signals: Callable[[MarketSpec, str], MarketSignals],
) -> MarketSignals:
    """Signals that copies are made from: the market's own, or another region's."""
    if region == spec.region:
        return market
    source = signals(replace(spec, region=region), "train")
    clocks = [(m.start_utc, m.zone, len(m.price_per_mwh)) for m in (market, source)]
    if clocks[0] != clocks[1]:
        raise InputError(
            f"randomisation.regions: the training days of {region} ({source.zone}) are not those "
            f"of {spec.region} ({market.zone}); name regions of the same clock and days."
        )
    return source


def _varied_price(price: Tensor, level: Tensor, spikes: Tensor, threshold: float) -> Tensor:
    """Scale prices, and what spikes have above the threshold once more; keeps their order."""
    above = (price - threshold).clamp(min=0.0)
    return level * (price - above + spikes * above)


def _of_skill(market: MarketSignals, skill: Tensor) -> Tensor:
    """Nodes of a forecast that is worse or better than the market's, (I, H, Q).

    Quantiles are averaged, not probabilities: nodes that rise stay so.
    """
    nodes, weights = market.forecast
    share = skill[:, None, None].to(nodes)
    worse = torch.cat(
        [_pooled(nodes[start : start + _CHUNK], weights) for start in range(0, len(nodes), _CHUNK)]
    )
    mixed = torch.lerp(nodes, worse, (-share).clamp(min=0.0))
    if bool((skill > 0).any()):
        came = oracle(market.price_per_mwh).nodes_per_mwh
        mixed = torch.lerp(mixed, came, share.clamp(min=0.0))
    return mixed


def _pooled(nodes: Tensor, weights: Tensor) -> Tensor:
    """One forecast for all leads of an issue: all their prices, each as likely as before."""
    likely = weights.expand(nodes.shape[1:])
    pool = bin_means(nodes.flatten(1), likely.flatten().expand(len(nodes), -1))
    return pool.to(nodes).unsqueeze(1).expand_as(nodes)
