import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.house import (
    HouseHeat,
    HouseParams,
    equilibrium_c,
    heat_of,
    house_step,
    step_house,
)
from vpp_envs.devices.house_geometry import LEVELS, TON_KW, cooling_size_kw, house_of


def column(value):
    return torch.tensor([float(value)], dtype=torch.float64)


def house(ua=419.0, coupling=4124.0, air=0.45, mass=1.81):
    zero = column(0.0)
    return HouseParams(*(column(v) for v in (ua, coupling, air, mass)), zero, zero, zero, zero)


def passed(one, air_c, mass_c, dt_h, outdoor_c=40.0, air_kw=0.0, mass_kw=0.0, unit_kw=0.0):
    heat = HouseHeat(column(outdoor_c), column(air_kw), column(mass_kw))
    over = house_step(one, dt_h)
    return step_house(column(air_c), column(mass_c), heat, column(unit_kw), one, over)


HOUSES = {
    "ua": st.floats(50.0, 2000.0),
    "coupling": st.floats(200.0, 10_000.0),
    "air": st.floats(0.05, 3.0),
    "mass": st.floats(0.3, 20.0),
}
STATES = {
    "air_c": st.floats(5.0, 35.0),
    "mass_c": st.floats(5.0, 35.0),
    "outdoor_c": st.floats(-30.0, 50.0),
    "air_kw": st.floats(-20.0, 20.0),
    "mass_kw": st.floats(0.0, 10.0),
}
STEPS = st.sampled_from([1.0 / 3600, 1.0 / 60, 1.0 / 12, 1.0])


@pytest.mark.parametrize(
    ("dt_h", "air_c", "mass_c"), [(1.0 / 12.0, 24.8586, 24.0859), (1.0, 27.4004, 26.3594)]
)
def test_a_normal_house_without_a_unit_on_a_day_of_40_c(dt_h, air_c, mass_c):
    # Golden numbers of the facts file, H2: two masses, UA 419 W/K, from 24 C.
    end = passed(house(), 24.0, 24.0, dt_h)
    assert end.air_c.item() == pytest.approx(air_c, abs=5e-5)
    assert end.mass_c.item() == pytest.approx(mass_c, abs=5e-5)


def test_seven_levels_of_insulation_of_2000_square_feet():
    # Golden numbers of the facts file, A5: UA, tons sized, and Ca, Cm, Hm for all levels.
    floor = torch.full((7,), 2000.0, dtype=torch.float64)
    houses = house_of(floor, torch.arange(7))
    assert houses.ua_w_per_k.round().tolist() == [897, 706, 464, 419, 355, 252, 199]
    tons = cooling_size_kw(houses, floor, 35.0, 0.0) / TON_KW
    assert tons.tolist() == pytest.approx([6.5, 5.5, 4.5, 4.5, 4.0, 3.5, 3.5])
    assert houses.air_kwh_per_k.tolist() == pytest.approx([0.45] * 7, abs=0.005)
    assert houses.mass_kwh_per_k.tolist() == pytest.approx([1.81] * 7, abs=0.005)
    assert houses.coupling_w_per_k.tolist() == pytest.approx([4124.0] * 7, abs=0.5)
    assert [row[0] for row in LEVELS][3] == "normal"


@given(**HOUSES, **STATES, dt_h=STEPS)
def test_heat_is_stored_or_gone_outdoors(ua, coupling, air, mass, dt_h, **state):
    one = house(ua, coupling, air, mass)
    end = passed(one, dt_h=dt_h, unit_kw=3.0, **state)
    stored_kwh = air * (end.air_c - state["air_c"]) + mass * (end.mass_c - state["mass_c"])
    in_kwh = (state["air_kw"] + state["mass_kw"] + 3.0) * dt_h
    assert (stored_kwh + end.loss_kwh).item() == pytest.approx(in_kwh, abs=1e-9)


