"""``vpp train --resume`` and ``--replay``, and the signals that stop a training."""

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from vpp_envs.errors import InputError
from vpp_rl.agents.analytic import AnalyticLearner
from vpp_rl.cli.main import main
from vpp_rl.cli.resume import with_budget
from vpp_rl.cli.signals import stop_signals
from vpp_rl.training.lock import locked
from vpp_rl.training.snapshot import newest_snapshot, snapshots

TINY = [
    *("market.train_days=4", "market.validation_days=4", "fleet.homes=4", "compile=false"),
    *("agent.scenarios=4", "agent.homes=2", "agent.window_h=2.0", "agent.horizon_h=1.0"),
    *("agent.seconds=null", "agent.iterations=4", "validations=1"),
    *("validation_windows=1", "validation_window_days=1"),
]
RUN = Path("runs/first")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Trainings leave their runs in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def train(*overrides):
    return main(["train", *TINY, f"hydra.run.dir={RUN}", *overrides])


def resume(*overrides, run=RUN):
    return main(["train", "--resume", str(run), *overrides])


def interrupt(monkeypatch, at, *numbers):
    """Send signals to this process in the middle of an update, as another process would."""
    update, made = AnalyticLearner.update, []

    def interrupted(learner, share):
        made.append(share)
        if len(made) == at:
            for number in numbers:
                os.kill(os.getpid(), number)
        return update(learner, share)

    monkeypatch.setattr(AnalyticLearner, "update", interrupted)
    return made


def iteration(run=RUN):
    return newest_snapshot(run, pytest.fail)["progress"]["iteration"]


