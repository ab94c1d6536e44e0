"""Depots and transformers: whatever is asked, a shared connection holds and guarantees are kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs import kernels
from vpp_envs.devices.ev import weather_factor
from vpp_envs.dispatch.modes import DISPATCH
from vpp_envs.fleet.connection import of_group
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import DEPOT_KINDS, FleetSpec
from vpp_envs.scenario import SCENARIOS
from vpp_envs.scenario_tables import sky_of
from vpp_envs.signals.synthetic.driving import stay_table
from vpp_envs.signals.synthetic.duty import duty_table
from vpp_envs.signals.weather import outdoor_c
from vpp_envs.signals.weather_settings import WeatherSpec
from vpp_envs.vector_env import FleetVectorEnv

POLICIES = {
    "random": lambda rng, shape: rng.uniform(-1, 1, shape),
    "bang-bang": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "not finite": lambda rng, shape: rng.choice([np.nan, np.inf, -np.inf, 0.3], shape),
    "all low": lambda rng, shape: np.full(shape, -1.0),
    "all high": lambda rng, shape: np.full(shape, 1.0),
}
FLEETS = {
    # Fewer chargers than buses, and a connection that most nights is too small for all of them.
    "tight buses": {"depot_charger_share": 0.5, "depot_power_share": 0.06, "v2g_share": 0.5},
    "buses": {},
    "vans": {"depot_kind": "delivery_van", "v2g_share": 0.2, "depot_power_share": 0.3},
    "street": {
        "depot_share": 0.2,
        "battery_share": 0.6,
        "solar_share": 0.8,
        "ev_share": 0.8,
        "managed_share": 0.8,
        "v2g_share": 0.5,
        "transformer_homes": 10,
        "transformer_kw": 4.0,
        "import_limit_kw": 24.0,
    },
}
FLEETS["waiting street"] = {
    **FLEETS["street"],
    "ev_midnight_share": 0.3,
    "ev_last_moment_share": 0.4,
}
BOOKS = ("infeasible", "site_short_kwh", "missed_kwh", "driven_kwh", "away_kwh")


def scenario(days=120, **fleet):
    spec = SCENARIOS["depots"]
    market = replace(spec.market, train_days=days)
    return replace(spec, fleet=replace(spec.fleet, **{"homes": 60, **fleet}), market=market)


@pytest.fixture
def seen(monkeypatch):
    """Every outcome and its moment, as the step made them."""
    steps, advance = [], kernels.advance

    def watched(set_points, moment, fleet, dt_h):
        outcome, ledger = advance(set_points, moment, fleet, dt_h)
        steps.append((moment, outcome))
        return outcome, ledger

    monkeypatch.setattr(kernels, "advance", watched)
    return steps


def play(env, policy, ticks, seen, seed=0):
    """Play a policy; what was booked, checking connection, chargers and guarantees every step."""
    rng = np.random.default_rng(seed)
    # From noon, so that vehicles come home, and outside the long holidays.
    days = np.linspace(45, len(env.scenario.start_ticks) - 2, env.num_envs).astype(int)
    env.reset(seed=seed, options={"start_ticks": days * 288 + 144})
    shared, shape = env._homes().shared, env.energy_kwh.shape

    def limit(column):
        return of_group(column.expand(shape), shared)

    tolerance_kw = 1e-9 if env.dtype == torch.float64 else 0.01
    booked = dict.fromkeys((*BOOKS, "broken", "site_excess_kwh", "waited"), 0.0)
    for _ in range(ticks):
        env.step(POLICIES[policy](rng, (env.num_envs, len(env.action_names))))
        (moment, outcome), totals = seen.pop(), env.last[1]
        net_kw = of_group(outcome.net_kw, shared)
        assert bool((-net_kw <= limit(shared.limit_kw) + tolerance_kw).all())
        over_kw = (net_kw - limit(shared.limit_kw)).clamp(min=0.0)
        # Only what nobody commands exceeds a limit: then cars stand still.
        forced = moment.load_kw - outcome.solar_output_kw
        managed = env.fleet.ev.agreement.managed > 0
        forced = of_group(forced + torch.where(managed, 0.0, outcome.ev.power_kw), shared)
        forced_kw = (forced - limit(shared.limit_kw)).clamp(min=0.0)
        assert bool((over_kw <= forced_kw + tolerance_kw).all())
        plugged = (moment.ev.session.hours_left > 0).double()
        chargers = (limit(shared.chargers) + 1e-6).floor()
        assert bool((of_group(plugged, shared) <= chargers).all())
        held_kw = moment.ev.state.sure_kw.clamp(min=0.0) * plugged
        sure_kw = limit(shared.sure_kw).clamp(min=0.0)
        assert bool((of_group(held_kw, shared) <= sure_kw + tolerance_kw).all())
        booked["waited"] += float((moment.ev.session.waits_h > 0).sum())
        for name in BOOKS:
            booked[name] += float(getattr(totals, f"ev_{name}").sum())
        for name in ("broken", "site_excess_kwh"):
            booked[name] += float(getattr(totals, name).sum())
        seen.clear()
    return booked


CASES = [(fleet, dispatch, "float32") for fleet in FLEETS for dispatch in DISPATCH]
CASES += [(fleet, "value_curve", "float64") for fleet in FLEETS]


@pytest.mark.parametrize(("fleet", "dispatch", "dtype"), CASES)
def test_no_policy_breaks_a_shared_connection_or_a_guarantee(fleet, dispatch, dtype, seen):
    env = FleetVectorEnv(scenario(**FLEETS[fleet]), 4, dispatch, dtype=dtype)
    for policy in ("random", "bang-bang", "not finite"):
        booked = play(env, policy, 90, seen)
        assert booked["broken"] == 0.0
        assert booked["missed_kwh"] == 0.0
        assert booked["driven_kwh"] > 100.0
        assert (booked["waited"] > 0) == (fleet == "tight buses")
        if fleet == "buses":
            # Loads of all vehicles' parts of a building are within their margin.
            assert booked["infeasible"] == booked["site_short_kwh"] == booked["away_kwh"] == 0.0
            assert booked["site_excess_kwh"] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_ten_million_vehicle_steps(policy, seen):
    """2e6 for each of five policies: days of the whole year, tight connections."""
    env = FleetVectorEnv(scenario(365, homes=500, **FLEETS["tight buses"]), 16)
    booked = play(env, policy, 250, seen)
    assert booked["broken"] == booked["missed_kwh"] == 0.0
    assert booked["infeasible"] > 0.0


def test_a_shared_connection_that_never_binds_changes_nothing():
    """Homes alone, and the same homes behind a transformer too large to matter: bit by bit."""
    homes = {"depot_share": 0.0, "battery_share": 0.7, "ev_share": 0.6, "solar_share": 0.5}
    alone = FleetVectorEnv(scenario(**homes), 3)
    # Guarantees leave room for all: chargers of their own.
    street = {"transformer_homes": 20, "transformer_kw": 1000.0}
    behind = FleetVectorEnv(scenario(**homes, **street), 3)
    assert alone.fleet.shared is None
    for env in (alone, behind):
        env.reset(seed=3)
    rng = np.random.default_rng(1)
    for _ in range(200):
        action = rng.uniform(-1, 1, (3, len(alone.action_names)))
        one, two = alone.step(action), behind.step(action)
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    assert torch.equal(alone.state.ev.energy_kwh, behind.state.ev.energy_kwh)


def test_vehicles_use_more_in_the_cold_and_in_the_heat_and_private_cars_as_ever():
    """By the air in which they return, in the years of a market with winters and hot summers."""
    env = FleetVectorEnv(scenario(days=365), 1)
    market, stay = env.scenario.market, env.scenario.cars.stay
    sky = sky_of(env.scenario.spec.market, market, env.scenario.spec.weather_seed, WeatherSpec())
    factor = weather_factor(outdoor_c(sky)).unsqueeze(-1)
    assert factor.min() == 1.0
    assert factor.max() > 1.05
    days = market.zone, market.start_utc, market.clock_ticks, env.scenario.spec.weather_seed
    drivers, duties = stay_table(*days), duty_table(*days)
    torch.testing.assert_close(stay[:, 3, :32], drivers[:, 3], rtol=0.0, atol=0.0)
    torch.testing.assert_close(stay[:, 3, 32:], duties[:, 3] * factor)
    assert stay[:, 3, 32:].sum() > 1.005 * duties[:, 3].sum()
    torch.testing.assert_close(stay[:, :3, 32:], duties[:, :3], rtol=0.0, atol=0.0)


def test_energy_of_vehicles_is_conserved(seen):
    env = FleetVectorEnv(scenario(), 4, "per_device", dtype="float64")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(150):
        before = env.state.ev.energy_kwh
        env.step(rng.uniform(-1, 1, (4, len(env.action_names))))
        cars = seen.pop()[1].ev
        stored_kw = torch.where(
            cars.power_kw > 0,
            cars.power_kw * env.fleet.ev.params.charge_eff,
            cars.power_kw / env.fleet.ev.params.discharge_eff,
        )
        after = before + stored_kw / 12 - cars.driven_kwh + cars.away_kwh
        written = (env.state.ev.energy_kwh - after).abs()
        assert bool((written <= cars.repair_kwh + 1e-9).all())
        assert float(cars.repair_kwh.max()) < 1e-9


def test_a_bus_that_waits_is_given_the_charger_of_one_that_left(seen):
    env = FleetVectorEnv(scenario(**FLEETS["tight buses"]), 2, dtype="float64")
    env.reset(seed=0)
    waited = torch.zeros_like(env.energy_kwh, dtype=torch.bool)
    served = 0
    for _ in range(400):
        env.step(np.zeros((2, len(env.action_names))))
        sure = env.state.ev.sure_kw
        served += int((waited & (sure > 0)).sum())
        waited = sure < 0
    assert served > 0


def test_who_leaves_without_having_had_a_charger_is_counted(seen):
    """What such a bus lacks was never promised, and is out of reach all the same."""
    env = FleetVectorEnv(scenario(depot_charger_share=0.1), 3, dtype="float64")
    env.reset(seed=0, options={"start_ticks": [day * 288 + 144 for day in (60, 62, 64)]})
    target_kwh, unserved = env.fleet.ev.agreement.target_kwh, 0
    for _ in range(250):
        env.step(np.zeros((3, len(env.action_names))))
        moment, outcome = seen.pop()
        session = moment.ev.session
        leaves = (session.waits_h > 0) & (session.ends > 0)
        lacks_kwh = (target_kwh - moment.ev.state.energy_kwh).clamp(min=0.0)
        torch.testing.assert_close(outcome.ev.infeasible_kwh[leaves], lacks_kwh[leaves])
        unserved += int((lacks_kwh[leaves] > 1.0).sum())
    assert unserved > 5


def test_drawn_homes_keep_connections_in_proportion():
    spec = scenario(homes=60)
    env = FleetVectorEnv(replace(spec, fleet_mix=FleetMix(homes=12, spread=0.0)), 4)
    env.reset(seed=0)
    shared = env._homes().shared
    assert shared.group.shape == (4, 12)
    assert int(shared.group.max()) < 12
    count = of_group(torch.ones(4, 12), shared)
    limit = of_group(shared.limit_kw, shared)
    np.testing.assert_allclose(limit / count, 0.4 * 60.0 + 3.5 * 0.3, rtol=1e-6)
    for _ in range(30):
        env.step(np.zeros((4, len(env.action_names))))


def test_places_are_the_same_in_every_fleet():
    spec = FleetSpec(homes=200, depot_share=0.5, ev_share=0.5)
    whole, part = sample_fleet(spec), sample_fleet(replace(spec, first_home=40, homes=60))
    for name in ("limit_kw", "sure_kw", "chargers"):
        full = getattr(whole.shared, name)[40:100]
        assert torch.equal(full, getattr(part.shared, name))
    assert torch.equal(whole.ev.params.capacity_kwh[40:100], part.ev.params.capacity_kwh)
    depots = (whole.shared.limit_kw < 1e5).reshape(10, 20)
    assert bool((depots.all(-1) == depots.any(-1)).all())
    assert 0 < int(depots.all(-1).sum()) < 10


def test_guarantees_leave_room_for_what_nobody_commands():
    """Loads of 95 in 100 intervals, cars not managed at full power, half of other ratings."""
    shares = {"ev_share": 0.7, "managed_share": 0.5, "hvac_share": 0.5, "water_heater_share": 0.5}
    fleet = sample_fleet(FleetSpec(homes=50, transformer_homes=10, transformer_kw=7.0, **shares))
    alone_kw = torch.where(fleet.ev.agreement.managed > 0, 0.0, fleet.ev.params.charge_kw)
    flexible_kw = fleet.flexible.hvac.rated_kw + fleet.flexible.water_heater.rated_kw
    firm_kw = 3.5 * fleet.load_mean_kw + alone_kw + 0.5 * flexible_kw
    assert 0 < int((alone_kw > 0).sum()) < 30
    torch.testing.assert_close(fleet.shared.sure_kw, 7.0 - firm_kw, rtol=1e-12, atol=1e-12)
    assert int((of_group(torch.ones(50), fleet.shared) == 10).sum()) == 50


@pytest.mark.parametrize("kind", DEPOT_KINDS)
def test_vehicles_are_within_the_ranges_of_their_kind(kind):
    """Packs, chargers and use of facts A3.4."""
    ranges = {
        "school_bus": ((155, 226), (0.68, 1.0), (19.2, 60.0)),
        "delivery_van": ((89, 135), (0.24, 0.35), (11.5, 19.2)),
        "municipal": ((60, 131), (0.17, 0.32), (7.2, 19.2)),
    }
    spec = FleetSpec(homes=400, depot_share=1.0, depot_kind=kind, v2g_share=0.5)
    params = sample_fleet(spec).ev.params
    columns = (params.capacity_kwh, params.drive_kwh_per_km, params.charge_kw)
    for column, (low, high) in zip(columns, ranges[kind], strict=True):
        assert low <= float(column.min()) <= float(column.max()) <= high
    assert float((params.discharge_kw > 0).double().mean()) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("depot_kind", "tram", "must be one of school_bus, delivery_van, municipal, got 'tram'"),
        ("depot_vehicles", 0, "depot_vehicles must lie between 1 and 1000"),
        ("depot_power_share", 0.0, "depot_power_share must lie between 0.05 and 1, got 0"),
        ("depot_charger_share", 2.0, "depot_charger_share must lie between 0.1 and 1, got 2"),
        ("depot_share", 1.5, "depot_share must lie between 0 and 1"),
        ("transformer_homes", -1, "transformer_homes must lie between 0"),
        ("transformer_kw", 0.1, "transformer_kw must lie between 0.5 and 1000"),
    ],
)
def test_connections_that_nobody_could_share_are_refused(field, value, sentence):
    with pytest.raises(ValueError, match=sentence):
        FleetSpec(**{field: value})
