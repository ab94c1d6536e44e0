"""The PVWatts chain against pvlib's."""

import itertools

import numpy as np
import pytest
import torch

from vpp_envs.devices.solar import (
    INSULATED_BACK,
    OPEN_RACK,
    ROOF_MOUNTED,
    PanelMounting,
    cell_temperature_c,
    dc_power_pu,
    inverter_ac_pu,
)

pvlib = pytest.importorskip("pvlib", reason="pvlib is in the extra `weather`")
pytestmark = pytest.mark.reference

SUN = np.linspace(0.0, 1300.0, 131)
AIR_C = (-20.0, 0.0, 25.0, 45.0)


def double(values: float | np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("mounting", "name"),
    [
        (ROOF_MOUNTED, "close_mount_glass_glass"),
        (OPEN_RACK, "open_rack_glass_polymer"),
        (INSULATED_BACK, "insulated_back_glass_polymer"),
    ],
)
def test_cell_temperature_equals_sapm_cell(mounting: PanelMounting, name: str):
    coefficients = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"][name]
    for air_c, wind in itertools.product(AIR_C, (0.0, 1.0, 12.0)):
        ours = cell_temperature_c(double(SUN), double(air_c), double(wind), mounting)
        theirs = pvlib.temperature.sapm_cell(SUN, air_c, wind, **coefficients)
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("gamma", [-0.002, -0.0035, -0.005])
def test_dc_power_equals_pvwatts_dc_less_losses(gamma: float):
    kept = 1.0 - pvlib.pvsystem.pvwatts_losses() / 100.0
    for cell_c in (-10.0, 25.0, 70.0):
        ours = dc_power_pu(double(SUN), double(cell_c), gamma)
        theirs = pvlib.pvsystem.pvwatts_dc(SUN, cell_c, 1.0, gamma) * kept
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dc_ac_ratio", [1.0, 1.2, 1.5])
def test_inverter_equals_pvwatts(dc_ac_ratio: float):
    dc_pu = np.linspace(0.0, 1.3, 500)
    ours = inverter_ac_pu(double(dc_pu), double(dc_ac_ratio))
    # Per unit of AC rating the inverter is built for 1 / 0.96 of DC power.
    theirs = pvlib.inverter.pvwatts(dc_pu * dc_ac_ratio, 1.0 / 0.96)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=1e-9)
