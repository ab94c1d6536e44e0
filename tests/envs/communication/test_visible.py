"""What cannot be commanded is in nobody's count, and does what it does by itself."""

import torch

from vpp_envs.communication.visible import asked_of, visible_fleet, visible_flexes
from vpp_envs.flexible.flex import Flex, into_flex
from vpp_envs.observation import fleet_features
from vpp_envs.scenario import build_scenario
from vpp_envs.vector_env import FleetVectorEnv


def test_a_home_that_is_not_reached_has_no_class_and_keeps_its_physics(car_spec):
    fleet = build_scenario(car_spec, "train").fleet
    may = torch.arange(8) % 2 == 0
    seen = visible_fleet(fleet, may.expand(3, 8))
    assert seen.cohort.shape == seen.ev.cohort.shape == (3, 8)
    assert bool((seen.cohort[:, ~may] == -1).all())
    assert torch.equal(seen.cohort[0, may], fleet.cohort[may])
    assert torch.equal(seen.ev.cohort[0, may], fleet.ev.cohort[may])
    assert seen.battery is fleet.battery


def test_features_see_the_homes_that_are_reached_alone(small_spec):
    # One battery fleet; hiding homes is like not having them.
    env = FleetVectorEnv(small_spec, 2)
    env.reset(seed=1)
    moment, fleet = env.moment, env.fleet
    may = torch.tensor([True] * 4 + [False] * 4).expand(2, 8)
    hidden = fleet_features(moment, visible_fleet(fleet, may), env.scenario.dt_h)
    none = torch.full_like(fleet.cohort[4:], -1)
    without = fleet._replace(cohort=torch.cat([fleet.cohort[:4], none]))
    assert torch.equal(hidden, fleet_features(moment, without, env.scenario.dt_h))
    assert not torch.equal(hidden, fleet_features(moment, fleet, env.scenario.dt_h))


def test_a_device_that_is_not_reached_is_left_alone():
    row = torch.tensor([[1.0, 1.0]])
    tank = Flex(
        torch.tensor([0, 0]), row[0], row * 0, row * 4, row * 2, row * 0, row * 0.5, row, row
    )
    may = torch.tensor([[True, False]])
    assert into_flex(row * 3, visible_flexes([tank], may)[0]).tolist() == [[3.0, 2.0]]
    assert into_flex(asked_of(row * 3, may), tank).tolist() == [[3.0, 2.0]]


def test_no_gradient_reaches_whoever_is_not_reached():
    asked = torch.ones(1, 2, requires_grad=True)
    asked_of(asked, torch.tensor([[True, False]])).nan_to_num().sum().backward()
    assert asked.grad.tolist() == [[1.0, 0.0]]
