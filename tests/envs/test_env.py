import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from vpp_envs.env import FleetEnv
from vpp_envs.registration import ENVIRONMENTS, register_environments
from vpp_envs.vector_env import FleetVectorEnv

ENV_ID = "vpp/NemArbitrage-v0"


@pytest.fixture
def env(small_spec):
    return gym.make(ENV_ID, scenario=small_spec)


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power", "per_device"])
@pytest.mark.parametrize("render_mode", [None, "ansi"])
def test_gymnasiums_own_check_finds_nothing(small_spec, dispatch, render_mode):
    made = gym.make(ENV_ID, scenario=small_spec, dispatch=dispatch, render_mode=render_mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)


def test_gymnasiums_wrappers_find_nothing_while_it_is_stepped(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen, info = env.reset(seed=3)
        for _ in range(5):
            seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert env.observation_space.contains(seen)
    assert isinstance(reward, float)
    assert (terminated, truncated) == (False, False)
    parts = "energy_market", "left_alone", "wear", "comfort"
    assert set(info) == {f"reward/{part}" for part in parts}


def test_the_single_environment_is_the_batch_of_one(env, small_spec):
    batch = FleetVectorEnv(small_spec, 1, autoreset_mode="Disabled")
    ours, _ = env.reset(seed=5)
    theirs, _ = batch.reset(seed=5)
    np.testing.assert_array_equal(ours, theirs[0])
    env.action_space.seed(0)
    for _ in range(20):
        action = env.action_space.sample()
        ours, reward, _, _, info = env.step(action)
        theirs, rewards, _, _, infos = batch.step(action[None])
        np.testing.assert_array_equal(ours, theirs[0])
        assert reward == rewards[0]
        assert info["reward/wear"] == infos["reward/wear"][0]


def test_an_episode_is_truncated_after_its_days_and_begins_anew(small_spec):
    env = FleetEnv(small_spec)
    action = np.zeros(env.action_space.shape, np.float32)
    first, _ = env.reset(seed=1)
    returned = 0.0
    for tick in range(2 * 288):
        _, reward, terminated, truncated, info = env.step(action)
        returned += reward
        assert truncated == (tick == 2 * 288 - 1)
        assert not terminated
    assert info["episode_return"] == pytest.approx(returned)
    second, _ = env.reset()
    assert not np.array_equal(first, second)
    again, _ = env.reset(seed=1)
    np.testing.assert_array_equal(first, again)


def test_both_faces_are_made_by_name(small_spec):
    batch = gym.make_vec(
        ENV_ID,
        num_envs=3,
        vectorization_mode="vector_entry_point",
        scenario=small_spec,
        autoreset_mode=AutoresetMode.SAME_STEP,
        split="validation",
    )
    assert isinstance(batch.unwrapped, FleetVectorEnv)
    assert batch.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert batch.observation_space.shape == (3, *batch.single_observation_space.shape)
    seen, _ = batch.reset(seed=0)
    assert batch.observation_space.contains(seen)
    batch.close()


def test_the_registry_is_the_table_and_may_be_filled_again():
    register_environments()
    for name in ENVIRONMENTS:
        assert gym.spec(name).entry_point == "vpp_envs.env:FleetEnv"
        assert gym.spec(name).vector_entry_point == "vpp_envs.vector_env:FleetVectorEnv"


def test_text_tells_price_power_and_store(small_spec):
    env = FleetEnv(small_spec, render_mode="ansi")
    env.reset(seed=0)
    assert "stored" in env.render()  # also before the first step
    env.step(np.full(env.action_space.shape, 1.0, np.float32))
    line = env.render()
    price = float(env.batch.moment.price_per_kwh) * 1000
    assert f"{price:8.1f} AUD/MWh" in line
    power = float(env.batch.last[1].battery_kwh) * 12
    assert f"{power:+9.1f} kW" in line


def test_nothing_is_drawn_unasked(small_spec):
    env = FleetEnv(small_spec)
    env.reset(seed=0)
    assert env.render() is None
