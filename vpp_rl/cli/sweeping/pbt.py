"""Ray Tune's population-based training, whose draws can be repeated and whose members can die.

Ray decides who takes over from whom, and runs, pauses and retries the members. What it carries from
member to member is a name: the snapshots lie in the record of the population, because Ray loses
the scheduler's own state when an experiment is restored, and because a save that is still under
way when a member takes over another's checkpoint puts the member's own in its place again.
"""

import logging
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ray import tune
from ray.tune.schedulers import PopulationBasedTraining
from ray.tune.search.basic_variant import BasicVariantGenerator

from vpp_rl.cli.sweeping.generation import train_generation
from vpp_rl.cli.sweeping.population import Member, Plan, PopulationSettings, Result, heir
from vpp_rl.cli.sweeping.population_board import PopulationBoard
from vpp_rl.cli.sweeping.ray_cluster import cluster, refuse_too_few_cores
from vpp_rl.cli.sweeping.space import Dimension

MEMBER, RESULT, SCORE = "member", "result", "score"  # keys of what Ray hands around
_STORAGE = ".ray"  # in the folder of the sweep; of use to Ray only while it runs
_FAILURES = 3  # of a member, whose process died or who met a fault, before it is given up
_ENVIRONMENT = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # else a price file that is named from here were not found
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the population's own table has it all
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl+C ends it here as everywhere
    "RAY_AIR_NEW_OUTPUT": "0",  # else Ray describes itself in a box
    "TUNE_FORCE_TRIAL_CLEANUP_S": "10",  # a generation that is cut short is trained again
}
Ray = Any  # an object of Ray, whose annotations are not what its code hands out


class Training(tune.Trainable):
    """A member in a process of Ray; a step is a generation."""

    def setup(self, config: dict[str, Any], plan: Plan | None = None) -> None:
        """Called by Ray once for each process, which then serves several members."""
        assert plan is not None
        self._plan = plan

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another member, whose configuration Ray has set."""
        return True

    def step(self) -> dict[str, Any]:
        """Train for a generation."""
        result = train_generation(self._plan, member_of(self.config), self.iteration + 1)
        return {SCORE: result.profit, RESULT: asdict(result)}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """What Ray keeps: how far the member is; its snapshot is on record."""
        return {"generation": self.iteration}

    def load_checkpoint(self, checkpoint: Ray) -> None:
        """Nothing: Ray counts the generations by itself."""


def member_of(config: dict[str, Any]) -> Member:
    """The member that a configuration of Ray is of."""
    return Member(**config[MEMBER])


class RepeatablePbt(PopulationBasedTraining):
    """Population-based training that waits for all members, and draws by seed and generation."""

    def __init__(self, space: list[Dimension], settings: PopulationSettings) -> None:
        """Compare members whenever all have ended a generation.

        Args:
            space: What is searched.
            settings: Of the population.
        """
        super().__init__(
            time_attr="training_iteration",
            metric=SCORE,
            mode="max",
            perturbation_interval=1,
            quantile_fraction=settings.quantile,
            custom_explore_fn=self._explored,
            log_config=False,
            synch=True,
        )
        self._space, self._seed = space, settings.seed
        self._generation, self._number = 0, 0

    def on_trial_add(self, tune_controller: Ray, trial: Ray) -> None:
        """Called by Ray when a member is to begin, or to be tried again."""
        super().on_trial_add(tune_controller, trial)
        # Ray ends the processes of members that wait for a generation's end, all but one; a new
        # one would build the days and homes anew, which can take longer than a generation.
        tune_controller._actor_cache.increase_max(trial.placement_group_factory)

    def on_trial_result(self, tune_controller: Ray, trial: Ray, result: dict[str, Any]) -> str:
        """Called by Ray; the last member of a generation to report lets all take over."""
        before = random.getstate()
        self._generation = result["training_iteration"]
        # Ray chooses whom a member takes over from by Python's own generator, in the order of the
        # scores.
        random.seed(f"{self._seed} {self._generation}")
        try:
            decision: str = super().on_trial_result(tune_controller, trial, result)
        finally:
            random.setstate(before)
        return decision

    def _get_new_config(self, trial: Ray, trial_to_clone: Ray) -> Ray:
        """Called by Ray, whose hook below is not told who takes over."""
        self._number = member_of(trial.config).number
        return super()._get_new_config(trial, trial_to_clone)

    def _explored(self, config: dict[str, Any]) -> dict[str, Any]:
        """Called by Ray with a copy of the parent's configuration."""
        child = heir(self._space, member_of(config), self._number, self._generation, self._seed)
        return {**config, MEMBER: asdict(child)}


