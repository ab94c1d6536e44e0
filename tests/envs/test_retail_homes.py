"""Homes behind a tariff, whole: tables, observation, actions, physics and settlement."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.dispatch.modes import dispatch_mode
from vpp_envs.dispatch.moment import car_moment
from vpp_envs.errors import InputError
from vpp_envs.forecast.protocol import LEADS
from vpp_envs.markets.bill import bill
from vpp_envs.observation import compress
from vpp_envs.scenario import SPLITS, build_scenario, scenario_spec
from vpp_envs.scenario_tables import market_signals, retailing, scenario_tariff
from vpp_envs.signals.randomised import Randomisation
from vpp_envs.transition import Totals, advance
from vpp_envs.vector_env import FleetVectorEnv

PASSED_ON = """
name: both ways
currency: AUD
zone: Australia/Adelaide
import: {wholesale_factor: 1.0}
export: {wholesale_factor: 1.0}
"""


@pytest.fixture(scope="module")
def passed_on(tariff_spec, tmp_path_factory):
    """A tariff that passes the wholesale price on in both directions, and nothing else."""
    path = tmp_path_factory.mktemp("tariff") / "passed_on.yaml"
    path.write_text(PASSED_ON)
    return replace(tariff_spec, tariff=str(path))


def started(spec, tick=0, days=2, rows=2, split="test", dispatch="value_curve", seed=7):
    env = FleetVectorEnv(
        *(spec, rows),
        split=split,
        dispatch=dispatch,
        dtype="float64",
        autoreset_mode="Disabled",
    )
    starts = torch.full((rows,), tick, dtype=torch.int64)
    env.reset(seed=seed, options={"start_ticks": starts, "episode_days": days})
    return env


def played(env, ticks, actions):
    """Totals of each interval and the meters' powers, as actions say."""
    totals, net_kw = [], []
    for _ in range(ticks):
        action = actions(env)
        set_points = dispatch_mode(env.dispatch)(action, env.moment, env.fleet, env.scenario.dt_h)
        outcome, _ = advance(set_points, env.moment, env.fleet, env.scenario.dt_h)
        net_kw.append(outcome.net_kw)
        env.step_set_points(set_points)
        totals.append(env.last[1])
    return Totals(*(torch.stack(part) for part in zip(*totals, strict=True))), torch.stack(net_kw)


def drawn():
    """Actions at random, the same whenever they are drawn anew."""
    draw = torch.Generator().manual_seed(1)

    def actions(env):
        shape = env.num_envs, len(env.action_names)
        return 2.0 * torch.rand(shape, generator=draw, dtype=torch.float64) - 1.0

    return actions


@pytest.mark.parametrize("name", ["example", "wholesale_au"])
def test_a_home_is_settled_as_its_bill_says(tariff_spec, repository, name):
    """Whatever is done: the energy lines of the bills over the same meters are the settlement.

    The day is 4 April 2010, of 25 hours.
    """
    tariff = name
    if name != "example":
        tariff = str(repository / "configs" / "tariff" / f"{name}.yaml")
    market = replace(tariff_spec.market, test_days=95)
    spec = replace(tariff_spec, market=market, tariff=tariff)
    scenario = build_scenario(spec, "test")
    first = int(scenario.start_ticks[93])
    ticks = 25 * 12
    env = started(spec, first, rows=1)
    totals, net_kw = played(env, ticks, drawn())
    dt_h = scenario.dt_h
    assert (net_kw > 0).any()
    assert (net_kw < 0).any()
    wholesale = market_signals(market, "test")
    billed = bill(
        scenario_tariff(tariff),
        wholesale.start_utc + np.timedelta64(300, "s") * first,
        300,
        (net_kw.clamp(min=0.0) * dt_h).sum((1, 2)),
        ((-net_kw).clamp(min=0.0) * dt_h).sum((1, 2)),
        wholesale.price_per_mwh[first : first + ticks],
    )
    energy = sum(line.amount for line in billed.lines if line.unit == "kWh")
    assert float(totals.energy_market.sum()) == pytest.approx(-energy, abs=1e-6)


def test_one_price_both_ways_is_the_wholesale_market(tariff_spec, passed_on):
    """Value, forecast, scale, and every interval of homes that do whatever comes to mind."""
    plain = replace(tariff_spec, tariff=None)
    ours, theirs = build_scenario(passed_on, "test"), build_scenario(plain, "test")
    torch.testing.assert_close(ours.market.price_per_mwh, theirs.market.price_per_mwh)
    assert torch.equal(ours.forecast.nodes_per_mwh, theirs.forecast.nodes_per_mwh)
    assert torch.equal(ours.curve, theirs.curve)
    assert torch.equal(ours.cars.curve, theirs.cars.curve)
    assert ours.market.price_scale == pytest.approx(theirs.market.price_scale)
    names = [name for name in ours.feature_names if name != "price/export"]
    assert names == list(theirs.feature_names)
    results = [played(started(spec, rows=1), 288, drawn()) for spec in (passed_on, plain)]
    for retail, wholesale in zip(*(result[0] for result in results), strict=True):
        torch.testing.assert_close(retail, wholesale, rtol=0.0, atol=1e-9)
    assert results[0][0].battery_kwh.abs().sum() > 1.0
    assert results[0][0].ev_kwh.abs().sum() > 1.0


