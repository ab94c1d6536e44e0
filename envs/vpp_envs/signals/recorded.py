"""Recorded prices as a market: which of their days train, validate and test, and the signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.forecast.day_ahead import day_ahead, published_half_hours
from vpp_envs.forecast.naive import FORECASTERS
from vpp_envs.forecast.protocol import PriceForecast
from vpp_envs.signals.market import (
    TICKS_PER_ISSUE,
    MarketSignals,
    MarketSpec,
    assemble,
    forecaster_name,
)
from vpp_envs.signals.readers.own import PriceNotes
from vpp_envs.signals.readers.prices import read_prices
from vpp_envs.signals.table import PriceSeries, to_five_minutes

DAY_AHEAD = "day_ahead"  # the one forecaster that needs the market's clock
SPLITS = ("train", "validation", "test")
WARMUP_DAYS = 7  # of history that the forecasters have on the first training day
LEAST_DAYS = 2  # of a split: one episode
LEAST_SHARE = 0.01  # of a split


@dataclass(frozen=True)
class DayBlock:
    """Consecutive whole days of the market's clock."""

    first: date
    starts: tuple[int, ...]  # first tick of each day
    end: int  # tick after the last day

    @property
    def last(self) -> date:
        """Last day of the block."""
        return self.first + timedelta(days=len(self.starts) - 1)

    def part(self, first: int, end: int) -> "DayBlock":
        """Days number `first`, counted from 0, up to but without number `end`."""
        bounds = (*self.starts, self.end)
        return DayBlock(self.first + timedelta(days=first), self.starts[first:end], bounds[end])

    def __str__(self) -> str:
        """As a user reads it: number of days and dates."""
        return f"{len(self.starts):4d} days, {self.first} to {self.last}"


