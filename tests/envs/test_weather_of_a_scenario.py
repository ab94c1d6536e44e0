"""A suburb under a weather file: it steps, and sun and air are the file's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.scenario import build_scenario
from vpp_envs.signals.weather_settings import WeatherSpec
from vpp_envs.vector_env import FleetVectorEnv

pytest.importorskip("pvlib", reason="pvlib is in the extra `weather`")


@pytest.fixture(scope="module")
def path(weather_year, write_epw, tmp_path_factory):
    return str(write_epw(tmp_path_factory.mktemp("weather") / "adelaide.epw", weather_year()))


@pytest.fixture(scope="module")
def spec(suburb_spec, path):
    """A file of 2023 for a market whose training days begin on 1 January 2024."""
    return replace(suburb_spec, weather=WeatherSpec(file=path, calendar="typical_year"))


def test_a_suburb_steps_under_a_file_and_its_air_is_the_files(spec, weather_year):
    env = FleetVectorEnv(num_envs=2, scenario=spec)
    obs, _ = env.reset(seed=1)
    for _ in range(12):
        obs, reward, *_ = env.step(env.action_space.sample() * 0.0)
    assert np.isfinite(obs).all()
    assert np.isfinite(reward).all()
    scenario = build_scenario(spec, "train")
    # The market's clock is UTC+10 all year: its midnight is half an hour before the file's.
    told = weather_year()
    hours = np.arange(len(told)) + 0.5
    middles = np.arange(288 * 3) / 12.0 + 1.0 / 24.0 - 0.5
    line = np.interp(middles[12:], hours, told["air"])
    np.testing.assert_allclose(scenario.flexible.hvac.air_c[12 : 288 * 3, 0], line, atol=1e-4)


def test_houses_have_the_files_sun(spec, weather_year):
    sun = build_scenario(spec, "train").flexible.hvac.sun_kw_per_m2.squeeze(-1)
    of_hours = 1000.0 * sun[6 : 6 + 71 * 12].double().reshape(-1, 12).mean(-1).numpy()
    np.testing.assert_allclose(of_hours, weather_year()["ghi"][:71], atol=1e-3)


def test_all_panels_are_under_one_sky(spec):
    solar_pu = build_scenario(spec, "train").solar_pu
    lit = (solar_pu > 0.0).float()
    # Systems face elsewhere, yet none makes power while another's sky is dark but at the edges.
    assert ((lit.mean(-1) > 0.0) & (lit.mean(-1) < 1.0)).float().mean() < 0.06


def test_people_are_told_whose_weather_it_is(spec, suburb_spec):
    lines = build_scenario(spec, "train").fleet_lines
    assert lines[-1] == (
        "weather of adelaide.epw: -34.93, 138.60, UTC+9.5, a typical year that serves any"
    )
    assert build_scenario(suburb_spec, "train").fleet_lines == ()


def test_a_file_of_another_clock_is_said_to_be_one(suburb_spec, weather_year, write_epw, tmp_path):
    there = weather_year(latitude=38.7, longitude=-121.6, offset_h=-8.0)
    weather = WeatherSpec(str(write_epw(tmp_path / "b.epw", there)), None, "typical_year")
    lines = build_scenario(replace(suburb_spec, weather=weather), "train").fleet_lines
    assert lines[-1].endswith("; its clock is +6 h from the market's, so that noon is not at noon")


def test_without_a_calendar_the_years_must_be_the_markets(spec, path):
    own = replace(spec, weather=WeatherSpec(file=path))
    with pytest.raises(InputError, match=r"adelaide\.epw cannot be the weather: it covers"):
        build_scenario(own, "train")


def test_a_file_needs_no_climate_of_the_region(spec):
    nowhere = replace(spec, market=replace(spec.market, climate="nowhere"))
    assert torch.equal(
        build_scenario(nowhere, "train").solar_pu, build_scenario(spec, "train").solar_pu
    )
    with pytest.raises(InputError, match="no weather is known for region 'nowhere'"):
        build_scenario(replace(nowhere, weather=WeatherSpec()), "train")


def test_copies_of_days_have_the_same_weather(spec):
    copied = replace(spec, randomisation=replace(spec.randomisation, copies=1))
    solar_pu = build_scenario(copied, "train").solar_pu
    half = len(solar_pu) // 2
    assert torch.equal(solar_pu[:half], solar_pu[half:])
