"""Heaters that hear CTA-2045 messages alone: less is possible, and every promise holds."""

import pytest
import torch

from tests.envs.flexible.worlds import WaterHeaterWorld, live
from vpp_envs.devices.cta2045 import critical_peak
from vpp_envs.devices.water_heater import most_kw
from vpp_envs.flexible import water_heater
from vpp_envs.flexible.water_heater_thermostat import most_stored_c, own_thermostat

HOMES = 120
STEPS = pytest.mark.parametrize("dt_h", [1 / 12, 1 / 60])
HARD = pytest.mark.parametrize("policy", ["random", "bang-bang", "least", "most"])


def world_of(dt_h, which=None, dtype=torch.float64, seed=0):
    """A hostile world in which some homes hear messages alone: all by default."""
    world = WaterHeaterWorld(HOMES, dt_h, dtype, seed)
    only = torch.ones(HOMES, dtype=dtype) if which is None else which.to(dtype)
    world.fleet = world.fleet._replace(messages_only=only)
    return world


def any_power(fleet):
    return fleet._replace(messages_only=None)


@STEPS
@HARD
def test_edges_are_ordered_and_inside_those_of_any_power(policy, dt_h):
    world, narrower = world_of(dt_h), torch.zeros(2, dtype=torch.float64)

    def each(state, flex, outcome, moment):
        at = moment.ahead.state
        wide = water_heater.foresee(at, moment.draw, any_power(world.fleet), dt_h).edges
        edges = moment.ahead.edges
        assert (edges.low_kw <= edges.alone_kw).all()
        assert (edges.alone_kw <= edges.high_kw).all()
        assert (edges.low_kw >= wide.low_kw).all()
        assert (edges.high_kw <= wide.high_kw).all()
        assert torch.equal(edges.alone_kw, wide.alone_kw)
        widths = [(of.high_kw - of.low_kw)[0].sum() for of in (edges, wide)]
        narrower.add_(torch.stack(widths))

    live(world, policy, 300, each)
    assert 0.1 < narrower[0] / narrower[1] < 0.8


