from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.off_policy import (
    OffPolicyLearner,
    SacSettings,
    Td3Settings,
    TqcSettings,
    off_policy_model,
)
from vpp_rl.agents.sb3_env import FleetVecEnv

SMALL = {
    "hidden": (16, 8),
    "critic_hidden": (8,),
    "scenarios": 4,
    "warm_up": 5,
    "steps": 6,
    "gradient_steps": 4,
    "batch": 16,
    "learning_rate": 1e-2,
}
KINDS = [SacSettings(**SMALL), Td3Settings(**SMALL), TqcSettings(**SMALL)]


def of_kind(settings):
    return settings.name


def rows(spec, settings):
    return FleetVectorEnv(spec, settings.scenarios, autoreset_mode="SameStep", stagger=True)


@pytest.mark.parametrize("settings", KINDS, ids=of_kind)
def test_the_network_that_is_served_acts_as_the_actor_without_exploration(settings, day_spec):
    env = rows(day_spec, settings)
    learner = OffPolicyLearner(env, settings, seed=1)
    for _ in range(3):
        learner.update(0.0)
    env.reset(seed=5)
    seen = (env.observation - learner.network.mean) * learner.network.scale
    theirs, _ = learner._model.predict(seen.clamp(-10.0, 10.0).numpy(), deterministic=True)
    with torch.no_grad():
        ours = learner.network(env.observation).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert np.abs(ours).max() > 1e-2  # it has left the rule that it began with


@pytest.mark.parametrize("settings", KINDS, ids=of_kind)
def test_a_learner_begins_with_the_rule_of_the_dispatch_mode(settings, day_spec):
    env = rows(day_spec, settings)
    learner = OffPolicyLearner(env, settings, seed=1)
    env.reset(seed=5)
    assert torch.equal(learner.network(env.observation), torch.zeros(4, len(env.action_names)))


def test_an_update_tells_what_was_lived_and_earned(day_spec):
    settings = KINDS[0]
    env = rows(day_spec, settings)
    learner = OffPolicyLearner(env, settings, seed=1)
    first, second = learner.update(0.0), learner.update(0.5)
    assert first.home_steps == 4 * (5 + 6)  # with the warm-up
    assert second.home_steps == 4 * 6
    rewards = learner._model.replay_buffer.rewards[11:17]
    assert second.profit_per_kw_day == pytest.approx(rewards.mean() * 288 / env.reward_scale)
    assert second.loss > 0.0
    assert learner._model.actor.optimizer.param_groups[0]["lr"] == 0.5 * settings.learning_rate


@pytest.mark.parametrize("settings", KINDS, ids=of_kind)
def test_a_learner_that_ruins_itself_says_so_by_a_loss_that_is_no_number(settings, day_spec):
    learner = OffPolicyLearner(
        rows(day_spec, settings), replace(settings, learning_rate=1e30), seed=1
    )
    losses = [learner.update(0.0).loss for _ in range(3)]
    assert np.isnan(losses[-1])


def test_a_row_alone_is_paid_what_it_made_itself(day_spec):
    env = FleetVectorEnv(day_spec, 4, autoreset_mode="SameStep")
    bare = FleetVectorEnv(day_spec, 4, autoreset_mode="SameStep")
    features = len(env.observation_names)
    venv = FleetVecEnv(env, torch.zeros(features), torch.ones(features), 0.999, False, group=1)
    venv.seed(5)
    venv.reset()
    bare.reset(seed=[5, 6, 7, 8])
    paid = 0.0
    for tick in range(20):
        action = np.random.default_rng(tick).uniform(-1, 1, env.action_space.shape)
        _, reward, _, _ = venv.step(action)
        _, earned, _, _, _ = bare.step(action)
        np.testing.assert_allclose(reward, earned, rtol=1e-6, atol=1e-7)
        paid += np.abs(reward).sum()
    assert paid > 0.0


def test_a_far_horizon_discounts_by_gamma_alone(day_spec):
    settings = replace(KINDS[0], gamma=0.99)
    discounts = []
    for horizon_h in (4.0, 1e9):
        env = rows(day_spec, settings)
        features = len(env.observation_names)
        venv = FleetVecEnv(env, torch.zeros(features), torch.ones(features), 0.99, True, group=1)
        model = off_policy_model(venv, replace(settings, horizon_h=horizon_h), seed=0)
        discounts.append(model.gamma)
    assert discounts[0] ** 48 == pytest.approx(0.99**48 / np.e)  # 48 steps of five minutes
    assert discounts[1] == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("kind", "setting", "sentence"),
    [
        (SacSettings, {"steps": 0}, r"agent\.steps must be at least 1, got 0"),
        (SacSettings, {"learning_rate": float("nan")}, r"agent\.learning_rate must be at least 0"),
        (SacSettings, {"seconds": 0.0}, r"agent\.seconds must be above 0, or null"),
        (SacSettings, {"replay": 100}, r"agent\.replay=100 must hold at least a batch \(256\)"),
        (SacSettings, {"gamma": 1.0}, r"agent\.gamma must lie between 0 and 1, got 1\.0"),
        (SacSettings, {"tau": 1.5}, r"agent\.tau must be above 0 and at most 1, got 1\.5"),
        (SacSettings, {"horizon_h": 0.0}, r"agent\.horizon_h must be above 0 hours, got 0\.0"),
        (SacSettings, {"entropy_weight": 0.0}, r"agent\.entropy_weight must be above 0, got 0\.0"),
        (TqcSettings, {"dropped_quantiles": 11}, r"agent\.dropped_quantiles=11 leaves none of"),
        (TqcSettings, {"critics": 0}, r"agent\.critics must be at least 1, got 0"),
        (Td3Settings, {"policy_delay": 0}, r"agent\.policy_delay must be at least 1, got 0"),
        (Td3Settings, {"noise": -0.1}, r"agent\.noise must be at least 0, got -0\.1"),
    ],
)
def test_settings_that_cannot_train_are_refused(kind, setting, sentence):
    with pytest.raises(InputError, match=sentence):
        kind(**setting)
