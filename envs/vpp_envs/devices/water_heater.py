"""Electric water heater: one node of hot water, exact for steps of any length.

    C dT/dt = Q - UA (T - Tambient) - m c (T - Tmains),  C = c V

Resistance heat turns all electricity into warmth. A heat pump moves several times as much, by the
wet bulb of the air around it and the water it heats (curves of NREL's OCHRE, from laboratory
tests of a 2012 unit); beyond its power resistance helps.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class WaterHeaterParams(NamedTuple):
    """Constants of the tanks, one column per home, (N,); volume 1 and sizes 0 without one."""

    volume_l: Tensor  # of water [L]
    ua_kw_per_k: Tensor  # to the air around the tank [kW/K]
    pump_kw: Tensor  # electricity of the heat pump, 0: resistance alone [kW]
    pump_cop: Tensor  # at the rating point
    element_kw: Tensor  # of the resistance element [kW]


class Draw(NamedTuple):
    """Water drawn in one step, (..., N)."""

    mixed_l: Tensor  # at fixtures, tempered to 40.6 C [L]
    hot_l: Tensor  # by machines, as hot as it comes [L]
    mains_c: Tensor  # temperature of the cold water [C]
    ambient_c: Tensor  # air around the tank [C]
    wet_bulb_c: Tensor  # the same air's wet bulb [C]


class Flow(NamedTuple):
    """A step ahead in the tank, (..., N): what the tank tends to, and how fast."""

    drawn_l: Tensor  # leaves the tank [L]
    decay_per_h: Tensor  # of the distance to what it tends to [1/h]
    kw_per_k: Tensor  # loss and draw together [kW/K]
    idle_c: Tensor  # what it tends to without heat [C]


def kwh_per_k(tank: WaterHeaterParams) -> Tensor:
    """Heat capacity of the water, (N,). 4.183 kJ/(kg K) is 1.1619 Wh a litre and kelvin. [kWh/K]"""
    return tank.volume_l * 1.16194e-3


def flow(temp_c: Tensor, draw: Draw, tank: WaterHeaterParams, dt_h: float) -> Flow:
    """Foresee a step.

    Fixtures mix hot with cold water to 40.6 C, so that they take less of it the hotter it is; the
    share is that of the temperature at the start. Water that is colder than that is not mixed.

    Args:
        temp_c: Of the tank at the start, (..., N). [C]
        draw: In the step.
        tank: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    share = (40.6 - draw.mains_c) / (temp_c - draw.mains_c).clamp(min=1.0)
    drawn_l = draw.mixed_l * share.clamp(0.0, 1.0) + draw.hot_l
    draw_kw_per_k = drawn_l * 1.16194e-3 / dt_h
    kw_per_k = tank.ua_kw_per_k + draw_kw_per_k
    idle_c = (tank.ua_kw_per_k * draw.ambient_c + draw_kw_per_k * draw.mains_c) / kw_per_k
    return Flow(drawn_l, kw_per_k / kwh_per_k(tank), kw_per_k, idle_c)


def after_c(temp_c: Tensor, heat: Tensor, ahead: Flow, dt_h: float) -> Tensor:
    """Temperature after a step of constant heat, (..., N). [C]

    Args:
        temp_c: At the start, (..., N). [C]
        heat: Into the water, (..., N). [kW]
        ahead: The step's flow.
        dt_h: Length of the step. [h]
    """
    rest_c = ahead.idle_c + heat / ahead.kw_per_k
    return rest_c + (temp_c - rest_c) * torch.exp(-ahead.decay_per_h * dt_h)


def heat_for_kw(temp_c: Tensor, target_c: Tensor, ahead: Flow, dt_h: float) -> Tensor:
    """Heat that leaves the tank at a temperature; the inverse of `after_c`, (..., N). [kW]"""
    gone = -torch.expm1(-ahead.decay_per_h * dt_h)
    rest_c = temp_c + (target_c - temp_c) / gone
    return (rest_c - ahead.idle_c) * ahead.kw_per_k


def mean_c(temp_c: Tensor, heat: Tensor, ahead: Flow, dt_h: float) -> Tensor:
    """Mean temperature over a step, (..., N). [C]"""
    rest_c = ahead.idle_c + heat / ahead.kw_per_k
    x = ahead.decay_per_h * dt_h
    return rest_c + (temp_c - rest_c) * -torch.expm1(-x) / x


def pump_cop(temp_c: Tensor, draw: Draw, tank: WaterHeaterParams) -> Tensor:
    """Heat per electricity of the heat pump, 1 where it may not run, (..., N).

    Outside 7.2 to 43.3 C of air the compressor is locked out.

    Args:
        temp_c: Of the water, (..., N). [C]
        draw: Air around the tank.
        tank: Constants, (N,).
    """
    w, t = draw.wet_bulb_c, temp_c
    ratio = (
        1.1332 + 0.063 * w - 0.0000979 * w * w - 0.00972 * t - 0.0000214 * t * t - 0.000686 * t * w
    )
    locked = (draw.ambient_c < 7.2) | (draw.ambient_c > 43.3)
    cop = (tank.pump_cop * ratio).clamp(min=1.0)
    return torch.where(locked, torch.ones_like(cop), cop)


def heat_kw(power_kw: Tensor, cop: Tensor, tank: WaterHeaterParams) -> Tensor:
    """Heat by electricity: the pump's first, the element's beyond, (..., N). [kW]"""
    pumped_kw = torch.minimum(power_kw, tank.pump_kw)
    return pumped_kw * cop + (power_kw - pumped_kw)


def power_for_kw(heat: Tensor, cop: Tensor, tank: WaterHeaterParams) -> Tensor:
    """Electricity for an amount of heat, within what the heater can do, (..., N). [kW]"""
    pump_heat_kw = tank.pump_kw * cop
    pumped_kw = torch.minimum(heat.clamp(min=0.0), pump_heat_kw) / cop
    beyond_kw = (heat - pump_heat_kw).clamp(min=0.0)
    return pumped_kw + torch.minimum(beyond_kw, tank.element_kw)
