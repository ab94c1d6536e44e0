"""Synthetic weather: sun, clouds and warmth of a region, and what rooftop panels make of them.

Clouds: each archetype stands under a cell with its own clear-sky index. Its state is clear,
partly cloudy or overcast; within a state the index is an AR(1) series. The state follows a
latent score: one part drifts from day to day, others hold for hours until drawn anew by chance,
which is a Markov chain that needs no recursion. Region-wide parts carry 60 % of the variance of
score and index, the cell's own the rest. Everything is keyed by the tick since 1970 with a
finite memory (see `recursion`): a table of ten days equals these days in a table of a year.

Temperature: seasonal and daily sinusoids around the climate's mean, plus an AR(1) deviation from
day to day, interpolated between noons. Clouds and warmth are independent of each other and of
prices: a simplification. Wind is a constant 1 m/s at the panels: roofs are sheltered.
"""

import difflib
import math
import zlib
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.devices.solar import (
    ROOF_MOUNTED,
    cell_temperature_c,
    dc_power_pu,
    inverter_ac_pu,
)
from vpp_envs.errors import InputError
from vpp_envs.random import Purpose, normal
from vpp_envs.signals.sunlight import (
    Sun,
    Sunlight,
    clear_sky_w_per_m2,
    on_tilted_plane,
    solar_hour,
    split_sunlight,
    sun_position,
)
from vpp_envs.signals.synthetic.recursion import (
    TICKS_PER_DAY,
    autoregressive,
    hold,
    tick_of,
)
from vpp_envs.signals.synthetic.strata import strata


class Climate(NamedTuple):
    """Where a region's homes are, and its averages: rounded, an assumption to be configured."""

    latitude_deg: float
    longitude_deg: float
    mean_c: float  # annual mean temperature [C]
    season_c: float  # half the range of the seasons [K]
    day_c: float  # half the range of a day [K]
    spread_c: float  # standard deviation from day to day [K]
    summer_index: float  # share of clear-sky sunlight that reaches the ground in midsummer
    winter_index: float  # the same in midwinter


# Set so that a year's sunlight on the horizontal is that of each region's largest city: 4.8, 4.2,
# 4.6, 5.2 and 3.8 kWh/m2 a day (Bureau of Meteorology, all years, as quoted on
# energy-without-carbon.org) and 4.86 (Austin, typical year TMY3 of Camp Mabry, from which the
# variation from day to day is taken too). Split by season and temperatures: rounded, assumed.
# CAISO is Sacramento, from its typical year (TMY3, Executive Airport: 4.95 kWh/m2 a day; winter is
# sunnier here than there, since its spring is as clear as its summer). NL is Utrecht: temperatures
# of 1981 to 2010 (CBS 80182ned); June to August 206 W/m2, the national mean of 1991 to 2020 (KNMI);
# its winter index is assumed.
CLIMATES = {
    "SA1": Climate(-34.93, 138.60, 17.0, 6.0, 5.0, 3.2, 0.86, 0.71),
    "VIC1": Climate(-37.81, 144.96, 15.5, 5.2, 4.8, 3.2, 0.79, 0.66),
    "NSW1": Climate(-33.87, 151.21, 18.0, 5.2, 4.2, 2.5, 0.73, 0.77),
    "QLD1": Climate(-27.47, 153.03, 20.8, 5.0, 5.0, 2.0, 0.76, 0.85),
    "TAS1": Climate(-42.88, 147.33, 13.0, 4.4, 4.5, 2.8, 0.73, 0.72),
    "ERCOT": Climate(30.27, -97.74, 20.0, 9.7, 4.6, 4.0, 0.79, 0.75),
    "CAISO": Climate(38.51, -121.49, 15.9, 8.0, 6.7, 2.6, 0.89, 0.78),
    "NL": Climate(52.10, 5.18, 10.1, 7.0, 4.0, 3.5, 0.64, 0.52),
}

REGION_SHARE = 0.60  # of the variance of score and index, common to all cells
DAILY_SHARE = 0.90  # of the region-wide score, from day to day; the rest lasts hours
CLOUD_DAY_DECAY = 0.65  # correlation of the score between noons a day apart
WARMTH_DAY_DECAY = 0.7  # the same of the warmth
RENEWAL = 1.0 / 36.0  # chance per tick that an hours part is drawn anew: it lasts 3 h
INDEX_DECAY = 0.97**5  # 0.97 a minute
PARTLY_SHARE = 0.30  # of time partly cloudy
STATE_MEANS = (0.98, 0.70, 0.30)  # clear-sky index when clear, partly cloudy, overcast
STATE_DEVIATIONS = (0.03, 0.20, 0.10)
# Doublings of memory: enough for each process to have forgotten its start (below 1e-4).
_INDEX_MEMORY, _RENEWAL_MEMORY, _DAY_MEMORY = 6, 9, 5


