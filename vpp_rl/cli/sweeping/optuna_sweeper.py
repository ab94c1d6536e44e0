"""The search as a sweeper of Hydra."""

from pathlib import Path
from typing import Any

from vpp_rl.cli.sweeping.launching import JobSweeper, sweep
from vpp_rl.cli.sweeping.search import OptunaSettings, Search, open_study
from vpp_rl.cli.sweeping.space import search_space
from vpp_rl.configuration import build


class OptunaSweeper(JobSweeper):
    """Search for the overrides with the highest validation profit."""

    def __init__(self, **settings: Any) -> None:
        self.settings = build("hydra.sweeper", settings, OptunaSettings)

    def sweep(self, arguments: list[str]) -> None:
        """Search the space that the overrides span.

        Jobs are drawn in batches. A draw depends on the seed, the number of the job and the jobs
        of earlier batches alone, so that a search which was killed ends like one that was not.
        """
        fixed, space = search_space(arguments)
        chosen, keys = self.settings, [one.key for one in space]
        with sweep(self.config, self.launcher, self.job, keys, chosen.n_trials) as run:
            folder = Path(str(self.config.hydra.sweep.dir))
            search = Search(open_study(folder, arguments), space, chosen)
            for first in range(0, chosen.n_trials, chosen.n_jobs):
                numbers = range(first, min(first + chosen.n_jobs, chosen.n_trials))
                trials = [search.trial(number) for number in numbers]
                batch = [
                    [*fixed, *(one.override(trial.params[one.key]) for one in space)]
                    for trial in trials
                ]
                outcomes = run(batch, first)
                for trial, outcome in zip(trials, outcomes, strict=True):
                    search.tell(trial, outcome)
