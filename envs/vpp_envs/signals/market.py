"""The signals of a market for one split: prices, forecasts, clock and days."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.forecast.protocol import PriceForecast
from vpp_envs.signals.synthetic.prices import PriceModel

DT_S = 300
TICKS_PER_ISSUE = 6
TICKS_PER_DAY = 288
GAP_RULES = ("refuse", "hold")
# Each split of a simulated market is a path of its own on years of its own.
FIRST_DAY = {"validation": "2000-01-01", "test": "2010-01-01", "train": "2024-01-01"}


@dataclass(frozen=True)
class MarketSpec:
    """Which market, and which of its days belong to which split."""

    region: str = "SA1"
    prices: str | None = None  # file of recorded prices; none: the calibrated synthetic process
    seed: int = 0  # of the synthetic path
    train_days: int = 1460
    validation_days: int = 365
    test_days: int = 365
    # Recorded prices only: shares of the days in time order, or dates "2021-10-01/2022-06-30".
    train_share: float = 0.6
    validation_share: float = 0.2
    train_dates: str | None = None
    validation_dates: str | None = None
    test_dates: str | None = None
    forecaster: str = "auto"  # see `forecaster_name`
    published_h: float = 13.0  # forecaster day_ahead: local hour when tomorrow's prices are known
    climate: str | None = None  # region whose weather the homes have; none: the market's
    gaps: str = "refuse"  # "hold": the last price, through at most two hours
    # What a price file is, where it is no publisher's: see `vpp_envs.signals.readers.own`.
    prices_unit: str | None = None  # per_mwh, per_kwh, cents_per_kwh
    prices_currency: str | None = None  # ISO 4217
    prices_column: str | None = None
    prices_time_column: str | None = None
    prices_zone: str | None = None  # IANA zone of the stamps
    prices_stamp: str | None = None  # what a stamp names of its interval: start, end
    prices_typical_per_mwh: float | None = None  # what half of the prices are near to
    prices_floor_per_mwh: float | None = None
    prices_cap_per_mwh: float | None = None
    zone: str | None = None  # IANA zone of the market's days; none: that of the stamps

    def __post_init__(self) -> None:
        """Refuse splits without days, and rules that do not exist."""
        if self.gaps not in GAP_RULES:
            raise InputError(f"market.gaps must be {' or '.join(GAP_RULES)}, got {self.gaps!r}.")
        if not 0.0 <= self.published_h <= 24.0:
            raise InputError(
                f"market.published_h must be an hour of the day, 0 to 24, got {self.published_h:g}."
            )
        for name in ("train_days", "validation_days", "test_days"):
            if getattr(self, name) < 2:
                raise InputError(f"market.{name} must be at least 2, got {getattr(self, name)}.")
        if self.prices is not None:
            return
        for split, following in pairwise(FIRST_DAY):
            first, end = (np.datetime64(FIRST_DAY[name]) for name in (split, following))
            most = int((end - first).astype(int))
            if getattr(self, f"{split}_days") > most:
                raise InputError(
                    f"market.{split}_days must be at most {most} for a synthetic market, else "
                    f"{split} and {following} share their days' weather; "
                    f"got {getattr(self, f'{split}_days')}."
                )


@dataclass(frozen=True)
class MarketSignals:
    """Signals by tick of five minutes; tick 0 is a midnight of the market's clock."""

    region: str
    currency: str
    zone: str
    source: str
    sha256: str
    start_utc: np.datetime64
    price_per_mwh: Tensor  # (T,) float64
    day_mean_per_mwh: Tensor  # over the last 24 hours, (T,) float32
    day_std_per_mwh: Tensor  # (T,) float32
    hour: Tensor  # of the market's day, with fraction, (T,) float32
    day_of_year: Tensor  # (T,) float32
    weekend: Tensor  # (T,) float32
    quarter: Tensor  # (T,) int64
    forecast: PriceForecast
    price_scale: float  # median |price| of the training days
    day_starts: Tensor  # first ticks of the split's days, (D,) int64
    model: PriceModel | None  # of the synthetic process
    factors: Tensor | None  # of the synthetic process, (T, 3): what an optimum may know
    split_lines: tuple[str, ...]  # how the days are split, for people
    copies: int = 0  # of all ticks that follow them on the same clock, in other markets

    @property
    def clock_ticks(self) -> int:
        """Ticks without their copies."""
        return len(self.price_per_mwh) // (self.copies + 1)

    def in_every_copy(self, ticks: Tensor) -> Tensor:
        """These ticks, and the same of each copy, ((copies + 1) M,).

        Args:
            ticks: Without copies, (M,) int64.
        """
        offsets = self.clock_ticks * torch.arange(self.copies + 1)
        return (offsets.unsqueeze(-1) + ticks).flatten()

    def tick_before(self, ticks: Tensor) -> Tensor:
        """The ticks before, on the same clock; the first one is its own, (B,).

        Args:
            ticks: (B,) int64.
        """
        return ticks - (ticks % self.clock_ticks > 0).to(torch.int64)

    def local_time(self, tick: Tensor) -> pd.DatetimeIndex:
        """When ticks start on the market's clock.

        Args:
            tick: (B,) int64.
        """
        return _local_time(self.start_utc, tick.numpy() % self.clock_ticks, self.zone)


