"""Retail tariffs: what every kilowatt-hour costs and earns, by the clock on the customer's wall.

A tariff is read from a file by `vpp_envs.markets.tariff_file`, which refuses what has no price or
two prices at any time of the year; here it is a table by month, kind of day and minute.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.local_clock import LocalClock, local_clock

DAY_KINDS = ("weekday", "weekend", "holiday")
HOLIDAY = 2
TABLE_SHAPE = (12, len(DAY_KINDS), 1440)  # month, kind of day, minute of the local day
# No clock in use is off UTC by anything but quarter-hours, nor changes by anything else.
_OFFSET_STEP_S = 900


@dataclass(frozen=True, eq=False)
class Rate:
    """What energy in one direction is worth: ``wholesale_factor * wholesale + per_kwh``."""

    names: tuple[str, ...]  # of the periods, (P,)
    period: np.ndarray  # which of them it is, TABLE_SHAPE int64
    per_kwh: np.ndarray  # price or adder, TABLE_SHAPE float64 [currency/kWh]
    wholesale_factor: float  # how much of the wholesale price is passed through


@dataclass(frozen=True, eq=False)
class DemandCharge:
    """A price for the highest average import of a month."""

    name: str
    per_kw: float  # [currency/kW and month]
    interval_s: int  # over which power is averaged [s]
    applies: np.ndarray  # when it counts, TABLE_SHAPE bool


@dataclass(frozen=True, eq=False)
class Tariff:
    """What a customer pays and is paid; every interval has one price for each direction."""

    name: str
    currency: str  # ISO 4217
    zone: str  # IANA time zone of the clock that it is written in
    daily_charge: float  # [currency/day]
    imports: Rate
    exports: Rate
    demand: tuple[DemandCharge, ...] = ()
    holidays: tuple[date, ...] = ()
    yearly_holidays: tuple[tuple[int, int], ...] = ()  # month and day, in every year

    @property
    def needs_wholesale(self) -> bool:
        """Whether a price depends on the wholesale market."""
        return bool(self.imports.wholesale_factor or self.exports.wholesale_factor)

    @property
    def one_price(self) -> bool:
        """Whether energy is always worth the same in both directions, as on a wholesale market."""
        imports, exports = self.imports, self.exports
        return imports.wholesale_factor == exports.wholesale_factor and bool(
            np.array_equal(imports.per_kwh, exports.per_kwh)
        )


def tariff_prices(
    tariff: Tariff,
    start_utc: np.datetime64,
    dt_s: int,
    ticks: int,
    wholesale_per_mwh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Price energy by tick, in the tariff's own currency.

    The price of a tick is the one of the local clock at its start, on days of 23 and 25 hours too.

    Args:
        tariff: The tariff.
        start_utc: Start of the first tick.
        dt_s: Length of a tick. [s]
        ticks: Number of ticks, T.
        wholesale_per_mwh: Wholesale price, (T,), for a tariff that passes it through.
            [currency/MWh]

    Returns:
        What an imported kWh costs and what an exported one earns, (T,) float64 each.
        [currency/kWh]

    Raises:
        InputError: The tariff needs wholesale prices and got none, a price changes within a tick,
            or holidays are listed for other years only.
    """
    clock = tariff_clock(tariff, start_utc, dt_s, ticks)
    cell = table_cell(tariff, clock)
    wholesale = wholesale_per_kwh(tariff, ticks, wholesale_per_mwh)
    cost = tariff.imports.per_kwh[cell] + tariff.imports.wholesale_factor * wholesale
    gain = tariff.exports.per_kwh[cell] + tariff.exports.wholesale_factor * wholesale
    return torch.from_numpy(cost), torch.from_numpy(gain)


def tariff_clock(tariff: Tariff, start_utc: np.datetime64, dt_s: int, ticks: int) -> LocalClock:
    """Read the tariff's clock at each tick.

    Args:
        tariff: The tariff.
        start_utc: Start of the first tick.
        dt_s: Length of a tick. [s]
        ticks: Number of ticks.

    Raises:
        InputError: A price changes within a tick.
    """
    if dt_s < 1:
        raise InputError(f"tariff '{tariff.name}': intervals of {dt_s} s; expected at least 1 s.")
    start_s = int(start_utc.astype("datetime64[s]").astype(np.int64))
    # Where ticks are longer than this, a price might change inside one.
    step_s = math.gcd(dt_s, _OFFSET_STEP_S, start_s, *_price_edges_s(tariff))
    if step_s == dt_s:
        return local_clock(tariff.zone, start_utc, dt_s, ticks)
    if start_s % math.gcd(dt_s, 60):
        raise InputError(
            f"tariff '{tariff.name}': intervals of {dt_s} s that start at {start_utc} are on no "
            "clock; start on a whole minute."
        )
    parts = dt_s // step_s
    fine = local_clock(tariff.zone, start_utc, step_s, ticks * parts)
    _refuse_changes(tariff, fine, start_utc, dt_s, parts)
    return LocalClock(*(column[::parts] for column in fine))


