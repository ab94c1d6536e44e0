import json
from types import SimpleNamespace

import pandas as pd
import pytest
from omegaconf import OmegaConf

from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.cli.main import main
from vpp_rl.configuration import compose
from vpp_rl.evaluation import benchmark, scoreboard
from vpp_rl.evaluation.entrants import difference, read_runs
from vpp_rl.training.checkpoint import PolicyFacts, save_policy

SMALL = ["market.train_days=4", "market.validation_days=4", "market.test_days=4", "fleet.homes=4"]


@pytest.fixture
def leave_run(tmp_path):
    """Leave a finished run with an untrained policy, as training would; returns how."""

    def leave(name, *overrides):
        config = OmegaConf.to_container(compose("train", [*SMALL, *overrides]), resolve=True)
        facts = PolicyFacts(
            agent=config["agent"]["name"],
            dispatch=config["dispatch"],
            scenario="nem_arbitrage",
            region="SA1",
            currency="AUD",
            zone="Etc/GMT-10",
            price_scale=60.0,
            control_dt_s=300,
            cohorts=("2h",),
            observation_names=("price",),
            action_names=("power",),
            hidden=(4,),
            squash=True,
            seed=config["seed"],
            train_s=1.0,
            train_steps=100,
            validation_profit_per_home_year=123.0,
        )
        folder = tmp_path / name
        save_policy(folder, PolicyNetwork(1, 1, (4,)), facts)
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "done").write_text("1.0 s\n")
        return folder

    return leave


def refusal(capsys, *folders):
    """What is said about folders that cannot be scored."""
    assert main(["evaluate", *map(str, folders)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def test_seeds_of_one_learner_and_other_learners_share_a_scoreboard(leave_run):
    runs = read_runs(
        [
            leave_run("a", "seed=0"),
            leave_run("b", "seed=1"),
            leave_run("c", "agent=ppo"),
            leave_run("d", "dispatch=cohort_power", "agent.seconds=60"),
        ]
    )
    assert [(entrant.policy.name, entrant.seed) for entrant in runs.entrants] == [
        ("apg, value curve", 0),
        ("apg, value curve", 1),
        ("ppo, value curve", 0),
        ("apg, cohort power", 0),
    ]


def test_a_run_that_did_not_end_is_refused(leave_run, capsys):
    run = leave_run("a")
    (run / "done").unlink()
    assert f"{run} is unfinished: train it to the end" in refusal(capsys, run)


def test_other_settings_are_no_other_seed(leave_run, capsys):
    first, second = leave_run("a"), leave_run("b", "seed=1", "agent.seconds=60")
    said = refusal(capsys, first, second)
    assert f"{first} and {second} are both 'apg, value curve'" in said
    assert "they differ in agent.seconds (120 and 60); evaluate them apart" in said


def test_one_seed_twice_is_refused_with_both_folders(leave_run, capsys):
    first, second = leave_run("a"), leave_run("b")
    said = refusal(capsys, first, leave_run("c", "seed=1"), second)
    assert f"{first} and {second} are both 'apg, value curve' of seed 0" in said


def test_runs_of_two_scenarios_are_refused(leave_run, capsys):
    first, second = leave_run("a"), leave_run("b", "market=vic1", "seed=1")
    said = refusal(capsys, first, second)
    assert f"{second} was trained on another scenario than {first}" in said


@pytest.mark.parametrize("text", ["{", "[]", '{"scenario": {}}'])
def test_a_damaged_configuration_is_refused(text, leave_run, capsys):
    run = leave_run("a")
    (run / "config.json").write_text(text)
    assert "config" in refusal(capsys, run)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"a": 1, "b": {"c": [1]}}, {"b": {"c": [1]}, "a": 1.0}, ""),
        ({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}, "b.c (2 and 3)"),
        ({"a": 1}, {"a": 1, "b": True}, "b (None and True)"),
        ({"a": {"b": 1}}, {"a": 1}, "a ({'b': 1} and 1)"),
    ],
)
def test_two_configurations_differ_in_their_first_different_key(first, second, words):
    assert difference(first, second) == words


def test_windows_are_kept_before_anything_is_made_of_them(leave_run, tmp_path, monkeypatch):
    def dies(frame, rng):
        raise ZeroDivisionError

    played = SimpleNamespace(frame=pd.DataFrame({"policy": ["idle"], "profit": [1.5]}))
    monkeypatch.setattr(benchmark, "contest", lambda *given, **more: played)
    monkeypatch.setattr(scoreboard, "summarise", dies)
    with pytest.raises(ZeroDivisionError):
        main(["evaluate", str(leave_run("a")), f"out={tmp_path / 'out'}", "threads=1"])
    assert (tmp_path / "out" / "windows.csv").read_text() == "policy,profit\nidle,1.5\n"


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("unseen_homes=3", lambda spec: spec.unseen_homes == 3),
        ("region=VIC1", lambda spec: spec.market.region == "VIC1"),
        ("loads=homes.csv", lambda spec: spec.loads == "homes.csv"),
        ("export_limit_kw=4.0", lambda spec: spec.fleet.export_limit_kw == 4.0),
    ],
)
def test_a_policy_plays_elsewhere_than_it_was_trained(leave_run, monkeypatch, override, changed):
    def build(spec, split):
        seen.append(spec)
        raise ZeroDivisionError

    seen, run = [], leave_run("run")
    monkeypatch.setattr("vpp_envs.scenario.build_scenario", build)
    with pytest.raises(ZeroDivisionError):
        main(["evaluate", str(run), override])
    assert changed(seen[0])
    assert not changed(read_runs([run]).spec)
