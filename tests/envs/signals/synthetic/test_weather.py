"""Synthetic weather against climate averages, and tables that are windows of one series."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.sunlight import clear_sky_w_per_m2, sun_position
from vpp_envs.signals.synthetic.weather import (
    CLIMATES,
    clear_sky_index,
    solar_archetypes,
    solar_table,
    temperature_c,
)

NEW_YEAR = np.datetime64("2023-01-01T00:00")
YEAR = 365 * 288


def hour_utc(ticks: int = YEAR) -> Tensor:
    return (torch.arange(ticks) % 288 + 0.5) / 12.0


def clear_sky(region: str) -> Tensor:
    """Clear-sky sunlight over the year of the tests, (T, 1). [W/m2]"""
    climate = CLIMATES[region]
    day = 1.0 + torch.div(torch.arange(YEAR), 288, rounding_mode="floor").double()
    sun = sun_position(day, hour_utc().double(), climate.latitude_deg, climate.longitude_deg)
    return clear_sky_w_per_m2(sun.up).unsqueeze(-1)


@pytest.fixture(scope="module")
def adelaide() -> Tensor:
    return solar_table("SA1", NEW_YEAR, YEAR, seed=1)


def test_table_has_a_column_per_archetype_within_0_and_1(adelaide: Tensor):
    assert adelaide.shape == (YEAR, 24)
    assert adelaide.dtype == torch.float32
    assert adelaide.min().item() == 0.0
    assert 0.95 < adelaide.max().item() <= 1.0


def test_night_is_exactly_dark(adelaide: Tensor):
    night = clear_sky("SA1").squeeze(-1) == 0.0
    assert night.double().mean().item() == pytest.approx(0.5, abs=0.01)
    assert adelaide[night].abs().max().item() == 0.0


def test_adelaide_panels_facing_north_run_at_17_to_24_percent_of_their_ac_rating(
    adelaide: Tensor,
):
    systems = solar_archetypes(-34.93, 24)
    north = torch.cos(torch.deg2rad(systems.azimuth_deg)) > 0.9
    usual = (systems.dc_ac_ratio - 1.2).abs() < 0.1
    factors = adelaide.mean(dim=0)[north & usual]
    assert len(factors) >= 4
    assert factors.min().item() > 0.17
    assert factors.max().item() < 0.24
    # All orientations together.
    assert adelaide.mean().item() == pytest.approx(0.18, abs=0.01)


def test_summer_gives_adelaide_twice_the_sun_of_winter(adelaide: Tensor):
    january, july = adelaide[: 31 * 288].mean(), adelaide[181 * 288 : 212 * 288].mean()
    assert (january / july).item() == pytest.approx(2.2, abs=0.5)


def test_panels_facing_east_peak_before_those_facing_west(adelaide: Tensor):
    azimuth = solar_archetypes(-34.93, 24).azimuth_deg
    # Solar time of Adelaide is 9.24 h ahead of UTC.
    solar = (hour_utc() + 9.24) % 24.0
    centre = (adelaide * solar.unsqueeze(-1)).sum(dim=0) / adelaide.sum(dim=0)
    east, west = (azimuth - 90.0).abs() < 30.0, (azimuth - 270.0).abs() < 30.0
    assert centre[east].max().item() < 12.0 < centre[west].min().item()
    assert (centre[west].mean() - centre[east].mean()).item() == pytest.approx(1.0, abs=0.4)


def test_same_seed_gives_the_same_sky_and_another_seed_another():
    days = 3 * 288
    table = solar_table("SA1", NEW_YEAR, days, seed=1, archetypes=4)
    assert torch.equal(table, solar_table("SA1", NEW_YEAR, days, seed=1, archetypes=4))
    assert not torch.equal(table, solar_table("SA1", NEW_YEAR, days, seed=2, archetypes=4))


@pytest.mark.parametrize(("first", "ticks"), [(100 * 288, 10 * 288), (100 * 288 + 37, 1), (5, 999)])
def test_a_window_equals_the_same_rows_of_the_year(adelaide: Tensor, first: int, ticks: int):
    start = NEW_YEAR + np.timedelta64(5 * first, "m")
    window = solar_table("SA1", start, ticks, seed=1)
    assert torch.equal(window, adelaide[first : first + ticks])
    warmth = temperature_c("SA1", NEW_YEAR, YEAR, seed=1)
    assert torch.equal(temperature_c("SA1", start, ticks, 1), warmth[first : first + ticks])


# Daily sunlight on the horizontal: Bureau of Meteorology, all years (as quoted on
# energy-without-carbon.org); TMY3 of Austin Camp Mabry and of Sacramento. Single years vary by
# about 5 %.
@pytest.mark.parametrize(
    ("region", "kwh_per_m2"),
    [
        ("SA1", 4.8),
        ("VIC1", 4.2),
        ("NSW1", 4.6),
        ("QLD1", 5.2),
        ("TAS1", 3.8),
        ("ERCOT", 4.86),
        ("CAISO", 4.95),
    ],
)
def test_sunlight_of_a_year_is_the_regions(region: str, kwh_per_m2: float):
    index = clear_sky_index(region, NEW_YEAR, YEAR, seed=1, cells=2)
    daily = (clear_sky(region) * index).mean().item() * 0.024
    assert daily == pytest.approx(kwh_per_m2, rel=0.06)


def test_dutch_summers_have_206_watts_a_square_metre():
    summer = slice(151 * 288, 243 * 288)  # June to August; KNMI, mean of 1991 to 2020
    index = torch.cat([clear_sky_index("NL", NEW_YEAR, YEAR, s, 2) for s in range(3)], dim=1)
    assert (clear_sky("NL") * index)[summer].mean().item() == pytest.approx(206.0, rel=0.06)


def test_skies_vary_from_day_to_day_like_austins_typical_year(shared_data):
    typical = pd.read_csv(shared_data / "weather" / "tmy_austin.csv.gz")["ghi_wm2"].to_numpy()
    # Hours end on local standard time, six hours behind UTC.
    clear = clear_sky("ERCOT").roll(-72, dims=0).reshape(365, 288, 1)
    real = typical.reshape(365, 24).sum(axis=1) / (clear.sum(dim=(1, 2)).numpy() / 12.0)
    index = torch.cat([clear_sky_index("ERCOT", NEW_YEAR, YEAR, s, 1) for s in range(4)], dim=1)
    local = index.roll(-72, dims=0).reshape(365, 288, 4)
    ours = ((clear * local).sum(dim=1) / clear.sum(dim=1)).numpy()
    assert ours.mean() == pytest.approx(real.mean(), abs=0.03)
    assert ours.std() == pytest.approx(real.std(), abs=0.03)

    def memory(days: np.ndarray) -> float:
        return float(np.corrcoef(days[1:], days[:-1])[0, 1])

    assert np.mean([memory(ours[:, k]) for k in range(4)]) == pytest.approx(memory(real), abs=0.12)


def test_cells_of_a_region_share_about_half_of_their_variance():
    index = clear_sky_index("SA1", NEW_YEAR, YEAR, seed=1, cells=6)
    together = np.corrcoef(index.numpy().T)[np.triu_indices(6, 1)]
    assert together.mean() == pytest.approx(0.45, abs=0.08)


def test_regions_have_skies_of_their_own():
    index = [clear_sky_index(region, NEW_YEAR, YEAR, 1, 1).flatten() for region in ("SA1", "VIC1")]
    assert abs(np.corrcoef(torch.stack(index).numpy())[0, 1]) < 0.1


def test_index_stays_between_heavy_cloud_and_cloud_enhancement():
    index = clear_sky_index("VIC1", NEW_YEAR, YEAR, seed=1, cells=4)
    assert index.min().item() >= 0.05
    assert index.max().item() <= 1.1


def test_archetypes_follow_the_published_mix():
    systems = solar_archetypes(30.27, 24)
    assert systems.tilt_deg.mean().item() == pytest.approx(20.0, abs=0.1)
    assert systems.tilt_deg.std().item() == pytest.approx(7.0, abs=0.2)
    assert systems.dc_ac_ratio.mean().item() == pytest.approx(1.20, abs=0.005)
    assert systems.dc_ac_ratio.min().item() == 1.0
    azimuth = systems.azimuth_deg
    south = ((azimuth >= 157.5) & (azimuth < 202.5)).sum().item()
    west = ((azimuth >= 202.5) & (azimuth < 292.5)).sum().item()
    east = ((azimuth >= 67.5) & (azimuth < 157.5)).sum().item()
    # 45, 30, 20 and 5 % of 24.
    assert (south, west, east, 24 - south - west - east) == (11, 7, 5, 1)


def test_panels_of_the_southern_hemisphere_are_the_mirror_image():
    here, there = solar_archetypes(30.0, 24).azimuth_deg, solar_archetypes(-30.0, 24).azimuth_deg
    assert torch.allclose(torch.cos(torch.deg2rad(here)), -torch.cos(torch.deg2rad(there)))
    assert torch.allclose(torch.sin(torch.deg2rad(here)), torch.sin(torch.deg2rad(there)))


def test_adelaide_is_warm_in_january_at_three_and_austin_in_july():
    adelaide = temperature_c("SA1", NEW_YEAR, YEAR, seed=1)
    austin = temperature_c("ERCOT", NEW_YEAR, YEAR, seed=1)
    january, july = slice(0, 31 * 288), slice(181 * 288, 212 * 288)
    assert (adelaide[january].mean() - adelaide[july].mean()).item() == pytest.approx(12.0, abs=3.0)
    assert (austin[july].mean() - austin[january].mean()).item() == pytest.approx(19.0, abs=4.0)
    assert adelaide.mean().item() == pytest.approx(17.0, abs=0.8)
    warmest_utc = adelaide.reshape(365, 288).mean(dim=0).argmax().item() / 12.0
    assert (warmest_utc + 9.24) % 24.0 == pytest.approx(15.0, abs=0.3)


def test_warmth_has_no_jumps():
    steps = temperature_c("ERCOT", NEW_YEAR, YEAR, seed=1).diff().abs()
    assert steps.max().item() < 0.3


def test_unknown_region_is_refused_with_a_suggestion():
    with pytest.raises(InputError, match="region 'SA'; did you mean 'SA1'"):
        solar_table("SA", NEW_YEAR, 1, seed=1)


def test_start_off_the_clock_is_refused():
    with pytest.raises(InputError, match="five-minute clock"):
        solar_table("SA1", np.datetime64("2023-01-01T00:01"), 1, seed=1)
