import pytest
import torch

from vpp_envs.dispatch.envelope import battery_envelope
from vpp_envs.dispatch.per_device import per_device
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0


@pytest.fixture(scope="module")
def plant(small_spec):
    env = FleetVectorEnv(small_spec, 2, dispatch="per_device", dtype="float64")
    env.reset(seed=1)
    return env


def act(plant, *shares, curtail=-1.0):
    action = torch.tensor([*shares, curtail], dtype=torch.float64).expand(2, -1)
    return per_device(action, plant.moment, plant.fleet, DT_H)


def envelope(plant):
    moment = plant.moment
    site = moment.load_kw - moment.solar_available_kw
    return battery_envelope(
        moment.energy_kwh, site, plant.fleet.battery, plant.fleet.agreement, DT_H
    )


def test_the_ends_are_each_homes_own_edges(plant):
    edges = envelope(plant)
    torch.testing.assert_close(act(plant, *[1.0] * 8).battery_kw, edges.high_kw)
    torch.testing.assert_close(act(plant, *[-1.0] * 8).battery_kw, edges.low_kw)


def test_zero_leaves_every_battery_alone(plant):
    edges = envelope(plant)
    rest = torch.minimum(edges.low_kw.clamp(min=0.0), edges.high_kw)
    torch.testing.assert_close(act(plant, *[0.0] * 8).battery_kw, rest)


def test_a_command_moves_its_own_home_and_no_other(plant):
    still = act(plant, *[0.0] * 8).battery_kw
    for home in range(8):
        shares = [0.0] * 8
        shares[home] = 0.5
        moved = (act(plant, *shares).battery_kw != still).any(0)
        has_battery = plant.fleet.battery.discharge_kw[home] > 0
        assert moved.nonzero().flatten().tolist() == ([home] if has_battery else [])


def test_half_a_command_is_half_of_the_way_to_the_edge(plant):
    free = envelope(plant).low_kw <= 0
    whole, half = (act(plant, *[share] * 8).battery_kw for share in (1.0, 0.5))
    torch.testing.assert_close(half[free], whole[free] / 2)
