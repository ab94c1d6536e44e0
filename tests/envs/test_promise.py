"""The promise to drivers holds: an oracle that shares no code with the world counts for itself.

With one car on each charger the earliest deadline is the only one, so the best that any schedule
can do is to charge flat-out from plug-in to the declared departure. What that does not reach is
infeasible; all else was promised, and must be in the car when it leaves on its word.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from vpp_envs.dispatch.modes import DISPATCH
from vpp_envs.fleet.mix import FleetMix, homes_at
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0
POLICIES = {
    "random": lambda rng, shape: rng.uniform(-1, 1, shape),
    "bang-bang": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "not finite": lambda rng, shape: rng.choice([np.nan, np.inf, -np.inf, 0.3], shape),
    "all low": lambda rng, shape: np.full(shape, -1.0),
    "all high": lambda rng, shape: np.full(shape, 1.0),
}


class Car(NamedTuple):
    """What the oracle knows of the cars, (B, N) float64 NumPy."""

    capacity: np.ndarray
    stored_kw: np.ndarray  # below the taper
    knee: np.ndarray  # kWh from which the power falls in proportion to what is missing
    target: np.ndarray


def fleet_of(env):
    """The homes of the scenario, or of each row those of its episode, in full precision."""
    fleet = env.scenario.fleet
    return fleet if env._places is None else homes_at(fleet, env._places)


def cars_of(env):
    ev = fleet_of(env).ev
    params = {name: part.numpy() for name, part in ev.params._asdict().items()}
    columns = (
        params["capacity_kwh"],
        params["charge_kw"] * params["charge_eff"],
        params["taper_fill"] * params["capacity_kwh"],
        ev.agreement.target_kwh.numpy(),
    )
    return Car(*(np.broadcast_to(column, env.energy_kwh.shape) for column in columns))


def flat_out(energy, ticks, car):
    """Energy after so many ticks at the charger with nothing held back, tick by tick."""
    energy = energy.copy()
    for tick in range(int(ticks.max(initial=0))):
        straight_h = np.clip((car.knee - energy) / car.stored_kw, 0.0, DT_H)
        straight = energy + car.stored_kw * straight_h
        missing = car.capacity - straight
        fall = np.exp(-car.stored_kw * (DT_H - straight_h) / (car.capacity - car.knee))
        after = np.where(straight_h < DT_H, car.capacity - missing * fall, straight)
        energy = np.where(tick < ticks, after, energy)
    return energy


class Oracle:
    """Watches the cars come and go, and counts what could not be promised and what was not kept."""

    def __init__(self, env):
        self.car = cars_of(env)
        self.column = fleet_of(env).ev.archetype.numpy()
        self.stays = env.scenario.cars.stay.double().numpy()
        shape = env.energy_kwh.shape
        self.infeasible_kwh = np.zeros(shape)  # of the stay that goes on
        self.known = np.zeros(shape, bool)  # that it saw it begin
        self.count, self.kwh, self.missed_kwh = 0, 0.0, 0.0
        self.arrivals = self.departures = 0

    def watch(self, ticks, after_kwh):
        """One tick of each row has passed; this is what the cars hold now."""
        left, ends, arrives, _ = (self.stays[ticks[:, None], i, self.column] for i in range(4))
        on_their_word = (ends > 0) & (left == 1) & self.known & (arrives == 0)
        short = self.car.target - self.infeasible_kwh - after_kwh
        self.missed_kwh += np.where(on_their_word, short, 0.0).clip(min=0.0).sum()
        self.departures += int(on_their_word.sum())
        at = np.nonzero(arrives > 0)
        own = Car(*(part[at] for part in self.car))
        reach = flat_out(after_kwh[at], arrives[at], own)
        out_of_reach = (own.target - reach).clip(min=0.0)
        out_of_reach[out_of_reach < 1e-9] = 0.0
        self.infeasible_kwh[at], self.known[at] = out_of_reach, True
        self.count += int((out_of_reach > 0).sum())
        self.kwh += out_of_reach.sum()
        self.arrivals += len(out_of_reach)


BOOKS = ("infeasible", "infeasible_kwh", "site_short_kwh", "left_early_kwh", "missed_kwh")


def play(env, policy, ticks, seed=0):
    """Play a policy under the eyes of the oracle; what it saw, and what the world booked."""
    rng = np.random.default_rng(seed)
    booked = dict.fromkeys((*BOOKS, "broken"), 0.0)
    starts = np.linspace(0, len(env.tables.features) - ticks - 1, env.num_envs).astype(int)
    env.reset(seed=seed, options={"start_ticks": starts})
    oracle = Oracle(env)
    shape = (env.num_envs, len(env.action_names))
    for _ in range(ticks):
        at = env.tick.numpy().copy()
        env.step(POLICIES[policy](rng, shape))
        oracle.watch(at, env.state.ev.energy_kwh.double().numpy())
        totals = env.last[1]
        for name in BOOKS:
            booked[name] += float(getattr(totals, f"ev_{name}").sum())
        booked["broken"] += float(totals.broken.sum())
    return oracle, booked


def without_limits(env):
    """Connections that are never short: then only the clock excuses."""
    site = env.scenario.fleet.agreement
    strong = site._replace(import_limit_kw=site.import_limit_kw + 60.0)
    env.scenario = replace(env.scenario, fleet=env.scenario.fleet._replace(agreement=strong))
    env._move_in()
    return env


def assert_kept(oracle, booked, kwh):
    """Nothing was missed or broken, and what was called infeasible was."""
    assert booked["missed_kwh"] == 0.0
    assert booked["broken"] == 0.0
    assert booked["infeasible"] == oracle.count
    assert booked["infeasible_kwh"] == pytest.approx(oracle.kwh, rel=0, abs=kwh)
    # Promises that could be kept, and others that could not, in numbers.
    assert oracle.arrivals > oracle.count + 20 > 40
    assert oracle.departures > 20


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mode", DISPATCH)
def test_no_command_breaks_a_promise_that_could_be_kept(hostile_env, mode, policy):
    env = without_limits(hostile_env(4, dispatch=mode, dtype="float64"))
    oracle, booked = play(env, policy, 110)
    assert_kept(oracle, booked, 1e-6)
    assert booked["site_short_kwh"] == 0.0
    assert oracle.missed_kwh <= 1e-6


@pytest.mark.parametrize("mode", DISPATCH)
def test_a_weak_connection_changes_nothing_but_what_it_is_blamed_for(hostile_env, mode):
    oracle, booked = play(hostile_env(4, dispatch=mode, dtype="float64"), "all low", 110)
    assert_kept(oracle, booked, 1e-6)
    assert booked["site_short_kwh"] > 1.0
    assert oracle.missed_kwh <= booked["site_short_kwh"] + 1e-6


@pytest.mark.parametrize(
    ("mode", "policy"), [("value_curve", "random"), ("cohort_power", "bang-bang")]
)
def test_rows_with_homes_of_their_own_keep_every_promise(hostile_env, hostile_spec, mode, policy):
    spec = replace(hostile_spec, fleet_mix=FleetMix(homes=20))
    env = hostile_env(6, spec, dispatch=mode, dtype="float64")
    oracle, booked = play(without_limits(env), policy, 110)
    assert env.fleet.ev.archetype.shape == (6, 20)
    assert_kept(oracle, booked, 1e-6)
    assert booked["site_short_kwh"] == 0.0
    assert oracle.missed_kwh <= 1e-6


def test_single_precision_keeps_every_promise_too(hostile_env):
    oracle, booked = play(without_limits(hostile_env(8, dtype="float32")), "bang-bang", 110)
    assert_kept(oracle, booked, 0.01)
    assert oracle.missed_kwh <= 1e-4 * oracle.departures


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mode", DISPATCH)
def test_ten_million_device_steps_miss_no_kilowatt_hour(hostile_env, mode, dtype):
    steps = 0
    for seed, policy in enumerate(POLICIES):
        env = hostile_env(64, seed=seed, dispatch=mode, dtype=dtype)
        if seed % 2:
            env = without_limits(env)
        oracle, booked = play(env, policy, 170, seed)
        assert_kept(oracle, booked, 1e-6 if dtype == "float64" else 1e-5 * oracle.kwh)
        steps += 170 * env.energy_kwh.numel()
    # Two precisions and three modes, a car in each home.
    assert 6 * steps >= 10_000_000


def test_the_oracle_sees_a_promise_that_is_not_kept(hostile_env, monkeypatch):
    from vpp_envs.dispatch import ev_envelope

    def lax(target_kwh, hours, ev):
        return 0.9 * true_floor(target_kwh, hours, ev)

    true_floor = ev_envelope.floor_kwh
    monkeypatch.setattr(ev_envelope, "floor_kwh", lax)
    env = without_limits(hostile_env(4, dtype="float64", dispatch="per_device"))
    oracle, booked = play(env, "all low", 110)
    assert oracle.missed_kwh > 10.0
    assert booked["missed_kwh"] > 10.0
    assert booked["broken"] > 10.0


def test_the_oracle_sees_what_is_wrongly_called_infeasible(hostile_env, monkeypatch):
    from vpp_envs import charging

    def pessimist(energy_kwh, hours, ev):
        return true_reach(energy_kwh, 0.95 * hours, ev)

    true_reach = charging.reachable_kwh
    monkeypatch.setattr(charging, "reachable_kwh", pessimist)
    env = without_limits(hostile_env(4, dtype="float64", dispatch="per_device"))
    oracle, booked = play(env, "all low", 110)
    assert booked["infeasible"] > oracle.count
    assert booked["infeasible_kwh"] > oracle.kwh + 10.0
    assert oracle.missed_kwh > 1.0  # the excuse was used


def test_flat_out_charging_by_hand():
    car = Car(*(np.array([v]) for v in (60.0, 9.0, 48.0, 51.0)))
    assert flat_out(np.array([20.0]), np.array([12]), car)[0] == pytest.approx(29.0)
    # From the knee what is missing falls by e in 12 / 9 hours = 16 ticks.
    after = flat_out(np.array([48.0]), np.array([16]), car)[0]
    assert after == pytest.approx(60 - 12 / np.e)
    assert flat_out(np.array([20.0]), np.array([0]), car)[0] == 20.0


@pytest.mark.parametrize("policy", ["bang-bang", "all low"])
def test_drivers_of_the_simulated_world_get_what_their_stays_allow(hostile_spec, policy):
    """Errands make some stays too short for a target, few of them, and nobody else's."""
    fleet = replace(hostile_spec.fleet, export_limit_kw=None)
    spec = replace(hostile_spec, fleet=fleet)
    env = FleetVectorEnv(spec, 4, autoreset_mode="Disabled", dtype="float64")
    env = without_limits(env)
    oracle, booked = play(env, policy, 4 * 288)
    assert booked["missed_kwh"] == booked["broken"] == booked["site_short_kwh"] == 0.0
    assert oracle.missed_kwh <= 1e-6
    assert booked["infeasible"] == oracle.count
    assert 0 < oracle.count < 0.1 * oracle.arrivals
    assert oracle.departures > 100
