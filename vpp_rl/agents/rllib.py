"""PPO of Ray's RLlib, whose runners may be processes of their own.

The learner is that of `vpp_rl.agents.ppo` in another library: the same network and normaliser, the
same potential, the same paired rows. RLlib keeps an episode object for each row, so that a step
costs by the row and fewer rows are in place than with Stable-Baselines3.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.local_ray import start_ray, stop_ray
from vpp_rl.agents.ppo import PpoSettings

if TYPE_CHECKING:
    from vpp_rl.agents.rllib_learner import RllibLearner


@dataclass(frozen=True)
class RllibSettings(PpoSettings):
    """How RLlib's PPO trains."""

    name: str = "rllib_ppo"
    scenarios: int = 64
    steps: int = 48
    batch: int = 512
    env_runners: int = 0  # worker processes that share the rows; none: this process steps them

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        super().__post_init__()
        if self.env_runners < 0:
            raise InputError(f"agent.env_runners must be at least 0, got {self.env_runners}.")
        if self.scenarios % (self.group * max(self.env_runners, 1)):
            raise InputError(
                f"agent.scenarios={self.scenarios} must be shared evenly by agent.env_runners="
                f"{self.env_runners} in groups of agent.group={self.group}."
            )


def make(
    env: FleetVectorEnv, settings: RllibSettings, seed: int, compile: bool = False
) -> "RllibLearner":
    """Make the learner, and start Ray on this machine.

    Args:
        env: Supplies scenario, homes and dispatch mode; the runners step environments of their own.
        settings: How to train.
        seed: Of weights, exploration and days.
        compile: Fuse the runners' steps (needs a C++ compiler).
    """
    started = start_ray(settings.env_runners)
    try:
        # Ray is imported only now: it reads its environment once.
        from vpp_rl.agents.rllib_learner import RllibLearner

        return RllibLearner(env, settings, seed, compile, started)
    except BaseException:
        if started:
            stop_ray()
        raise
