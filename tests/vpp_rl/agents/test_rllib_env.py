"""What RLlib's runners see; RLlib itself only in the slow tests at the end."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.rllib_env import RUNNERS_ID, Plan, RunnersEnv
from vpp_rl.agents.sb3_env import FleetVecEnv

GAMMA = 0.999
DAY = 288
ROWS = 4


def plan(spec, shaping=True, group=2, mean=None, scale=None):
    features = len(FleetVectorEnv(spec).observation_names)
    mean = np.zeros(features, np.float32) if mean is None else mean
    scale = np.ones(features, np.float32) if scale is None else scale
    return Plan(spec, "value_curve", 10.0, False, mean, scale, GAMMA, shaping, group)


def runners_env(spec, **options):
    return RunnersEnv({"num_envs": ROWS, "plan": plan(spec, **options)})


def command(env, tick):
    return np.random.default_rng(tick).uniform(-1, 1, (ROWS, env.single_action_space.shape[0]))


def test_rewards_are_those_that_stable_baselines_gets(any_days):
    """The last ones of an episode too, whose potential each library reads in its own mode."""
    env = runners_env(any_days)
    env.fleet_env._stagger = False
    env.reset(seed=5)
    bare = FleetVectorEnv(any_days, ROWS, autoreset_mode="SameStep")
    features = len(bare.observation_names)
    venv = FleetVecEnv(bare, torch.zeros(features), torch.ones(features), GAMMA, True, 2)
    venv.seed(10)  # two groups a runner: those of seed 5 are 10 and 11
    venv.reset()
    for tick in range(DAY):
        seen, reward, _, truncated, _ = env.step(command(env, tick))
        theirs, paid, done, infos = venv.step(command(env, tick))
        np.testing.assert_allclose(reward, paid, atol=1e-5)
        assert truncated.all() == done.all() == (tick == DAY - 1)
    assert np.abs(reward).max() > 1e-4
    np.testing.assert_allclose(seen, [i["terminal_observation"] for i in infos], atol=1e-6)
    assert not np.allclose(seen, theirs)
    env.step(command(env, DAY))  # starts the rows anew
    for tick in range(20):
        seen, reward, _, _, _ = env.step(command(env, tick))
        theirs, paid, _, _ = venv.step(command(env, tick))
        np.testing.assert_allclose(reward, paid, atol=1e-5)
        np.testing.assert_allclose(seen, theirs, atol=1e-6)


def test_the_step_that_starts_a_row_anew_pays_nothing(day_spec):
    env = runners_env(day_spec, group=1)
    env.fleet_env._stagger = False
    env.reset(seed=5)
    for tick in range(DAY):
        env.step(command(env, tick))
    _, reward, _, truncated, _ = env.step(command(env, DAY))
    assert (reward == 0.0).all()
    assert not truncated.any()
    _, reward, _, _, _ = env.step(command(env, DAY + 1))
    assert (reward != 0.0).all()


def test_the_mean_reward_is_that_before_shaping_over_the_intervals_lived(day_spec):
    env = runners_env(day_spec)
    bare = FleetVectorEnv(day_spec, ROWS, stagger=True)
    env.reset(seed=5)
    bare.reset(seed=[10, 10, 11, 11])
    earned, lived, ended = 0.0, 0, np.zeros(ROWS, bool)
    for tick in range(DAY + 2):
        env.step(command(env, tick))
        _, reward, _, truncated, _ = bare.step(command(env, tick))
        earned, lived = earned + reward.sum(), lived + (~ended).sum()
        ended = truncated
    assert lived < ROWS * (DAY + 2)
    assert env.mean_reward() == np.float64(earned / lived)
    assert np.isnan(env.mean_reward())


def test_observations_are_normalised_as_the_network_does(day_spec):
    features = len(FleetVectorEnv(day_spec).observation_names)
    mean = np.linspace(-1, 1, features, dtype=np.float32)
    scale = np.linspace(0.5, 20, features, dtype=np.float32)
    env = runners_env(day_spec, mean=mean, scale=scale)
    seen, _ = env.reset(seed=0)
    raw = env.fleet_env.observation.numpy()
    np.testing.assert_allclose(seen, ((raw - mean) * scale).clip(-10, 10), rtol=1e-6)
    assert env.single_observation_space.contains(seen[0])


def test_runners_with_different_seeds_live_different_days_and_rows_of_a_group_the_same(day_spec):
    env = runners_env(day_spec)
    days = []
    for seed in (7, 8):
        env.reset(seed=seed)
        days.append(env.fleet_env._seeds.tolist())
    assert days == [[14, 14, 15, 15], [16, 16, 17, 17]]


class Counting(RunnersEnv):
    """Shows the age of each row as its first feature."""

    def _normal(self, observation):
        return _ages(self.fleet_env, observation)


class SameStep(FleetVectorEnv):
    """The mode that RLlib accepts and should not."""

    def __init__(self, context):
        super().__init__(
            context["scenario"], context["num_envs"], autoreset_mode="SameStep", stagger=True
        )

    def step(self, actions):
        observation, *rest, _ = super().step(actions)
        return _ages(self, observation), *rest, {}

    def reset(self, **arguments):
        observation, _ = super().reset(**arguments)
        return _ages(self, observation), {}


def _ages(env, observation):
    shown = np.zeros_like(observation)
    shown[:, 0] = env._age.numpy() / DAY
    return shown


def ages_of(episode):
    return np.round(np.array(episode.get_observations())[:, 0] * DAY)


def lived(env, env_config, shown=ages_of):
    """What is shown of each episode that RLlib's runner collects, two a row."""
    pytest.importorskip("ray.rllib")
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

    config = (
        PPOConfig()
        .environment(env, env_config=env_config)
        .env_runners(num_envs_per_env_runner=ROWS, gym_env_vectorize_mode="vector_entry_point")
        .debugging(seed=1)
    )
    gym.registry.pop(RUNNERS_ID, None)
    runner = SingleAgentEnvRunner(config=config)
    episodes = runner.sample(num_episodes=2 * ROWS, random_actions=True)
    runner.stop()
    return [shown(episode) for episode in episodes]


@pytest.mark.slow
def test_every_step_of_an_episode_follows_the_one_before(day_spec):
    episodes = lived(Counting, {"plan": plan(day_spec)})
    assert len(episodes) >= 2 * ROWS
    for ages in episodes:
        assert (np.diff(ages) == 1).all()
        assert ages[-1] == DAY
    assert sum(ages[0] == 0 for ages in episodes) >= ROWS


@pytest.mark.slow
def test_in_same_step_mode_rllib_joins_an_episode_to_the_next(day_spec):
    """Why `RunnersEnv` has one mode only: the other one is wrong without a word."""
    episodes = lived(SameStep, {"scenario": day_spec})
    assert any(ages[-1] == 0 for ages in episodes)  # the last observation is the next episode's
    assert not any(ages[-1] == DAY for ages in episodes)


@pytest.mark.slow
def test_the_registered_id_works_with_rllib_as_it_is(day_spec):
    episodes = lived("vpp_envs:vpp/NemArbitrage-v0", {"scenario": day_spec}, shown=len)
    assert episodes == [DAY] * (2 * ROWS)
