"""What homes have of a weather file, and that without one nothing changed."""

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.weather_file import read_weather
from vpp_envs.signals.synthetic.weather import (
    climate_of,
    horizontal_w_per_m2,
    mains_of,
    solar_table,
    temperature_c,
)
from vpp_envs.signals.weather import Sky, mains_c, outdoor_c, rooftop_pu, seasons_of, sun_w_per_m2
from vpp_envs.signals.weather_settings import WeatherSpec

pytest.importorskip("pvlib", reason="pvlib is in the extra `weather`")

START, TICKS = np.datetime64("2023-06-30T14:30"), 4 * 288


@pytest.fixture(scope="module")
def path(weather_year, write_epw, tmp_path_factory):
    return str(write_epw(tmp_path_factory.mktemp("weather") / "a.epw", weather_year()))


@pytest.fixture(scope="module")
def sky(path):
    return Sky(WeatherSpec(file=path), None, 0, START, TICKS)


def test_without_a_file_the_weather_is_the_simulated_one():
    sky, day = Sky(WeatherSpec(), "SA1", 3, START, TICKS), torch.tensor([1.0, 200.0])
    assert torch.equal(rooftop_pu(sky, 6), solar_table("SA1", START, TICKS, 3, 6))
    assert torch.equal(outdoor_c(sky), temperature_c("SA1", START, TICKS, 3))
    assert torch.equal(sun_w_per_m2(sky), horizontal_w_per_m2("SA1", START, TICKS, 3))
    adelaide = climate_of("SA1")
    where = adelaide.latitude_deg, adelaide.mean_c, adelaide.season_c
    assert torch.equal(mains_c(sky, day), mains_of(*where, day))


def test_the_seed_changes_nothing_of_a_file(sky):
    other = sky._replace(seed=7)
    assert torch.equal(rooftop_pu(sky, 4), rooftop_pu(other, 4))
    assert torch.equal(outdoor_c(sky), outdoor_c(other))


def test_the_suns_energy_on_the_ground_is_the_files(sky, weather_year):
    july = weather_year()["ghi"].iloc[181 * 24 : 185 * 24].sum()  # from 1 July on [Wh/m2]
    assert sun_w_per_m2(sky).double().sum().item() / 12.0 == pytest.approx(july, rel=1e-6)


def test_panels_make_nothing_at_night_and_stay_within_their_rating(sky):
    solar_pu = rooftop_pu(sky, 24)
    assert solar_pu.shape == (TICKS, 24)
    assert solar_pu.min() == 0.0
    assert 0.2 < solar_pu.max() <= 1.0
    assert solar_pu[:12].max() == 0.0  # the hour after midnight


def test_mean_and_seasons_of_the_air_are_found(path):
    # The test's year is 17 C with 6 K of seasons that peak on 20 January, and 6 K of days.
    mean_c, season_c = seasons_of(read_weather(path))
    assert mean_c == pytest.approx(17.0, abs=0.01)
    assert season_c == pytest.approx(6.0, abs=0.05)


def test_cold_water_is_warmest_a_month_after_the_air(sky):
    mains = mains_c(sky, torch.arange(1.0, 366.0))
    assert int(mains.argmax()) + 1 == pytest.approx(55, abs=1)
    assert mains.max().item() == pytest.approx(17.0 + 1.0 + 3.0, abs=0.05)
    assert mains.min().item() == pytest.approx(17.0 + 1.0 - 3.0, abs=0.05)


def test_days_that_the_file_lacks_are_refused(sky):
    with pytest.raises(InputError, match=r"a\.epw cannot be the weather: it covers 2022-12-31"):
        outdoor_c(sky._replace(start_utc=np.datetime64("2024-01-01T13:30")))
