"""Sampled water heaters: ratings, shares, and the same home in every fleet."""

import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.water_heater_sampling import (
    check_water_heaters,
    sample_water_heaters,
    ua_from_ef,
    ua_from_uef,
)

MANY = torch.arange(20_000)
ALL = torch.ones(20_000, dtype=torch.bool)


@pytest.fixture(scope="module")
def fleet():
    return sample_water_heaters(3, MANY, ALL, pump_share=0.3, managed_share=0.9)


@pytest.mark.reference
def test_losses_follow_from_ratings():
    """50 gal: UEF 0.93 is 1.15 W/K, EF 0.95 is 0.70 W/K (facts.md A4.1)."""
    assert ua_from_uef(0.93) == pytest.approx(1.15, abs=0.005)
    assert ua_from_ef(0.95) == pytest.approx(0.70, abs=0.005)


def test_sizes_shares_and_losses_are_as_stated(fleet):
    """0.9 of 40, 50, 65 and 80 gal in shares of .25, .50, .10 and .15 (facts.md A4.1)."""
    gallons = fleet.params.volume_l / 0.9 / 3.7854
    for size, share in ((40, 0.25), (50, 0.5), (65, 0.1), (80, 0.15)):
        found = ((gallons - size).abs() < 0.01).double().mean().item()
        assert found == pytest.approx(share, abs=0.012)
    pump = fleet.params.pump_kw > 0
    assert pump.double().mean().item() == pytest.approx(0.3, abs=0.012)
    ua = fleet.params.ua_kw_per_k * 1e3
    assert ua[~pump].median().item() == pytest.approx(1.15, abs=0.01)
    assert ua[~pump].log().std().item() == pytest.approx(0.20, abs=0.005)
    assert set(ua[pump].unique().mul(100).round().tolist()) == {190.0, 211.0, 248.0}
    assert (fleet.cohort >= 0).double().mean().item() == pytest.approx(0.9, abs=0.01)


def test_every_agreement_can_be_kept(fleet):
    agreed = fleet.agreement
    assert (agreed.least_c + 3.0 <= agreed.most_c).all()
    assert ((agreed.set_c >= agreed.least_c) & (agreed.set_c <= agreed.most_c)).all()
    assert ((agreed.hot_c == 60.0) | (agreed.hot_c == agreed.most_c)).all()


def test_a_home_is_the_same_in_every_fleet(fleet):
    some = sample_water_heaters(3, MANY[500:700], ALL[500:700], 0.3, 0.9)
    for whole, part in zip(
        fleet.params + fleet.agreement, some.params + some.agreement, strict=True
    ):
        assert torch.equal(whole[500:700], part)


def test_some_hear_messages_alone_and_nothing_else_changes(fleet):
    some = sample_water_heaters(3, MANY, ALL, 0.3, 0.9, messages_share=0.25)
    assert fleet.messages_only is None
    assert some.messages_only.mean().item() == pytest.approx(0.25, abs=0.012)
    for one, other in zip(
        some.params + some.agreement, fleet.params + fleet.agreement, strict=True
    ):
        assert torch.equal(one, other)
    assert torch.equal(some.cohort, fleet.cohort)
    part = sample_water_heaters(3, MANY[500:700], ALL[500:700], 0.3, 0.9, 0.25)
    assert torch.equal(part.messages_only, some.messages_only[500:700])


def test_homes_without_a_tank_have_size_0_and_no_class():
    none = sample_water_heaters(3, MANY[:100], ~ALL[:100])
    assert (none.rated_kw == 0).all()
    assert (none.use == 0).all()
    assert (none.cohort == -1).all()


def test_a_band_that_is_too_narrow_is_refused(fleet):
    narrow = fleet._replace(
        agreement=fleet.agreement._replace(least_c=fleet.agreement.most_c - 2.0)
    )
    with pytest.raises(InputError, match="there must be 3 K; lower least_c or raise most_c"):
        check_water_heaters(narrow, "home")


def test_a_thermostat_outside_the_band_is_refused(fleet):
    hot = fleet._replace(agreement=fleet.agreement._replace(set_c=fleet.agreement.most_c + 1.0))
    with pytest.raises(InputError, match="set it within"):
        check_water_heaters(hot, "home")
