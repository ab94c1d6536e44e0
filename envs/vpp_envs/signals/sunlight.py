"""Sunlight: where the sun stands, what a clear sky gives, what reaches a tilted panel.

Pure functions on float64 tensors. Directions are unit vectors (east, north, up), which
spares inverse trigonometry and its special cases.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Sun(NamedTuple):
    """Where the sun stands: a unit vector from the site, and its strength above the air, (T,)."""

    east: Tensor
    north: Tensor
    up: Tensor  # sine of the elevation, negative at night
    extraterrestrial_w_per_m2: Tensor  # on a plane that faces the sun [W/m2]


class Sunlight(NamedTuple):
    """Global sunlight on the ground, split by where it comes from, (T, K)."""

    global_w_per_m2: Tensor  # on the horizontal
    beam_w_per_m2: Tensor  # on a plane that faces the sun
    diffuse_w_per_m2: Tensor  # from the sky, on the horizontal


def sun_position(
    day_of_year: Tensor, hour_utc: Tensor, latitude_deg: float, longitude_deg: float
) -> Sun:
    """Return the position of the sun, within about a degree.

    P. I. Cooper, "The absorption of radiation in solar stills", Solar Energy 12(3), 1969, for
    the declination; J. A. Duffie and W. A. Beckman, "Solar Engineering of Thermal Processes",
    equations 1.4.1 and 1.5.3, for the extraterrestrial strength and the equation of time.

    Args:
        day_of_year: 1 on the first of January, (T,). [d]
        hour_utc: Time of day in UTC, (T,). [h]
        latitude_deg: North positive. [deg]
        longitude_deg: East positive. [deg]
    """
    latitude = math.radians(latitude_deg)
    declination = math.radians(23.45) * torch.sin(2.0 * math.pi * (284.0 + day_of_year) / 365.0)
    hour_angle = (solar_hour(day_of_year, hour_utc, longitude_deg) - 12.0) * (math.pi / 12.0)
    toward_noon = torch.cos(declination) * torch.cos(hour_angle)
    return Sun(
        east=-torch.cos(declination) * torch.sin(hour_angle),
        north=torch.sin(declination) * math.cos(latitude) - toward_noon * math.sin(latitude),
        up=torch.sin(declination) * math.sin(latitude) + toward_noon * math.cos(latitude),
        extraterrestrial_w_per_m2=1367.0
        * (1.0 + 0.033 * torch.cos(2.0 * math.pi * day_of_year / 365.0)),
    )


def solar_hour(day_of_year: Tensor, hour_utc: Tensor, longitude_deg: float) -> Tensor:
    """Return the time on a sundial: 12 when the sun stands highest, in hours, (T,)."""
    angle = 2.0 * math.pi * (day_of_year - 81.0) / 364.0
    equation_min = 9.87 * torch.sin(2.0 * angle) - 7.53 * torch.cos(angle) - 1.5 * torch.sin(angle)
    return hour_utc + longitude_deg / 15.0 + equation_min / 60.0


def clear_sky_w_per_m2(up: Tensor) -> Tensor:
    """Return the global sunlight under a clear sky on the horizontal in W/m2, 0 at night.

    B. Haurwitz, "Insolation in relation to cloudiness and cloud density", Journal of
    Meteorology 2, 1945, with the coefficients of Reno et al., SAND2012-2389, as in pvlib.

    Args:
        up: Sine of the sun's elevation, any shape.
    """
    above = up.clamp(min=1e-6)
    return torch.where(up > 0.0, 1098.0 * above * torch.exp(-0.059 / above), 0.0)


def split_sunlight(global_w_per_m2: Tensor, sun: Sun) -> Sunlight:
    """Split global sunlight into beam and diffuse.

    D. G. Erbs, S. A. Klein, J. A. Duffie, "Estimation of the diffuse radiation fraction for
    hourly, daily and monthly-average global radiation", Solar Energy 28(4), 1982, equation 1.

    Args:
        global_w_per_m2: On the horizontal, (T, K). [W/m2]
        sun: Position of the sun, (T,).
    """
    up = sun.up.unsqueeze(-1)
    outside = sun.extraterrestrial_w_per_m2.unsqueeze(-1) * up.clamp(min=0.065)
    clearness = (global_w_per_m2 / outside).clamp(max=1.0)
    middle = 0.9511 + clearness * (
        -0.1604 + clearness * (4.388 + clearness * (-16.638 + clearness * 12.336))
    )
    share = torch.where(clearness > 0.22, middle, 1.0 - 0.09 * clearness)
    share = torch.where(clearness > 0.80, 0.165, share)
    # Within 3 degrees of the horizon a division by the elevation exaggerates the beam.
    share = torch.where(up > 0.0523, share, 1.0)
    diffuse = share * global_w_per_m2
    beam = (global_w_per_m2 - diffuse) / up.clamp(min=0.0523)
    return Sunlight(global_w_per_m2, beam, diffuse)


def on_tilted_plane(light: Sunlight, sun: Sun, tilt_deg: Tensor, azimuth_deg: Tensor) -> Tensor:
    """Return the sunlight in the plane of panels: beam, isotropic sky and ground (albedo 0.2).

    B. Y. H. Liu and R. C. Jordan, "The long-term average performance of flat-plate
    solar-energy collectors", Solar Energy 7(2), 1963.

    Args:
        light: Sunlight on the ground, (T, K).
        sun: Position of the sun, (T,).
        tilt_deg: 0 flat, 90 upright, (K,). [deg]
        azimuth_deg: Where panels face, clockwise from north, (K,). [deg]

    Returns:
        Sunlight in the plane, (T, K). [W/m2]
    """
    tilt, azimuth = torch.deg2rad(tilt_deg), torch.deg2rad(azimuth_deg)
    facing_sun = (
        sun.east.unsqueeze(-1) * (torch.sin(tilt) * torch.sin(azimuth))
        + sun.north.unsqueeze(-1) * (torch.sin(tilt) * torch.cos(azimuth))
        + sun.up.unsqueeze(-1) * torch.cos(tilt)
    )
    sky = light.diffuse_w_per_m2 * ((1.0 + torch.cos(tilt)) / 2.0)
    ground = light.global_w_per_m2 * (0.2 * (1.0 - torch.cos(tilt)) / 2.0)
    return light.beam_w_per_m2 * facing_sun.clamp(min=0.0) + sky + ground
