"""Connections that several homes or vehicles share: depots, transformers, feeders.

A shared connection is the sum of what its members bring to it, so that a fleet that has only some
of them has a connection in proportion.
"""

from typing import NamedTuple

import torch
from torch import Tensor

# What one member brings to a connection that nobody shares: more than any device draws. [kW]
NO_LIMIT_KW = 1e6


class SharedConnection(NamedTuple):
    """What each home brings to the connection it shares, one column per home, (N,).

    A home that shares with nobody is a group of its own that no limit binds.
    """

    group: Tensor  # place in the fleet of the group's first member, (N,) int64
    limit_kw: Tensor  # to the most that the group draws, and to the most that it feeds in [kW]
    # To the power that may be guaranteed to cars: the limit less what the loads of 95 in 100
    # intervals take, below 0 where a member brings load alone [kW].
    sure_kw: Tensor
    chargers: Tensor  # to the number of chargers, such as 0.5 where two cars share one


def is_shared(shared: SharedConnection) -> Tensor:
    """Whether each home shares its connection, (N,) bool."""
    return shared.limit_kw < NO_LIMIT_KW


def of_group(values: Tensor, shared: SharedConnection) -> Tensor:
    """Sum of a quantity over each home's group, in float64, (..., N).

    Args:
        values: Of the homes, (..., N).
        shared: Constants, (N,) or (..., N).
    """
    group = shared.group.expand(values.shape)
    sums = torch.zeros_like(values, dtype=torch.float64)
    return sums.scatter_add(-1, group, values.double()).gather(-1, group)


def regrouped(group: Tensor) -> Tensor:
    """Name groups by the place of their first member, whatever named them before, int64.

    Args:
        group: Any names, the same for members of one group, (N,) or (B, N).
    """
    homes = group.shape[-1]
    # The first of a group is the first of equals in a stable order.
    order = group.argsort(dim=-1, stable=True)
    names = group.gather(-1, order)
    place = torch.arange(homes, device=group.device).expand(names.shape)
    start = at_start(place, names)
    return torch.empty_like(group).scatter(-1, order, order.gather(-1, start))


def at_start(rising: Tensor, group: Tensor) -> Tensor:
    """What rising numbers are at the first of each run of equal groups, (..., N).

    Args:
        rising: Not negative and never falling, (..., N).
        group: Group of each, equal ones side by side, (..., N).
    """
    starts = torch.ones_like(group, dtype=torch.bool)
    starts[..., 1:] = group[..., 1:] != group[..., :-1]
    # The latest start is the largest so far.
    return torch.where(starts, rising, torch.zeros_like(rising)).cummax(-1).values
