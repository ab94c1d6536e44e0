"""What a kelvin-hour counts to a learner: in its reward and its gradient, and in no money."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.kernels import rows_at
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import AnalyticLearner, AnalyticSettings, smooth_step
from vpp_rl.agents.network import PolicyNetwork

PRICE = 0.4


def summer(suburb_spec, price):
    env = FleetVectorEnv(replace(suburb_spec, comfort_per_k_h=price), 2, dtype="float64")
    env.reset(seed=3)
    return env


def test_the_reward_is_less_by_what_discomfort_counts_and_no_money_changes(suburb_spec):
    priced, free = summer(suburb_spec, PRICE), summer(suburb_spec, 0.0)
    felt = 0.0
    for _ in range(150):
        lazy = -np.ones((2, len(free.action_names)))
        _, reward, _, _, info = priced.step(lazy)
        _, other, _, _, _ = free.step(lazy)
        one, two = priced.last[1], free.last[1]
        assert all(torch.equal(*pair) for pair in zip(one, two, strict=True))
        rated_kw = priced.rated_kw.numpy()
        counted = 10.0 * PRICE * one.discomfort_k_h.numpy() / rated_kw
        np.testing.assert_allclose(other - reward, counted, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(info["reward/comfort"], -counted, rtol=1e-9, atol=1e-12)
        felt += float(one.discomfort_k_h.sum())
    assert felt > 1.0


def test_the_analytic_gain_is_less_by_what_discomfort_counts(suburb_spec):
    env = summer(suburb_spec, PRICE)
    lazy = -np.ones((2, len(env.action_names)))
    for _ in range(100):
        env.step(lazy)
    policy = PolicyNetwork(len(env.observation_names), len(env.action_names), (8,)).double()
    rows = rows_at(env.tables, env.tick, torch.float64)
    cold = torch.tensor(0.0, dtype=torch.float64)
    same = policy, env.state, rows, env.fleet, env.dispatch, env.scenario.dt_h, cold
    (_, priced), (_, free) = smooth_step(*same, PRICE), smooth_step(*same)
    env.step(policy(env.observation).detach())
    felt = env.last[1].discomfort_k_h
    assert felt.sum() > 0
    torch.testing.assert_close(free - priced, PRICE * felt)


def test_a_learner_climbs_money_less_what_discomfort_counts(suburb_spec):
    """The first update of two learners that differ in the price alone."""
    settings = AnalyticSettings(scenarios=2, homes=4, window_h=6.0, horizon_h=6.0)
    told = {}
    for price in (0.0, PRICE, 2 * PRICE):
        env = FleetVectorEnv(replace(suburb_spec, comfort_per_k_h=price), 2, dtype="float64")
        told[price] = AnalyticLearner(env, settings, 0).update(0.0).loss
    cost = told[PRICE] - told[0.0]
    assert cost > 0
    assert told[2 * PRICE] - told[0.0] == pytest.approx(2 * cost)


@pytest.mark.parametrize("price", [-0.1, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(InputError, match=r"scenario\.comfort_per_k_h must be a price"):
        ScenarioSpec(comfort_per_k_h=price)
