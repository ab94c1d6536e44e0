"""Prices as a file lists them, and how they become one series on a regular clock."""

import difflib
import hashlib
from typing import NamedTuple

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.clock import text
from vpp_envs.signals.readers.files import LONGEST_FILL_S, held
from vpp_envs.signals.table import NO_LIMITS, PriceLimits, PriceSeries


class Quotes(NamedTuple):
    """The prices of one market in a file, in any order."""

    name: str  # of the file, for sentences
    row: np.ndarray  # number of each in the file, the header being row 1, (R,)
    start_utc: np.ndarray  # of the interval, (R,) datetime64[s]
    price_per_mwh: np.ndarray  # NaN where the file says that there is none, (R,) float64


class Market(NamedTuple):
    """What a publisher's prices are."""

    name: str
    currency: str
    zone: str
    limits: PriceLimits = NO_LIMITS
    real_time: bool = False


def series_of(quotes: Quotes, raw: bytes, market: Market, hold_gaps: bool) -> PriceSeries:
    """Put prices on a regular clock.

    Rows that state one interval's price twice alike count once; `source` says how many.

    Args:
        quotes: As read.
        raw: Bytes of the file, for its SHA-256.
        market: What the prices are.
        hold_gaps: Hold the last price through gaps of up to two hours, and say so in `source`.

    Raises:
        InputError: Fewer than two prices, an interval with two prices, a stamp off the clock, a
            gap, or a price that the market does not allow; the sentence names file and row.
    """
    told = np.isfinite(quotes.price_per_mwh)
    if told.sum() < 2:
        raise InputError(f"{quotes.name} has {told.sum()} prices of {market.name}; expected two.")
    _check_limits(quotes, market)
    row, start, price = quotes.row[told], quotes.start_utc[told], quotes.price_per_mwh[told]
    order = np.argsort(start, kind="stable")
    row, start, price = row[order], start[order], price[order]
    again = np.append(False, start[1:] == start[:-1])
    _check_doubles(quotes.name, row, start, price, again)
    row, start, price = row[~again], start[~again], price[~again]
    dt_s = _interval(quotes.name, start)
    _check_clock(quotes.name, row, start, dt_s)
    repeats = np.append(np.diff(start).astype(np.int64) // dt_s, 1)
    _check_gaps(quotes.name, start, repeats - 1, dt_s, market.zone, hold_gaps)
    merged = f" ({again.sum()} intervals stated twice alike)" if again.any() else ""
    return PriceSeries(
        start[0].astype("datetime64[ms]"),
        dt_s,
        np.repeat(price, repeats),
        market.name,
        market.currency,
        market.zone,
        quotes.name + merged + held(int(repeats.sum() - len(price))),
        hashlib.sha256(raw).hexdigest(),
        market.limits,
        market.real_time,
    )


def chosen(name: str, found: list[str], market: str | None, what: str = "market") -> str:
    """Return the one of a file's markets that is wanted.

    Args:
        name: File, for sentences.
        found: Markets that the file holds.
        market: The one that is wanted; None takes the only one.
        what: What the publisher calls a market.

    Raises:
        InputError: It is not among them, or none is named and there are several.
    """
    several = ", ".join(found[:20]) + (", ..." if len(found) > 20 else "")
    if market is None:
        if len(found) == 1:
            return found[0]
        raise InputError(f"{name} holds {several}; choose one {what} with market.region.")
    if market not in found:
        close = difflib.get_close_matches(market.upper(), found, n=1, cutoff=0.5)
        near = f"; did you mean '{close[0]}'?" if close else ""
        raise InputError(
            f"{name} has no {what} '{market}' but {several}{near or '; choose one of them.'}"
        )
    return market


def _check_limits(quotes: Quotes, market: Market) -> None:
    price, (floor, cap) = quotes.price_per_mwh, market.limits
    outside = (price < floor) | (price > cap)
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"{quotes.name}, row {quotes.row[row]}: a price of {price[row]:g} is outside the limits"
            f" of {market.name}, {floor:,.0f} to {cap:,.0f} {market.currency}/MWh; correct its unit"
            " or the row."
        )
    size = np.abs(price[np.isfinite(price) & (price != 0.0)])
    if np.isfinite(cap) and size.size and np.median(size) < 1.0 and size.max() <= cap / 1000.0:
        raise InputError(
            f"{quotes.name}: half of the prices are below 1 in size and none is above "
            f"{size.max():g}, which looks like {market.currency}/kWh; expected "
            f"{market.currency}/MWh, multiply by 1000."
        )


def _check_doubles(
    name: str, row: np.ndarray, start: np.ndarray, price: np.ndarray, again: np.ndarray
) -> None:
    other = again & np.append(False, price[1:] != price[:-1])
    if other.any():
        at = int(other.argmax())
        raise InputError(
            f"{name}, row {row[at]}: the interval from {text(start[at])} UTC has the price "
            f"{price[at]:g}, and {price[at - 1]:g} in row {row[at - 1]}; keep the right one."
        )


def _interval(name: str, start: np.ndarray) -> int:
    """Most frequent distance between neighbours. [s]"""
    if len(start) < 2:
        raise InputError(f"{name} has prices of one interval only; expected a series.")
    steps, counts = np.unique(np.diff(start).astype(np.int64), return_counts=True)
    return int(steps[counts.argmax()])


def _check_clock(name: str, row: np.ndarray, start: np.ndarray, dt_s: int) -> None:
    off = (start - start[0]).astype(np.int64) % dt_s != 0
    if off.any():
        at = int(off.argmax())
        raise InputError(
            f"{name}, row {row[at]}: {text(start[at])} UTC is not on the clock of {dt_s} s that "
            f"begins at {text(start[0])} UTC; one file has intervals of one length."
        )


def _check_gaps(
    name: str, start: np.ndarray, missing: np.ndarray, dt_s: int, zone: str, hold_gaps: bool
) -> None:
    bad = missing * dt_s > (LONGEST_FILL_S if hold_gaps else 0)
    if not bad.any():
        return
    at = int(bad.argmax())
    first = start[at] + np.timedelta64(dt_s, "s")
    local = pd.Timestamp(first, tz="UTC").tz_convert(zone).strftime("%Y-%m-%d %H:%M")
    fix = (
        "market.gaps=hold fills none longer than two hours, choose another file or period"
        if hold_gaps
        else "fetch the file again, or hold the price before them with market.gaps=hold"
    )
    raise InputError(
        f"{name}: intervals are missing, {missing[at]} from {text(first)} UTC ({local} in {zone}) "
        f"and {missing.sum()} in the whole file; {fix}."
    )
