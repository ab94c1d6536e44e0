"""Machines with jobs in the chain: each is conserved, draws its profile, and is done in time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.appliance import duration_s
from vpp_envs.dispatch.flexible import valued_kw
from vpp_envs.dispatch.flexible_value import waiting_value
from vpp_envs.dispatch.moment import Moment
from vpp_envs.dispatch.pausing_value import pausing_value
from vpp_envs.fleet.appliance_sampling import cycle_params, sample_appliances
from vpp_envs.flexible import appliance
from vpp_envs.flexible.appliance_parts import (
    APPLIANCES,
    ApplianceAgreement,
    ApplianceFleet,
    ApplianceTables,
)
from vpp_envs.flexible.flex import within_room
from vpp_envs.signals.synthetic.appliance_use import appliance_table

TYPES = list(APPLIANCES)
CURVE = torch.linspace(0.5, 0.05, 17, dtype=torch.float64).expand(1, 1, 17)


def homes_with(name, homes, dtype=torch.float64, managed_share=1.0):
    every = torch.ones(homes, dtype=torch.bool)
    fleet = sample_appliances(1, torch.arange(homes), every, name, managed_share)
    return cast(fleet._replace(archetype=torch.arange(homes)), dtype)


def cast(tree, dtype):
    if isinstance(tree, torch.Tensor):
        return tree.to(dtype) if tree.is_floating_point() else tree
    return type(tree)(*(cast(part, dtype) for part in tree))


def one_machine(block_kw, pausable_from=1.0, block_s=300.0):
    power = torch.tensor([block_kw], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    index = torch.zeros(1, dtype=torch.int64)
    params = cycle_params(power, block_s * one, pausable_from)
    return ApplianceFleet(
        params, power.max(-1).values, 10.0 * one, ApplianceAgreement(one), index, index
    )


def arrivals(name, generator, homes, dt_h, dtype):
    """Jobs at random: now and then too close to each other, now and then too late."""
    a_day = 1.0 if name == "pool_pump" else 4.0
    comes = torch.rand(1, homes, generator=generator) < a_day * dt_h / 24.0
    longest = 14.0 if name == "pool_pump" else 9.0
    due = 0.5 + longest * torch.rand(1, homes, generator=generator, dtype=torch.float64)
    return (comes * due).to(dtype)


def asked(policy, around, generator):
    """What a policy asks, homes in four groups where it is mixed."""
    low, high = around.low_kw, around.high_kw
    draw = torch.rand(low.shape, generator=generator, dtype=low.dtype)
    choices = {
        "least": low,
        "most": high,
        "alone": torch.full_like(low, torch.nan),
        "random": low - 1.0 + draw * (high - low + 2.0),
        "bang": torch.where(draw < 0.5, torch.full_like(low, -1e9), torch.full_like(low, 1e9)),
    }
    if policy != "mixed":
        return choices[policy]
    group = torch.arange(low.shape[-1]) % 4
    out = choices["least"]
    for number, name in enumerate(("random", "bang", "alone"), 1):
        out = torch.where(group == number, choices[name], out)
    return out


def live(name, policy, steps, homes=24, dt_h=1 / 12, each=None, dtype=torch.float64, seed=0):
    """Steps of one type of machine under a policy; returns the state and the sums of metrics."""
    generator = torch.Generator().manual_seed(seed)
    fleet = homes_with(name, homes, dtype)
    state = appliance.first_state(torch.zeros(1, homes, dtype=dtype), None, fleet, dt_h)
    sums = dict.fromkeys(("came", "started", "finished", "late", "broken", "interrupted"), 0.0)
    kwh = torch.zeros(1, homes, dtype=torch.float64)
    for number in range(steps):
        due = arrivals(name, generator, homes, dt_h, dtype)
        moment = appliance.moment_of(state, ApplianceTables(due, CURVE.to(dtype)), fleet, dt_h)
        around = appliance.flex(moment, fleet, dt_h)
        outcome = appliance.step(asked(policy, around, generator), around, moment, fleet, dt_h)
        state = outcome.state
        kwh += outcome.served.power_kw.double() * dt_h
        for key in sums:
            sums[key] += float(getattr(outcome, key, outcome.served.broken).sum())
        if each is not None:
            each(number, due, moment, around, outcome, fleet)
    return state, sums, kwh, fleet


@pytest.mark.parametrize("policy", ["least", "most", "alone", "random", "bang"])
@pytest.mark.parametrize("name", TYPES)
def test_no_job_is_lost_and_none_is_done_twice(name, policy):
    state, sums, _, _ = live(name, policy, 1000)
    inside = float((state.jobs.loaded + state.jobs.behind).sum())
    assert sums["came"] > 20
    assert sums["came"] == sums["finished"] + inside
    running = float(((state.jobs.loaded > 0) & (state.jobs.progress_s > 0)).sum())
    assert sums["started"] == sums["finished"] + running
    assert sums["broken"] == sums["interrupted"] == 0


@pytest.mark.parametrize("minutes", [1, 5, 15, 60])
@pytest.mark.parametrize("name", TYPES)
def test_every_job_draws_exactly_its_profile_at_any_step(name, minutes):
    dt_h = minutes / 60.0
    done = torch.zeros(1, 24, dtype=torch.float64)

    def each(number, due, moment, around, outcome, fleet):
        done.add_(outcome.finished)

    steps = min(round(24 * 8 / dt_h), 1500)
    state, _, kwh, fleet = live(name, "random", steps, dt_h=dt_h, each=each)
    job_kwh = fleet.params.drawn_kwh[:, -1]
    at = state.jobs.progress_s / fleet.params.block_s
    table = fleet.params.drawn_kwh
    cell = at.floor().long().clamp(max=table.shape[-1] - 2)
    begun = torch.stack([table[home, cell[0, home]] for home in range(24)])
    ahead = torch.stack([table[home, cell[0, home] + 1] for home in range(24)])
    expected = done * job_kwh + begun + (at - cell) * (ahead - begun)
    assert float(done.sum()) > 10
    assert float((kwh - expected).abs().max()) < 1e-9


def test_a_step_of_an_hour_draws_what_its_sixty_minutes_draw():
    """Energy of the first hour of a dishwasher: 10 min at 150 W, 20 at 1.5 kW, 30 at 150 W."""
    kwh = {}
    for minutes in (1, 5, 15, 60):
        dt_h = minutes / 60.0
        fleet = one_machine(APPLIANCES["dishwasher"].block_kw)
        state = appliance.first_state(torch.zeros(1, 1, dtype=torch.float64), None, fleet, dt_h)
        total = 0.0
        for number in range(60 // minutes):
            due = torch.full((1, 1), 5.0 if number == 0 else 0.0, dtype=torch.float64)
            moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, dt_h)
            around = appliance.flex(moment, fleet, dt_h)
            outcome = appliance.step(around.high_kw, around, moment, fleet, dt_h)
            state, total = outcome.state, total + outcome.served.power_kw.item() * dt_h
        kwh[minutes] = total
    assert kwh == pytest.approx(dict.fromkeys(kwh, (40 * 0.15 + 20 * 1.5) / 60), abs=1e-12)


def test_a_machine_waits_until_its_latest_start_and_not_a_step_longer():
    """Half an hour of work, two hours to the deadline: asked for nothing it runs from 1:30 on."""
    fleet = one_machine([1.0] * 6)
    state = appliance.first_state(torch.zeros(1, 1, dtype=torch.float64), None, fleet, 1 / 12)
    served = []
    for number in range(26):
        due = torch.full((1, 1), 2.0 if number == 0 else 0.0, dtype=torch.float64)
        moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
        around = appliance.flex(moment, fleet, 1 / 12)
        outcome = appliance.step(0.0 * around.low_kw, around, moment, fleet, 1 / 12)
        state = outcome.state
        served.append(outcome.served.power_kw.item())
        assert not outcome.served.broken.any()
    assert served == pytest.approx([0.0] * 18 + [1.0] * 6 + [0.0] * 2)


def test_a_dryer_may_pause_in_its_last_two_thirds_and_a_washer_never():
    for pausable_from, pauses in ((1 / 3, True), (1.0, False)):
        fleet = one_machine([3.0] * 6, pausable_from)
        state = appliance.first_state(torch.zeros(1, 1, dtype=torch.float64), None, fleet, 1 / 12)
        lows = []
        for number in range(4):
            due = torch.full((1, 1), 9.0 if number == 0 else 0.0, dtype=torch.float64)
            moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
            around = appliance.flex(moment, fleet, 1 / 12)
            lows.append(around.low_kw.item())
            state = appliance.step(around.high_kw, around, moment, fleet, 1 / 12).state
        assert lows == pytest.approx([0.0, 3.0, 0.0, 0.0] if pauses else [0.0, 3.0, 3.0, 3.0])


def test_a_job_with_too_little_time_starts_at_once_and_is_late_but_breaks_nothing():
    fleet = one_machine([1.0] * 12)
    state = appliance.first_state(torch.zeros(1, 1, dtype=torch.float64), None, fleet, 1 / 12)
    late, served = 0.0, []
    for number in range(14):
        due = torch.full((1, 1), 0.5 if number == 0 else 0.0, dtype=torch.float64)
        moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
        around = appliance.flex(moment, fleet, 1 / 12)
        outcome = appliance.step(0.0 * around.low_kw, around, moment, fleet, 1 / 12)
        state, late = outcome.state, late + outcome.late.item()
        served.append(outcome.served.power_kw.item())
        assert not outcome.served.broken.any()
    assert served == pytest.approx([1.0] * 12 + [0.0] * 2)
    assert late == 1.0


def test_who_loads_a_busy_machine_waits_and_has_all_the_time_from_then():
    fleet = one_machine([1.0] * 3)
    state = appliance.first_state(torch.zeros(1, 1, dtype=torch.float64), None, fleet, 1 / 12)
    seen = []
    for number in range(8):
        due = torch.full((1, 1), {0: 1.0, 1: 2.0}.get(number, 0.0), dtype=torch.float64)
        moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
        around = appliance.flex(moment, fleet, 1 / 12)
        asked_kw = around.high_kw if number < 3 else 0.0 * around.high_kw
        outcome = appliance.step(asked_kw, around, moment, fleet, 1 / 12)
        seen.append((state.jobs.behind.item(), outcome.queued_h.item() * 12, around.fill.item()))
        state = outcome.state
    assert [row[0] for row in seen] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert [round(row[1]) for row in seen] == [0, 1, 1, 1, 1, 1, 1, 1]
    # Two hours less a quarter, on a scale of ten.
    assert seen[3][2] == pytest.approx(0.175)


class Oracle:
    """Watches one machine from outside: what came, and its power. No envelope, no state."""

    def __init__(self, job_kwh, whole_s, dt_s):
        self.job_kwh, self.whole_s, self.dt_s = job_kwh, whole_s, dt_s
        self.loaded = None  # (at, given s)
        self.behind, self.given_s = 0, 0
        self.drawn_kwh, self.ran_s = 0.0, 0
        self.done = self.late = self.hopeless = 0

    def come(self, now, hours):
        if self.loaded is None:
            self.loaded = (now, round(hours * 3600))
        else:
            self.behind, self.given_s = self.behind + 1, round(hours * 3600)

    def see(self, now, power_kw):
        self.drawn_kwh += power_kw * self.dt_s / 3600
        self.ran_s += self.dt_s * (power_kw > 0)
        if self.loaded is None or self.drawn_kwh < self.job_kwh - 1e-7:
            return
        # What was left of the job when its last step began.
        ended = now + self.whole_s - (self.ran_s - self.dt_s)
        at, given_s = self.loaded
        hopeless = given_s < self.whole_s
        self.done, self.hopeless = self.done + 1, self.hopeless + hopeless
        self.late += not hopeless and ended > at + given_s
        self.drawn_kwh, self.ran_s = self.drawn_kwh - self.job_kwh, 0
        self.loaded = (now + self.dt_s, self.given_s) if self.behind else None
        self.behind = max(self.behind - 1, 0)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_an_oracle_that_sees_power_alone_finds_every_deadline_kept(name, minutes):
    homes, dt_h = 8, minutes / 60.0
    oracles = []

    def each(number, due, moment, around, outcome, fleet):
        if not oracles:
            each_job = zip(fleet.params.drawn_kwh[:, -1], duration_s(fleet.params), strict=True)
            oracles.extend(Oracle(kwh.item(), s.item(), 60 * minutes) for kwh, s in each_job)
        for oracle, hours, power in zip(
            oracles, due[0].tolist(), outcome.served.power_kw[0].tolist(), strict=True
        ):
            if hours > 0:
                oracle.come(number * 60 * minutes, hours)
            oracle.see(number * 60 * minutes, power)

    _, sums, _, _ = live(name, "mixed", min(round(24 * 10 / dt_h), 2000), homes, dt_h, each)
    assert sum(oracle.done for oracle in oracles) == sums["finished"] > 5
    assert sum(oracle.late for oracle in oracles) == 0


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(TYPES),
    seed=st.integers(0, 10**6),
    minutes=st.sampled_from([1, 5, 10, 15, 30, 60]),
    policy=st.sampled_from(["mixed", "least", "random", "bang"]),
)
def test_no_command_breaks_a_promise(name, seed, minutes, policy):
    _, sums, _, _ = live(name, policy, 300, 16, minutes / 60.0, seed=seed)
    assert sums["broken"] == sums["interrupted"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ten_million_steps_break_no_promise(name, dtype):
    """Eight cases of 2,500 homes and 600 steps make 12 million, half of them of a minute."""
    dt_h = 1 / 60 if dtype == torch.float32 else 1 / 12
    _, sums, _, _ = live(name, "mixed", 600, 2500, dt_h, dtype=dtype, seed=11)
    assert sums["broken"] == sums["interrupted"] == 0
    assert sums["finished"] > 100


@pytest.mark.parametrize("name", TYPES)
def test_an_envelope_that_looks_away_for_a_tenth_longer_is_seen(name, monkeypatch):
    honest = appliance.slack_s

    def optimistic(jobs, machine):
        return honest(jobs, machine) + 0.1 * duration_s(machine)

    monkeypatch.setattr(appliance, "slack_s", optimistic)
    _, sums, _, _ = live(name, "least", 1500)
    assert sums["broken"] > 0


def test_a_washer_that_may_be_stopped_is_seen(monkeypatch):
    held, calls = appliance.is_held, []

    def forgotten(jobs, machine):
        # The envelope asks first, the judge of promises second.
        calls.append(1)
        return held(jobs, machine) & (len(calls) % 2 == 0)

    monkeypatch.setattr(appliance, "is_held", forgotten)
    _, sums, _, _ = live("washer", "bang", 1000)
    assert sums["interrupted"] > 0
    assert sums["broken"] >= sums["interrupted"]


def test_left_alone_everything_runs_as_its_twin_does():
    def each(number, due, moment, around, outcome, fleet):
        assert torch.equal(outcome.served.power_kw, outcome.served.alone_kw)

    live("dishwasher", "alone", 800, each=each)


def test_a_full_connection_delays_what_can_wait_and_nothing_else():
    fleet = homes_with("dryer", 16)
    state = appliance.first_state(torch.zeros(1, 16, dtype=torch.float64), None, fleet, 1 / 12)
    generator = torch.Generator().manual_seed(0)
    none = torch.zeros(1, 16, dtype=torch.float64)
    finished = 0.0
    for _ in range(2000):
        due = arrivals("dryer", generator, 16, 1 / 12, torch.float64)
        moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
        around = within_room(appliance.flex(moment, fleet, 1 / 12), none, none)
        outcome = appliance.step(1e9 + none, around, moment, fleet, 1 / 12)
        assert torch.equal(outcome.served.power_kw, around.low_kw)
        assert not outcome.served.broken.any()
        state, finished = outcome.state, finished + outcome.finished.sum().item()
    assert finished > 50


def test_who_is_not_managed_starts_at_once_whatever_is_asked():
    fleet = homes_with("washer", 8, managed_share=0.0)
    assert (fleet.cohort == -1).all()
    state = appliance.first_state(torch.zeros(1, 8, dtype=torch.float64), None, fleet, 1 / 12)
    due = torch.full((1, 8), 6.0, dtype=torch.float64)
    moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
    around = appliance.flex(moment, fleet, 1 / 12)
    outcome = appliance.step(0.0 * due, around, moment, fleet, 1 / 12)
    assert (outcome.served.power_kw > 0).all()
    assert torch.equal(around.low_kw, around.high_kw)


def test_homes_without_a_machine_draw_nothing_and_gradients_stay_finite():
    present = torch.arange(6) % 2 == 0
    fleet = sample_appliances(0, torch.arange(6), present, "dishwasher")
    assert (fleet.rated_kw[~present] == 0).all()
    drawn_kwh = fleet.params.drawn_kwh.clone().requires_grad_()
    fleet = fleet._replace(params=fleet.params._replace(drawn_kwh=drawn_kwh))
    zero = torch.zeros(1, 6, dtype=torch.float64)
    state = appliance.first_state(zero, None, fleet, 1 / 12)
    asked_kw = (zero + 1.0).requires_grad_()
    total = 0.0
    for number in range(3):
        due = torch.full((1, 64), 6.0 if number == 0 else 0.0, dtype=torch.float64)
        moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
        around = appliance.flex(moment, fleet, 1 / 12)
        outcome = appliance.step(asked_kw, around, moment, fleet, 1 / 12)
        state = outcome.state
        total = total + outcome.served.power_kw.sum() + around.value_per_kwh.sum()
    assert (outcome.served.power_kw[0, ~present] == 0).all()
    total.backward()
    assert torch.isfinite(drawn_kwh.grad).all()
    assert float(drawn_kwh.grad.abs().sum()) > 0


def test_what_is_told_to_dispatch_can_be_scripted():
    scripted = torch.jit.script(appliance.flex)
    generator = torch.Generator().manual_seed(3)

    def each(number, due, moment, around, outcome, fleet):
        if number % 20 == 0:
            again = scripted(moment, fleet, 1 / 12)
            assert all(torch.equal(a, b) for a, b in zip(around, again, strict=True))

    live("dryer", "random", 400, each=each, seed=int(generator.initial_seed()))


@pytest.mark.slow
def test_compiled_machines_are_eager_ones():
    def once(state, due, asked_kw, fleet):
        moment = appliance.moment_of(state, ApplianceTables(due, CURVE), fleet, 1 / 12)
        around = appliance.flex(moment, fleet, 1 / 12)
        return appliance.step(asked_kw, around, moment, fleet, 1 / 12)

    compiled = torch.compile(once, fullgraph=True)
    fleet = homes_with("dryer", 32)
    generator = torch.Generator().manual_seed(5)
    zero = torch.zeros(1, 32, dtype=torch.float64)
    state = appliance.first_state(zero, None, fleet, 1 / 12)
    for _ in range(300):
        due = arrivals("dryer", generator, 32, 1 / 12, torch.float64)
        asked_kw = 6.0 * torch.rand(1, 32, generator=generator, dtype=torch.float64)
        eager, fused = once(state, due, asked_kw, fleet), compiled(state, due, asked_kw, fleet)
        torch.testing.assert_close(fused.served.power_kw, eager.served.power_kw, rtol=1e-9, atol=0)
        assert torch.equal(fused.state.jobs.progress_s, eager.state.jobs.progress_s)
        state = eager.state


@pytest.mark.parametrize("name", TYPES)
def test_machines_that_follow_their_value_pay_a_fifth_less_a_kwh_than_their_twins(name):
    """Eight days of dear evenings and cheap noons that are known ahead."""
    homes, days, kind = 24, 8, APPLIANCES[name]
    half = torch.arange((days + 2) * 48)
    hour = (half % 48) / 2.0
    price = 0.1 + 0.08 * torch.exp(-(((hour - 19) / 2) ** 2))
    price = price + 0.04 * torch.exp(-(((hour - 8) / 1.5) ** 2))
    price = (price - 0.05 * torch.exp(-(((hour - 13) / 3) ** 2))).double()
    nodes = torch.stack([price[i + 1 : i + 49] for i in range(days * 48)]).unsqueeze(-1)
    sure = torch.ones(1, dtype=torch.float64)
    if name == "pool_pump":
        curves = pausing_value(nodes, sure, kind.cohort.slack_h + kind.cohort.job_h, 0.5)
    else:
        curves = waiting_value(nodes, sure, kind.cohort.job_h, kind.cohort.slack_h, 0.5)
    start = np.datetime64("2023-01-01T08:00")
    due_h = appliance_table(name, "Etc/GMT+8", start, days * 288, 3, homes).double()
    fleet = homes_with(name, homes)
    zero = torch.zeros(1, homes, dtype=torch.float64)
    state = appliance.first_state(zero, None, fleet, 1 / 12)
    sums = torch.zeros(4, dtype=torch.float64)
    for tick in range(days * 288):
        curve, now = curves[tick // 6].reshape(1, 1, 17), price[tick // 6].reshape(1, 1)
        rows = ApplianceTables(due_h[tick : tick + 1], curve)
        moment = appliance.moment_of(state, rows, fleet, 1 / 12)
        around = appliance.flex(moment, fleet, 1 / 12)
        market = Moment(zero, zero, zero, now, curve, None, None)
        power_kw = valued_kw(torch.zeros(1, 2).double(), around, zero, market, None)
        outcome = appliance.step(power_kw, around, moment, fleet, 1 / 12)
        assert not outcome.served.broken.any()
        state, served = outcome.state, outcome.served
        ours, twin = served.power_kw.sum(), served.alone_kw.sum()
        sums += torch.stack([ours * now[0, 0], ours, twin * now[0, 0], twin])
    ratio = (sums[0] / sums[1]) / (sums[2] / sums[3])
    assert ratio.item() < 0.8
