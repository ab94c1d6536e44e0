"""A step of the people as a whole: called, felt, answered."""

import numpy as np
import pytest
import torch

from vpp_envs.people.calendar import Calendar, calendar_table
from vpp_envs.people.events import event_table
from vpp_envs.people.hazard import draw_people
from vpp_envs.people.programme import completed, first_people, may_command, takes_part
from vpp_envs.people.sampling import sample_people
from vpp_envs.people.step import PeopleRows, close_step, nothing_felt, open_step

DT_H = 1.0 / 12.0
HOMES = 2000


def at(table, tick):
    return Calendar(*(column[tick : tick + 1] for column in table))


def play(days=3, discomfort_k=0.0, seed=4, dtype=torch.float64):
    """Events of four hours on some days; what was counted by home, and the last state."""
    table = calendar_table("UTC", np.datetime64("2024-07-01T12"), days * 288)
    event = event_table(table, table.day.unique(), 15.0, 4.0)
    people = sample_people(seed, torch.arange(HOMES), torch.ones(HOMES, dtype=torch.bool))
    people = people._replace(programme=people.programme._replace(event_h=torch.full((1,), 4.0)))
    like = torch.zeros(1, HOMES, dtype=dtype)
    state = first_people(like, at(table, 0), people.enrolled)
    felt = nothing_felt(like)._replace(discomfort_k=like + discomfort_k)
    sums = {}
    words = [torch.tensor([[word]]) for word in (seed, 0)]
    ran = table.hour.flatten() >= 14.5
    for tick in ((table.hour.flatten() < 19.5) & ran).nonzero().flatten().tolist():
        rows = PeopleRows(at(table, tick), event[tick : tick + 1], torch.zeros(1, 1))
        draws = draw_people(*words, torch.arange(HOMES), torch.tensor([[tick]]))
        before, state = state, open_step(state, people, rows, draws)
        sums["completed"] = sums.get("completed", 0) + completed(before, state).double()
        sums["commanded"] = (
            sums.get("commanded", 0)
            + may_command(state, people.programme, rows.calendar.hour).double()
        )
        state, reaction = close_step(state, people, felt, draws, DT_H)
        for name, value in reaction._asdict().items():
            sums[name] = sums.get(name, 0) + value.double()
    return sums, state


def test_every_call_ends_one_of_three_ways():
    sums, _ = play(discomfort_k=2.2)
    stays = sums["left"] == 0  # who leaves the programme in an event ends a fourth way
    ends = sums["completed"] + sums["opted_out"] + sums["overrode"]
    assert torch.equal(ends[stays], sums["called"][stays])
    assert sums["called"][stays].mean().item() == pytest.approx(3.0)


def test_comfortable_owners_stay_and_hot_ones_override():
    cool, _ = play(days=1)
    hot, _ = play(days=1, discomfort_k=2.2)
    assert cool["opted_out"].mean().item() == pytest.approx(0.02, abs=0.01)
    joined = (hot["called"] - hot["opted_out"]).sum()
    share = (hot["overrode"].sum() / joined).item()
    # 35.9 % by quadrature at no calls before; this call counts as one of the week: e^0.1 more,
    # 38.4 %. Four standard errors of 2,000 homes are 4.3 points.
    assert share == pytest.approx(0.384, abs=0.043)
    assert cool["overrode"].mean().item() < 0.15


def test_whoever_is_out_of_an_event_is_left_alone_while_it_runs():
    sums, state = play(days=1)
    whole = sums["commanded"].max()
    assert whole.item() == 60.0  # steps from 14:30 to 19:30
    out = (sums["opted_out"] > 0) & (sums["left"] == 0)
    assert torch.equal(sums["commanded"][out], (whole - 48.0).expand(int(out.sum())))
    assert not takes_part(state).any()


def test_the_same_seed_is_the_same_people():
    one, two, other = (
        play(days=1, discomfort_k=2.0),
        play(days=1, discomfort_k=2.0),
        play(1, 2.0, 9),
    )
    assert torch.equal(one[0]["overrode"], two[0]["overrode"])
    assert not torch.equal(one[0]["overrode"], other[0]["overrode"])


def test_complaints_add_up_until_somebody_leaves():
    like = torch.zeros(1, 2).double()
    people = sample_people(0, torch.arange(2), torch.ones(2, dtype=torch.bool))
    people = people._replace(most_complaints=torch.tensor([2.0, 80.0]).double())
    calendar = Calendar(*(torch.zeros(1, 1).double() for _ in range(5)))
    state = first_people(like, calendar, people.enrolled)
    felt = nothing_felt(like)._replace(outlet_c=like + 35.0, shower_l=like + 20.0)
    draws = draw_people(*[torch.tensor([[9]])] * 2, torch.arange(2), torch.tensor([[0]]))
    draws = draws._replace(leave=torch.ones(1, 2).double())
    enrolled = []
    for _ in range(3):
        state, reaction = close_step(state, people, felt, draws, DT_H)
        assert reaction.complained.all()
        enrolled.append(state.enrolled[0].tolist())
    assert enrolled == [[True, True], [False, True], [False, True]]
    assert state.complaints[0].tolist() == [3.0, 3.0]


@pytest.mark.slow
def test_a_compiled_step_equals_eager():
    people = sample_people(0, torch.arange(8), torch.ones(8, dtype=torch.bool), dtype=torch.float32)
    calendar = Calendar(*(torch.full((4, 1), v) for v in (12.0, 1000.0, 998.0, 990.0, 900.0)))
    state = first_people(torch.zeros(4, 8), calendar, people.enrolled)
    rows = PeopleRows(calendar, torch.ones(4, 1), torch.zeros(4, 1))
    seed = torch.arange(4).unsqueeze(-1)

    def step(state, rows, seed, tick):
        draws = draw_people(seed, 0 * seed, torch.arange(8), tick)
        state = open_step(state, people, rows, draws)
        felt = nothing_felt(state.day)
        return close_step(state, people, felt, draws, DT_H)

    fused = torch.compile(step, fullgraph=True, dynamic=False)
    words = state, rows, seed, torch.full((4, 1), 7)
    (eager, reaction), (compiled, again) = step(*words), fused(*words)
    assert all(torch.equal(a, b) for a, b in zip(eager[:-1], compiled[:-1], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(reaction, again, strict=True))
