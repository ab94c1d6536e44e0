"""The battery's step beside the same laws in exact fractions, over sequences of any commands.

The oracle never sees the simulator's state: both start alike and run on their own, so that an
error of any step would have to be undone by later ones to stay unseen.
"""

import math
from fractions import Fraction
from typing import NamedTuple

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.envelope import battery_envelope
from vpp_envs.dispatch.moment import Moment
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.simulator import Outcome, SetPoints, step_site

STEPS = 100
NEAR_KWH = 1e-9
EXTREMES = (0.0, -0.0, 1e-300, -1e-300, 1e300, -1e300, math.inf, -math.inf)


class Home(NamedTuple):
    """Constants of one home."""

    capacity_kwh: float
    charge_kw: float
    discharge_kw: float
    one_way_eff: float
    standing_loss_kw: float
    reserve_kwh: float
    import_limit_kw: float
    export_limit_kw: float


class Tick(NamedTuple):
    """What one step brings."""

    command_kw: float
    load_kw: float
    solar_kw: float


class Exact(NamedTuple):
    """One step of the oracle."""

    energy_kwh: Fraction
    battery_kw: Fraction
    solar_kw: Fraction


def fractions(values: NamedTuple) -> list[Fraction]:
    return [Fraction(value) for value in values]


def clip(value: float, low: Fraction, high: Fraction) -> Fraction:
    if math.isinf(value):
        return high if value > 0 else low
    return min(max(Fraction(value), low), high)


def exact_range(energy: Fraction, site: Fraction, home: Home, dt: Fraction) -> list[Fraction]:
    """Lower and upper edge of the battery's power at this site."""
    full, charge, discharge, eff, loss, reserve, most_in, most_out = fractions(home)
    left = energy - loss * dt
    missing = reserve - left
    recharge, release = min(missing / (eff * dt), charge), max(missing * eff / dt, -discharge)
    low = recharge if missing > 0 else release
    if low < 0:
        low = max(low, -max(most_out + site, Fraction(0)))
    high = min(max((full - left) / (eff * dt), Fraction(0)), charge)
    return [low, max(min(high, most_in - site), low)]


def exact_step(energy: Fraction, tick: Tick, home: Home, minutes: int) -> Exact:
    """One step of the laws as facts.md A1.2 writes them, in exact arithmetic."""
    full, _, _, eff, loss, _, _, most_out = fractions(home)
    dt, load, solar = Fraction(minutes, 60), Fraction(tick.load_kw), Fraction(tick.solar_kw)
    power = clip(tick.command_kw, *exact_range(energy, load - solar, home, dt))
    cell = power * eff if power > 0 else power / eff
    stored = min(max(energy + (cell - loss) * dt, Fraction(0)), full)
    return Exact(stored, power, min(solar, max(most_out + load + power, Fraction(0))))


