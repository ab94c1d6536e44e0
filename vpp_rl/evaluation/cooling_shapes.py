"""Simulated houses beside computed ones in one measured summer and its heat wave."""

from pathlib import Path

import numpy as np
import torch

from vpp_envs.signals.market import TICKS_PER_DAY
from vpp_envs.signals.synthetic.weather import temperature_c
from vpp_rl.evaluation.load_shapes import (
    hottest_days,
    line_above,
    load_factor,
    peak_hour,
)
from vpp_rl.evaluation.measured_shapes import (
    CooledHouses,
    texan_houses,
    texan_weather,
)
from vpp_rl.evaluation.shape_parts import Numbers, Panel, Part, likeness_of
from vpp_rl.evaluation.simulated_shapes import (
    simulated_houses,
)
from vpp_rl.evaluation.statistics import FloatArray

FIRST_SUMMER_DAY, SUMMER_DAYS = 151, 91  # from the first of June on, whole weeks
WAVE_DAYS = 5
COOLS_ABOVE_C = 24.0  # outdoor air above which machines are at work


def cooling_part(folder: Path, homes: int) -> Part:
    """Compare cooled houses in the same summer.

    Args:
        folder: Of the data.
        homes: To be simulated.
    """
    real = texan_houses(folder, FIRST_SUMMER_DAY, SUMMER_DAYS)
    weather = texan_weather(folder)
    ours, power_kw = simulated_houses(weather, FIRST_SUMMER_DAY, SUMMER_DAYS, homes)
    wave = hottest_days(real.air_c, WAVE_DAYS)
    synthetic = _synthetic_summer()
    of_wave = {one.name: one.cooling_kw[wave].mean((0, 2)) for one in (real, ours)}
    numbers = {
        one.name: {
            **_cooling(one, wave),
            "electricity, peak of the wave's mean day, kW a house": np.nan,
            "electricity, kW/K a house": np.nan,
            **likeness_of(
                of_wave[one.name], of_wave[real.name], one is real, "heat wave, mean day, "
            ),
            "hottest five days, mean air C": _hottest_c(one.air_c),
        }
        for one in (real, ours)
    }
    together_kw = power_kw.mean(2)
    numbers[ours.name] |= {
        "electricity, peak of the wave's mean day, kW a house": float(
            together_kw[wave].mean(0).max()
        ),
        "electricity, kW/K a house": line_above(
            ours.air_c.ravel(), together_kw.ravel(), COOLS_ABOVE_C
        ).slope,
    }
    numbers["simulated weather, Texas"] = {"hottest five days, mean air C": _hottest_c(synthetic)}
    return Part("cooling", "Cooling in a heat wave", numbers, _cooling_panels(real, ours, wave))


def _cooling(houses: CooledHouses, wave: slice) -> Numbers:
    """Numbers of the summer and of its heat wave."""
    together = houses.cooling_kw.mean(2)
    hourly = line_above(houses.air_c.ravel(), together.ravel(), COOLS_ABOVE_C)
    daily = line_above(houses.air_c.mean(1), together.mean(1), COOLS_ABOVE_C)
    day = together[wave].mean(0)
    return {
        "houses": float(houses.cooling_kw.shape[2]),
        "heat taken out, mean of the summer, kW a house": float(together.mean()),
        "slope by hours, kW/K a house": hourly.slope,
        "slope by hours over the mean, %/K": 100.0 * hourly.slope / float(together.mean()),
        "slope by days, kW/K a house": daily.slope,
        "slope by days over the mean, %/K": 100.0 * daily.slope / float(together.mean()),
        "no cooling below (by days), C": -daily.at_zero / daily.slope,
        "heat wave, peak hour": peak_hour(day),
        "heat wave, peak of the mean day, kW a house": float(day.max()),
        "heat wave, load factor of the mean day": load_factor(day),
    }


def _cooling_panels(real: CooledHouses, ours: CooledHouses, wave: slice) -> tuple[Panel, ...]:
    """Means by degree, the wave hour by hour, and its mean day."""
    air_c = real.air_c.ravel()
    degrees = np.arange(np.ceil(air_c.min()), np.floor(air_c.max()) + 1.0)
    near = np.abs(air_c[None, :] - degrees[:, None]) <= 0.5
    some = near.sum(1) >= 5
    near, degrees = near[some], degrees[some]
    flat = {one.name: one.cooling_kw.mean(2) for one in (real, ours)}
    in_wave = {name: kw[wave] for name, kw in flat.items()}
    hours = np.arange(WAVE_DAYS * 24.0)
    return (
        Panel(
            "Cooling: heat taken out of a house by outdoor air",
            "outdoor air, C",
            "kW",
            degrees,
            {name: near @ kw.ravel() / near.sum(1) for name, kw in flat.items()},
        ),
        Panel(
            "Cooling: the five hottest days",
            "hour",
            "kW",
            hours,
            {name: kw.ravel() for name, kw in in_wave.items()},
        ),
        Panel(
            "Cooling: mean day of the heat wave",
            "hour",
            "over its mean",
            np.arange(24.0),
            {name: kw.mean(0) / kw.mean() for name, kw in in_wave.items()},
        ),
    )


def _synthetic_summer() -> FloatArray:
    """Hourly air of a summer of the simulated weather of Texas, (D, 24). [C]"""
    start = np.datetime64("2024-06-01T06:00")
    ticks = SUMMER_DAYS * TICKS_PER_DAY
    air_c = temperature_c("ERCOT", start, ticks, 0).to(torch.float64)
    summer: FloatArray = air_c.reshape(SUMMER_DAYS, 24, 12).mean(2).numpy()
    return summer


def _hottest_c(air_c: FloatArray) -> float:
    """Mean air of the hottest days. [C]"""
    return float(air_c[hottest_days(air_c, WAVE_DAYS)].mean())