@dataclass(frozen=True)
class DaySplits:
    """How the days of a recorded series are used; no day is in two splits."""

    source: str
    market: str
    days: DayBlock  # all whole days of the series
    train: DayBlock
    validation: DayBlock
    test: DayBlock

    def of(self, split: str) -> DayBlock:
        """Days of a split: "train", "validation" or "test"."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]

    def describe(self) -> list[str]:
        """Lines to show to a user: dates and number of days of the series and of each split."""
        first = min(self.of(split).starts[0] for split in SPLITS)
        history = sum(start < first for start in self.days.starts)
        lines = [f"{self.market} prices {self.days}: {self.source}"]
        if history:
            lines.append(f"  {'history':<10s} {self.days.part(0, history)}, for the forecasts only")
        return lines + [f"  {split:<10s} {self.of(split)}" for split in SPLITS]


def whole_days(series: PriceSeries) -> DayBlock:
    """Days of the market's clock, midnight to midnight, that the series holds completely.

    Days of 23 and 25 hours have their own number of ticks.

    Raises:
        InputError: The series holds no whole day, or midnight is not on its clock.
    """
    zone = ZoneInfo(series.zone)
    opening, step = _utc(series.start_utc), timedelta(seconds=series.dt_s)
    ticks = len(series.price_per_mwh)
    day = opening.astimezone(zone).date()
    bounds: list[int] = []
    while True:
        since = datetime.combine(day, time(), zone) - opening
        if since // step > ticks:
            break
        if since % step:
            raise InputError(
                f"{series.source}: midnight of {day} in {series.zone} is not on the clock of "
                f"{series.dt_s} s; give prices that start on a whole interval."
            )
        if since >= timedelta(0):
            bounds.append(since // step)
        day += timedelta(days=1)
    if len(bounds) < 2:
        raise InputError(
            f"{series.source} holds no whole day of {series.market}'s clock ({series.zone}); "
            f"expected at least {WARMUP_DAYS} days of history and {3 * LEAST_DAYS} to split."
        )
    first = day - timedelta(days=len(bounds))
    return DayBlock(first, tuple(bounds[:-1]), bounds[-1])


def split_days(
    series: PriceSeries,
    train_share: float = 0.6,
    validation_share: float = 0.2,
    gap_days: int = 1,
    warmup_days: int = WARMUP_DAYS,
) -> DaySplits:
    """Split a series into three blocks of days in time order, by shares.

    Args:
        series: Recorded prices.
        train_share: Share of the days to use that train. [0 to 1]
        validation_share: Share that validates; the rest tests. [0 to 1]
        gap_days: Unused days between two splits, so that no day's weather is in both.
        warmup_days: Unused days at the start: history for the forecasts of the first training day.

    Raises:
        InputError: The shares leave nothing to test, or the series is too short; the sentence
            says how many days it has and needs.
    """
    if min(train_share, validation_share, 1.0 - train_share - validation_share) < LEAST_SHARE:
        raise InputError(
            f"market.train_share={train_share:g} and market.validation_share={validation_share:g} "
            f"must leave at least {LEAST_SHARE:g} of the days to each split, the rest being test."
        )
    days = whole_days(series)
    unused = warmup_days + 2 * gap_days
    counts = _counts(len(days.starts) - unused, train_share, validation_share)
    if min(counts) < LEAST_DAYS:
        usable = len(days.starts) - unused
        while min(_counts(usable, train_share, validation_share)) < LEAST_DAYS:
            usable += 1
        raise InputError(
            f"{series.source} has {len(days.starts)} whole days and {usable + unused} are needed: "
            f"{warmup_days} of history, {2 * gap_days} between the splits and {usable} to split "
            f"into at least {LEAST_DAYS} each; join more files or change the shares."
        )
    train, validation, test = counts
    opening = warmup_days
    validating = opening + train + gap_days
    testing = validating + validation + gap_days
    return DaySplits(
        series.source,
        series.market,
        days,
        days.part(opening, opening + train),
        days.part(validating, validating + validation),
        days.part(testing, testing + test),
    )


def split_by_dates(
    series: PriceSeries,
    train: Sequence[str],
    validation: Sequence[str],
    test: Sequence[str],
) -> DaySplits:
    """Split a series by dates of the market's clock.

    Args:
        series: Recorded prices.
        train: First and last day, both included, e.g. ("2021-10-01", "2022-06-30").
        validation: Likewise.
        test: Likewise.

    Raises:
        InputError: A date cannot be read, is not in the series, or is in two splits.
    """
    days = whole_days(series)
    blocks = {
        split: _dated(series, days, split, dates)
        for split, dates in zip(SPLITS, (train, validation, test), strict=True)
    }
    in_order = sorted(blocks, key=lambda split: blocks[split].first)
    for before, after in pairwise(in_order):
        if blocks[after].first <= blocks[before].last:
            raise InputError(
                f"market.{before}_dates and market.{after}_dates both hold {blocks[after].first}; "
                "a day may be in one split only."
            )
    return DaySplits(series.source, series.market, days, **blocks)


def recorded_prices(spec: MarketSpec) -> PriceSeries:
    """Read the prices that a market names, on the five-minute clock.

    Raises:
        InputError: The files cannot be read as one series of the market's region.
    """
    if spec.prices is None:
        raise InputError("market.prices names no file; give one of recorded prices.")
    notes = PriceNotes(
        unit=spec.prices_unit,
        currency=spec.prices_currency,
        column=spec.prices_column,
        time_column=spec.prices_time_column,
        zone=spec.prices_zone,
        stamp=spec.prices_stamp,
        market_zone=spec.zone,
        typical_per_mwh=spec.prices_typical_per_mwh,
        floor_per_mwh=spec.prices_floor_per_mwh,
        cap_per_mwh=spec.prices_cap_per_mwh,
    )
    return to_five_minutes(read_prices(spec.prices, spec.region, spec.gaps == "hold", notes))


def recorded_splits(spec: MarketSpec, series: PriceSeries) -> DaySplits:
    """Split recorded prices as a market says: by its dates if it has any, else by its shares.

    Raises:
        InputError: Only some of the dates are given, or as `split_days` and `split_by_dates`.
    """
    dates = (spec.train_dates, spec.validation_dates, spec.test_dates)
    given = [text.split("/") for text in dates if text is not None]
    if not given:
        return split_days(series, spec.train_share, spec.validation_share)
    if len(given) < len(SPLITS):
        missing = next(split for split, text in zip(SPLITS, dates, strict=True) if text is None)
        raise InputError(f"market.{missing}_dates is missing; give all three splits or none.")
    return split_by_dates(series, *given)


def recorded_signals(spec: MarketSpec, split: str) -> MarketSignals:
    """Build the signals of one split of recorded prices.

    They begin a day before the split where there is one, for what a controller remembers, and end
    with its last day.

    Args:
        spec: Market with `prices`.
        split: "train", "validation" or "test".

    Raises:
        InputError: As `recorded_prices` and `recorded_splits`; also an unknown forecaster.
    """
    name = forecaster_name(spec.forecaster, recorded=True)
    if name not in (*FORECASTERS, DAY_AHEAD):
        raise InputError(
            f"market.forecaster={name!r} is unknown for recorded prices; "
            f"choose one of auto, {', '.join(FORECASTERS)}, {DAY_AHEAD}."
        )
    series = recorded_prices(spec)
    splits = recorded_splits(spec, series)
    midnight, block = splits.days.starts[0], splits.of(split)
    price = torch.from_numpy(series.price_per_mwh[midnight : splits.days.end])
    train = price[splits.train.starts[0] - midnight : splits.train.end - midnight]
    earlier = (start for start in splits.days.starts if start < block.starts[0])
    opening = max(earlier, default=block.starts[0]) - midnight
    end = block.end - midnight
    issues = torch.arange(opening // TICKS_PER_ISSUE, end // TICKS_PER_ISSUE)
    return assemble(
        region=series.market,
        currency=series.currency,
        zone=series.zone,
        source=series.source,
        sha256=series.sha256,
        start_utc=series.stamps_utc[midnight + opening],
        price_per_mwh=price[opening:end],
        forecast=_forecast(name, spec, series, midnight, price, issues),
        price_scale=float(train.abs().median()),
        day_starts=torch.tensor(block.starts) - midnight - opening,
        model=None,
        factors=None,
        split_lines=tuple(splits.describe()),
    )


def _forecast(
    name: str, spec: MarketSpec, series: PriceSeries, midnight: int, price: Tensor, issues: Tensor
) -> PriceForecast:
    """Make the forecasts at some issues of the prices from a midnight of the series on."""
    if name != DAY_AHEAD:
        return FORECASTERS[name](price, issues, series.limits)
    if series.real_time:
        raise InputError(
            f"market.forecaster={DAY_AHEAD} needs prices that are published a day ahead, and "
            f"{series.source} has {series.market}'s real-time prices; leave it at auto."
        )
    half_hours, opening = len(price) // TICKS_PER_ISSUE, series.stamps_utc[midnight]
    published = published_half_hours(opening, half_hours, series.zone, spec.published_h)
    return day_ahead(price, issues, published[issues], series.limits)


def _counts(days: int, train_share: float, validation_share: float) -> tuple[int, int, int]:
    """Number of days that train, validate and test."""
    train, validation = round(train_share * days), round(validation_share * days)
    return train, validation, days - train - validation


def _dated(series: PriceSeries, days: DayBlock, split: str, dates: Sequence[str]) -> DayBlock:
    try:
        first, last = (date.fromisoformat(text.strip()) for text in dates)
    except ValueError as error:
        raise InputError(
            f"market.{split}_dates={'/'.join(dates)!r} is not a first and a last day; "
            "expected such as 2021-10-01/2022-06-30."
        ) from error
    if (last - first).days + 1 < LEAST_DAYS:
        raise InputError(
            f"market.{split}_dates from {first} to {last} must hold at least {LEAST_DAYS} days; "
            "choose a later last day."
        )
    if first < days.first or last > days.last:
        raise InputError(
            f"market.{split}_dates from {first} to {last} are not all in {series.source}, whose "
            f"whole days are {days.first} to {days.last}."
        )
    return days.part((first - days.first).days, (last - days.first).days + 1)


def _utc(stamp: np.datetime64) -> datetime:
    naive: datetime = stamp.astype("datetime64[us]").item()
    return naive.replace(tzinfo=ZoneInfo("UTC"))
