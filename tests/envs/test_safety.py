"""Any command is safe: checked by an oracle that shares no code with the simulator."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.dispatch.modes import DISPATCH
from vpp_envs.vector_env import FleetVectorEnv

POLICIES = {
    "random": lambda rng, shape: rng.uniform(-1, 1, shape),
    "bang-bang": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "not a number": lambda rng, shape: np.where(rng.random(shape) < 0.3, np.nan, 1.0),
    "infinite": lambda rng, shape: rng.choice([-np.inf, np.inf, 0.0], shape),
}


def broken_homes(env, before, power, sun):
    """Recompute the step in float64 and count what should not be."""
    fleet, moment = env.scenario.fleet, env.moment
    battery, agreement = fleet.battery, fleet.agreement
    power, sun = power.double(), sun.double()
    before = before.double()
    eff, dt_h = battery.one_way_eff, 1.0 / 12.0
    flow = torch.where(power > 0, power * eff, power / eff)
    after = before + (flow - battery.standing_loss_kw) * dt_h
    net = moment.load_kw.double() - sun + power
    best = before + (battery.charge_kw * eff - battery.standing_loss_kw) * dt_h
    # What the connection leaves for recharging, with all the sun that there is.
    room_kw = agreement.import_limit_kw - moment.load_kw.double()
    room_kw = room_kw + moment.solar_available_kw.double()
    squeezed = (
        before
        + (torch.where(room_kw > 0, room_kw * eff, room_kw / eff) - battery.standing_loss_kw) * dt_h
    )
    floor = torch.minimum(agreement.reserve_kwh, torch.minimum(best, squeezed))
    loss = battery.standing_loss_kw * dt_h
    floor = torch.maximum(floor, torch.minimum(before, agreement.reserve_kwh) - loss)
    tolerance = 3e-6 * battery.capacity_kwh.clamp(min=5.0)
    own = room_kw < -battery.discharge_kw
    return int(
        (
            (after < floor - tolerance)
            | (after > battery.capacity_kwh + tolerance)
            | (power.abs() > torch.maximum(battery.charge_kw, battery.discharge_kw) + 1e-4)
            | (-net > agreement.export_limit_kw + 1e-4)
            | (
                (net > agreement.import_limit_kw + 1e-4)
                & (power > 1e-4)
                & (before > floor + 2 * loss + tolerance)
            )
            | ((net > agreement.import_limit_kw + 1e-4) & ~own & (before - loss > floor + 2.0))
        ).sum()
    )


def play(spec, mode, policy, ticks, rows):
    """Count broken agreements, by the simulator and by the oracle."""
    env = FleetVectorEnv(spec, rows, dispatch=mode, autoreset_mode="SameStep")
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    booked = found = 0
    repair = excess = 0.0
    served = []
    original = env._serve

    def spy(set_points, moment, fleet, dt_h):
        from vpp_envs.simulator import step_site

        outcome = step_site(
            moment.energy_kwh,
            set_points,
            moment.load_kw,
            moment.solar_available_kw,
            fleet,
            dt_h,
        )
        served[:] = [outcome.battery_kw, outcome.solar_output_kw]
        return original(set_points, moment, fleet, dt_h)

    env._serve = spy
    for _ in range(ticks):
        before, moment = env.energy_kwh.clone(), env.moment
        env.step(POLICIES[policy](rng, (rows, len(env.action_names))))
        after_moment, env.moment = env.moment, moment
        found += broken_homes(env, before, *served)
        env.moment = after_moment
        totals = env.last[1]
        booked += int(totals.broken.sum())
        repair = max(repair, float(totals.repair_kwh.max()))
        excess += float(totals.site_excess_kwh.sum())
    return booked, found, repair, excess


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mode", DISPATCH)
def test_no_command_breaks_an_agreement(small_spec, mode, policy):
    booked, found, repair, excess = play(small_spec, mode, policy, 300, 16)
    assert (booked, found) == (0, 0)
    assert repair < 8 * 1e-5
    assert excess == 0.0


@pytest.mark.parametrize("mode", DISPATCH)
def test_what_a_tight_connection_forces_is_booked_apart(small_spec, mode):
    tight = replace(
        small_spec, fleet=replace(small_spec.fleet, import_limit_kw=1.0, export_limit_kw=1.0)
    )
    booked, found, _, excess = play(tight, mode, "random", 300, 16)
    assert (booked, found) == (0, 0)
    assert excess > 0.0


@pytest.mark.slow
def test_ten_million_device_steps_break_nothing(small_spec):
    big = replace(small_spec, fleet=replace(small_spec.fleet, homes=64))
    steps = 0
    for mode in DISPATCH:
        for policy in POLICIES:
            booked, found, _, _ = play(big, mode, policy, 220, 64)
            assert (booked, found) == (0, 0), (mode, policy)
            steps += 220 * 64 * 64
    assert steps >= 10_000_000


def test_the_oracle_sees_a_broken_reserve(small_spec):
    env = FleetVectorEnv(small_spec, 1)
    env.reset(seed=0)
    reserve = env.fleet.agreement.reserve_kwh.expand(1, -1)
    power = -env.fleet.battery.discharge_kw.expand(1, -1)
    assert broken_homes(env, reserve, power, env.moment.solar_available_kw) > 0
