import csv
import json
import shlex

import pytest

from vpp_envs.errors import InputError
from vpp_rl.cli import train
from vpp_rl.cli.main import main
from vpp_rl.cli.sweeping.folder import COMMAND, held

SMALL = ["market.train_days=4", "market.validation_days=4", "fleet.homes=4"]


class Trainer:
    """Stands for a training that earns its seed, or does what `instead` has for the seed."""

    def __init__(self):
        self.seeds = []
        self.instead = {}

    def __call__(self, job, folder, config):
        self.seeds.append(job.seed)
        if job.seed in self.instead:
            return self.instead[job.seed]()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(config)
        profit = job.seed + 0.1
        (folder / "policy.json").write_text(json.dumps({"validation_profit_per_home_year": profit}))
        (folder / "done").write_text("12.5 s\n")
        return profit


def raises(error):
    def instead():
        raise error

    return instead


@pytest.fixture
def trainer(monkeypatch):
    trainer = Trainer()
    monkeypatch.setattr(train, "train_with_progress", trainer)
    return trainer


def sweep(folder, *arguments):
    return main(["train", "--multirun", *SMALL, f"hydra.sweep.dir='{folder}'", *arguments])


def rows(folder):
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_job_has_a_row_with_its_values_profit_and_folder(trainer, tmp_path):
    assert sweep(tmp_path, "seed=3,1", "agent.learning_rate=1e-3,1e-2") == 0
    table = rows(tmp_path)
    assert [(row["job"], row["seed"], row["agent.learning_rate"]) for row in table] == [
        ("0", "3", "0.001"),
        ("1", "3", "0.01"),
        ("2", "1", "0.001"),
        ("3", "1", "0.01"),
    ]
    assert [row["profit_per_home_year"] for row in table] == ["3.1", "3.1", "1.1", "1.1"]
    assert {row["state"] for row in table} == {"done"}
    assert all((tmp_path / row["folder"] / "done").is_file() for row in table)


def test_the_best_job_is_named_with_the_command_that_repeats_it(
    trainer, tmp_path, capsys, monkeypatch
):
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(tmp_path)
    assert sweep(tmp_path, "seed=3,7,1", "label=a b", "--config-dir", str(own)) == 0
    said = capsys.readouterr().out
    assert "best: job 1, validation profit 7.10" in said
    (again,) = [line for line in said.splitlines() if "again: " in line]
    command = shlex.split(again.partition("again: ")[2])
    assert command == ["vpp", "train", *SMALL, "seed=7", "label=a\\ b", f"--config-dir={own}"]
    trainer.seeds.clear()
    assert main(command[1:]) == 0
    assert trainer.seeds == [7]


def test_the_table_has_the_most_profitable_job_first_and_failed_ones_last(
    trainer, tmp_path, capsys
):
    trainer.instead[5] = raises(InputError("no such price"))
    assert sweep(tmp_path, "seed=3,5,7,1") == 1
    said = capsys.readouterr().out
    table = said[said.index("─") : said.index("best:")].splitlines()[1:]
    assert [line.split()[1] for line in table if line.strip()] == ["7", "3", "1", "5"]


def test_each_job_has_a_line_with_its_number_values_and_profit(trainer, tmp_path, capsys):
    assert sweep(tmp_path, "seed=3,1", "agent=apg") == 0
    said = capsys.readouterr().out
    assert "job 0 (1 of 2)  seed=3  3.1  0 s  ETA 0:00:" in said
    assert "job 1 (2 of 2)  seed=1  1.1  0 s\n" in said


def test_a_job_that_fails_does_not_stop_the_others_and_the_exit_code_tells(
    trainer, tmp_path, capsys
):
    trainer.instead[1] = raises(InputError("prices.csv row 3\nis not a number"))
    assert sweep(tmp_path, "seed=range(3)") == 1
    assert trainer.seeds == [0, 1, 2]
    assert [row["state"] for row in rows(tmp_path)] == ["done", "failed", "done"]
    assert rows(tmp_path)[1]["profit_per_home_year"] == ""
    said = capsys.readouterr().out
    # The last line is what scripts show of a log.
    assert said.splitlines()[-1] == "job 1 failed: prices.csv row 3 is not a number"


def test_a_bug_in_a_job_leaves_its_traceback_in_the_jobs_folder(trainer, tmp_path):
    trainer.instead[1] = raises(ZeroDivisionError("by zero"))
    assert sweep(tmp_path, "seed=range(3)") == 1
    error = tmp_path / "1_apg_seed1" / "error.txt"
    assert "Traceback" in error.read_text()
    assert rows(tmp_path)[1]["error"] == f"ZeroDivisionError: by zero (see {error})"
    trainer.instead.clear()
    assert sweep(tmp_path, "seed=range(3)") == 0
    assert not error.exists()