def table_cell(tariff: Tariff, clock: LocalClock) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the tables by tick: month of the year, kind of day, minute, (T,) each.

    Raises:
        InputError: Holidays are listed by date, and for other years than the clock shows.
    """
    return clock.month_of_year, _day_kind(tariff, clock), clock.minute


def wholesale_per_kwh(
    tariff: Tariff, ticks: int, wholesale_per_mwh: Tensor | None
) -> np.ndarray | float:
    """Return the wholesale price as the tariff counts it, (T,), or 0 where it needs none.

    Raises:
        InputError: It is needed, and is missing, of another length or not finite.
    """
    if not tariff.needs_wholesale:
        return 0.0
    if wholesale_per_mwh is None:
        raise InputError(
            f"tariff '{tariff.name}' passes the wholesale price on; give one for every interval."
        )
    price = wholesale_per_mwh.detach().numpy().astype(np.float64)
    if price.shape != (ticks,) or not np.isfinite(price).all():
        raise InputError(
            f"tariff '{tariff.name}': expected {ticks} finite wholesale prices, one an interval, "
            f"got {np.isfinite(price).sum()} in the shape {price.shape}."
        )
    return np.asarray(price / 1000.0)


def _day_kind(tariff: Tariff, clock: LocalClock) -> np.ndarray:
    kind = clock.weekend.astype(np.int64)
    if tariff.yearly_holidays:
        month_day = (clock.month_of_year + 1) * 100 + clock.day_of_month
        kind[np.isin(month_day, [month * 100 + day for month, day in tariff.yearly_holidays])] = (
            HOLIDAY
        )
    if tariff.holidays:
        _refuse_other_years(tariff, clock)
        dates = np.array(tariff.holidays, dtype="datetime64[D]").astype(np.int64)
        kind[np.isin(clock.day, dates)] = HOLIDAY
    return kind


def _refuse_other_years(tariff: Tariff, clock: LocalClock) -> None:
    listed = {holiday.year for holiday in tariff.holidays}
    other = sorted({int(year) for year in np.unique(clock.month // 12) + 1970} - listed)
    if other:
        raise InputError(
            f"tariff '{tariff.name}' lists holidays of {', '.join(map(str, sorted(listed)))} and "
            f"none of {other[0]}; add them, or write those of every year as MM-DD."
        )


def _price_edges_s(tariff: Tariff) -> list[int]:
    """Seconds of the day at which a price changes on any day of the year."""
    rates = (tariff.imports, tariff.exports)
    changes = [np.diff(rate.per_kwh, axis=2, prepend=rate.per_kwh[:, :, -1:]) for rate in rates]
    edges = np.flatnonzero(np.logical_or(*changes).any(axis=(0, 1)))
    return [86400, *(60 * int(edge) for edge in edges)]


def _refuse_changes(
    tariff: Tariff, fine: LocalClock, start_utc: np.datetime64, dt_s: int, parts: int
) -> None:
    """Refuse ticks whose parts, read one by one, differ in price."""
    cell = table_cell(tariff, fine)
    split = np.zeros(len(fine.day), dtype=bool)
    for rate in (tariff.imports, tariff.exports):
        price = rate.per_kwh[cell].reshape(-1, parts)
        split |= (price != price[:, :1]).ravel()
    if split.any():
        first = int(split.argmax())
        start = start_utc.astype("datetime64[s]") + np.timedelta64(dt_s, "s") * (first // parts)
        hour, minute = divmod(int(fine.minute[first]), 60)
        raise InputError(
            f"tariff '{tariff.name}' changes its price at {hour:02d}:{minute:02d} local time, "
            f"inside the interval of {dt_s} s from {start} UTC; give shorter intervals."
        )
