"""What holds for every kind of flexible device, whatever it is."""

import importlib.util
from pathlib import Path

import pytest
import torch

_SPEC = importlib.util.spec_from_file_location("worlds", Path(__file__).parent / "worlds.py")
worlds = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(worlds)
WORLDS, POLICIES, live, commands = worlds.WORLDS, worlds.POLICIES, worlds.live, worlds.commands

STEPS_H = {"5 min": 1 / 12, "1 min": 1 / 60, "1 h": 1.0}


def finite(column):
    """The column, if it is."""
    assert column.isfinite().all()
    return column


KINDS = pytest.mark.parametrize("kind", sorted(WORLDS))
LENGTHS = pytest.mark.parametrize("length", list(STEPS_H))


@KINDS
@LENGTHS
@pytest.mark.parametrize("policy", POLICIES)
def test_no_command_breaks_a_promise_or_makes_energy(kind, length, policy):
    world = WORLDS[kind](120, STEPS_H[length])

    def check(before, flex, outcome, moment):
        assert (flex.low_kw <= flex.high_kw).all()
        power = outcome.served.power_kw
        assert (power >= flex.low_kw - 1e-12).all()
        assert (power <= flex.high_kw + 1e-12).all()
        assert ((flex.fill >= 0) & (flex.fill <= 1)).all()
        change = world.stored_kwh(outcome.state) - world.stored_kwh(before)
        some = world.some
        assert ((change - world.came_kwh(outcome))[:, some].abs() < 1e-9).all()
        assert (power[:, ~some] == 0).all()
        assert (power[:, world.fleet.cohort >= 0] <= world.fleet.rated_kw.max() * 1.6).all()

    broken, state = live(world, policy, 400 if length == "1 min" else 200, check)
    assert broken == 0
    worlds.map_columns(state, finite)


@KINDS
@LENGTHS
def test_a_device_that_nobody_commands_is_its_twin(kind, length):
    """The twin makes the same promises: what is saved or lost against it is dispatch alone."""
    world, drawn = WORLDS[kind](120, STEPS_H[length]), []

    def check(before, flex, outcome, moment):
        assert torch.equal(outcome.served.power_kw, outcome.served.alone_kw)
        drawn.append(float(outcome.served.alone_kw.sum()))

    live(world, "nan", 200, check)
    assert sum(drawn) > 0.0


