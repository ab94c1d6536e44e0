import pytest
import torch

from vpp_envs.fleet.hvac_sampling import LEVEL_SHARES, sample_hvac
from vpp_envs.flexible.hvac import HVAC_COHORTS
from vpp_envs.flexible.hvac_band import can_promise, refuse_what_cannot_be_promised

HOMES = 4000


def everybody(count=HOMES):
    return torch.ones(count, dtype=torch.bool)


def columns(tree):
    for part in tree:
        if isinstance(part, torch.Tensor):
            yield part
        else:
            yield from columns(part)


def test_a_home_is_the_same_in_every_fleet_with_that_seed():
    some = torch.tensor([17, 3, 2999])
    all_homes = sample_hvac(5, torch.arange(HOMES), everybody())
    few = sample_hvac(5, some, everybody(3))
    for a, b in zip(columns(all_homes), columns(few), strict=True):
        assert torch.equal(a[some], b)


def test_nobody_is_promised_what_the_unit_cannot_keep():
    fleet = sample_hvac(1, torch.arange(HOMES), everybody(), controllable_share=1.0)
    names = [str(home) for home in range(HOMES)]
    refuse_what_cannot_be_promised(names, fleet.params, fleet.agreement)
    assert can_promise(fleet.params, fleet.agreement).all()
    assert 0.6 < (fleet.agreement.managed > 0).double().mean() < 1.0


def test_shares_are_those_asked_for():
    fleet = sample_hvac(1, torch.arange(HOMES), everybody(), heat_pump_share=0.4, aux_share=0.25)
    pump = fleet.params.heat_kw > 0
    assert pump.double().mean().item() == pytest.approx(0.4, abs=0.03)
    aux = fleet.params.aux_kw > 0
    assert aux[pump].double().mean().item() == pytest.approx(0.25, abs=0.03)
    assert not (aux & ~pump).any()
    assert ((fleet.params.furnace_kw > 0) == ~pump).all()
    # Every class has homes, and controllable ones are about half less what cannot be promised.
    for k in range(len(HVAC_COHORTS)):
        assert (fleet.cohort == k).any()
    assert 0.3 < (fleet.cohort >= 0).double().mean() < 0.55
    assert sum(LEVEL_SHARES) == pytest.approx(1.0)


def test_a_hotter_design_day_means_a_larger_unit():
    mild, hot = (
        sample_hvac(1, torch.arange(200), everybody(200), cool_design_c=c) for c in (30.0, 42.0)
    )
    assert (hot.params.cool_kw >= mild.params.cool_kw).all()
    assert hot.params.cool_kw.mean() > 1.2 * mild.params.cool_kw.mean()


def test_without_a_unit_constants_are_harmless():
    fleet = sample_hvac(1, torch.arange(50), torch.zeros(50, dtype=torch.bool))
    assert (fleet.cohort == -1).all()
    assert fleet.params.cool_kw.abs().max() == 0
    assert (fleet.params.house.ua_w_per_k == 1).all()
    for part in columns(fleet):
        assert torch.isfinite(part).all()