def refusal(capsys, *arguments):
    capsys.readouterr()
    assert main(["train", *map(str, arguments)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def test_sigterm_ends_the_update_saves_and_says_how_to_go_on(monkeypatch, capsys):
    made = interrupt(monkeypatch, 2, signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        train()
    assert left.value.code == 0
    assert signal.getsignal(signal.SIGTERM) == before
    assert f"go on with: vpp train --resume {RUN}\n" in capsys.readouterr().out
    assert len(made) == iteration() == 2
    assert not (RUN / "done").exists()
    assert resume() == 0
    assert "going on after update 2" in capsys.readouterr().out
    assert len(made) == iteration() == 4
    assert (RUN / "done").is_file()


def test_a_finished_run_goes_on_with_a_larger_budget_only(monkeypatch, capsys):
    assert train() == 0
    assert f"{RUN} is finished: give it a larger budget" in refusal(capsys, "--resume", RUN)
    assert "is finished" in refusal(capsys, "--resume", RUN, "agent.iterations=3")
    assert json.loads((RUN / "config.json").read_text())["agent"]["iterations"] == 4
    assert resume("agent.iterations=6", "validations=3") == 0
    assert iteration() == 6
    assert json.loads((RUN / "config.json").read_text())["agent"]["iterations"] == 6
    assert len((RUN / "learning.csv").read_text().splitlines()) == 1 + 2 + 1


def test_ctrl_c_saves_and_counts_as_interrupted(monkeypatch, capsys):
    interrupt(monkeypatch, 2, signal.SIGINT)
    assert train() == 130
    said = capsys.readouterr()
    assert f"vpp train --resume {RUN}" in said.out
    assert "vpp train: interrupted" in said.err
    assert iteration() == 2


def test_ctrl_c_again_stops_at_once_and_a_run_without_a_snapshot_starts_afresh(monkeypatch, capsys):
    interrupt(monkeypatch, 2, signal.SIGINT, signal.SIGINT)
    assert train() == 130
    assert "--resume" not in capsys.readouterr().out
    assert snapshots(RUN) == []
    RUN.rename("a=b")  # a folder may be named so
    assert resume(run="a=b") == 0
    assert "a=b holds no snapshot yet: the training starts afresh" in capsys.readouterr().out
    assert iteration(Path("a=b")) == 4


def test_a_run_killed_while_its_days_are_built_can_be_resumed(monkeypatch):
    def dies(spec, split):
        raise SystemExit(137)

    with monkeypatch.context() as patch:
        patch.setattr("vpp_rl.cli.train._check", lambda cfg: None)
        patch.setattr("vpp_envs.scenario.build_scenario", dies)
        with pytest.raises(SystemExit):
            train()
    assert resume() == 0
    assert iteration() == 4


def test_a_folder_that_another_process_trains_in_is_left_alone(capsys):
    assert train() == 0
    (RUN / "done").unlink()
    # A lock belongs to an open file, so that one process can stand for two.
    with locked(RUN):
        said = refusal(capsys, "--resume", RUN, "agent.iterations=6")
    assert f"another process trains in {RUN}" in said
    assert json.loads((RUN / "config.json").read_text())["agent"]["iterations"] == 4
    assert resume() == 0


def test_a_signal_ends_a_whole_sweep(monkeypatch):
    made = interrupt(monkeypatch, 2, signal.SIGTERM)
    with pytest.raises(SystemExit):
        main(["train", "--multirun", *TINY, "seed=0,1", "hydra.sweep.dir=runs"])
    assert len(made) == 2


def test_a_damaged_snapshot_is_passed_over_with_a_sentence(monkeypatch, capsys):
    assert train("checkpoint_every=1") == 0
    newest = snapshots(RUN)[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    (RUN / "done").unlink()
    assert resume() == 0
    said = capsys.readouterr().out
    assert f"{newest} is damaged" in said
    assert "going on after update 3" in said
    assert iteration() == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume"], "vpp train --resume needs the folder of a run, got none"),
        (["--resume=nowhere"], "needs the folder of a run, got nowhere"),
        (["--resume", "empty"], "empty/config.json is missing"),
        (["--resume", "empty", "seed=1"], "config.json is missing"),
        (["--replay", "empty"], "empty/config.json is missing"),
        (["--replay", "empty", "seed=1"], "--replay takes a folder alone, not 'seed=1'"),
    ],
)
def test_what_cannot_be_resumed_is_refused_with_a_sentence(arguments, words, capsys):
    Path("empty").mkdir()
    assert words in refusal(capsys, *arguments)


def test_nothing_but_the_budget_can_be_changed():
    config = {"seed": 0, "validations": 8, "agent": {"iterations": 5, "seconds": 1.0, "gamma": 0.9}}
    changed = with_budget(config, ["agent.iterations=1e3", "agent.seconds=null", "validations=2"])
    assert changed["agent"] == {"iterations": 1000.0, "seconds": None, "gamma": 0.9}
    assert changed["validations"] == 2
    assert config["agent"]["iterations"] == 5
    for override in ("seed=1", "agent.gamma=0.5", "agent=ppo", "--multirun", "agent.iteration=3"):
        key = override.partition("=")[0]
        with pytest.raises(InputError, match=rf"may be changed, not '{key}': train anew"):
            with_budget(config, [override])
    with pytest.raises(InputError, match="holds several values"):
        with_budget(config, ["validations=1,2"])


def test_an_update_without_numbers_is_one_sentence_and_can_be_replayed(capsys):
    # So narrow that its gradient is no number, whatever the homes and the days.
    width = ("agent.temperature=1e-45", "agent.final_temperature=1e-45")
    said = refusal(capsys, *TINY, f"hydra.run.dir={RUN}", *width)
    stopped = re.fullmatch(
        r"vpp train: the training stopped at update (\d+) because (.+): a smaller "
        rf"agent\.learning_rate may help, and `vpp train --replay .*{RUN}/nan` shows it again\.\n",
        said,
    )
    assert stopped, said
    assert not (RUN / "done").exists()
    assert main(["train", "--replay", str(RUN / "nan")]) == 0
    assert f"update {stopped[1]}: {stopped[2]}\n" in capsys.readouterr().out
    path = RUN / "nan" / "config.json"
    path.write_text(path.read_text().replace("1e-45", "0.03"))
    assert main(["train", "--replay", str(RUN / "nan")]) == 1
    assert "every number is finite" in capsys.readouterr().out


def test_signals_stay_as_they_are_in_other_threads():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def elsewhere():
        with stop_signals() as stop:
            seen.append((signal.getsignal(signal.SIGTERM), stop()))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [(before, False)]
