"""Two layers of hot water: balance, the order of layers, and which element runs."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.tank import (
    LayerHeat,
    Layers,
    heat_pump_thermostat,
    layers_of,
    mean_of_layers_c,
    resistance_thermostat,
    step_layers,
)
from vpp_envs.devices.water_heater import Draw, WaterHeaterParams, kwh_per_k


def column(value):
    return torch.tensor([float(value)], dtype=torch.float64)


TANK = WaterHeaterParams(*(column(x) for x in (170.343, 1.3255e-3, 0.0, 1.0, 4.5)))
OF = layers_of(TANK)
NOTHING = LayerHeat(column(0.0), column(0.0))


def draw(mixed=0.0, hot=0.0):
    return Draw(*(column(x) for x in (mixed, hot, 15.0, 20.0, 15.0)))


def layers(upper, lower):
    return Layers(column(upper), column(lower))


@pytest.mark.reference
def test_a_tank_is_split_as_in_ochre():
    """Its erwh_190l_2node: 0.4744 and 0.8511 W/K to the air, 0.1468 W/K between the layers."""
    assert OF.upper_kw_per_k.item() * 1e3 == pytest.approx(0.4744, rel=0.02)
    assert OF.lower_kw_per_k.item() * 1e3 == pytest.approx(0.8511, rel=0.02)
    assert OF.between_kw_per_k.item() * 1e3 == pytest.approx(0.1468, rel=0.01)


@given(
    st.floats(16.0, 65.0),
    st.floats(16.0, 65.0),
    st.floats(0.0, 60.0),
    st.floats(0.0, 60.0),
    st.floats(0.0, 4.5),
    st.sampled_from([1 / 60, 1 / 12]),
)
def test_energy_is_conserved_and_warm_water_is_on_top(one, other, mixed, hot, heat, dt_h):
    before = layers(max(one, other), min(one, other))
    after = step_layers(
        before, LayerHeat(column(0.3 * heat), column(0.7 * heat)), draw(mixed, hot), OF, dt_h
    )
    change = kwh_per_k(TANK) * (mean_of_layers_c(after.state, OF) - mean_of_layers_c(before, OF))
    assert (change - heat * dt_h + after.delivered_kwh + after.lost_kwh).abs().item() < 1e-9
    assert (after.state.upper_c >= after.state.lower_c - 1e-9).all()
    assert after.state.lower_c.item() > 14.9


def test_a_draw_takes_95_parts_of_a_hundred_from_below():
    """20 L at 50 C over 15 C are 0.8134 kWh, of which the lower 113.6 L lose 0.7727: 5.856 K."""
    after = step_layers(layers(50.0, 50.0), NOTHING, draw(hot=20.0), OF, 1 / 60)
    assert after.delivered_kwh.item() == pytest.approx(0.8134, abs=1e-4)
    assert 50.0 - after.state.lower_c.item() == pytest.approx(5.856, abs=0.01)
    assert 50.0 - after.state.upper_c.item() == pytest.approx(0.6164, abs=0.01)


@pytest.mark.parametrize(
    ("before", "water", "heat", "after", "delivered_kwh", "lost_kwh"),
    [
        (
            *((50.0, 45.0), (20.0, 5.0), (0.0, 4.5)),
            *((49.39131243486174, 39.81898555017787), 0.79825278, 0.0005524726487858026),
        ),
        (
            *((52.0, 30.0), (0.0, 90.0), (4.5, 0.0)),
            *((41.88815287079717, 15.00069108599397), 3.02009353308, 0.0012391212561437153),
        ),
        (
            *((45.0, 44.0), (0.0, 0.0), (0.0, 4.5)),
            *((46.213859327894255, 46.213859327894255), 0.0, 0.0027906013772558765),
        ),
    ],
)
def test_two_layers_are_what_they_were_before_there_were_more(
    before, water, heat, after, delivered_kwh, lost_kwh
):
    """Numbers of the code that had two layers only, of a minute and of five."""
    dt_h = 1 / 60 if water[0] else 1 / 12
    into = LayerHeat(*(column(kw) for kw in heat))
    passed = step_layers(layers(*before), into, draw(*water), OF, dt_h)
    assert [float(x) for x in passed.state] == pytest.approx(after, abs=1e-9)
    assert passed.delivered_kwh.item() == pytest.approx(delivered_kwh, abs=1e-12)
    assert passed.lost_kwh.item() == pytest.approx(lost_kwh, abs=1e-12)


def test_a_warm_layer_below_mixes_with_the_one_above():
    after = step_layers(layers(40.0, 50.0), NOTHING, draw(), OF, 1 / 3600).state
    assert after.upper_c.item() == pytest.approx(140.0 / 3.0, abs=1e-3)
    assert after.lower_c.item() == after.upper_c.item()


def test_elements_never_run_together_and_the_upper_one_goes_first():
    cold = resistance_thermostat(layers(40.0, 30.0), NOTHING, column(51.7), column(5.56))
    assert (cold.upper.item(), cold.lower.item()) == (1.0, 0.0)
    below = resistance_thermostat(layers(50.0, 40.0), NOTHING, column(51.7), column(5.56))
    assert (below.upper.item(), below.lower.item()) == (0.0, 1.0)
    goes_on = resistance_thermostat(layers(50.0, 40.0), cold, column(51.7), column(5.56))
    assert (goes_on.upper.item(), goes_on.lower.item()) == (1.0, 0.0)


def test_a_heat_pump_runs_before_its_element():
    pump = heat_pump_thermostat(layers(44.0, 30.0), NOTHING, column(51.7), column(8.17))
    assert (pump.upper.item(), pump.lower.item()) == (0.0, 1.0)
    element = heat_pump_thermostat(layers(38.0, 30.0), pump, column(51.7), column(8.17))
    assert (element.upper.item(), element.lower.item()) == (1.0, 0.0)


def test_a_step_is_scriptable_and_differentiable():
    upper = column(50.0).requires_grad_()
    before, water = Layers(upper, column(45.0)), draw(20.0, 5.0)
    after = step_layers(before, NOTHING, water, OF, 1 / 60)
    scripted = torch.jit.script(step_layers)(before, NOTHING, water, OF, 1 / 60)
    assert torch.equal(scripted.state.lower_c, after.state.lower_c)
    (after.state.upper_c + after.state.lower_c).sum().backward()
    assert upper.grad.isfinite().all()
