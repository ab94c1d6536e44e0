"""Machines with jobs in the chain: a deadline is promised, and the hour is free until it presses.

A job that waits may start now, or later as long as it can still be done in time: the machine draws
the power of its next block or nothing. From the latest start on it must run, and so it must where
it may not pause. Left alone every job starts at once, which is what people do.

A job that comes with less time than it takes starts at once and is late: `late` counts it, and no
promise was broken.
"""

import torch
from torch import Tensor

from vpp_envs.devices.appliance import (
    ApplianceParams,
    Jobs,
    advance,
    arrived,
    drawn_by_kwh,
    is_held,
    seconds,
    slack_s,
    work_kw,
)
from vpp_envs.fleet.pick import beside, column_of_each, first_of, second_of
from vpp_envs.flexible.appliance_parts import (
    ApplianceFleet,
    ApplianceMoment,
    ApplianceOutcome,
    ApplianceState,
    ApplianceTables,
)
from vpp_envs.flexible.flex import Flex, Served, into_flex, read_curve, unless_out


def moment_of(
    state: ApplianceState, rows: ApplianceTables, fleet: ApplianceFleet, dt_h: float
) -> ApplianceMoment:
    """Load the jobs that come at the start of the step; see `vpp_envs.flexible.kinds`.

    A row stands for one step: within a tick of several steps it goes to the first of them.
    """
    exists = fleet.rated_kw > 0
    due_h = column_of_each(rows.due_h, fleet.archetype)
    due_h = torch.where(exists, due_h, torch.zeros_like(due_h))
    jobs = arrived(beside(*state), due_h, fleet.params)
    block_kw = work_kw(jobs, fleet.params, dt_h)
    return ApplianceMoment(jobs, block_kw, (due_h > 0).to(due_h.dtype), rows.curve)


def flex(moment: ApplianceMoment, fleet: ApplianceFleet, dt_h: float) -> Flex:
    """What the machines tell dispatch; see `vpp_envs.flexible.flex`.

    Fill counts the hours of slack, on the scale of the class's value curve: that of
    `dispatch.flexible_value.waiting_value`, or, for machines that may pause at any time, that of
    `dispatch.pausing_value`.

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    jobs, block_kw = moment.jobs, moment.block_kw[0]
    held, loaded = is_held(jobs, fleet.params)[0], jobs.loaded[0] > 0
    slack = slack_s(jobs, fleet.params)[0]
    must = (held | (slack < seconds(dt_h))) & loaded
    low_kw = torch.where(must, block_kw, torch.zeros_like(block_kw))
    fill = slack / (3600.0 * fleet.full_slack_h)
    # Who may pause at any time counts the share of the time left in which it need not run.
    rest = slack / jobs.left_s[0].clamp(min=1.0)
    fill = torch.where(fleet.params.pausable_from_s > 0, fill, rest).clamp(0.0, 1.0)
    fill = torch.where(held, torch.zeros_like(fill), fill)
    fill = torch.where(loaded, fill, torch.ones_like(fill))
    return Flex(
        fleet.cohort,
        fleet.rated_kw,
        torch.where(fleet.cohort >= 0, low_kw, block_kw),
        block_kw,
        block_kw,
        block_kw,
        fill,
        read_curve(moment.curve, fill, fleet.cohort),
        moment.curve,
    )


def step(
    asked_kw: Tensor,
    around: Flex,
    moment: ApplianceMoment,
    fleet: ApplianceFleet,
    dt_h: float,
    out: Tensor | None = None,
) -> ApplianceOutcome:
    """Advance the machines by one step.

    Args:
        asked_kw: Power asked, above half of the next block's it runs, NaN = it starts at once,
            (..., N). [kW]
        around: The machines at this moment, narrowed by the home's connection.
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        out: 1 where the grid is away: no job goes on, those of twins neither, (..., N).
    """
    jobs, machine = first_of(moment.jobs), fleet.params
    block_kw, twin_kw = moment.block_kw[0], moment.block_kw[1]
    asked_on = into_flex(asked_kw, around) * 2.0 > block_kw
    # A block without power costs nothing and passes.
    runs = jobs.loaded * (asked_on | (block_kw <= 0))
    works = torch.stack((runs, moment.jobs.loaded[1]))
    if out is not None:
        works = works * (out <= 0)
        runs, twin_kw = works[0], unless_out(twin_kw, out)
    power_kw = runs * block_kw
    both = advance(moment.jobs, works, machine, dt_h)
    if out is not None:
        both = both._replace(jobs=_excused(both.jobs, machine, out))
    done, twin = first_of(both), second_of(both.jobs)
    interrupted = is_held(jobs, machine) & (runs <= 0)
    waits = jobs.loaded * (1.0 - runs) + jobs.behind
    none = torch.zeros_like(power_kw)
    broken = (done.missed * jobs.feasible > 0) | interrupted
    return ApplianceOutcome(
        ApplianceState(done.jobs, twin),
        Served(power_kw, twin_kw, none, none, broken),
        moment.comes,
        done.started,
        done.finished,
        done.missed,
        waits * dt_h,
        interrupted.to(none.dtype),
    )


def _excused(jobs: Jobs, machine: ApplianceParams, out: Tensor) -> Jobs:
    """Jobs that an outage leaves too little time are late for nobody's fault."""
    too_late = (out > 0) & (slack_s(jobs, machine) < 0)
    return jobs._replace(feasible=torch.where(too_late, 0.0 * jobs.feasible, jobs.feasible))


def stored_kwh(moment: ApplianceMoment, fleet: ApplianceFleet) -> Tensor:
    """What the jobs that are under way have drawn, (..., N). [kWh]

    Args:
        moment: State and signals.
        fleet: Constants, (N,).
    """
    return drawn_by_kwh(moment.jobs.progress_s[0], fleet.params)


def first_state(
    share: Tensor, rows: ApplianceTables, fleet: ApplianceFleet, dt_h: float
) -> ApplianceState:
    """Machines at the start of an episode: empty.

    Args:
        share: Not used, but for its shape, (..., N). [0 to 1]
        rows: Of the first tick, (B, K).
        fleet: Constants, (N,).
        dt_h: Length of a step. [h]
    """
    zero = torch.zeros_like(share + fleet.rated_kw)
    empty = Jobs(zero, zero, zero, zero, zero, zero)
    return ApplianceState(empty, empty)
