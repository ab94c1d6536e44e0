import csv
import math
import sys
from pathlib import Path

import pytest

from vpp_envs.errors import InputError
from vpp_rl.cli import train
from vpp_rl.cli.main import main
from vpp_rl.cli.sweeping.outcome import Outcome
from vpp_rl.cli.sweeping.search import OptunaSettings, Search, close_open_trials, open_study
from vpp_rl.cli.sweeping.space import probing_jobs, search_space

optuna = pytest.importorskip("optuna")

SMALL = ["market.train_days=4", "market.validation_days=4", "fleet.homes=4"]
RATE = "agent.learning_rate=tag(log, interval(1e-4, 1e-2))"
SPACE = [RATE, "seed=choice(3,5)"]
BEST_RATE = 2e-3


class Trainer:
    """Stands for a training that earns most with a learning rate of 0.002; may break off once."""

    def __init__(self):
        self.jobs = []
        self.breaks = {}  # number of a call -> what is raised

    def __call__(self, job, folder, config):
        self.jobs.append((job.agent.learning_rate, job.seed))
        if error := self.breaks.pop(len(self.jobs) - 1, None):
            raise error
        return -abs(math.log(job.agent.learning_rate / BEST_RATE))


@pytest.fixture
def trainer(monkeypatch):
    trainer = Trainer()
    monkeypatch.setattr(train, "train_with_progress", trainer)
    return trainer


def search(folder, *arguments, space=SPACE):
    return main(
        [
            *["train", "--multirun", *SMALL, *space, f"hydra.sweep.dir={folder}"],
            *["hydra/sweeper=optuna", *arguments],
        ]
    )


def rows(folder):
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def drawn(folder):
    return [(float(row["agent.learning_rate"]), int(row["seed"])) for row in rows(folder)]


def trials(folder):
    return optuna.load_study(
        study_name="sweep", storage=f"sqlite:///{folder}/study.db"
    ).get_trials()


