"""Forecast of a market whose prices are published a day ahead.

Every price of the local day is known in it, and from a fixed time of day on every price of the
next. Beyond what is published it is the seasonal forecast of `vpp_envs.forecast.naive`, made from
all that is published.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.forecast.naive import half_hour_means, seasonal_decayed
from vpp_envs.forecast.protocol import LEADS, PriceForecast
from vpp_envs.signals.readers.aemo import NEM_LIMITS
from vpp_envs.signals.table import PriceLimits

_HALF_HOUR = np.timedelta64(1800, "s")


def day_ahead(
    price_per_mwh: Tensor, issues: Tensor, published: Tensor, limits: PriceLimits = NEM_LIMITS
) -> PriceForecast:
    """Forecast from published prices: exactly where they reach, by the season beyond.

    Args:
        price_per_mwh: Five-minute prices, (T,), T a multiple of 6; what is not yet published at
            the last issue is not read.
        issues: Half hours at whose start a forecast is made, (I,) int64.
        published: Half hours whose prices are known at each issue, counted from the start of the
            series, more than the issue itself, (I,) int64; see `published_half_hours`.
        limits: Floor and cap of the market.

    Returns:
        The forecasts, float32; where a price is known, every node is that price.

    Raises:
        InputError: The prices are not whole half hours of finite numbers.
    """
    half_hours = half_hour_means(price_per_mwh)
    known_until = published.clamp(max=len(half_hours))
    # A forecast issued at the last published half hour knows all that is published: its lead 0 is
    # the first half hour that is not.
    last, row = (known_until - 1).unique(return_inverse=True)
    beyond = seasonal_decayed(price_per_mwh, last, limits)
    target = issues.unsqueeze(-1) + 1 + torch.arange(LEADS)
    lead = target - known_until.unsqueeze(-1)
    told = half_hours[target.clamp(max=len(half_hours) - 1)].float().unsqueeze(-1)
    nodes = beyond.nodes_per_mwh[row.unsqueeze(-1), lead.clamp(min=0)]
    return PriceForecast(torch.where((lead < 0).unsqueeze(-1), told, nodes), beyond.weights)


def published_half_hours(
    start_utc: np.datetime64, count: int, zone: str, published_h: float
) -> Tensor:
    """Number of half hours from the start whose prices are known at each, (count,) int64.

    Days of 23 and 25 hours have their own number of half hours.

    Args:
        start_utc: Start of the first half hour.
        count: Number of half hours.
        zone: IANA zone of the market's days.
        published_h: Local hour of the day from which on tomorrow's prices are known. [h]
    """
    stamps = start_utc.astype("datetime64[s]") + _HALF_HOUR * np.arange(count)
    wall = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    first_date, last_date = wall[0].normalize(), wall[-1].normalize()
    dates = pd.date_range(first_date, last_date + pd.Timedelta(days=2), freq="D")
    midnights = dates.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    utc = midnights.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]")
    day = (wall.normalize() - first_date).days.to_numpy()
    tomorrow_known = wall.hour.to_numpy() + wall.minute.to_numpy() / 60.0 >= published_h
    until = utc[day + 1 + tomorrow_known]
    return torch.from_numpy(((until - stamps[0]) // _HALF_HOUR).astype(np.int64))
