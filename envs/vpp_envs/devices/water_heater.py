"""Electric water heater: one node of hot water, exact for steps of any length.

    C dT/dt = Q - UA (T - Tambient) - m c (T - Tmains),  C = c V

Machines take water as hot as it comes. Fixtures mix it to 40.6 C, and take the less of it the
hotter it is: of a tank above that they draw the same heat whatever its temperature, a constant
power. Below, they take all they draw from the tank and it comes cold. Either way the equation is
linear, and at 40.6 C both sides agree, so that a step is at most two exponentials.

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
    pump_kw: Tensor  # electricity of the compressor at the rating point, 0: no heat pump [kW]
    pump_cop: Tensor  # of the compressor at the rating point
    element_kw: Tensor  # of the resistance element [kW]


class Draw(NamedTuple):
    """Water drawn in one step, (..., N)."""

    mixed_l: Tensor  # at fixtures, tempered to 40.6 C [L]
    hot_l: Tensor  # by machines, as hot as it comes [L]
    mains_c: Tensor  # temperature of the cold water [C]
    ambient_c: Tensor  # air around the tank [C]
    wet_bulb_c: Tensor  # the same air's wet bulb [C]


class Flow(NamedTuple):
    """What a step's draw and air do to the tank, (..., N)."""

    kwh_per_k: Tensor  # heat capacity of the water [kWh/K]
    kw_per_k: Tensor  # loss and machines together: while the tank is above 40.6 C [kW/K]
    idle_c: Tensor  # what it tends to without heat: while above [C]
    cold_kw_per_k: Tensor  # loss, machines and fixtures: while below [kW/K]
    cold_idle_c: Tensor  # what it tends to without heat: while below [C]
    drain_kw: Tensor  # what fixtures draw while above, whatever the temperature [kW]


class Passage(NamedTuple):
    """A step of the tank in two parts, (..., N): above and below 40.6 C."""

    temp_c: Tensor  # at the end [C]
    warm_h: Tensor  # time above [h]
    warm_c_h: Tensor  # temperature over that time [C h]
    cold_h: Tensor  # time below [h]
    cold_c_h: Tensor  # temperature over that time [C h]


class Taken(NamedTuple):
    """Heat that left the tank in one step, and what was missing, (..., N)."""

    lost_kwh: Tensor  # to the air around [kWh]
    delivered_kwh: Tensor  # with the water drawn, above mains [kWh]
    cold_kwh: Tensor  # missing at fixtures to 40.6 C [kWh]
    cold_l: Tensor  # drawn at fixtures below 40.6 C [L]


class Heater(NamedTuple):
    """What the heater can do now, (..., N)."""

    pump_kw: Tensor  # electricity of the heat pump with its fan, 0 where it may not run [kW]
    pump_cop: Tensor  # heat per electricity of both
    element_kw: Tensor  # of the resistance element [kW]


def kwh_per_k(tank: WaterHeaterParams) -> Tensor:
    """Heat capacity of the water, (N,). 4.183 kJ/(kg K) is 1.1619 Wh a litre and kelvin. [kWh/K]"""
    return tank.volume_l * 1.16194e-3


def flow(draw: Draw, tank: WaterHeaterParams, dt_h: float) -> Flow:
    """Foresee a step.

    Args:
        draw: In the step.
        tank: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    machines = draw.hot_l * 1.16194e-3 / dt_h
    fixtures = draw.mixed_l * 1.16194e-3 / dt_h
    drain_kw = fixtures * (40.6 - draw.mains_c)
    warm = tank.ua_kw_per_k + machines
    cold = warm + fixtures
    air_kw = tank.ua_kw_per_k * draw.ambient_c
    warm_idle_c = (air_kw + machines * draw.mains_c - drain_kw) / warm
    cold_idle_c = (air_kw + (machines + fixtures) * draw.mains_c) / cold
    return Flow(kwh_per_k(tank), warm, warm_idle_c, cold, cold_idle_c, drain_kw)


def passage(temp_c: Tensor, heat: Tensor, ahead: Flow, dt_h: float) -> Passage:
    """Let a step of constant heat pass.

    Args:
        temp_c: At the start, (..., N). [C]
        heat: Into the water, (..., N). [kW]
        ahead: The step's flow.
        dt_h: Length of the step. [h]
    """
    warm_rest_c = ahead.idle_c + heat / ahead.kw_per_k
    cold_rest_c = ahead.cold_idle_c + heat / ahead.cold_kw_per_k
    warm_decay, cold_decay = (
        ahead.kw_per_k / ahead.kwh_per_k,
        ahead.cold_kw_per_k / ahead.kwh_per_k,
    )
    warm = (temp_c > 40.6) | ((temp_c >= 40.6) & (warm_rest_c >= 40.6))
    rest_c = torch.where(warm, warm_rest_c, cold_rest_c)
    decay = torch.where(warm, warm_decay, cold_decay)
    # It goes through 40.6 C if that lies between where it is and where it tends to.
    here_k, there_k = temp_c - 40.6, 40.6 - rest_c
    crosses = here_k * there_k > 0
    ratio = here_k / torch.where(crosses, there_k, torch.ones_like(there_k))
    crossing_h = torch.log1p(torch.where(crosses, ratio, torch.zeros_like(ratio))) / decay
    whole_h = torch.full_like(crossing_h, dt_h)
    first_h = torch.where(crosses, torch.minimum(crossing_h, whole_h), whole_h)
    second_h = whole_h - first_h
    then_c, first_c_h = _tending(temp_c, rest_c, decay, first_h)
    other_c = torch.where(warm, cold_rest_c, warm_rest_c)
    other_decay = torch.where(warm, cold_decay, warm_decay)
    end_c, second_c_h = _tending(then_c, other_c, other_decay, second_h)
    return Passage(
        end_c,
        torch.where(warm, first_h, second_h),
        torch.where(warm, first_c_h, second_c_h),
        torch.where(warm, second_h, first_h),
        torch.where(warm, second_c_h, first_c_h),
    )


def taken(passed: Passage, draw: Draw, tank: WaterHeaterParams, dt_h: float) -> Taken:
    """Return the heat that left the tank in a step.

    Args:
        passed: The step, from `passage`.
        draw: In the step.
        tank: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    fixtures = draw.mixed_l * 1.16194e-3 / dt_h
    machines = draw.hot_l * 1.16194e-3 / dt_h
    all_c_h = passed.warm_c_h + passed.cold_c_h
    return Taken(
        tank.ua_kw_per_k * (all_c_h - draw.ambient_c * dt_h),
        machines * (all_c_h - draw.mains_c * dt_h)
        + fixtures * (40.6 - draw.mains_c) * passed.warm_h
        + fixtures * (passed.cold_c_h - draw.mains_c * passed.cold_h),
        fixtures * (40.6 * passed.cold_h - passed.cold_c_h),
        draw.mixed_l * passed.cold_h / dt_h,
    )


