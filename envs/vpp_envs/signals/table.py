"""Tidy series of grid signals with their provenance."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vpp_envs.errors import InputError


class PriceLimits(NamedTuple):
    """The least and the highest price that a market allows [currency/MWh]."""

    floor_per_mwh: float
    cap_per_mwh: float


NO_LIMITS = PriceLimits(-np.inf, np.inf)


@dataclass(frozen=True)
class PriceSeries:
    """An energy price on a regular clock; intervals are named by their start, in UTC."""

    start_utc: np.datetime64  # start of the first interval (ms)
    dt_s: int  # length of an interval [s]
    price_per_mwh: np.ndarray  # (T,) float64 [currency/MWh]
    market: str  # region or node, as the operator names it
    currency: str  # ISO 4217
    zone: str  # IANA time zone of the market's clock
    source: str  # file or generator
    sha256: str = ""  # of the file, empty for a synthetic series
    limits: PriceLimits = NO_LIMITS  # wide: what forecasts are kept within
    real_time: bool = False  # nobody knows a price before its interval

    @property
    def stamps_utc(self) -> np.ndarray:
        """Start of each interval, (T,) datetime64[ms]."""
        step = np.timedelta64(self.dt_s * 1000, "ms")
        stamps: np.ndarray = self.start_utc.astype("datetime64[ms]") + step * np.arange(
            len(self.price_per_mwh)
        )
        return stamps


def to_five_minutes(series: PriceSeries) -> PriceSeries:
    """Repeat each price of a coarser series on the five-minute clock; `source` names it.

    Args:
        series: Prices at `dt_s` 300 or a multiple of it, e.g. 900, 1800 or 3600 s.

    Raises:
        InputError: The interval is not a multiple of five minutes.
    """
    times, rest = divmod(series.dt_s, 300)
    if times == 1 and not rest:
        return series
    if rest or not times:
        raise InputError(
            f"{series.source}: intervals of {series.dt_s} s do not divide into 5 minutes; "
            "expected a multiple of 300 s."
        )
    price = np.repeat(series.price_per_mwh, times)
    source = f"{series.source} (each {series.dt_s // 60}-minute price repeated {times} times)"
    return replace(series, dt_s=300, price_per_mwh=price, source=source)
