"""Limits on calls are kept whatever is asked, and each call is counted once."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.people.calendar import Calendar, calendar_table
from vpp_envs.people.programme import (
    Programme,
    advance,
    begin,
    calls_last_week,
    first_people,
    is_quiet,
    may_call,
    roll_over,
    takes_part,
)

DT_H = 1.0 / 12.0


def programme(**special: float) -> Programme:
    terms = {
        "events_a_day": 9.0,
        "events_a_week": 99.0,
        "events_a_season": 999.0,
        "event_h": 24.0,
        "quiet_from_h": 0.0,
        "quiet_to_h": 0.0,
        "notice_h": 0.0,
        "opt_out": 0.0,
        "returns": 1.0,
        **special,
    }
    return Programme(*(torch.tensor([value]).double() for value in terms.values()))


def at(day: int, hour: float = 12.0) -> Calendar:
    """Weeks and months of seven and thirty days from day 0, one season."""
    week, month = day - day % 7, day - day % 30
    return Calendar(*(torch.tensor([[v]]).double() for v in (hour, day, week, month, 0)))


def owners():
    like = torch.zeros(1, 1, dtype=torch.float64)
    return first_people(like, at(0), torch.tensor([True]))


NEVER = torch.zeros(1, 1, dtype=torch.bool)


def step(state, terms, event, calendar, draw=0.5, overrides=False, leaves=False, notice=0.0):
    one = torch.ones(1, 1).double()
    state = begin(state, terms, event * one, calendar, notice * one, draw * one)
    part = bool(takes_part(state))
    return advance(state, NEVER | overrides, NEVER, NEVER | leaves, DT_H), part


def event_day(state, terms, day, **how):
    """One event of a step at noon; whether the home took part."""
    state, part = step(state, terms, 1.0, at(day), **how)
    state, _ = step(state, terms, 0.0, at(day, 13.0))
    return state, part


def test_an_event_of_many_steps_is_one_call():
    state, terms = owners(), programme()
    for _ in range(24):
        state, part = step(state, terms, 1.0, at(0))
        assert part
    assert state.recent.today.item() == state.calls_week.item() == state.calls_season.item() == 1
    assert state.event_h.item() == pytest.approx(2.0)


def test_the_fourth_call_of_a_week_is_not_made_and_monday_begins_anew():
    state, terms, parts = owners(), programme(events_a_week=3.0), []
    for day in range(8):
        state, part = event_day(state, terms, day)
        parts.append(part)
    assert parts == [True] * 3 + [False] * 4 + [True]
    assert calls_last_week(state).item() == 3.0  # of days 1 to 7: 1, 2 and 7


def test_a_day_and_a_season_have_their_limits():
    state, terms = owners(), programme(events_a_day=1.0, events_a_season=2.0)
    seen = []
    for day in (0, 0, 1, 2):
        state, part = event_day(state, terms, day)
        seen.append(part)
    assert seen == [True, False, True, False]
    state = roll_over(state, Calendar(*(torch.tensor([[v]]).double() for v in (0, 90, 84, 90, 90))))
    assert state.calls_season.item() == 0.0


def test_calls_are_remembered_for_seven_days_however_many_days_were_skipped():
    state, _ = event_day(owners(), programme(), 0)
    assert [calls_last_week(roll_over(state, at(d))).item() for d in (0, 3, 6, 7, 50)] == [
        1.0,
        1.0,
        1.0,
        0.0,
        0.0,
    ]


def test_quiet_hours_cross_midnight():
    night = programme(quiet_from_h=22.0, quiet_to_h=7.0)
    hours = torch.tensor([[21.9], [22.0], [3.0], [6.9], [7.0]]).double()
    assert is_quiet(hours, night).flatten().tolist() == [False, True, True, True, False]
    siesta = programme(quiet_from_h=13.0, quiet_to_h=15.0)
    assert is_quiet(torch.tensor([[12.0], [14.0]]).double(), siesta).flatten().tolist() == [
        False,
        True,
    ]
    assert not is_quiet(hours, programme()).any()


def test_an_event_ends_with_the_quiet_hours_and_calls_nobody_late():
    terms = programme(quiet_from_h=13.0, quiet_to_h=15.0)
    state, before = step(owners(), terms, 1.0, at(0, 12.9))
    state, during = step(state, terms, 1.0, at(0, 13.0))
    _, after = step(state, terms, 1.0, at(0, 15.0))
    assert (before, during, after) == (True, False, False)


def test_nobody_is_kept_longer_than_agreed():
    state, terms, parts = owners(), programme(event_h=0.5), []
    for _ in range(10):
        state, part = step(state, terms, 1.0, at(0))
        parts.append(part)
    assert parts == [True] * 6 + [False] * 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_three_hours_are_thirty_six_steps_in_either_precision(dtype):
    terms = Programme(*(term.to(dtype) for term in programme(event_h=3.0)))
    calendar = Calendar(*(column.to(dtype) for column in at(0)))
    state = first_people(torch.zeros(1, 1, dtype=dtype), calendar, torch.tensor([True]))
    none, parts = torch.zeros(1, 1, dtype=dtype), 0
    for _ in range(40):
        state = begin(state, terms, none + 1.0, calendar, none, none)
        parts += int(takes_part(state))
        state = advance(state, NEVER, NEVER, NEVER, DT_H)
    assert parts == 36


def test_too_little_notice_calls_nobody():
    terms = programme(notice_h=2.0)
    assert not step(owners(), terms, 1.0, at(0), notice=1.9)[1]
    assert step(owners(), terms, 1.0, at(0), notice=2.0)[1]


def test_one_who_stays_out_does_so_for_the_event_and_is_called_all_the_same():
    terms = programme(opt_out=0.02)
    state, part = step(owners(), terms, 1.0, at(0), draw=0.985)  # joins below 0.98
    assert not part
    state, part = step(state, terms, 1.0, at(0), draw=0.0)
    assert not part
    assert state.recent.today.item() == 1.0
    state, _ = step(state, terms, 0.0, at(0))
    assert step(state, terms, 1.0, at(1), draw=0.5)[1]


def test_one_who_overrode_is_out_for_the_event_and_comes_back_with_the_given_probability():
    terms = programme(returns=0.9)
    state, part = step(owners(), terms, 1.0, at(0), overrides=True)
    assert part  # in the step in which it overrides it still took part
    assert state.overrides_month.item() == 1.0
    state, part = step(state, terms, 1.0, at(0), overrides=True)
    assert not part
    assert state.overrides_month.item() == 1.0  # once
    state, _ = step(state, terms, 0.0, at(0))
    assert step(state, terms, 1.0, at(1), draw=0.89)[1]
    assert not step(state, terms, 1.0, at(1), draw=0.91)[1]
    assert roll_over(state, at(30)).overrides_month.item() == 0.0


def test_one_who_left_is_called_no_more():
    state, _ = step(owners(), programme(), 1.0, at(0), leaves=True)
    assert not takes_part(state)
    assert not event_day(state, programme(), 1)[1]


def test_the_operator_may_call_homes_in_turn():
    like = torch.zeros(1, 3).double()
    state = first_people(like, at(0), torch.ones(3, dtype=torch.bool))
    none = torch.zeros(1, 1).double()
    called = torch.tensor([[1.0, 0.0, 1.0]]).double()
    state = begin(state, programme(), called, at(0), none, like)
    assert takes_part(state).tolist() == [[True, False, True]]


@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 5), st.integers(3, 12))
def test_no_limit_is_ever_exceeded_whatever_is_asked(seed, day_cap, week_cap, season_cap):
    rng = np.random.default_rng(seed)
    terms = programme(
        events_a_day=day_cap, events_a_week=week_cap, events_a_season=season_cap, event_h=2.0
    )
    homes = 4
    state = first_people(torch.zeros(1, homes).double(), at(0), torch.ones(homes, dtype=torch.bool))
    counts = np.zeros((40, homes))
    none = torch.zeros(1, 1).double()
    for tick in range(40 * 6):
        calendar = at(tick // 6, 4.0 * (tick % 6))
        event = torch.from_numpy(rng.integers(0, 2, (1, homes)).astype(float))
        before = state.calls_season
        state = begin(state, terms, event, calendar, none, torch.rand(1, homes).double())
        counts[tick // 6] += (state.calls_season - before).numpy()[0]
        state = advance(state, NEVER, NEVER, NEVER, 4.0)
    assert counts.max() <= day_cap
    weeks = [counts[day : day + 7].sum(0).max() for day in range(0, 40, 7)]
    assert max(weeks) <= week_cap
    assert counts.sum(0).max() <= season_cap
    np.testing.assert_array_equal(calls_last_week(state).numpy()[0], counts[-7:].sum(0))


def test_it_scripts_and_compiles_as_it_runs():
    calendar = Calendar(
        *(column[:1] for column in calendar_table("UTC", np.datetime64("2024-06-03T12:00"), 2))
    )
    terms = Programme(*(term.float() for term in programme(opt_out=0.3)))
    state = first_people(torch.zeros(2, 5), calendar, torch.ones(5, dtype=torch.bool))
    one = torch.ones(2, 1)
    draws = torch.rand(2, 5)
    eager = begin(state, terms, one, calendar, 0 * one, draws)
    scripted = torch.jit.script(begin)(state, terms, one, calendar, 0 * one, draws)
    compiled = torch.compile(begin, fullgraph=True, backend="eager")(
        state, terms, one, calendar, 0 * one, draws
    )
    for other in (scripted, compiled):
        assert torch.equal(takes_part(eager), takes_part(other))
        assert torch.equal(eager.recent.today, other.recent.today)
    assert torch.jit.script(may_call)(state, terms, one, one).all()
