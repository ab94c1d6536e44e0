"""How a run is made: the keys of ``configs/train.yaml`` that belong to no group, and the job."""

from dataclasses import dataclass, field
from typing import Literal

from vpp_envs.dispatch.modes import dispatch_mode
from vpp_envs.errors import InputError
from vpp_envs.scenario import ScenarioSpec
from vpp_rl.agents.registry import Settings
from vpp_rl.rollout import Windows

_SEEDS = 2**32  # as many as numpy has


@dataclass(frozen=True)
class TrainSettings:
    """How a run is made, whatever is trained on whatever scenario."""

    dispatch: str
    seed: int
    compile: Literal[True, False, "auto"]
    threads: int
    validations: int
    validation_windows: int
    validation_window_days: int | None
    label: str
    checkpoint_every: int | None = None  # updates; none: about a minute

    def __post_init__(self) -> None:
        """Refuse what no run can be made with."""
        dispatch_mode(self.dispatch)
        if self.dispatch == "per_device":
            raise InputError(
                "dispatch=per_device cannot be trained here: such a policy commands the very homes "
                "that it was trained with, one component of the action each, while validation and "
                "test play other homes; train value_curve or cohort_power, and keep per_device for "
                'environments of your own (gym.make("vpp/NemArbitrage-v0", dispatch="per_device")).'
            )
        if not 0 <= self.seed < _SEEDS:
            raise InputError(
                f"train.seed must lie between 0 and {_SEEDS - 1:,}, got {self.seed:,}."
            )
        at_least(1, "train", self, "threads", "validations")
        at_least(1, "train", self, "validation_windows", "validation_window_days")
        at_least(1, "train", self, "checkpoint_every")


@dataclass(frozen=True)
class TrainingJob:
    """What to train, on what, and how often to look at the validation days."""

    scenario: ScenarioSpec
    agent: Settings
    dispatch: str = "value_curve"
    seed: int = 0
    compile: bool = False
    threads: int = 1
    validations: int = 8  # looks at the validation days after the first, spread over the budget
    validation: Windows = field(default_factory=lambda: Windows("validation", most=36))
    checkpoint_every: int | None = None  # updates between two snapshots; none: about a minute


def at_least(least: int, kind: str, settings: object, *names: str) -> None:
    """Refuse settings with a number that is too small; null is none.

    Args:
        least: Smallest number that is allowed.
        kind: Dotted name of the settings in the configuration, for errors.
        settings: A dataclass.
        names: Its fields to look at.

    Raises:
        InputError: A number is smaller.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < least:
            raise InputError(f"{kind}.{name} must be at least {least}, got {value}.")
