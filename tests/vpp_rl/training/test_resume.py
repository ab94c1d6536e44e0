"""A run that was killed goes on as if it had not been."""

import random
import signal
import time
from dataclasses import replace

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vpp_rl.agents.analytic import AnalyticSettings
from vpp_rl.agents.off_policy import SacSettings
from vpp_rl.agents.ppo import PpoSettings
from vpp_rl.rollout import Windows
from vpp_rl.training.checkpoint import load_policy
from vpp_rl.training.run import TrainingStopped, run_training
from vpp_rl.training.settings import TrainingJob
from vpp_rl.training.snapshot import newest_snapshot, snapshots

HALF = 5  # updates; odd, so that APG is killed inside a window
# A budget of updates alone, because rates fall with the share that is spent.
WHOLE = {"seconds": None, "iterations": 2 * HALF}
# Every learner that is to resume exactly: add another's settings, small enough for a second.
LEARNERS = {
    "apg": AnalyticSettings(
        learning_rate=1e-2, scenarios=4, homes=2, window_h=2.0, horizon_h=1.0, **WHOLE
    ),
    # Half the updates are more than a day, so that episodes end before and after the kill.
    "ppo": PpoSettings(scenarios=4, steps=96, batch=96, epochs=2, group=2, **WHOLE),
    # A replay that is full, and begins anew, before the kill.
    "sac": SacSettings(
        scenarios=4, steps=60, warm_up=60, batch=16, replay=640, gradient_steps=2, **WHOLE
    ),
}


def job_of(spec, agent, **more):
    validation = Windows("validation", window_days=1)
    return TrainingJob(spec, agent, validations=4, validation=validation, **more)


def silent(progress, best):
    """Hear nothing."""


def killed(begun):
    """Wait for a run that kills itself."""
    process, _ = begun
    process.join()
    assert process.exitcode == -signal.SIGKILL


def logged(folder):
    """Steps at which each scalar of TensorBoard stands."""
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_a_killed_and_resumed_run_ends_as_an_unbroken_one_to_the_bit(
    name, day_spec, tmp_path, in_a_child, print_of
):
    job = job_of(day_spec, LEARNERS[name], checkpoint_every=HALF)
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    run_training(job, unbroken, silent)
    killed(in_a_child(job, broken, kill_after=HALF + 2))
    snapshot = newest_snapshot(broken, pytest.fail)
    assert snapshot["progress"]["iteration"] == HALF
    heard = []
    run_training(job, broken, lambda *told: heard.append(told), snapshot)
    assert [progress.iteration for progress, _ in heard] == list(range(HALF, 2 * HALF + 1))
    prints = print_of(job, unbroken)
    assert print_of(job, broken) == prints
    assert logged(broken) == logged(unbroken)
    # Not vacuously: another seed tells apart everything that training changes.
    run_training(replace(job, seed=1), tmp_path / "other", silent)
    other = print_of(replace(job, seed=1), tmp_path / "other")
    same = {what for what in prints if prints[what] == other[what]}
    assert same <= {"next actions with exploration"}
    assert same == set() or name == "apg"  # which draws no action


