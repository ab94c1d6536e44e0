"""Loads of measured homes on a market's days, whatever the years of both.

Measured series are short and of other years than the prices. They are laid on the market's clock
by whole weeks and repeated: the hour of the day and the day of the week stay right, the season and
the weather do not. That makes a sensitivity, not a forecast, and `measured_lines` says so.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.market import MarketSignals
from vpp_envs.signals.readers.household import HomeSeries, read_sgsc

LEAST_COVERAGE = 0.9  # of a home's half hours; who has less is left out
_WEEK = 7 * 48  # half hours


class MeasuredLoads(NamedTuple):
    """Loads of K homes by tick, and what to tell of them."""

    load_pu: Tensor  # per unit of each home's mean, (T, K) float32
    lines: tuple[str, ...]  # for people


def measured_loads(path: str, market: MarketSignals) -> MeasuredLoads:
    """Lay measured loads on the days of a market.

    Args:
        path: Tidy half hours of Smart Grid Smart City, as `read_sgsc` reads them.
        market: Whose clock and days count.

    Raises:
        InputError: No home was measured for most of a whole number of weeks.
    """
    homes = read_sgsc(path)
    kept = [home for home in homes.values() if home.coverage >= LEAST_COVERAGE]
    weeks = len(kept[0].load_kw) // _WEEK if kept else 0
    if not weeks:
        raise InputError(
            f"{path}: no home was measured for {LEAST_COVERAGE:.0%} of at least one whole week; "
            "give a file with longer series."
        )
    local = market.local_time(torch.arange(market.clock_ticks)).tz_localize(None)
    half_hour = _half_hours(local.to_numpy())
    columns = [_laid(home, weeks * _WEEK, half_hour) for home in kept]
    load_pu = torch.from_numpy(np.stack(columns, -1).astype(np.float32))
    first = pd.Timestamp(kept[0].start_utc, tz="UTC").tz_convert(kept[0].zone)
    left_out = f", {len(homes) - len(kept)} left out" if len(kept) < len(homes) else ""
    return MeasuredLoads(
        load_pu.repeat(market.copies + 1, 1),
        (
            f"loads of {len(kept)} measured homes{left_out}: {weeks} weeks from {first:%Y-%m-%d}, "
            "shifted by whole weeks and repeated",
        ),
    )


def _half_hours(local: np.ndarray) -> np.ndarray:
    """Number of each local time's half hour since 1970, int64."""
    seconds: np.ndarray = local.astype("datetime64[s]").astype(np.int64)
    return seconds // 1800


def _laid(home: HomeSeries, period: int, half_hour: np.ndarray) -> np.ndarray:
    """A home's load at half hours of another time, per unit of its mean, (T,)."""
    start = pd.Timestamp(home.start_utc, tz="UTC").tz_convert(home.zone).tz_localize(None)
    first = int(_half_hours(np.array([start.to_datetime64()]))[0])
    load = home.load_kw[:period]
    # A silent meter drew what it usually draws at that hour of the week.
    usual = np.nanmean(load.reshape(-1, _WEEK), axis=0)
    usual = np.where(np.isnan(usual), np.nanmean(load), usual)
    whole = np.where(np.isnan(load), np.tile(usual, period // _WEEK), load)
    laid: np.ndarray = (whole / whole.mean())[(half_hour - first) % period]
    return laid
