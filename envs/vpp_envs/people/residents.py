"""The owners as a part of the homes' state: it carries the words that their draws are keyed by.

So a step of the people needs nothing but the state, the constants and the rows of its tick, and row
i of a batch is the single environment with that seed, whoever steps it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.people.hazard import draw_people
from vpp_envs.people.programme import PeopleState, first_people, may_command
from vpp_envs.people.step import (
    Felt,
    PeopleFleet,
    PeopleRows,
    Reaction,
    close_step,
    open_step,
)


class Residents(NamedTuple):
    """The owners of homes, and the words of their next draws."""

    state: PeopleState  # (..., N)
    home: Tensor  # ids, (..., N) int64
    seed: Tensor  # of the scenario, (..., 1) int64
    episode: Tensor  # (..., 1) int64
    tick: Tensor  # since the tables' start, (..., 1) int64


def first_residents(
    like: Tensor,
    people: PeopleFleet,
    rows: PeopleRows,
    home: Tensor,
    seed: Tensor,
    episode: Tensor,
    tick: Tensor,
) -> Residents:
    """Owners at the start of episodes.

    Args:
        like: Any state of the homes, (..., N), for shape and precision.
        people: Constants, (N,).
        rows: Of the first tick, (..., 1).
        home: Ids of the homes, (N,) or (..., N) int64.
        seed: Of the scenarios, (..., 1) int64.
        episode: Numbers of their episodes, (..., 1) int64.
        tick: The first, (..., 1) int64.
    """
    ids = home + torch.zeros_like(like, dtype=torch.int64)
    state = first_people(like, rows.calendar, people.enrolled)
    return Residents(state, ids, seed, episode, tick)


def opened(residents: Residents, people: PeopleFleet, rows: PeopleRows) -> Residents:
    """Begin the step of a tick: call homes, and let owners stay out.

    Args:
        residents: At the end of the last step.
        people: Constants, (N,).
        rows: Of this tick, (..., 1).
    """
    r = residents
    state = open_step(r.state, people, rows, draw_people(r.seed, r.episode, r.home, r.tick))
    return Residents(state, r.home, r.seed, r.episode, r.tick)


def commandable(residents: Residents, people: PeopleFleet, rows: PeopleRows) -> Tensor:
    """Homes whose owners let the operator command them in this step, (..., N) bool.

    Args:
        residents: After `opened`.
        people: Constants, (N,).
        rows: Of this tick, (..., 1).
    """
    return may_command(residents.state, people.programme, rows.calendar.hour)


def closed(
    residents: Residents, people: PeopleFleet, felt: Felt, dt_h: float
) -> tuple[Residents, Reaction]:
    """End the step: owners react to what they felt, and the next draws are another tick's.

    Args:
        residents: After `opened`.
        people: Constants, (N,).
        felt: In this step, (..., N).
        dt_h: Length of the step. [h]
    """
    r = residents
    draws = draw_people(r.seed, r.episode, r.home, r.tick)
    state, reaction = close_step(r.state, people, felt, draws, dt_h)
    return Residents(state, r.home, r.seed, r.episode, r.tick + 1), reaction
