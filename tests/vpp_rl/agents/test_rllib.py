"""RLlib's PPO as a learner; slow, because Ray's import and start take seconds."""

import dataclasses

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents import registry
from vpp_rl.agents.local_ray import start_ray, stop_ray
from vpp_rl.agents.rllib import RllibSettings, make
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.rollout import Windows, play

ray = pytest.importorskip("ray.rllib")
pytestmark = pytest.mark.slow

SMALL = RllibSettings(scenarios=8, steps=24, batch=64, group=4, hidden=(16, 16))


@pytest.fixture(scope="module", autouse=True)
def _one_ray_for_all():
    pytest.importorskip("ray.rllib")
    start_ray(workers=2)
    yield
    stop_ray()


@pytest.fixture
def small(day_spec):
    learner = make(FleetVectorEnv(day_spec, 8), SMALL, seed=3)
    yield learner
    learner.close()


@pytest.mark.parametrize(
    "change", [{"env_runners": -1}, {"env_runners": 3}, {"env_runners": 2, "scenarios": 12}]
)
def test_rows_that_cannot_be_shared_are_refused(change):
    with pytest.raises(InputError, match=r"agent\.(env_runners|scenarios|group)"):
        dataclasses.replace(SMALL, **change)


def test_an_update_changes_the_network_and_nothing_else(small):
    raw = torch.randn(100, len(small.network.mean))
    assert (small.network(raw) == 0.0).all()  # the rule of the dispatch mode
    mean, scale = small.network.mean.clone(), small.network.scale.clone()
    update = small.update(0.0)
    assert update.home_steps >= 8 * 24
    assert np.isfinite([update.profit_per_kw_day, update.gradient_norm, update.loss]).all()
    assert (small.network(raw) != 0.0).any()
    assert torch.equal(small.network.mean, mean)
    assert torch.equal(small.network.scale, scale)


def test_the_network_acts_as_the_module_infers(small):
    for share in (0.0, 0.5):
        small.update(share)
    raw = torch.randn(1000, len(small.network.mean))
    module = small.algorithm.get_module()  # of the runner, which acts
    with torch.no_grad():
        inputs = module.forward_inference({"obs": small.network.normalise(raw)})
        inferred = inputs["action_dist_inputs"][:, : small.network.head.out_features]
        ours = small.network(raw)
    assert ours.abs().max() > 1e-3
    torch.testing.assert_close(ours, inferred.clamp(-1.0, 1.0), atol=1e-6, rtol=0.0)


def test_the_rate_falls_with_the_share_of_the_budget(small):
    rates = []
    for share in (0.0, 0.5, 1.0):
        small.update(share)
        rates.append(small._optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([3e-4, 1.5e-4, 6e-6])


def test_the_same_seed_gives_the_same_network(day_spec):
    weights = []
    for seed in (3, 3, 4):
        learner = make(FleetVectorEnv(day_spec, 8), SMALL, seed=seed)
        learner.update(0.0)
        learner.close()
        weights.append(learner.network.head.weight.clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("updates", [2, 6])
def test_a_restored_learner_makes_the_update_that_the_other_makes(
    day_spec, small, updates, tmp_path
):
    """After 6 updates rows have just ended: the next step starts them anew."""
    for _ in range(updates):
        small.update(0.0)
    assert small._local.env.env.ended.any() == (updates == 6)
    torch.save(small.state(), tmp_path / "state.pt")
    expected = [small.update(0.5) for _ in range(2)]
    other = make(FleetVectorEnv(day_spec, 8), SMALL, seed=99)
    other.update(0.0)
    other.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [other.update(0.5) for _ in range(2)] == expected
    other.close()
    for ours, theirs in zip(other.network.parameters(), small.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_an_update_that_fails_stops_the_ray_that_was_started_for_it(day_spec, capfd, monkeypatch):
    import ray

    stop_ray()
    learner = make(FleetVectorEnv(day_spec, 8), SMALL, seed=3)
    learner.update(0.0)

    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(learner.algorithm, "train", fail)
    with pytest.raises(ZeroDivisionError):
        learner.update(0.0)
    assert not ray.is_initialized()
    assert capfd.readouterr() == ("", "")
    start_ray(workers=2)


def test_worker_processes_share_the_rows(day_spec, capfd):
    settings = dataclasses.replace(SMALL, env_runners=2)
    learner = make(FleetVectorEnv(day_spec, 8), settings, seed=3)
    update = learner.update(0.0)
    learner.close()
    assert update.home_steps >= 8 * 24
    assert np.isfinite(update.profit_per_kw_day)
    assert learner.network.head.weight.abs().max() > 0.0
    assert capfd.readouterr() == ("", "")


def test_a_short_training_earns_more_than_the_rule_that_it_starts_from(day_spec):
    spec = dataclasses.replace(
        day_spec, market=dataclasses.replace(day_spec.market, train_days=20, validation_days=10)
    )
    settings = RllibSettings(learning_rate=2e-3, log_std=-1.0)
    env = FleetVectorEnv(spec, settings.scenarios, dispatch="cohort_power")
    learner = make(env, settings, seed=0)

    def profit():
        policy = TrainedPolicy(learner.network, "cohort_power", "rllib_ppo")
        frame, _ = play(policy, spec, Windows("validation"))
        return float(frame.profit.sum())

    before = profit()
    for update in range(40):
        learner.update(update / 40)
    learner.close()
    assert profit() > max(0.0, before)


OTHER = {
    "learning_rate": 3e-3,
    "batch": 32,
    "epochs": 1,
    "gamma": 0.99,
    "gae_lambda": 0.5,
    "clip_range": 0.01,
    "entropy": 0.1,
}


def test_changeable_settings_count_although_the_state_was_written_with_others(
    day_spec, small, tmp_path
):
    assert set(registry.learner("rllib_ppo").changeable) == set(OTHER)
    small.update(0.0)
    torch.save(small.state(), tmp_path / "state.pt")

    def next_policy(**changed):
        settings = dataclasses.replace(SMALL, **changed)
        other = make(FleetVectorEnv(day_spec, 8), settings, seed=3)
        other.restore(torch.load(tmp_path / "state.pt", weights_only=True))
        other.update(0.5)
        other.close()
        return torch.cat([weight.flatten() for weight in other.network.state_dict().values()])

    unchanged = next_policy()
    assert torch.equal(next_policy(), unchanged)
    without_effect = [
        key for key, value in OTHER.items() if torch.equal(next_policy(**{key: value}), unchanged)
    ]
    assert without_effect == []
