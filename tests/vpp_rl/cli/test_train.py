from types import SimpleNamespace

import pytest
import torch

from vpp_envs.scenario import build_scenario
from vpp_rl.cli import hydra_job, train
from vpp_rl.cli.main import main
from vpp_rl.training import run as training

SMALL = ["market.train_days=4", "market.validation_days=4", "fleet.homes=4", "agent.seconds=1"]


@pytest.fixture
def trained(monkeypatch):
    """No training: returns the jobs that would have been trained, by number of seed and agent."""
    jobs = []

    def instead(job, folder, config):
        jobs.append((job.seed, job.agent.name))
        return 0.0

    monkeypatch.setattr(train, "train_with_progress", instead)
    return jobs


def sentence(capsys, *arguments):
    """What is said about a mistake."""
    assert main(["train", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize(
    ("sweep", "alone"),
    [
        ("agent=apg,ppoo", "agent=ppoo"),
        ("seed=0,x", "seed=x"),
        ("seed=choice(0,-1)", "seed=-1"),
        ("seed=range(4294967295,4294967297)", "seed=4294967296"),
        ("agent.window_h=24.0,0.1", "agent.window_h=0.1"),
        ("market.prices=null,nowhere.csv", "market.prices=nowhere.csv"),
        ("dispatch=value_curve,per_device", "dispatch=per_device"),
        ("sede=0,1", "sede=0"),
        ("market.prices=a=b.csv", "market.prices=a=b.csv"),
    ],
)
def test_a_sweep_gets_the_sentence_that_its_faulty_value_gets_alone(
    sweep, alone, trained, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert sentence(capsys, "--multirun", *SMALL, sweep) == sentence(capsys, *SMALL, alone)
    assert trained == []
    assert list(tmp_path.iterdir()) == []


def test_values_that_do_not_fit_together_are_found_before_the_first_training(trained, capsys):
    sweeps = ["agent.window_h=12.0,24.0", "agent.horizon_h=12.0,24.0"]
    assert "agent.horizon_h=24.0 must divide agent.window_h=12.0" in sentence(
        capsys, "-m", *SMALL, *sweeps
    )
    assert trained == []


@pytest.mark.parametrize(
    ("sweep", "words"),
    [("seed=interval(0,1)", "holds several values"), ("seed=range(5,1)", "holds no value")],
)
def test_a_sweep_without_a_list_of_values_is_refused_with_a_sentence(sweep, words, trained, capsys):
    assert f"'{sweep}' {words}" in sentence(capsys, "-m", *SMALL, sweep)


def test_what_hydra_refuses_by_itself_is_a_sentence_too(trained, capsys, tmp_path):
    assert "hydra.run.dirr" in sentence(capsys, *SMALL, f"hydra.run.dirr={tmp_path}")


def test_a_sweep_runs_every_combination(trained, tmp_path):
    sweep = ["agent=apg,ppo", "seed=range(2)", f"hydra.sweep.dir={tmp_path}"]
    assert main(["train", "--multirun", *SMALL, *sweep]) == 0
    assert trained == [(0, "apg"), (1, "apg"), (0, "ppo"), (1, "ppo")]


def test_days_are_built_with_the_threads_of_the_training(trained, tmp_path, monkeypatch):
    """Two trainings on two cores waited for each other's threads: ten times as long."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def built(spec, split):
        seen.append(torch.get_num_threads())
        return build_scenario(spec, split)

    monkeypatch.setattr("vpp_envs.scenario.build_scenario", built)
    assert torch.get_num_threads() == 1  # whatever a test before has set
    assert main(["train", *SMALL, "threads=2"]) == 0
    assert set(seen) == {2}


def test_the_jobs_of_a_sweep_are_its_product_in_order():
    assert list(hydra_job.grid_jobs(["a=1,2", "b=x", "c=range(2)"])) == [
        ["a=1", "b=x", "c=0"],
        ["a=1", "b=x", "c=1"],
        ["a=2", "b=x", "c=0"],
        ["a=2", "b=x", "c=1"],
    ]


def test_a_training_that_dies_leaves_no_traces_of_an_earlier_one(tmp_path, monkeypatch):
    for name in ("done", "policy.pt", "policy.json", "learning.csv", "notes.txt"):
        (tmp_path / name).write_text("of an earlier run")
    for name in ("snapshots", "nan"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "000000009.snapshot").write_text("of an earlier run")

    def dies(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(training, "run_training", dies)
    monkeypatch.setattr("vpp_envs.scenario.build_scenario", lambda spec, split: FAKE)
    monkeypatch.setattr("vpp_rl.training.provenance.provenance", lambda scenario: {})
    job = SimpleNamespace(scenario=None, agent=SimpleNamespace(name="apg"), dispatch="value_curve")
    with pytest.raises(ZeroDivisionError):
        train.train_with_progress(job, tmp_path, "{}")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"config.json", "provenance.json", "notes.txt"}


FAKE = SimpleNamespace(
    market=SimpleNamespace(source="prices", currency="AUD", split_lines=()),
    start_ticks=[0],
    fleet=SimpleNamespace(home_id=[0]),
    cohort_names=("2h",),
    fleet_lines=(),
)
