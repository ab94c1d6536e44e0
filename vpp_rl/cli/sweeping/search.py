"""A search by Optuna whose next trial depends on what is finished, not on when it was killed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vpp_envs.errors import InputError
from vpp_rl.cli.sweeping.outcome import Outcome
from vpp_rl.cli.sweeping.space import Dimension

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

STUDY = "study.db"
_JOB, _SPACE = "job", "space"  # attributes of a trial and of the study


@dataclass(frozen=True)
class OptunaSettings:
    """Keys of ``hydra.sweeper``."""

    n_trials: int = 20  # jobs, those of an interrupted sweep included
    n_jobs: int = 1  # drawn and launched together; more than one pays with hydra/launcher=ray
    seed: int = 0
    sampler: Literal["tpe", "random"] = "tpe"

    def __post_init__(self) -> None:
        for key in ("n_trials", "n_jobs"):
            if getattr(self, key) < 1:
                raise InputError(f"hydra.sweeper.{key} must be 1 or more")
        if self.seed < 0:
            raise InputError("hydra.sweeper.seed must be 0 or more")


@dataclass(frozen=True)
class Search:
    """The study, and how the next trial comes about."""

    study: "Study"
    space: Sequence[Dimension]
    settings: OptunaSettings

    def trial(self, number: int) -> "Trial | FrozenTrial":
        """The trial of a job: the finished one, a repetition of the broken one, or a new draw."""
        from optuna.trial import TrialState

        keys = {one.key for one in self.space}
        earlier = [one for one in self.study.get_trials() if one.user_attrs.get(_JOB) == number]
        for one in earlier:
            if one.state == TrialState.COMPLETE:
                return one
        # A kill in the middle of a draw leaves a trial that lacks parameters.
        whole = [one.params for one in earlier if one.params.keys() == keys]
        if whole:
            self.study.enqueue_trial(whole[0], {_JOB: number})
        self.study.sampler = self._sampler(number)
        trial = self.study.ask({one.key: one.distribution() for one in self.space})
        trial.set_user_attr(_JOB, number)
        return trial

    def tell(self, trial: "Trial | FrozenTrial", outcome: Outcome) -> None:
        """Note what a job came to, unless that was noted before."""
        from optuna import Trial
        from optuna.trial import TrialState

        if not isinstance(trial, Trial):
            return
        if outcome.error:
            trial.set_user_attr("error", outcome.error)
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, outcome.profit)

    def _sampler(self, number: int) -> "BaseSampler":
        """A sampler for one job: one for all would start over when a search is resumed."""
        from optuna.samplers import RandomSampler, TPESampler

        seed = int(np.random.SeedSequence([self.settings.seed, number]).generate_state(1)[0])
        if self.settings.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed)


def open_study(folder: Path, arguments: Sequence[str]) -> "Study":
    """Open the study of a sweep's folder, or begin it; trials that a kill left open have failed.

    Args:
        folder: Of the sweep.
        arguments: Overrides that span the space.

    Raises:
        InputError: The study in the folder searches another space.
    """
    import optuna
    from sqlalchemy.engine import URL

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=URL.create("sqlite", database=str(folder / STUDY)).render_as_string(),
        study_name="sweep",
        direction="maximize",
        load_if_exists=True,
    )
    space = study.user_attrs.get(_SPACE, list(arguments))
    if space != list(arguments):
        raise InputError(
            f"{folder / STUDY} searches another space ({' '.join(space)}): name another folder by "
            "hydra.sweep.dir=..."
        )
    study.set_user_attr(_SPACE, space)
    close_open_trials(study)
    return study


def close_open_trials(study: "Study") -> None:
    """Mark as failed what a killed search left running, or waiting to be repeated."""
    from optuna.trial import TrialState

    for _ in study.get_trials(states=(TrialState.WAITING,)):
        study.ask()
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
