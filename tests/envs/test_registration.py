"""Every task can be made by its id, and passes Gymnasium's own check without a warning."""

import warnings
from dataclasses import replace

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.registration import ENVIRONMENTS
from vpp_envs.scenario import SCENARIOS, ScenarioSpec, scenario_spec


def few(name: str) -> ScenarioSpec:
    """Six homes of a scenario on a few days."""
    spec = scenario_spec(name)
    market = replace(spec.market, train_days=8, validation_days=2, test_days=2)
    return replace(spec, market=market, fleet=replace(spec.fleet, homes=6))


def test_every_scenario_is_a_task():
    assert set(ENVIRONMENTS.values()) == set(SCENARIOS)
    assert all(env_id in gym.registry for env_id in ENVIRONMENTS)
    for env_id, name in ENVIRONMENTS.items():
        assert gym.spec(env_id).kwargs == {"scenario": name}
        assert scenario_spec(name).name == name


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_gymnasiums_own_check_finds_nothing_in_any_task(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = gym.make(env_id, scenario=few(ENVIRONMENTS[env_id]))
        check_env(made.unwrapped)


def test_homes_with_cars_have_no_battery_and_homes_with_sun_have_a_tariff():
    cars, sun = scenario_spec("ev_homes"), scenario_spec("solar_homes")
    assert cars.fleet == FleetSpec(battery_share=0.0, ev_share=1.0)
    assert cars.tariff is None
    assert sun.tariff == "example"
    assert sun.fleet.solar_share == 1.0
