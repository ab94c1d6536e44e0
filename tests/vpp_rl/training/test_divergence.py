"""An update that gives what is no number ends the run, and can be repeated."""

import math
from dataclasses import replace

import pytest
import torch

from vpp_envs.errors import InputError
from vpp_rl.agents.analytic import AnalyticSettings
from vpp_rl.agents.learner import Update
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.ppo import PpoSettings
from vpp_rl.agents.registry import learner
from vpp_rl.rollout import Windows
from vpp_rl.training import run
from vpp_rl.training.divergence import replay, trouble
from vpp_rl.training.run import run_training, training_env
from vpp_rl.training.settings import TrainingJob
from vpp_rl.training.snapshot import newest_snapshot

SOUND = Update(home_steps=1, profit_per_kw_day=1.0, gradient_norm=1.0, loss=1.0)
WHOLE = {"seconds": None, "iterations": 100}
LEARNERS = {
    "apg": AnalyticSettings(scenarios=4, homes=2, window_h=2.0, horizon_h=1.0, **WHOLE),
    "ppo": PpoSettings(scenarios=4, steps=24, batch=24, epochs=1, group=2, **WHOLE),
}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, ""),
        ({"gradient_norm": math.nan, "profit_per_kw_day": math.nan}, ""),  # there is none
        ({"loss": math.nan}, "the loss is nan"),
        ({"loss": -math.inf}, "the loss is -inf"),
        ({"gradient_norm": math.inf}, "the norm of the gradient is inf"),
        ({"profit_per_kw_day": math.inf}, "the profit is inf"),
    ],
)
def test_what_is_no_number_is_named(change, what):
    assert trouble(replace(SOUND, **change), PolicyNetwork(3, 2, (4,))) == what


def test_a_weight_that_is_no_number_is_named():
    network = PolicyNetwork(3, 2, (4,))
    with torch.no_grad():
        network.head.bias[1] = math.nan
    assert trouble(SOUND, network) == "the network's head.bias is not finite"


@pytest.fixture(params=LEARNERS)
def poisoned(request, day_spec, monkeypatch):
    """A job whose prices are no numbers for an hour of the third day."""

    def poison(job):
        env = training_env(job)
        price = env.tables.price_per_kwh.clone()
        price[2 * 288 + 130 : 2 * 288 + 142] = math.nan
        env.tables = env.tables._replace(price_per_kwh=price)
        return env

    monkeypatch.setattr(run, "training_env", poison)
    validation = Windows("validation", window_days=1, most=1)
    job = TrainingJob(day_spec, LEARNERS[request.param], validation=validation, validations=1)
    return replace(job, checkpoint_every=2), poison


def test_the_run_stops_at_the_first_update_without_numbers_and_leaves_what_repeats_it(
    poisoned, tmp_path
):
    job, env_of = poisoned
    heard = []
    with pytest.raises(InputError) as refused:
        run_training(job, tmp_path, lambda at, best: heard.append(at.iteration))
    stopped, said = heard[-1] + 1, str(refused.value)
    assert 2 < stopped < 100
    assert said.startswith(f"the training stopped at update {stopped} because the loss is nan")
    assert f"vpp train --replay {tmp_path}/nan" in said
    # Neither the run nor the bundle keeps anything of that update.
    before = (stopped - 1) // 2 * 2
    for folder in (tmp_path, tmp_path / "nan"):
        snapshot = newest_snapshot(folder, pytest.fail)
        assert snapshot["progress"]["iteration"] == before
        assert all(w.isfinite().all() for w in snapshot["learner"]["network"].values())
    assert f"Update {stopped}" in (tmp_path / "nan" / "README.md").read_text()
    made = learner(job.agent.name).make(env_of(job), job.agent, job.seed, False)
    again = list(replay(made, snapshot, tmp_path / "nan"))
    assert [(number, what) for number, _, what in again] == [
        *((number, "") for number in range(before + 1, stopped)),
        (stopped, "the loss is nan"),
    ]


def test_a_bundle_that_is_not_whole_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"updates\.json cannot be read"):
        list(replay(None, None, tmp_path))
