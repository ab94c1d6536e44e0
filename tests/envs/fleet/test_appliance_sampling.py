import pytest
import torch

from vpp_envs.devices.appliance import duration_s
from vpp_envs.errors import InputError
from vpp_envs.fleet.appliance_sampling import check_appliances, cycle_params, sample_appliances
from vpp_envs.fleet.pick import map_columns
from vpp_envs.flexible.appliance_parts import APPLIANCES

HOMES = 4000


def sampled(name, home=None, **keywords):
    home = torch.arange(HOMES) if home is None else home
    return sample_appliances(3, home, torch.ones(len(home), dtype=torch.bool), name, **keywords)


@pytest.mark.parametrize("name", APPLIANCES)
def test_jobs_lie_within_the_ranges_of_their_type(name):
    kind, fleet = APPLIANCES[name], sampled(name)
    kwh, length_h = fleet.params.drawn_kwh[:, -1], duration_s(fleet.params) / 3600.0
    assert kwh.min() >= kind.energy_kwh[0] - 0.1
    assert kwh.max() <= kind.energy_kwh[1] + 0.1
    assert length_h.min() >= kind.length_h[0] - 0.01
    assert length_h.max() <= kind.length_h[1] + 0.01
    shape_kw = torch.tensor(kind.block_kw).double().max()
    assert fleet.rated_kw.min() > 0.78 * shape_kw
    assert fleet.rated_kw.max() < 1.22 * shape_kw


@pytest.mark.parametrize("name", APPLIANCES)
def test_a_home_is_the_same_in_every_fleet(name):
    some = torch.tensor([17, 2500, 3])
    few, all_of_them = sampled(name, some), sampled(name)
    map_columns(
        few, lambda a, b: torch.testing.assert_close(a, b[some], rtol=0, atol=0), all_of_them
    )


def test_types_are_drawn_apart():
    washer, dryer = sampled("washer"), sampled("dryer")
    pair = torch.stack([duration_s(washer.params), duration_s(dryer.params)])
    assert abs(torch.corrcoef(pair)[0, 1].item()) < 0.05


def test_absent_and_unmanaged_machines_are_in_no_class():
    present = torch.arange(HOMES) % 2 == 0
    fleet = sample_appliances(0, torch.arange(HOMES), present, "washer", 0.5)
    assert (fleet.cohort[~present] == -1).all()
    assert (fleet.rated_kw[~present] == 0).all()
    assert (fleet.rated_kw[present] > 0).all()
    share = (fleet.cohort[present] == 0).double().mean().item()
    assert share == pytest.approx(0.5, abs=0.04)


def test_only_dryers_and_pool_pumps_may_pause():
    shares = {
        name: (sampled(name).params.pausable_from_s / duration_s(sampled(name).params))
        .mean()
        .item()
        for name in APPLIANCES
    }
    expected = {"dishwasher": 1.0, "washer": 1.0, "dryer": 1 / 3, "pool_pump": 0.0}
    assert shares == pytest.approx(expected, abs=1e-3)


def with_blocks(fleet, block_kw, block_s):
    params = cycle_params(block_kw, block_s, 1.0)
    return fleet._replace(params=params)


@pytest.mark.parametrize(
    ("block_kw", "block_s", "fault"),
    [
        ([0.0, 1.0], 300.0, "begins with a block without power"),
        ([1.0, -1.0], 300.0, "power below 0"),
        ([1.0, 1.0], 0.5, "whole seconds"),
    ],
)
def test_cycles_that_no_machine_runs_are_refused(block_kw, block_s, fault):
    fleet = sampled("washer", torch.arange(1))
    blocks = torch.tensor([block_kw], dtype=torch.float64)
    bad = with_blocks(fleet, blocks, torch.tensor([block_s], dtype=torch.float64))
    with pytest.raises(InputError, match=f"washer of row 0: .*{fault}"):
        check_appliances(bad, "washer of row")


def test_types_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="appliance 'oven' is none of"):
        sampled("oven")