@given(**HOUSES, **STATES)
def test_twelve_steps_of_five_minutes_are_one_of_an_hour(ua, coupling, air, mass, **state):
    one = house(ua, coupling, air, mass)
    hour = passed(one, dt_h=1.0, **state)
    loss_kwh = 0.0
    for _ in range(12):
        part = passed(one, dt_h=1.0 / 12.0, **state)
        loss_kwh += part.loss_kwh.item()
        state = state | {"air_c": part.air_c.item(), "mass_c": part.mass_c.item()}
    assert state["air_c"] == pytest.approx(hour.air_c.item(), abs=1e-9)
    assert state["mass_c"] == pytest.approx(hour.mass_c.item(), abs=1e-9)
    assert loss_kwh == pytest.approx(hour.loss_kwh.item(), abs=1e-9)


@given(**HOUSES, **STATES, dt_h=STEPS)
def test_the_step_is_the_matrix_exponential(ua, coupling, air, mass, dt_h, **state):
    end = passed(house(ua, coupling, air, mass), dt_h=dt_h, **state)
    rates = torch.zeros(3, 3, dtype=torch.float64)
    rates[0, 0], rates[0, 1] = -(ua + coupling) / 1e3 / air, coupling / 1e3 / air
    rates[1, 0], rates[1, 1] = coupling / 1e3 / mass, -coupling / 1e3 / mass
    rates[0, 2] = (ua / 1e3 * state["outdoor_c"] + state["air_kw"]) / air
    rates[1, 2] = state["mass_kw"] / mass
    start = torch.tensor([state["air_c"], state["mass_c"], 1.0], dtype=torch.float64)
    expected = torch.matrix_exp(rates * dt_h) @ start
    assert end.air_c.item() == pytest.approx(expected[0].item(), abs=1e-8)
    assert end.mass_c.item() == pytest.approx(expected[1].item(), abs=1e-8)


@given(**HOUSES, **STATES, dt_h=STEPS)
def test_more_heat_makes_nothing_colder(ua, coupling, air, mass, dt_h, **state):
    one = house(ua, coupling, air, mass)
    end = passed(one, dt_h=dt_h, **state)
    warmer = passed(one, dt_h=dt_h, unit_kw=1.0, **state)
    assert warmer.air_c > end.air_c
    assert warmer.mass_c >= end.mass_c


def test_a_house_settles_at_its_equilibrium():
    end = passed(house(), 20.0, 20.0, 1000.0, outdoor_c=5.0, air_kw=1.0, mass_kw=2.0)
    heat = HouseHeat(column(5.0), column(1.0), column(2.0))
    assert end.air_c.item() == pytest.approx(equilibrium_c(heat, house()).item(), abs=1e-6)
    # 5 C + 3 kW / 0.419 kW/K = 12.16 C
    assert end.air_c.item() == pytest.approx(12.16, abs=0.001)


def test_sun_and_gains_are_split_and_nothing_is_lost():
    one = house_of(column(2000.0), torch.tensor([3]))
    heat = heat_of(column(10.0), column(800.0), column(0.6), one)
    total_kw = 0.8 * one.aperture_m2 + 0.6
    assert (heat.air_kw + heat.mass_kw).item() == pytest.approx(total_kw.item())
    assert heat.air_kw.item() == pytest.approx(heat.mass_kw.item())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scripted_equals_eager_and_gradients_are_finite(dtype):
    one = house_of(torch.full((7,), 1800.0), torch.arange(7))
    one = HouseParams(*(t.to(dtype) for t in one))
    air = torch.full((2, 7), 21.0, dtype=dtype, requires_grad=True)
    heat = HouseHeat(0.0 * one.ua_w_per_k, one.gain_mean_kw, one.gain_mean_kw)
    over = house_step(one, 1.0 / 12.0)
    end = step_house(air, air, heat, one.gain_mean_kw, one, over)
    scripted = torch.jit.script(step_house)
    for _ in range(3):  # the profiling executor changes its plan after the first runs
        again = scripted(air, air, heat, one.gain_mean_kw, one, over)
    assert torch.equal(end.air_c, again.air_c)
    (slope,) = torch.autograd.grad(end.air_c.sum() + end.loss_kwh.sum(), air)
    assert torch.isfinite(slope).all()
    assert end.air_c.dtype == dtype
