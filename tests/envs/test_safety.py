"""Any command is safe: checked by an oracle that shares no code with the simulator."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch

from vpp_envs.dispatch.modes import DISPATCH
from vpp_envs.simulator import step_site
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0
POLICIES = {
    "random": lambda rng, shape: rng.uniform(-1, 1, shape),
    "bang-bang": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "not a number": lambda rng, shape: np.where(rng.random(shape) < 0.3, np.nan, 1.0),
    "infinite": lambda rng, shape: rng.choice([-np.inf, np.inf, 0.0], shape),
}


class Step(NamedTuple):
    """What homes were at, and what was served to them, (B, N) float64."""

    before_kwh: np.ndarray
    after_kwh: np.ndarray
    battery_kw: np.ndarray
    solar_kw: np.ndarray
    load_kw: np.ndarray
    available_kw: np.ndarray


def violations(fleet, step, energy_tolerance, power_tolerance):
    """Homes that broke each promise that could have been kept, by name."""
    battery = {name: part.numpy() for name, part in fleet.battery._asdict().items()}
    agreement = {name: part.numpy() for name, part in fleet.agreement._asdict().items()}
    eff, charge, discharge = battery["one_way_eff"], battery["charge_kw"], battery["discharge_kw"]
    reserve, loss_kwh = agreement["reserve_kwh"], battery["standing_loss_kw"] * DT_H
    power = step.battery_kw
    stored = np.where(power > 0, power * eff, power / eff) * DT_H - loss_kwh
    net = step.load_kw - step.solar_kw + power
    # The least that the battery can draw with its reserve kept, or regained as fast as it can.
    missing = reserve - (step.before_kwh - loss_kwh)
    least = np.where(
        missing > 0,
        np.minimum(charge, missing / (eff * DT_H)),
        np.maximum(-discharge, missing * eff / DT_H),
    )
    reachable = step.before_kwh - loss_kwh + charge * eff * DT_H
    unavoidable = step.load_kw - step.available_kw + least
    limit = np.maximum(agreement["import_limit_kw"], unavoidable)
    slack = energy_tolerance * np.maximum(battery["capacity_kwh"], 1.0)
    return {
        "balance": np.abs(step.after_kwh - step.before_kwh - stored) > slack,
        "reserve": step.after_kwh < np.minimum(reserve, reachable) - slack,
        "capacity": step.after_kwh > battery["capacity_kwh"] + slack,
        "rating": (power > charge + power_tolerance) | (-power > discharge + power_tolerance),
        "sun": (step.solar_kw < 0) | (step.solar_kw > step.available_kw + power_tolerance),
        "export": -net > agreement["export_limit_kw"] + power_tolerance,
        "import": net > limit + power_tolerance,
    }


class Tally:
    """Plays a policy and counts what the simulator and what the oracle saw."""

    def __init__(self, spec, mode, rows, dtype="float32"):
        self.env = FleetVectorEnv(spec, rows, dispatch=mode, autoreset_mode="Disabled", dtype=dtype)
        self.fleet = self.env.scenario.fleet
        # A few units in the last place: of float32 at 50 kWh or 50 kW, of float64 nothing.
        self.tolerances = (1e-6, 1e-4) if dtype == "float32" else (1e-12, 1e-9)
        self.booked, self.steps, self.repair, self.excess = 0, 0, 0.0, 0.0
        self.found = {}

    def play(self, policy, ticks):
        env, rng = self.env, np.random.default_rng(0)
        shape = (env.num_envs, len(env.action_names))
        env.reset(seed=0)
        for _ in range(ticks):
            moment = env.moment
            _, _, _, truncated, _ = env.step(POLICIES[policy](rng, shape))
            set_points, totals = env.last
            served = step_site(set_points, moment, env.fleet, DT_H)
            assert torch.equal(served.energy_kwh, env.energy_kwh)
            step = Step(
                *(
                    part.double().numpy()
                    for part in (
                        moment.energy_kwh,
                        env.energy_kwh,
                        served.battery_kw,
                        served.solar_output_kw,
                        moment.load_kw,
                        moment.solar_available_kw,
                    )
                )
            )
            for name, homes in violations(self.fleet, step, *self.tolerances).items():
                self.found[name] = self.found.get(name, 0) + int(homes.sum())
            self.booked += int(totals.broken.sum())
            self.repair = max(self.repair, float(served.repair_kwh.max()))
            self.excess += float(totals.site_excess_kwh.sum())
            self.steps += env.energy_kwh.numel()
            if truncated.any():
                env.reset(options={"reset_mask": truncated})

    @property
    def clean(self):
        return self.booked == 0 and not any(self.found.values())


@pytest.fixture(scope="module")
def tight_spec(small_spec):
    """Homes whose own load and sun exceed what their connection may carry."""
    return replace(
        small_spec, fleet=replace(small_spec.fleet, import_limit_kw=2.0, export_limit_kw=1.0)
    )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mode", DISPATCH)
def test_no_command_breaks_an_agreement(small_spec, mode, policy):
    tally = Tally(small_spec, mode, rows=16)
    tally.play(policy, 150)
    assert tally.clean, tally.found
    assert tally.repair <= 1e-5
    assert tally.excess == 0.0


@pytest.mark.parametrize("policy", ["bang-bang", "not a number"])
@pytest.mark.parametrize("mode", DISPATCH)
def test_what_a_tight_connection_forces_is_booked_apart(tight_spec, mode, policy):
    tally = Tally(tight_spec, mode, rows=16)
    tally.play(policy, 288)
    assert tally.clean, tally.found
    assert tally.excess > 0.0


@pytest.mark.parametrize("mode", DISPATCH)
def test_in_double_precision_nothing_needs_repair(tight_spec, mode):
    tally = Tally(tight_spec, mode, rows=4, dtype="float64")
    tally.play("bang-bang", 100)
    assert tally.clean, tally.found
    assert tally.repair <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("mode", DISPATCH)
def test_ten_million_device_steps_break_nothing(small_spec, tight_spec, mode):
    steps = 0
    for spec in (small_spec, tight_spec):
        big = replace(spec, fleet=replace(spec.fleet, homes=64))
        for policy in POLICIES:
            tally = Tally(big, mode, rows=64)
            tally.play(policy, 102)
            assert tally.clean, (policy, tally.found)
            assert tally.repair <= 1e-5
            steps += tally.steps
    assert 3 * steps >= 10_000_000


def at_rest(fleet):
    """A step in which nothing moves, half full: no promise broken but the standing loss unpaid."""
    reserve, capacity = fleet.agreement.reserve_kwh.numpy(), fleet.battery.capacity_kwh.numpy()
    half = ((reserve + capacity) / 2)[None]
    loss = fleet.battery.standing_loss_kw.numpy() * DT_H
    zero = np.zeros_like(half)
    return Step(half, half - loss, zero, zero, zero, zero)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("balance", lambda s, f: s._replace(after_kwh=s.after_kwh + 0.01)),
        (
            "reserve",
            lambda s, f: s._replace(after_kwh=f.agreement.reserve_kwh.numpy()[None] - 0.01),
        ),
        (
            "capacity",
            lambda s, f: s._replace(after_kwh=f.battery.capacity_kwh.numpy()[None] + 0.01),
        ),
        ("rating", lambda s, f: s._replace(battery_kw=f.battery.charge_kw.numpy()[None] + 0.01)),
        (
            "rating",
            lambda s, f: s._replace(battery_kw=-f.battery.discharge_kw.numpy()[None] - 0.01),
        ),
        ("sun", lambda s, f: s._replace(solar_kw=s.solar_kw + 0.01)),
        (
            "export",
            lambda s, f: s._replace(solar_kw=s.solar_kw + 5.01, available_kw=s.solar_kw + 5.01),
        ),
        ("import", lambda s, f: s._replace(load_kw=s.load_kw + 14.51)),
    ],
)
def test_the_oracle_sees_each_broken_promise(small_spec, name, change):
    fleet = FleetVectorEnv(small_spec, 1).scenario.fleet
    present = fleet.battery.discharge_kw.numpy() > 1.0
    still = at_rest(fleet)
    assert not any(homes.any() for homes in violations(fleet, still, 1e-12, 1e-9).values())
    seen = violations(fleet, change(still, fleet), 1e-12, 1e-9)[name]
    assert seen[0, present].all()
