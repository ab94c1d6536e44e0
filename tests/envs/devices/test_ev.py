import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.ev import (
    EvParams,
    charged_kwh,
    charging_clock_h,
    energy_at_clock_kwh,
    floor_kwh,
    most_charge_kw,
    reachable_kwh,
    weather_factor,
)

DT_H = 1.0 / 12.0


def car(capacity=60.0, charge=10.0, discharge=0.0, eff=0.9, taper=0.8, dtype=torch.float64):
    return EvParams(
        *(
            torch.tensor([value], dtype=dtype)
            for value in (capacity, charge, discharge, 1.44, eff, eff, taper, 0.07, 0.2)
        )
    )


def absent(dtype=torch.float64):
    """A home without a car, as the fleet has it."""
    return EvParams(*(torch.tensor([v], dtype=dtype) for v in (1, 0, 0, 0, 1, 1, 1, 0, 0)))


def one(value, dtype=torch.float64):
    return torch.tensor([value], dtype=dtype)


cars = st.builds(
    car,
    capacity=st.floats(5.0, 150.0),
    charge=st.floats(1.4, 22.0),
    eff=st.floats(0.7, 1.0),
    taper=st.floats(0.5, 1.0),
)


def test_below_the_taper_the_clock_counts_hours_of_full_power():
    ev = car()  # 9 kW into the store, full power up to 48 kWh
    assert charging_clock_h(one(0.0), ev).item() == 0.0
    assert charging_clock_h(one(27.0), ev).item() == pytest.approx(3.0, rel=1e-12)
    assert charging_clock_h(one(48.0), ev).item() == pytest.approx(48 / 9, rel=1e-12)
    assert reachable_kwh(one(10.0), one(2.0), ev).item() == pytest.approx(28.0, rel=1e-12)
    assert floor_kwh(one(28.0), one(2.0), ev).item() == pytest.approx(10.0, rel=1e-12)


def test_from_the_taper_on_what_is_missing_falls_by_half_in_the_same_time():
    ev = car()  # 12 kWh missing at the taper, e-fold in 12 / 9 hours
    half_life = one(12 / 9 * 0.6931471805599453)
    assert reachable_kwh(one(48.0), half_life, ev).item() == pytest.approx(54.0, rel=1e-12)
    assert reachable_kwh(one(54.0), half_life, ev).item() == pytest.approx(57.0, rel=1e-12)
    assert floor_kwh(one(57.0), 2 * half_life, ev).item() == pytest.approx(48.0, rel=1e-12)


def test_a_step_over_the_knee_is_part_full_power_part_taper():
    ev = car()
    # 4.5 kWh to the knee take half an hour; the other half hour is exponential.
    after = 60 - 12 * torch.exp(torch.tensor(-0.5 * 9 / 12, dtype=torch.float64))
    assert reachable_kwh(one(43.5), one(1.0), ev).item() == pytest.approx(after.item(), rel=1e-12)
    mean = (after.item() - 43.5) / 0.9
    assert most_charge_kw(one(43.5), ev, 1.0).item() == pytest.approx(mean, rel=1e-12)


def test_a_floor_that_needs_nothing_yet_lies_below_empty():
    assert floor_kwh(one(30.0), one(10.0), car()).item() == pytest.approx(-60.0)


def test_power_is_stored_with_a_loss_each_way():
    ev = car(eff=0.9)
    assert charged_kwh(one(10.0), ev, 0.5).item() == pytest.approx(4.5)
    assert charged_kwh(one(-9.0), ev, 0.5).item() == pytest.approx(-5.0)
    assert charged_kwh(one(0.0), ev, 0.5).item() == 0.0


def test_full_power_is_the_limit_below_the_taper_and_nothing_when_full():
    ev = car()
    assert most_charge_kw(one(20.0), ev, DT_H).item() == pytest.approx(10.0, rel=1e-12)
    assert most_charge_kw(one(60.0), ev, DT_H).item() == pytest.approx(0.0, abs=1e-9)
    assert most_charge_kw(one(60.0 + 1e-6), ev, DT_H).item() == 0.0


@settings(max_examples=300)
@given(cars, st.floats(0.0, 0.9999))
def test_the_clock_and_its_inverse_undo_each_other(ev, fill):
    energy = fill * ev.capacity_kwh
    back = energy_at_clock_kwh(charging_clock_h(energy, ev), ev)
    torch.testing.assert_close(back, energy, rtol=1e-9, atol=1e-9)


@settings(max_examples=200)
@given(cars, st.floats(0.0, 0.99), st.floats(0.001, 0.1), st.floats(0.01, 20.0))
def test_more_energy_reads_later_and_a_longer_stay_reaches_further(ev, fill, more, hours):
    energy = fill * ev.capacity_kwh
    fuller = (fill + more * (1 - fill)) * ev.capacity_kwh
    assert charging_clock_h(fuller, ev) > charging_clock_h(energy, ev)
    near, far = (reachable_kwh(energy, one(h), ev) for h in (hours, hours + 0.5))
    assert energy < near
    assert near <= far <= ev.capacity_kwh + 2e-9
    floors = [floor_kwh(fuller, one(h), ev) for h in (hours, hours + 0.5)]
    assert floors[1] < floors[0] < fuller