class SolarArchetypes(NamedTuple):
    """How K kinds of rooftop system are built; kind k stands under cloud cell k."""

    tilt_deg: Tensor  # 0 flat, (K,) [deg]
    azimuth_deg: Tensor  # where panels face, clockwise from north, (K,) [deg]
    dc_ac_ratio: Tensor  # DC rating of panels over AC rating of inverter, (K,)


def climate_of(region: str) -> Climate:
    """Return a region's climate.

    Raises:
        InputError: No such region is known.
    """
    if region in CLIMATES:
        return CLIMATES[region]
    close = difflib.get_close_matches(region.upper(), CLIMATES, n=1)
    nearest = f"set market.climate to the nearest of {', '.join(CLIMATES)}."
    hint = f"did you mean '{close[0]}'?" if close else nearest
    raise InputError(f"no weather is known for region '{region}'; {hint}")


def solar_archetypes(latitude_deg: float, count: int) -> SolarArchetypes:
    """Spread K archetypes evenly over the ways that rooftop systems are built.

    Tilt N(20, 7) degrees, DC/AC ratio N(1.20, 0.10) within 1.0 to 1.5; facing the equator 45 %,
    the west of it 30 %, the east of it 20 %, elsewhere 5 %. Strata instead of draws: an archetype
    is the same system whatever the seed, and equal shares of a fleet on each archetype give
    these distributions.

    Args:
        latitude_deg: Panels face south in the north and north in the south. [deg]
        count: Number of archetypes K.
    """
    compass = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    tilt = torch.special.ndtri(strata(count, (math.sqrt(5.0) - 1.0) / 2.0))
    ratio = torch.special.ndtri(strata(count, math.sqrt(3.0) - 1.0))
    south = 157.5 + 45.0 * compass / 0.45
    west = 202.5 + 90.0 * (compass - 0.45) / 0.30
    east = 67.5 + 90.0 * (compass - 0.75) / 0.20
    elsewhere = 292.5 + 135.0 * (compass - 0.95) / 0.05
    azimuth = torch.where(compass < 0.45, south, west)
    azimuth = torch.where(compass < 0.75, azimuth, east)
    azimuth = torch.where(compass < 0.95, azimuth, elsewhere)
    return SolarArchetypes(
        tilt_deg=(20.0 + 7.0 * tilt).clamp(0.0, 45.0),
        azimuth_deg=(azimuth if latitude_deg > 0 else 180.0 - azimuth) % 360.0,
        dc_ac_ratio=(1.20 + 0.10 * ratio).clamp(1.0, 1.5),
    )


def solar_table(
    region: str, start_utc: np.datetime64, ticks: int, seed: int, archetypes: int = 24
) -> Tensor:
    """Tabulate what rooftop systems of a region can feed in.

    Args:
        region: A key of `CLIMATES`.
        start_utc: Start of the first five-minute tick, UTC.
        ticks: Number of ticks T.
        seed: Names the weather.
        archetypes: Number of kinds of system K, see `solar_archetypes`.

    Returns:
        AC power, (T, K) float32. [0 to 1, per unit of AC rating]

    Raises:
        InputError: An unknown region, or a start off the five-minute clock.
    """
    climate = climate_of(region)
    first = tick_of(start_utc)
    systems = solar_archetypes(climate.latitude_deg, archetypes)
    day_of_year, hour_utc = _calendar(first, ticks)
    sun = sun_position(day_of_year, hour_utc, climate.latitude_deg, climate.longitude_deg)
    index = clear_sky_index(region, start_utc, ticks, seed, archetypes)
    light = split_sunlight(clear_sky_w_per_m2(sun.up).unsqueeze(-1) * index, sun)
    air_c = temperature_c(region, start_utc, ticks, seed).to(torch.float64)
    return panels_pu(light, sun, air_c, systems)


