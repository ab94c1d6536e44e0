"""Physics of machines with jobs, on cycles that one can check by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.appliance import (
    ApplianceParams,
    Jobs,
    advance,
    arrived,
    drawn_by_kwh,
    duration_s,
    is_held,
    slack_s,
    work_kw,
)
from vpp_envs.flexible.appliance_parts import APPLIANCES


def column(value, dtype=torch.float64):
    return torch.tensor([value], dtype=dtype)


def machine(drawn_kwh, block_s=300.0, pausable_from_s=1e9, dtype=torch.float64):
    drawn = torch.tensor([drawn_kwh], dtype=dtype)
    return ApplianceParams(drawn, column(block_s, dtype), column(pausable_from_s, dtype))


def jobs(loaded=1.0, progress=0.0, left=3600.0, feasible=1.0, behind=0.0, behind_s=0.0):
    return Jobs(*(column(v) for v in (loaded, progress, left, feasible, behind, behind_s)))


TWO_BLOCKS = machine([0.0, 0.1, 0.4])  # 1.2 kW and 3.6 kW for five minutes each


def test_energy_by_progress_lies_on_straight_lines_between_blocks():
    at = [drawn_by_kwh(column(s), TWO_BLOCKS).item() for s in (0, 150, 300, 400, 600)]
    assert at == pytest.approx([0.0, 0.05, 0.1, 0.2, 0.4], abs=1e-15)


def test_a_step_beyond_the_end_draws_what_is_left_over_all_of_it():
    """Half a block of 3.6 kW in a quarter of an hour: 0.15 kWh / 0.25 h."""
    assert work_kw(jobs(progress=450.0), TWO_BLOCKS, 0.25).item() == pytest.approx(0.6)


def test_slack_is_the_time_to_the_deadline_without_what_the_job_still_takes():
    assert slack_s(jobs(progress=120.0, left=1000.0), TWO_BLOCKS).item() == 520.0


def test_a_job_ends_within_its_last_step_and_the_machine_is_free():
    done = advance(jobs(progress=300.0, left=900.0), column(1.0), TWO_BLOCKS, 0.25)
    assert done.finished.item()
    assert not done.missed.item()
    assert done.jobs.loaded.item() == done.jobs.progress_s.item() == 0.0


@pytest.mark.parametrize(
    ("left", "runs", "missed", "late_s"),
    [(300.0, True, False, 0.0), (299.0, True, True, 1.0), (900.0, False, False, 0.0)],
)
def test_a_deadline_is_missed_by_a_second_and_counted_once(left, runs, missed, late_s):
    done = advance(jobs(progress=300.0, left=left), column(float(runs)), TWO_BLOCKS, 0.25)
    assert done.missed.item() == missed
    assert done.late_s.item() == late_s


def test_a_deadline_that_was_missed_is_not_missed_again():
    late = jobs(progress=0.0, left=100.0)
    idle = column(0.0)
    first = advance(late, idle, TWO_BLOCKS, 1 / 12)
    again = advance(first.jobs, idle, TWO_BLOCKS, 1 / 12)
    assert (first.missed.item(), again.missed.item()) == (True, False)


def test_jobs_that_come_to_a_busy_machine_stand_behind_it():
    busy = arrived(jobs(progress=300.0), column(3.0), TWO_BLOCKS)
    assert (busy.behind.item(), busy.behind_s.item()) == (1.0, 10800.0)
    assert busy.left_s.item() == 3600.0
    after = advance(busy, column(1.0), TWO_BLOCKS, 1 / 12).jobs
    assert (after.loaded.item(), after.progress_s.item(), after.left_s.item()) == (
        1.0,
        0.0,
        10800.0,
    )
    assert after.behind.item() == 0.0


def test_a_job_is_feasible_to_the_second():
    empty = jobs(loaded=0.0, left=0.0, feasible=0.0)
    assert arrived(empty, column(600.0 / 3600.0), TWO_BLOCKS).feasible.item() == 1.0
    assert arrived(empty, column(599.0 / 3600.0), TWO_BLOCKS).feasible.item() == 0.0


def test_a_machine_is_held_from_its_start_until_it_may_pause():
    may_pause = machine([0.0, 0.1, 0.4], pausable_from_s=300.0)
    held = [is_held(jobs(progress=s), may_pause).item() for s in (0.0, 1.0, 299.0, 300.0)]
    assert held == [False, True, True, False]


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(APPLIANCES)),
    parts=st.lists(st.sampled_from([1, 30, 60, 300, 900, 3600]), min_size=1, max_size=30),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_steps_of_any_length_sum_to_what_was_drawn(name, parts, dtype):
    kind = APPLIANCES[name]
    drawn = [0.0]
    for block_kw in kind.block_kw:
        drawn.append(drawn[-1] + block_kw * kind.block_h)
    one = machine(drawn, kind.block_h * 3600.0, dtype=dtype)
    state = Jobs(*(column(v, dtype) for v in (1.0, 0.0, 1e6, 1.0, 0.0, 0.0)))
    total, finished = 0.0, False
    for seconds in parts:
        dt_h = seconds / 3600.0
        total += work_kw(state, one, dt_h).item() * dt_h
        done = advance(state, column(1.0), one, dt_h)
        state, finished = done.jobs, finished or done.finished.item()
    expected = drawn_by_kwh(torch.minimum(column(float(sum(parts)), dtype), duration_s(one)), one)
    assert total == pytest.approx(expected.item(), abs=1e-12 if dtype == torch.float64 else 1e-5)
    assert finished == (sum(parts) >= duration_s(one).item())


@pytest.mark.parametrize(
    ("name", "kwh", "minutes", "peak_kw"),
    [
        ("dishwasher", (1.0, 1.4), (100, 150), (1.2, 1.8)),
        ("washer", (0.3, 0.6), (40, 60), (0.3, 2.0)),
        ("dryer", (1.5, 1.9), (29, 39), (5.0, 5.8)),
        ("pool_pump", (4.4, 12.8), (240, 480), (1.1, 1.6)),
    ],
)
@pytest.mark.reference
def test_the_default_cycles_lie_within_published_ranges(name, kwh, minutes, peak_kw):
    kind = APPLIANCES[name]
    assert kwh[0] <= sum(kind.block_kw) * kind.block_h <= kwh[1]
    assert minutes[0] <= len(kind.block_kw) * kind.block_h * 60 <= minutes[1]
    assert peak_kw[0] <= max(kind.block_kw) <= peak_kw[1]


def test_energy_is_differentiable_by_power_of_the_blocks():
    drawn_kwh = TWO_BLOCKS.drawn_kwh.clone().requires_grad_()
    one = ApplianceParams(drawn_kwh, TWO_BLOCKS.block_s, TWO_BLOCKS.pausable_from_s)
    work_kw(jobs(), one, 1 / 12).sum().backward()
    assert drawn_kwh.grad.tolist() == [[-12.0, 12.0, 0.0]]


def test_the_scripted_physics_is_the_physics():
    now = jobs()
    calls = (
        (work_kw, (now, TWO_BLOCKS, 1 / 12)),
        (advance, (now, torch.ones_like(now.loaded), TWO_BLOCKS, 1 / 12)),
        (arrived, (now, torch.full_like(now.loaded, 5.0), TWO_BLOCKS)),
        (slack_s, (now, TWO_BLOCKS)),
        (is_held, (now, TWO_BLOCKS)),
    )
    for law, words in calls:
        scripted, eager = torch.jit.script(law)(*words), law(*words)
        for one, other in zip(columns_of(scripted), columns_of(eager), strict=True):
            assert torch.equal(one, other)


def columns_of(tree):
    """All columns of what a law gives, in order."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    return [column for part in tree for column in columns_of(part)]
