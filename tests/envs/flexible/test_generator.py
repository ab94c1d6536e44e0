"""Back-up generators in the chain: permits, hours, timers and fuel under any command."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.generator import fuel_l_per_h
from vpp_envs.dispatch.flexible import valued_kw
from vpp_envs.dispatch.moment import Moment
from vpp_envs.fleet.generator_sampling import sample_generators
from vpp_envs.flexible import generator
from vpp_envs.flexible.flex import within_room
from vpp_envs.flexible.generator_parts import GeneratorTables

CURVE = torch.full((1, 2, 17), 0.4, dtype=torch.float64)


def cast(tree, dtype):
    if isinstance(tree, torch.Tensor):
        return tree.to(dtype) if tree.is_floating_point() else tree
    return type(tree)(*(cast(part, dtype) for part in tree))


def homes_with(homes, permitted_share=0.8, dtype=torch.float64, cap_h=None, diesel_share=0.5):
    every = torch.ones(homes, dtype=torch.bool)
    fleet = sample_generators(2, torch.arange(homes), every, permitted_share, diesel_share)
    if cap_h is not None:
        agreed = fleet.agreement
        fleet = fleet._replace(agreement=agreed._replace(cap_h=cap_h + 0.0 * agreed.cap_h))
    return cast(fleet, dtype)


def asked(policy, around, generator_):
    draw = torch.rand(around.low_kw.shape, generator=generator_, dtype=around.low_kw.dtype)
    choices = {
        "most": torch.full_like(draw, -1e9),
        "off": torch.zeros_like(draw),
        "alone": torch.full_like(draw, torch.nan),
        "random": -30.0 * draw,
        "bang": torch.where(draw < 0.5, torch.full_like(draw, -1e9), torch.full_like(draw, 1e9)),
    }
    if policy != "mixed":
        return choices[policy]
    group = torch.arange(draw.shape[-1]) % 4
    out = choices["most"]
    for number, name in enumerate(("random", "bang", "alone"), 1):
        out = torch.where(group == number, choices[name], out)
    return out


def live(policy, steps, fleet, dt_h=1 / 12, each=None, outages=0.0, seed=0, room=None):
    generator_ = torch.Generator().manual_seed(seed)
    dtype, homes = fleet.rated_kw.dtype, len(fleet.rated_kw)
    share = torch.rand(1, homes, generator=generator_).to(dtype)
    share = torch.zeros_like(share) if policy == "fresh" else share
    state = generator.first_state(share, None, fleet, dt_h)
    left, broken = 0.0, 0
    for number in range(steps):
        if left <= 0 and torch.rand(1, generator=generator_).item() < outages * dt_h:
            left = 2.0
        out = torch.full((1, 1), float(left > 0), dtype=dtype)
        left -= dt_h
        moment = generator.moment_of(state, GeneratorTables(out, CURVE.to(dtype)), fleet, dt_h)
        told = generator.for_outage if out.item() > 0 else generator.flex
        around = told(moment, fleet, dt_h)
        if room is not None:
            around = within_room(around, around.low_kw * 0.0, around.low_kw * 0.0 + room)
        outcome = generator.step(asked(policy, around, generator_), around, moment, fleet, dt_h)
        broken += int(outcome.served.broken.sum())
        if each is not None:
            each(number, moment, around, outcome)
        state = outcome.state
    return state, broken


def test_without_a_permit_it_never_runs_for_others():
    fleet = homes_with(20, permitted_share=0.0)

    def each(number, moment, around, outcome):
        assert (around.low_kw == 0).all()
        assert (around.high_kw == 0).all()
        assert (outcome.served.power_kw == 0).all()
        assert (outcome.fuel_l == 0).all()

    live("most", 50, fleet, each=each)
    assert (fleet.cohort == -1).all()
    assert (sample_generators(0, torch.arange(99), torch.ones(99).bool()).cohort == -1).all()


def test_in_an_outage_it_supplies_between_its_least_and_its_full_load():
    fleet = homes_with(20, permitted_share=0.0)
    zero = torch.zeros(1, 20, dtype=torch.float64)
    state = generator.first_state(zero, None, fleet, 1.0)
    rows = GeneratorTables(torch.ones(1, 1, dtype=torch.float64), CURVE)
    moment = generator.moment_of(state, rows, fleet, 1.0)
    around = generator.for_outage(moment, fleet, 1.0)
    assert torch.equal(around.low_kw[0], -fleet.rated_kw)
    outcome = generator.step(zero - 8.0, around, moment, fleet, 1.0)
    assert torch.equal(outcome.served.power_kw, torch.full_like(zero, -8.0))
    assert (outcome.state.run_s == 0).all()
    assert not outcome.served.broken.any()


def test_fuel_balances_energy_and_the_tank():
    """Independent sums: fuel of each load by the line, tank and cost by what was burnt."""
    fleet = homes_with(30)
    sums = {}

    def each(number, moment, around, outcome):
        on = outcome.served.power_kw < 0
        load_kw = -outcome.served.power_kw
        line = fleet.params.idle_l_per_h + fleet.params.fuel_l_per_kwh * load_kw
        burnt_l = torch.where(on, line, torch.zeros_like(line)) / 12
        torch.testing.assert_close(outcome.fuel_l, burnt_l, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(outcome.output_kwh, load_kw / 12, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            outcome.co2_kg, outcome.fuel_l * fleet.params.co2_kg_per_l, rtol=1e-12, atol=0
        )
        expected = outcome.fuel_l * fleet.price_per_l + outcome.output_kwh * 0.025
        torch.testing.assert_close(
            outcome.served.cost, expected + 5.0 * outcome.starts, rtol=1e-12, atol=1e-12
        )
        sums["first"] = sums.get("first", moment.state.fuel_l)
        sums["burnt"] = sums.get("burnt", 0.0) + outcome.fuel_l

    state, _ = live("random", 1500, fleet, each=each)
    tanks = fleet.params.piped == 0
    spent = (sums["first"] - state.fuel_l)[0, tanks]
    assert float((spent - sums["burnt"][0, tanks]).abs().max()) < 1e-9
    assert float(sums["burnt"].min(-1).values) >= 0
    assert float(spent.max()) > 10


def test_asked_for_everything_it_stops_when_hours_or_fuel_are_used_up():
    fleet = homes_with(40, permitted_share=1.0, cap_h=3.25)
    ran = torch.zeros(1, 40, dtype=torch.float64)

    def each(number, moment, around, outcome):
        ran.add_(outcome.run_h)

    state, broken = live("most", 800, fleet, each=each)
    first = torch.Generator().manual_seed(0)
    gone_h = torch.round(torch.rand(1, 40, generator=first).double() * 3.25 * 3600) / 3600
    assert broken == 0
    assert (gone_h + ran <= 3.25 + 1e-9).all()
    # Less than one more least run is left, or a step that does not fit.
    assert (3.25 - gone_h - ran)[0].max() < 0.5 + 1 / 12
    assert ((state.run_s / 3600 - gone_h - ran).abs() < 1e-9).all()


def test_between_starts_and_stops_it_runs_half_an_hour_and_rests_a_quarter():
    """From power alone, at steps of a minute under bang-bang commands."""
    fleet = homes_with(24, permitted_share=1.0)
    on = []
    live("bang", 600, fleet, 1 / 60, lambda *args: on.append(args[3].served.power_kw[0] < 0))
    lengths = {True: [], False: []}
    for home in range(24):
        course = [bool(row[home]) for row in on]
        begin = 0
        for minute in range(1, len(course)):
            if course[minute] != course[minute - 1]:
                if begin > 0:
                    lengths[course[begin]].append(minute - begin)
                begin = minute
    assert min(lengths[True]) == 30
    assert min(lengths[False]) == 15
    assert len(lengths[True]) > 20


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    minutes=st.sampled_from([1, 5, 15, 20, 60]),
    policy=st.sampled_from(["mixed", "most", "random", "bang"]),
    cap_h=st.sampled_from([0.75, 2.0, 100.0]),
    outages=st.sampled_from([0.0, 0.2]),
)
def test_no_command_breaks_a_limit(seed, minutes, policy, cap_h, outages):
    fleet = homes_with(16, cap_h=cap_h)
    _, broken = live(policy, 300, fleet, minutes / 60, outages=outages, seed=seed)
    assert broken == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "dt_h", "outages"),
    [(torch.float32, 1 / 60, 0.0), (torch.float64, 1 / 12, 0.0), (torch.float32, 1 / 12, 0.1)],
)
def test_ten_million_steps_break_no_limit(dtype, dt_h, outages):
    """Three cases of 2,000 homes and 1,700 steps make ten million."""
    fleet = homes_with(2000, dtype=dtype)
    _, broken = live("mixed", 1700, fleet, dt_h, outages=outages, seed=4)
    assert broken == 0


@pytest.mark.parametrize("fault", ["hours", "run", "rest", "fuel"])
def test_limits_that_are_off_by_a_tenth_are_seen(fault, monkeypatch):
    honest = generator._limits

    def lax(state, fleet, dt_h, counted):
        agreed, params = fleet.agreement, fleet.params
        agreed = {
            "hours": agreed._replace(cap_h=1.1 * agreed.cap_h),
            "run": agreed._replace(run_h=0.8 * agreed.run_h),
            "rest": agreed._replace(rest_h=0.6 * agreed.rest_h),
        }.get(fault, agreed)
        if fault == "fuel":
            state = state._replace(fuel_l=state.fuel_l + 0.01 * params.tank_l)
        return honest(state, fleet._replace(agreement=agreed), dt_h, counted)

    monkeypatch.setattr(generator, "_limits", lax)
    cap_h = 5.0 if fault == "hours" else 1e4
    policy = "most" if fault in ("hours", "fuel") else "bang"
    fleet = homes_with(16, permitted_share=1.0, cap_h=cap_h, diesel_share=1.0)
    _, broken = live(policy, 600, fleet)
    assert broken > 0


def test_dispatch_starts_it_above_its_cost_with_the_start_and_stops_it_below_its_cost_without():
    """Gas: (111.7 + 335.2) L/kWh at 0.00055 and 0.025 a kWh make 0.2708; a start adds 10 / kW."""
    fleet = homes_with(6, permitted_share=1.0, diesel_share=0.0)
    zero = torch.zeros(1, 6, dtype=torch.float64)
    state = generator.first_state(zero, None, fleet, 1 / 12)
    rows = GeneratorTables(torch.zeros(1, 1, dtype=torch.float64), CURVE)
    running = (111.7 + 335.2) * 5.5e-4 + 0.025

    def power_at(price, state):
        moment = generator.moment_of(state, rows, fleet, 1 / 12)
        around = generator.flex(moment, fleet, 1 / 12)
        market = Moment(
            zero, zero, zero, torch.tensor([[price]], dtype=torch.float64), CURVE, None, None
        )
        bend = torch.zeros(1, 4, dtype=torch.float64)
        return around, valued_kw(bend, around, zero + 1.0, market, None)

    around, power = power_at(running + 0.001, state)
    torch.testing.assert_close(around.value_per_kwh[0], running + 10.0 / fleet.rated_kw)
    assert (power == 0).all()
    _, power = power_at(running + 1.01, state)
    assert torch.equal(power[0], -fleet.rated_kw)
    on = state._replace(on=zero + 1.0, since_s=zero + 1800.0)
    assert (power_at(running + 0.001, on)[1][0] == -fleet.rated_kw).all()
    assert (power_at(running - 0.001, on)[1] == 0).all()
    young = on._replace(since_s=zero + 300.0)
    assert torch.equal(power_at(-1.0, young)[1][0], -0.3 * fleet.rated_kw)


def test_a_connection_without_room_does_not_stop_a_run_that_may_not_stop():
    fleet = homes_with(16, permitted_share=1.0)
    zero = torch.zeros(1, 16, dtype=torch.float64)
    state = generator.first_state(zero, None, fleet, 1 / 12)
    running = state._replace(on=zero + 1.0, since_s=zero + 300.0, for_others=zero + 1.0)
    rows = GeneratorTables(torch.zeros(1, 1, dtype=torch.float64), CURVE)
    for begun in (state, running):
        moment = generator.moment_of(begun, rows, fleet, 1 / 12)
        around = within_room(generator.flex(moment, fleet, 1 / 12), zero, zero)
        outcome = generator.step(zero - 1e9, around, moment, fleet, 1 / 12)
        assert not outcome.served.broken.any()
        least_kw = fleet.params.least_kw if begun is running else 0.0 * fleet.rated_kw
        assert torch.equal(outcome.served.power_kw[0], -least_kw)


def test_homes_without_one_generate_nothing_and_gradients_are_finite():
    present = torch.arange(8) % 2 == 0
    fleet = sample_generators(0, torch.arange(8), present, 1.0, 0.5)
    zero = torch.zeros(1, 8, dtype=torch.float64)
    state = generator.first_state(zero + 0.5, None, fleet, 1 / 12)
    rows = GeneratorTables(torch.zeros(1, 1, dtype=torch.float64), CURVE)
    asked_kw = (zero - 9.0).requires_grad_()
    fuel_l = state.fuel_l.clone().requires_grad_()
    moment = generator.moment_of(state._replace(fuel_l=fuel_l), rows, fleet, 1 / 12)
    around = generator.flex(moment, fleet, 1 / 12)
    outcome = generator.step(asked_kw, around, moment, fleet, 1 / 12)
    (outcome.served.cost.sum() + around.value_per_kwh.sum() + around.fill.sum()).backward()
    assert (outcome.served.power_kw[0, ~present] == 0).all()
    assert torch.isfinite(asked_kw.grad).all()
    assert torch.isfinite(fuel_l.grad).all()
    # A kWh more costs its fuel and upkeep.
    slope = fleet.params.fuel_l_per_kwh * fleet.price_per_l + fleet.upkeep_per_kwh
    torch.testing.assert_close(-asked_kw.grad[0, present] * 12, slope[present])


def test_what_is_told_to_dispatch_can_be_scripted():
    scripted = torch.jit.script(generator.flex)
    fleet = homes_with(12)

    def each(number, moment, around, outcome):
        again = scripted(moment, fleet, 1 / 12)
        assert all(torch.equal(a, b) for a, b in zip(around, again, strict=True))

    live("bang", 30, fleet, each=each)


@pytest.mark.slow
def test_compiled_engines_are_eager_ones():
    fleet = homes_with(16)

    def once(state, asked_kw, out):
        moment = generator.moment_of(state, GeneratorTables(out, CURVE), fleet, 1 / 12)
        around = generator.flex(moment, fleet, 1 / 12)
        return generator.step(asked_kw, around, moment, fleet, 1 / 12)

    compiled = torch.compile(once, fullgraph=True)
    state = generator.first_state(torch.zeros(1, 16, dtype=torch.float64), None, fleet, 1 / 12)
    draws, out = torch.Generator().manual_seed(1), torch.zeros(1, 1, dtype=torch.float64)
    for _ in range(100):
        asked_kw = -30.0 * torch.rand(1, 16, generator=draws, dtype=torch.float64)
        eager, fused = once(state, asked_kw, out), compiled(state, asked_kw, out)
        torch.testing.assert_close(fused.served.power_kw, eager.served.power_kw)
        torch.testing.assert_close(fused.state.fuel_l, eager.state.fuel_l)
        state = eager.state


def test_fuel_of_a_hundred_kilowatt_diesel_at_half_load():
    """0.08145 * 100 + 0.246 * 50 = 20.445 L/h."""
    fleet = homes_with(1, diesel_share=1.0)
    size = 100.0 / fleet.rated_kw
    params = fleet.params._replace(idle_l_per_h=fleet.params.idle_l_per_h * size)
    half = torch.tensor([50.0], dtype=torch.float64)
    assert fuel_l_per_h(half, params).item() == pytest.approx(20.445, abs=1e-12)