@pytest.mark.slow
def test_two_kills_and_a_damaged_snapshot_change_nothing_either(
    day_spec, tmp_path, in_a_child, print_of
):
    job = job_of(day_spec, LEARNERS["apg"], checkpoint_every=2)
    run_training(job, tmp_path / "unbroken", silent)
    folder, told = tmp_path / "broken", []
    killed(in_a_child(job, folder, kill_after=7))
    newest = snapshots(folder)[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    snapshot = newest_snapshot(folder, told.append)
    assert snapshot["progress"]["iteration"] == 4
    assert len(told) == 1
    killed(in_a_child(job, folder, kill_after=9))
    run_training(job, folder, silent, newest_snapshot(folder, pytest.fail))
    assert print_of(job, folder) == print_of(job, tmp_path / "unbroken")


@pytest.mark.slow
def test_a_run_killed_at_fifty_random_moments_loses_one_interval_at_most(
    day_spec, tmp_path, in_a_child
):
    every = 3
    agent = replace(LEARNERS["apg"], iterations=10**6)
    job = job_of(day_spec, agent, checkpoint_every=every)
    draw, lost = random.Random(0), []
    for _ in range(50):
        before = newest_snapshot(tmp_path, pytest.fail)
        # Quick: fifty times a day of steps for a normaliser would be most of this test.
        process, heard = in_a_child(job, tmp_path, quick=True)
        if draw.random() < 0.7:  # else it is killed while it sets up, most probably
            while heard.value < 0 and process.is_alive():
                time.sleep(0.01)
        time.sleep(draw.uniform(0.0, 0.4))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        after = newest_snapshot(tmp_path, pytest.fail)
        first, last = (s["progress"]["iteration"] if s else 0 for s in (before, after))
        assert last >= first
        lost.append(heard.value - last)
    assert max(lost) <= every
    assert len(set(lost)) > 2  # killed at several distances from the last snapshot, and before
    assert last > 5 * every
    # And it can be brought to an end.
    end = replace(job, agent=replace(agent, iterations=last + 4))
    run_training(end, tmp_path, silent, after)
    assert newest_snapshot(tmp_path, pytest.fail)["progress"]["iteration"] == last + 4
    load_policy(tmp_path)


def test_seconds_that_were_spent_before_count(day_spec, tmp_path):
    agent = replace(LEARNERS["apg"], iterations=10**6, seconds=1e6)
    calls = iter([False, False, False, True])
    with pytest.raises(TrainingStopped):
        run_training(job_of(day_spec, agent), tmp_path, silent, stop=lambda: next(calls))
    snapshot = newest_snapshot(tmp_path, pytest.fail)
    assert snapshot["progress"]["iteration"] == 3
    assert 0 < snapshot["setup_s"] < snapshot["seconds"]
    snapshot["seconds"] += 2e6
    heard = []
    _, seconds, _ = run_training(
        job_of(day_spec, agent), tmp_path, lambda *told: heard.append(told), snapshot
    )
    assert seconds > 2e6
    assert {progress.iteration for progress, _ in heard} == {3}
    assert heard[-1][0].share == 1.0


def test_a_run_goes_on_with_a_larger_budget_and_looks_again(day_spec, tmp_path):
    job = job_of(day_spec, LEARNERS["apg"])
    run_training(job, tmp_path, silent)
    before = pd.read_csv(tmp_path / "learning.csv")
    larger = replace(job, agent=replace(job.agent, iterations=4 * HALF))
    run_training(larger, tmp_path, silent, newest_snapshot(tmp_path, pytest.fail))
    curve = pd.read_csv(tmp_path / "learning.csv")
    assert len(before) == 1 + 4
    pd.testing.assert_frame_equal(curve[: len(before)], before)
    # Half of the new budget was spent, so that half of the four looks remain.
    assert curve.home_steps[len(before) :].tolist() == [
        pytest.approx(before.home_steps.max() * share) for share in (1.5, 2.0)
    ]
    assert curve.seconds.is_monotonic_increasing


def test_the_files_of_a_run_are_brought_back_to_its_snapshot(day_spec, tmp_path):
    job = job_of(day_spec, LEARNERS["apg"])
    run_training(job, tmp_path, silent)
    curve, (policy, facts) = (tmp_path / "learning.csv").read_text(), load_policy(tmp_path)
    (tmp_path / "learning.csv").write_text("of a later update")
    (tmp_path / "policy.pt").write_bytes(b"of a later update, not yet named by its hash")
    run_training(job, tmp_path, silent, newest_snapshot(tmp_path, pytest.fail))
    assert (tmp_path / "learning.csv").read_text() == curve
    again, facts_again = load_policy(tmp_path)
    assert facts_again == facts
    assert all((a == b).all() for a, b in zip(again.parameters(), policy.parameters(), strict=True))