def forecaster_name(forecaster: str, recorded: bool) -> str:
    """What "auto" stands for: the exact law of a synthetic market, seasonal_decayed elsewhere.

    Args:
        forecaster: As configured.
        recorded: Whether the prices are recorded.
    """
    if forecaster != "auto":
        return forecaster
    return "seasonal_decayed" if recorded else "exact"


def assemble(
    region: str,
    currency: str,
    zone: str,
    source: str,
    sha256: str,
    start_utc: np.datetime64,
    price_per_mwh: Tensor,
    forecast: PriceForecast,
    price_scale: float,
    day_starts: Tensor,
    model: PriceModel | None,
    factors: Tensor | None,
    split_lines: tuple[str, ...],
) -> MarketSignals:
    """Complete the signals with what follows from price and clock."""
    mean, std = trailing_day(price_per_mwh)
    local = _local_time(start_utc, np.arange(len(price_per_mwh)), zone)
    hour = local.hour.to_numpy() + local.minute.to_numpy() / 60.0
    return MarketSignals(
        region=region,
        currency=currency,
        zone=zone,
        source=source,
        sha256=sha256,
        start_utc=start_utc,
        price_per_mwh=price_per_mwh,
        day_mean_per_mwh=mean,
        day_std_per_mwh=std,
        hour=torch.from_numpy(hour.astype(np.float32)),
        day_of_year=torch.from_numpy(local.day_of_year.to_numpy().astype(np.float32)),
        weekend=torch.from_numpy((local.day_of_week.to_numpy() >= 5).astype(np.float32)),
        quarter=torch.from_numpy(local.quarter.to_numpy().astype(np.int64)),
        forecast=forecast,
        price_scale=price_scale,
        day_starts=day_starts,
        model=model,
        factors=factors,
        split_lines=split_lines,
    )


def _local_time(start_utc: np.datetime64, tick: np.ndarray, zone: str) -> pd.DatetimeIndex:
    stamps = start_utc + np.timedelta64(DT_S, "s") * tick
    return pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(zone)


def trailing_day(price: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the last 24 hours up to now, (T,) float32."""
    series = pd.Series(price.numpy()).rolling(TICKS_PER_DAY, min_periods=1)
    std = series.std(ddof=0).fillna(0.0).clip(lower=0.0)
    return (
        torch.from_numpy(series.mean().to_numpy().astype(np.float32)),
        torch.from_numpy(std.to_numpy().astype(np.float32)),
    )