def test_what_an_exported_kwh_earns_is_seen_on_the_scale_of_the_price(tariff_spec, tmp_path):
    path = tmp_path / "feed_in.yaml"
    path.write_text(PASSED_ON.replace("export: {", "export: {per_kwh: 0.07, "))
    spec = replace(tariff_spec, tariff=str(path))
    env = started(spec)
    scenario = env.scenario
    place = env.observation_names.index("price/export")
    for _ in range(30):
        export = scenario.export_per_kwh[env.tick] * 1000.0
        expected = compress(export, scenario.market.price_scale)
        np.testing.assert_allclose(env.observation[:, place].numpy(), expected, atol=1e-6)
        torch.testing.assert_close(env.moment.export_per_kwh[:, 0] * 1000.0, export)
        env.step(np.zeros(env.action_space.shape, np.float32))
    wholesale = scenario.market.price_per_mwh
    torch.testing.assert_close(scenario.export_per_kwh, wholesale / 1000.0 + 0.07)


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power"])
def test_every_action_does_something_and_nothing_seen_leaves_its_bounds(tariff_spec, dispatch):
    spec = replace(tariff_spec, fleet=replace(tariff_spec.fleet, homes=16))
    env = started(spec, rows=1, dispatch=dispatch)
    count = len(env.action_names)
    assert len(env.scenario.car_names) == 2
    assert len(env.scenario.cohorts) > 1
    pushes = torch.cat([torch.eye(count), -torch.eye(count)]).double()
    alive = torch.zeros(2 * count, dtype=torch.bool)
    mode, actions = dispatch_mode(dispatch), drawn()
    for tick in range(288):
        if tick % 6 == 0:
            several = map_rows(env.moment, 2 * count + 1)
            action = torch.cat([torch.zeros(1, count).double(), pushes])
            asked = mode(action, several, env.fleet, env.scenario.dt_h)
            asked = [part for part in asked if isinstance(part, torch.Tensor)]
            alive |= torch.stack([(part[1:] != part[:1]).any(-1) for part in asked]).any(0)
        seen, *_ = env.step(actions(env).float().numpy())
        assert env.observation_space.contains(seen)
        assert np.abs(seen).max() < 10.0
    dead = [env.action_names[i] for i in range(count) if not (alive[i] or alive[count + i])]
    assert dead == []


def map_rows(moment, rows):
    """The one row of a moment that many times."""

    def of(part):
        if part is None or not isinstance(part, torch.Tensor):
            return part if part is None else type(part)(*(of(inner) for inner in part))
        return part.expand(rows, *part.shape[1:]).clone()

    return type(moment)(*(of(part) for part in moment))


@pytest.mark.parametrize(
    ("worth", "sun", "charged"),
    [(0.04, 4.0, 0.0), (0.2, 4.0, 3.0), (0.2, 0.5, 0.0), (0.8, 4.0, None), (0.8, 0.0, None)],
)
def test_a_car_charges_from_sun_left_over_before_it_imports(tariff_spec, worth, sun, charged):
    """With a day to go and a load of 1 kW; import costs 0.55 and export pays 0.05."""
    env = started(tariff_spec, rows=1)
    ev, now = env.fleet.ev, env.moment
    same = torch.ones_like(now.load_kw)
    session = now.ev.session._replace(hours_left=24.0 * same, ends=0.0 * same)
    state = now.ev.state._replace(energy_kwh=0.7 * ev.params.capacity_kwh * same)
    curve = torch.full_like(now.ev.curve, worth)
    cars = car_moment(state, session, now.ev.rest_h, curve, ev, env.scenario.dt_h)
    now = now._replace(load_kw=same, solar_available_kw=sun * same, ev=cars)
    assert now.price_per_kwh.item() == pytest.approx(0.55)
    zero = torch.zeros(1, len(env.action_names), dtype=torch.float64)
    asked = dispatch_mode("value_curve")(zero, now, env.fleet, env.scenario.dt_h)
    managed = (ev.cohort >= 0) & (ev.params.discharge_kw == 0)
    assert bool(managed.any())
    expected = ev.params.charge_kw if charged is None else charged * torch.ones(8)
    torch.testing.assert_close(asked.ev_kw[0, managed], expected[managed].double())


@pytest.mark.parametrize("split", SPLITS)
def test_tables_behind_a_tariff_have_a_row_for_every_tick_and_issue(tariff_spec, split):
    scenario = build_scenario(tariff_spec, split)
    ticks = len(scenario.market.price_per_mwh)
    assert scenario.export_per_kwh.shape == (ticks,)
    assert scenario.features.shape == (ticks, scenario.feature_names.index("price/export") + 1)
    assert scenario.forecast.nodes_per_mwh.shape[:2] == (ticks // 6, LEADS)
    assert scenario.curve.shape[:2] == (ticks // 6, len(scenario.cohorts))
    assert bool(scenario.curve.isfinite().all())


def test_a_stored_kwh_is_worth_no_more_than_import_and_no_less_than_export(tariff_spec):
    """Up to losses: one buys it back at the one and is rid of it at the other."""
    curve = build_scenario(tariff_spec, "test").curve
    assert float(curve.max()) <= 0.55
    assert float(curve.min()) >= 0.0
    # In between it moves with the hour, and with what is stored.
    assert float(curve[..., 0].max() - curve[..., -1].min()) > 0.2


def test_what_a_fleet_stores_is_measured_at_the_homes_that_have_it(tariff_spec):
    fleet = build_scenario(tariff_spec, "test").fleet
    behind = retailing("example", fleet)
    with_battery = fleet.battery.discharge_kw > 0
    assert 0 < int(with_battery.sum()) < len(with_battery)
    usable = (fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh)[with_battery]
    assert behind.battery_kwh == pytest.approx(float(usable.mean()))
    assert behind.load_kw == pytest.approx(float(fleet.load_mean_kw.mean()))
    assert behind.discharge_h == pytest.approx(behind.battery_kwh / (1.4 * behind.load_kw))


def test_fixed_prices_are_no_wholesale_market_to_vary():
    spec = scenario_spec("solar_homes")
    with pytest.raises(InputError, match="leave one of the two away"):
        replace(spec, randomisation=Randomisation(copies=1))
