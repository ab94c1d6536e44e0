"""What may stand in a tariff file: keys, types and calendars, one small reader each.

A `FaultError` says what is wrong with one value and how to mend it; pydantic collects those of a
whole file, so that a person mends it once.
"""

import math
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vpp_envs.markets.coverage import coverage_faults
from vpp_envs.markets.tariff import DAY_KINDS, HOLIDAY
from vpp_envs.signals.local_clock import known_zone

# In these an energy price above the bound is one in cents; elsewhere money may be small change.
_DEAR = {"AUD", "CAD", "CHF", "EUR", "GBP", "NZD", "USD"}
_MOST_PER_KWH = 10.0
_SPAN = re.compile(r"(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?")


class FaultError(ValueError):
    """What is wrong with one value: sentences of rule and fix, without the end."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FaultError("must be a number; write it plainly, such as 0.31, without a unit")
    return float(value)


def _prices(value: object) -> tuple[float, ...]:
    """One price, or one for each hour of the day from midnight."""
    if not isinstance(value, list):
        return (_number(value),)
    if len(value) != 24:
        raise FaultError(
            f"has {len(value)} prices; write one number, or a list of 24, one an hour from 00:00"
        )
    return tuple(map(_number, value))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        hint = " (YAML reads on, off, yes and no as true and false)" * isinstance(value, bool)
        raise FaultError(f"must be text; put it in quotes{hint}")
    return value.strip()


def _currency(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise FaultError("must be an ISO 4217 code; write three capital letters, such as AUD")
    return value


def _zone(value: object) -> str:
    return known_zone(_text(value))


def _months(value: object) -> tuple[int, ...]:
    """Months from "6-9", "10-3", 7 or a list of these; January is 0."""
    fix = "write all, a month 1 to 12, a range such as 6-9 (10-3 wraps), or a list of these"
    months: set[int] = set()
    for entry in value if isinstance(value, list) else [value]:
        found = re.fullmatch(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?", str(entry))
        if entry == "all":
            months.update(range(12))
            continue
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not (1 <= first <= 12 and 1 <= last <= 12):
            raise FaultError(f"must be months; {fix}")
        months.update(month % 12 for month in range(first - 1, last + 12 * (last < first)))
    return _some(months, fix)


def _days(value: object) -> tuple[int, ...]:
    fix = f"write all, or one or more of {', '.join(DAY_KINDS)}"
    kinds: set[int] = set()
    for entry in value if isinstance(value, list) else [value]:
        if entry != "all" and entry not in DAY_KINDS:
            raise FaultError(f"must be kinds of day; {fix}")
        kinds.update(range(len(DAY_KINDS)) if entry == "all" else [DAY_KINDS.index(entry)])
    return _some(kinds, fix)


def _minutes(value: object) -> tuple[int, ...]:
    """Minutes of the day from "17:00-21:00", "22-6" or a list of these; each day by itself."""
    fix = "write all, a window such as 17:00-21:00 (22:00-06:00 wraps), or a list of these"
    minutes: set[int] = set()
    for entry in value if isinstance(value, list) else [value]:
        found = _SPAN.fullmatch(str(entry))
        if entry != "all" and not found:
            raise FaultError(f"must be hours; {fix}")
        hour, minute, end_hour, end_minute = (
            (int(part or 0) for part in found.groups()) if found else (0, 0, 24, 0)
        )
        start, end = 60 * hour + minute, 60 * end_hour + end_minute
        if max(minute, end_minute) > 59 or start >= 1440 or end > 1440 or start == end:
            raise FaultError(f"must lie in 00:00 to 24:00, start and end apart; {fix}")
        minutes.update(part % 1440 for part in range(start, end + 1440 * (end < start)))
    return _some(minutes, fix)


def _some(numbers: set[int], fix: str) -> tuple[int, ...]:
    if not numbers:
        raise FaultError(f"is empty; {fix}")
    return tuple(sorted(numbers))


def _holiday(value: object) -> date | tuple[int, int]:
    """A date, or month and day of every year."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    found = re.fullmatch(r"(\d\d)-(\d\d)", str(value))
    try:
        if found:
            yearly = date(2000, int(found[1]), int(found[2]))  # a leap year
            return yearly.month, yearly.day
        return date.fromisoformat(str(value))
    except ValueError:
        raise FaultError(
            "must be a date; write 2026-04-03, or 12-25 for a holiday of every year"
        ) from None


