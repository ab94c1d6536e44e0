"""Sun and air over the homes of a scenario by tick, from a weather file or simulated."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.signals.hourly import TickWeather, tick_weather
from vpp_envs.signals.market import DT_S, MarketSignals
from vpp_envs.signals.readers.weather_file import read_weather
from vpp_envs.signals.readers.weather_hours import Covered, WeatherHours
from vpp_envs.signals.synthetic.weather import (
    climate_of,
    horizontal_w_per_m2,
    mains_of,
    panels_pu,
    solar_archetypes,
    solar_table,
    summer_of,
    temperature_c,
)
from vpp_envs.signals.weather_settings import WeatherSpec

_CLOCKS_APART_H = 3.0  # from which people are told


class Sky(NamedTuple):
    """Where sun and air of some ticks come from."""

    weather: WeatherSpec
    climate: str | None  # key of the simulated one; none: there is a file
    seed: int  # names the simulated weather
    start_utc: np.datetime64  # of the first tick
    ticks: int


def rooftop_pu(sky: Sky, archetypes: int) -> Tensor:
    """Tabulate what rooftop systems can feed in, under one sky where that is a file's.

    Args:
        sky: Where the weather comes from.
        archetypes: Number of kinds of system K, see `solar_archetypes`.

    Returns:
        AC power, (T, K) float32. [0 to 1, per unit of AC rating]

    Raises:
        InputError: An unknown climate, or a file that cannot be the weather.
    """
    if sky.climate is not None:
        return solar_table(sky.climate, sky.start_utc, sky.ticks, sky.seed, archetypes)
    hours, told = _told(sky)
    systems = solar_archetypes(hours.latitude_deg, archetypes)
    return panels_pu(told.light, told.sun, told.air_c, systems)


def outdoor_c(sky: Sky) -> Tensor:
    """Tabulate the outdoor air, (T,) float32; arguments and errors as in `rooftop_pu`. [C]"""
    if sky.climate is not None:
        return temperature_c(sky.climate, sky.start_utc, sky.ticks, sky.seed)
    return _told(sky)[1].air_c.to(torch.float32)


def sun_w_per_m2(sky: Sky) -> Tensor:
    """Tabulate the sunlight on the horizontal, (T,) float32; as in `rooftop_pu`. [W/m2]"""
    if sky.climate is not None:
        return horizontal_w_per_m2(sky.climate, sky.start_utc, sky.ticks, sky.seed)
    return _told(sky)[1].light.global_w_per_m2.squeeze(-1).to(torch.float32)


def mains_c(sky: Sky, day_of_year: Tensor) -> Tensor:
    """Tabulate the temperature of cold water, from the mean and the seasons of the air. [C]

    Args:
        sky: Where the weather comes from.
        day_of_year: (T,).

    Returns:
        (T,) float32.
    """
    if sky.climate is not None:
        climate = climate_of(sky.climate)
        return mains_of(climate.latitude_deg, climate.mean_c, climate.season_c, day_of_year)
    hours = _told(sky)[0]
    mean_c, season_c = seasons_of(hours)
    return mains_of(hours.latitude_deg, mean_c, season_c, day_of_year)


def seasons_of(hours: WeatherHours) -> tuple[float, float]:
    """Annual mean of a file's air and half the range of its seasons, by its first harmonic. [C]

    Args:
        hours: A whole year of them.
    """
    air_c, day_of_year = torch.from_numpy(hours.air_c), torch.from_numpy(hours.slot // 24 + 1.0)
    summer = summer_of(hours.latitude_deg, day_of_year)
    mean_c = air_c.mean()
    # A sinusoid's projection on itself is half.
    return float(mean_c), float(2.0 * ((air_c - mean_c) * summer).mean())


def weather_lines(weather: WeatherSpec, market: MarketSignals) -> tuple[str, ...]:
    """What to tell people of a weather file.

    Args:
        weather: Of the scenario.
        market: Whose clock and days count.
    """
    if weather.file is None:
        return ()
    hours, _ = _told(Sky(weather, None, 0, market.start_utc, market.clock_ticks))
    line = (
        f"weather of {hours.name}: {hours.latitude_deg:.2f}, {hours.longitude_deg:.2f}, "
        f"UTC{hours.utc_offset_h:+g}"
    )
    if weather.calendar is not None:
        line += ", a typical year that serves any"
    if hours.filled:
        line += f", {hours.filled} hours with values filled by {weather.fill}"
    first = market.local_time(torch.tensor([0]))
    of_market_h = (first.tz_localize(None)[0] - first.tz_convert(None)[0]).total_seconds() / 3600.0
    apart_h = (hours.utc_offset_h - of_market_h + 12.0) % 24.0 - 12.0
    if abs(apart_h) >= _CLOCKS_APART_H:
        line += f"; its clock is {apart_h:+g} h from the market's, so that noon is not at noon"
    return (line,)


def _told(sky: Sky) -> tuple[WeatherHours, TickWeather]:
    """What the file of a sky holds, as read and by tick."""
    return _laid(sky.weather, sky.start_utc, sky.ticks)


@lru_cache(maxsize=3)
def _laid(
    weather: WeatherSpec, start_utc: np.datetime64, ticks: int
) -> tuple[WeatherHours, TickWeather]:
    assert weather.file is not None
    end_utc = start_utc + np.timedelta64(DT_S * ticks, "s")
    days = Covered(start_utc, end_utc)
    hours = read_weather(weather.file, weather.fill, weather.calendar, days)
    return hours, tick_weather(hours, weather.calendar, start_utc, ticks)
