"""Who stores, who gives: each device compares the price at the meter with what it holds."""

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import neutral
from vpp_envs.dispatch.moment import Moment


def traded_kw(
    buy_gain: Tensor,
    sell_gain: Tensor,
    low_kw: Tensor,
    high_kw: Tensor,
    site_kw: Tensor,
    moment: Moment,
    temperature: Tensor | None,
) -> Tensor:
    """Turn gains at the meter's import price into powers.

    On a wholesale market a device that gains by buying charges at its upper edge, one that gains
    by selling discharges at its lower. Behind a tariff the meter has two prices: sun that is left
    over costs only what its export would earn, and the home's own need is met at the price of
    import; to the edges goes what gains at the other price too.

    Args:
        buy_gain: Value of an AC kWh stored less the price of import, (..., N). [currency/kWh]
        sell_gain: Price of import less the value of an AC kWh given, (..., N). [currency/kWh]
        low_kw: Lower edges of the envelopes, (..., N). [kW]
        high_kw: Upper edges, (..., N). [kW]
        site_kw: What the home draws without the device, (..., N). [kW]
        moment: State and signals.
        temperature: None for the decision itself; a number for a smooth one for training, with
            this share of the price as its width.

    Returns:
        AC power, charging positive, (..., N). [kW]
    """
    alone_kw = neutral(low_kw, high_kw)
    export = moment.export_per_kwh
    if export is None:
        buys, sells = _shares(buy_gain, sell_gain, moment, temperature)
        if temperature is None:
            return torch.where(buys > 0.0, high_kw, torch.where(sells > 0.0, low_kw, alone_kw))
        return alone_kw + buys * (high_kw - alone_kw) + sells * (low_kw - alone_kw)
    # The steps in between: all the sun that is left over, and all that the home needs. At any
    # time a home has one of the two, and its first kWh is worth the price on that side.
    stored_kw = torch.minimum(high_kw, torch.maximum(alone_kw, -site_kw))
    covered_kw = torch.maximum(low_kw, torch.minimum(alone_kw, -site_kw.clamp(min=0.0)))
    less = moment.price_per_kwh - export
    first = torch.where(site_kw < 0.0, less, torch.zeros_like(less))
    buys, sells = _shares(buy_gain + first, sell_gain - first, moment, temperature)
    buys_on, sells_on = _shares(buy_gain, sell_gain - less, moment, temperature)
    power_kw = (
        alone_kw
        + buys * (stored_kw - alone_kw)
        + sells * (covered_kw - alone_kw)
        + torch.minimum(buys, buys_on) * (high_kw - stored_kw)
        + torch.minimum(sells, sells_on) * (low_kw - covered_kw)
    )
    return torch.minimum(torch.maximum(power_kw, low_kw), high_kw)


def _shares(
    buy_gain: Tensor, sell_gain: Tensor, moment: Moment, temperature: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Whether to buy and whether to sell, 1 or 0; between them while decisions are smooth."""
    if temperature is None:
        buys = (buy_gain > 0.0) & (buy_gain >= sell_gain)
        sells = (sell_gain > 0.0) & ~buys
        return buys.to(buy_gain.dtype), sells.to(buy_gain.dtype)
    width = temperature * (0.13 + moment.price_per_kwh.abs())
    buy, sell = torch.sigmoid(buy_gain / width), torch.sigmoid(sell_gain / width)
    return buy * (1.0 - sell), sell * (1.0 - buy)
