import pytest
import torch

from vpp_envs.devices.house import HouseHeat, house_step, step_house
from vpp_envs.devices.house_geometry import house_of
from vpp_envs.devices.hvac import (
    HvacParams,
    HvacRun,
    biquadratic,
    heat_into_rooms_kw,
    heat_pump_capacity_pu,
    heat_pump_input_pu,
    thermostat,
    unit_now,
)


def column(value):
    return torch.tensor([float(value)], dtype=torch.float64)


def unit(**changes):
    numbers = {
        "cool_kw": 15.8, "heat_kw": 15.8, "aux_kw": 10.0, "furnace_kw": 0.0, "cool_cop": 3.5,
        "heat_cop": 2.5, "fan_kw": 0.4, "latent": 0.3, "duct_eff": 1.0, "lock_c": -12.2,
        "off_h": 5 / 60, "on_h": 3 / 60, "deadband_k": 1.0, "deadband_shift": 0.2,
        "aux_below_k": 1.6,
    }  # fmt: skip
    house = house_of(column(2000.0), torch.tensor([3]))
    return HvacParams(house, **{k: column(v) for k, v in (numbers | changes).items()})


def now(outdoor_c, heats, params=None):
    return unit_now(torch.tensor([heats]), column(outdoor_c), params or unit())


def test_cooling_on_a_day_of_95_f():
    # Curves of the facts file, A5: capacity 1.0 and COP 3.5 / 1.0 at 95 F.
    cool = now(35.0, heats=False)
    assert cool.full_kw.item() == pytest.approx(15.8 / 3.5 + 0.4, rel=1e-3)
    moved_kw = (cool.full_kw * cool.heat_per_kw).item()
    assert moved_kw == pytest.approx(15.8 / 1.3 - 0.4, rel=1e-3)


def test_a_heat_pump_gives_its_rating_at_47_f():
    f = torch.tensor([47.0, 17.0, -30.0])
    # At 47 F 1.0; at 17 F 0.34148808 + 0.1519973 + 0.0311744 = 0.52466; below -20 F as there.
    assert heat_pump_capacity_pu(f).tolist() == pytest.approx([1.0, 0.52466, 0.205816], abs=1e-4)
    assert heat_pump_input_pu(f)[0].item() == pytest.approx(1.0, abs=0.01)
    heat = now(8.3333, heats=True)
    assert (heat.full_kw * heat.heat_per_kw).item() == pytest.approx(15.8 + 0.4, rel=1e-3)


def test_below_its_lockout_a_heat_pump_leaves_the_house_to_resistance_heat():
    heat = now(-15.0, heats=True)
    assert heat.full_kw.item() == 0.0
    assert heat.aux_kw.item() == 10.0
    assert now(-15.0, heats=False).aux_kw.item() == 0.0


def test_a_curve_of_ochre_by_hand():
    # Single-speed air conditioner of the facts file, A5: at 19.4 C wet bulb and 35 C about 1.
    curve = torch.tensor([1.5509, -0.07505, 0.0031, 0.0024, -0.00005, -0.00043]).double()
    value = biquadratic(column(19.4444), column(35.0), curve)
    assert value.item() == pytest.approx(0.9938, abs=5e-4)


def test_heat_of_compressor_and_resistance_passes_the_ducts():
    params = unit(duct_eff=0.8)
    heat = now(5.0, True, params)
    run = HvacRun(heat.full_kw, column(2.0), column(0.5))
    expected = (heat.full_kw * heat.heat_per_kw + 2.0 * 0.8 + 0.5).item()
    assert heat_into_rooms_kw(run, heat, params).item() == pytest.approx(expected)


def own(air_c, on, outdoor_c=35.0, heats=False, dt_h=1 / 60, cycles=False, set_c=24.0, **changes):
    params = unit(**changes)
    heat = HouseHeat(column(outdoor_c), column(0.5), column(0.5))
    over = house_step(params.house, dt_h)
    can = now(outdoor_c, heats, params)
    held = torch.tensor([False])
    air = column(air_c)
    run = thermostat(
        air, air, torch.tensor([on]), held, column(set_c), heat, can, params, over, cycles
    )
    end = step_house(air, air, heat, heat_into_rooms_kw(run, can, params), params.house, over)
    return run, end


@pytest.mark.parametrize(
    ("air_c", "on", "runs"),
    [(24.81, False, True), (24.79, False, False), (23.81, True, True), (23.79, True, False)],
)
def test_a_cooler_starts_above_its_deadband_and_stops_below_it(air_c, on, runs):
    # OCHRE: on above 24 + 0.8, off below 24 - 0.2.
    run, _ = own(air_c, on)
    assert (run.compressor_kw > 0).item() is runs


@pytest.mark.parametrize(
    ("air_c", "on", "runs"),
    [(19.19, False, True), (19.21, False, False), (20.19, True, True), (20.21, True, False)],
)
def test_a_heater_mirrors_it(air_c, on, runs):
    run, _ = own(air_c, on, outdoor_c=0.0, heats=True, set_c=20.0)
    assert (run.compressor_kw > 0).item() is runs


def test_over_whole_cycles_the_air_ends_in_the_middle_of_the_deadband():
    run, end = own(24.6, False, dt_h=0.5, cycles=True)
    assert end.air_c.item() == pytest.approx(24.3)  # 24 + (0.8 - 0.2) / 2
    assert run.aux_kw.item() == 0.0


def test_resistance_heat_comes_only_where_the_heat_pump_does_not_reach():
    run, _ = own(19.0, True, outdoor_c=5.0, heats=True, set_c=20.0, dt_h=1.0, cycles=True)
    assert run.aux_kw.item() == 0.0
    run, end = own(12.0, True, outdoor_c=-10.0, heats=True, set_c=20.0, dt_h=1 / 12, cycles=True)
    assert run.aux_kw.item() > 0.0
    assert end.air_c.item() <= 18.4 + 1e-9


def test_a_furnace_holds_the_heating_set_point_without_electricity():
    changes = {"heat_kw": 0.0, "aux_kw": 0.0, "furnace_kw": 20.0}
    run, end = own(
        19.9, False, outdoor_c=0.0, heats=True, set_c=20.0, dt_h=0.5, cycles=True, **changes
    )
    assert (run.compressor_kw + run.aux_kw).item() == 0.0
    assert end.air_c.item() == pytest.approx(20.0)


def test_without_a_unit_nothing_divides_by_zero():
    params = unit(cool_kw=0.0, heat_kw=0.0, aux_kw=0.0, fan_kw=0.0)
    outdoor = column(30.0).requires_grad_()
    for heats in (True, False):
        can = unit_now(torch.tensor([heats]), outdoor, params)
        assert can.full_kw.item() == 0.0
        (slope,) = torch.autograd.grad(can.heat_per_kw.sum() + can.full_kw.sum(), outdoor)
        assert torch.isfinite(slope).all()
