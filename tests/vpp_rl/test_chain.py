"""The whole chain by its commands: train, evaluate, export, verify."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from omegaconf import OmegaConf

from vpp_rl.cli.main import main
from vpp_rl.configuration import compose
from vpp_rl.export.load import load

QUICK = [
    "agent.seconds=600",
    "agent.iterations=2",
    "agent.learning_rate=3e-2",  # with this seed, two steps beat the policy that it starts from
    "seed=3",
    "agent.scenarios=4",
    "agent.homes=2",
    "agent.window_h=2.0",
    "agent.horizon_h=1.0",
    "fleet.homes=4",
    "scenario.unseen_homes=2",
    "validations=1",
    "validation_windows=1",
    "validation_window_days=2",
    "compile=false",
    "threads=1",
]
SYNTHETIC = ["market.train_days=6", "market.validation_days=4", "market.test_days=12"]


def train(folder, *more):
    assert main(["train", *QUICK, *more, f"hydra.run.dir={folder}"]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run") / "apg", *SYNTHETIC)


def test_a_run_leaves_everything_to_trust_and_repeat_it(trained):
    for name in ("policy.pt", "policy.json", "config.json", "provenance.json", "learning.csv"):
        assert (trained / name).is_file(), name
    assert any((trained / "tensorboard").iterdir())
    facts = json.loads((trained / "policy.json").read_text())
    assert facts["region"] == "SA1"
    lived = pd.read_csv(trained / "learning.csv").home_steps
    assert lived.iloc[-1] == 2 * 4 * 2 * 12  # gradient steps x windows x homes x ticks
    assert facts["train_steps"] in set(lived)
    config = json.loads((trained / "config.json").read_text())
    composed = compose("train", [*QUICK, *SYNTHETIC])
    assert config == OmegaConf.to_container(composed, resolve=True)


def test_a_run_is_scored_beside_rules_optimisers_and_bounds(trained, tmp_path, capsys):
    out = tmp_path / "evaluation"
    arguments = ["evaluate", str(trained), "window_days=4", "threads=1", "tune=false"]
    assert main([*arguments, f"out={out}"]) == 0

    summary = pd.read_csv(out / "summary.csv").set_index("policy")
    assert set(summary.index) == {
        "apg, value curve",
        "idle",
        "curtail only",
        "self-consumption",
        "time of use",
        "quantile rule",
        "value curve",
        "mpc",
        "cohort optimum",  # the mixed fleet is not of one class
        "perfect foresight",
    }
    frame = pd.read_csv(out / "windows.csv")
    assert (frame.broken_agreements == 0).all()
    best = frame[frame.policy == "perfect foresight"].set_index("window").profit
    for _, rows in frame.groupby("policy"):
        assert (rows.set_index("window").profit <= best + 1e-6).all()
    assert "<html" in (out / "report.html").read_text()
    assert "perfect foresight" in capsys.readouterr().out


def test_a_run_is_exported_verified_and_loaded(trained):
    assert main(["export", str(trained)]) == 0
    assert main(["export", "--verify", str(trained / "export"), "--parity", "3"]) == 0
    assert load(trained / "export").manifest.region == "SA1"


def test_the_same_seed_gives_the_same_policy(trained, tmp_path):
    again = train(tmp_path / "again", *SYNTHETIC)
    hashes = [
        json.loads((folder / "policy.json").read_text())["weights_sha256"]
        for folder in (trained, again)
    ]
    assert hashes[0] == hashes[1]
    other = train(tmp_path / "other", *SYNTHETIC, "seed=1")
    assert json.loads((other / "policy.json").read_text())["weights_sha256"] != hashes[0]


def test_the_other_dispatch_mode_trains_too(tmp_path):
    folder = train(tmp_path / "run", *SYNTHETIC, "dispatch=cohort_power")
    assert (folder / "policy.pt").is_file()


PPO = [
    *("agent=ppo", "agent.steps=16", "agent.batch=32", "agent.group=2"),
    *(a for a in QUICK if not a.startswith(("agent.homes", "agent.window_h", "agent.horizon_h"))),
]


def test_ppo_trains(tmp_path):
    folder = tmp_path / "run"
    assert main(["train", *PPO, *SYNTHETIC, f"hydra.run.dir={folder}"]) == 0
    assert json.loads((folder / "policy.json").read_text())["squash"] is False


@pytest.mark.parametrize("agent", [QUICK, PPO], ids=["apg", "ppo"])
def test_a_run_whose_episodes_draw_their_homes_says_so(agent, tmp_path, capsys):
    folder = tmp_path / "run"
    mix = "scenario.fleet_mix.homes=2"
    assert main(["train", *agent, *SYNTHETIC, mix, f"hydra.run.dir={folder}"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "4 homes to train with: an episode of training has 2 of them" in shown
    assert json.loads((folder / "config.json").read_text())["scenario"]["fleet_mix"]["homes"] == 2
    assert (folder / "policy.pt").is_file()


@pytest.mark.slow
def test_rllib_trains_goes_on_and_is_exported(tmp_path):
    pytest.importorskip("ray.rllib")
    folder = tmp_path / "run"
    arguments = [
        *("agent=rllib_ppo", "agent.steps=16", "agent.batch=32", "agent.scenarios=4"),
        *("agent.group=2", "agent.seconds=null", "agent.iterations=2", "compile=false"),
        *("fleet.homes=4", "scenario.unseen_homes=2", "validations=1", "validation_windows=1"),
        *("validation_window_days=2", "threads=1"),
    ]
    # Processes of their own, as a user has them: Ray's log keeps the first stderr that it saw.
    vpp = [sys.executable, "-m", "vpp_rl.cli.main", "train"]
    begin = [*arguments, *SYNTHETIC, f"hydra.run.dir={folder}"]
    for more in (begin, ["--resume", str(folder), "agent.iterations=4"]):
        run = subprocess.run([*vpp, *more], capture_output=True, text=True, check=False)
        assert (run.returncode, run.stderr) == (0, "")
    facts = json.loads((folder / "policy.json").read_text())
    assert facts["agent"] == "rllib_ppo"
    assert main(["export", str(folder)]) == 0
    assert main(["export", "--verify", str(folder / "export"), "--parity", "3"]) == 0


def test_recorded_prices_go_the_same_way(shared_data, tmp_path, capsys):
    file = shared_data / "prices" / "original" / "PRICE_AND_DEMAND_202207_SA1.csv"
    folder = train(tmp_path / "run", f"market.prices={file}")
    shown = capsys.readouterr().out
    assert "2022-07" in shown
    arguments = ["evaluate", str(folder), "window_days=2", "tune=false", "threads=1"]
    assert main(arguments) == 0
    assert "n/a" in capsys.readouterr().out  # recorded prices have no known optimum
    assert main(["export", str(folder)]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "agnt=apg"], ["agnt", "did you mean 'agent'"]),
        (["train", "agent=agp"], ["agp", "apg"]),
        (["train", "market.regoin=SA1"], ["market.regoin", "market.region"]),
        (["train", "market.region=SA9"], ["SA9", "SA1"]),
        (["train", "fleet.homes=0"], ["fleet.homes", "at least 1"]),
        (["train", "scenario.fleet_mix.homes=0"], ["fleet_mix.homes", "at least 1, got 0"]),
        (["train", "scenario.fleet_mix.spread=9"], ["fleet_mix.spread", "between 0 and 5"]),
        (["train", "scenario.fleet_mix.spread=0.5"], ["fleet_mix.homes draws none"]),
        (
            ["train", *SYNTHETIC, "fleet.homes=4", "scenario.fleet_mix.homes=4"],
            ["scenario.fleet_mix.homes=4", "from 4 homes"],
        ),
        (["train", "fleet.homes=many"], ["fleet.homes", "whole number"]),
        (["train", "dispatch=value"], ["dispatch", "value_curve"]),
        (["train", "dispatch=per_device"], ["other homes", "value_curve or cohort_power"]),
        (["train", "seed=abc"], ["seed", "whole number", "'abc'"]),
        (["train", "seed=-1"], ["seed", "between 0 and 4,294,967,295"]),
        (["train", "threads=two"], ["threads", "whole number", "'two'"]),
        (["train", "threads=0"], ["threads", "at least 1"]),
        (["train", "validations=x"], ["validations", "whole number", "'x'"]),
        (["train", "validations=0"], ["validations", "at least 1"]),
        (["train", "validation_windows=0"], ["validation_windows", "at least 1"]),
        (["train", "validation_window_days=0"], ["validation_window_days", "at least 1"]),
        (["train", *SYNTHETIC, "validation_window_days=5"], ["window_days=5 does not fit"]),
        (["train", "compile=perhaps"], ["compile", "True, False, 'auto'", "'perhaps'"]),
        (["train", "+sede=1"], ["sede", "did you mean 'seed'"]),
        (["train", "~agent.name"], ["agent.name", "apg, ppo, sac, td3, tqc or rllib_ppo"]),
        (["train", "market.train_share=0.5"], ["market.train_share", "market.prices"]),
        (["train", "market.test_dates=2022-07-08/2022-07-20"], ["test_dates", "market.prices"]),
        (["train", "market.gaps=hold"], ["market.gaps is about recorded prices", "leave market"]),
        (["train", "market.prices_unit=per_kwh"], ["market.prices_unit is about recorded prices"]),
        (["train", "market=nl"], ["'NL' has no synthetic price model", "market.prices=FILE"]),
        (["train", "market=own"], ["prices.csv does not exist"]),
        (["train", "market.prices=nowhere.csv"], ["nowhere.csv"]),
        (["evaluate", "nowhere"], ["nowhere", "config.json"]),
        (["evaluate", "nowhere", "window_dys=2"], ["window_dys", "window_days"]),
        (["evaluate", "nowhere", "threads=two"], ["threads", "whole number", "'two'"]),
        (["evaluate", "nowhere", "windows=0"], ["windows", "at least 1, got 0"]),
        (["evaluate", "nowhere", "window_days=-1"], ["window_days", "at least 1, got -1"]),
        (["evaluate", "nowhere", "window_days=0"], ["window_days", "at least 1, got 0"]),
        (["evaluate", "nowhere", "unseen_homes=0"], ["unseen_homes", "at least 1, got 0"]),
        (["evaluate", "nowhere", "tune=maybe"], ["tune", "true or false", "'maybe'"]),
        (["evaluate", "nowhere", "split=tst"], ["split", "'test'", "'tst'"]),
        (["evaluate", "nowhere", "runs=[a]"], ["no key 'runs'"]),
        (["export", "nowhere"], ["policy.json", "vpp train"]),
        (["export", "--verify", "nowhere"], ["manifest.json", "vpp export"]),
        (["demo", "second=5"], ["second"]),
        (["study", "nowhere"], ["study.yaml"]),
        (["study", "worker=2"], ["workers=N and seeds=K"]),
        (["study", "workers=x"], ["workers", "whole number", "'x'"]),
        (["study", "workers=-1"], ["workers", "at least 1, got -1"]),
        (["study", "seeds=0"], ["seeds", "at least 1, got 0"]),
    ],
)
def test_a_mistake_gets_one_sentence_and_leaves_nothing(
    arguments, words, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    extra = ["hydra.run.dir=out"] if arguments[0] == "train" else []
    assert main([*arguments, *extra]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.strip().count("\n") == 0, said
    for word in words:
        assert word in said
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not left, left
