"""Sweeps on Ray, as processes of their own: what is killed here is real."""

import contextlib
import csv
import io
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from vpp_rl.cli.main import main
from vpp_rl.training.checkpoint import load_policy
from vpp_rl.training.snapshot import read_snapshot

pytest.importorskip("ray")
pytest.importorskip("hydra_plugins.hydra_ray_launcher")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MARK = "VPP_TEST_SWEEP"  # in the environment of every process of a sweep
TINY = [
    *("market.train_days=4", "market.validation_days=4", "fleet.homes=2", "compile=false"),
    *("agent.scenarios=4", "agent.homes=2", "agent.hidden=[4]", "validations=1"),
    *("agent.window_h=12.0", "agent.horizon_h=6.0", "validation_windows=2"),
    "agent.seconds=1e9",  # so that iterations alone end the training
]
ITERATIONS = "agent.iterations=6"
EIGHT = ["seed=0,1,2,3", "agent.learning_rate=1e-2,3e-2"]
ON_RAY = ["hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2"]


def marked(mark):
    """Processes of a sweep that are alive, by id, with what they call themselves."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
    return found


def wait_until(truth, seconds=240):
    """What `truth` returns once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := truth():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not so after {seconds} s: {truth.__doc__ or truth}")


@pytest.fixture(scope="module")
def start():
    """Starts sweeps; whatever is left of them dies with the tests."""
    marks = []

    def begin(*arguments):
        marks.append(secrets.token_hex(8))
        command = [sys.executable, "-m", "vpp_rl.cli.main", "train", "--multirun", *arguments]
        environment = {**os.environ, MARK: marks[-1]}
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that a whole group of processes can be killed
        )
        return process, marks[-1]

    yield begin
    for mark in marks:
        for process in marked(mark):
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)


def rows(folder, name="sweep.csv"):
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def weights(folder, row):
    return torch.load(folder / row["folder"] / "policy.pt", weights_only=True)


def same_results(one, other):
    """Whether two sweeps have the same jobs, profits and weights, bit by bit."""
    for first, second in zip(rows(one), rows(other), strict=True):
        for key in ("job", "seed", "agent.learning_rate", "profit_per_home_year", "state"):
            assert first[key] == second[key]
        ours, theirs = weights(one, first), weights(other, second)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def sequential(start, tmp_path_factory):
    """The folder of an eight-job sweep, one job after another."""
    folder = tmp_path_factory.mktemp("sequential")
    process, _ = start(*TINY, ITERATIONS, *EIGHT, f"hydra.sweep.dir={folder}")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    # Else the policy that has learned nothing were the best in most jobs, and all were equal.
    assert len({row["profit_per_home_year"] for row in rows(folder)}) > 2
    return folder


@pytest.fixture(scope="module")
def lost_worker(start, tmp_path_factory):
    """Folder, words, exit code and mark of the same sweep on Ray, a worker of which is killed."""
    folder = tmp_path_factory.mktemp("ray")
    process, mark = start(*TINY, ITERATIONS, *EIGHT, f"hydra.sweep.dir={folder}", *ON_RAY)

    def both_workers_in_training():
        outputs = [path for path in folder.glob("*/output.txt") if "training" in path.read_text()]
        busy = [one for one, name in marked(mark).items() if "ray::_run_job" in name]
        training = [path for path in outputs if not (path.parent / "done").exists()]
        return busy if len(training) == len(busy) == 2 else None

    os.kill(wait_until(both_workers_in_training)[0], signal.SIGKILL)
    said, _ = process.communicate(timeout=600)
    return folder, said, process.returncode, mark


def test_eight_jobs_on_ray_equal_the_sequential_ones_although_a_worker_was_killed(
    sequential, lost_worker
):
    folder, said, code, _ = lost_worker
    assert code == 0, said
    same_results(sequential, folder)


def test_the_job_of_the_killed_worker_ran_twice(lost_worker):
    folder, said, _, _ = lost_worker
    starts = [path.read_text().count("training apg by") for path in folder.glob("*/output.txt")]
    assert len(starts) == 8, said
    assert sorted(starts)[-1] == 2