def column(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def fleet_of(home: Home) -> Fleet:
    first, last = home[:5], home[5:]
    battery = BatteryParams(*map(column, first), column(0.04))
    agreement = Agreement(*map(column, last), column(0.8))
    zero = torch.zeros(1, dtype=torch.int64)
    return Fleet(zero, battery, column(5.0), zero, column(0.6), zero, agreement, zero)


def simulated_step(energy: torch.Tensor, tick: Tick, fleet: Fleet, minutes: int) -> Outcome:
    solar = column(tick.solar_kw)
    moment = Moment(
        energy, column(tick.load_kw), solar, column(0.1), torch.zeros(1, 2, dtype=torch.float64)
    )
    return step_site(SetPoints(column(tick.command_kw), solar), moment, fleet, minutes / 60.0)


@st.composite
def homes(draw) -> Home:
    capacity = draw(st.floats(1.0, 40.0))
    return Home(
        capacity_kwh=capacity,
        charge_kw=draw(st.floats(0.2, 15.0)),
        discharge_kw=draw(st.floats(0.0, 15.0)),
        one_way_eff=draw(st.floats(0.6, 1.0)),
        standing_loss_kw=draw(st.sampled_from([0.0]) | st.floats(0.0, 0.05)),
        reserve_kwh=capacity * draw(st.floats(0.0, 1.0)),
        import_limit_kw=draw(st.floats(0.0, 25.0)),
        export_limit_kw=draw(st.floats(0.0, 25.0)),
    )


@st.composite
def sequences(draw) -> tuple[Home, float, list[Tick]]:
    """A home, the energy it starts with (also below its reserve), and what 100 steps bring."""
    home = draw(homes())
    rng = draw(st.randoms(use_true_random=False))
    ticks = [
        Tick(
            rng.choice(EXTREMES) if rng.random() < 0.3 else rng.uniform(-20.0, 20.0),
            rng.choice((0.0, rng.uniform(0.0, 12.0))),
            rng.choice((0.0, rng.uniform(0.0, 12.0))),
        )
        for _ in range(STEPS)
    ]
    return home, home.capacity_kwh * draw(st.floats(0.0, 1.0)), ticks


@pytest.mark.parametrize("minutes", [1, 5, 60])
@settings(max_examples=40)
@given(sequence=sequences())
def test_a_hundred_commands_store_what_exact_fractions_say(minutes: int, sequence):
    home, start_kwh, ticks = sequence
    fleet = fleet_of(home)
    exact_kwh, energy_kwh = Fraction(start_kwh), column(start_kwh)
    dt_h = minutes / 60.0
    for number, tick in enumerate(ticks):
        exact = exact_step(exact_kwh, tick, home, minutes)
        out = simulated_step(energy_kwh, tick, fleet, minutes)
        exact_kwh, energy_kwh = exact.energy_kwh, out.energy_kwh
        apart_kwh = (
            Fraction(energy_kwh.item()) - exact_kwh,
            (Fraction(out.battery_kw.item()) - exact.battery_kw) * Fraction(dt_h),
            (Fraction(out.solar_output_kw.item()) - exact.solar_kw) * Fraction(dt_h),
        )
        assert all(abs(float(part)) <= NEAR_KWH for part in apart_kwh), (number, tick, apart_kwh)


@pytest.mark.parametrize("minutes", [1, 5, 60])
@settings(max_examples=100)
@given(home=homes(), fill=st.floats(0.0, 1.0), site_kw=st.floats(-30.0, 30.0))
def test_the_edges_of_the_envelope_are_the_exact_ones(minutes: int, home, fill, site_kw):
    energy_kwh = home.capacity_kwh * fill
    fleet = fleet_of(home)
    found = battery_envelope(
        column(energy_kwh), column(site_kw), fleet.battery, fleet.agreement, minutes / 60.0
    )
    low, high = exact_range(Fraction(energy_kwh), Fraction(site_kw), home, Fraction(minutes, 60))
    # Over the step, an edge is an energy: 1e-9 kWh of it.
    assert abs(float(Fraction(found.low_kw.item()) - low)) * minutes / 60.0 <= NEAR_KWH
    assert abs(float(Fraction(found.high_kw.item()) - high)) * minutes / 60.0 <= NEAR_KWH


@settings(max_examples=150)
@given(home=homes(), above=st.floats(0.0, 1.0), share=st.floats(0.01, 0.99))
def test_twelve_steps_of_five_minutes_are_one_of_an_hour(home: Home, above: float, share: float):
    # From the reserve up: below it a short step refills faster than an hour must.
    start_kwh = home.reserve_kwh + above * (home.capacity_kwh - home.reserve_kwh)
    low, high = exact_range(Fraction(start_kwh), Fraction(0), home, Fraction(1))
    assume(high - low > 1e-6)
    tick = Tick(float(low + Fraction(share) * (high - low)), 0.0, 0.0)
    at_once = exact_step(Fraction(start_kwh), tick, home, 60)
    fleet = fleet_of(home)
    exact_kwh, energy_kwh = Fraction(start_kwh), column(start_kwh)
    for _ in range(12):
        exact = exact_step(exact_kwh, tick, home, 5)
        assert exact.battery_kw == at_once.battery_kw
        exact_kwh = exact.energy_kwh
        energy_kwh = simulated_step(energy_kwh, tick, fleet, 5).energy_kwh
    assert exact_kwh == at_once.energy_kwh
    hour = simulated_step(column(start_kwh), tick, fleet, 60)
    assert energy_kwh.item() == pytest.approx(hour.energy_kwh.item(), abs=NEAR_KWH)
    assert energy_kwh.item() == pytest.approx(float(exact_kwh), abs=NEAR_KWH)


def test_an_hour_of_three_kw_stores_the_same_in_one_step_in_twelve_and_in_sixty():
    home = Home(13.5, 5.0, 5.0, 0.95, 0.02, 2.7, 20.0, 20.0)
    ends = []
    for minutes in (1, 5, 60):
        energy_kwh = column(6.0)
        for _ in range(60 // minutes):
            tick = Tick(3.0, 0.5, 0.0)
            energy_kwh = simulated_step(energy_kwh, tick, fleet_of(home), minutes).energy_kwh
        ends.append(energy_kwh.item())
    assert ends == pytest.approx([6.0 + 3.0 * 0.95 - 0.02] * 3, abs=1e-12)  # 8.83 kWh
