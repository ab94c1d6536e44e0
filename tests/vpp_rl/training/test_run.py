"""What a training run keeps."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from vpp_rl.agents.analytic import AnalyticSettings
from vpp_rl.agents.ppo import PpoSettings
from vpp_rl.rollout import Windows, play
from vpp_rl.training import watch
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


@pytest.mark.parametrize(("price", "kept"), [(0.0, 2), (0.5, 1)])
def test_the_look_that_is_kept_earns_most_after_what_discomfort_counts(
    price, kept, day_spec, tmp_path, monkeypatch
):
    """Looks that earn 10, 11 and 12 a window; the last is felt for 10 K h."""
    looks = iter([(10.0, 0.0), (11.0, 0.0), (12.0, 10.0)])

    def told(policy, *rest, **more):
        frame, trace = play(policy, *rest, **more)
        if policy.kind != "learned":
            return frame, trace
        profit, felt = next(looks)
        return frame.assign(profit=profit, discomfort_k_h=felt), trace

    monkeypatch.setattr(watch, "play", told)
    agent = replace(APG, learning_rate=1e-3, seconds=1e9, iterations=2)
    spec = replace(day_spec, comfort_per_k_h=price)
    job = TrainingJob(spec, agent, validation=Windows("validation", window_days=2, most=1))
    best, _, _ = run_training(job, tmp_path, lambda *_: None)
    curve = pd.read_csv(tmp_path / "learning.csv")
    assert len(curve) == 3
    _, facts = load_policy(tmp_path)
    assert facts.train_steps == curve.home_steps[kept]
    assert best == pytest.approx(curve.worth_per_home_year[kept])
    assert facts.validation_worth_per_home_year == pytest.approx(best)
    assert facts.validation_profit_per_home_year == pytest.approx(curve.profit_per_home_year[kept])
