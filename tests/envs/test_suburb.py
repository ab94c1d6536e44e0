"""Water heaters and houses in the whole chain: meters, money, connections and commands."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.dispatch.envelope import battery_range
from vpp_envs.fleet.sampling import FleetSpec
from vpp_envs.simulator import SetPoints, step_site
from vpp_envs.transition import advance
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1 / 12
NO_BATTERY = {"battery_share": 0.0, "solar_share": 0.0, "export_limit_kw": None}
KINDS = {
    "water_heater": FleetSpec(homes=24, water_heater_share=1.0, **NO_BATTERY),
    "hvac": FleetSpec(homes=24, hvac_share=1.0, heat_pump_share=0.5, **NO_BATTERY),
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
        for kind in (outcome.flexible.water_heater, outcome.flexible.hvac):
            parts = parts + kind.served.power_kw
        torch.testing.assert_close(outcome.net_kw, parts, rtol=0, atol=1e-12)
        assert torch.equal(outcome.energy_kwh, env.energy_kwh)
        assert before is not env.state


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_dispatches_earns_nothing_and_costs_nothing(small_spec, kind):
    """The twin in the ledger is the device itself, as long as nobody has commanded it."""
    env, gap_kwh, drawn_kwh = started(replace(small_spec, fleet=KINDS[kind])), 0.0, 0.0
    nothing = torch.zeros_like(env.energy_kwh)
    for _ in range(96):
        asked = SetPoints(nothing, env.moment.solar_available_kw)
        outcome, ledger = advance(asked, env.moment, env.fleet, DT_H)
        served = getattr(outcome.flexible, kind).served
        own = served.power_kw == served.alone_kw
        gain = ledger.energy_market - ledger.site_passthrough
        assert (gain[own].abs() < 1e-12).all()
        gap_kwh += float((served.power_kw - served.alone_kw).abs().sum()) * DT_H
        drawn_kwh += float(served.alone_kw.sum()) * DT_H
        env.step_set_points(asked)
    assert drawn_kwh > 10.0
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
    first = min(i for i, n in enumerate(env.action_names) if "water" in n or "hvac" in n)
    alive = torch.zeros(count, dtype=torch.bool)
    for tick in range(288):
        if tick % 12 == 0:
            plain = env._kernels.command(
                torch.zeros(4, count).double(),
                env.moment,
                env._ahead(),
                env.tables,
                env.fleet,
                DT_H,
            )[0]
            for index in range(first, count):
                for side in (1.0, -1.0):
                    if alive[index]:
                        continue
                    action = torch.zeros(4, count).double()
                    action[:, index] = side
                    moved = env._kernels.command(
                        action, env.moment, env._ahead(), env.tables, env.fleet, DT_H
                    )[0]
                    alive[index] = any(
                        bool((one != other).any())
                        for one, other in zip(moved.flexible_kw, plain.flexible_kw, strict=True)
                    )
        env.step(acting(env, tick))
    absent = {
        name
        for name in env.action_names
        for kind in ("water_heater", "hvac")
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