def _unpaid(value: object) -> object:
    """``none`` stands for a price of nothing."""
    if value is None or value == "none":
        return {"periods": [{"name": "not paid", "per_kwh": 0.0}]}
    return value


Number = Annotated[float, PlainValidator(_number)]
Prices = Annotated[tuple[float, ...], PlainValidator(_prices)]
Text = Annotated[str, PlainValidator(_text)]
Currency = Annotated[str, PlainValidator(_currency)]
Zone = Annotated[str, PlainValidator(_zone)]
Months = Annotated[tuple[int, ...], PlainValidator(_months)]
Days = Annotated[tuple[int, ...], PlainValidator(_days)]
Minutes = Annotated[tuple[int, ...], PlainValidator(_minutes)]
Holiday = Annotated[date | tuple[int, int], PlainValidator(_holiday)]


class Record(BaseModel):
    """A mapping of known keys; nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Window(Record):
    """When something applies: every day by itself, so that 22:00-06:00 is its end and its start."""

    name: Text
    months: Months = tuple(range(12))
    days: Days = tuple(range(len(DAY_KINDS)))
    hours: Minutes = tuple(range(1440))


class Period(Window):
    """A price for a time of the year."""

    per_kwh: Prices

    @model_validator(mode="after")
    def _hourly_prices_fill_the_day(self) -> "Period":
        if len(self.per_kwh) == 24 and len(self.hours) < 1440:
            raise FaultError("has 24 prices and hours; leave hours away, or write one price")
        return self


class Demand(Window):
    """A price for the highest average import of a month."""

    per_kw: Number
    interval_min: Literal[15, 30, 60]

    @model_validator(mode="after")
    def _windows_hold_whole_intervals(self) -> "Demand":
        hours = set(self.hours)
        step = self.interval_min
        if any(
            len(hours & set(range(start, start + step))) % step for start in range(0, 1440, step)
        ):
            raise FaultError(
                f"has hours that cut an interval of {step} minutes; let them start and end on a "
                f"multiple of {step} minutes"
            )
        return self


class Rates(Record):
    """The price of one direction: a number, periods or a table, beside wholesale or alone."""

    wholesale_factor: Number = 0.0
    per_kwh: Number | None = None
    periods: list[Period] | None = None
    table: Text | None = None

    @model_validator(mode="after")
    def _one_kind_of_price(self) -> "Rates":
        given = [key for key in ("per_kwh", "periods", "table") if getattr(self, key) is not None]
        if len(given) > 1:
            raise FaultError(f"has {' and '.join(given)}; keep one of them")
        if not given and not self.wholesale_factor:
            raise FaultError("has no price; add per_kwh, periods, table or wholesale_factor")
        return self


class TariffRecord(Record):
    """A tariff file."""

    name: Text
    currency: Currency
    zone: Zone
    daily_charge: Number = 0.0
    holidays: list[Holiday] = []
    imports: Rates = Field(alias="import")
    exports: Annotated[Rates, BeforeValidator(_unpaid)] = Field(alias="export")
    demand: list[Demand] = []

    @field_validator("imports", "exports")
    @classmethod
    def _one_price_at_any_time(cls, rates: Rates, info: ValidationInfo) -> Rates:
        periods = rates.periods or []
        prices = [price for one in periods for price in one.per_kwh] + [rates.per_kwh or 0.0]
        sentences = dear_faults(prices, info.data.get("currency", ""))
        if rates.periods is not None:
            # Holidays that could not be read were meant, too.
            kinds = range(len(DAY_KINDS) if info.data.get("holidays", True) else HOLIDAY)
            sentences += coverage_faults(
                [(one.name, one.months, one.days, one.hours) for one in periods], kinds
            )
        if sentences:
            raise FaultError(*sentences)
        return rates


def dear_faults(prices: Sequence[float], currency: str) -> list[str]:
    """Say which price cannot be one of a kWh, in a currency where that is plain.

    Args:
        prices: Of energy, as written.
        currency: ISO 4217.

    Returns:
        One sentence, or none.
    """
    dear = max(prices, key=abs)
    if currency not in _DEAR or abs(dear) <= _MOST_PER_KWH:
        return []
    return [
        f"{dear:g} {currency} a kWh looks like cents, or like a price of a MWh; "
        f"write {currency} a kWh, such as 0.31"
    ]
