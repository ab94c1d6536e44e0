"""Sun, sky and tilted planes, by geometry that one can check by hand."""

import math

import pytest
import torch
from torch import tensor

from vpp_envs.signals.sunlight import (
    Sun,
    Sunlight,
    clear_sky_w_per_m2,
    on_tilted_plane,
    solar_hour,
    split_sunlight,
    sun_position,
)

MARCH_EQUINOX, JUNE_SOLSTICE = 81.0, 172.0


def double(*values: float) -> torch.Tensor:
    return tensor(values, dtype=torch.float64)


def noon_sun(day: float, latitude_deg: float) -> Sun:
    late_h = solar_hour(double(day), double(12.0), 0.0) - 12.0
    return sun_position(double(day), 12.0 - late_h, latitude_deg, 0.0)


def test_sun_stands_overhead_at_the_equator_at_the_equinox():
    sun = noon_sun(MARCH_EQUINOX, 0.0)
    assert sun.up.item() == pytest.approx(1.0, abs=1e-3)


def test_midsummer_noon_elevation_is_90_less_latitude_plus_23_45():
    sun = noon_sun(JUNE_SOLSTICE, 50.0)
    assert math.degrees(math.asin(sun.up.item())) == pytest.approx(90 - 50 + 23.45, abs=0.1)


def test_noon_sun_is_north_of_adelaide_and_south_of_austin():
    assert noon_sun(JUNE_SOLSTICE, -34.93).north.item() > 0.8
    assert noon_sun(JUNE_SOLSTICE, 30.27).north.item() < 0.0


def test_morning_sun_is_in_the_east_and_the_vector_has_length_one():
    sun = sun_position(double(100.0), double(8.0), 40.0, 0.0)
    assert sun.east.item() > 0.5
    length = sun.east**2 + sun.north**2 + sun.up**2
    assert length.item() == pytest.approx(1.0, abs=1e-12)


def test_15_degrees_east_are_an_hour_earlier():
    east = solar_hour(double(50.0), double(10.0), 15.0)
    here = solar_hour(double(50.0), double(10.0), 0.0)
    assert (east - here).item() == pytest.approx(1.0)


def test_clear_sky_with_the_sun_overhead_gives_1035_w_and_the_night_nothing():
    assert clear_sky_w_per_m2(double(1.0)).item() == pytest.approx(1098 * math.exp(-0.059))
    assert clear_sky_w_per_m2(double(0.0, -0.5)).tolist() == [0.0, 0.0]


def test_beam_and_diffuse_add_up_to_global():
    sun = sun_position(double(*[200.0] * 24), torch.arange(24).double(), 45.0, 0.0)
    light = split_sunlight((clear_sky_w_per_m2(sun.up) * 0.8).unsqueeze(-1), sun)
    up = sun.up.clamp(min=0.0).unsqueeze(-1)
    total = light.beam_w_per_m2 * up + light.diffuse_w_per_m2
    assert torch.allclose(total, light.global_w_per_m2)
    assert light.beam_w_per_m2.min().item() == 0.0


def test_an_overcast_sky_is_nearly_all_diffuse():
    sun = noon_sun(JUNE_SOLSTICE, 40.0)
    light = split_sunlight(double(200.0).unsqueeze(-1), sun)
    # Clearness below 0.22: 1 - 0.09 k of it is diffuse.
    assert light.diffuse_w_per_m2.item() > 0.98 * 200.0


def test_a_flat_panel_sees_the_global_sunlight():
    sun = noon_sun(100.0, 30.0)
    light = split_sunlight(double(700.0).unsqueeze(-1), sun)
    assert on_tilted_plane(light, sun, double(0.0), double(0.0)).item() == pytest.approx(700.0)


def test_an_upright_panel_facing_away_sees_half_the_sky_and_a_tenth_of_the_ground():
    sun = Sun(double(0.0), double(-0.6), double(0.8), double(1367.0))
    light = Sunlight(double(600.0), double(500.0), double(200.0))
    seen = on_tilted_plane(light, sun, double(90.0), double(0.0))
    assert seen.item() == pytest.approx(200.0 / 2 + 0.2 * 600.0 / 2)


def test_a_panel_that_faces_the_sun_sees_the_whole_beam():
    sun = Sun(double(0.0), double(-0.6), double(0.8), double(1367.0))
    light = Sunlight(double(0.0), double(500.0), double(0.0))
    tilt = double(math.degrees(math.acos(0.8)))
    assert on_tilted_plane(light, sun, tilt, double(180.0)).item() == pytest.approx(500.0)
