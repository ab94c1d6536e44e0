"""Hours on ticks: energy is kept, the night is dark, clocks and calendars are right."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.signals.hourly import spread, sun_at, tick_weather
from vpp_envs.signals.readers.weather_file import read_weather
from vpp_envs.signals.sunlight import clear_sky_w_per_m2

pytest.importorskip("pvlib", reason="pvlib is in the extra `weather`")

NEW_YEAR_UTC = np.datetime64("2022-12-31T14:30")  # midnight at UTC+9.5
DAY, YEAR = 288, 8760 * 12


@pytest.fixture(scope="module")
def hours(weather_year, write_epw, tmp_path_factory):
    return read_weather(write_epw(tmp_path_factory.mktemp("weather") / "a.epw", weather_year()))


@pytest.fixture(scope="module")
def laid(hours):
    """The whole year of the file."""
    return tick_weather(hours, None, NEW_YEAR_UTC, YEAR)


@given(
    st.lists(st.floats(0.0, 1500.0), min_size=3, max_size=3),
    st.lists(st.floats(0.0, 1100.0), min_size=36, max_size=36),
)
def test_spreading_keeps_the_mean_of_every_hour(means, shape):
    hour_mean = torch.tensor(means, dtype=torch.float64)
    parts = spread(hour_mean, torch.tensor(shape, dtype=torch.float64)).reshape(3, 12)
    torch.testing.assert_close(parts.mean(-1), hour_mean, rtol=1e-12, atol=1e-12)
    assert (parts >= 0.0).all()


def test_every_hour_has_the_sunlight_of_the_file(hours, laid):
    for column, light in zip((1, 2, 3), range(3), strict=True):
        parts = laid.light[light].squeeze(-1).reshape(8760, 12)
        told = hours[column + 1]
        np.testing.assert_allclose(parts.mean(-1).numpy(), told, rtol=1e-12, atol=1e-12)


def test_a_row_that_ends_at_noon_is_the_hour_before_noon(hours, laid):
    # The file's thirteenth row (hour 12 of 1 January) holds 11:00 to 12:00 of its own clock.
    noon_tick = 12 * 12
    light = laid.light.global_w_per_m2.squeeze(-1)
    assert hours.start_utc[11] == np.datetime64("2023-01-01T01:30")
    assert light[noon_tick - 12 : noon_tick].mean().item() == pytest.approx(hours.ghi_w_per_m2[11])


def test_there_is_no_sunlight_while_the_sun_is_down(laid):
    """Only hours in which it hardly rises may have some, in their twilight."""
    up = laid.sun.up.reshape(8760, 12)
    light = laid.light.global_w_per_m2.reshape(8760, 12)
    rises = clear_sky_w_per_m2(up).mean(-1) > 1e-3
    assert light[rises][up[rises] <= 0.0].max() == 0.0
    assert light[~rises].max() < 1.0
    assert light[up < np.sin(np.radians(-6.0))].max() == 0.0


def test_beam_and_diffuse_add_up_to_the_global_sunlight(laid):
    # The test's sky has 0.25 of a clear one as diffuse and 0.5 as beam, by a sun 1.4 degrees off.
    summed = laid.light.diffuse_w_per_m2.squeeze(-1) + (
        laid.light.beam_w_per_m2.squeeze(-1) * laid.sun.up.clamp(min=0.0)
    )
    ground = laid.light.global_w_per_m2.squeeze(-1)
    assert (summed.sum() / ground.sum()).item() == pytest.approx(1.0, abs=0.01)


def test_sunlight_follows_a_clear_sky_within_an_hour(laid):
    morning = laid.light.global_w_per_m2.squeeze(-1)[8 * 12 : 9 * 12]  # of a summer's day
    assert (morning.diff() > 0.0).all()


def test_air_is_the_files_in_the_middle_of_hours_and_linear_between(hours, laid):
    middles = np.arange(YEAR) / 12.0 + 1.0 / 24.0  # of ticks [h]
    line = np.interp(middles, np.arange(8760) + 0.5, hours.air_c)
    np.testing.assert_allclose(laid.air_c.numpy(), line, atol=1e-9)
    around = laid.air_c.reshape(8760, 12)[:, 5:7].mean(-1).numpy()  # both sides of the middle
    bend = np.abs(np.diff(hours.air_c, 2)).max() / 24.0
    np.testing.assert_allclose(around[1:-1], hours.air_c[1:-1], atol=bend + 1e-9)


@pytest.mark.parametrize("minutes", [5, 30, 55])
def test_a_part_of_a_year_equals_that_part(hours, laid, minutes):
    """Also where it begins within an hour: of its sunlight it has its share."""
    first = 100 * DAY + minutes // 5
    start = NEW_YEAR_UTC + np.timedelta64(5, "m") * first
    part = tick_weather(hours, None, start, 2 * DAY)
    torch.testing.assert_close(part.air_c, laid.air_c[first : first + 2 * DAY])
    for ours, whole in zip(part.light, laid.light, strict=True):
        torch.testing.assert_close(ours, whole[first : first + 2 * DAY])


def test_a_typical_year_serves_any_year_and_29_february_is_the_28th(hours):
    start = np.datetime64("2024-02-27T14:30")  # 28 February 2024 begins at UTC+9.5
    leap = tick_weather(hours, "typical_year", start, 3 * DAY)
    hour = 58 * 24  # of 28 February in the file
    of_hours = leap.light.global_w_per_m2.reshape(72, 12).mean(-1).numpy()
    np.testing.assert_allclose(of_hours[:24], hours.ghi_w_per_m2[hour : hour + 24])
    np.testing.assert_allclose(of_hours[24:48], hours.ghi_w_per_m2[hour : hour + 24])
    np.testing.assert_allclose(of_hours[48:], hours.ghi_w_per_m2[hour + 24 : hour + 48])
    # Within the 29th the air is the 28th's; at midnight it is on its way to the next hour.
    day = leap.air_c.reshape(3, DAY)
    torch.testing.assert_close(day[1][6:-6], day[0][6:-6])


def test_a_whole_leap_year_has_the_files_energy_and_a_day_more(hours):
    start = np.datetime64("2023-12-31T14:30")
    leap = tick_weather(hours, "typical_year", start, 366 * DAY)
    extra = hours.ghi_w_per_m2[58 * 24 : 59 * 24].sum()
    total = leap.light.global_w_per_m2.sum().item() / 12.0
    assert total == pytest.approx(hours.ghi_w_per_m2.sum() + extra, rel=1e-12)


def test_a_typical_year_goes_on_over_new_year(hours):
    """31 December of one year and 1 January of the next are those of the file."""
    start = np.datetime64("2030-12-30T14:30")
    turn = tick_weather(hours, "typical_year", start, 2 * DAY).light.global_w_per_m2
    of_hours = turn.reshape(48, 12).mean(-1).numpy()
    np.testing.assert_allclose(of_hours[:24], hours.ghi_w_per_m2[-24:])
    np.testing.assert_allclose(of_hours[24:], hours.ghi_w_per_m2[:24])


def test_the_sun_stands_highest_at_solar_noon():
    utc = np.datetime64("2023-06-21T00:00") + np.timedelta64(5, "m") * np.arange(288)
    sun = sun_at(utc, 0.0, 0.0)
    assert abs(int(sun.up.argmax()) - 144) <= 1  # noon at Greenwich, within the equation of time
    assert sun.up.max().item() == pytest.approx(np.cos(np.radians(23.44)), abs=1e-3)
    assert sun.north[144].item() == pytest.approx(np.sin(np.radians(23.44)), abs=1e-3)


def test_real_files_have_no_sun_at_night_and_keep_their_energy(shared_data):
    hours = read_weather(shared_data / "weather/original/TX_CampMabry_AMY2018.epw.gz")
    told = tick_weather(hours, None, hours.start_utc[0], YEAR)
    ground = told.light.global_w_per_m2.squeeze(-1)
    assert ground.sum().item() / 12.0 == pytest.approx(hours.ghi_w_per_m2.sum(), rel=1e-12)
    up, light = told.sun.up.reshape(8760, 12), ground.reshape(8760, 12)
    rises = clear_sky_w_per_m2(up).mean(-1) > 1e-3
    assert light[rises][up[rises] <= 0.0].max() == 0.0
    assert ground[told.sun.up < np.sin(np.radians(-6.0))].max() == 0.0
    # Twilight of hours without sun: 9e-5 of the year (measured).
    assert (ground[told.sun.up <= 0.0].sum() / ground.sum()).item() < 1e-4