class Members(BasicVariantGenerator):
    """Ray's list of members, at its end only when they are: until then Ray keeps processes."""

    def __init__(self, board: PopulationBoard) -> None:
        """Watch a board."""
        super().__init__()
        self._board = board

    def is_finished(self) -> bool:
        """Whether no process will be needed any more."""
        return bool(super().is_finished()) and self._board.over


class Report(tune.Callback):
    """Tells the board what Ray hears."""

    def __init__(self, board: PopulationBoard) -> None:
        """Tell a board."""
        self._board = board

    def on_trial_result(
        self, iteration: int, trials: list[Ray], trial: Ray, result: dict[str, Any], **info: Ray
    ) -> None:
        """Called by Ray after the scheduler, which has decided who takes over."""
        members = [member_of(one.config) for one in trials]
        self._board.add(Result(**result[RESULT]), members)

    def on_trial_recover(self, iteration: int, trials: list[Ray], trial: Ray, **info: Ray) -> None:
        """Called by Ray when a member is to be tried again."""
        number = member_of(trial.config).number
        self._board.tell(f"member {number} is tried again: {_last_line(trial)}")

    def on_trial_error(self, iteration: int, trials: list[Ray], trial: Ray, **info: Ray) -> None:
        """Called by Ray when it gives a member up."""
        self._board.lost[member_of(trial.config).number] = _last_line(trial)


class Ends(tune.Stopper):
    """Says when members have trained enough, and ends all where one is lost."""

    def __init__(self, board: PopulationBoard, generations: int) -> None:
        """Watch a board."""
        self._board, self._generations = board, generations

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether a member has trained to its end."""
        return bool(result["training_iteration"] >= self._generations)

    def stop_all(self) -> bool:
        """Whether a member is lost, for whom the others would wait for ever."""
        return bool(self._board.lost)


def run_population(
    plan: Plan,
    members: Sequence[Member],
    space: Sequence[Dimension],
    settings: PopulationSettings,
    board: PopulationBoard,
) -> None:
    """Train a population to its end, on a Ray cluster of this machine.

    Args:
        plan: What all members have in common.
        members: As they begin.
        space: What is searched.
        settings: Of the population.
        board: Hears of every generation, and of members that are lost.

    Raises:
        InputError: A member needs more cores than there are.
    """
    os.environ.update(_ENVIRONMENT)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # the board tells of failures
    storage = plan.record.folder.absolute() / _STORAGE
    shutil.rmtree(storage, ignore_errors=True)
    threads = int(plan.config["threads"])
    with cluster(settings.cpus):
        refuse_too_few_cores(threads, "threads, of hydra.sweeper.cpus")
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(Training, plan=plan), {"cpu": threads}),
            param_space={MEMBER: tune.grid_search([asdict(one) for one in members])},
            tune_config=tune.TuneConfig(
                scheduler=RepeatablePbt(list(space), settings),
                search_alg=Members(board),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="population",
                storage_path=str(storage),
                stop=Ends(board, plan.generations),
                failure_config=tune.FailureConfig(max_failures=_FAILURES),
                callbacks=[Report(board)],
                verbose=0,
            ),
        )
        tuner.fit()
    shutil.rmtree(storage, ignore_errors=True)


def _last_line(trial: Ray) -> str:
    """The last line of what Ray knows of a member's failure."""
    lines = str(trial.get_error() or "").strip().splitlines()
    return lines[-1].strip() if lines else "its process died, or met a fault"
