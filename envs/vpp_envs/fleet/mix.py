"""Fleets that might have been: every episode has other homes, in other shares of their kinds.

A policy that is trained on one fleet leans on how many of its homes have a long battery, a car or
sun, while the operator's fleet grows by whichever kind sells. Episodes of training draw homes from
the training fleet, each kind with a weight of its own. Windows, validation and test know the homes
as they are, all of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.fleet.connection import regrouped
from vpp_envs.fleet.fleet import Fleet, commanded
from vpp_envs.fleet.pick import map_columns
from vpp_envs.random import Purpose, normal, uniform


@dataclass(frozen=True)
class FleetMix:
    """How the fleet of an episode of training differs from all the homes to train with."""

    homes: int | None = None  # of an episode; none: all, in every episode
    spread: float = 1.0  # of the kinds' log weights, a standard deviation; 0: every home alike

    def __post_init__(self) -> None:
        """Refuse what nothing can be drawn by."""
        if self.homes is not None and self.homes < 1:
            raise InputError(f"scenario.fleet_mix.homes must be at least 1, got {self.homes}.")
        if not 0.0 <= self.spread <= 5.0:
            raise InputError(
                f"scenario.fleet_mix.spread must lie between 0 and 5, got {self.spread}."
            )
        if self.homes is None and self.spread != FleetMix.spread:
            raise InputError(
                "scenario.fleet_mix.spread is about the homes that an episode draws, and "
                "scenario.fleet_mix.homes draws none; name how many, or leave the spread out."
            )

    def __str__(self) -> str:
        """As a user reads it."""
        shares = ", in shares of their kinds that stray" if self.spread else ""
        return f"an episode of training has {self.homes} of them{shares}"


def draw_homes(
    fleet: Fleet,
    homes: int,
    spread: float,
    seeds: Tensor | int,
    episodes: Tensor | int,
    windows: Tensor | int = 0,
) -> Tensor:
    """Draw homes of a fleet without replacement, with weights by kind, one device at least.

    A kind is a class of battery, a class of car, and whether there is sun; its weight is lognormal.
    The largest ``log w + Gumbel`` are a draw with weights w (Efraimidis and Spirakis 2006,
    "Weighted random sampling with a reservoir", Information Processing Letters 97).

    Args:
        fleet: Constants, (N,).
        homes: To draw, at most N.
        spread: Standard deviation of the logarithm of each kind's weight.
        seeds: Of B draws, (B, 1) or one for all.
        episodes: Their episodes, likewise.
        windows: Their numbers within an episode, likewise.

    Returns:
        Places in the fleet, rising in each row, (B, homes), or (homes,) for one draw, int64.
    """
    words = (seeds, episodes)

    def weight(kind: Tensor, purpose: int) -> Tensor:
        kind = kind.cpu()
        kinds = torch.arange(int(kind.max()) + 1)
        return spread * normal(*words, kinds, windows, purpose)[..., kind]

    luck = uniform(*words, fleet.home_id.cpu(), windows, Purpose.MIX_HOME)
    key = -torch.log(-torch.log(luck))
    key = key + weight(fleet.cohort + 1, Purpose.MIX_BATTERY)
    key = key + weight((fleet.solar_kw > 0).to(torch.int64), Purpose.MIX_SOLAR)
    if fleet.ev is not None:
        key = key + weight(fleet.ev.cohort + 1, Purpose.MIX_EV)
    # Without any device there is nothing to learn, and no rating to share the money by.
    first = torch.where(commanded(fleet).cpu(), key, -torch.inf).argmax(-1, keepdim=True)
    key = key.scatter(-1, first, torch.inf)
    return key.topk(homes).indices.sort().values


def homes_at(fleet: Fleet, places: Tensor) -> Fleet:
    """The homes at some places of a fleet.

    Args:
        fleet: Constants, (N,).
        places: (...) int64, of one fleet, (N',), or of one for each row, (B, N').
    """
    where = places.to(fleet.home_id.device)
    chosen: Fleet = map_columns(fleet, lambda column: column[where])
    if chosen.shared is None:
        return chosen
    return chosen._replace(shared=chosen.shared._replace(group=regrouped(chosen.shared.group)))
