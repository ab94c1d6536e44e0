"""Fuel of engines by load."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.generator import (
    GeneratorParams,
    cost_per_kwh,
    fuel_l_per_h,
    output_for_kw,
)


def engine(most_kw=100.0, idle=8.145, slope=0.246, bend=0.0):
    numbers = (most_kw, 0.3 * most_kw, idle, slope, bend, 2.68, 500.0, 0.0)
    return GeneratorParams(*(torch.tensor([v], dtype=torch.float64) for v in numbers))


def column(value):
    return torch.tensor([value], dtype=torch.float64)


@pytest.mark.reference
@pytest.mark.parametrize(("load_kw", "litres"), [(30.0, 15.525), (50.0, 20.445), (100.0, 32.745)])
def test_a_diesel_burns_by_the_usual_line(load_kw, litres):
    """F = 0.08145 L/h per kW rated + 0.246 L/kWh, the usual default for sets without data."""
    assert fuel_l_per_h(column(load_kw), engine()).item() == pytest.approx(litres, abs=1e-12)


@given(
    load_kw=st.floats(0.0, 100.0),
    bend=st.sampled_from([0.0, 1e-4, 1e-3]),
    slope=st.floats(0.05, 1.0),
)
def test_output_for_fuel_is_the_inverse_of_fuel(load_kw, bend, slope):
    one = engine(slope=slope, bend=bend)
    burnt = fuel_l_per_h(column(load_kw), one)
    assert output_for_kw(burnt, one).item() == pytest.approx(load_kw, abs=1e-9)


def test_less_fuel_than_at_no_load_gives_nothing():
    assert output_for_kw(column(5.0), engine()).item() == 0.0


def test_a_kwh_at_full_load_costs_its_fuel_and_upkeep():
    """32.745 L at 1.40 over 100 kWh, and 0.025: 0.48343."""
    cost = cost_per_kwh(column(100.0), column(1.4), column(0.025), engine())
    assert cost.item() == pytest.approx(0.48343, abs=1e-12)


def test_an_absent_engine_burns_nothing_and_has_finite_gradients():
    one = engine(0.0, 0.0)
    fuel = column(0.0).requires_grad_()
    power = column(0.0).requires_grad_()
    cost = cost_per_kwh(power, column(1.4), column(0.025), one)
    (output_for_kw(fuel, one).sum() + fuel_l_per_h(power, one).sum() + cost.sum()).backward()
    assert fuel_l_per_h(column(0.0), one).item() == 0.0
    assert torch.isfinite(fuel.grad).all()
    assert torch.isfinite(power.grad).all()


def test_the_scripted_physics_is_the_physics():
    at, one = column(3.0), engine()
    calls = (
        (fuel_l_per_h, (at, one)),
        (output_for_kw, (at, one)),
        (cost_per_kwh, (at, column(1.4), column(0.025), one)),
    )
    for law, words in calls:
        assert torch.equal(torch.jit.script(law)(*words), law(*words))