def panels_pu(light: Sunlight, sun: Sun, air_c: Tensor, systems: SolarArchetypes) -> Tensor:
    """Return what rooftop systems can feed in under a sky.

    Args:
        light: Sunlight on the ground, (T, K), or (T, 1) where all are under the same sky.
        sun: Position of the sun, (T,).
        air_c: Air temperature, (T,) float64. [C]
        systems: How they are built, (K,).

    Returns:
        AC power, (T, K) float32. [0 to 1, per unit of AC rating]
    """
    plane = on_tilted_plane(light, sun, systems.tilt_deg, systems.azimuth_deg)
    wind_m_per_s = torch.ones((), dtype=torch.float64)
    cell_c = cell_temperature_c(plane, air_c.unsqueeze(-1), wind_m_per_s, ROOF_MOUNTED)
    dc_pu = dc_power_pu(plane, cell_c, -0.0035)
    return inverter_ac_pu(dc_pu, systems.dc_ac_ratio).to(torch.float32)


def temperature_c(region: str, start_utc: np.datetime64, ticks: int, seed: int) -> Tensor:
    """Tabulate the air temperature of a region; arguments and errors as in `solar_table`.

    Returns:
        Air temperature, (T,) float32. [C]
    """
    climate = climate_of(region)
    first = tick_of(start_utc)
    day_of_year, hour_utc = _calendar(first, ticks)
    hour = solar_hour(day_of_year, hour_utc, climate.longitude_deg)
    season = climate.season_c * summer_of(climate.latitude_deg, day_of_year)
    # Warmest three hours after noon.
    daily = climate.day_c * torch.cos(2.0 * math.pi * (hour - 15.0) / 24.0)
    words = (seed, zlib.crc32(region.encode()), Purpose.TEMPERATURE)
    weather = climate.spread_c * _day_to_day(climate, first, ticks, words, WARMTH_DAY_DECAY)
    return (climate.mean_c + season + daily + weather).to(torch.float32)


def horizontal_w_per_m2(region: str, start_utc: np.datetime64, ticks: int, seed: int) -> Tensor:
    """Tabulate the sunlight on the horizontal over a region; arguments and errors as above.

    Returns:
        Mean under eight cloud cells, (T,) float32. [W/m2]
    """
    climate = climate_of(region)
    day_of_year, hour_utc = _calendar(tick_of(start_utc), ticks)
    sun = sun_position(day_of_year, hour_utc, climate.latitude_deg, climate.longitude_deg)
    index = clear_sky_index(region, start_utc, ticks, seed, 8).mean(-1)
    return (clear_sky_w_per_m2(sun.up) * index).to(torch.float32)


def mains_of(latitude_deg: float, mean_c: float, season_c: float, day_of_year: Tensor) -> Tensor:
    """Temperature of cold water: of the ground, with half the air's seasons a month later. [C]

    An assumption, about what the Building America correlation gives for mild climates.

    Args:
        latitude_deg: North positive. [deg]
        mean_c: Annual mean of the air. [C]
        season_c: Half the range of its seasons. [K]
        day_of_year: (T,).

    Returns:
        (T,) float32.
    """
    seasons = summer_of(latitude_deg, day_of_year.to(torch.float64) - 35.0)
    return (mean_c + 1.0 + 0.5 * season_c * seasons).to(torch.float32)


def clear_sky_index(
    region: str, start_utc: np.datetime64, ticks: int, seed: int, cells: int
) -> Tensor:
    """Tabulate the share of clear-sky sunlight that reaches the ground.

    Arguments and errors as in `solar_table`, with a column per cloud cell.

    Returns:
        Clear-sky index, (T, K) float64. [0.05 to 1.1]
    """
    climate = climate_of(region)
    first = tick_of(start_utc)
    place = zlib.crc32(region.encode())
    day_of_year, _ = _calendar(first, ticks)
    clear_share = _clear_share(climate, day_of_year)
    clear_below = torch.special.ndtri(clear_share).unsqueeze(-1)
    overcast_above = torch.special.ndtri(clear_share + PARTLY_SHARE).unsqueeze(-1)
    score = _cloud_score(climate, first, ticks, (seed, place), cells)
    state = (score > clear_below).to(torch.int64) + (score > overcast_above).to(torch.int64)
    noise = _draws(first, ticks, _INDEX_MEMORY, cells, (seed, place, Purpose.CLOUD))
    series = autoregressive(noise, INDEX_DECAY, _INDEX_MEMORY)
    within = _blend(series[:, :1], series[:, 1:])
    means = torch.tensor(STATE_MEANS, dtype=torch.float64)
    deviations = torch.tensor(STATE_DEVIATIONS, dtype=torch.float64)
    return (means[state] + deviations[state] * within).clamp(0.05, 1.1)


