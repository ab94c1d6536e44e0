import numpy as np
import pytest
import torch

from vpp_envs.dispatch.cohort_power import level_fill
from vpp_envs.dispatch.modes import DISPATCH, action_names, dispatch_mode
from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.pick import map_columns
from vpp_envs.observation import fleet_features
from vpp_envs.vector_env import FleetVectorEnv

NOON = 12 * 12


def twice(fleet: Fleet) -> Fleet:
    def both(tensor):
        return torch.cat([tensor, tensor])

    return map_columns(fleet, both)


@pytest.mark.parametrize("mode", DISPATCH)
@pytest.mark.parametrize("homes", ["small_spec", "car_spec"])
def test_no_action_is_dead(homes, mode, request):
    """One day of four after the other, each with no command and with each end of each component."""
    spec = request.getfixturevalue(homes)
    names = FleetVectorEnv(spec, 1, dispatch=mode).action_names
    one = np.eye(len(names))
    commands = np.concatenate([np.zeros((1, len(names))), one, -one])
    rows = 4 * len(commands)
    env = FleetVectorEnv(spec, rows, dispatch=mode, dtype="float64", autoreset_mode="Disabled")
    env.reset(
        seed=[5] * rows, options={"start_ticks": torch.arange(4).repeat(rows // 4) * 288 + NOON}
    )
    seen = []
    for _ in range(36 if env.state.ev is None else 96):  # until the cars are home
        env.step(commands.repeat(4, 0))
        seen.append(env.last[1].solar_kwh)
    cars = [] if env.state.ev is None else [env.state.ev.energy_kwh]
    outcome = torch.cat([env.energy_kwh, *cars, torch.stack(seen, -1)], -1)
    still, *moved = outcome.unflatten(0, (-1, 4)).unbind(0)
    present = {"power": env.fleet.battery.discharge_kw > 0}
    if env.fleet.ev is not None:
        present["ev"] = env.fleet.ev.cohort >= 0
    for index, name in enumerate(names):
        if name.startswith("home_"):
            home, device = name.removeprefix("home_").split("/")
            if not present[device][int(home)]:
                continue  # a home without the device has nothing to command
        ends = (moved[index], moved[index + len(names)])
        assert any(not torch.equal(end, still) for end in ends), name


def test_level_fill_meets_its_target_and_evens_the_fills(small_spec):
    env = FleetVectorEnv(small_spec, 3, dtype="float64")
    env.reset(seed=1)
    battery = env.fleet.battery
    low, high = -battery.discharge_kw.expand(3, -1), battery.charge_kw.expand(3, -1)
    for share in (-0.9, -0.3, 0.0, 0.4, 1.0):
        total = torch.where(torch.tensor(share) < 0, -low.sum(-1), high.sum(-1))
        target = (share * total).unsqueeze(-1)
        power = level_fill(target, env.energy_kwh, low, high, env.fleet, 1 / 12)
        assert torch.allclose(power.sum(-1, keepdim=True), target, atol=1e-9)
        assert (power >= low - 1e-12).all()
        assert (power <= high + 1e-12).all()


def test_a_zero_bend_compares_the_price_with_the_curve(small_spec):
    env = FleetVectorEnv(small_spec, 2, dtype="float64")
    env.reset(seed=2)
    moment, fleet = env.moment, env.fleet
    worth = torch.full_like(moment.curve, 0.10)
    zero = torch.zeros(2, len(env.action_names), dtype=torch.float64)
    eff, wear = fleet.battery.one_way_eff, fleet.battery.wear_per_kwh
    for price in (0.05, 0.098, 0.12, 0.5):
        now = moment._replace(curve=worth, price_per_kwh=torch.full((2, 1), price).double())
        power = dispatch_mode("value_curve")(zero, now, fleet, 1 / 12).battery_kw
        free = (fleet.battery.discharge_kw > 0) & (moment.energy_kwh > fleet.agreement.reserve_kwh)
        buys = (price < eff * 0.10).expand_as(power)
        sells = (price - wear > 0.10 / eff).expand_as(power)
        assert ((power > 0) == (buys & free))[free].all()
        assert ((power < 0) == (sells & free))[free].all()


def test_doubling_every_home_changes_neither_observation_nor_set_points(small_spec):
    env = FleetVectorEnv(small_spec, 2, dtype="float64")
    env.reset(seed=4)
    moment, fleet = env.moment, env.fleet
    doubled = moment._replace(
        energy_kwh=moment.energy_kwh.repeat(1, 2),
        load_kw=moment.load_kw.repeat(1, 2),
        solar_available_kw=moment.solar_available_kw.repeat(1, 2),
    )
    twins = twice(fleet)
    ours, theirs = fleet_features(moment, fleet, 1 / 12), fleet_features(doubled, twins, 1 / 12)
    assert torch.allclose(ours, theirs, atol=1e-9)
    action = torch.full((2, 3 * 2 + 1), 0.3, dtype=torch.float64)
    action = action[:, : len(action_names("cohort_power", env.scenario.cohort_names, 8))]
    one = dispatch_mode("cohort_power")(action, moment, fleet, 1 / 12).battery_kw
    two = dispatch_mode("cohort_power")(action, doubled, twins, 1 / 12).battery_kw
    assert torch.allclose(two[:, :8], one, atol=1e-6)


def test_an_unknown_mode_is_refused_by_name():
    with pytest.raises(InputError, match="dispatch must be one of value_curve"):
        dispatch_mode("vale_curve")
