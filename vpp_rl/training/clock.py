"""How long a training has taken, over all the processes that it was resumed in."""

import time
from dataclasses import dataclass, field

from vpp_rl.agents.registry import Settings


@dataclass
class Clock:
    """Counts from when it is made; what earlier processes took is given."""

    earlier_s: float = 0.0
    setup_s: float = 0.0  # of all processes, until their first update: no part of the budget
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds of the training until now."""
        return self.earlier_s + time.monotonic() - self.began

    def end_setup(self) -> None:
        """Count what this process took until now as setting up."""
        self.setup_s += time.monotonic() - self.began

    def share(self, updates: int, settings: Settings) -> float:
        """Share of the budget that is spent, 1 at most. [0 to 1]

        Args:
            updates: Made so far.
            settings: Of the learner: the first of its two limits counts.
        """
        return budget_share(updates, self.seconds - self.setup_s, settings)


def budget_share(updates: int, seconds: float, settings: Settings) -> float:
    """Share of a budget of updates and seconds that is spent, 1 at most. [0 to 1]

    Args:
        updates: Made so far.
        seconds: Of training so far.
        settings: Of the learner; its ``seconds`` may be none, for no limit of time.
    """
    share: float = updates / settings.iterations
    if settings.seconds is not None:
        share = max(share, seconds / settings.seconds)
    return min(share, 1.0)
