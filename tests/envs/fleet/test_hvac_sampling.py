"""Sampled houses and machines have the numbers of facts.md A5."""

import math

import pytest
import torch

from vpp_envs.fleet.hvac_sampling import LEVELS, house_of, sample_hvac
from vpp_envs.fleet.pick import map_columns

HOMES = 20_000
KW_PER_BTU_H = 0.29307e-3


@pytest.fixture(scope="module")
def fleet():
    return sample_hvac(3, torch.arange(HOMES), torch.ones(HOMES, dtype=torch.bool))


def spread_of(column):
    return column.quantile(0.8413).item() - column.quantile(0.5).item()


@pytest.mark.reference
def test_constants_of_the_air_and_the_mass_grow_with_the_area_and_those_of_walls_do_not():
    """Ca = 3 x 0.0735 x 0.2402 x 8 ft x A, Cm = 2 A - 2 air (facts.md A5)."""
    one, two = (house_of(torch.tensor([a]).double(), torch.tensor([3]))[0] for a in (2000, 4000))
    btu_f = 1899.1 / 3.6e6
    air = 0.0735 * 0.2402 * 8.0 * 2000.0
    assert one.air_kwh_per_k.item() == pytest.approx(3.0 * air * btu_f, rel=1e-9)
    assert one.mass_kwh_per_k.item() == pytest.approx((2.0 * 2000.0 - 2.0 * air) * btu_f, rel=1e-9)
    assert two.air_kwh_per_k.item() == pytest.approx(2.0 * one.air_kwh_per_k.item(), rel=1e-9)
    assert two.mass_kwh_per_k.item() == pytest.approx(2.0 * one.mass_kwh_per_k.item(), rel=1e-9)
    for wall in ("mass_ua_kw_per_k", "mass_kw_per_k"):
        ratio = getattr(two, wall).item() / getattr(one, wall).item()
        assert math.sqrt(2.0) < ratio < 2.0


@pytest.mark.reference
def test_the_sun_shines_through_0_15_of_the_walls():
    """Aperture = Ag x SHGC x 0.6, of 0.15 of walls of aspect 1.5 and 8 ft (facts.md A5)."""
    _, aperture_ft2 = house_of(torch.tensor([2000.0]).double(), torch.tensor([3]))
    walls_ft2 = 2.0 * (1.0 + 1.5) * math.sqrt(2000.0 / 1.5) * 8.0
    assert walls_ft2 == pytest.approx(1460.6, abs=0.05)
    assert aperture_ft2.item() == pytest.approx(0.15 * 1460.6 * 0.67 * 0.6, abs=0.01)


@pytest.mark.reference
def test_floor_areas_are_lognormal_around_1750_square_feet_with_a_spread_of_0_35(fleet):
    """Read from the gains, half of the design's 167.09 A^0.442 Btu/h (facts.md A5)."""
    area_ft2 = (fleet.gain_kw / (0.5 * 167.09 * KW_PER_BTU_H)) ** (1.0 / 0.442)
    assert area_ft2.quantile(0.5).item() == pytest.approx(1750.0, rel=0.01)
    assert spread_of(area_ft2.log()) == pytest.approx(0.35, abs=0.01)


@pytest.mark.reference
def test_set_points_lie_around_76_and_68_5_fahrenheit(fleet):
    """Cooling N(24.4, 1.2), heating N(20.3, 1.2) C (facts.md A5), at least 3 K apart."""
    agreed = fleet.agreement
    assert agreed.cool_set_c.quantile(0.5).item() == pytest.approx(24.4, abs=0.05)
    assert spread_of(agreed.cool_set_c) == pytest.approx(1.2, abs=0.05)
    apart_k = agreed.cool_set_c - agreed.heat_set_c
    assert apart_k.min().item() >= 3.0 - 1e-9
    # Who would cool below that has a colder heating set-point, a fifth of all.
    assert agreed.heat_set_c.quantile(0.5).item() == pytest.approx(20.3, abs=0.3)


@pytest.mark.reference
def test_compressors_rest_five_minutes_and_run_three_in_a_deadband_of_a_kelvin(fleet):
    """Anti-short-cycle times, and the deadband of OCHRE's thermostat (facts.md A5)."""
    assert (fleet.rest_h * 60.0).unique().tolist() == pytest.approx([5.0])
    assert (fleet.run_h * 60.0).unique().tolist() == pytest.approx([3.0])
    assert fleet.deadband_k.unique().tolist() == pytest.approx([1.0])


@pytest.mark.reference
def test_shares_of_levels_are_those_of_california():
    """Sampling of levels (facts.md A5, an assumption)."""
    assert [row[7] for row in LEVELS] == [0.05, 0.15, 0.20, 0.25, 0.15, 0.15, 0.05]
    assert sum(row[7] for row in LEVELS) == pytest.approx(1.0)


@pytest.mark.reference
def test_walls_roof_and_floor_lead_through_the_mass_and_windows_doors_and_leaks_do_not():
    """As much as their R-values in series with the surface of the mass (facts.md A5)."""
    house, _ = house_of(torch.tensor([2000.0]).double(), torch.tensor([3]))
    walls_ft2 = 1460.6 * 0.85 - 78.0
    opaque = (2000.0 / 30.0 + 2000.0 / 11.0 + walls_ft2 / 11.0) * 0.52753e-3
    series = 1.0 / (1.0 / house.mass_ua_kw_per_k + 1.0 / house.mass_kw_per_k)
    assert series.item() == pytest.approx(opaque, rel=1e-4)
    air = 0.0735 * 0.2402 * 16_000.0
    direct = (1460.6 * 0.15 * 0.60 + 78.0 / 3.0 + 1.0 * air) * 0.52753e-3
    assert house.ua_kw_per_k.item() == pytest.approx(direct, rel=1e-4)


def test_a_home_is_the_same_in_every_fleet_with_that_seed():
    home = torch.tensor([17, 3, 1999])
    many = sample_hvac(5, torch.arange(2000), torch.ones(2000, dtype=torch.bool))
    few = sample_hvac(5, home, torch.ones(3, dtype=torch.bool))
    columns = []
    map_columns(map_columns(many, lambda column: column[home]), columns.append)
    others = []
    map_columns(few, others.append)
    for one, other in zip(columns, others, strict=True):
        assert torch.equal(one, other)


def test_the_heat_pump_share_is_that_asked_for(fleet):
    pump = fleet.params.heating_kw > 0
    assert pump.double().mean().item() == pytest.approx(0.2, abs=0.01)
    assert ((fleet.params.burner > 0) == ~pump).all()
    assert ((fleet.params.auxiliary_kw > 0) == pump).all()


def test_a_hotter_design_day_asks_for_larger_machines():
    home, there = torch.arange(500), torch.ones(500, dtype=torch.bool)
    mild, hot = (sample_hvac(1, home, there, design_summer_c=c) for c in (32.0, 42.0))
    assert (hot.params.cooling_kw >= mild.params.cooling_kw).all()
    assert hot.params.cooling_kw.mean() > 1.2 * mild.params.cooling_kw.mean()


def test_without_a_machine_constants_are_harmless():
    fleet = sample_hvac(1, torch.arange(50), torch.zeros(50, dtype=torch.bool))
    assert (fleet.cohort == -1).all()
    assert (fleet.rated_kw == 0).all()
    assert (fleet.house.ua_kw_per_k == 1).all()
    map_columns(fleet, lambda column: _finite(column))


def _finite(column):
    assert torch.isfinite(column).all()
    return column
