"""Anybody's price file, CSV or Parquet: a column of stamps, a column of prices, and what they are.

Nothing is guessed: unit, currency, clock and columns are named by the configuration. A guard
compares the size of the prices with what electricity usually costs.
"""

import difflib
import re
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.clock import known_zone, one_interval_earlier, to_utc
from vpp_envs.signals.readers.frame import frame_of, numbers_of
from vpp_envs.signals.readers.quotes import Market, Quotes, series_of
from vpp_envs.signals.table import NO_LIMITS, PriceLimits, PriceSeries

UNITS = {"per_mwh": 1.0, "per_kwh": 1000.0, "cents_per_kwh": 10.0}
STAMPS = ("start", "end")
# What half of the hours of a wholesale market roughly cost, where 60 is no bad guess.
_TYPICAL_PER_MWH = 60.0
_ALIKE = ("AUD", "CAD", "CHF", "EUR", "GBP", "NZD", "USD")
# Believed are medians from a quarter to eight times the typical price: a unit is wrong by 10 or
# more, and the two units next to each other, cents per kWh and currency per MWh, by just that.
_LEAST, _MOST = 0.25, 8.0
_WITH_OFFSET = r".*\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)"


@dataclass(frozen=True)
class PriceNotes:
    """What a configuration says of a price file, `market.prices_...`; none: nothing."""

    unit: str | None = None  # per_mwh, per_kwh, cents_per_kwh
    currency: str | None = None  # ISO 4217
    column: str | None = None  # title of the prices
    time_column: str | None = None  # title of the stamps
    zone: str | None = None  # IANA zone of the stamps' clock
    stamp: str | None = None  # what a stamp names of its interval: start, end
    market_zone: str | None = None  # IANA zone of the market's days; none: that of the stamps
    typical_per_mwh: float | None = None  # what half of the prices are near to
    floor_per_mwh: float | None = None  # least price that the market allows
    cap_per_mwh: float | None = None  # highest

    def given(self) -> list[str]:
        """Names of what is said, as keys of the configuration."""
        names = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return [key_of(name) for name in names]


NO_NOTES = PriceNotes()


def key_of(name: str) -> str:
    """Key of the configuration of a field of `PriceNotes`."""
    return "market.zone" if name == "market_zone" else f"market.prices_{name}"


def read_own(
    name: str, raw: bytes, market: str | None, hold_gaps: bool, notes: PriceNotes
) -> PriceSeries:
    """Read a file as the configuration describes it.

    Stamps carry an offset of their own (2022-07-01T00:00+02:00) or are local times of the zone that
    is named. The end of an interval is read as the local time of its start plus its length.

    Args:
        name: File name for sentences.
        raw: Bytes of a CSV file, plain or gzipped, or of a Parquet file.
        market: What to call the region; None: "own".
        hold_gaps: As in `quotes.series_of`.
        notes: What the file is.

    Raises:
        InputError: Something is not said, does not exist, or does not fit the size of the prices;
            or as `quotes.series_of`.
    """
    frame = frame_of(name, raw)
    _check_said(name, list(frame.columns), notes)
    unit, currency, zone = str(notes.unit), str(notes.currency), _market_zone(name, notes)
    price = numbers_of(name, frame[notes.column])
    _check_size(name, price, unit, currency, notes.typical_per_mwh)
    start = _starts(name, frame[notes.time_column], notes)
    floor, cap = notes.floor_per_mwh, notes.cap_per_mwh
    limits = PriceLimits(
        NO_LIMITS.floor_per_mwh if floor is None else floor,
        NO_LIMITS.cap_per_mwh if cap is None else cap,
    )
    # Rounded, so that 0.06 per kWh is not above a cap of 60 per MWh.
    per_mwh = np.round(price * UNITS[unit], 9)
    quotes = Quotes(name, frame.index.to_numpy(), start, per_mwh)
    return series_of(quotes, raw, Market(market or "own", currency, zone, limits), hold_gaps)


def _check_said(name: str, columns: list[str], notes: PriceNotes) -> None:
    """Columns exist, and unit, currency and kind of stamp are said."""
    for field in ("time_column", "column"):
        column = getattr(notes, field)
        if column is None:
            raise InputError(
                f"{name} is no publisher's file that is known here; name its columns of stamps and "
                f"prices with market.prices_time_column and market.prices_column; it has "
                f"{', '.join(columns[:12])}."
            )
        if column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(columns[:12])}."
            raise InputError(f"{name} has no column '{column}' ({key_of(field)}); {hint}")
    _check_one_of(name, "unit", notes.unit, tuple(UNITS))
    _check_one_of(name, "stamp", notes.stamp, STAMPS)
    if notes.currency is None or not re.fullmatch("[A-Z]{3}", notes.currency):
        raise InputError(
            f"{name}: market.prices_currency={notes.currency} must name its currency by three "
            "letters such as EUR."
        )