def sentence(capsys, *arguments):
    assert main(["train", "-m", *SMALL, "hydra/sweeper=optuna", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


def test_trials_lie_in_the_space_and_are_as_many_as_asked_for(trainer, tmp_path):
    assert search(tmp_path, "hydra.sweeper.n_trials=6") == 0
    assert len(trainer.jobs) == 6
    assert drawn(tmp_path) == trainer.jobs
    assert all(1e-4 <= rate <= 1e-2 and seed in (3, 5) for rate, seed in trainer.jobs)
    assert len({rate for rate, _ in trainer.jobs}) == 6


def test_the_best_trial_is_named_with_value_and_command(trainer, tmp_path, capsys):
    assert search(tmp_path, "hydra.sweeper.n_trials=6") == 0
    rate, seed = min(trainer.jobs, key=lambda job: abs(math.log(job[0] / BEST_RATE)))
    profit = -abs(math.log(rate / BEST_RATE))
    said = capsys.readouterr().out
    assert f"validation profit {profit:,.2f}" in said
    assert f"again: vpp train {' '.join(SMALL)} agent.learning_rate={rate!r} seed={seed}\n" in said


def play(study, settings, killed_at=()):
    """The values that a search draws if it is killed while certain jobs run, and then resumed."""
    _, space = search_space(SPACE)
    kills = list(killed_at)
    while True:
        close_open_trials(study)
        search = Search(study, space, settings)
        trials = {}
        for first in range(0, settings.n_trials, settings.n_jobs):
            batch = range(first, min(first + settings.n_jobs, settings.n_trials))
            trials |= {number: search.trial(number) for number in batch}
            for number in batch:
                if number in kills:
                    kills.remove(number)
                    break
                rate = trials[number].params["agent.learning_rate"]
                profit = -abs(math.log(rate / BEST_RATE))
                search.tell(trials[number], Outcome(number, (), Path(), 1.0, profit))
            else:
                continue
            break
        else:
            return [trial.params for trial in trials.values()]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("n_jobs", [1, 4])
def test_a_killed_search_ends_like_one_that_was_not_killed(sampler, n_jobs):
    settings = OptunaSettings(n_trials=16, n_jobs=n_jobs, sampler=sampler)
    whole = play(optuna.create_study(direction="maximize"), settings)
    killed = optuna.create_study(direction="maximize")
    assert play(killed, settings, killed_at=(2, 2, 5, 13)) == whole
    assert len({trial["agent.learning_rate"] for trial in whole}) == 16
    states = [trial.state.name for trial in killed.get_trials()]
    assert states.count("COMPLETE") == 16
    assert states.count("FAIL") >= 4


def test_tpe_comes_nearer_to_the_best_value_than_chance():
    miss = {}
    for sampler in ("tpe", "random"):
        study = optuna.create_study(direction="maximize")
        drawn = play(study, OptunaSettings(n_trials=40, sampler=sampler))
        logs = [math.log(trial["agent.learning_rate"] / BEST_RATE) for trial in drawn[20:]]
        miss[sampler] = sum(map(abs, logs))
    assert miss["tpe"] < 0.7 * miss["random"]


def test_a_trial_that_was_running_is_marked_failed_and_repeated(trainer, tmp_path):
    trainer.breaks = {2: KeyboardInterrupt()}
    assert search(tmp_path, "hydra.sweeper.n_trials=4") == 130
    assert [trial.state.name for trial in trials(tmp_path)] == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert search(tmp_path, "hydra.sweeper.n_trials=4") == 0
    states = [trial.state.name for trial in trials(tmp_path)]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    killed, repeated = trials(tmp_path)[2:4]
    assert repeated.params == killed.params
    assert repeated.user_attrs["job"] == killed.user_attrs["job"] == 2


def test_a_kill_while_a_repetition_is_drawn_loses_nothing(tmp_path):
    _, space = search_space(SPACE)
    search = Search(open_study(tmp_path, SPACE), space, OptunaSettings())
    params = search.trial(0).params  # killed while it runs
    for half_drawn in (False, True):
        study = open_study(tmp_path, SPACE)
        study.enqueue_trial(params, {"job": 0})  # killed before it is drawn
        if half_drawn:
            study.ask().suggest_categorical("seed", ("3", "5"))
        search = Search(open_study(tmp_path, SPACE), space, OptunaSettings())
        assert {trial.state.name for trial in trials(tmp_path)} == {"FAIL"}
        assert search.trial(0).params == params


def test_a_finished_search_goes_on_when_more_trials_are_asked_for(trainer, tmp_path):
    assert search(tmp_path, "hydra.sweeper.n_trials=3") == 0
    first = drawn(tmp_path)
    assert main(["train", "-m", "--resume", str(tmp_path), "hydra.sweeper.n_trials=5"]) == 0
    assert drawn(tmp_path)[:3] == first
    assert len(set(drawn(tmp_path))) == 5


def test_a_trial_that_fails_does_not_end_the_search_and_is_tried_again_on_resumption(
    trainer, tmp_path, capsys
):
    trainer.breaks = {1: InputError("the loss is NaN"), 2: ZeroDivisionError()}
    assert search(tmp_path, "hydra.sweeper.n_trials=4") == 1
    assert [row["state"] for row in rows(tmp_path)] == ["done", "failed", "failed", "done"]
    said = capsys.readouterr().out
    assert "job 1 failed: the loss is NaN" in said
    assert "best: job " in said
    assert trials(tmp_path)[1].user_attrs["error"] == "the loss is NaN"
    tried = drawn(tmp_path)
    assert search(tmp_path, "hydra.sweeper.n_trials=4") == 0
    assert drawn(tmp_path) == tried


def test_other_seeds_search_elsewhere(trainer, tmp_path):
    for seed in (0, 1):
        arguments = ["hydra.sweeper.n_trials=2", f"hydra.sweeper.seed={seed}"]
        assert search(tmp_path / str(seed), *arguments) == 0
    assert set(drawn(tmp_path / "0")).isdisjoint(drawn(tmp_path / "1"))


def test_a_folder_whose_study_searches_another_space_is_refused(trainer, tmp_path, capsys):
    assert search(tmp_path, "hydra.sweeper.n_trials=2") == 0
    assert search(tmp_path, "hydra.sweeper.n_trials=2", space=["seed=choice(3,4)"]) == 2
    assert "study.db searches another space" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["seed=1"], "there is nothing to search: give one or more keys"),
        (["seed=choice(3)"], "'seed=choice(3)' holds fewer than two values"),
        (["seed=choice(3,3)"], "'seed=choice(3,3)' holds fewer than two values"),
        (["seed=range(3,4)"], "'seed=range(3,4)' holds fewer than two values"),
        (["agent.max_grad_norm=interval(2,2)"], "holds fewer than two values"),
        (["agent.max_grad_norm=tag(lgo, interval(1,2))"], "the tag 'lgo': the only tag is log"),
        (["agent.max_grad_norm=tag(log, interval(0,2))"], "cannot have the tag log"),
        (["seed=tag(log, range(1,9,2))"], "cannot have the tag log"),
        (["agent=apg,ppoo"], "agent has no option 'ppoo'"),
        (["seed=0,1", "hydra.sweeper.sampler=tpee"], "one of 'tpe', 'random', got 'tpee'"),
        (["seed=0,1", "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials must be 1 or more"),
        (["seed=0,1", "hydra.sweeper.n_trails=9"], "did you mean 'n_trials'?"),
        # What a corner of the space holds is found before the first training.
        (["agent.homes=interval(1,2)"], "agent.homes must be a whole number"),
        (["seed=0,1", "agent.window_h=choice(24.0,0.1)"], "agent.window_h"),
    ],
)
def test_a_space_that_cannot_be_searched_is_one_sentence(arguments, words, trainer, capsys):
    assert words in sentence(capsys, *arguments)
    assert trainer.jobs == []


