"""One generation of one member of a population: a training that goes on from a snapshot."""

import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vpp_envs.errors import InputError
from vpp_envs.scenario import build_scenario
from vpp_rl.agents.learner import Progress
from vpp_rl.cli.sweeping.population import Member, Plan, Result
from vpp_rl.files import write_text
from vpp_rl.training.checkpoint import FACTS, worth_of
from vpp_rl.training.divergence import DivergedError
from vpp_rl.training.job import job_from
from vpp_rl.training.lock import locked
from vpp_rl.training.provenance import provenance
from vpp_rl.training.run import DONE, TrainingStopped, run_training, start_afresh, use_threads
from vpp_rl.training.snapshot import read_snapshot, snapshots

_ORPHANS_S = 60.0  # that processes of a killed population have to end


def train_generation(plan: Plan, member: Member, generation: int) -> Result:
    """Train a member for a generation, or read from the record what that came to.

    Args:
        plan: Of the population.
        member: As it goes into the generation.
        generation: From 1.

    Raises:
        InputError: The disk is full, or another process keeps training in the folder.
    """
    if known := plan.record.read(generation, member.number):
        return known
    began, folder = time.monotonic(), plan.folders[member.number]
    parent = member.parent if member.since == generation - 1 else member.number
    with _locked_soon(folder):
        error = _train(plan, member, generation, parent)
        profit = -math.inf
        if not error:
            newest = snapshots(folder)[0]
            profit = read_snapshot(newest)["watch"]["rows"][-1]["worth_per_home_year"]
            _put(newest, plan.record.snapshot(generation, member.number))
            if generation == plan.generations:
                write_text(folder / DONE, f"{time.monotonic() - began:.1f} s in the last part\n")
        result = Result(
            generation,
            member.number,
            parent if generation > 1 else member.number,
            member.settings,
            profit,
            best_profit(folder),
            time.monotonic() - began,
            error,
        )
        plan.record.write(result)
    return result


def best_profit(folder: Path) -> float:
    """Validation worth of the policy in a folder; -inf if there is none yet."""
    path = folder / FACTS
    if not path.is_file():
        return -math.inf
    return worth_of(json.loads(path.read_text()))


def _train(plan: Plan, member: Member, generation: int, parent: int) -> str:
    """Train in the member's folder up to the end of a generation; says why it diverged, if so."""
    folder = plan.folders[member.number]
    snapshot = None
    if generation > 1:
        before = plan.record.read(generation - 1, parent)
        if before and before.error:
            return before.error  # nothing to go on from until it takes over another's
        snapshot = read_snapshot(plan.record.snapshot(generation - 1, parent))
    else:
        start_afresh(folder)
    config = plan.config_of(member.settings)
    job = job_from(config)
    use_threads(job.threads)
    write_text(folder / "config.json", json.dumps(config, indent=2))
    facts = provenance(build_scenario(job.scenario, "train"))
    write_text(folder / "provenance.json", json.dumps(facts, indent=2))
    looks = 0.0

    def listen(progress: Progress, _best: float) -> None:
        nonlocal looks
        looks = progress.share * job.validations  # as the looks at the validation days are timed

    try:
        run_training(job, folder, listen, snapshot, stop=lambda: looks >= generation)
    except TrainingStopped:
        pass
    except DivergedError as trouble:
        return str(trouble)
    return ""


def _put(file: Path, place: Path) -> None:
    """Have a snapshot in the record as well; it is never written to, only replaced."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    try:
        os.link(file, place)
    except OSError:  # a disk without links
        shutil.copy2(file, place)


@contextmanager
def _locked_soon(folder: Path) -> Iterator[None]:
    """Hold a member's folder, which a process of a killed population may hold until it ends."""
    end, stack = time.monotonic() + _ORPHANS_S, ExitStack()
    while True:
        try:
            stack.enter_context(locked(folder))
            break
        except InputError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
    with stack:
        yield
