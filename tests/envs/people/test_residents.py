"""Owners as a part of the state: a row is the single environment with its seed."""

import torch

from vpp_envs.people.calendar import Calendar
from vpp_envs.people.programme import takes_part
from vpp_envs.people.residents import closed, commandable, first_residents, opened
from vpp_envs.people.sampling import sample_people
from vpp_envs.people.step import PeopleRows, nothing_felt

DT_H = 1.0 / 12.0
HOMES = 60


def rows(event):
    calendar = Calendar(*(torch.tensor([[v]]).double() for v in (12.0, 0, 0, 0, 0)))
    return PeopleRows(calendar, torch.tensor([[event]]).double(), torch.zeros(1, 1).double())


def live(seeds, episode=0, first_tick=40, steps=30, discomfort_k=3.0):
    """An event of steps; who took part in each step, (steps, B, N)."""
    home = torch.arange(HOMES)
    people = sample_people(2, home, torch.ones(HOMES, dtype=torch.bool))
    words = [torch.tensor([[word]] * len(seeds)) for word in (episode, first_tick)]
    like = torch.zeros(len(seeds), HOMES).double()
    residents = first_residents(
        like, people, rows(0.0), home, torch.tensor(seeds).unsqueeze(-1), *words
    )
    felt = nothing_felt(like)._replace(discomfort_k=like + discomfort_k)
    parts = []
    for _ in range(steps):
        residents = opened(residents, people, rows(1.0))
        parts.append(takes_part(residents.state))
        residents, _ = closed(residents, people, felt, DT_H)
    return torch.stack(parts), residents


def test_a_row_of_a_batch_is_the_single_environment_with_its_seed():
    batch, _ = live([5, 6, 7])
    alone, residents = live([6])
    assert torch.equal(batch[:, 1], alone[:, 0])
    assert not torch.equal(batch[:, 0], alone[:, 0])
    assert residents.tick.item() == 70


def test_every_episode_draws_anew():
    assert not torch.equal(live([5])[0], live([5], episode=1)[0])


def test_nobody_comes_back_into_an_event():
    parts, _ = live([5])
    assert bool((parts[1:] <= parts[:-1]).all())
    assert 0 < int(parts[-1].sum()) < int(parts[0].sum())


def test_while_an_event_runs_those_who_answer_it_may_be_commanded():
    parts, residents = live([5])
    people = sample_people(2, torch.arange(HOMES), torch.ones(HOMES, dtype=torch.bool))
    residents = opened(residents, people, rows(1.0))
    may = commandable(residents, people, rows(1.0))
    assert torch.equal(may[0], parts[-1, 0] & takes_part(residents.state)[0])
    residents = opened(residents, people, rows(0.0))
    assert torch.equal(commandable(residents, people, rows(0.0)), residents.state.enrolled)
