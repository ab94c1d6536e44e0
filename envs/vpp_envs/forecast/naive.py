"""Causal forecasts of recorded prices from their own past, and the oracle that is not causal.

All take five-minute prices from the start of a half hour on and make issue i from the ticks up to
and including 6 i. Half hours of the same time of day are 48 apart, which holds for markets whose
clock does not change, such as Australia's. Where it does, the days before a change stand one hour
off in the seasons of the days after it, until they have left the history, at most 28 days twice a
year.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.forecast.protocol import LEADS, NODE_WEIGHTS, PriceForecast
from vpp_envs.signals.readers.aemo import NEM_LIMITS
from vpp_envs.signals.table import PriceLimits

Forecaster = Callable[[Tensor, Tensor | None, PriceLimits], PriceForecast]

_TICKS = 6  # five-minute ticks of a half hour
_DAY = 48  # half hours of a day
_LEAST_DAYS = 2  # of history before the seasonal forecasters leave persistence
_ERROR_DAYS = 14
_SEASONAL_DAYS = 14

# Tuned on SA1, VIC1 and NSW1, November 2021 to May 2022, by CRPS below 300 $/MWh and by the value
# that a two-hour battery earns on the forecast. A single rate (0.93, after the winner of the
# CityLearn Challenge 2023) earned less: a spike is over within hours, a dear day lasts until night.
_DECAYED_DAYS = 28
_HALF_LIFE_DAYS = 7.0  # of the weight of a past day
_ALPHA_FAST = 0.9  # per half hour
_ALPHA_SLOW = 0.97
_SLOW_MEMORY = 24.0  # half hours
_MOST_DEVIATION = 1.0  # a spike tells that prices are high, not how high they will be
_ASINH_SCALE_PER_MWH = 100.0


class _Season(NamedTuple):
    """Past prices at the time of day of each half hour, rising along K."""

    price: Tensor  # (J, K)
    share: Tensor  # of probability, sums to 1 along K, (J, K)


def persistence(
    price_per_mwh: Tensor, issues: Tensor | None = None, limits: PriceLimits = NEM_LIMITS
) -> PriceForecast:
    """Forecast the mean of the last 30 minutes, spread by the errors that this made before.

    The errors are those at the same lead in the 14 days before the issue's day.

    Args:
        price_per_mwh: Five-minute prices, (T,), T a multiple of 6.
        issues: Half hours at whose start a forecast is made, (I,) int64; none: all T / 6.
        limits: Floor and cap of the market.

    Returns:
        The forecasts, float32.

    Raises:
        InputError: The prices are not whole half hours of finite numbers.
    """
    half_hours = half_hour_means(price_per_mwh)
    issues = _or_all(issues, half_hours)
    level = _last_ticks(price_per_mwh).mean(-1)
    window = _ERROR_DAYS * _DAY
    nodes = []
    for lead in range(LEADS):
        error = half_hours[lead + 1 :] - level[: max(len(level) - lead - 1, 0)]
        # Row d holds the errors made at the `window` half hours before half hour 48 d.
        unknown = torch.full((window + lead + 1,), torch.inf, dtype=torch.float64)
        by_target = torch.cat([unknown, error])[: window + len(half_hours)]
        rows = by_target.unfold(0, window, _DAY)
        spread = bin_means(torch.where(rows.isfinite(), rows, 0.0), rows.isfinite().double())
        nodes.append(level[issues].unsqueeze(-1) + spread[issues // _DAY])
    return _forecast(nodes, limits)


def seasonal_naive(
    price_per_mwh: Tensor, issues: Tensor | None = None, limits: PriceLimits = NEM_LIMITS
) -> PriceForecast:
    """Forecast the prices at the same time of day of the last 14 days, all equally likely.

    Arguments, result and errors are those of `persistence`, which serves the first two days.
    """
    half_hours = half_hour_means(price_per_mwh)
    issues = _or_all(issues, half_hours)
    weight = torch.ones(_SEASONAL_DAYS, dtype=torch.float64)
    by_target = [bin_means(*season) for season in _seasons(half_hours, weight)]
    nodes = [by_target[lead == LEADS - 1][issues + 1 + lead] for lead in range(LEADS)]
    return _warmed_up(_forecast(nodes, limits), price_per_mwh, issues, limits)


def seasonal_decayed(
    price_per_mwh: Tensor, issues: Tensor | None = None, limits: PriceLimits = NEM_LIMITS
) -> PriceForecast:
    """Forecast the same time of day of the last 28 days, shifted by the deviation seen last.

    In asinh space, where a spike is no outlier, the deviation of the last 30 minutes from the
    season splits into a slow part (its mean over the last day) and a fast rest. Both decay with
    the lead, and what they explain narrows the season's spread. Near days weigh more.

    Arguments, result and errors are those of `persistence`, which serves the first two days.
    """
    half_hours = half_hour_means(price_per_mwh)
    issues = _or_all(issues, half_hours)
    age_days = torch.arange(1, _DECAYED_DAYS + 1, dtype=torch.float64)
    seasons = _seasons(half_hours, 0.5 ** (age_days / _HALF_LIFE_DAYS))
    fast, slow = _deviations(price_per_mwh, seasons[0])
    nodes = []
    for season, leads in zip(seasons, (range(LEADS - 1), [LEADS - 1]), strict=True):
        score = _score(season.price)
        centre = (score * season.share).sum(-1, keepdim=True)
        in_bin = _share_of_bin(season.share)
        for lead in leads:
            target = issues + 1 + lead
            fast_left, slow_left = _ALPHA_FAST ** (lead + 1), _ALPHA_SLOW ** (lead + 1)
            # The correlation with the deviation at the lead, if both parts vary alike.
            explained = 0.5 * (fast_left + slow_left)
            spread = (1.0 - explained**2) ** 0.5 * (score - centre)[target]
            shift = (fast_left * fast + slow_left * slow)[issues].unsqueeze(-1)
            likely = _ASINH_SCALE_PER_MWH * (centre[target] + shift + spread).sinh()
            nodes.append(_bin_means(likely.clamp(*limits), in_bin[target]))
    return _warmed_up(_forecast(nodes, limits), price_per_mwh, issues, limits)


def oracle(
    price_per_mwh: Tensor, issues: Tensor | None = None, limits: PriceLimits = NEM_LIMITS
) -> PriceForecast:
    """Tell the future: every node is the mean price that the half hour will have.

    Beyond the end of the series its last day repeats. Arguments, result and errors are those of
    `persistence`.
    """
    half_hours = half_hour_means(price_per_mwh)
    issues = _or_all(issues, half_hours)
    last_day = torch.arange(_DAY + 1) - _DAY  # the longest lead of the last issue is a day ahead
    beyond = half_hours[(len(half_hours) + last_day).clamp(min=0, max=len(half_hours) - 1)]
    future = torch.cat([half_hours, beyond])
    nodes = [future[issues + 1 + lead].unsqueeze(-1) for lead in range(LEADS)]
    return _forecast([node.expand(-1, len(NODE_WEIGHTS)) for node in nodes], limits)


FORECASTERS: dict[str, Forecaster] = {
    "persistence": persistence,
    "seasonal_naive": seasonal_naive,
    "seasonal_decayed": seasonal_decayed,
    "oracle": oracle,
}


def bin_means(price: Tensor, weight: Tensor) -> Tensor:
    """Mean of a weighted sample within each bin of probability of a forecast.

    The mass of a price that straddles bins is split, so that the node-weighted mean is the mean
    of the sample.

    Args:
        price: Sample, any order, (..., K).
        weight: Of each price, at least 0, (..., K); all 0 counts as all equal.

    Returns:
        Nodes, rising along Q, (..., Q) float64.
    """
    price, order = price.double().sort(-1)
    weight = weight.double().gather(-1, order)
    weight = torch.where(weight.sum(-1, keepdim=True) > 0, weight, 1.0)
    return _bin_means(price, _share_of_bin(weight / weight.sum(-1, keepdim=True)))


def half_hour_means(price_per_mwh: Tensor) -> Tensor:
    """Mean price of each half hour, (T / 6,) float64.

    Args:
        price_per_mwh: Five-minute prices, (T,).

    Raises:
        InputError: The prices are not whole half hours of finite numbers.
    """
    if price_per_mwh.ndim != 1 or len(price_per_mwh) == 0 or len(price_per_mwh) % _TICKS:
        raise InputError(
            f"a forecast needs whole half hours of five-minute prices, a multiple of {_TICKS}; "
            f"got the shape {tuple(price_per_mwh.shape)}."
        )
    if not price_per_mwh.isfinite().all():
        tick = int(price_per_mwh.isfinite().logical_not().nonzero()[0])
        raise InputError(f"the price of tick {tick} is not a finite number; mend the series.")
    return price_per_mwh.double().view(-1, _TICKS).mean(-1)


def _share_of_bin(share: Tensor) -> Tensor:
    """Part that each of the sorted prices has in the mean of each bin, (..., K, Q).

    Args:
        share: Probability of each price, sums to 1 along K, (..., K).
    """
    width = torch.tensor(NODE_WEIGHTS, dtype=torch.float64)
    edge = torch.cat([torch.zeros(1, dtype=torch.float64), width.cumsum(0)])
    above = share.cumsum(-1)
    below = torch.cat([torch.zeros_like(above[..., :1]), above[..., :-1]], -1)
    low = torch.maximum(below.unsqueeze(-1), edge[:-1])
    mass = (torch.minimum(above.unsqueeze(-1), edge[1:]) - low).clamp(min=0.0)
    # Rounding leaves the edges a few 1e-16 apart: divide by the mass found, not by the width.
    return mass / mass.sum(-2, keepdim=True)


def _bin_means(price: Tensor, share_of_bin: Tensor) -> Tensor:
    """Bin means, (..., Q), of sorted prices, (..., K)."""
    return (price.unsqueeze(-2) @ share_of_bin).squeeze(-2)


def _or_all(issues: Tensor | None, half_hours: Tensor) -> Tensor:
    return torch.arange(len(half_hours)) if issues is None else issues


def _last_ticks(price_per_mwh: Tensor) -> Tensor:
    """The six latest prices known at each issue, its own interval's among them, (J, 6)."""
    price = price_per_mwh.double()
    return torch.cat([price[:1].expand(_TICKS - 1), price]).unfold(0, _TICKS, _TICKS)


