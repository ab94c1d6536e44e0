"""When cars charge that nobody commands: at once, from midnight, or at the last moment."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch

from vpp_envs.dispatch.ev_envelope import required_kwh
from vpp_envs.fleet.fleet import AT_ONCE, LAST_MOMENT, MIDNIGHT
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.kernels import rests_now
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.signals.market import MarketSpec
from vpp_envs.simulator import SetPoints
from vpp_envs.transition import advance
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1 / 12
# Connections wide enough for all that a home has, so that nothing but habits moves a car.
CARS = {"battery_share": 0.0, "solar_share": 0.3, "ev_share": 1.0, "import_limit_kw": 60.0}
HABITS = {
    "at once": {},
    "midnight": {"ev_midnight_share": 1.0},
    "last moment": {"ev_last_moment_share": 1.0},
    "GMLC's": {"ev_midnight_share": 0.3, "ev_last_moment_share": 0.3},
}


def spec_of(homes=40, habits="GMLC's", days=16, **fleet):
    market = MarketSpec(train_days=days, validation_days=2, test_days=2)
    fleet = FleetSpec(homes=homes, seed=4, **{**CARS, **HABITS[habits], **fleet})
    return ScenarioSpec(market=market, fleet=fleet, episode_days=days - 4)


def started(spec, rows=2, dtype="float64", **arguments):
    env = FleetVectorEnv(spec, rows, dtype=dtype, autoreset_mode="Disabled", **arguments)
    env.reset(seed=0, options={"start_ticks": torch.arange(rows) * 288 + 144})
    return env


def nobody(env):
    """Set-points that leave every car to its driver."""
    rest = torch.zeros_like(env.energy_kwh)
    return SetPoints(rest, env.moment.solar_available_kw, rest + torch.nan)


def left_alone(env, ticks):
    """What happens when nobody commands a car, step by step: moment, outcome, ledger."""
    for _ in range(ticks):
        moment, asked = env.moment, nobody(env)
        yield moment, *advance(asked, moment, env.fleet, DT_H)
        env.step_set_points(asked)


CONNECTIONS = {
    "own": {"managed_share": 0.5},
    # The last car of a street is guaranteed less than its charger draws.
    "street": {"transformer_homes": 4, "transformer_kw": 9.0, "import_limit_kw": 24.0},
}


@pytest.mark.parametrize("habits", HABITS)
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_the_twin_of_a_car_that_nobody_commands_is_the_car_itself(habits, connection):
    """Tick by tick: what is settled beside a fleet is what it would have done alone."""
    env, charging = started(spec_of(24, habits, **CONNECTIONS[connection])), 0
    apart = torch.zeros_like(env.energy_kwh).bool()
    for _, outcome, ledger in left_alone(env, 4 * 288):
        cars = outcome.ev
        # A shared limit cuts a car, and never its twin: from there on they differ.
        apart = apart | ((cars.power_kw < cars.alone_kw - 1e-9) & (connection == "street"))
        together = ~apart
        gap_kw = (cars.power_kw - cars.alone_kw)[together].abs()
        gap_kwh = (cars.state.energy_kwh - cars.state.alone_kwh)[together].abs()
        gain = (ledger.energy_market - ledger.site_passthrough)[together].abs()
        assert max(float(gap.max()) for gap in (gap_kw, gap_kwh, gain)) < 1e-9
        charging += int((cars.power_kw > 0)[together].sum())
        assert not outcome.broken.any()
        assert float(cars.missed_kwh.max()) == 0.0
    assert charging > 500


@pytest.mark.parametrize("habits", HABITS)
def test_what_is_asked_of_a_car_is_nothing_to_its_twin(habits):
    """Emptied or filled whenever that is possible, the cars have the same twins."""
    alone = []
    for asked_kw in (-50.0, 50.0):
        env, seen = started(spec_of(24, habits, v2g_share=1.0)), []
        for _ in range(288):
            set_points = nobody(env)._replace(ev_kw=torch.full_like(env.energy_kwh, asked_kw))
            outcome, _ = advance(set_points, env.moment, env.fleet, DT_H)
            seen.append(torch.stack([outcome.ev.alone_kw, outcome.ev.state.alone_kwh]))
            env.step_set_points(set_points)
        alone.append(torch.stack(seen))
        stored_kwh = env.state.ev.energy_kwh
        assert (stored_kwh - env.state.ev.alone_kwh).abs().max() > 5.0
    torch.testing.assert_close(*alone, rtol=0.0, atol=0.0)


@pytest.fixture(scope="module")
def by_hour():
    """Energy of 500 cars by the local hour, of each habit alone over five weekdays. [kWh]"""
    drawn = {}
    for habits in ("at once", "midnight", "last moment"):
        env = started(spec_of(500, habits), rows=1, dtype="float32")
        hour = env.scenario.market.hour.long()
        kwh, forced_kwh = torch.zeros(24), 0.0
        for moment, outcome, _ in left_alone(env, 5 * 288):
            at = int(hour[int(env.tick[0])])
            power_kw = outcome.ev.power_kw
            kwh[at] += float(power_kw.sum()) * DT_H
            if at >= 12:
                forced_kwh += float(moment.ev.own.low_kw.clamp(min=0.0).sum()) * DT_H
        drawn[habits] = kwh, forced_kwh
    return drawn


@pytest.mark.slow
def test_a_timer_moves_the_evening_behind_midnight(by_hour):
    """It draws in the afternoon and the evening what keeps its promise in reach, and no more."""
    (at_once, _), (midnight, forced_kwh) = by_hour["at once"], by_hour["midnight"]
    evening = float(at_once[16:].sum() / at_once.sum())
    assert 0.5 < evening < 0.8
    assert float(midnight[12:].sum()) == pytest.approx(forced_kwh, rel=1e-5)
    assert float(midnight[12:].sum() / midnight.sum()) < 0.35
    assert int(midnight.argmax()) == 0
    assert float(midnight[0]) > 2.0 * float(at_once.max())
    # Who waits drives no less.
    assert float(midnight.sum()) == pytest.approx(float(at_once.sum()), rel=0.05)


@pytest.mark.slow
def test_the_last_moment_lies_in_the_morning(by_hour):
    """Commuters leave at 7.5 +- 1.2 h; what they need has been charged just before."""
    (at_once, _), (late, _) = by_hour["at once"], by_hour["last moment"]
    assert int(late.argmax()) in (6, 7)
    assert float(late[4:9].sum() / late.sum()) > 2.0 * float(at_once[4:9].sum() / at_once.sum())
    # On Saturday noon some still wait for what others have had.
    assert 0.90 * float(at_once.sum()) < float(late.sum()) < float(at_once.sum())


def test_a_car_that_rests_stores_what_its_promise_needs_and_not_a_least_step_more():
    env, moved = started(spec_of(habits="last moment", v2g_share=0.0)), 0
    ev = env.fleet.ev
    step_kwh = ev.params.least_charge_kw * ev.params.charge_eff * DT_H
    for moment, outcome, _ in left_alone(env, 4 * 288):
        cars, least = outcome.ev, required_kwh(moment.ev.state, moment.ev.session, ev, DT_H)
        charges = cars.power_kw > 0
        after_kwh = moment.ev.state.energy_kwh + cars.power_kw * ev.params.charge_eff * DT_H
        assert (after_kwh <= least + step_kwh + 1e-9)[charges].all()
        moved += int(charges.sum())
    assert moved > 1000


def test_who_rests_when():
    habit = torch.tensor([AT_ONCE, MIDNIGHT, LAST_MOMENT])
    noon = torch.tensor([[0.0], [1.0]])
    assert rests_now(habit, noon).tolist() == [[False, False, True], [False, True, True]]


def test_noon_is_the_markets_and_nobody_asks_for_it_where_nobody_waits():
    cars = build_scenario(spec_of(8), "train").cars
    local = build_scenario(spec_of(8), "train").market.hour
    assert torch.equal(cars.afternoon[:, 0] > 0, (local >= 12) & (local < 24))
    assert float(cars.afternoon.mean()) == pytest.approx(0.5, abs=0.001)
    assert build_scenario(spec_of(8, "at once"), "train").cars.afternoon is None


POLICIES = {
    "random": lambda rng, shape: rng.uniform(-1, 1, shape),
    "bang-bang": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "not finite": lambda rng, shape: rng.choice([np.nan, np.inf, -np.inf, 0.3], shape),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mode", ["value_curve", "cohort_power", "per_device"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_promises_are_kept_to_drivers_of_every_habit(hostile_env, policy, mode, dtype):
    """Slow chargers, short stays, long trips, weak connections: 0 broken, 0 missed."""
    env = hostile_env(4, habits=True, dispatch=mode, dtype=dtype)
    assert env.fleet.ev.habit.unique().tolist() == [0, 1, 2]
    env.reset(seed=1, options={"start_ticks": [0, 144, 700, 1200]})
    rng, shape = np.random.default_rng(2), (4, len(env.action_names))
    driven_kwh = 0.0
    for _ in range(250):
        env.step(POLICIES[policy](rng, shape))
        totals = env.last[1]
        assert float(totals.broken.sum()) == float(totals.ev_missed_kwh.sum()) == 0.0
        driven_kwh += float(totals.ev_driven_kwh.sum())
    assert driven_kwh > 100.0


@pytest.mark.parametrize("policy", ["habits", "random"])
def test_set_points_that_are_no_numbers_keep_every_promise(hostile_env, policy):
    env = hostile_env(4, habits=True)
    env.reset(seed=3, options={"start_ticks": [0, 144, 700, 1200]})
    draw, rests = torch.Generator().manual_seed(0), 0
    for _ in range(400):
        asked = nobody(env)
        if policy == "random":
            car_kw = 24.0 * torch.rand(asked.ev_kw.shape, generator=draw) - 12.0
            silent = torch.rand(asked.ev_kw.shape, generator=draw) < 0.5
            asked = asked._replace(ev_kw=torch.where(silent, torch.nan, car_kw))
        session = env.moment.ev.session
        rests += int((session.rests & (session.hours_left > 0)).sum())
        env.step_set_points(asked)
        totals = env.last[1]
        assert float(totals.broken.sum()) == float(totals.ev_missed_kwh.sum()) == 0.0
    assert rests > 1000


def test_an_outage_takes_from_those_who_wait_what_it_takes_and_no_promise_is_broken():
    often = OutageSpec(feeders=4, interruptions_a_year=200.0)
    env, dark_h = started(replace(spec_of(), outages=often)), 0.0
    for _, outcome, _ in left_alone(env, 4 * 288):
        assert not outcome.broken.any()
        assert float(outcome.ev.missed_kwh.max()) == 0.0
        assert (outcome.ev.alone_kw[outcome.out > 0] == 0).all()
        dark_h += float(outcome.out.sum()) * DT_H
    assert dark_h > 10.0


def test_habits_that_all_charge_at_once_are_no_habits_to_the_bit():
    spec = spec_of(habits="at once")
    plain, scenario = started(spec), build_scenario(spec, "train")
    ev = scenario.fleet.ev._replace(habit=torch.zeros_like(scenario.fleet.ev.cohort))
    cars = replace(scenario.cars, afternoon=torch.ones(len(scenario.features), 1))
    same = replace(scenario, fleet=scenario.fleet._replace(ev=ev), cars=cars)
    with mock.patch("vpp_envs.vector_env.build_scenario", return_value=same):
        waiting = started(spec)
    assert plain.moment.ev.session.rests is None
    assert waiting.moment.ev.session.rests is not None
    rng, shape = np.random.default_rng(0), (2, len(plain.action_names))
    for _ in range(100):
        action = rng.uniform(-1, 1, shape)
        plain.step(action)
        waiting.step(action)
        for one, other in zip(plain.state.ev, waiting.state.ev, strict=True):
            assert one is other is None or torch.equal(one, other)


@pytest.mark.parametrize("mix", [FleetMix(), FleetMix(homes=6)], ids=["all homes", "drawn homes"])
def test_row_i_of_a_batch_is_the_single_environment_with_habits_too(mix):
    spec = replace(spec_of(12, days=6), fleet_mix=mix)
    batch = FleetVectorEnv(spec, 3)
    batch.reset(seed=5)
    singles = [FleetVectorEnv(spec, 1) for _ in range(3)]
    for row, single in enumerate(singles):
        single.reset(seed=5 + row)
    rng = np.random.default_rng(0)
    for _ in range(60):
        action = rng.uniform(-1, 1, (3, len(batch.action_names)))
        batch.step(action)
        for row, single in enumerate(singles):
            single.step(action[row : row + 1])
            rests = batch.moment.ev.session.rests[row]
            assert torch.equal(rests, single.moment.ev.session.rests[0])
            assert torch.equal(batch.state.ev.alone_kwh[row], single.state.ev.alone_kwh[0])
