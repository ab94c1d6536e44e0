import pytest
import torch

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.policy import scene_of, solar_unless_negative


@pytest.fixture
def env(day_spec):
    env = FleetVectorEnv(day_spec, 3, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=0, options={"start_ticks": [100, 288 + 143, 600]})
    return env


def test_a_scene_shows_the_latest_forecast_and_none_that_is_yet_to_come(env):
    scene = scene_of(env)
    issues = [100 // 6, 431 // 6, 100]
    assert torch.equal(scene.forecast_nodes, env.scenario.forecast.nodes_per_mwh[issues])
    weights = env.scenario.forecast.weights
    torch.testing.assert_close(scene.forecast_mean, (scene.forecast_nodes * weights).sum(-1))


def test_a_scene_tells_the_time_of_the_market(env):
    torch.testing.assert_close(
        scene_of(env).hour, torch.tensor([100 / 12, 143 / 12, 24 / 12]), rtol=1e-6, atol=1e-6
    )


def test_a_scene_is_of_now_when_the_environment_moves_on(env):
    before = scene_of(env)
    energy = before.moment.energy_kwh.clone()
    env.step(torch.ones(3, len(env.action_names)))
    assert torch.equal(before.moment.energy_kwh, energy)
    assert scene_of(env).tick.tolist() == [101, 432, 601]
    assert not torch.equal(scene_of(env).moment.energy_kwh, energy)


@pytest.mark.parametrize(("price", "share"), [(-0.001, 0.0), (0.0, 1.0), (0.2, 1.0)])
def test_the_sun_is_switched_off_at_negative_prices(env, price, share):
    env.moment = env.moment._replace(
        price_per_kwh=torch.full_like(env.moment.price_per_kwh, price),
        solar_available_kw=torch.full_like(env.moment.solar_available_kw, 2.0),
    )
    assert (solar_unless_negative(scene_of(env)) == 2.0 * share).all()
