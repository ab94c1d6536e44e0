"""Bills: what a customer owes, line by line and month by month of the local calendar."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.markets.tariff import (
    DemandCharge,
    Rate,
    Tariff,
    table_cell,
    tariff_clock,
    wholesale_per_kwh,
)
from vpp_envs.signals.local_clock import LocalClock

_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One line of a bill: ``quantity * rate = amount``, credits negative."""

    month: str  # of the local calendar, "2026-07"
    label: str
    quantity: float
    unit: str  # day, kWh or kW
    rate: float  # the mean of the line where prices vary within it [currency/unit]
    amount: float  # before rounding [currency]

    @property
    def rounded(self) -> Decimal:
        """The amount to the cent, halves away from zero.

        It is rounded to 1e-9 first, so that 1.005 is a half although no binary fraction is 1.005.
        """
        # Adding zero turns a negative zero into nothing to pay.
        return Decimal(f"{self.amount:.9f}").quantize(_CENT, ROUND_HALF_UP) + Decimal(0)


@dataclass(frozen=True)
class Bill:
    """What a customer owes; a total is the sum of its rounded lines, as on paper."""

    tariff: str
    currency: str
    lines: tuple[Line, ...]  # by month

    @property
    def months(self) -> tuple[str, ...]:
        """Months that the bill covers, in order."""
        return tuple(dict.fromkeys(line.month for line in self.lines))

    @property
    def total(self) -> Decimal:
        """Sum of all rounded lines."""
        return sum((line.rounded for line in self.lines), Decimal("0.00"))

    @property
    def amount(self) -> float:
        """Sum of all lines before rounding. [currency]"""
        return math.fsum(line.amount for line in self.lines)

    def of(self, month: str) -> "Bill":
        """The bill of one month.

        Args:
            month: As in `months`.
        """
        lines = tuple(line for line in self.lines if line.month == month)
        return Bill(self.tariff, self.currency, lines)


def bill(
    tariff: Tariff,
    start_utc: np.datetime64,
    dt_s: int,
    import_kwh: Tensor,
    export_kwh: Tensor,
    wholesale_per_mwh: Tensor | None = None,
) -> Bill:
    """Bill metered energy.

    An interval belongs to the month, day and price of its start on the local clock. A day counts
    whole as soon as one interval starts in it. Lines without energy are left out.

    Args:
        tariff: The tariff.
        start_utc: Start of the first interval.
        dt_s: Length of an interval. [s]
        import_kwh: Energy drawn from the grid, (T,), at least 0. [kWh]
        export_kwh: Energy fed into the grid, (T,), at least 0. [kWh]
        wholesale_per_mwh: As in `vpp_envs.markets.tariff.tariff_prices`. [currency/MWh]

    Raises:
        InputError: As in `tariff_prices`; also for energy that is negative, not finite or of two
            lengths, and intervals too long for a demand charge.
    """
    imported, exported = _energy("import_kwh", import_kwh), _energy("export_kwh", export_kwh)
    if len(imported) != len(exported):
        raise InputError(
            f"import_kwh has {len(imported)} intervals and export_kwh {len(exported)}; "
            "expected the same."
        )
    ticks = len(imported)
    clock = tariff_clock(tariff, start_utc, dt_s, ticks)
    cell = table_cell(tariff, clock)
    wholesale = wholesale_per_kwh(tariff, ticks, wholesale_per_mwh)
    month = clock.month
    lines = [
        *_daily_lines(tariff, clock),
        *_energy_lines("Import", tariff.imports, cell, month, imported, wholesale, 1.0),
        *(
            line
            for charge in tariff.demand
            for line in _demand_lines(tariff, charge, clock, cell, imported, dt_s)
        ),
        *_energy_lines("Export", tariff.exports, cell, month, exported, wholesale, -1.0),
    ]
    lines.sort(key=lambda line: line.month)  # keeps the order within a month
    return Bill(tariff.name, tariff.currency, tuple(lines))


