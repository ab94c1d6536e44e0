"""Population-based training as a sweeper of Hydra."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from vpp_envs.errors import InputError
from vpp_rl.agents.registry import learner
from vpp_rl.cli.console import console, progress_bar
from vpp_rl.cli.sweeping.board import resume_command
from vpp_rl.cli.sweeping.launching import FailedJobsError, JobSweeper, job_config, opened
from vpp_rl.cli.sweeping.population import (
    Member,
    Plan,
    PopulationSettings,
    Record,
    first_members,
)
from vpp_rl.cli.sweeping.population_board import PopulationBoard
from vpp_rl.cli.sweeping.space import Dimension, search_space
from vpp_rl.configuration import build, resolved, with_values


class PbtSweeper(JobSweeper):
    """Train a population, in which members that earn little take over from those that earn much."""

    def __init__(self, **settings: Any) -> None:
        self.settings = build("hydra.sweeper", settings, PopulationSettings)

    def sweep(self, arguments: list[str]) -> None:
        """Train the population whose settings the overrides span."""
        from vpp_rl.cli.sweeping.pbt import run_population

        chosen, (fixed, space) = self.settings, search_space(arguments)
        members = first_members(space, chosen.population, chosen.seed)
        with opened(self.config, self.job) as folder:
            record = Record(folder.absolute())
            record.claim(arguments, chosen)
            plan = self._plan(record, fixed, members)
            out = console()
            out.print(
                f"{chosen.population} members in {folder}, {chosen.generations} generations of "
                f"{plan.config['agent']['iterations'] / chosen.generations:g} updates each, "
                "whatever agent.seconds and validations say; if they are interrupted, go on with",
                markup=False,
            )
            out.print(f"  {resume_command(folder)}", markup=False)
            with progress_bar(out, "training") as (bar, task):

                def show(share: float, note: str) -> None:
                    bar.update(task, completed=share, note=note)

                board = PopulationBoard(out, plan, space, show)
                run_population(plan, members, space, chosen, board)
            if board.close():
                raise FailedJobsError

    def _plan(self, record: Record, fixed: Sequence[str], members: Sequence[Member]) -> Plan:
        configs = [self._config_of(fixed, member) for member in members]
        folders = []
        for composed in configs:
            place = composed.hydra.sweep
            folders.append((Path(str(place.dir)) / str(place.subdir)).absolute())
            with open_dict(composed):
                del composed["hydra"]
        config = resolved(configs[0])
        always = ["agent.seconds=null", f"validations={self.settings.generations}"]
        if config["compile"] == "auto":
            # A generation is seldom as long as what fusing its steps takes.
            always.append("compile=false")
        return Plan(record, tuple(folders), with_values(config, always), self.settings.generations)

    def _config_of(self, fixed: Sequence[str], member: Member) -> DictConfig:
        drawn = [f"{key}={value}" for key, value in member.settings.items()]
        return job_config(self.hydra_context, self.config, [*fixed, *drawn], member.number)


def population_check(
    arguments: Sequence[str], settings: PopulationSettings, check: Callable[[Any], object]
) -> Callable[[Any], object]:
    """What refuses jobs that cannot be a member of a population.

    Args:
        arguments: Overrides of the sweep.
        settings: Of the population.
        check: What refuses jobs that cannot be trained.
    """
    keys = [one.key for one in _space(arguments)]

    def checks(cfg: Any) -> None:  # noqa: ANN401 - a DictConfig
        agent = cfg.agent
        kind = learner(str(agent.name))
        may = [f"agent.{name}" for name in kind.changeable]
        for key in keys:
            if key not in may:
                raise InputError(
                    f"hydra/sweeper=pbt changes settings in the middle of a training, and '{key}' "
                    f"cannot be: search {', '.join(may)}, or use hydra/sweeper=optuna."
                )
        if agent.iterations == kind.settings().iterations:
            raise InputError(
                "hydra/sweeper=pbt needs a budget of updates, agent.iterations=N: a generation is "
                "an equal share of it."
            )
        if agent.iterations < settings.generations:
            raise InputError(
                f"agent.iterations={agent.iterations} is less than an update for each of "
                f"hydra.sweeper.generations={settings.generations}: give more updates."
            )
        if agent.get("env_runners"):
            raise InputError(
                "hydra/sweeper=pbt has no cores for agent.env_runners: a member steps its rows "
                "itself, leave agent.env_runners=0."
            )
        check(cfg)

    return checks


def _space(arguments: Sequence[str]) -> list[Dimension]:
    """The space that the overrides among the arguments span."""
    overrides = [text for text in arguments if "=" in text and not text.startswith(("-", "hydra"))]
    return search_space(overrides)[1]
