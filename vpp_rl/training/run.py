"""One training run: a folder with everything that is needed to trust, repeat and use it.

The loop owns the budget, the looks at the validation days and the snapshots; the learner only
knows how to make one update. A run that is resumed from a snapshot makes the updates that it would
have made: to the bit on the same machine with the same threads, where the budget counts updates
alone (``agent.seconds=null``), since rates that fall with the time fall by the clock.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.learner import UNTRAINED, Learner, Progress
from vpp_rl.agents.registry import learner
from vpp_rl.training.checkpoint import FACTS, WEIGHTS
from vpp_rl.training.clock import Clock, budget_share
from vpp_rl.training.divergence import BUNDLE, DivergedError, leave_bundle, trouble
from vpp_rl.training.settings import TrainingJob
from vpp_rl.training.snapshot import SNAPSHOTS, write_snapshot
from vpp_rl.training.watch import LEARNING, Listen, Watch

DONE = "done"  # stands in the folder of a run that was trained to its end
_SNAPSHOT_S = 60.0  # between two snapshots, where the job does not count updates


class TrainingStopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """A training stopped before its end because it was asked to, and left a snapshot."""


def start_afresh(folder: Path) -> None:
    """Remove what an earlier run left in a folder, where it would pass for the new run's.

    Args:
        folder: Of the run that starts; need not exist.
    """
    for name in (DONE, WEIGHTS, FACTS, LEARNING):
        (folder / name).unlink(missing_ok=True)
    for name in (SNAPSHOTS, BUNDLE):
        shutil.rmtree(folder / name, ignore_errors=True)


def run_training(
    job: TrainingJob,
    folder: Path,
    listen: Listen,
    snapshot: dict[str, Any] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[float, float, int]:
    """Train, and leave the best policy on the validation days in the folder.

    Args:
        job: What to train.
        folder: Of the run: policy, learning curve, snapshots and TensorBoard events go there.
        listen: Called at the start and after every update.
        snapshot: Of this run, to go on from; none begins.
        stop: Asked before every update; where it says so, the run stops with a snapshot.

    Returns:
        Best validation profit per home-year, seconds of training, and home-steps.

    Raises:
        TrainingStopped: `stop` said so.
        DivergedError: An update gave what is no number.
        InputError: The disk is full.
    """
    before = snapshot or {"seconds": 0.0, "setup_s": 0.0}
    env = training_env(job)
    clock = Clock(before["seconds"], before["setup_s"])
    made = learner(job.agent.name).make(env, job.agent, job.seed, job.compile)
    # Events after the snapshot are of updates that are made again.
    purge = snapshot["progress"]["home_steps"] + 1 if snapshot else 0
    with SummaryWriter(str(folder / "tensorboard"), purge_step=purge) as writer:
        watch = Watch(job, folder, env, writer, listen, clock)
        training = _Training(job, folder, made, watch, clock)
        clock.end_setup()
        if snapshot:
            training.restore(snapshot)
        else:
            watch.see(UNTRAINED, made.network)
        while training.progress.share < 1.0:
            if stop():
                training.save()
                raise TrainingStopped
            training.advance()
        watch.finish(training.progress, made.network)
        training.save()
    return watch.best, clock.seconds, training.progress.home_steps


def training_env(job: TrainingJob) -> FleetVectorEnv:
    """Make the environment that a job trains on."""
    kind = learner(job.agent.name)
    return FleetVectorEnv(
        job.scenario,
        num_envs=job.agent.scenarios,
        dispatch=job.dispatch,
        split="train",
        autoreset_mode=kind.autoreset_mode,
        stagger=kind.steps_env,
        compile=job.compile and kind.steps_env,
    )


def spent_share(snapshot: dict[str, Any], job: TrainingJob) -> float:
    """Share of a job's budget that is spent at a snapshot. [0 to 1]

    Args:
        snapshot: Of the run.
        job: The run's, perhaps with a larger budget.
    """
    seconds = snapshot["seconds"] - snapshot["setup_s"]
    return budget_share(snapshot["progress"]["iteration"], seconds, job.agent)


@dataclass
class _Training:
    """A run between two updates."""

    job: TrainingJob
    folder: Path
    learner: Learner
    watch: Watch
    clock: Clock
    progress: Progress = UNTRAINED
    saved: Path | None = None  # the last snapshot
    saved_at: float = field(default_factory=time.monotonic)
    shares: list[float] = field(default_factory=list)  # that updates since then were made at

    def advance(self) -> None:
        """Make an update, watch it, and save where it is time."""
        self.shares.append(self.progress.share)
        update = self.learner.update(self.progress.share)
        updates = self.progress.iteration + 1
        if what := trouble(update, self.learner.network):
            bundle = leave_bundle(self.folder, self.saved, self.shares, updates, what)
            raise DivergedError(
                f"the training stopped at update {updates} because {what}: a smaller "
                f"agent.learning_rate may help, and `vpp train --replay {bundle}` shows it again."
            )
        self.progress = Progress(
            updates,
            self.clock.share(updates, self.job.agent),
            self.progress.home_steps + update.home_steps,
            update.profit_per_kw_day,
            update.gradient_norm,
        )
        self.watch.see(self.progress, self.learner.network)
        if self._due():
            self.save()

    def _due(self) -> bool:
        every = self.job.checkpoint_every
        if every is not None:
            return self.progress.iteration % every == 0
        return time.monotonic() - self.saved_at >= _SNAPSHOT_S

    def save(self) -> None:
        """Write a snapshot."""
        self.watch.writer.flush()
        state = {
            "learner": self.learner.state(),
            "watch": self.watch.state(),
            "progress": asdict(self.progress),
            "seconds": self.clock.seconds,
            "setup_s": self.clock.setup_s,
        }
        self.saved = write_snapshot(self.folder, self.progress.iteration, state)
        self.saved_at, self.shares = time.monotonic(), []

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot, which is written again: later and damaged ones are now void."""
        self.learner.restore(snapshot["learner"])
        progress = Progress(**snapshot["progress"])
        self.progress = replace(progress, share=spent_share(snapshot, self.job))
        self.watch.restore(snapshot["watch"], self.progress, self.learner.network)
        self.save()


def use_threads(threads: int) -> None:
    """Give torch so many threads; more than the cores only slow it down."""
    torch.set_num_threads(max(threads, 1))