def _energy(name: str, kwh: Tensor) -> np.ndarray:
    energy = kwh.detach().numpy().astype(np.float64)
    wrong = ~(np.isfinite(energy) & (energy >= 0.0))
    if energy.ndim != 1 or wrong.any():
        got = f"{energy[wrong][0]}" if wrong.any() else f"the shape {energy.shape}"
        raise InputError(f"{name} must hold one finite energy of at least 0 a tick, got {got}.")
    return energy


def _daily_lines(tariff: Tariff, clock: LocalClock) -> Iterator[Line]:
    if not tariff.daily_charge:
        return
    first = np.unique(clock.day, return_index=True)[1]
    months, days = np.unique(clock.month[first], return_counts=True)
    for month, count in zip(months, days, strict=True):
        amount = float(count) * tariff.daily_charge
        yield Line(_name(month), "Daily charge", float(count), "day", tariff.daily_charge, amount)


def _energy_lines(
    direction: str,
    rate: Rate,
    cell: tuple[np.ndarray, ...],
    month: np.ndarray,
    kwh: np.ndarray,
    wholesale: np.ndarray | float,
    sign: float,
) -> Iterator[Line]:
    """Lines of the wholesale part, then of the periods; the sign of money is `sign`."""
    if rate.wholesale_factor:
        label = f"{direction}, wholesale x {rate.wholesale_factor:g}"
        money = sign * kwh * rate.wholesale_factor * wholesale
        yield from _lines((label,), np.zeros_like(month), month, kwh, money)
        if not rate.per_kwh.any():
            return
    labels = tuple(f"{direction}, {name}" for name in rate.names)
    yield from _lines(labels, rate.period[cell], month, kwh, sign * kwh * rate.per_kwh[cell])


def _lines(
    labels: tuple[str, ...],
    period: np.ndarray,
    month: np.ndarray,
    kwh: np.ndarray,
    money: np.ndarray,
) -> Iterator[Line]:
    if not len(month):
        return
    first = int(month[0])
    group = (month - first) * len(labels) + period
    quantity = np.bincount(group, weights=kwh)
    amount = np.bincount(group, weights=money)
    for index in np.flatnonzero(quantity):
        later, column = divmod(int(index), len(labels))
        energy, cost = float(quantity[index]), float(amount[index])
        yield Line(_name(first + later), labels[column], energy, "kWh", cost / energy, cost)


def _demand_lines(
    tariff: Tariff,
    charge: DemandCharge,
    clock: LocalClock,
    cell: tuple[np.ndarray, ...],
    kwh: np.ndarray,
    dt_s: int,
) -> Iterator[Line]:
    """The highest average import of each month in which the charge applies.

    Power is averaged over blocks of the local clock. A block that a change of the clock, the first
    or the last reading cuts short is averaged over what there is of it.
    """
    if charge.interval_s % dt_s:
        raise InputError(
            f"tariff '{tariff.name}': the demand charge '{charge.name}' averages over "
            f"{charge.interval_s // 60} minutes, which intervals of {dt_s} s do not divide; "
            "give shorter intervals."
        )
    if not len(kwh):
        return
    block = (clock.day * 86400 + clock.second) // charge.interval_s
    new = (np.diff(block) != 0) | (np.diff(clock.offset_s) != 0)
    start = np.concatenate(([0], np.flatnonzero(new) + 1))
    hours = np.diff(np.append(start, len(kwh))) * (dt_s / 3600.0)
    average_kw = np.add.reduceat(kwh, start) / hours
    counts = charge.applies[cell][start]
    month = clock.month[start][counts]
    for one in np.unique(month):
        peak_kw = float(average_kw[counts][month == one].max())
        label = f"Demand, {charge.name}"
        yield Line(_name(one), label, peak_kw, "kW", charge.per_kw, peak_kw * charge.per_kw)


def _name(month: int) -> str:
    """Month since January 1970 as people write it."""
    return f"{1970 + month // 12}-{month % 12 + 1:02d}"