def heat_for_kw(temp_c: Tensor, target_c: Tensor, ahead: Flow, dt_h: float) -> Tensor:
    """Heat that leaves the tank at a temperature; the inverse of `passage`, (..., N). [kW]

    Exact while both temperatures are on one side of 40.6 C. Through it, fixtures are taken to draw
    as from a hot tank all the while, and the tank ends no colder.

    Args:
        temp_c: At the start, (..., N). [C]
        target_c: At the end, (..., N). [C]
        ahead: The step's flow.
        dt_h: Length of the step. [h]
    """
    cold = (temp_c < 40.6) & (target_c < 40.6)
    kw_per_k = torch.where(cold, ahead.cold_kw_per_k, ahead.kw_per_k)
    gone = -torch.expm1(-kw_per_k / ahead.kwh_per_k * dt_h)
    rest_c = temp_c + (target_c - temp_c) / gone
    return (rest_c - torch.where(cold, ahead.cold_idle_c, ahead.idle_c)) * kw_per_k


def heat_within_kw(temp_c: Tensor, target_c: Tensor, ahead: Flow, dt_h: float) -> Tensor:
    """Heat that leaves the tank at a temperature; if that lies across 40.6 C, no hotter. [kW]

    Arguments as in `heat_for_kw`; through 40.6 C, fixtures are taken to draw nothing.
    """
    heat = heat_for_kw(temp_c, target_c, ahead, dt_h)
    return torch.where((temp_c < 40.6) != (target_c < 40.6), heat - ahead.drain_kw, heat)


def heater_now(temp_c: Tensor, draw: Draw, tank: WaterHeaterParams) -> Heater:
    """What the heater can do with this water in this air, (..., N).

    Capacity and COP of the heat pump as in OCHRE, with 35 W of its fan. Outside 7.2 to 43.3 C of
    air the compressor is locked out, and resistance heats alone.

    Args:
        temp_c: Of the water, (..., N). [C]
        draw: Air around the tank.
        tank: Constants, (N,).
    """
    w, t = draw.wet_bulb_c, temp_c
    capacity = (
        0.563 + 0.0437 * w + 0.000039 * w * w + 0.0055 * t - 0.000148 * t * t - 0.000145 * t * w
    )
    ratio = (
        1.1332 + 0.063 * w - 0.0000979 * w * w - 0.00972 * t - 0.0000214 * t * t - 0.000686 * t * w
    )
    cop = (tank.pump_cop * ratio).clamp(min=1.0)
    heat = tank.pump_kw * tank.pump_cop * capacity.clamp(min=0.05)
    locked = (draw.ambient_c < 7.2) | (draw.ambient_c > 43.3) | (tank.pump_kw <= 0)
    none = torch.zeros_like(heat)
    electric_kw = torch.where(locked, none, heat / cop + 0.035)
    ac_cop = heat / torch.where(locked, torch.ones_like(heat), electric_kw)
    return Heater(
        electric_kw,
        torch.where(locked, torch.ones_like(heat), ac_cop.clamp(min=1.0)),
        tank.element_kw + none,
    )


def most_kw(heater: Heater) -> Tensor:
    """Electricity of all that can heat, (..., N). [kW]"""
    return heater.pump_kw + heater.element_kw


def heat_kw(power_kw: Tensor, heater: Heater) -> Tensor:
    """Heat by electricity: the pump's first, the element's beyond, (..., N). [kW]"""
    pumped_kw = torch.minimum(power_kw, heater.pump_kw)
    return pumped_kw * heater.pump_cop + (power_kw - pumped_kw)


def power_for_kw(heat: Tensor, heater: Heater) -> Tensor:
    """Electricity for an amount of heat, within what the heater can do, (..., N). [kW]"""
    pump_heat_kw = heater.pump_kw * heater.pump_cop
    pumped_kw = torch.minimum(heat.clamp(min=0.0), pump_heat_kw) / heater.pump_cop
    beyond_kw = (heat - pump_heat_kw).clamp(min=0.0)
    return pumped_kw + torch.minimum(beyond_kw, heater.element_kw)


def _tending(
    temp_c: Tensor, rest_c: Tensor, decay_per_h: Tensor, hours: Tensor
) -> tuple[Tensor, Tensor]:
    """Temperature after some time on its way to rest [C], and over that time. [C h]"""
    share = -torch.expm1(-decay_per_h * hours)
    gap_k = temp_c - rest_c
    return temp_c - gap_k * share, rest_c * hours + gap_k * share / decay_per_h