def _cloud_score(
    climate: Climate, first: int, ticks: int, words: tuple[int, int], cells: int
) -> Tensor:
    """Return the standard normal scores behind the cloud states, cloudier upwards, (T, K)."""
    fresh = _draws(first, ticks, _RENEWAL_MEMORY, cells, (*words, Purpose.CLOUD_SCORE))
    chance = _draws(first, ticks, _RENEWAL_MEMORY, cells, (*words, Purpose.CLOUD_RENEWAL))
    hours = hold(fresh, chance < NormalDist().inv_cdf(RENEWAL), _RENEWAL_MEMORY)
    day_words = (*words, Purpose.CLOUD_DAY)
    days = _day_to_day(climate, first, ticks, day_words, CLOUD_DAY_DECAY).unsqueeze(-1)
    region_wide = math.sqrt(DAILY_SHARE) * days + math.sqrt(1.0 - DAILY_SHARE) * hours[:, :1]
    return _blend(region_wide, hours[:, 1:])


def _clear_share(climate: Climate, day_of_year: Tensor) -> Tensor:
    """Return the share of time with a clear sky that gives the season's mean index, (T,)."""
    middle = (climate.summer_index + climate.winter_index) / 2.0
    swing = (climate.summer_index - climate.winter_index) / 2.0
    mean_index = middle + swing * summer_of(climate.latitude_deg, day_of_year)
    clear, partly, overcast = STATE_MEANS
    never_clear = overcast + PARTLY_SHARE * (partly - overcast)
    return (mean_index - never_clear) / (clear - overcast)


def _blend(shared: Tensor, own: Tensor) -> Tensor:
    """Mix a region-wide (T, 1) and the cells' own (T, K) standard normals into (T, K)."""
    return math.sqrt(REGION_SHARE) * shared + math.sqrt(1.0 - REGION_SHARE) * own


def _day_to_day(
    climate: Climate, first: int, ticks: int, words: tuple[int, int, int], decay: float
) -> Tensor:
    """Return a standard normal AR(1) series of days, interpolated between local noons, (T,)."""
    seed, place, purpose = words
    noon_utc = round(TICKS_PER_DAY * (0.5 - climate.longitude_deg / 360.0))
    since_noon = torch.arange(first, first + ticks) - noon_utc
    day = since_noon // TICKS_PER_DAY
    share = (since_noon % TICKS_PER_DAY).to(torch.float64) / TICKS_PER_DAY
    first_day, last_day = int(day[0]), int(day[-1]) + 1
    known = torch.arange(first_day - 2**_DAY_MEMORY + 1, last_day + 1)
    knots = autoregressive(normal(seed, place, 0, known, purpose), decay, _DAY_MEMORY)
    before, after = knots[day - first_day], knots[day - first_day + 1]
    rest = 1.0 - share
    deviation = torch.sqrt(rest * rest + share * share + 2.0 * decay * rest * share)
    return (rest * before + share * after) / deviation


def _draws(
    first: int, ticks: int, doublings: int, cells: int, words: tuple[int, int, int]
) -> Tensor:
    """Draw normals for M - 1 ticks of memory and T ticks, region-wide first, (M - 1 + T, 1 + K)."""
    seed, place, purpose = words
    tick = torch.arange(first - 2**doublings + 1, first + ticks).unsqueeze(-1)
    return normal(seed, place, torch.arange(1 + cells), tick, purpose)


def summer_of(latitude_deg: float, day_of_year: Tensor) -> Tensor:
    """Return 1 in midsummer and -1 in midwinter, a month after the solstices.

    Args:
        latitude_deg: North positive. [deg]
        day_of_year: From 1, (T,).
    """
    midsummer = 202.0 if latitude_deg > 0 else 20.0
    phase: Tensor = 2.0 * math.pi * (day_of_year - midsummer) / 365.25
    return torch.cos(phase)


def _calendar(first: int, ticks: int) -> tuple[Tensor, Tensor]:
    """Return day of the year (from 1) and UTC hour at the middle of each tick, (T,) each."""
    tick = np.arange(first, first + ticks)
    days = (tick // TICKS_PER_DAY).astype("datetime64[D]")
    new_year = days.astype("datetime64[Y]").astype("datetime64[D]")
    day_of_year = 1.0 + (days - new_year).astype(np.float64)
    hour_utc = (tick % TICKS_PER_DAY + 0.5) * 24.0 / TICKS_PER_DAY
    return torch.from_numpy(day_of_year), torch.from_numpy(hour_utc)
