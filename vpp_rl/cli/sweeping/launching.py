"""Jobs given to a launcher of Hydra, and their outcomes as soon as the launcher lets them out."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from vpp_rl.cli.console import console
from vpp_rl.cli.sweeping.board import Board, resume_command
from vpp_rl.cli.sweeping.folder import held, keep_command
from vpp_rl.cli.sweeping.outcome import Outcome, SweepJob

Batch = Sequence[Sequence[str]]  # the overrides of each job

# Runs a batch whose first job has a number; returns the outcomes in the order of the jobs.
RunBatch = Callable[[Batch, int], list[Outcome]]


class FailedJobsError(Exception):
    """Some jobs of a sweep failed; each was told of."""


@runtime_checkable
class Streaming(Protocol):
    """A launcher that tells of each job when it ends, and holds processes until it is closed."""

    def outcomes(self, batch: Batch, first: int) -> Iterator[Outcome]:
        """Run a batch; outcomes come in the order in which jobs end."""

    def close(self) -> None:
        """End its processes."""


class JobSweeper(Sweeper):
    """A sweeper of Hydra that runs `SweepJob`."""

    hydra_context: HydraContext
    config: DictConfig
    launcher: Launcher
    job: SweepJob

    def setup(
        self,
        *,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ) -> None:
        """Called by Hydra."""
        assert isinstance(task_function, SweepJob)
        self.job, self.config, self.hydra_context = task_function, config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )


def job_config(
    context: HydraContext, config: DictConfig, overrides: Sequence[str], number: int
) -> DictConfig:
    """The configuration of a job, with Hydra's own part.

    Args:
        context: Hydra's.
        config: Of the sweep.
        overrides: Of the job.
        number: Of the job.
    """
    composed = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(composed):
        composed.hydra.job.id = composed.hydra.job.num = number
    return composed


@contextmanager
def opened(config: DictConfig, job: SweepJob) -> Iterator[Path]:
    """Hold the sweep's folder, and note there what it is resumed by.

    Args:
        config: The sweep's composed configuration, with Hydra's own part.
        job: What a job does.

    Raises:
        InputError: Another process holds the folder.
    """
    folder = Path(str(config.hydra.sweep.dir))
    # Their launchers announce each job, which here gets a line when it ends.
    for library in ("hydra", "hydra_plugins"):
        logging.getLogger(library).setLevel(logging.WARNING)
    with held(folder):
        keep_command(folder, job.argv)
        OmegaConf.save(config, folder / "multirun.yaml")
        yield folder


@contextmanager
def sweep(
    config: DictConfig,
    launcher: Launcher,
    job: SweepJob,
    keys: Sequence[str],
    total: int,
) -> Iterator[RunBatch]:
    """Hold the sweep's folder, and yield what runs a batch of jobs and shows how they went.

    Args:
        config: The sweep's composed configuration, with Hydra's own part.
        launcher: Runs jobs.
        job: What a job does.
        keys: What is swept over.
        total: Number of jobs.

    Raises:
        FailedJobsError: At the end, if some jobs failed.
        InputError: Another process holds the folder.
    """
    out = console()
    with opened(config, job) as folder:
        board = Board(out, folder, tuple(keys), total, _options(job.argv))
        out.print(f"{total} jobs in {folder}; if they are interrupted, go on with", markup=False)
        out.print(f"  {resume_command(folder)}", markup=False)

        def run(batch: Batch, first: int) -> list[Outcome]:
            outcomes = []
            for outcome in _outcomes(launcher, batch, first):
                board.add(outcome)
                outcomes.append(outcome)
            return sorted(outcomes, key=lambda one: one.number)

        try:
            yield run
        finally:
            if isinstance(launcher, Streaming):
                launcher.close()
        if board.close():
            raise FailedJobsError


def _outcomes(launcher: Launcher, batch: Batch, first: int) -> Iterator[Outcome]:
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    if isinstance(launcher, Streaming):
        yield from launcher.outcomes(batch, first)
    elif isinstance(launcher, BasicLauncher):
        for number, overrides in enumerate(batch, first):
            yield from (job.return_value for job in launcher.launch([overrides], number))
    else:  # somebody's own, which may run jobs side by side
        yield from (job.return_value for job in launcher.launch(batch, first))


def _options(argv: Sequence[str]) -> tuple[str, ...]:
    """The folders of configuration, which a single job needs as well."""
    from vpp_rl.cli.hydra_job import config_dirs

    return tuple(f"--config-dir={folder}" for folder in config_dirs(argv))
