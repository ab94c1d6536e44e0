"""Tidy tables of prices, CSV or Parquet, whose column names say clock, end, currency and unit.

The time column is `start_` or `end_` and a clock, with or without `interval_` or `hour_` before it:
`interval_end_nemtime`, `hour_start_cpt`, `start_utc`. The price column is `price_<currency>_mwh`,
or AEMO's `rrp` or CAISO's `lmp`; or there is a column for each European bidding zone.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.aemo import NEM_LIMITS, NEM_ZONE
from vpp_envs.signals.readers.caiso import caiso_market
from vpp_envs.signals.readers.clock import one_interval_earlier, to_utc
from vpp_envs.signals.readers.ercot import ercot_market
from vpp_envs.signals.readers.europe import day_ahead_market, is_bidding_zone
from vpp_envs.signals.readers.frame import frame_of, numbers_of, stamps_of
from vpp_envs.signals.readers.quotes import Market, Quotes, chosen, series_of
from vpp_envs.signals.table import PriceSeries

_CLOCKS = {"utc": "UTC", "nemtime": NEM_ZONE, "cpt": "America/Chicago"}
_TIME = re.compile(rf"(?:interval_|hour_)?(start|end)_({'|'.join(_CLOCKS)})")
_PRICE = re.compile(r"price_[a-z]{3}_mwh|rrp|lmp")
_REGIONS = ("region", "settlement_point", "location")
_REPEATED = "repeated_hour"


class _Layout(NamedTuple):
    time: str  # column
    end: bool  # whether stamps end their interval
    clock: str
    price: str | None  # column; none: one for each bidding zone
    region: str | None  # column; none: the file has one region and does not say which


def is_tidy(columns: Iterable[str]) -> bool:
    """Whether a table's columns are those of a tidy table of prices."""
    return _layout(list(columns)) is not None


def read_tidy(name: str, raw: bytes, market: str | None, hold_gaps: bool) -> PriceSeries:
    """Read the prices of one region.

    Args:
        name: File name for sentences.
        raw: Bytes of the file.
        market: Region, bidding zone, node or settlement point; None takes the only one.
        hold_gaps: As in `quotes.series_of`.

    Raises:
        InputError: The file lacks the region or does not say it, or as `quotes.series_of`.
    """
    frame = frame_of(name, raw)
    layout = _layout(list(frame.columns))
    if layout is None:
        raise InputError(f"{name} is no tidy table of prices.")
    region, column = _region(name, frame, layout, market)
    if layout.region is not None:
        frame = frame[frame[layout.region] == region]
    row = frame.index.to_numpy()
    start = _starts(name, frame, layout)
    second = frame[_REPEATED].to_numpy(bool) if _REPEATED in frame else None
    price = numbers_of(name, frame[column])
    quotes = Quotes(name, row, to_utc(name, start, _CLOCKS[layout.clock], row, second), price)
    return series_of(quotes, raw, _market(region, layout), hold_gaps)


def _layout(columns: list[str]) -> _Layout | None:
    times = [found for found in map(_TIME.fullmatch, columns) if found]
    if len(times) != 1:
        return None
    prices = [column for column in columns if _PRICE.fullmatch(column)]
    zones = [column for column in columns if is_bidding_zone(column)]
    if len(prices) != 1 and not zones:
        return None
    region = next((column for column in _REGIONS if column in columns), None)
    end, clock = times[0].groups()
    return _Layout(times[0][0], end == "end", clock, prices[0] if prices else None, region)


def _region(name: str, frame: pd.DataFrame, layout: _Layout, market: str | None) -> tuple[str, str]:
    """Region that is wanted and the column of its prices."""
    if layout.price is None:
        zone = chosen(
            name, [str(column) for column in frame if is_bidding_zone(str(column))], market
        )
        return zone, zone
    if layout.region is not None:
        regions = [str(region) for region in pd.unique(frame[layout.region])]
        return chosen(name, regions, market, layout.region.replace("_", " ")), layout.price
    if market is None:
        raise InputError(f"{name} does not say whose prices it holds; name it by market.region.")
    return market, layout.price


def _starts(name: str, frame: pd.DataFrame, layout: _Layout) -> np.ndarray:
    """Local starts of the intervals, (R,) datetime64[s]."""
    column = frame[layout.time]
    if pd.api.types.is_datetime64_any_dtype(column):
        stamps = column.to_numpy().astype("datetime64[s]")
    else:
        stamps = stamps_of(name, column, ("%Y-%m-%d %H:%M:%S",), "2018-01-31 14:00:00")
    return one_interval_earlier(stamps) if layout.end else stamps


def _market(region: str, layout: _Layout) -> Market:
    if layout.clock == "nemtime":
        return Market(region, "AUD", NEM_ZONE, NEM_LIMITS, real_time=True)
    if layout.clock == "cpt":
        return ercot_market(region)
    if layout.price == "lmp":
        return caiso_market(region, real_time=True)
    return day_ahead_market(region)