@settings(max_examples=200)
@given(cars, st.floats(0.0, 0.98), st.floats(0.0, 15.0))
def test_the_floor_is_where_flat_out_charging_just_reaches_the_target(ev, fill, hours):
    target = fill * ev.capacity_kwh
    floor = floor_kwh(target, one(hours), ev)
    torch.testing.assert_close(reachable_kwh(floor, one(hours), ev), target, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("start", [5.0, 47.0, 50.0, 58.0])
def test_the_taper_solves_its_differential_equation(start):
    ev = car()
    steps, hours = 20_000, 3.0
    energy, dt = start, hours / steps
    for _ in range(steps):  # de/dt = eta P min(1, (E - e) / ((1 - f) E)), by the midpoint rule
        middle = energy + 0.5 * dt * 9.0 * min(1.0, (60.0 - energy) / 12.0)
        energy += dt * 9.0 * min(1.0, (60.0 - middle) / 12.0)
    assert reachable_kwh(one(start), one(hours), ev).item() == pytest.approx(energy, abs=1e-6)


@settings(max_examples=100)
@given(cars, st.floats(0.0, 0.999))
def test_twelve_steps_of_five_minutes_are_an_hour(ev, fill):
    energy = start = fill * ev.capacity_kwh
    for _ in range(12):
        energy = energy + charged_kwh(most_charge_kw(energy, ev, DT_H), ev, DT_H)
    hour = start + charged_kwh(most_charge_kw(start, ev, 1.0), ev, 1.0)
    torch.testing.assert_close(energy, hour, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(hour, reachable_kwh(start, one(1.0), ev), rtol=1e-9, atol=1e-9)


@settings(max_examples=100)
@given(cars, st.floats(0.0, 1.0), st.floats(1 / 3600, 1.0))
def test_no_step_takes_more_than_the_charger_gives_or_the_car_holds(ev, fill, dt_h):
    energy = fill * ev.capacity_kwh
    power = most_charge_kw(energy, ev, dt_h)
    assert 0.0 <= power <= ev.charge_kw
    assert energy + charged_kwh(power, ev, dt_h) <= ev.capacity_kwh * (1 + 1e-12)


def test_single_precision_is_within_a_few_units_in_the_last_place():
    energy = torch.linspace(0.0, 74.9, 400, dtype=torch.float64)
    ev = EvParams(*(c.expand(400) for c in car(capacity=75.0)))
    single = EvParams(*(c.float() for c in ev))
    for exact, coarse in (
        (reachable_kwh(energy, one(3.0), ev), reachable_kwh(energy.float(), one(3.0), single)),
        (floor_kwh(energy, one(3.0), ev), floor_kwh(energy.float(), one(3.0), single)),
    ):
        # Near full a floor magnifies the last bit of its target.
        assert (exact - coarse)[energy < 70].abs().max() < 75 * 1e-6
        assert (exact - coarse).abs().max() < 75 * 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_numbers_from_empty_to_full(dtype):
    for ev in (car(dtype=dtype), car(taper=1.0, dtype=dtype), absent(dtype)):
        for fill in (0.0, 0.3, 0.8, 0.95, 1.0):
            energy = (fill * ev.capacity_kwh).clone().requires_grad_()
            hours = one(0.0, dtype).requires_grad_()
            total = (
                charging_clock_h(energy, ev)
                + reachable_kwh(energy, hours, ev)
                + floor_kwh(energy, hours, ev)
                + most_charge_kw(energy, ev, DT_H)
                + charged_kwh(energy - 0.5, ev, DT_H)
            )
            total.sum().backward()
            assert torch.isfinite(energy.grad).all()
            assert torch.isfinite(hours.grad).all()


def test_an_hour_moves_the_reach_by_the_stored_power():
    ev = car()
    hours = one(1.0).requires_grad_()
    reachable_kwh(one(10.0), hours, ev).sum().backward()
    assert hours.grad.item() == pytest.approx(9.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_home_without_a_car_charges_nothing_and_needs_nothing(dtype):
    ev, none = absent(dtype), one(0.0, dtype)
    assert most_charge_kw(none, ev, DT_H).item() == 0.0
    assert charged_kwh(none, ev, DT_H).item() == 0.0
    assert floor_kwh(none, one(5.0, dtype), ev).item() <= 0.0
    assert charging_clock_h(none, ev).item() == 0.0
    assert reachable_kwh(none, one(20.0, dtype), ev).item() < 1e-4


@pytest.mark.parametrize(
    ("air_c", "factor"),
    # facts A3.4: 1.2 % a kelvin below 15 C, 0.6 % above 25 C.
    [(-5.0, 1.24), (15.0, 1.0), (20.0, 1.0), (25.0, 1.0), (35.0, 1.06)],
)
def test_cold_and_heat_cost_a_vehicle_energy(air_c, factor):
    assert weather_factor(torch.tensor(air_c, dtype=torch.float64)).item() == pytest.approx(factor)
