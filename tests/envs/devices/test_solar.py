"""The PVWatts chain, by numbers that one can check by hand."""

import math

import pytest
import torch
from torch import tensor

from vpp_envs.devices.solar import (
    INSULATED_BACK,
    OPEN_RACK,
    ROOF_MOUNTED,
    available_kw,
    cell_temperature_c,
    dc_power_pu,
    inverter_ac_pu,
)

FULL_SUN = tensor([1000.0], dtype=torch.float64)
BREEZE = tensor([1.0], dtype=torch.float64)
STANDARD_C = tensor([25.0], dtype=torch.float64)


def test_system_losses_are_14_08_percent():
    assert dc_power_pu(FULL_SUN, STANDARD_C, -0.0035).item() == pytest.approx(1 - 0.1408, abs=5e-5)


def test_ten_degrees_above_standard_cost_3_5_percent():
    cool = dc_power_pu(FULL_SUN, STANDARD_C, -0.0035)
    warm = dc_power_pu(FULL_SUN, STANDARD_C + 10.0, -0.0035)
    assert (warm / cool).item() == pytest.approx(0.965)


def test_open_rack_in_full_sun_at_20_c_and_1_m_per_s_is_at_49_4_c():
    cell_c = cell_temperature_c(FULL_SUN, tensor([20.0]), BREEZE, OPEN_RACK)
    # 1000 exp(-3.635) = 26.38 above the air, and 3 more inside the cell.
    assert cell_c.item() == pytest.approx(20.0 + 1000.0 * math.exp(-3.635) + 3.0)
    assert cell_c.item() == pytest.approx(49.4, abs=0.05)


def test_less_ventilated_mountings_run_warmer():
    temperatures = [
        cell_temperature_c(FULL_SUN, STANDARD_C, BREEZE, mounting).item()
        for mounting in (OPEN_RACK, ROOF_MOUNTED, INSULATED_BACK)
    ]
    assert temperatures == sorted(temperatures)


def test_panels_without_sun_are_as_warm_as_the_air_and_give_nothing():
    dark = tensor([0.0])
    cell_c = cell_temperature_c(dark, tensor([12.5]), BREEZE, ROOF_MOUNTED)
    assert cell_c.item() == 12.5
    assert inverter_ac_pu(dc_power_pu(dark, cell_c, -0.0035), tensor([1.2])).item() == 0.0


def test_inverter_at_its_rated_input_gives_its_rating():
    rated_input = tensor([1.0 / 0.96], dtype=torch.float64)
    ratio = tensor([1.0], dtype=torch.float64)
    # (-0.0162 - 0.0059 + 0.9858) / 0.9637 = 1 exactly.
    assert inverter_ac_pu(rated_input, ratio).item() == pytest.approx(1.0, abs=1e-12)


def test_inverter_clips_at_its_rating_and_never_draws():
    dc_pu = torch.linspace(0.0, 2.0, 201)
    ac_pu = inverter_ac_pu(dc_pu, tensor(1.5))
    assert ac_pu.min().item() == 0.0
    assert ac_pu.max().item() == 1.0
    assert bool((ac_pu.diff() >= 0).all())


def test_inverter_is_96_percent_efficient_near_half_load():
    dc_pu = tensor([0.5], dtype=torch.float64)
    efficiency = inverter_ac_pu(dc_pu, tensor([1.0])) / dc_pu
    # z = 0.48: 0.96 / 0.9637 (-0.00778 - 0.01229 + 0.9858) = 0.9620.
    assert efficiency.item() == pytest.approx(0.9620, abs=1e-4)


def test_a_home_without_panels_has_nothing_available():
    assert available_kw(tensor([5.0, 0.0]), tensor([0.8, 0.8])).tolist() == [4.0, 0.0]


def test_scripted_chain_equals_eager():
    dc_pu, ratio = torch.linspace(0.0, 1.2, 50), tensor(1.2)
    assert torch.equal(torch.jit.script(inverter_ac_pu)(dc_pu, ratio), inverter_ac_pu(dc_pu, ratio))
    sun = torch.linspace(0.0, 1100.0, 50)
    args = (sun, tensor(20.0), tensor(1.0), ROOF_MOUNTED)
    assert torch.equal(torch.jit.script(cell_temperature_c)(*args), cell_temperature_c(*args))