@STEPS
@HARD
def test_no_message_breaks_a_promise(policy, dt_h):
    """1e5 device-steps each; who is below the promise heats with all there is, by its power."""
    world, below = world_of(dt_h), []

    def each(state, flex, outcome, moment):
        cold = outcome.state.tank.temp_c < world.fleet.agreement.least_c - 1e-6
        limit = most_kw(moment.ahead.heater)[0]
        below.append(int((cold & world.some).sum()))
        torch.testing.assert_close(outcome.served.power_kw[cold], limit[cold])

    broken, _ = live(world, policy, 100_000 // HOMES + 1, each)
    assert broken == 0
    assert sum(below) > 0  # baths that no heater makes up do happen


@STEPS
def test_a_load_up_ends_at_the_set_point_and_an_advanced_one_at_the_most(dt_h):
    """Without a valve at the set-point, behind one at most 8 K beyond; a minute is all or none."""
    world, hottest = world_of(dt_h), torch.zeros(1, HOMES, dtype=torch.float64)
    agreed = world.fleet.agreement
    ceiling_c = torch.minimum(agreed.set_c + 8.0, agreed.most_c)
    assert torch.equal(most_stored_c(world.fleet), ceiling_c)
    one_step_k = 1.0 if dt_h < 1 / 12 else 1e-6

    def each(state, flex, outcome, moment):
        weekly = water_heater.is_due(
            state.tank.temp_c,
            state.tank.cool_h,
            water_heater.first_of(moment.ahead.heater),
            world.fleet,
        )
        fine = (state.tank.temp_c <= ceiling_c) & ~weekly
        torch.maximum(hottest, torch.where(fine, outcome.state.tank.temp_c, 0.0), out=hottest)

    live(world, "most", 600, each)
    managed = world.fleet.cohort >= 0
    assert (hottest[0] <= ceiling_c + one_step_k)[managed].all()
    assert (hottest[0] >= ceiling_c - 1.5 - one_step_k)[managed & (dt_h > 0.05)].all()


def test_the_weekly_heat_comes_under_a_permanent_shed():
    world = world_of(1 / 12)
    hot = torch.zeros(1, HOMES, dtype=torch.bool)

    def each(state, flex, outcome, moment):
        hot.logical_or_(outcome.state.tank.cool_h == 0)
        assert (outcome.overdue_h == 0).all()

    live(world, "least", 7 * 288 + 1, each)
    assert hot[0, world.some].all()


@STEPS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_left_alone_it_does_what_any_heater_does_alone_to_the_bit(dt_h, dtype):
    ends = []
    for only in (torch.ones(HOMES), torch.zeros(HOMES)):
        power_kw = []
        world = world_of(dt_h, only, dtype)
        live(world, "nan", 600, lambda s, f, outcome, m, to=power_kw: to.append(outcome.served))
        ends.append(torch.stack([torch.stack((one.power_kw, one.alone_kw)) for one in power_kw]))
        assert torch.equal(ends[-1][:, 0], ends[-1][:, 1])  # its twin, too
    assert ends[0].sum() > 0
    assert torch.equal(*ends)


@STEPS
@HARD
def test_twins_and_neighbours_of_any_power_are_as_without_it_to_the_bit(policy, dt_h):
    """Every third home hears messages alone; the others live as in a fleet that knows of none."""
    only = torch.arange(HOMES) % 3 == 0
    lives = []
    for fleet_knows in (True, False):
        seen = []
        world = world_of(dt_h, only)
        if not fleet_knows:
            world.fleet = any_power(world.fleet)

        def each(state, flex, outcome, moment, seen=seen):
            seen.append(torch.stack((flex.low_kw, flex.high_kw, outcome.state.tank.temp_c)))
            seen.append(outcome.state.alone.temp_c.expand_as(seen[-1]))

        live(world, policy, 300, each)
        lives.append(torch.stack(seen))
    ours, theirs = lives
    assert torch.equal(ours[..., ~only], theirs[..., ~only])
    assert torch.equal(ours[1::2], theirs[1::2])
    assert not torch.equal(ours[..., only], theirs[..., only])


@STEPS
@HARD
def test_heat_in_is_heat_out_and_stored(policy, dt_h):
    world, worst = world_of(dt_h), [0.0]

    def each(state, flex, outcome, moment):
        change_kwh = world.stored_kwh(outcome.state) - world.stored_kwh(state)
        off = (change_kwh - world.came_kwh(outcome)).abs()[0, world.some].max().item()
        worst[0] = max(worst[0], off)

    live(world, policy, 300, each)
    assert worst[0] < 1e-9


def still(world, temp_c, heating):
    """Edges of tanks of one temperature from which nobody draws."""
    none = torch.zeros(2, 1, HOMES, dtype=torch.float64)
    rows = world.rows(0)
    rows = rows._replace(mixed_l=0.0 * rows.mixed_l, hot_l=0.0 * rows.hot_l)
    state = water_heater.TankState(none + temp_c, none + heating, none, none)
    both = water_heater.WaterHeaterState(*(water_heater.first_of(state),) * 2)
    return water_heater.moment_of(both, rows, world.fleet, world.dt_h).ahead


def test_a_shed_that_has_begun_to_heat_ends_three_kelvin_above_its_start():
    """The contact that closed at the bottom opens 3 K further up; between, it need not close."""
    world = world_of(1 / 12)
    floor_c = still(world, 50.0, 0.0).floor_c[0, 0]
    deep = critical_peak(own_thermostat(world.fleet.agreement), floor_c)
    managed = (world.fleet.cohort >= 0) & (deep.set_c > deep.start_c + 2.9) & (floor_c < 47.0)
    managed &= deep.start_c >= floor_c - 1e-9
    assert managed.sum() > 20
    within = deep.start_c + 1.0
    assert (still(world, within, 0.0).edges.low_kw[0, 0, managed] == 0).all()
    assert (still(world, within, 1.0).edges.low_kw[0, 0, managed] > 0).all()
    above = deep.set_c + 0.1
    assert (still(world, above, 1.0).edges.low_kw[0, 0, managed] == 0).all()


def test_messages_wake_the_pump_and_not_the_element():
    """Any power makes resistance help; a thermostat calls for it 13 K below its set-point only."""
    world = world_of(1 / 12)
    pump = (world.fleet.cohort == 1) & (world.fleet.agreement.most_c >= 51.0)
    ahead = still(world, 48.5, 0.0)
    assert pump.sum() > 20
    high_kw = ahead.edges.high_kw[0, 0, pump]
    assert (high_kw <= ahead.heater.pump_kw[0, 0, pump] + 1e-12).all()
    assert (high_kw > 0).all()
    wide = water_heater.foresee(ahead.state, world_draw(world), any_power(world.fleet), 1 / 12)
    assert (wide.edges.high_kw[0, 0, pump] > 2.0 * high_kw).all()


def world_draw(world):
    none = torch.zeros(1, HOMES, dtype=torch.float64)
    rows = world.rows(0)
    air = (rows.mains_c, rows.ambient_c, rows.wet_bulb_c)
    return water_heater.Draw(none, none, *(column.expand_as(none) for column in air))


def test_a_load_up_before_a_shed_moves_what_the_evening_draws():
    """Two hours of load up and three of shed, against a heater that is left alone."""
    kwh = {}
    for name in ("alone", "moved"):
        world, power_kw = world_of(1 / 12), []
        share = torch.linspace(0.0, 1.0, HOMES, dtype=torch.float64).unsqueeze(0)
        state = world.module.first_state(share, world.rows(0), world.fleet, 1 / 12)
        for tick in range(60):
            moment = water_heater.moment_of(state, world.rows(tick), world.fleet, 1 / 12)
            flex = water_heater.flex(moment, world.fleet, 1 / 12)
            asked = flex.high_kw if tick < 24 else flex.low_kw
            asked = torch.full_like(asked, torch.nan) if name == "alone" else asked
            outcome = water_heater.step(asked, flex, moment, world.fleet, 1 / 12)
            power_kw.append(outcome.served.power_kw.sum().item())
            state = outcome.state
        kwh[name] = sum(power_kw[:24]) / 12, sum(power_kw[24:]) / 12
    assert kwh["moved"][0] > 1.5 * kwh["alone"][0]
    assert kwh["moved"][1] < 0.6 * kwh["alone"][1]


def test_what_dispatch_is_told_can_be_scripted():
    world = world_of(1 / 12)
    share = torch.linspace(0.0, 1.0, HOMES, dtype=torch.float64).unsqueeze(0)
    state = water_heater.first_state(share, world.rows(0), world.fleet, 1 / 12)
    moment = water_heater.moment_of(state, world.rows(3), world.fleet, 1 / 12)
    scripted = torch.jit.script(water_heater.flex)(moment, world.fleet, 1 / 12)
    for one, other in zip(scripted, water_heater.flex(moment, world.fleet, 1 / 12), strict=True):
        assert torch.equal(one, other)
