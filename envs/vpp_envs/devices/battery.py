"""Home battery: energy balance on the DC side, power limits on the AC side."""

from typing import NamedTuple

import torch
from torch import Tensor


class BatteryParams(NamedTuple):
    """Constants of the batteries of a fleet, one column per home, (N,).

    A home without a battery has capacity 1, efficiency 1 and all else 0: harmless numbers
    that divide nothing by zero, forwards or backwards.
    """

    capacity_kwh: Tensor  # usable energy between empty and full, DC side [kWh]
    charge_kw: Tensor  # AC limit when charging [kW]
    discharge_kw: Tensor  # AC limit when discharging, positive [kW]
    one_way_eff: Tensor  # square root of the AC-to-AC round-trip efficiency [0 to 1]
    standing_loss_kw: Tensor  # constant draw of battery and inverter on the DC side [kW]
    wear_per_kwh: Tensor  # cost of wear per kWh discharged, AC [currency/kWh]


def stored_change_kwh(power_kw: Tensor, battery: BatteryParams, dt_h: float) -> Tensor:
    """Return the change of stored energy over one step of constant AC power.

    ``eta * p`` when charging, ``p / eta`` when discharging, less the standing loss: the
    efficiency is split evenly because data sheets give the round trip only.

    Args:
        power_kw: AC power, charging positive, (..., N). [kW]
        battery: Constants, (N,).
        dt_h: Length of the step. [h]

    Returns:
        Change of stored energy on the DC side, (..., N). [kWh]
    """
    cell_kw = torch.where(
        power_kw > 0, power_kw * battery.one_way_eff, power_kw / battery.one_way_eff
    )
    return (cell_kw - battery.standing_loss_kw) * dt_h