def _seasons(half_hours: Tensor, weight: Tensor) -> tuple[_Season, _Season]:
    """History of each half hour from the day before on, and for the longest lead a day older.

    The longest lead is the half hour of the day that is running at the issue: its price of today
    is not yet known.
    """
    return _season(half_hours, weight, 1), _season(half_hours, weight, 2)


def _season(half_hours: Tensor, weight: Tensor, first_day: int) -> _Season:
    """Prices 48 `first_day`, 48 (`first_day` + 1) ... half hours before each half hour."""
    target = torch.arange(len(half_hours) + LEADS + 1).unsqueeze(-1)
    source = target - _DAY * torch.arange(first_day, first_day + len(weight))
    known = (source >= 0) & (source < len(half_hours))
    price = half_hours[source.clamp(0, len(half_hours) - 1)]
    # Unknown prices sort last and weigh nothing, wherever there is any history.
    price, order = torch.where(known, price, torch.inf).sort(-1)
    weight = torch.where(known, weight, 0.0).gather(-1, order)
    weight = torch.where(known.any(-1, keepdim=True), weight, 1.0)
    return _Season(torch.where(price.isfinite(), price, 0.0), weight / weight.sum(-1, keepdim=True))


def _deviations(price_per_mwh: Tensor, season: _Season) -> tuple[Tensor, Tensor]:
    """Fast and slow part of the deviation from the season at each issue, asinh space, (J,)."""
    seen = _score(_last_ticks(price_per_mwh)).mean(-1)
    usual = (_score(season.price) * season.share).sum(-1)[: len(seen)]
    deviation = (seen - usual).clamp(-_MOST_DEVIATION, _MOST_DEVIATION)
    deviation[: _LEAST_DAYS * _DAY] = 0.0
    memory = torch.exp(-torch.arange(4 * int(_SLOW_MEMORY), dtype=torch.float64) / _SLOW_MEMORY)
    before = torch.zeros(len(memory) - 1, dtype=torch.float64)
    past = torch.cat([before, deviation]).unfold(0, len(memory), 1)
    slow = (past * (memory / memory.sum()).flip(0)).sum(-1)
    return deviation - slow, slow


def _score(price: Tensor) -> Tensor:
    """Price in asinh space: linear within some 100 $/MWh of 0, logarithmic beyond."""
    return torch.asinh(price / _ASINH_SCALE_PER_MWH)


def _warmed_up(
    forecast: PriceForecast, price_per_mwh: Tensor, issues: Tensor, limits: PriceLimits
) -> PriceForecast:
    """Let persistence make the issues of the first days, which have no season yet."""
    early = issues < _LEAST_DAYS * _DAY
    if early.any():
        start = persistence(price_per_mwh, issues[early], limits)
        forecast.nodes_per_mwh[early] = start.nodes_per_mwh
    return forecast


def _forecast(nodes: list[Tensor], limits: PriceLimits) -> PriceForecast:
    """Stack the nodes of each lead, (I, Q), within the market's limits; rising despite rounding."""
    leads = [node.clamp(*limits).cummax(-1).values.float() for node in nodes]
    return PriceForecast(torch.stack(leads, 1), torch.tensor(NODE_WEIGHTS))
