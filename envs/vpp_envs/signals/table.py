"""Tidy series of grid signals with their provenance."""

from dataclasses import dataclass

import numpy as np


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

    @property
    def stamps_utc(self) -> np.ndarray:
        """Start of each interval, (T,) datetime64[ms]."""
        step = np.timedelta64(self.dt_s * 1000, "ms")
        stamps: np.ndarray = self.start_utc.astype("datetime64[ms]") + step * np.arange(
            len(self.price_per_mwh)
        )
        return stamps