def test_every_job_of_a_sweep_on_ray_has_its_line(lost_worker):
    _, said, _, _ = lost_worker
    for number in range(8):
        assert sum(line.startswith(f"job {number} (") for line in said.splitlines()) == 1
    assert "ETA" in said
    assert "best: job" in said


def test_no_process_survives_a_sweep_on_ray(lost_worker):
    _, _, _, mark = lost_worker
    wait_until(lambda: not marked(mark), seconds=60)


def test_a_sweep_whose_driver_was_killed_goes_on_where_it_stood(
    start, sequential, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("killed")
    process, mark = start(*TINY, ITERATIONS, *EIGHT, f"hydra.sweep.dir={folder}", *ON_RAY)
    wait_until(lambda: len(list(folder.glob("*/done"))) >= 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # Workers die with their driver: a resumed sweep would meet them in the jobs' folders.
    wait_until(lambda: not any("ray::_run_job" in name for name in marked(mark).values()), 60)
    written = {path: path.stat().st_mtime_ns for path in folder.glob("*/done")}
    assert 2 <= len(written) < 8
    process, _ = start("--resume", str(folder))
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("done earlier") == len(written)
    assert {path: path.stat().st_mtime_ns for path in written} == written
    same_results(sequential, folder)
    wait_until(lambda: not marked(mark), seconds=60)


def test_a_search_on_ray_goes_on_after_its_driver_was_killed(start, tmp_path_factory):
    space = [
        *("agent.learning_rate=tag(log, interval(1e-4, 1e-1))", "hydra/sweeper=optuna"),
        *("hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2"),
    ]
    folder = tmp_path_factory.mktemp("search")
    process, mark = start(*TINY, ITERATIONS, *space, f"hydra.sweep.dir={folder}", *ON_RAY)
    wait_until(lambda: len(list(folder.glob("*/output.txt"))) > 2)  # in the second batch
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not any("ray::_run_job" in name for name in marked(mark).values()), 60)
    before = rows(folder)
    assert [row["job"] for row in before] == ["0", "1"]
    process, _ = start("--resume", str(folder))
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("done earlier") >= 2
    after = rows(folder)
    assert [row["state"] for row in after] == ["done"] * 4
    for first, second in zip(before, after[:2], strict=True):
        for key in ("agent.learning_rate", "profit_per_home_year"):
            assert first[key] == second[key]
    assert len({row["agent.learning_rate"] for row in after}) == 4


POPULATION = [
    *(*TINY, "agent.iterations=8", "hydra/sweeper=pbt", "hydra.sweeper.cpus=2"),
    *("hydra.sweeper.population=4", "hydra.sweeper.generations=4"),
    *("agent.learning_rate=tag(log, interval(1e-4, 1e-1))", "agent.temperature=interval(0.01,0.1)"),
]
SEARCHED = ("agent.learning_rate", "agent.temperature")


def table(folder):
    return (folder / "population.csv").read_text()


def learner_state(path):
    """What a learner had learned at a snapshot, as bytes."""
    file = io.BytesIO()
    state = read_snapshot(path)["learner"]
    torch.save({name: state[name] for name in ("network", "optimiser", "updates")}, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def population(start, tmp_path_factory):
    """Folder and words of a small population, and the mark of its processes."""
    folder = tmp_path_factory.mktemp("population")
    process, mark = start(*POPULATION, f"hydra.sweep.dir={folder}")
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return folder, said, mark


def test_a_population_has_a_row_a_member_and_generation_and_a_line_a_generation(population):
    folder, said, _ = population
    found = rows(folder, "population.csv")
    pairs = [(int(row["generation"]), int(row["member"])) for row in found]
    assert pairs == [(generation, member) for generation in range(1, 5) for member in range(4)]
    for generation in range(1, 5):
        lines = [line for line in said.splitlines() if line.startswith(f"generation {generation} ")]
        assert len(lines) == 1
        assert ("takes over from" in lines[0]) == (generation < 4)
    best = max(float(row["profit_per_home_year"]) for row in found)
    assert f"validation profit {best:,.2f}" in said
    assert (folder / "population.html").stat().st_size > 1e6  # the drawing script is inside


def test_members_are_ordinary_runs_and_nothing_of_ray_is_left(population):
    folder, _, mark = population
    runs = sorted(path.name for path in folder.iterdir() if (path / "done").is_file())
    assert runs == [*(f"{member}_apg_seed0" for member in range(4)), "best"]
    for name in runs:
        config = json.loads((folder / name / "config.json").read_text())
        assert (config["agent"]["seconds"], config["validations"]) == (None, 4)
        load_policy(folder / name)
    assert not (folder / ".ray").exists()
    assert not list(folder.glob(".generations/*/*.snapshot"))
    wait_until(lambda: not marked(mark), seconds=60)


def test_the_best_policy_of_all_generations_is_kept_and_can_be_exported(population, tmp_path):
    folder, _, _ = population
    _, facts = load_policy(folder / "best")
    profits = [float(row["profit_per_home_year"]) for row in rows(folder, "population.csv")]
    curves = [(path / "learning.csv") for path in folder.glob("*_apg_seed0")]
    begin = {curve.read_text().splitlines()[1].split(",")[2] for curve in curves}
    assert len(begin) == 1  # the rule that all began with
    assert facts.validation_profit_per_home_year == max(*profits, float(begin.pop()))
    assert main(["export", str(folder / "best"), f"out={tmp_path / 'controller'}"]) == 0


def test_who_takes_over_goes_on_from_the_parents_state_with_other_settings(population):
    folder, _, _ = population
    taken = [row for row in rows(folder, "population.csv") if row["parent"] != row["member"]]
    assert len(taken) == 3  # a quarter of four members, thrice
    at = {(row["generation"], row["member"]): row for row in rows(folder, "population.csv")}
    for row in taken:
        parent = at[str(int(row["generation"]) - 1), row["parent"]]
        assert all(row[key] != parent[key] for key in SEARCHED)
        before = [at[parent["generation"], str(member)] for member in range(4)]
        ranked = sorted(before, key=lambda one: float(one["profit_per_home_year"]))
        assert (ranked[0]["member"], ranked[-1]["member"]) == (row["member"], row["parent"])
    # The last one is still in the folders: where it began, and where its parent was then.
    (last,) = [row for row in taken if row["generation"] == "4"]
    heir, parent = (folder / f"{last[who]}_apg_seed0" for who in ("member", "parent"))
    began = heir / "snapshots" / "000000006.snapshot"
    assert learner_state(began) == learner_state(parent / "snapshots" / "000000006.snapshot")
    ended = [one / "snapshots" / "000000008.snapshot" for one in (heir, parent)]
    assert learner_state(ended[0]) != learner_state(ended[1])


def test_a_population_that_was_killed_ends_as_one_that_was_not(start, population, tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed_population")
    process, _ = start(*POPULATION, f"hydra.sweep.dir={folder}")

    def in_the_third_generation():
        path = folder / "population.csv"
        return path.is_file() and len(rows(folder, path.name)) == 8

    wait_until(in_the_third_generation)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    process, mark = start("--resume", str(folder))  # at once: workers may still be dying
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("on record") == 2
    assert table(folder) == table(population[0])
    wait_until(lambda: not marked(mark), seconds=60)


def test_a_member_whose_process_is_killed_is_tried_again(start, population, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lost_member")
    process, mark = start(*POPULATION, f"hydra.sweep.dir={folder}")

    def training():
        begun = (folder / "population.csv").is_file()
        return begun and [one for one, name in marked(mark).items() if "Trainable.train" in name]

    os.kill(wait_until(training)[0], signal.SIGKILL)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert said.count("is tried again: ") == 1
    assert table(folder) == table(population[0])


def test_a_folder_with_another_population_is_refused(start, population):
    folder, _, _ = population
    process, _ = start("--resume", str(folder), "hydra.sweeper.generations=5")
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 2, said
    assert "holds a population with other settings: name another folder" in said
