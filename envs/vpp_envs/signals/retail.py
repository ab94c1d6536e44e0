"""A market as a customer behind a retail tariff meets it: two prices, one for each direction."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.forecast.protocol import LEADS
from vpp_envs.markets.tariff import Tariff, tariff_prices
from vpp_envs.signals.market import DT_S, TICKS_PER_ISSUE, MarketSignals, trailing_day


@dataclass(frozen=True)
class Retail:
    """Signals of a market with a tariff in front of it."""

    market: MarketSignals  # with the import price for its price, and forecasts of it
    export_per_kwh: Tensor  # what an exported kWh earns, (T,) float64 [currency/kWh]
    export_leads_per_kwh: Tensor  # likewise by issue and lead, (I, H) float32


def retail_signals(market: MarketSignals, tariff: Tariff) -> Retail:
    """Put a tariff in front of a market.

    What the tariff fixes is known ahead; what it passes through is as uncertain as the wholesale
    forecast.

    Args:
        market: Wholesale signals.
        tariff: Prices of the customer.

    Raises:
        InputError: Tariff and market count in different currencies.
    """
    if tariff.currency != market.currency:
        raise InputError(
            f"the tariff '{tariff.name}' is in {tariff.currency} and the market {market.region} in "
            f"{market.currency}: choose a market of the tariff's currency, or write the tariff in "
            f"{market.currency}."
        )
    wholesale = market.price_per_mwh.double()
    ticks = len(wholesale)
    imports, exports = tariff_prices(tariff, market.start_utc, DT_S, ticks, wholesale)
    issues = len(market.forecast.nodes_per_mwh)
    ahead = issues * TICKS_PER_ISSUE + (LEADS + 1) * TICKS_PER_ISSUE
    nothing = torch.zeros(ahead, dtype=torch.float64)
    fixed = tariff_prices(tariff, market.start_utc, DT_S, ahead, nothing)
    fixed_in, fixed_out = (_by_lead(part, issues) for part in fixed)
    nodes = market.forecast.nodes_per_mwh
    import_nodes = tariff.imports.wholesale_factor * nodes + 1000.0 * fixed_in.unsqueeze(-1)
    mean = (nodes * market.forecast.weights).sum(-1) / 1000.0
    export_leads = tariff.exports.wholesale_factor * mean + fixed_out
    price = imports * 1000.0
    day_mean, day_std = trailing_day(price)
    return Retail(
        replace(
            market,
            source=f"{tariff.name}; {market.source}",
            price_per_mwh=price,
            day_mean_per_mwh=day_mean,
            day_std_per_mwh=day_std,
            forecast=market.forecast._replace(nodes_per_mwh=import_nodes.to(nodes.dtype)),
            price_scale=_typical_per_mwh(tariff, market.price_scale),
            model=None,
            factors=None,
        ),
        exports,
        export_leads.float(),
    )


def _typical_per_mwh(tariff: Tariff, wholesale_per_mwh: float) -> float:
    """Median |import price| over the weekdays of a year at a typical wholesale price.

    The same in every split, so that what is seen means the same there.
    """
    fixed_per_mwh = 1000.0 * tariff.imports.per_kwh[:, 0]
    price = tariff.imports.wholesale_factor * wholesale_per_mwh + fixed_per_mwh
    return float(np.median(np.abs(price)))


def _by_lead(price: Tensor, issues: int) -> Tensor:
    """Mean price of each half hour ahead of each issue, (I, H) float32."""
    half_hours = price.reshape(-1, TICKS_PER_ISSUE).mean(-1)
    # Lead h, from 0, of issue i is half hour i + 1 + h.
    return half_hours[1:].unfold(0, LEADS, 1)[:issues].float()


def surplus_leads(solar_pu: Tensor, load_pu: Tensor, solar_kw: float, load_kw: float) -> Tensor:
    """Whether a mean home is expected to have sun left over, by issue and lead, (I, H) bool.

    As it was at the same time of the day before. An issue is made at the start of its half hour,
    so the last lead, a day after that one, is told by the half hour before.

    Args:
        solar_pu: Solar output by archetype, (T, K). [per unit of rating]
        load_pu: Base load by archetype, (T, K). [per unit of a home's mean]
        solar_kw: Mean rating. [kW]
        load_kw: Mean base load. [kW]
    """
    left_over = solar_kw * solar_pu.mean(-1) - load_kw * load_pu.mean(-1)
    half_hours = left_over[: len(left_over) // TICKS_PER_ISSUE * TICKS_PER_ISSUE]
    known = half_hours.reshape(-1, TICKS_PER_ISSUE).mean(-1) > 0
    # The first day has no day before it.
    before = torch.cat([torch.zeros(LEADS, dtype=torch.bool), known])
    day_before = before[1:].unfold(0, LEADS, 1)[: len(known), :-1]
    return torch.cat([day_before, before[LEADS - 1 : -1].unsqueeze(-1)], -1)
