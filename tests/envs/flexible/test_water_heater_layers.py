"""Tanks of two layers in the chain: the envelope of the mean keeps what was promised at the tap."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.envs.flexible.worlds import WaterHeaterWorld, live
from vpp_envs.devices.tank import Layers
from vpp_envs.flexible import water_heater
from vpp_envs.flexible.water_heater_layers import layers_now
from vpp_envs.flexible.water_heater_parts import TankState, WaterHeaterState

HOMES = 120
STEPS = pytest.mark.parametrize("dt_h", [1 / 12, 1 / 60])
ANY = pytest.mark.parametrize("policy", ["random", "bang-bang", "least", "most", "nan"])


def world_of(dt_h, which=None, messages=None, dtype=torch.float64):
    """A hostile world whose tanks have two layers: all by default."""
    world = WaterHeaterWorld(HOMES, dt_h, dtype)
    two = torch.ones(HOMES, dtype=dtype) if which is None else which.to(dtype)
    world.fleet = world.fleet._replace(layered=two, messages_only=messages)
    return world


def water_of(state):
    return layers_now(state.tank.temp_c, state.tank.above_k)


@STEPS
@ANY
@pytest.mark.parametrize("messages", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_tap_keeps_its_promise_whatever_is_asked(policy, dt_h, messages):
    """Not one K h below, where the single node of this world is below it in baths."""
    only = torch.ones(HOMES, dtype=torch.float64) if messages else None
    world = world_of(dt_h, messages=only)
    agreed, has = world.fleet.agreement, world.some
    hottest_k = torch.zeros(1, HOMES, dtype=torch.float64)

    def each(state, flex, outcome, moment):
        upper_c, lower_c = water_of(outcome.state)
        assert (upper_c >= lower_c - 1e-9).all()
        assert (upper_c[0, has] >= agreed.least_c[has]).all()
        torch.maximum(hottest_k, upper_c - agreed.most_c, out=hottest_k)

    broken, _ = live(world, policy, 100_000 // HOMES + 1, each)
    assert broken == 0
    # By the minute an element is on or off: at most the heat of a minute beyond.
    assert hottest_k[0, has].max() <= (1e-6 if dt_h > 0.05 else 1.0)


@STEPS
@ANY
def test_heat_in_is_heat_out_and_stored(policy, dt_h):
    world = world_of(dt_h, torch.arange(HOMES) % 2 == 0)

    def each(state, flex, outcome, moment):
        change_kwh = world.stored_kwh(outcome.state) - world.stored_kwh(state)
        assert (change_kwh - world.came_kwh(outcome)).abs()[0, world.some].max() < 1e-9

    live(world, policy, 300, each)


@pytest.mark.parametrize("policy", ["least", "nan"])
def test_once_a_week_the_bottom_is_hot_too(policy):
    world, coldest = world_of(1 / 12), torch.zeros(1, HOMES, dtype=torch.float64)

    def each(state, flex, outcome, moment):
        torch.maximum(coldest, water_of(outcome.state).lower_c, out=coldest)
        assert (outcome.overdue_h == 0).all()

    live(world, policy, 7 * 288 + 1, each)
    assert (coldest[0] >= world.fleet.agreement.hot_c - 2e-3)[world.some].all()


@given(
    upper_c=st.floats(43.0, 60.0),
    share=st.floats(0.0, 1.0),
    mixed_l=st.floats(0.0, 60.0),
    hot_l=st.floats(0.0, 30.0),
    asked=st.floats(0.0, 1.0),
    cool_h=st.floats(0.0, 168.0),
)
@settings(max_examples=60, deadline=None)
def test_any_power_between_the_edges_leaves_the_mean_within_them(
    upper_c, share, mixed_l, hot_l, asked, cool_h
):
    """From any stratification: above the floor or at full power, and the tap never above most."""
    world = world_of(1 / 12)
    fleet, none = world.fleet, torch.zeros(1, HOMES, dtype=torch.float64)
    upper = torch.minimum(none + upper_c, fleet.agreement.most_c)
    now = Layers(upper, 8.0 + share * (upper - 8.0))
    mean_c = (now.upper_c + 2.0 * now.lower_c) / 3.0
    tank = TankState(mean_c, none, none + cool_h, none, now.upper_c - mean_c)
    rows = world.rows(0)
    rows = rows._replace(
        mixed_l=torch.full_like(rows.mixed_l, mixed_l), hot_l=torch.full_like(rows.hot_l, hot_l)
    )
    moment = water_heater.moment_of(WaterHeaterState(tank, tank), rows, fleet, 1 / 12)
    flex = water_heater.flex(moment, fleet, 1 / 12)
    power_kw = flex.low_kw + asked * (flex.high_kw - flex.low_kw)
    outcome = water_heater.step(power_kw, flex, moment, fleet, 1 / 12)
    ended, has = outcome.state.tank, fleet.cohort >= 0
    heater = water_heater.first_of(moment.ahead.heater)
    flat_out = outcome.served.power_kw >= water_heater.most_kw(heater) - 1e-9
    safe = (ended.temp_c >= moment.ahead.floor_c[0] - 1e-9) | flat_out
    assert safe[0, has].all()
    assert (water_of(outcome.state).upper_c <= fleet.agreement.most_c + 1e-9)[0, has].all()
    assert not outcome.served.broken.any()


@STEPS
@ANY
def test_neighbours_of_one_node_live_as_without_them_to_the_bit(policy, dt_h):
    two, lives = torch.arange(HOMES) % 3 == 0, []
    for knows in (True, False):
        seen, world = [], world_of(dt_h, two)
        if not knows:
            world.fleet = world.fleet._replace(layered=None)

        def each(state, flex, outcome, moment, seen=seen):
            seen.append(torch.stack((flex.low_kw, flex.high_kw, outcome.state.tank.temp_c)))

        live(world, policy, 200, each)
        lives.append(torch.stack(seen))
    assert torch.equal(lives[0][..., ~two], lives[1][..., ~two])
    assert not torch.equal(lives[0], lives[1])


def test_who_is_not_asked_draws_no_less_heat_than_is_drawn_and_little_more():
    """Left alone for eight days: a tank of two layers and one of one take the same within 5 %."""
    kwh = []
    for two in (torch.ones(HOMES), torch.zeros(HOMES)):
        world, heat = world_of(1 / 12, two), []
        live(world, "nan", 8 * 288, lambda s, f, o, m, to=heat: to.append(o.heat_kwh.sum().item()))
        kwh.append(sum(heat))
    assert kwh[0] == pytest.approx(kwh[1], rel=0.05)


def test_a_step_can_be_differentiated_and_what_dispatch_is_told_scripted():
    world = world_of(1 / 12)
    share = torch.linspace(0.0, 1.0, HOMES, dtype=torch.float64).unsqueeze(0)
    state = water_heater.first_state(share, world.rows(0), world.fleet, 1 / 12)
    moment = water_heater.moment_of(state, world.rows(3), world.fleet, 1 / 12)
    flex = water_heater.flex(moment, world.fleet, 1 / 12)
    scripted = torch.jit.script(water_heater.flex)(moment, world.fleet, 1 / 12)
    for one, other in zip(scripted, flex, strict=True):
        assert torch.equal(one, other)
    asked = (0.5 * (flex.low_kw + flex.high_kw)).requires_grad_()
    outcome = water_heater.step(asked, flex, moment, world.fleet, 1 / 12)
    world.stored_kwh(outcome.state).sum().backward()
    free = (flex.high_kw - flex.low_kw > 1e-6) & (flex.cohort >= 0)
    assert asked.grad.isfinite().all()
    assert (asked.grad[free] != 0).all()
