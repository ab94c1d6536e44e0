import pytest
import torch

from vpp_envs.devices.generator import fuel_l_per_h
from vpp_envs.errors import InputError
from vpp_envs.fleet.generator_sampling import check_generators, sample_generators
from vpp_envs.fleet.pick import map_columns
from vpp_envs.flexible.generator_parts import GENERATOR_COHORTS

HOMES = 3000


def sampled(home=None, **keywords):
    home = torch.arange(HOMES) if home is None else home
    return sample_generators(5, home, torch.ones(len(home), dtype=torch.bool), **keywords)


def test_none_is_permitted_to_run_for_others_unless_one_says_so():
    assert (sampled().cohort == -1).all()
    assert (sampled().agreement.permitted_for_dr == 0).all()
    some = sampled(permitted_share=0.25)
    assert (some.cohort >= 0).double().mean().item() == pytest.approx(0.25, abs=0.03)


def test_home_sets_have_ten_to_twenty_six_kilowatt_and_a_least_load_of_thirty_percent():
    fleet = sampled()
    assert (fleet.rated_kw.min().item(), fleet.rated_kw.max().item()) == (10.0, 26.0)
    torch.testing.assert_close(fleet.params.least_kw, 0.3 * fleet.rated_kw)


@pytest.mark.reference
def test_gas_sets_turn_a_fifth_to_a_quarter_of_their_fuel_into_power():
    """Residential 20 to 25 % of the lower heating value, 35.8 MJ/m3."""
    fleet = sampled(diesel_share=0.0)
    litres = fuel_l_per_h(fleet.rated_kw, fleet.params)
    share = 3.6 * fleet.rated_kw / (litres * 35.8e-3)
    assert 0.20 < share.min() < share.max() < 0.25


def test_costs_of_the_classes_are_those_of_their_sets():
    for number, cohort in enumerate(GENERATOR_COHORTS):
        fleet = sampled(diesel_share=float(number), permitted_share=1.0)
        assert (fleet.cohort == number).all()
        fuel = fuel_l_per_h(fleet.rated_kw, fleet.params) * fleet.price_per_l / fleet.rated_kw
        cost = (fuel + fleet.upkeep_per_kwh).mean().item()
        assert cost == pytest.approx(cohort.cost_per_kwh, abs=0.01)


def test_a_home_is_the_same_in_every_fleet():
    some = torch.tensor([7, 2000, 41])
    map_columns(sampled(some), lambda a, b: torch.testing.assert_close(a, b[some]), sampled())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda f: f._replace(params=f.params._replace(least_kw=2.0 * f.rated_kw)), "least load"),
        (
            lambda f: f._replace(
                agreement=f.agreement._replace(cap_h=0.1 * f.rated_kw / f.rated_kw)
            ),
            "do not last",
        ),
        (
            lambda f: f._replace(agreement=f.agreement._replace(permitted_for_dr=0.0 * f.rated_kw)),
            "without a permit",
        ),
    ],
)
def test_engines_that_cannot_run_are_refused(change, fault):
    with pytest.raises(InputError, match=f"generator of row 0: .*{fault}"):
        check_generators(change(sampled(torch.arange(1), permitted_share=1.0)), "generator of row")
