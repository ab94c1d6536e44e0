import json
import shutil

import pytest
import torch

from vpp_envs.dispatch.modes import action_names
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, cohort_names
from vpp_envs.observation import feature_names
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.cli.main import main
from vpp_rl.export.load import load
from vpp_rl.training.checkpoint import PolicyFacts, save_policy

COHORTS = cohort_names(BATTERY_COHORTS[:2])


def leave_run(folder, dispatch="value_curve", seed=0):
    """Leave a run with a random policy, as training would."""
    names = feature_names(COHORTS), action_names(dispatch, COHORTS, 3)
    torch.manual_seed(seed)
    network = PolicyNetwork(len(names[0]), len(names[1]))
    torch.nn.init.normal_(network.head.weight, std=0.5)
    facts = PolicyFacts(
        agent="ppo",
        dispatch=dispatch,
        scenario="nem_arbitrage",
        region="VIC1",
        currency="AUD",
        zone="Etc/GMT-10",
        price_scale=60.0,
        control_dt_s=300,
        cohorts=COHORTS,
        observation_names=names[0],
        action_names=names[1],
        hidden=(64, 64),
        squash=True,
        seed=seed,
        train_s=1.0,
        train_steps=100,
        validation_profit_per_home_year=123.0,
    )
    save_policy(folder, network, facts)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = leave_run(tmp_path_factory.mktemp("runs") / "a")
    assert main(["export", str(folder)]) == 0
    return folder


def words(text):
    """Text without the line breaks of the terminal's width."""
    return " ".join(text.split())


def test_a_run_is_exported_into_its_own_folder_or_another(run, tmp_path, capsys):
    assert load(run / "export").manifest.region == "VIC1"
    out = tmp_path / "served"
    assert main(["export", str(run), f"out={out}"]) == 0
    text = words(capsys.readouterr().out)
    assert f"wrote {out}" in text
    assert "controller.pt" in text
    assert f"vpp export --verify {out} --parity 10000" in text
    assert load(out).manifest.agent == "ppo"


@pytest.mark.parametrize("parity", [["--parity", "3"], ["--parity=3"]])
def test_verifying_says_what_was_compared_and_exits_with_0(run, parity, capsys):
    assert main(["export", "--verify", str(run / "export"), *parity]) == 0
    text = words(capsys.readouterr().out)
    assert "golden pairs: largest difference 0.0e+00" in text
    assert "over 3 random telemetries" in text
    assert "50,000 homes: " in text
    assert text.endswith(" verified")


def test_verifying_against_another_run_exits_with_1(run, tmp_path, capsys):
    artifact = str(run / "export")
    assert main(["export", "--verify", artifact, str(run), "--parity", "2"]) == 0
    other = leave_run(tmp_path / "other", seed=1)
    assert main(["export", "--verify", artifact, str(other), "--parity", "2"]) == 1
    assert words(capsys.readouterr().out).endswith("NOT verified")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["RUN", "uot=x"], "does not know 'uot=x'; did you mean 'out'?"),
        (["--verfy", "RUN"], "does not know '--verfy'; did you mean '--verify'?"),
        (["RUN", "out="], "does not know 'out='"),
        (["RUN", "RUN"], "takes one RUN, got 2"),
        (["out=x"], "takes one RUN, got 0"),
        (["--verify"], "--verify takes FOLDER [RUN], got 0"),
        (["--verify", "RUN/export", "--parity"], "--parity needs a number of telemetries, got ''"),
        (["--verify", "RUN/export", "--parity", "-1"], "got '-1'"),
        (["--verify", "RUN/export", "--parity=many"], "got 'many'"),
        (["nowhere"], "policy.json is missing"),
        (["--verify", "RUN"], "manifest.json is missing"),
        (["RUN", "out=RUN"], "holds 'export', which no artifact has"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(run, tmp_path, capsys, arguments, sentence):
    arguments = [word.replace("RUN", str(run)) for word in arguments]
    assert main(["export", *arguments]) == 2
    out, err = capsys.readouterr()
    assert sentence in err
    assert err.startswith(("vpp export: ", "vpp export "))
    assert "vpp export: vpp" not in err
    assert err.count("\n") == 1
    assert "wrote" not in out


def test_a_truncated_checkpoint_and_a_policy_for_one_fleet_are_refused(tmp_path, capsys):
    run = leave_run(tmp_path / "run")
    (run / "policy.pt").write_bytes((run / "policy.pt").read_bytes()[:-100])
    assert main(["export", str(run)]) == 2
    assert "the file is truncated" in capsys.readouterr().err
    assert main(["export", str(leave_run(tmp_path / "each", "per_device"))]) == 2
    assert "cannot be exported" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/export"))


def test_a_manifest_that_does_not_match_its_file_is_refused(run, tmp_path, capsys):
    folder = tmp_path / "artifact"
    shutil.copytree(run / "export", folder)
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"VIC1"', '"SA1"'))
    assert main(["export", "--verify", str(folder)]) == 2
    assert "does not describe controller.pt" in capsys.readouterr().err
    manifest = json.loads(path.read_text())
    manifest["files"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert main(["export", "--verify", str(folder)]) == 2
    assert "controller.pt does not match its manifest" in capsys.readouterr().err


@pytest.mark.parametrize(("argv", "code"), [([], 2), (["--help"], 0), (["-h"], 0)])
def test_help_shows_both_uses(argv, code, capsys):
    assert main(["export", *argv]) == code
    text = capsys.readouterr().out
    assert "vpp export RUN [out=FOLDER]" in text
    assert "vpp export --verify FOLDER [RUN] [--parity N]" in text
