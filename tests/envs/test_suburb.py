"""Water heaters and houses in the whole chain: meters, money, connections and commands."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.dispatch.envelope import battery_range
from vpp_envs.dispatch.modes import dispatch_mode
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible.kinds import present
from vpp_envs.kernels import rows_at
from vpp_envs.scenario import build_scenario
from vpp_envs.serving import served_of
from vpp_envs.simulator import SetPoints, step_site
from vpp_envs.transition import advance
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1 / 12
NO_BATTERY = {"battery_share": 0.0, "solar_share": 0.0, "export_limit_kw": None}
KINDS = {
    "water_heater": FleetSpec(homes=24, water_heater_share=1.0, **NO_BATTERY),
    "hvac": FleetSpec(homes=24, hvac_share=1.0, heat_pump_share=0.5, **NO_BATTERY),
    **{
        name: FleetSpec(homes=24, **{f"{name}_share": 1.0}, **NO_BATTERY)
        for name in ("dishwasher", "washer", "dryer", "pool_pump")
    },
    "generator": FleetSpec(homes=24, generator_share=1.0, generator_permit_share=1.0, **NO_BATTERY),
}


def started(spec, rows=4, **arguments):
    env = FleetVectorEnv(spec, rows, dtype="float64", autoreset_mode="Disabled", **arguments)
    env.reset(seed=0, options={"start_ticks": torch.arange(rows) * 288})
    return env


def acting(env, tick):
    shape = (env.num_envs, len(env.action_names))
    return np.random.default_rng(tick).uniform(-1, 1, shape).astype(np.float32)


def test_a_meter_shows_the_sum_of_what_stands_behind_it(suburb_spec):
    env = started(suburb_spec)
    for tick in range(96):
        moment = env.moment
        before = env.state
        env.step(acting(env, tick))
        outcome = step_site(env.last[0], moment, env.fleet, DT_H)
        parts = moment.load_kw - outcome.solar_output_kw + outcome.battery_kw
        parts = parts + outcome.ev.power_kw
        for served in served_of(outcome.flexible):
            parts = parts + served.power_kw
        torch.testing.assert_close(outcome.net_kw, parts, rtol=0, atol=1e-12)
        assert torch.equal(outcome.energy_kwh, env.energy_kwh)
        assert before is not env.state


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_dispatches_earns_nothing_and_costs_nothing(small_spec, kind):
    """The twin in the ledger is the device itself, as long as nobody has commanded it."""
    env, gap_kwh, drawn_kwh = started(replace(small_spec, fleet=KINDS[kind])), 0.0, 0.0
    nothing = torch.zeros_like(env.energy_kwh)
    for _ in range(192):
        asked = SetPoints(nothing, env.moment.solar_available_kw)
        outcome, ledger = advance(asked, env.moment, env.fleet, DT_H)
        served = getattr(outcome.flexible, kind).served
        own = served.power_kw == served.alone_kw
        gain = ledger.energy_market - ledger.site_passthrough
        assert (gain[own].abs() < 1e-12).all()
        gap_kwh += float((served.power_kw - served.alone_kw).abs().sum()) * DT_H
        drawn_kwh += float(served.alone_kw.sum()) * DT_H
        env.step_set_points(asked)
    if kind == "generator":
        assert drawn_kwh == 0.0  # an engine that nobody asks stands still
    else:
        assert drawn_kwh > (10.0 if kind in ("water_heater", "hvac") else 1.0)
    assert gap_kwh == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_alone_earns_by_its_value_curve(small_spec, kind):
    """Against its own thermostats, over four days and rows, energy bought less included."""
    env = started(replace(small_spec, fleet=KINDS[kind], episode_days=2), rows=2)
    gain = 0.0
    for _ in range(2 * 288):
        env.step(np.zeros((2, len(env.action_names)), np.float32))
        totals = env.last[1]
        gain += float((totals.energy_market - totals.site_passthrough).sum())
    assert gain > 0.0


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power", "per_device"])
def test_every_component_of_an_action_moves_its_devices(suburb_spec, dispatch):
    env = started(suburb_spec, dispatch=dispatch)
    count = len(env.action_names)
    kinds = present(env.fleet.flexible)
    first = min(i for i, n in enumerate(env.action_names) if "water" in n)
    alive, mode = torch.zeros(count, dtype=torch.bool), dispatch_mode(dispatch)
    for tick in range(288):
        if not alive[first:].all():
            # Every second time at a price for which an engine starts.
            dear = 0.6 * (tick % 6 == 0)
            moment = env.moment._replace(price_per_kwh=env.moment.price_per_kwh + dear)
            plain = mode(torch.zeros(4, count).double(), moment, env.fleet, DT_H)
            for index in range(first, count):
                for side in (1.0, -1.0):
                    if alive[index]:
                        continue
                    action = torch.zeros(4, count).double()
                    action[:, index] = side
                    moved = mode(action, moment, env.fleet, DT_H)
                    alive[index] = any(
                        bool((one != other).any())
                        for one, other in zip(moved.flexible_kw, plain.flexible_kw, strict=True)
                    )
        env.step(acting(env, tick))
    absent = {
        name
        for name in env.action_names
        for kind in kinds
        if name.endswith(f"/{kind}")
        and getattr(env.fleet.flexible, kind).cohort[int(name.split("/")[0][5:])] < 0
    }
    dead = {env.action_names[i] for i in range(first, count) if not alive[i]} - absent
    assert dead == set()


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power", "per_device"])
def test_a_narrow_connection_holds_unless_promises_alone_exceed_it(suburb_spec, dispatch):
    fleet = replace(suburb_spec.fleet, homes=24, import_limit_kw=5.0)
    env = started(replace(suburb_spec, fleet=fleet), dispatch=dispatch)
    bound = 0
    for tick in range(288):
        moment = env.moment
        env.step(np.ones((4, len(env.action_names)), np.float32) if tick % 3 else acting(env, tick))
        outcome = step_site(env.last[0], moment, env.fleet, DT_H)
        assert not outcome.broken.any()
        must_kw = moment.load_kw + sum(flex.low_kw.clamp(min=0.0) for flex in moment.flexes)
        # A battery at its reserve makes up for its standing loss.
        keeps_kw = battery_range(moment.energy_kwh, env.fleet.battery, env.fleet.agreement, DT_H)[0]
        must_kw = must_kw + keeps_kw.clamp(min=0.0)
        forced_kw = (must_kw - env.fleet.agreement.import_limit_kw).clamp(min=0.0)
        over_kw = outcome.net_kw - env.fleet.agreement.import_limit_kw
        assert (over_kw <= forced_kw + 1e-9).all()
        bound += int((over_kw.abs() < 1e-6).sum())
    assert bound > 0


def test_curves_go_by_the_half_hour_and_all_else_by_the_tick(suburb_spec):
    tables = started(suburb_spec).tables
    rows = rows_at(tables, torch.tensor([0, 5, 6, 61]), torch.float64).flexible
    for kind in present(started(suburb_spec).fleet.flexible):
        part, table = getattr(rows, kind), getattr(tables.flexible, kind)
        for name, row, column in zip(part._fields, part, table, strict=True):
            at = [0, 0, 1, 10] if name == "curve" else [0, 5, 6, 61]
            assert torch.equal(row, column[at].double())


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power", "per_device"])
def test_batteries_are_told_what_the_other_devices_leave_them(suburb_spec, dispatch):
    fleet = replace(suburb_spec.fleet, homes=24, import_limit_kw=6.0)
    env = started(replace(suburb_spec, fleet=fleet), dispatch=dispatch)
    homes = 0
    for tick in range(96):
        moment = env.moment
        env.step(acting(env, tick))
        asked, outcome = env.last[0], step_site(env.last[0], moment, env.fleet, DT_H)
        # Where one kind used the room of another, the later ones see less than they were told.
        served = [part.power_kw for part in served_of(outcome.flexible)]
        pairs = zip([*asked.flexible_kw, asked.ev_kw], [*served, outcome.ev.power_kw], strict=True)
        told = torch.stack([(one - other).abs() < 1e-9 for one, other in pairs]).all(0)
        told = told & (env.fleet.cohort >= 0)
        torch.testing.assert_close(outcome.battery_kw[told], asked.battery_kw[told])
        homes += int(told.sum())
    assert homes > 2000


def test_totals_and_features_are_sums_over_the_devices(suburb_spec):
    env = started(suburb_spec)
    for tick in range(12):
        moment = env.moment
        env.step(acting(env, tick))
        flexible = step_site(env.last[0], moment, env.fleet, DT_H).flexible
        tanks, houses, totals = flexible.water_heater, flexible.hvac, env.last[1]
        machines, engines = (flexible.dishwasher, flexible.pool_pump), flexible.generator
        for total, part in (
            (totals.water_kwh, tanks.served.power_kw * DT_H),
            (totals.water_delivered_kwh, tanks.delivered_kwh),
            (totals.water_cold_kwh, tanks.cold_kwh),
            (totals.water_short_k_h, tanks.short_k_h),
            (totals.water_beyond_k_h, tanks.beyond_k_h),
            (totals.hvac_kwh, houses.served.power_kw * DT_H),
            (totals.discomfort_k_h, houses.discomfort_k_h),
            (totals.hvac_short_k_h, houses.short_k_h),
            (totals.appliance_kwh, sum(one.served.power_kw for one in machines) * DT_H),
            (totals.appliance_jobs, sum(one.came for one in machines)),
            (totals.appliance_late_jobs, sum(one.late for one in machines)),
            (totals.generator_kwh, -engines.served.power_kw * DT_H),
            (totals.generator_co2_kg, engines.co2_kg),
        ):
            torch.testing.assert_close(total, part.sum(-1))
        seen = dict(zip(env.observation_names, env.observation.T, strict=True))
        for flex, names in zip(
            env.moment.flexes, env.scenario.flexible_names.values(), strict=True
        ):
            for index, name in enumerate(names):
                mine = (flex.cohort == index).double()
                size = (flex.rated_kw * mine).sum(-1) + 1e-9
                for what in ("low", "high", "alone"):
                    expected = (getattr(flex, f"{what}_kw") * mine).sum(-1) / size
                    torch.testing.assert_close(seen[f"{name}/{what}"], expected, msg=name + what)
                mean = (flex.fill * mine).sum(-1) / mine.sum()
                torch.testing.assert_close(seen[f"{name}/fill_mean"], mean)


def test_a_promise_that_a_device_breaks_is_the_homes(suburb_spec, monkeypatch):
    env = started(suburb_spec)
    asked = SetPoints(torch.zeros_like(env.energy_kwh), env.moment.solar_available_kw)
    assert not step_site(asked, env.moment, env.fleet, DT_H).broken.any()
    everybody = torch.ones_like(env.energy_kwh) > 0
    monkeypatch.setattr("vpp_envs.simulator.promises_broken", lambda outcome: everybody)
    assert step_site(asked, env.moment, env.fleet, DT_H).broken.all()


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power", "per_device"])
def test_heaters_that_hear_messages_alone_keep_every_promise_in_all_modes(
    small_spec, dispatch, layered
):
    """A day under random actions; and they are a narrower plant than heaters of any power."""
    spread_kw = []
    for share in (1.0, 0.0):
        devices = {"messages_water_share": share, "layered_water": layered}
        fleet = replace(KINDS["water_heater"], **devices)
        env = started(replace(small_spec, fleet=fleet), dispatch=dispatch)
        width_kw = 0.0
        for tick in range(288):
            edges = env.moment.flexible.water_heater.ahead.edges
            width_kw += float((edges.high_kw - edges.low_kw)[0].sum())
            moment = env.moment
            env.step(acting(env, tick))
            assert not step_site(env.last[0], moment, env.fleet, DT_H).broken.any()
        spread_kw.append(width_kw)
    assert spread_kw[0] < 0.8 * spread_kw[1]


def test_a_class_is_numbered_by_its_place_among_those_that_training_homes_have(small_spec):
    fleet = replace(KINDS["water_heater"], heat_pump_water_share=1.0, thermostat_share=0.7)
    scenario = build_scenario(replace(small_spec, fleet=fleet), "train")
    assert scenario.flexible_names == {"water_heater": ("water_heat_pump",)}
    assert set(scenario.fleet.flexible.water_heater.cohort.tolist()) == {0, -1}
    assert scenario.flexible.water_heater.curve.shape[1] == 1
