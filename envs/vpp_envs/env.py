"""The single environment: the batch of one."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from vpp_envs.scenario import ScenarioSpec
from vpp_envs.vector_env import FleetVectorEnv


class FleetEnv(gym.Env[np.ndarray, np.ndarray]):
    """One scenario of a fleet; see `FleetVectorEnv`, whose row it is."""

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        scenario: str | ScenarioSpec = "nem_arbitrage",
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        """Build a batch of one; the arguments are those of `FleetVectorEnv`."""
        self.batch = FleetVectorEnv(
            scenario,
            num_envs=1,
            autoreset_mode=AutoresetMode.DISABLED,
            render_mode=render_mode,
            **arguments,
        )
        self.render_mode = render_mode
        self.action_space = self.batch.single_action_space
        self.observation_space = self.batch.single_observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a new episode; see `FleetVectorEnv.reset`."""
        super().reset(seed=seed)
        observation, info = self.batch.reset(seed=seed, options=options)
        return observation[0], info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance by one control interval."""
        observation, reward, terminated, truncated, info = self.batch.step(action[None])
        scalars = {name: value[0] for name, value in info.items()}
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), scalars

    def render(self) -> Any:  # noqa: ANN401 - Gymnasium's own types differ between releases
        """Return a line of text."""
        lines = self.batch.render()
        return lines[0] if lines else None
