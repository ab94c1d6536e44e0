"""What a training run keeps."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from vpp_rl.agents.analytic import AnalyticSettings
from vpp_rl.agents.ppo import PpoSettings
from vpp_rl.rollout import Windows
from vpp_rl.training.checkpoint import load_policy
from vpp_rl.training.run import run_training
from vpp_rl.training.settings import TrainingJob

# At these rates the first update already ruins the policy.
APG = AnalyticSettings(learning_rate=1e3, scenarios=4, homes=2, window_h=2.0, horizon_h=1.0)
PPO = PpoSettings(learning_rate=0.3, scenarios=4, steps=4, batch=16, epochs=1, group=2)


@pytest.mark.parametrize("agent", [APG, PPO])
def test_a_learner_that_only_does_harm_leaves_the_policy_that_it_began_with(
    agent, day_spec, tmp_path
):
    heard = []
    agent = replace(agent, seconds=1e9, iterations=2)
    job = TrainingJob(day_spec, agent, validation=Windows("validation", window_days=2))
    best, _, _ = run_training(job, tmp_path, lambda *told: heard.append(told))
    curve = pd.read_csv(tmp_path / "learning.csv")
    assert curve.home_steps[0] == 0
    assert len(curve) == 1 + 2  # at the start, and after each update
    assert curve.profit_per_home_year[1:].max() < curve.profit_per_home_year[0]
    assert best == pytest.approx(curve.profit_per_home_year[0], abs=1e-6)
    assert [progress.iteration for progress, _ in heard] == [0, 1, 2]
    assert heard[-1][1] == best
    policy, facts = load_policy(tmp_path)
    assert facts.train_steps == 0
    assert torch.equal(policy.head.weight, torch.zeros_like(policy.head.weight))
