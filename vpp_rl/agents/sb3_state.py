"""What the algorithms of Stable-Baselines3 carry between updates beside their networks."""

from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm

from vpp_envs.saved_state import plain


def counters(model: BaseAlgorithm) -> dict[str, Any]:
    """What an algorithm of Stable-Baselines3 knows of the steps so far, as plain values."""
    assert isinstance(model._last_obs, np.ndarray)
    assert model._last_episode_starts is not None
    assert model.ep_info_buffer is not None
    return {
        "steps": model.num_timesteps,
        "updates": model._n_updates,
        "episode": model._episode_num,
        "last_observation": plain(model._last_obs),
        "episode_starts": plain(model._last_episode_starts),
        "episodes": [{key: float(value) for key, value in e.items()} for e in model.ep_info_buffer],
    }


def set_counters(model: BaseAlgorithm, state: dict[str, Any]) -> None:
    """Let an algorithm know of the steps so far.

    Args:
        model: The algorithm, after its `_setup_learn`.
        state: From `counters`.
    """
    assert model.ep_info_buffer is not None
    model.num_timesteps = state["steps"]
    model._n_updates = state["updates"]
    model._episode_num = state["episode"]
    model._last_obs = plain(state["last_observation"]).numpy()
    model._last_episode_starts = plain(state["episode_starts"]).numpy()
    model.ep_info_buffer.clear()
    model.ep_info_buffer.extend(state["episodes"])
