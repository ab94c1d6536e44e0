"""The global random generators, written down and set again: part of every learner's state."""

import random
from typing import Any

import numpy as np
import torch


def generator_states() -> dict[str, Any]:
    """States of the global generators of torch, numpy and Python, as plain values.

    Stable-Baselines3 draws from all three: actions, minibatches and rows of a replay buffer.
    """
    _, key, *rest = np.random.get_state()  # noqa: NPY002 - what the library under us draws from
    return {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(np.asarray(key, dtype=np.int64)), *rest],
        "python": random.getstate(),
    }


def set_generators(states: dict[str, Any]) -> None:
    """Set the global generators to what they were.

    Args:
        states: From `generator_states`.
    """
    torch.set_rng_state(states["torch"])
    key, *rest = states["numpy"]
    np.random.set_state(("MT19937", key.numpy().astype(np.uint32), *rest))  # noqa: NPY002 - as above
    random.setstate(states["python"])
