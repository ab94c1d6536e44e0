"""Machines that work through jobs: a dishwasher, a washer, a dryer, a pool pump.

A job is a measured cycle: what has been drawn by the start of each block of it. It waits in its
machine until it is started, and must be done by its deadline. Some machines go on to the end once
they run, others may pause from some point on. Whoever loads a machine that is still busy waits
until it is free: those jobs stand behind, and their time begins when they are loaded.

Time is counted in whole seconds, which float32 holds exactly for half a year, so that progress
and deadlines carry no rounding whatever the step.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class ApplianceParams(NamedTuple):
    """Constants of one machine a home, (N,); without one nothing is drawn and blocks last 1 s."""

    drawn_kwh: Tensor  # of a job by the start of each block and at the end, (N, K + 1) [kWh]
    block_s: Tensor  # length of a block, whole seconds [s]
    pausable_from_s: Tensor  # it may pause from this progress on; the whole length: never [s]


class Jobs(NamedTuple):
    """What waits in a machine or runs, (..., N); all numbers are floats."""

    loaded: Tensor  # 1: a job waits to be started, runs or pauses
    progress_s: Tensor  # of that job; 0: not started [s]
    left_s: Tensor  # until its deadline, negative once that is missed [s]
    feasible: Tensor  # 1: there was time enough when it came
    behind: Tensor  # jobs that wait until the machine is free
    behind_s: Tensor  # what each of these is given from then on [s]


class Advanced(NamedTuple):
    """What one step did, (..., N); all numbers are floats.

    Compiled code reads and writes truths one by one, and numbers as vectors.
    """

    jobs: Jobs
    started: Tensor  # 1: a job did
    finished: Tensor  # 1: a job did
    missed: Tensor  # 1: a deadline passed with the job undone
    late_s: Tensor  # how late the job that finished was [s]


def seconds(dt_h: float) -> float:
    """Length of a step in whole seconds.

    Args:
        dt_h: Length of the step. [h]
    """
    return float(round(dt_h * 3600.0))


def duration_s(machine: ApplianceParams) -> Tensor:
    """How long a job runs, (N,). [s]"""
    return machine.block_s * (machine.drawn_kwh.shape[-1] - 1)


def drawn_by_kwh(progress_s: Tensor, machine: ApplianceParams) -> Tensor:
    """Energy that a job has drawn at some progress, (..., N). [kWh]

    Within a block power is constant, so that sums over steps of any length are the job's energy.

    Args:
        progress_s: Of the job, at most its length, (..., N). [s]
        machine: Constants, (N,).
    """
    blocks = machine.drawn_kwh.shape[-1] - 1
    at = progress_s / machine.block_s
    cell = at.floor().clamp(0.0, blocks - 1.0)
    index = cell.to(torch.int64).unsqueeze(-1)
    table = machine.drawn_kwh.expand(list(at.shape) + [blocks + 1])
    before = table.gather(-1, index).squeeze(-1)
    after = table.gather(-1, index + 1).squeeze(-1)
    return before + (at - cell) * (after - before)


def work_kw(jobs: Jobs, machine: ApplianceParams, dt_h: float) -> Tensor:
    """Mean power over a step in which the machine works on its job, (..., N). [kW]

    Args:
        jobs: Of the machine.
        machine: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    end_s = torch.minimum(jobs.progress_s + seconds(dt_h), duration_s(machine))
    drawn_kwh = drawn_by_kwh(end_s, machine) - drawn_by_kwh(jobs.progress_s, machine)
    return jobs.loaded * drawn_kwh / dt_h


def slack_s(jobs: Jobs, machine: ApplianceParams) -> Tensor:
    """How long the job can still wait, (..., N). [s]

    Args:
        jobs: Of the machine.
        machine: Constants, (N,).
    """
    return jobs.left_s - (duration_s(machine) - jobs.progress_s)


def is_held(jobs: Jobs, machine: ApplianceParams) -> Tensor:
    """Whether the job runs and may not pause now, (..., N) bool."""
    runs = (jobs.loaded > 0) & (jobs.progress_s > 0)
    return runs & (jobs.progress_s < machine.pausable_from_s)


def arrived(jobs: Jobs, due_h: Tensor, machine: ApplianceParams) -> Jobs:
    """Take in the job that comes at the start of a step, if any.

    It is loaded if the machine is free. Else it waits behind, and with it those that wait already:
    the last to come says how long they are given once loaded.

    Args:
        jobs: Of the machine.
        due_h: Hours to its deadline, 0: none comes, (..., N). [h]
        machine: Constants, (N,).
    """
    comes = due_h > 0
    due_s = torch.round(due_h * 3600.0)
    free = comes & (jobs.loaded <= 0)
    waits = comes & (jobs.loaded > 0)
    return Jobs(
        torch.where(free, torch.ones_like(due_s), jobs.loaded),
        jobs.progress_s,
        torch.where(free, due_s, jobs.left_s),
        torch.where(free, (due_s >= duration_s(machine)).to(due_s.dtype), jobs.feasible),
        jobs.behind + waits.to(due_s.dtype),
        torch.where(waits, due_s, jobs.behind_s),
    )


def advance(jobs: Jobs, runs: Tensor, machine: ApplianceParams, dt_h: float) -> Advanced:
    """Let a step pass.

    Args:
        jobs: Of the machine, with what came at the start of the step.
        runs: 1: the machine works on its job, if it has one, (..., N).
        machine: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    dt_s = seconds(dt_h)
    whole_s = duration_s(machine)
    works = runs * jobs.loaded
    needed_s = whole_s - jobs.progress_s
    finished = works * (needed_s <= dt_s)
    spare_s = jobs.left_s - torch.where(finished > 0, needed_s, torch.full_like(needed_s, dt_s))
    missed = jobs.loaded * ((jobs.left_s >= 0) & (spare_s < 0))
    late_s = finished * (needed_s - jobs.left_s).clamp(min=0.0)
    # Whoever waits behind loads the machine as soon as it is free.
    follows = finished * (jobs.behind > 0)
    stays = jobs.loaded - finished
    after = Jobs(
        stays + follows,
        stays * (jobs.progress_s + works * dt_s),
        stays * (jobs.left_s - dt_s) + follows * jobs.behind_s,
        stays * jobs.feasible + follows * (jobs.behind_s >= whole_s),
        jobs.behind - follows,
        jobs.behind_s,
    )
    return Advanced(after, works * (jobs.progress_s <= 0), finished, missed, late_s)