def _check_one_of(name: str, field: str, value: str | None, known: tuple[str, ...]) -> None:
    if value in known:
        return
    near = difflib.get_close_matches(value or "", known, n=1)
    hint = (
        f"did you mean {near[0]}?" if near else f"set it to {', '.join(known[:-1])} or {known[-1]}."
    )
    raise InputError(f"{name}: {key_of(field)}={value} does not say what its {field} is; {hint}")


def _check_size(
    name: str, price: np.ndarray, unit: str, currency: str, typical_per_mwh: float | None
) -> None:
    """Refuse prices whose median is far from what electricity costs in the unit that is said."""
    if typical_per_mwh is None:
        if currency not in _ALIKE:
            raise InputError(
                f"{name}: what electricity costs in {currency} is not known here; set "
                "market.prices_typical_per_mwh to what half of the prices are near to."
            )
        typical_per_mwh = _TYPICAL_PER_MWH
    if not typical_per_mwh > 0.0:
        raise InputError(
            f"market.prices_typical_per_mwh must be above zero, got {typical_per_mwh:g}."
        )
    size = np.abs(price[np.isfinite(price) & (price != 0.0)])
    if not size.size:
        return
    median = float(np.median(size))
    if _LEAST <= median * UNITS[unit] / typical_per_mwh <= _MOST:
        return
    distance = {other: abs(np.log(median * UNITS[other] / typical_per_mwh)) for other in UNITS}
    guess = min(distance, key=lambda other: float(distance[other]))
    fix = (
        f"which looks like {guess}: set market.prices_unit={guess}, or"
        if guess != unit
        else "far from usual: check the column, or set"
    )
    raise InputError(
        f"{name}: half of the prices are below {median:g} in size where market.prices_unit={unit} "
        f"and about {typical_per_mwh / UNITS[unit]:g} is usual, {fix} "
        "market.prices_typical_per_mwh to what this market usually costs."
    )


def _market_zone(name: str, notes: PriceNotes) -> str:
    """Zone of the market's days."""
    if notes.market_zone is not None:
        return known_zone(notes.market_zone, "market.zone")
    if notes.zone in (None, "UTC"):
        raise InputError(
            f"{name}: say on whose clock the market's days begin, such as "
            "market.zone=Europe/Amsterdam."
        )
    return known_zone(str(notes.zone), "market.prices_zone")


def _starts(name: str, column: pd.Series, notes: PriceNotes) -> np.ndarray:
    """Starts of the intervals, UTC, (R,) datetime64[s]."""
    stamps = _parsed(name, column)
    aware = stamps.dt.tz is not None
    if aware:
        stamps = stamps.dt.tz_convert("UTC").dt.tz_localize(None)
    wall = stamps.to_numpy().astype("datetime64[s]")
    if notes.stamp == "end":
        wall = one_interval_earlier(wall)
    if aware and notes.zone is not None:
        raise InputError(
            f"{name}, column {column.name}: its stamps carry their offset from UTC; set "
            "market.prices_zone=null, and the clock of the market's days with market.zone."
        )
    if aware:
        return wall
    if notes.zone is None:
        raise InputError(
            f"{name}, column {column.name}: its stamps carry no offset from UTC; name their clock, "
            "such as market.prices_zone=Europe/Amsterdam or market.prices_zone=UTC."
        )
    return to_utc(name, wall, known_zone(notes.zone, "market.prices_zone"), column.index.to_numpy())


def _parsed(name: str, column: pd.Series) -> pd.Series:
    """Stamps, naive or with a zone."""
    if pd.api.types.is_datetime64_any_dtype(column):
        stamps = column
    elif pd.api.types.is_numeric_dtype(column):
        raise InputError(f"{name}, column {column.name} holds numbers; expected stamps.")
    else:
        text = column.astype(str)
        offset = text.str.fullmatch(_WITH_OFFSET)
        if offset.any() and not offset.all():
            raise InputError(
                f"{name}, column {column.name}: some stamps carry an offset from UTC and some do "
                "not; write all alike."
            )
        stamps = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=bool(offset.any()))
    if stamps.isna().any():
        at = int(stamps.isna().to_numpy().argmax())
        raise InputError(
            f"{name}, row {column.index[at]}, column {column.name}: '{column.iloc[at]}' is not a "
            "stamp such as 2022-07-01 00:05 (year first: day and month could be taken for each "
            "other)."
        )
    return stamps
