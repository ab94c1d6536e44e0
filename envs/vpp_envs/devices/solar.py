"""Rooftop solar: the PVWatts chain from sunlight on the panels to AC power.

Generation is positive here; a site's net load subtracts it. Source of the chain: A. P.
Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641, 2014, doi:10.2172/1158421.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class PanelMounting(NamedTuple):
    """How warm panels run: coefficients of the Sandia model (King et al. 2004, table 1)."""

    log_gain: float  # logarithm of the heating by sunlight in still air [ln(K m2/W)]
    wind_slope: float  # change of that logarithm per wind speed [s/m]
    cell_rise_c: float  # how far cells run above their back sheet at 1000 W/m2 [K]


ROOF_MOUNTED = PanelMounting(-2.98, -0.0471, 1.0)
OPEN_RACK = PanelMounting(-3.56, -0.075, 3.0)
INSULATED_BACK = PanelMounting(-2.81, -0.0455, 0.0)


def cell_temperature_c(
    irradiance_w_per_m2: Tensor, air_c: Tensor, wind_m_per_s: Tensor, mounting: PanelMounting
) -> Tensor:
    """Return the temperature of the cells.

    D. L. King et al., "Sandia Photovoltaic Array Performance Model", SAND2004-3535, 2004:
    the back sheet is ``air + G exp(a + b wind)``, the cell ``G / 1000 dT`` warmer.

    Args:
        irradiance_w_per_m2: Sunlight in the plane of the panels, (..., K). [W/m2]
        air_c: Air temperature, broadcastable to it. [C]
        wind_m_per_s: Wind speed at 10 m, broadcastable to it. [m/s]
        mounting: Coefficients of the kind of mounting.

    Returns:
        Cell temperature, (..., K). [C]
    """
    gain = torch.exp(mounting.log_gain + mounting.wind_slope * wind_m_per_s)
    back_c = air_c + irradiance_w_per_m2 * gain
    return back_c + irradiance_w_per_m2 / 1000.0 * mounting.cell_rise_c


def dc_power_pu(irradiance_w_per_m2: Tensor, cell_c: Tensor, gamma_per_c: float) -> Tensor:
    """Return the DC power after system losses, per unit of the panels' DC rating.

    ``G / 1000 (1 + gamma (Tc - 25))`` times the share that the losses of PVWatts leave:
    soiling 2 %, shading 3 %, mismatch 2 %, wiring 2 %, connections 0.5 %, light-induced
    degradation 1.5 %, nameplate 1 %, availability 3 %; together 14.08 %.

    Args:
        irradiance_w_per_m2: Sunlight in the plane of the panels, (..., K). [W/m2]
        cell_c: Cell temperature, (..., K). [C]
        gamma_per_c: Change of power with temperature, negative; -0.0035 is common. [1/C]

    Returns:
        DC power, not negative, (..., K). [per unit of DC rating]
    """
    kept = 0.98 * 0.97 * 0.98 * 0.98 * 0.995 * 0.985 * 0.99 * 0.97
    warm = 1.0 + gamma_per_c * (cell_c - 25.0)
    return (irradiance_w_per_m2 / 1000.0 * warm * kept).clamp(min=0.0)


def inverter_ac_pu(dc_pu: Tensor, dc_ac_ratio: Tensor) -> Tensor:
    """Return the AC power of the inverter, per unit of its AC rating.

    PVWatts: ``eta = 0.96 / 0.9637 (-0.0162 z - 0.0059 / z + 0.9858)`` at the share z of the
    DC power that the inverter is built for. Efficiency times DC power is a polynomial in z,
    which divides nothing by zero at night.

    Args:
        dc_pu: DC power, (..., K). [per unit of DC rating]
        dc_ac_ratio: DC rating of the panels over AC rating of the inverter, (K,).

    Returns:
        AC power, (..., K). [0 to 1, per unit of AC rating]
    """
    loading = dc_pu * dc_ac_ratio * 0.96
    ac_pu = (-0.0162 * loading * loading + 0.9858 * loading - 0.0059) / 0.9637
    return ac_pu.clamp(0.0, 1.0)


def available_kw(rating_kw: Tensor, ac_pu: Tensor) -> Tensor:
    """Return the most that each home's system can feed in, before any curtailment.

    Args:
        rating_kw: AC rating, (N,), 0 where there is no system. [kW]
        ac_pu: AC power, (..., N). [per unit of AC rating]

    Returns:
        Available AC power, positive, (..., N). [kW]
    """
    return rating_kw * ac_pu
