"""One node of hot water: golden numbers, balance, inverses, and a draw that runs cold."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.water_heater import (
    Draw,
    WaterHeaterParams,
    flow,
    heat_for_kw,
    heat_kw,
    heat_within_kw,
    heater_now,
    kwh_per_k,
    most_kw,
    passage,
    power_for_kw,
    taken,
)


def column(value):
    return torch.tensor([float(value)], dtype=torch.float64)


def tank(volume=170.343, ua=1.15e-3, pump=0.0):
    return WaterHeaterParams(*(column(x) for x in (volume, ua, pump, 4.2, 4.5)))


def draw(mixed=0.0, hot=0.0, mains=15.0, ambient=20.0, wet=15.0):
    return Draw(*(column(x) for x in (mixed, hot, mains, ambient, wet)))


def later(temp, heat, water, of, dt_h):
    return passage(column(temp), column(heat), flow(water, of, dt_h), dt_h).temp_c.item()


@pytest.mark.reference
def test_a_tank_warms_and_cools_as_computed_elsewhere():
    """One node of 170.343 L, 1.15 W/K, 20 C around (facts.md H2)."""
    assert later(50.0, 4.5, draw(), tank(), 300 / 3600) == pytest.approx(51.8796, abs=5e-5)
    assert later(51.7, 0.0, draw(), tank(), 24.0) == pytest.approx(47.5740, abs=5e-5)


@pytest.mark.reference
def test_a_tank_of_fifty_gallons_is_a_battery_of_the_published_size():
    """0.9 of its rating holds water; 1.10 kWh in 5.56 K, 1.64 kWh to 60 C (facts.md A4.3)."""
    of = tank(0.9 * 50 * 3.7854)
    assert (kwh_per_k(of) * 5.56).item() == pytest.approx(1.10, abs=0.005)
    assert (kwh_per_k(of) * (60.0 - 51.7)).item() == pytest.approx(1.64, abs=0.005)


TEMPS, LITRES, KW = st.floats(25.0, 65.0), st.floats(0.0, 60.0), st.floats(0.0, 4.5)


STEPS = st.sampled_from([1 / 3600, 1 / 60, 1 / 12, 1.0])


@given(TEMPS, LITRES, LITRES, KW, STEPS)
def test_energy_is_conserved_whatever_is_drawn(temp, mixed, hot, heat, dt_h):
    of, water, start = tank(), draw(mixed, hot), column(temp)
    passed = passage(start, column(heat), flow(water, of, dt_h), dt_h)
    gone = taken(passed, water, of, dt_h)
    stored = kwh_per_k(of) * (passed.temp_c - start)
    assert (stored - heat * dt_h + gone.lost_kwh + gone.delivered_kwh).abs().item() < 1e-9
    assert (passed.warm_h + passed.cold_h).item() == pytest.approx(dt_h, abs=1e-12)


@given(TEMPS, LITRES, LITRES, KW)
def test_twelve_short_steps_are_one_long_one_whatever_is_drawn(temp, mixed, hot, heat):
    """Also through 40.6 C, where fixtures begin to take all they draw from the tank."""
    short = temp
    for _ in range(12):
        short = later(short, heat, draw(mixed / 12, hot / 12), tank(), 1 / 12)
    assert short == pytest.approx(later(temp, heat, draw(mixed, hot), tank(), 1.0), abs=1e-9)


@given(TEMPS, LITRES, LITRES, KW, KW, STEPS)
def test_more_heat_never_leaves_the_water_colder(temp, mixed, hot, heat, more, dt_h):
    water = draw(mixed, hot)
    end = later(temp, heat, water, tank(), dt_h)
    assert later(temp, heat + more, water, tank(), dt_h) >= end - 1e-12


HOT, COLD = st.floats(40.6, 65.0), st.floats(25.0, 40.5)


@given(st.tuples(HOT, HOT) | st.tuples(COLD, COLD), LITRES, LITRES)
def test_the_heat_for_a_temperature_leads_there(temps, mixed, hot):
    temp, target = temps
    ahead = flow(draw(mixed, hot), tank(), 1 / 12)
    for inverse in (heat_for_kw, heat_within_kw):
        heat = inverse(column(temp), column(target), ahead, 1 / 12)
        assert passage(column(temp), heat, ahead, 1 / 12).temp_c.item() == pytest.approx(
            target, abs=1e-9
        )


@given(st.tuples(COLD, HOT) | st.tuples(HOT, COLD), LITRES, LITRES, STEPS)
def test_across_40_6_one_inverse_ends_no_colder_and_the_other_no_hotter(temps, mixed, hot, dt_h):
    temp, target = temps
    ahead = flow(draw(mixed, hot), tank(), dt_h)
    least = heat_for_kw(column(temp), column(target), ahead, dt_h)
    most = heat_within_kw(column(temp), column(target), ahead, dt_h)
    assert passage(column(temp), least, ahead, dt_h).temp_c.item() >= target - 1e-9
    assert passage(column(temp), most, ahead, dt_h).temp_c.item() <= target + 1e-9


@given(TEMPS, st.floats(0.0, 5.0), st.floats(8.0, 30.0))
def test_power_and_heat_are_inverse_to_one_another(temp, power, ambient):
    of = tank(pump=0.5)
    heater = heater_now(column(temp), draw(ambient=ambient, wet=ambient - 4.0), of)
    power = min(power, most_kw(heater).item())
    heat = heat_kw(column(power), heater)
    assert heat.item() >= power - 1e-12
    assert power_for_kw(heat, heater).item() == pytest.approx(power, abs=1e-9)


def test_a_shower_takes_the_same_heat_of_any_hot_tank_and_less_of_a_cold_one():
    """40 L at 40.6 C over mains of 15 C are 40 * 1.16194e-3 * 25.6 = 1.1898 kWh."""

    def shower(temp):
        water, of = draw(40.0), tank(volume=1000.0)
        passed = passage(column(temp), column(0.0), flow(water, of, 1 / 12), 1 / 12)
        return taken(passed, water, of, 1 / 12)

    assert shower(60.0).delivered_kwh.item() == pytest.approx(1.1898, abs=1e-4)
    assert shower(45.0).delivered_kwh.item() == pytest.approx(1.1898, abs=1e-4)
    assert shower(45.0).cold_kwh.item() == shower(45.0).cold_l.item() == 0.0
    cold = shower(38.0)
    assert cold.cold_l.item() == pytest.approx(40.0)
    assert (cold.delivered_kwh + cold.cold_kwh).item() == pytest.approx(1.1898, abs=1e-4)


@pytest.mark.parametrize("ambient", [7.0, 43.5])
def test_a_compressor_is_locked_out_where_its_air_is_too_cold_or_too_hot(ambient):
    of = tank(pump=0.5)
    locked = heater_now(column(50.0), draw(ambient=ambient), of)
    assert (locked.pump_kw.item(), locked.pump_cop.item()) == (0.0, 1.0)
    assert most_kw(locked).item() == 4.5
    assert heater_now(column(50.0), draw(), of).pump_cop.item() > 2.0


def test_a_home_without_a_tank_is_harmless_forwards_and_backwards():
    of = WaterHeaterParams(*(column(x) for x in (1.0, 1.0, 0.0, 1.0, 0.0)))
    temp = column(50.0).requires_grad_()
    heater = heater_now(temp, draw(), of)
    heat = heat_kw(power_for_kw(column(3.0), heater), heater)
    passed = passage(temp, heat, flow(draw(), of, 1 / 12), 1 / 12)
    passed.temp_c.sum().backward()
    assert heat.item() == 0.0
    assert temp.grad.isfinite().all()


def test_the_step_is_differentiable_on_both_sides_of_40_6_and_scriptable():
    temp = torch.linspace(30.0, 60.0, 31, dtype=torch.float64).requires_grad_()
    heat = torch.full((31,), 1.0, dtype=torch.float64).requires_grad_()
    ahead = flow(draw(30.0, 3.0), tank(), 1 / 12)
    passed = passage(temp, heat, ahead, 1 / 12)
    scripted = torch.jit.script(passage)(temp, heat, ahead, 1 / 12)
    assert all(torch.equal(one, other) for one, other in zip(scripted, passed, strict=True))
    taken(passed, draw(30.0, 3.0), tank(), 1 / 12).delivered_kwh.sum().backward()
    assert temp.grad.isfinite().all()
    assert heat.grad.isfinite().all()
