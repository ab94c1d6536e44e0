"""Loads, taps and cars beside those that are real: numbers and curves of each series."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vpp_rl.evaluation.load_shapes import (
    clock_share,
    clock_spread,
    coincidence_factor,
    daily_kwh,
    likeness,
    load_duration,
    load_factor,
    mean_day,
    peak_hour,
    spread,
    typical_day,
)
from vpp_rl.evaluation.measured_shapes import (
    Homes,
    Sessions,
    Taps,
)
from vpp_rl.evaluation.statistics import FloatArray

_FEEDER = 50  # homes behind one transformer or two
_SHARES = np.linspace(0.0, 1.0, 51)

Numbers = dict[str, float]  # by quantity, its unit behind a comma


class Panel(NamedTuple):
    """Curves over one axis."""

    title: str
    x_title: str
    y_title: str
    x: FloatArray  # (P,)
    lines: dict[str, FloatArray]  # by series, (P,) each


class Part(NamedTuple):
    """One comparison: all series side by side."""

    name: str  # short, for files
    title: str
    numbers: dict[str, Numbers]  # by series, the real one first
    panels: tuple[Panel, ...]


def homes_part(name: str, title: str, series: Sequence[Homes]) -> Part:
    """Compare loads of homes with those of the first series.

    Args:
        name: Of the part.
        title: Of the part.
        series: All with as many slots a day.
    """
    real = series[0]
    together = {homes.name: mean_day(homes.days_kw) for homes in series}
    typical = {homes.name: typical_day(homes.days_kw) for homes in series}
    numbers = {}
    for homes in series:
        day, there = together[homes.name], homes.power_kw.shape[1]
        of_day = spread(daily_kwh(homes.days_kw))
        numbers[homes.name] = {
            "homes": float(there),
            "kWh a day, mean": of_day.mean,
            "kWh a day, p10": of_day.p10,
            "kWh a day, median": of_day.median,
            "kWh a day, p90": of_day.p90,
            "homes together, peak of the mean day, h": peak_hour(day),
            "homes together, load factor of the mean day": load_factor(day),
            **_coincidence(homes, real.power_kw.shape[1]),
            **likeness_of(day, together[real.name], homes is real, "homes together, "),
            "typical day, peak h": peak_hour(typical[homes.name]),
            **likeness_of(typical[homes.name], typical[real.name], homes is real, "typical day, "),
        }
    hours = np.arange(real.slots) * 24.0 / real.slots
    panels = (
        Panel(
            f"{title}: typical day",
            "hour",
            "over its mean",
            hours,
            typical,
        ),
        Panel(
            f"{title}: load duration of the homes together",
            "share of time",
            "over its mean",
            _SHARES,
            {homes.name: load_duration(homes.power_kw, len(_SHARES)) for homes in series},
        ),
        Panel(
            f"{title}: energy of a home's day",
            "share of days with less",
            "kWh",
            _SHARES[1:-1],
            {homes.name: np.quantile(daily_kwh(homes.days_kw), _SHARES[1:-1]) for homes in series},
        ),
    )
    return Part(name, title, numbers, panels)


def _coincidence(homes: Homes, real: int) -> Numbers:
    """Of groups as large as the real one, and of a feeder where there are so many."""
    there = homes.power_kw.shape[1]
    return {
        f"coincidence of {size} homes": coincidence_factor(homes.power_kw, size)
        if size <= there
        else np.nan
        for size in (real, _FEEDER)
    }


def likeness_of(curve: FloatArray, real: FloatArray, itself: bool, what: str) -> Numbers:
    """How alike a curve is to the real one; nothing of the real one itself.

    Args:
        curve: (S,).
        real: (S,).
        itself: Whether the curve is the real one.
        what: Before the words of the quantities.
    """
    correlation, rmse = (np.nan, np.nan) if itself else likeness(curve, real)
    return {f"{what}correlation": correlation, f"{what}RMSE over the mean": rmse}


def taps_part(series: Sequence[Taps]) -> Part:
    """Compare draws of hot water with those of the first series."""
    shares = {one.name: one.litres.sum((0, 2)) / one.litres.sum() for one in series}
    numbers, real = {}, series[0]
    for one in series:
        daily = one.litres.sum(1)
        of_day = spread(daily.ravel())
        numbers[one.name] = {
            "homes": float(daily.shape[1]),
            "litres a day, mean": of_day.mean,
            "litres a day, p10": of_day.p10,
            "litres a day, median": of_day.median,
            "litres a day, p90": of_day.p90,
            "deviation of a home's days over its mean": float(
                (daily.std(0) / daily.mean(0)).mean()
            ),
            "days without a draw, %": 100.0 * float((daily == 0).mean()),
            "peak hour": peak_hour(shares[one.name]),
            **likeness_of(
                shares[one.name], shares[real.name], one is real, "shares of the hours, "
            ),
        }
    levels = _SHARES[1:-1]
    panels = (
        Panel(
            "Hot water: share of a day's litres in each hour",
            "hour",
            "%",
            np.arange(24.0),
            {key: 100.0 * share for key, share in shares.items()},
        ),
        Panel(
            "Hot water: litres of a home's day",
            "share of days with less",
            "litres",
            levels,
            {one.name: np.quantile(one.litres.sum(1), levels) for one in series},
        ),
    )
    return Part("hot_water", "Hot water", numbers, panels)


def cars_part(series: Sequence[Sessions]) -> Part:
    """Compare charging sessions with those of the first series."""
    real = clock_share(series[0].arrival_h)
    numbers = {}
    for one in series:
        came, left = clock_spread(one.arrival_h), clock_spread(one.departure_h)
        stay, energy = spread(one.stay_h), spread(one.energy_kwh)
        numbers[one.name] = {
            "sessions": float(len(one.stay_h)),
            "sessions of a car a week": one.per_week,
            "plug-in, mean h": came.mean_h,
            "plug-in, deviation h": came.deviation_h,
            "departure, mean h": left.mean_h,
            "departure, deviation h": left.deviation_h,
            **{f"stay, {key} h": value for key, value in stay._asdict().items()},
            **{f"kWh a session, {key}": value for key, value in energy._asdict().items()},
            **likeness_of(clock_share(one.arrival_h), real, one is series[0], "plug-ins by hour, "),
        }
    hours, levels = np.arange(24.0), _SHARES[1:-1]
    clocks = [
        Panel(
            f"Cars: {what} by hour",
            "hour",
            "% of sessions",
            hours,
            {one.name: 100.0 * clock_share(getattr(one, field)) for one in series},
        )
        for what, field in (("plug-ins", "arrival_h"), ("departures", "departure_h"))
    ]
    spreads = [
        Panel(
            f"Cars: {what}",
            "share of sessions with less",
            unit,
            levels,
            {one.name: np.quantile(getattr(one, field), levels) for one in series},
        )
        for what, field, unit in (
            ("length of a stay", "stay_h", "h"),
            ("energy of a session", "energy_kwh", "kWh"),
        )
    ]
    return Part("cars", "Cars", numbers, (*clocks, *spreads))
