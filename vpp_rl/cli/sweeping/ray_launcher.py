"""Jobs side by side on a Ray cluster of this machine, each in a process that may die.

hydra-ray-launcher starts the cluster and submits a job. What is added here: it waits for its jobs
in their order and raises for the first that Ray gave up, so that one lost worker ends a sweep and
the results of the others with it; it is silent until the last job has ended; and it leaves the
cluster running.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra_plugins.hydra_ray_launcher.ray_launcher import RayLauncher
from omegaconf import DictConfig

from vpp_rl.cli.sweeping.launching import job_config
from vpp_rl.cli.sweeping.outcome import Outcome
from vpp_rl.cli.sweeping.ray_cluster import INIT, refuse_too_few_cores

OUTPUT = "output.txt"  # what a job printed

# Hydra's settings under ``hydra.launcher``, as hydra-ray-launcher names them.
DEFAULTS: dict[str, Any] = {
    "ray": {
        "init": INIT,
        # A job whose process dies starts over, so often; one that runs out of memory, likewise.
        "remote": {"num_cpus": "${threads}", "max_retries": 3},
    }
}


class LocalRayLauncher(RayLauncher):
    """Run jobs as Ray tasks, and tell of each when it ends."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run a batch to its end; outcomes are in the order of the jobs."""
        outcomes = sorted(self.outcomes(job_overrides, initial_job_idx), key=lambda one: one.number)
        return [JobReturn(status=JobStatus.COMPLETED, _return_value=one) for one in outcomes]

    def outcomes(self, batch: Sequence[Sequence[str]], first: int) -> Iterator[Outcome]:
        """Run a batch; outcomes come in the order in which jobs end."""
        import ray

        self._start()
        submitted = {
            self._submit(overrides, number): number for number, overrides in enumerate(batch, first)
        }
        waiting = list(submitted)
        while waiting:
            (ended,), waiting = ray.wait(waiting, num_returns=1)
            number = submitted[ended]
            try:
                yield ray.get(ended).return_value
            except ray.exceptions.RayError as error:
                yield self._lost(batch[number - first], number, error)

    def close(self) -> None:
        """End the cluster."""
        import ray

        ray.shutdown()

    def _start(self) -> None:
        """Start the cluster, once."""
        from hydra_plugins.hydra_ray_launcher._launcher_util import start_ray

        setup_globals()
        start_ray(self.ray_cfg.init)
        refuse_too_few_cores(
            self.ray_cfg.remote.get("num_cpus") or 1,
            "hydra.launcher.ray.remote.num_cpus, by default as many as threads",
        )

    def _submit(self, overrides: Sequence[str], number: int) -> Any:  # noqa: ANN401 - an ObjectRef
        from hydra_plugins.hydra_ray_launcher._launcher_util import launch_job_on_ray

        assert self.hydra_context is not None
        assert self.task_function is not None
        return launch_job_on_ray(
            self.hydra_context,
            self.ray_cfg.remote,
            self._config_of(overrides, number),
            _Apart(self.task_function),
            Singleton.get_state(),
        )

    def _config_of(self, overrides: Sequence[str], number: int) -> DictConfig:
        assert self.hydra_context is not None
        assert self.config is not None
        return job_config(self.hydra_context, self.config, overrides, number)

    def _lost(self, overrides: Sequence[str], number: int, error: Exception) -> Outcome:
        """The outcome of a job that Ray gave up."""
        reason = str(error).strip().splitlines() or [""]
        place = self._config_of(overrides, number).hydra.sweep
        return Outcome(
            number,
            tuple(overrides),
            (Path(str(place.dir)) / str(place.subdir)).absolute(),
            seconds=0.0,
            error=f"Ray gave the job up, {type(error).__name__}: {reason[0]}",
        )


@dataclass(frozen=True)
class _Apart:
    """A job whose words go into its own folder: bars of several would mix on one screen."""

    job: Callable[[Any], Any]

    def __call__(self, cfg: Any) -> Any:  # noqa: ANN401 - as the job has it
        path = Path(HydraConfig.get().runtime.output_dir) / OUTPUT
        # By lines: for those who watch the file, and so that a killed job leaves what it said.
        with path.open("a", buffering=1) as output, contextlib.redirect_stdout(output):
            return self.job(cfg)
