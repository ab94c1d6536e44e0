"""Programmes of events as data: how often, how long and when a home may be called, and who was.

A call is an event that begins for a home. Homes whose limits are reached, that sleep, or that got
too little notice are not called for that event; homes that are called may stay out of it (opt
out), or leave it while it runs (override). All of it is counted by the customers' own calendar.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.people.calendar import Calendar


class Programme(NamedTuple):
    """What the owners agreed to, one column per home, (N,)."""

    events_a_day: Tensor  # most calls a local day
    events_a_week: Tensor  # most calls from Monday to Sunday
    events_a_season: Tensor  # most calls a season
    event_h: Tensor  # longest event [h]
    quiet_from_h: Tensor  # local hour from which the home is left alone [0 to 24]
    quiet_to_h: Tensor  # local hour until which; the same hour: no quiet hours [0 to 24]
    notice_h: Tensor  # least notice before an event [h]
    opt_out: Tensor  # probability that the owner stays out of an event [0 to 1]
    returns: Tensor  # probability that one who overrode the last event joins the next [0 to 1]


class RecentCalls(NamedTuple):
    """Calls of the last seven local days, (..., N)."""

    today: Tensor
    day_1: Tensor  # yesterday
    day_2: Tensor
    day_3: Tensor
    day_4: Tensor
    day_5: Tensor
    day_6: Tensor


class PeopleState(NamedTuple):
    """What is remembered of the owners, (..., N)."""

    enrolled: Tensor  # in the programme, bool
    signal: Tensor  # an event was asked for at the last look, bool
    called: Tensor  # in the event that runs, whether or not its owner joins, bool
    opted_out: Tensor  # of the event that runs, bool
    overridden: Tensor  # left the event that runs, or the last one while it ran, bool
    event_h: Tensor  # length so far of the event that runs [h]
    day: Tensor  # local day of the last look, since 1970 [d]
    calls_week: Tensor  # since Monday
    calls_season: Tensor  # since the season began
    overrides_month: Tensor  # since the first of the month
    complaints: Tensor  # since the state began
    recent: RecentCalls


def first_people(like: Tensor, calendar: Calendar, enrolled: Tensor) -> PeopleState:
    """Owners whom nobody has called yet.

    Args:
        like: Any state of the homes, (..., N), for shape and precision.
        calendar: At the first tick, (..., 1).
        enrolled: Homes in the programme, (N,) bool.
    """
    no = torch.zeros_like(like, dtype=torch.bool)
    none = torch.zeros_like(like)
    return PeopleState(
        no | enrolled,
        no,
        no,
        no,
        no,
        none,
        none + calendar.day,
        none,
        none,
        none,
        none,
        RecentCalls(none, none, none, none, none, none, none),
    )


def is_quiet(hour: Tensor, programme: Programme) -> Tensor:
    """Whether homes are to be left alone at a local hour, across midnight too, (..., N) bool.

    Args:
        hour: Local hour, (..., 1) or (..., N). [0 to 24]
        programme: What was agreed, (N,).
    """
    begun = hour >= programme.quiet_from_h
    lasts = hour < programme.quiet_to_h
    over_midnight = programme.quiet_from_h > programme.quiet_to_h
    return (begun & lasts) | (over_midnight & (begun | lasts))


def may_call(state: PeopleState, programme: Programme, hour: Tensor, notice_h: Tensor) -> Tensor:
    """Whether an event may begin for a home now, (..., N) bool.

    Args:
        state: Of the owners on this day, after `roll_over`, (..., N).
        programme: What was agreed, (N,).
        hour: Local hour, (..., 1). [0 to 24]
        notice_h: How long ago this event was announced, (..., 1). [h]
    """
    return (
        state.enrolled
        & ~state.called
        & (state.recent.today < programme.events_a_day)
        & (state.calls_week < programme.events_a_week)
        & (state.calls_season < programme.events_a_season)
        & (notice_h >= programme.notice_h)
        & ~is_quiet(hour, programme)
    )


def takes_part(state: PeopleState) -> Tensor:
    """Homes that answer the event that runs, (..., N) bool."""
    return state.enrolled & state.called & ~state.opted_out & ~state.overridden


def may_command(state: PeopleState, programme: Programme, hour: Tensor) -> Tensor:
    """Homes whose devices the operator may command in this step, (..., N) bool.

    While an event is asked for, those that answer it: whoever was not called for it, stays out of
    it or has left it is left alone until it ends. Between events all of the programme. In its
    quiet hours no home.

    Args:
        state: After `begin`, (..., N).
        programme: What was agreed, (N,).
        hour: Local hour, (..., 1). [0 to 24]
    """
    answers = takes_part(state) | ~state.signal
    return state.enrolled & answers & ~is_quiet(hour, programme)


def starts_now(state: PeopleState) -> Tensor:
    """Homes for which an event begins with this step, (..., N) bool.

    Args:
        state: After `begin`, (..., N).
    """
    return state.called & (state.event_h <= 0)


def completed(before: PeopleState, state: PeopleState) -> Tensor:
    """Homes that took part in an event to its end, which was that of the last step, (..., N) bool.

    Args:
        before: At the end of the last step, (..., N).
        state: After `begin` of this one.
    """
    return takes_part(before) & (~state.called | starts_now(state))


def calls_last_week(state: PeopleState) -> Tensor:
    """Calls of the last seven local days, today among them, (..., N)."""
    r = state.recent
    return r.today + r.day_1 + r.day_2 + r.day_3 + r.day_4 + r.day_5 + r.day_6


def roll_over(state: PeopleState, calendar: Calendar) -> PeopleState:
    """Turn the leaf of the calendar: what is counted by day, week, month and season starts anew.

    Args:
        state: At the last look, (..., N).
        calendar: Now, (..., 1).
    """
    none = torch.zeros_like(state.day)

    return PeopleState(
        state.enrolled,
        state.signal,
        state.called,
        state.opted_out,
        state.overridden,
        state.event_h,
        none + calendar.day,
        torch.where(state.day < calendar.week_began, none, state.calls_week),
        torch.where(state.day < calendar.season_began, none, state.calls_season),
        torch.where(state.day < calendar.month_began, none, state.overrides_month),
        state.complaints,
        _shifted(state.recent, calendar.day - state.day),
    )


def begin(
    state: PeopleState,
    programme: Programme,
    event: Tensor,
    calendar: Calendar,
    notice_h: Tensor,
    opt_out_draw: Tensor,
) -> PeopleState:
    """Begin a step: call homes, let owners stay out, release those whose event is over.

    Who is called is decided when the event begins: a limit that is lifted later (midnight, the
    end of quiet hours) calls nobody into an event that runs. It ends for a home with the signal,
    with the longest event that was agreed, or with its quiet hours.

    Args:
        state: At the end of the last step, (..., N).
        programme: What was agreed, (N,).
        event: Above 0 while an event is asked for: of all homes, (..., 1), or of each, (..., N),
            where the operator rotates among them.
        calendar: Now, (..., 1).
        notice_h: How long ago this event was announced, (..., 1). [h]
        opt_out_draw: Uniform draws, (..., N). [0 to 1)
    """
    state = roll_over(state, calendar)
    asked = (event > 0) & torch.ones_like(state.called)
    starts = asked & ~state.signal & may_call(state, programme, calendar.hour, notice_h)
    # Two seconds less, because sums of steps are not exact: float32 misses 0.02 s in three hours.
    lasts = state.event_h < programme.event_h - 5e-4
    goes_on = state.called & asked & lasts & ~is_quiet(calendar.hour, programme)
    joins = (1.0 - programme.opt_out) * torch.where(
        state.overridden, programme.returns, torch.ones_like(state.day)
    )
    more = starts.to(state.day.dtype)
    r = state.recent
    return PeopleState(
        state.enrolled,
        asked,
        starts | goes_on,
        (starts & (opt_out_draw >= joins)) | (goes_on & state.opted_out),
        state.overridden & ~starts,
        torch.where(goes_on, state.event_h, torch.zeros_like(state.event_h)),
        state.day,
        state.calls_week + more,
        state.calls_season + more,
        state.overrides_month,
        state.complaints,
        RecentCalls(r.today + more, r.day_1, r.day_2, r.day_3, r.day_4, r.day_5, r.day_6),
    )


def advance(
    state: PeopleState, overrides: Tensor, complains: Tensor, leaves: Tensor, dt_h: float
) -> PeopleState:
    """End a step: book overrides, complaints and those who leave the programme.

    Args:
        state: After `begin`, (..., N).
        overrides: Owners who would leave the event in this step, (..., N) bool; it counts for
            those who take part in one.
        complains: Owners who complain in this step, (..., N) bool.
        leaves: Owners who leave the programme, (..., N) bool.
        dt_h: Length of the step. [h]
    """
    now = overrides & takes_part(state)
    dtype = state.day.dtype
    return PeopleState(
        state.enrolled & ~leaves,
        state.signal,
        state.called & ~leaves,
        state.opted_out,
        state.overridden | now,
        state.event_h + dt_h * state.called.to(dtype),
        state.day,
        state.calls_week,
        state.calls_season,
        state.overrides_month + now.to(dtype),
        state.complaints + complains.to(dtype),
        state.recent,
    )


def _shifted(recent: RecentCalls, days: Tensor) -> RecentCalls:
    """Calls by day, some days later."""
    r = recent
    counts = torch.stack([r.today, r.day_1, r.day_2, r.day_3, r.day_4, r.day_5, r.day_6])
    back = torch.arange(7, device=counts.device).view([7] + [1] * (counts.dim() - 1))
    source = back - (days + torch.zeros_like(r.today)).to(torch.int64)
    moved = counts.gather(0, source.clamp(0, 6))
    known = (source >= 0) & (source <= 6)
    kept = torch.where(known, moved, torch.zeros_like(moved))
    return RecentCalls(kept[0], kept[1], kept[2], kept[3], kept[4], kept[5], kept[6])
