"""Outages in the whole chain: islands, meters that stand still, and promises kept all the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.communication.settings import LinkSpec
from vpp_envs.devices.battery import stored_change_kwh
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible.kinds import present
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.settings import PeopleSpec
from vpp_envs.serving import served_of
from vpp_envs.simulator import SetPoints, step_site
from vpp_envs.transition import advance
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1 / 12
# Hundreds of times what is usual: every feeder is away for hours in every few days.
OFTEN = OutageSpec(feeders=6, interruptions_a_year=500.0, mean_h=2.5)
ALL = {
    "people": PeopleSpec(enrolled_share=0.9, event_days=4, opt_out=0.2, override_per_h=0.3),
    "links": LinkSpec(kinds=8, online=0.8),
    "outages": OFTEN,
}
NO_SUN = {"battery_share": 0.0, "solar_share": 0.0, "export_limit_kw": None}
KINDS = {
    "ev": FleetSpec(homes=24, ev_share=1.0, **NO_SUN),
    "water_heater": FleetSpec(homes=24, water_heater_share=1.0, **NO_SUN),
    "hvac": FleetSpec(homes=24, hvac_share=1.0, heat_pump_share=0.5, **NO_SUN),
    "dishwasher": FleetSpec(homes=24, dishwasher_share=1.0, **NO_SUN),
    "pool_pump": FleetSpec(homes=24, pool_pump_share=1.0, **NO_SUN),
    "generator": FleetSpec(homes=24, generator_share=1.0, generator_permit_share=1.0, **NO_SUN),
}


@pytest.fixture(scope="module")
def dark_spec(suburb_spec):
    return replace(suburb_spec, fleet=replace(suburb_spec.fleet, homes=20), outages=OFTEN)


def started(spec, rows=4, dispatch="value_curve", dtype="float64", **arguments):
    env = FleetVectorEnv(
        spec, rows, dispatch=dispatch, dtype=dtype, autoreset_mode="Disabled", **arguments
    )
    env.reset(seed=0, options={"start_ticks": torch.arange(rows) % 3 * 288})
    return env


def acting(env, tick, bang=False):
    draw = np.random.default_rng(tick)
    shape = (env.num_envs, len(env.action_names))
    action = draw.choice([-1.0, 1.0], shape) if bang else draw.uniform(-1, 1, shape)
    return action.astype(np.float32)


def test_a_dark_home_has_no_meter_and_its_battery_balances(dark_spec):
    env = started(dark_spec)
    battery, reserve_kwh = env.fleet.battery, env.fleet.agreement.reserve_kwh
    dark_ticks, used_reserve, unserved_kwh = 0, 0, 0.0
    for tick in range(250):
        moment = env.moment
        before = env.state
        env.step(acting(env, tick))
        outcome, ledger = advance(env.last[0], moment, env.fleet, DT_H)
        assert torch.equal(outcome.energy_kwh, env.energy_kwh)
        out = moment.out > 0
        island = outcome.island
        for flow in (outcome.net_kw, outcome.ev.power_kw, outcome.ev.alone_kw):
            assert (flow[out] == 0).all()
        kinds = zip(present(env.fleet.flexible), served_of(outcome.flexible), strict=True)
        for kind, served in kinds:
            assert (served.alone_kw[out] == 0).all()
            assert kind == "generator" or (served.power_kw[out] == 0).all()
        engine_kw = -outcome.flexible.generator.served.power_kw
        assert (island.generator_kw <= engine_kw)[out].all()
        for money in ledger:
            assert (money[out] == 0).all()
        changed_kwh = stored_change_kwh(outcome.battery_kw, battery, DT_H) + island.spared_kwh
        gap_kwh = before.energy_kwh + changed_kwh - outcome.energy_kwh
        assert gap_kwh[out].abs().max() < 1e-9 if out.any() else True
        given_kw = outcome.solar_output_kw - outcome.battery_kw + island.unserved_kwh / DT_H
        given_kw = given_kw + island.generator_kw
        torch.testing.assert_close(given_kw[out], moment.load_kw[out], rtol=0, atol=1e-9)
        assert not moment.may[out].any()
        below = outcome.energy_kwh < torch.minimum(reserve_kwh, before.energy_kwh) - 0.05
        used_reserve += int((below & out).sum())
        assert not (below & ~out).any()
        totals = env.last[1]
        torch.testing.assert_close(totals.outage_h, out.sum(-1) * DT_H, check_dtype=False)
        assert (totals.backup_h <= totals.outage_h + 1e-9).all()
        unserved_kwh += float(totals.unserved_kwh.sum())
        dark_ticks += int(out.sum())
    assert dark_ticks > 500
    assert used_reserve > 20
    assert unserved_kwh > 10.0


def test_an_engine_carries_its_home_through_an_outage_on_its_fuel(small_spec):
    """Without a permit; afterwards it rests, and no hour of it counts for others."""
    fleet = replace(KINDS["generator"], generator_permit_share=0.0, battery_share=0.5)
    env = started(replace(small_spec, fleet=fleet, outages=OFTEN))
    params = env.fleet.flexible.generator.params
    load_kwh, given_kwh, burnt_kwh = 0.0, 0.0, 0.0
    for tick in range(250):
        moment, before = env.moment, env.state.flexible.generator
        env.step(acting(env, tick))
        outcome, after = step_site(env.last[0], moment, env.fleet, DT_H), env.state
        engines, out = outcome.flexible.generator, moment.out > 0
        after = after.flexible.generator
        assert torch.equal(after.run_s, before.run_s)
        assert (after.on == 0).all()
        assert (engines.output_kwh[~out] == 0).all()
        runs = engines.output_kwh > 0
        assert (engines.output_kwh >= params.least_kw * DT_H - 1e-9)[runs].all()
        assert torch.equal(runs & out, runs)
        piped = params.piped.expand_as(out) > 0
        burnt_l = before.fuel_l - after.fuel_l
        torch.testing.assert_close(burnt_l[~piped], engines.fuel_l[~piped], rtol=0, atol=1e-9)
        load_kwh += float(outcome.island.load_kwh[out].sum())
        given_kwh += float((outcome.island.generator_kw * DT_H)[out].sum())
        burnt_kwh += float(engines.output_kwh.sum())
        assert float(env.last[1].broken.sum()) == 0.0
    assert load_kwh > 50.0
    assert 0.8 * load_kwh < given_kwh <= load_kwh  # some tanks run dry
    assert burnt_kwh > given_kwh  # small loads do not fill an engine


def test_homes_with_the_grid_do_not_feel_an_outage_elsewhere(dark_spec):
    """Until its own first outage a home lives as in a world without any."""
    dark, lit = started(dark_spec), started(replace(dark_spec, outages=OutageSpec()))
    never = torch.ones_like(dark.energy_kwh, dtype=torch.bool)
    for tick in range(96):
        never = never & (dark.moment.out <= 0)
        # A price curve is the same for all, and so is the action: homes are on their own.
        action = acting(dark, tick)
        dark.step(action)
        lit.step(action)
        assert torch.equal(dark.energy_kwh[never], lit.energy_kwh[never])
        assert torch.equal(dark.state.ev.energy_kwh[never], lit.state.ev.energy_kwh[never])
    assert 5 < int(never.sum()) < never.numel() - 5


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_dispatches_earns_nothing_with_outages_either(small_spec, kind):
    """The twin in the ledger goes dark with the device, and needs as much afterwards."""
    env = started(replace(small_spec, fleet=KINDS[kind], outages=OFTEN))
    nothing = torch.zeros_like(env.energy_kwh)
    drawn_kwh, dark = 0.0, 0
    for _ in range(240):
        asked = SetPoints(nothing, env.moment.solar_available_kw)
        outcome, ledger = advance(asked, env.moment, env.fleet, DT_H)
        gain = ledger.energy_market - ledger.site_passthrough
        assert (gain.abs() < 1e-12).all()
        assert not outcome.broken.any()
        drawn_kwh += float((outcome.net_kw - env.moment.load_kw)[env.moment.out <= 0].sum()) * DT_H
        dark += int((env.moment.out > 0).sum())
        env.step_set_points(asked)
    assert dark > 500
    assert drawn_kwh > 1.0 or kind == "generator"


@pytest.mark.parametrize("bang", [False, True], ids=["random", "bang_bang"])
@pytest.mark.parametrize("homes", ["mixed", "suburb"])
@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power", "per_device"])
def test_promises_are_kept_with_people_links_and_outages(
    car_spec, suburb_spec, homes, dispatch, bang
):
    spec = {"mixed": car_spec, "suburb": suburb_spec}[homes]
    spec = replace(spec, fleet=replace(spec.fleet, homes=20), **ALL)
    env = started(spec, dispatch=dispatch, dtype="float32" if bang else "float64")
    reserve_kwh, excused_kwh, outages, left_alone = env.fleet.agreement.reserve_kwh, 0.0, 0.0, 0
    for tick in range(288):
        before, out = env.energy_kwh, env.moment.out > 0
        left_alone += int((~env.moment.may).sum())
        env.step(acting(env, tick, bang))
        totals = env.last[1]
        assert float(totals.broken.sum()) == 0.0
        assert float(totals.ev_missed_kwh.sum()) == 0.0
        # From what was above the reserve no command takes below it.
        kept = (before >= reserve_kwh) & ~out
        assert (env.energy_kwh >= reserve_kwh - 1e-4)[kept].all()
        excused_kwh += float(totals.ev_site_short_kwh.sum())
        outages += float(totals.outage_h.sum())
    assert outages > 50.0
    assert left_alone > 1000
    assert excused_kwh >= 0.0


def test_a_car_that_an_outage_kept_from_charging_is_excused(car_spec):
    fleet = replace(car_spec.fleet, homes=40, ev_share=1.0, battery_share=0.0)
    env = started(replace(car_spec, fleet=fleet, outages=OFTEN), rows=6)
    without = started(replace(car_spec, fleet=fleet), rows=6)
    excused = {"dark": 0.0, "lit": 0.0}
    for _ in range(288):
        for name, one in (("dark", env), ("lit", without)):
            late = np.full((6, len(one.action_names)), -1.0, np.float32)  # as late as promised
            one.step(late)
            excused[name] += float(one.last[1].ev_site_short_kwh.sum())
            assert float(one.last[1].ev_missed_kwh.sum()) == 0.0
            assert float(one.last[1].broken.sum()) == 0.0
    assert excused["dark"] > excused["lit"] + 20.0


def test_a_battery_that_was_used_up_recharges_to_its_reserve_afterwards(small_spec):
    fleet = replace(small_spec.fleet, homes=30, battery_share=1.0, solar_share=0.0)
    env = started(replace(small_spec, fleet=fleet, outages=OFTEN))
    reserve_kwh, recharged = env.fleet.agreement.reserve_kwh, 0
    for tick in range(250):
        moment = env.moment
        below = (moment.energy_kwh < reserve_kwh - 0.1) & (moment.out <= 0)
        action = acting(env, tick, bang=True)
        env.step(action)
        outcome = step_site(env.last[0], moment, env.fleet, DT_H)
        assert (outcome.battery_kw[below] > 0).all()
        recharged += int(below.sum())
    assert recharged > 50


def test_the_same_numbers_in_either_precision_and_row_by_row(dark_spec):
    spec = replace(dark_spec, **ALL)
    batch, alone = started(spec, rows=3), FleetVectorEnv(spec, 1, dtype="float64")
    alone.reset(seed=2, options={"start_ticks": [2 * 288]})
    for tick in range(80):
        action = acting(batch, tick)
        batch.step(action)
        alone.step(action[2:])
        torch.testing.assert_close(batch.energy_kwh[2], alone.energy_kwh[0], rtol=0, atol=1e-9)
        for ours, theirs in zip(batch.last[1], alone.last[1], strict=True):
            torch.testing.assert_close(ours[2], theirs[0], rtol=1e-9, atol=1e-9)
    assert float(alone.last[1].outage_h) >= 0.0