@pytest.mark.slow
@KINDS
@pytest.mark.parametrize("length", ["5 min", "1 min"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
def test_ten_million_steps_break_no_promise(kind, length, dtype):
    """In all over 1e7 device-steps a kind: 5 policies, 2 lengths, 2 precisions."""
    device_steps = 0
    for seed, policy in enumerate(POLICIES):
        world = WORLDS[kind](1000, STEPS_H[length], dtype, seed)
        broken, _ = live(world, policy, 650)
        assert broken == 0, policy
        device_steps += 650 * int((world.fleet.cohort >= 0).sum())
    assert 4 * device_steps > 1e7


@pytest.mark.parametrize("length", ["5 min", "1 min"])
def test_a_house_whose_envelope_is_wrong_is_seen(length, monkeypatch):
    world = WORLDS["hvac"](200, STEPS_H[length])
    right = worlds.hvac.band_c

    def too_wide(away, fleet):
        coldest, warmest = right(away, fleet)
        return coldest - 0.4, warmest + 0.4

    def foresee(*parts, plain=worlds.hvac.foresee):
        monkeypatch.setattr(worlds.hvac, "band_c", too_wide)
        out = plain(*parts)
        monkeypatch.setattr(worlds.hvac, "band_c", right)
        return out

    monkeypatch.setattr(worlds.hvac, "foresee", foresee)
    assert live(world, "least", 400)[0] > 0


def test_a_compressor_is_foreseen_through_its_rest(monkeypatch):
    """Under a steady sun no house leaves its band; without looking ahead houses do."""

    def short_k_h(world):
        plain, total = world.rows, []
        steady = plain(0)._replace(
            air_c=torch.full((1, 1), 36.0, dtype=torch.float64),
            sun_kw_per_m2=torch.full((1, 1), 0.4, dtype=torch.float64),
            gain_pu=torch.ones_like(plain(0).gain_pu),
            away=torch.zeros_like(plain(0).away),
        )
        world.rows = lambda tick: steady
        live(world, "least", 300, lambda b, f, o, m: total.append(float(o.short_k_h.sum())))
        return sum(total)

    with_look = short_k_h(WORLDS["hvac"](200, 1 / 60))
    right = worlds.hvac._ahead_c
    monkeypatch.setattr(worlds.hvac, "_ahead_c", lambda c, p, f, hours: right(c, p, f, 1 / 60))
    without = short_k_h(WORLDS["hvac"](200, 1 / 60))
    assert with_look == 0.0
    assert without > 1.0


@pytest.mark.parametrize("air_c", [36.0, -5.0])
@pytest.mark.parametrize("policy", ["random", "bang-bang", "least"])
def test_a_compressor_that_is_stopped_too_early_is_seen(monkeypatch, air_c, policy):
    """Whoever stops it is held to the rest: without the look ahead promises are broken."""
    assert live(steady(WORLDS["hvac"](100, 1 / 60), air_c), policy, 300)[0] == 0
    right = worlds.hvac._ahead_c
    monkeypatch.setattr(worlds.hvac, "_ahead_c", lambda c, p, f, hours: right(c, p, f, 1 / 60))
    assert live(steady(WORLDS["hvac"](100, 1 / 60), air_c), policy, 300)[0] > 0


def steady(world, air_c):
    """The same weather for ever, and people at home."""
    now = world.rows(0)
    now = now._replace(
        air_c=torch.full_like(now.air_c, air_c),
        sun_kw_per_m2=torch.zeros_like(now.sun_kw_per_m2),
        away=torch.zeros_like(now.away),
    )
    world.rows = lambda tick: now
    return world


def test_a_burner_keeps_a_home_that_only_cools_by_electricity_warm():
    world = steady(WORLDS["hvac"](100, 1 / 12), -5.0)
    _, state = live(world, "nan", 300)
    fleet = world.fleet
    burns = (fleet.params.burner > 0) & world.some
    heat_set = fleet.agreement.heat_set_c
    assert burns.sum() > 20
    torch.testing.assert_close(state.house.air_c[0][burns], heat_set[burns])


def test_pre_cooling_ends_where_heating_would_begin_whatever_the_owner_allows():
    world = steady(WORLDS["hvac"](100, 1 / 12), 34.0)
    agreed = world.fleet.agreement
    agreed = agreed._replace(prepare_k=agreed.prepare_k + 4.0)
    world.fleet = world.fleet._replace(agreement=agreed)
    middle_c = 0.5 * (agreed.cool_set_c + agreed.heat_set_c)
    broken, state = live(world, "most", 300)
    managed = (world.fleet.cohort >= 0) & world.some
    assert broken == 0
    assert (state.house.air_c[0] >= middle_c - 1e-9)[managed].all()


def test_a_tank_whose_floor_is_wrong_is_seen(monkeypatch):
    world = WORLDS["water_heater"](200, 1 / 12)
    right = worlds.water_heater.floor_of_c
    monkeypatch.setattr(worlds.water_heater, "floor_of_c", lambda *parts: right(*parts) - 3.0)
    assert live(world, "least", 400)[0] > 0


def test_a_tank_that_forgets_its_weekly_heat_is_seen(monkeypatch):
    world = WORLDS["water_heater"](200, 1 / 12)
    never = worlds.water_heater.is_due
    monkeypatch.setattr(worlds.water_heater, "is_due", lambda *parts: never(*parts) & False)
    assert live(world, "least", 2100)[0] > 0


def test_the_weekly_heat_comes_in_time():
    world, overdue = WORLDS["water_heater"](200, 1 / 12), []
    live(world, "least", 2300, lambda b, f, outcome, m: overdue.append(outcome.overdue_h.sum()))
    assert float(sum(overdue)) == 0.0


def test_who_failed_flat_out_would_have_failed_anyhow():
    """What is booked as misfortune happened with the machine at its limit in the step itself."""
    world, seen = WORLDS["hvac"](200, 1 / 12), []

    def check(before, flex, outcome, moment):
        short = (outcome.short_k_h > 1e-9) & (world.fleet.cohort >= 0)
        seen.append(int(short.sum()))
        limit = flex.high_kw[short]
        torch.testing.assert_close(outcome.served.power_kw[short], limit, rtol=1e-6, atol=1e-6)

    live(world, "least", 400, check)


@KINDS
def test_a_step_can_be_scripted_and_differentiated(kind):
    world = WORLDS[kind](30, 1 / 12)
    share = torch.rand(1, 30, generator=world.generator, dtype=torch.float64)
    state = world.module.first_state(share, world.rows(0), world.fleet, 1 / 12)
    moment = world.module.moment_of(state, world.rows(3), world.fleet, 1 / 12)
    flex = world.module.flex(moment, world.fleet, 1 / 12)
    scripted = torch.jit.script(world.module.flex)(moment, world.fleet, 1 / 12)
    for one, other in zip(scripted, flex, strict=True):
        assert torch.equal(one, other)
    asked = (0.5 * (flex.low_kw + flex.high_kw)).requires_grad_()
    outcome = world.module.step(asked, flex, moment, world.fleet, 1 / 12)
    world.stored_kwh(outcome.state).sum().backward()
    free = (flex.high_kw - flex.low_kw > 1e-6) & (flex.cohort >= 0)
    assert asked.grad.isfinite().all()
    assert (asked.grad[free] != 0).all()
    assert (asked.grad[:, ~world.some] == 0).all()


def test_a_heat_pump_left_alone_draws_about_as_much_by_minutes_as_by_five():
    """Its resistance heat stays off where the pump is enough, however short the step."""
    used = {}
    for length in ("5 min", "1 min"):
        world = WORLDS["hvac"](300, STEPS_H[length])
        plain, mild = world.rows, []
        world.rows = lambda tick, plain=plain: plain(tick)._replace(
            air_c=torch.full((1, 1), 5.0, dtype=torch.float64),
            sun_kw_per_m2=torch.zeros(1, 1, dtype=torch.float64),
        )
        live(
            world,
            "nan",
            round(20 / world.dt_h),
            lambda b, f, o, m, kept=mild, w=world: kept.append(o.served.alone_kw.sum() * w.dt_h),
        )
        used[length] = float(sum(mild))
    assert used["1 min"] == pytest.approx(used["5 min"], rel=0.1)
