"""Devices by the clock: filled in one window of the day, set back in another, else left alone."""

import pytest
import torch

from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible.kinds import present
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.signals.market import MarketSpec
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.baselines.charging import CheapestSlots, Together
from vpp_rl.baselines.clock import ByTheClock
from vpp_rl.baselines.rules import SelfConsumption
from vpp_rl.policy import scene_of

DAYS = MarketSpec(train_days=4, validation_days=2, test_days=2)
FLEET = FleetSpec(
    homes=12,
    ev_share=1.0,
    water_heater_share=1.0,
    hvac_share=1.0,
    pool_pump_share=1.0,
    generator_share=1.0,
    generator_permit_share=1.0,
)


@pytest.fixture
def at_hour():
    env = FleetVectorEnv(ScenarioSpec(fleet=FLEET, market=DAYS, episode_days=1), 1, dtype="float64")

    def scene(hour):
        env.reset(seed=0, options={"start_ticks": [round(hour * 12)]})
        return scene_of(env)

    return scene


def test_devices_store_in_the_one_window_and_live_on_it_in_the_other(at_hour):
    clock = ByTheClock(store_from_h=11.0, store_to_h=16.0, rest_from_h=17.0, rest_to_h=21.0)
    for hour, edge in ((11.0, "high_kw"), (15.9, "high_kw"), (17.0, "low_kw"), (20.9, "low_kw")):
        scene = at_hour(hour)
        kinds = present(scene.fleet.flexible)
        for kind, asked, flex in zip(
            kinds, clock.act(scene).flexible_kw, scene.moment.flexes, strict=True
        ):
            if kind != "generator":
                assert torch.equal(asked, getattr(flex, edge).clamp(min=0.0)), (kind, hour)


@pytest.mark.parametrize(("store", "rest"), [(0.0, 1.0), (0.5, 0.25), (1.0, 0.0)])
def test_thermostats_alone_go_part_of_the_way(at_hour, store, rest):
    clock = ByTheClock(store_depth=store, rest_depth=rest)
    for hour, edge, depth in ((12.0, "high_kw", store), (18.0, "low_kw", rest)):
        scene = at_hour(hour)
        kinds = present(scene.fleet.flexible)
        rows = zip(kinds, clock.act(scene).flexible_kw, scene.moment.flexes, strict=True)
        for kind, asked, flex in rows:
            edge_kw = getattr(flex, edge).clamp(min=0.0)
            if kind == "hvac":
                edge_kw = (1.0 - depth) * flex.alone_kw + depth * edge_kw
            if kind != "generator":
                torch.testing.assert_close(asked, edge_kw, rtol=1e-12, atol=1e-12)


def test_else_they_are_left_alone_and_engines_never_start(at_hour):
    for hour in (0.0, 10.9, 16.0, 21.0):
        scene = at_hour(hour)
        assert all(kw.isnan().all() for kw in ByTheClock().act(scene).flexible_kw)
    for hour in (12.0, 18.0):
        engines = ByTheClock().act(at_hour(hour)).flexible_kw[-1]
        assert (engines.isnan() | (engines == 0.0)).all()


def test_rules_share_a_home(at_hour):
    scene = at_hour(12.0)
    rules = Together(SelfConsumption(), CheapestSlots(), ByTheClock())
    assert rules.name == "self-consumption, cheapest slots, devices by the clock"
    asked = rules.act(scene)
    assert torch.equal(asked.battery_kw, SelfConsumption().act(scene).battery_kw)
    assert torch.equal(asked.ev_kw, CheapestSlots().act(scene).ev_kw)
    for one, other in zip(asked.flexible_kw, ByTheClock().act(scene).flexible_kw, strict=True):
        assert torch.equal(one.nan_to_num(-1.0), other.nan_to_num(-1.0))
