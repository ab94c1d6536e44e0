"""How evenly calls, discomfort or payments are spread over homes."""

import torch
from torch import Tensor


def gini(amount: Tensor, among: Tensor) -> Tensor:
    """Gini coefficient: 0 where all have the same, nearly 1 where one has all, (...).

    ``sum over i of (2 i - n - 1) x_i / (n sum x)`` for amounts in rising order, i from 1; 0 where
    nobody has anything (C. Gini, "Variabilita e mutabilita", 1912).

    Args:
        amount: Of each home, at least 0, (..., N).
        among: Homes that count, (..., N) or (N,) bool.
    """
    counts = among.to(amount.dtype) + torch.zeros_like(amount)
    homes = counts.sum(-1, keepdim=True)
    # Homes that do not count come first, with nothing, and are taken off the ranks.
    rising = (amount * counts).sort(dim=-1).values
    rank = torch.arange(1, amount.shape[-1] + 1, device=amount.device).to(amount.dtype)
    rank = rank - (amount.shape[-1] - homes)
    weighted = ((2.0 * rank - homes - 1.0) * rising).sum(-1)
    whole = homes.squeeze(-1) * rising.sum(-1)
    return torch.where(whole > 0, weighted / whole.clamp(min=1e-30), torch.zeros_like(whole))


def jain(amount: Tensor, among: Tensor) -> Tensor:
    """Jain's index: 1 where all have the same, 1/n where one of n has all, (...).

    R. Jain, D. Chiu, W. Hawe, "A quantitative measure of fairness and discrimination for resource
    allocation", DEC-TR-301, 1984. 1 where nobody has anything.

    Args:
        amount: Of each home, at least 0, (..., N).
        among: Homes that count, (..., N) or (N,) bool.
    """
    counts = among.to(amount.dtype) + torch.zeros_like(amount)
    has = amount * counts
    squares = counts.sum(-1) * has.square().sum(-1)
    index = has.sum(-1).square() / squares.clamp(min=1e-30)
    return torch.where(squares > 0, index, torch.ones_like(squares))


def most_calls_a_week(calls: Tensor, among: Tensor) -> Tensor:
    """Calls of the home that was called most, (...).

    Args:
        calls: Of the last seven days, (..., N); see `calls_last_week`.
        among: Homes that count, (..., N) or (N,) bool.
    """
    return torch.where(among, calls, torch.zeros_like(calls)).amax(-1)
