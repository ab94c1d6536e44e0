"""Base load: what a home draws that nobody controls."""

from torch import Tensor


def load_kw(mean_kw: Tensor, load_pu: Tensor) -> Tensor:
    """Return the base load of each home.

    Args:
        mean_kw: Mean base load over a year, (N,). [kW]
        load_pu: Load of each home's archetype, (..., N). [per unit of its mean]

    Returns:
        Power drawn, not negative, (..., N). [kW]
    """
    return mean_kw * load_pu