@pytest.mark.parametrize(
    ("module", "arguments", "command"),
    [
        ("optuna", ["hydra/sweeper=optuna"], "optuna is not installed: run pip install"),
        ("ray", ["hydra/launcher=ray"], "ray is not installed: run pip install"),
        ("ray.tune", ["hydra/sweeper=pbt"], "ray is not installed: run pip install"),
        (
            "hydra_plugins.hydra_ray_launcher.ray_launcher",
            ["hydra/launcher=ray"],
            "hydra-ray-launcher is not installed: run pip install",
        ),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    module, arguments, command, trainer, capsys, monkeypatch
):
    for name in [name for name in sys.modules if name.startswith("vpp_rl.cli.sweeping.ray")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["train", "-m", *SMALL, "seed=0,1", *arguments]) == 2
    said = capsys.readouterr().err
    extra = "sweep" if module == "optuna" else "ray"
    assert f'{command} "vpp-rl[{extra}]"' in said
    assert said.count("\n") == 1


def test_a_range_of_fractions_gives_the_numbers_that_its_steps_stand_for():
    _, (dimension,) = search_space(["x=range(0.1,0.45,0.1)"])
    assert dimension.values == (0.1, 0.2, 0.3, 0.4)
    assert dimension.override(0.30000000000000004) == "x=0.3"
    distribution = dimension.distribution()
    assert (distribution.low, distribution.high, distribution.step) == (0.1, 0.4, 0.1)


def test_a_range_of_whole_numbers_stays_whole_and_may_fall():
    _, (dimension,) = search_space(["x=range(9,2,-3)"])
    assert dimension.values == (3, 6, 9)
    distribution = dimension.distribution()
    assert (distribution.low, distribution.high, distribution.step) == (3, 9, 3)
    assert dimension.override(6) == "x=6"


def test_choices_are_kept_as_they_were_written():
    _, (dimension,) = search_space(['x=null,[64,64],1e-3,"a=b.csv"'])
    assert [dimension.override(value) for value in dimension.values] == [
        "x=null",
        "x=[64,64]",
        "x=0.001",
        'x="a=b.csv"',
    ]


def test_jobs_that_probe_the_space_visit_every_choice_and_both_ends_of_an_interval():
    assert list(probing_jobs(["a=1", "b=interval(0,1)", "c=x,y,z"])) == [
        ["a=1", "b=0.0", "c=x"],
        ["a=1", "b=0.382", "c=x"],
        ["a=1", "b=1.0", "c=x"],
        ["a=1", "b=0.0", "c=y"],
        ["a=1", "b=0.0", "c=z"],
    ]
