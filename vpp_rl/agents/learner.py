"""What every learner has in common: it is made, updated, saved and restored in the same way.

The loop that trains (`vpp_rl.training.run`) owns the budget, the checkpoints and the looks at the
validation days; a learner only knows how to make one update, and how to write itself down.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from vpp_envs.errors import InputError
from vpp_rl.agents.network import PolicyNetwork


@dataclass(frozen=True)
class Progress:
    """Where a training run stands; handed to the caller at the start and after every update."""

    iteration: int  # updates made
    share: float  # of the budget that is spent [0 to 1]
    home_steps: int
    profit_per_kw_day: float  # realised in training, NaN at the start [currency/kW/day]
    gradient_norm: float  # NaN where the learner has none to tell


UNTRAINED = Progress(0, 0.0, 0, float("nan"), float("nan"))


@dataclass(frozen=True)
class Update:
    """What one update did."""

    home_steps: int  # lived for it
    profit_per_kw_day: float  # realised, NaN if none was [currency/kW/day]
    gradient_norm: float  # NaN where the learner has none to tell
    loss: float  # whatever the learner minimises; not a number stops the run


class Learner(Protocol):
    """A learner between two updates. Equal states and equal shares give equal updates."""

    @property
    def network(self) -> PolicyNetwork:
        """The policy as it stands, which acts without exploration."""

    def update(self, share: float) -> Update:
        """Gather experience and learn from it, once.

        Args:
            share: Of the budget that is spent already, for rates that fall. [0 to 1]
        """

    def state(self) -> dict[str, Any]:
        """Everything that the next update depends on, as `torch.load(weights_only=True)` reads it.

        Tensors, numbers, strings, lists, tuples and dictionaries: parameters, optimiser, every
        random generator, the environment, normalisers and the replay buffer. The next update may
        change what was returned: write it, or copy it.
        """

    def restore(self, state: dict[str, Any]) -> None:
        """Become the learner that wrote this state.

        Args:
            state: From `state` of a learner with the same settings on the same scenario.
        """


def refuse_no_time(seconds: float | None) -> None:
    """Refuse a budget without any time; none is no limit.

    Args:
        seconds: Of the budget. [s]

    Raises:
        InputError: They are not above 0.
    """
    if seconds is not None and not seconds > 0.0:
        raise InputError(f"agent.seconds must be above 0, or null for no limit, got {seconds}.")
