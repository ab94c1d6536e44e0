"""Even coverage of a distribution by a few archetypes, without draws."""

import torch
from torch import Tensor


def strata(count: int, step: float) -> Tensor:
    """Return the middles of K equal strata of the unit interval, shuffled by an irrational step.

    The order is that of the fractional parts of multiples of the step: two different steps pair
    their strata evenly, so that few archetypes cover several traits at once, and each trait has
    its distribution exactly.

    Args:
        count: Number of strata K.
        step: An irrational number between 0 and 1.

    Returns:
        Probabilities, float64, (K,). [0 to 1]
    """
    scattered = (torch.arange(1, count + 1, dtype=torch.float64) * step) % 1.0
    return (scattered.argsort().argsort().to(torch.float64) + 0.5) / count
