"""Recursions with a finite memory, so that any window of a series equals its part of the whole.

A recursion that started long ago would tie each value to the start of the table. Here a value
depends on the draws of its last ``2**doublings`` ticks alone, and these are keyed by the tick
since 1970: days 100 to 110 have the same weather whether they are tabulated alone or in a year.
"""

import math

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError

TICK_S = 300
TICKS_PER_DAY = 288


def tick_of(start_utc: np.datetime64) -> int:
    """Return the number of five-minute ticks from 1970 to a time in UTC.

    Raises:
        InputError: The time is not a multiple of five minutes.
    """
    seconds = int(start_utc.astype("datetime64[s]").astype(np.int64))
    if seconds % TICK_S:
        raise InputError(
            f"start_utc {start_utc} is not on the five-minute clock; give a time that ends in "
            "minutes 00, 05, 10, ... and 0 seconds"
        )
    return seconds // TICK_S


def autoregressive(noise: Tensor, decay: float, doublings: int) -> Tensor:
    """Return a unit-variance AR(1) series from standard normal noise.

    ``x[t] = sum over j < M of decay**j noise[t - j]``, scaled, with ``M = 2**doublings``, by
    repeated doubling of the window instead of a loop over ticks.

    Args:
        noise: Standard normals, time first, (M - 1 + T, ...).
        decay: Correlation of neighbours, below 1.
        doublings: Logarithm of the memory; ``decay**M`` should be negligible.

    Returns:
        Series, (T, ...).
    """
    memory = 2**doublings
    series = noise * math.sqrt((1.0 - decay**2) / (1.0 - decay ** (2 * memory)))
    for power in range(doublings):
        stride = 2**power
        series = series[stride:] + decay**stride * series[:-stride]
    return series


def hold(values: Tensor, renewed: Tensor, doublings: int) -> Tensor:
    """Return at each tick the value of the last renewal, or of M - 1 ticks ago without one.

    Args:
        values: What a renewal would bring, time first, (M - 1 + T, ...).
        renewed: Whether a tick renews, bool, (M - 1 + T, ...).
        doublings: Logarithm of the memory M.

    Returns:
        Values held, (T, ...).
    """
    for power in range(doublings):
        stride = 2**power
        values = torch.where(renewed[stride:], values[stride:], values[:-stride])
        renewed = renewed[stride:] | renewed[:-stride]
    return values
