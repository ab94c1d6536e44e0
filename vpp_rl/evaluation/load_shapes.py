"""What a load curve is like: its mean day, how far homes peak together, how daily energy spreads.

Pure functions on arrays, the same for metered and for simulated homes. Power has the shape (T, N),
ticks of equal length from a local midnight on, a column a home; NaN where a meter was silent.
"""

from typing import NamedTuple

import numpy as np

from vpp_envs.errors import InputError
from vpp_rl.evaluation.statistics import FloatArray


class Spread(NamedTuple):
    """How values spread."""

    mean: float
    p10: float
    median: float
    p90: float


class ClockSpread(NamedTuple):
    """Mean and standard deviation of times of day on the circle of 24 hours."""

    mean_h: float
    deviation_h: float


class Line(NamedTuple):
    """A straight line."""

    slope: float
    at_zero: float


def in_days(power_kw: FloatArray, slots: int) -> FloatArray:
    """Cut a series into whole days, (D, slots, N); what is left over at the end is dropped.

    Args:
        power_kw: From a local midnight on, (T, N). [kW]
        slots: Ticks of a day.

    Raises:
        InputError: There is no whole day.
    """
    days = len(power_kw) // slots
    if days < 1:
        raise InputError(f"a load shape needs a whole day of {slots} ticks, got {len(power_kw)}.")
    return power_kw[: days * slots].reshape(days, slots, -1)


def coarser(power_kw: FloatArray, ticks: int) -> FloatArray:
    """Mean power of every `ticks` ticks, (T / ticks, N); incomplete ones are dropped. [kW]

    Args:
        power_kw: (T, N). [kW]
        ticks: To be joined.
    """
    count = len(power_kw) // ticks
    joined: FloatArray = power_kw[: count * ticks].reshape(count, ticks, -1).mean(1)
    return joined


def mean_day(days_kw: FloatArray) -> FloatArray:
    """Mean day of the mean home, (S,): each home counts alike, however long it was measured. [kW]

    Args:
        days_kw: From `in_days`, (D, S, N). [kW]
    """
    shape: FloatArray = np.nanmean(np.nanmean(days_kw, axis=0), axis=-1)
    return shape


def typical_day(days_kw: FloatArray) -> FloatArray:
    """Mean day with each home over its own mean, so that no large one decides, (S,).

    Args:
        days_kw: From `in_days`, (D, S, N). [kW]
    """
    of_home = np.nanmean(days_kw, axis=0)
    shape: FloatArray = np.nanmean(of_home / of_home.mean(0), axis=-1)
    return shape


def load_factor(shape_kw: FloatArray) -> float:
    """Mean over peak of a load curve. [0 to 1]"""
    return float(np.mean(shape_kw) / np.max(shape_kw))


def peak_hour(shape_kw: FloatArray) -> float:
    """Start of the slot in which a mean day peaks. [h]"""
    return float(np.argmax(shape_kw)) * 24.0 / len(shape_kw)


def daily_kwh(days_kw: FloatArray) -> FloatArray:
    """Energy of each home on each day that was measured throughout, (M,). [kWh]

    Args:
        days_kw: From `in_days`, (D, S, N). [kW]
    """
    energy: FloatArray = days_kw.mean(1).ravel() * 24.0
    whole: FloatArray = energy[np.isfinite(energy)]
    return whole


def spread(values: FloatArray) -> Spread:
    """Mean, 10th percentile, median and 90th percentile of values, (M,)."""
    p10, median, p90 = np.quantile(values, (0.1, 0.5, 0.9))
    return Spread(float(np.mean(values)), float(p10), float(median), float(p90))


def coincidence_factor(power_kw: FloatArray, homes: int, groups: int = 200, seed: int = 0) -> float:
    """Peak of a group of homes over the sum of its homes' own peaks, mean over random groups.

    Ticks in which a home of the group was not measured are left out. Identical homes give 1.

    Args:
        power_kw: (T, N). [kW]
        homes: In a group.
        groups: How many are drawn; one where the group is everybody.
        seed: Of the draws.

    Raises:
        InputError: There are fewer homes than a group has, or never were all of them measured.
    """
    there = power_kw.shape[1]
    if not 1 <= homes <= there:
        raise InputError(f"a group of {homes} homes cannot be drawn from {there}.")
    rng = np.random.default_rng(seed)
    factors = []
    for _ in range(1 if homes == there else groups):
        group = power_kw[:, rng.permutation(there)[:homes]]
        group = group[np.isfinite(group).all(1)]
        if not len(group):
            raise InputError(f"no tick was measured in all {homes} homes of a group.")
        factors.append(group.sum(1).max() / group.max(0).sum())
    return float(np.mean(factors))


def load_duration(power_kw: FloatArray, points: int = 101) -> FloatArray:
    """Load-duration curve of all homes' mean, over its own mean, (points,), descending.

    Args:
        power_kw: (T, N). [kW]
        points: Of the curve: at equal shares of the time, from the peak to the least.
    """
    together = np.nanmean(power_kw, axis=1)
    curve: FloatArray = np.quantile(together, np.linspace(1.0, 0.0, points)) / together.mean()
    return curve


def likeness(one: FloatArray, other: FloatArray) -> tuple[float, float]:
    """Correlation of two curves, and the root mean square difference once each has mean 1.

    A flat curve has no correlation: NaN.

    Args:
        one: (S,).
        other: (S,).
    """
    a, b = one / one.mean(), other / other.mean()
    both = float(a.std() * b.std())
    correlation = float(np.mean((a - 1.0) * (b - 1.0))) / both if both > 0.0 else np.nan
    return correlation, float(np.sqrt(np.mean((a - b) ** 2)))


def clock_spread(hours: FloatArray) -> ClockSpread:
    """Circular mean and standard deviation of times of day: 23 and 1 average to 0. [h]

    Mardia and Jupp, "Directional Statistics" (2000), equations 2.2.4 and 2.3.11.

    Args:
        hours: (M,). [h]
    """
    angle = np.exp(2j * np.pi * np.asarray(hours) / 24.0).mean()
    mean_h = np.angle(angle) * 24.0 / (2.0 * np.pi) % 24.0
    length = min(abs(angle), 1.0)
    return ClockSpread(float(mean_h), float(np.sqrt(-2.0 * np.log(length)) * 24.0 / (2.0 * np.pi)))


def clock_share(hours: FloatArray) -> FloatArray:
    """Share of times in each hour of the day, (24,)."""
    share: FloatArray = np.histogram(hours, bins=24, range=(0.0, 24.0))[0] / len(hours)
    return share


def line_above(x: FloatArray, y: FloatArray, least_x: float) -> Line:
    """Least-squares line through the points from `least_x` on.

    Args:
        x: (M,).
        y: (M,).
        least_x: Of the points that count.

    Raises:
        InputError: Fewer than two of them.
    """
    counts = (x >= least_x) & np.isfinite(y)
    if counts.sum() < 2:
        raise InputError(f"a line needs two points from {least_x:g} on, got {counts.sum()}.")
    slope, at_zero = np.polyfit(x[counts], y[counts], 1)
    return Line(float(slope), float(at_zero))


def hottest_days(air_c: FloatArray, days: int) -> slice:
    """The run of days whose mean air is the warmest.

    Args:
        air_c: By day and slot, (D, S). [C]
        days: In the run.

    Raises:
        InputError: There are not so many.
    """
    if len(air_c) < days:
        raise InputError(f"a run of {days} days cannot be found in {len(air_c)}.")
    means = np.convolve(air_c.mean(1), np.ones(days) / days, mode="valid")
    first = int(np.argmax(means))
    return slice(first, first + days)