def test_a_profit_that_is_no_number_is_a_failure(trainer, tmp_path):
    trainer.instead[1] = lambda: float("nan")
    assert sweep(tmp_path, "seed=range(2)") == 1
    assert rows(tmp_path)[1]["error"] == "the validation profit is nan"


def test_the_same_command_with_the_same_folder_runs_only_what_is_not_done(
    trainer, tmp_path, capsys
):
    trainer.instead[1] = raises(KeyboardInterrupt())
    assert sweep(tmp_path, "seed=range(3)") == 130
    assert trainer.seeds == [0, 1]
    trainer.instead.clear()
    trainer.seeds.clear()
    assert sweep(tmp_path, "seed=range(3)") == 0
    assert trainer.seeds == [1, 2]
    table = rows(tmp_path)
    assert [row["profit_per_home_year"] for row in table] == ["0.1", "1.1", "2.1"]
    assert table[0]["seconds"] == "12.5"  # as the run itself noted
    assert "seed=0  0.1  done earlier" in capsys.readouterr().out


def test_resume_goes_on_with_the_command_that_the_folder_knows(trainer, tmp_path, monkeypatch):
    folder = tmp_path / "of = a, {sweep}"
    trainer.instead[1] = raises(KeyboardInterrupt())
    assert sweep(folder, "seed=range(3)") == 130
    trainer.instead.clear()
    trainer.seeds.clear()
    assert main(["train", "--multirun", "--resume", str(folder)]) == 0
    assert trainer.seeds == [1, 2]
    assert main(["train", "-m", f"--resume={folder}", "hydra.sweeper.max_batch_size=2"]) == 0
    assert trainer.seeds == [1, 2]
    assert json.loads((folder / COMMAND).read_text())["arguments"][-2:] == [
        "hydra.sweeper.max_batch_size=2",
        f"hydra.sweep.dir='{folder}'",
    ]


def test_a_folder_with_a_finished_training_of_other_settings_is_not_taken_for_this_one(
    trainer, tmp_path
):
    assert sweep(tmp_path, "seed=0,1") == 0
    trainer.seeds.clear()
    assert sweep(tmp_path, "seed=0,1", "agent.learning_rate=0.5") == 1
    assert trainer.seeds == []
    assert "they differ in agent.learning_rate (0.006 and 0.5)" in rows(tmp_path)[0]["error"]


def test_a_done_run_without_its_policy_is_told_of(trainer, tmp_path):
    assert sweep(tmp_path, "seed=0,1") == 0
    (tmp_path / "0_apg_seed0" / "policy.json").write_text("{")
    assert sweep(tmp_path, "seed=0,1") == 1
    assert "policy.json cannot be read: remove the folder" in rows(tmp_path)[0]["error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume"], "--resume needs the folder of a sweep"),
        (["--resume", "nowhere"], "nowhere/sweep.json is missing: --resume takes the folder of"),
        (["--resume", "nowhere", "seed=3"], "drop 'seed=3', or start another sweep"),
        (["seed=0,1", "hydra/sweeper=optunaa"], "'optunaa'; did you mean 'optuna'? (hydra/sweeper"),
        (["seed=0,1", "hydra/launcher=rey"], "'rey'; did you mean 'ray'? (hydra/launcher may be"),
    ],
)
def test_wrong_use_is_one_sentence(arguments, words, trainer, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--multirun", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert trainer.seeds == []
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_command_file_is_one_sentence(trainer, capsys, tmp_path):
    (tmp_path / COMMAND).write_text('{"arguments": ')
    assert main(["train", "--multirun", "--resume", str(tmp_path)]) == 2
    assert "sweep.json cannot be read: give the sweep's own command again" in (
        capsys.readouterr().err
    )


def test_two_sweeps_do_not_share_a_folder_at_the_same_time(trainer, capsys, tmp_path):
    with held(tmp_path):
        assert sweep(tmp_path, "seed=0,1") == 2
        assert "another process works on the sweep in" in capsys.readouterr().err
    assert trainer.seeds == []
    assert sweep(tmp_path, "seed=0,1") == 0


def test_help_teaches_grid_ray_search_population_and_resume(capsys):
    assert main(["train", "--multirun", "--help"]) == 0
    said = capsys.readouterr().out
    for words in (
        "seed=0,1,2 agent=apg,ppo",
        "hydra/launcher=ray",
        "hydra/sweeper=optuna",
        "hydra/sweeper=pbt",
        "--resume",
    ):
        assert words in said
