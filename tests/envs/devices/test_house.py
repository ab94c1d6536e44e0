"""The two-mass house: closed form, balance, and the numbers of GridLAB-D's defaults."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.house import (
    HouseParams,
    Temperatures,
    after_step,
    equilibrium,
    loss_kw_per_k,
    lost_kwh,
    rise_k_per_kw,
    transition,
)
from vpp_envs.fleet.hvac_sampling import LEVELS, cooling_kw, house_of


def column(value):
    return torch.tensor([value], dtype=torch.float64)


# GridLAB-D sends all losses through the air.
NORMAL = HouseParams(column(0.419), column(4.124), column(0.45), column(1.81), column(0.0))
ZERO = column(0.0)


def heated(now, outdoor, air_kw, mass_kw, house, dt_h):
    rest = equilibrium(column(outdoor), column(air_kw), column(mass_kw), house)
    return after_step(now, rest, transition(house, dt_h)), rest


@pytest.mark.reference
@pytest.mark.parametrize(
    ("dt_h", "air_c", "mass_c"), [(1 / 12, 24.8586, 24.0859), (1.0, 27.4004, 26.3594)]
)
def test_a_normal_house_of_2000_square_feet_warms_as_computed_elsewhere(dt_h, air_c, mass_c):
    """From 24 C with 40 C outside, equipment off (facts.md H2)."""
    after, _ = heated(Temperatures(column(24.0), column(24.0)), 40.0, 0.0, 0.0, NORMAL, dt_h)
    assert after.air_c.item() == pytest.approx(air_c, abs=5e-5)
    assert after.mass_c.item() == pytest.approx(mass_c, abs=5e-5)


@pytest.mark.reference
def test_the_seven_levels_of_insulation_give_the_published_heat_balance():
    """2,000 square feet on one storey (facts.md A5, from GridLAB-D's house_e)."""
    area = torch.full((7,), 2000.0, dtype=torch.float64)
    house, aperture = house_of(area, torch.arange(7))
    assert [row[0] for row in LEVELS][3] == "normal"
    assert (1000 * loss_kw_per_k(house)).round().tolist() == [897, 706, 464, 419, 355, 252, 199]
    assert house.air_kwh_per_k[0].item() == pytest.approx(0.45, abs=0.005)
    assert house.mass_kwh_per_k[0].item() == pytest.approx(1.81, abs=0.005)
    assert 1000 * house.mass_kw_per_k[3].item() == pytest.approx(4124, abs=1)
    tons = cooling_kw(house, area, aperture, 35.0) / 0.29307e-3 / 12000
    assert tons.tolist() == pytest.approx([6.5, 5.5, 4.5, 4.5, 4.0, 3.5, 3.5])


HOUSES = st.builds(
    lambda *constants: HouseParams(*(column(constant) for constant in constants)),
    st.floats(0.05, 2.0),
    st.floats(0.5, 12.0),
    st.floats(0.1, 3.0),
    st.floats(0.5, 12.0),
    st.floats(0.0, 2.0),
)
C, KW, H = st.floats(-10.0, 45.0), st.floats(-15.0, 15.0), st.floats(1 / 3600, 1.0)


@settings(deadline=None)
@given(HOUSES, H)
def test_the_closed_form_is_the_matrix_exponential(house, dt_h):
    ua, hm, ca, cm, um = (part.item() for part in house)
    rows = [[-(ua + hm) / ca, hm / ca], [hm / cm, -(hm + um) / cm]]
    matrix = torch.tensor(rows, dtype=torch.float64)
    # Squared out of a small step: the series of torch's own exponential ends at 1e-9.
    expected = torch.linalg.matrix_exp(matrix * dt_h / 1024)
    for _ in range(10):
        expected = expected @ expected
    torch.testing.assert_close(
        torch.cat(transition(house, dt_h)), expected.flatten(), rtol=1e-10, atol=1e-11
    )


@settings(deadline=None)
@given(HOUSES, C, C, C, KW, KW)
def test_twelve_steps_of_five_minutes_are_an_hour(house, air, mass, outdoor, air_kw, mass_kw):
    now = Temperatures(column(air), column(mass))
    whole, _ = heated(now, outdoor, air_kw, mass_kw, house, 1.0)
    for _ in range(12):
        now, _ = heated(now, outdoor, air_kw, mass_kw, house, 1 / 12)
    torch.testing.assert_close(now, whole, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(HOUSES, C, C, C, KW, KW)
def test_what_is_lost_is_the_integral_of_the_loss(house, air, mass, outdoor, kw, mass_kw):
    """By Simpson's rule, which does not know the closed form of the integral."""
    start = Temperatures(column(air), column(mass))
    points = [heated(start, outdoor, kw, mass_kw, house, k / 1000)[0] for k in range(1001)]
    weights = torch.tensor([1.0] + [4.0, 2.0] * 499 + [4.0, 1.0], dtype=torch.float64)
    air_kh, mass_kh = (
        (weights * (torch.cat(part) - outdoor)).sum() / 3000 for part in zip(*points, strict=True)
    )
    lost = house.ua_kw_per_k * air_kh + house.mass_ua_kw_per_k * mass_kh
    after, rest = heated(start, outdoor, kw, mass_kw, house, 1.0)
    exact = lost_kwh(start, after, rest, column(outdoor), house, 1.0)
    assert exact.item() == pytest.approx(lost.item(), rel=1e-6, abs=1e-6)
    stored = house.air_kwh_per_k * (after.air_c - air) + house.mass_kwh_per_k * (
        after.mass_c - mass
    )
    assert stored.item() == pytest.approx(kw + mass_kw - exact.item(), abs=1e-9)


@settings(deadline=None)
@given(HOUSES, C, KW, KW)
def test_at_the_equilibrium_all_that_comes_in_goes_out(house, outdoor, air_kw, mass_kw):
    rest = equilibrium(column(outdoor), column(air_kw), column(mass_kw), house)
    between_kw = house.mass_kw_per_k * (rest.mass_c - rest.air_c)
    into_air = column(air_kw) + between_kw - house.ua_kw_per_k * (rest.air_c - outdoor)
    into_mass = column(mass_kw) - between_kw - house.mass_ua_kw_per_k * (rest.mass_c - outdoor)
    torch.testing.assert_close(torch.cat([into_air, into_mass]), torch.zeros(2).double())


@settings(deadline=None)
@given(HOUSES, C, KW)
def test_the_loss_of_all_ways_out_is_what_holds_the_air(house, outdoor, air_kw):
    rest = equilibrium(column(outdoor), column(air_kw), ZERO, house)
    torch.testing.assert_close(loss_kw_per_k(house) * (rest.air_c - outdoor), column(air_kw))


@settings(deadline=None)
@given(HOUSES)
def test_heat_into_the_air_warms_air_and_mass_by_their_rise(house):
    now = Temperatures(column(21.0), column(23.0))
    cold, _ = heated(now, 5.0, 0.0, 0.3, house, 0.25)
    warm, _ = heated(now, 5.0, 4.0, 0.3, house, 0.25)
    rise = rise_k_per_kw(house, transition(house, 0.25))
    for after, before, per_kw in zip(warm, cold, rise, strict=True):
        torch.testing.assert_close(after - before, 4.0 * per_kw)
