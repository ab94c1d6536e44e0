"""Hours of sun and air on the clock of ticks: what a weather file says of each five minutes.

Within an hour sunlight follows a clear sky, so that the clearness is constant and there is none
while the sun is down; the mean of the hour is the file's, exactly. Light in an hour in which the
sun does not rise, or hardly, lies evenly over its twilight. Air is linear between the middles of
the hours.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.signals.market import DT_S
from vpp_envs.signals.readers.weather_hours import (
    HALF_HOUR,
    HOUR,
    SLOTS,
    WeatherHours,
    slots_of,
    without_leap_day,
)
from vpp_envs.signals.sunlight import Sun, Sunlight, clear_sky_w_per_m2

_TICKS_PER_HOUR = 3600 // DT_S
_HARDLY_W_PER_M2 = 1e-3  # mean of a clear sky over an hour, below which the sun hardly rises
_TWILIGHT_UP = -0.10453  # sine of the elevation to which civil twilight lasts, -6 degrees


class TickWeather(NamedTuple):
    """Sun and air of every tick, float64."""

    air_c: Tensor  # in the middle of the tick, (T,) [C]
    light: Sunlight  # means of the tick, (T, 1)
    sun: Sun  # in the middle of the tick, (T,)


def tick_weather(
    hours: WeatherHours, calendar: str | None, start_utc: np.datetime64, ticks: int
) -> TickWeather:
    """Lay the hours of a file on ticks.

    Args:
        hours: As read.
        calendar: "typical_year": month, day and hour of the file's own clock serve any year, and 29
            February has the hours of the 28th; none: the file's hours are those of its years.
        start_utc: Start of the first five-minute tick.
        ticks: Number of ticks T.
    """
    starts = start_utc.astype("datetime64[s]") + np.timedelta64(DT_S, "s") * np.arange(ticks)
    # Hours of the file's clock that the ticks touch, and one on either side for the air.
    into_hour = hours.start_utc[0].astype(np.int64) % 3600
    first, last = ((starts[[0, -1]].astype(np.int64) - into_hour) // 3600).tolist()
    number = np.arange(first - 1, last + 2)
    hour_utc = (3600 * number + into_hour).astype("datetime64[s]")
    row = _rows(hours, calendar, hour_utc)
    middles = starts + np.timedelta64(DT_S // 2, "s")
    air_c = np.interp(
        middles.astype(np.int64), (hour_utc + HALF_HOUR).astype(np.int64), hours.air_c[row]
    )
    # Whole hours, so that a market that begins within one has its share of it.
    within = hour_utc.repeat(_TICKS_PER_HOUR) + np.timedelta64(DT_S, "s") * (
        np.arange(len(hour_utc) * _TICKS_PER_HOUR) % _TICKS_PER_HOUR
    )
    sun = sun_at(within + np.timedelta64(DT_S // 2, "s"), hours.latitude_deg, hours.longitude_deg)
    skip = int((starts[0] - within[0]).astype(np.int64)) // DT_S
    kept = slice(skip, skip + ticks)
    light = light_of(hours, row, sun)
    return TickWeather(
        torch.from_numpy(air_c),
        Sunlight(*(part[kept].unsqueeze(-1) for part in light)),
        Sun(*(part[kept] for part in sun)),
    )


def sun_at(utc: np.ndarray, latitude_deg: float, longitude_deg: float) -> Sun:
    """Return the position of the sun by NREL's algorithm, as pvlib has it, with refraction.

    The beam of a file was computed with it: with `sunlight.sun_position`, which is up to 1.4
    degrees off, beam and diffuse would not add up to the global sunlight of the file.

    Args:
        utc: Instants, (T,) datetime64[s].
        latitude_deg: North positive. [deg]
        longitude_deg: East positive. [deg]
    """
    from pvlib import irradiance, solarposition

    stamps = pd.DatetimeIndex(utc).tz_localize("UTC")
    position = solarposition.get_solarposition(stamps, latitude_deg, longitude_deg)
    elevation, azimuth = np.radians(position[["apparent_elevation", "azimuth"]].to_numpy()).T
    extra = irradiance.get_extra_radiation(stamps.day_of_year.to_numpy())
    level = np.cos(elevation)
    parts = level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation), extra
    return Sun(*(torch.from_numpy(np.ascontiguousarray(part, dtype=np.float64)) for part in parts))


def light_of(hours: WeatherHours, row: np.ndarray, sun: Sun) -> Sunlight:
    """Spread the light of hours over their ticks, (12 H,) each.

    Args:
        hours: As read.
        row: Which of them, (H,) int64.
        sun: In the middle of each tick, (12 H,).
    """
    clear = clear_sky_w_per_m2(sun.up)
    clear_beam = clear / sun.up.clamp(min=1e-6)
    of_hour = clear.reshape(len(row), -1).mean(-1).repeat_interleave(_TICKS_PER_HOUR)
    twilight = (sun.up > _TWILIGHT_UP).to(torch.float64)
    rises = of_hour > _HARDLY_W_PER_M2
    clear, clear_beam = (torch.where(rises, one, twilight) for one in (clear, clear_beam))
    told = hours.ghi_w_per_m2, hours.dni_w_per_m2, hours.dhi_w_per_m2
    shapes = clear, clear_beam, clear
    return Sunlight(
        *(
            spread(torch.from_numpy(mean[row]), shape)
            for mean, shape in zip(told, shapes, strict=True)
        )
    )


def spread(hour_mean: Tensor, shape: Tensor) -> Tensor:
    """Spread the means of hours over their parts in proportion to a shape, evenly where it is 0.

    Args:
        hour_mean: (H,).
        shape: Not negative, (P H,).

    Returns:
        As the shape; the mean over an hour's parts is that of the hour.
    """
    parts = shape.reshape(len(hour_mean), -1)
    mean = parts.mean(-1, keepdim=True)
    # What is next to nothing is no shape, and would be divided by.
    share = torch.where(mean > 1e-9, parts / mean.clamp(min=1e-9), 1.0)
    return (hour_mean.unsqueeze(-1) * share).flatten()


def _rows(hours: WeatherHours, calendar: str | None, hour_utc: np.ndarray) -> np.ndarray:
    """Which of a file's hours each hour has, (H,); none of its own: the nearest of the file."""
    if calendar is None:
        index = ((hour_utc - hours.start_utc[0]) // HOUR).astype(np.int64)
        rows: np.ndarray = index.clip(0, len(hours.start_utc) - 1)
        return rows
    row_of_slot = np.zeros(SLOTS, dtype=np.int64)
    row_of_slot[hours.slot] = np.arange(len(hours.slot))
    rows = row_of_slot[without_leap_day(slots_of(hour_utc + hours.offset))]
    return rows
