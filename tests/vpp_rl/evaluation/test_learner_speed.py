import numpy as np
import torch

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.ppo import PpoSettings
from vpp_rl.agents.sb3_env import FleetVecEnv
from vpp_rl.evaluation.learner_speed import IdleVecEnv, LearnerSpeed, measure_learner


def test_the_share_is_ours_of_the_idle():
    assert LearnerSpeed(ours=30.0, idle=40.0).share == 0.75


def test_the_idle_environment_is_not_stepped(day_spec):
    env = FleetVectorEnv(day_spec, 4, autoreset_mode="SameStep")
    features = len(env.observation_names)
    idle = IdleVecEnv(env, torch.zeros(features), torch.ones(features), 0.999, True, 2)
    seen = idle.reset()
    after, reward, done, infos = idle.step(np.ones((4, len(env.action_names)), np.float32))
    assert after is seen
    assert env.last is None
    assert not reward.any()
    assert not done.any()
    assert infos == [{}] * 4


def test_every_pair_of_updates_is_reported_and_the_first_is_not_counted():
    pairs = []
    settings = PpoSettings(hidden=(8,), scenarios=8, steps=4, batch=16, epochs=1)
    # So many homes that a step of the world is slower than none, on a busy machine too.
    speed = measure_learner(2, settings, homes=5000, compile=False, done=lambda: pairs.append(1))
    assert len(pairs) == 3
    assert speed.idle > speed.ours > 0


def test_a_step_of_the_idle_environment_has_the_types_of_ours(day_spec):
    env = FleetVectorEnv(day_spec, 4, autoreset_mode="SameStep")
    features = len(env.observation_names)
    arguments = (env, torch.zeros(features), torch.ones(features), 0.999, True, 2)
    action = np.zeros((4, len(env.action_names)), np.float32)
    outcomes = []
    for kind in (FleetVecEnv, IdleVecEnv):
        venv = kind(*arguments)
        venv.seed(0)
        venv.reset()
        outcomes.append(venv.step(action))
    for ours, idle in zip(outcomes[0][:3], outcomes[1][:3], strict=True):
        assert (ours.shape, ours.dtype) == (idle.shape, idle.dtype)
