"""What a tank of two layers can do in a programme that knows its mean alone.

Where the warmth sits is not in the programme. Every draw and every loss is bounded by the warmest
and the coldest that the layers can be, so that a step lies between two parallel lines; a heat pump
may find any water from the mains' temperature up. That is wider than the box of the single node
between its two extremes, which two layers do not keep to: of two tanks with one mean the more
stratified one loses more.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.water_heater import (
    Draw,
    heat_kw,
    heater_now,
    kwh_per_k,
    most_kw,
)
from vpp_envs.flexible.water_heater_parts import TankState, WaterHeaterFleet

# Kelvin by which losses may differ from those of the mean: a heated lower layer is for a moment
# warmer than the upper one, by 3 K at most, and loses 3.5 % less.
_HAIR_K = 0.2


class LayeredTank(NamedTuple):
    """Bounds of the mean and of its steps, (T, B, N)."""

    coldest_c: Tensor  # of the mean at the start of a step [C]
    after_coldest_c: Tensor  # and at its end [C]
    warmest_c: Tensor  # of any water [C]
    water_c: Tensor  # the coldest that any water may be [C]
    most_k: Tensor  # by which the mean may fall in a step without heat [K]
    least_k: Tensor  # and falls at least [K]
    least_k_per_kw: Tensor  # of the mean by heat, at least [K/kW]
    most_k_per_kw: Tensor  # and at most [K/kW]


def layered_tank(first: TankState, draw: Draw, fleet: WaterHeaterFleet, dt_h: float) -> LayeredTank:
    """Bound tanks of two layers in windows.

    Args:
        first: State at the start, (B, N).
        draw: Water drawn and the air around, (T, B, N).
        fleet: Constants, (N,).
        dt_h: Length of a step. [h]
    """
    tank, agreed = fleet.params, fleet.agreement
    above_k = torch.zeros_like(first.temp_c) if first.above_k is None else first.above_k
    most_c = torch.maximum(agreed.most_c, agreed.hot_c)
    hottest_c = torch.maximum(most_c, torch.maximum(first.temp_c + above_k, draw.ambient_c.amax(0)))
    warmest_c = hottest_c.expand_as(draw.mixed_l)
    capacity = kwh_per_k(tank)
    falls_k = (
        _most_drawn_kwh(draw, warmest_c) + _lost_kwh(warmest_c, draw, fleet, dt_h)
    ) / capacity
    by_kw = dt_h / capacity
    # Of the quicker layer, two thirds of which are in the air's reach of the whole tank.
    slowest = by_kw * (1.0 - 1.1 * tank.ua_kw_per_k * dt_h / capacity)
    hot_heater = heater_now(warmest_c, draw, tank)
    water_c = torch.minimum(draw.mains_c, draw.ambient_c)
    cold_heater = heater_now(water_c, draw, tank)
    flat_out_kw = torch.minimum(
        heat_kw(most_kw(hot_heater), hot_heater), heat_kw(most_kw(cold_heater), cold_heater)
    )
    before, coldest_c = [], first.temp_c
    for fall_k, heat in zip(falls_k, flat_out_kw, strict=True):
        before.append(coldest_c)
        idle_c = coldest_c - fall_k
        coldest_c = torch.minimum(torch.maximum(agreed.least_c, idle_c), idle_c + heat * slowest)
    starts_c = torch.stack(before)
    ends_c = torch.cat((starts_c[1:], coldest_c.unsqueeze(0)))
    least_k = _least_fall_k(starts_c, falls_k, warmest_c, draw, fleet, dt_h)
    return LayeredTank(
        *(starts_c, ends_c, warmest_c, water_c, falls_k, least_k),
        *(slowest.expand_as(falls_k), by_kw.expand_as(falls_k)),
    )


def _most_drawn_kwh(draw: Draw, warmest_c: Tensor) -> Tensor:
    """Most heat that a draw takes: fixtures mix to 40.6 C, machines get the warmest water."""
    fixtures = draw.mixed_l * (40.6 - draw.mains_c)
    return 1.16194e-3 * (fixtures + draw.hot_l * (warmest_c - draw.mains_c))


def _lost_kwh(water_c: Tensor, draw: Draw, fleet: WaterHeaterFleet, dt_h: float) -> Tensor:
    """What tanks of one temperature lose in a step, (T, B, N). [kWh]"""
    return fleet.params.ua_kw_per_k * (water_c - draw.ambient_c) * dt_h


def _least_fall_k(
    coldest_c: Tensor,
    falls_k: Tensor,
    warmest_c: Tensor,
    draw: Draw,
    fleet: WaterHeaterFleet,
    dt_h: float,
) -> Tensor:
    """Least by which the mean falls without heat, (T, B, N). [K]

    What is drawn is no colder than the mean. Fixtures draw least of the warmest water, and a draw
    that the upper layer alone gives is warm enough for them.
    """
    capacity, above_c = kwh_per_k(fleet.params), coldest_c - draw.mains_c
    share = (40.6 - draw.mains_c) / (warmest_c - draw.mains_c).clamp(min=1.0)
    from_both = draw.mixed_l * share.clamp(max=1.0) * above_c
    from_upper = draw.mixed_l * (
        torch.minimum(coldest_c, torch.full_like(coldest_c, 40.6)) - draw.mains_c
    )
    small = draw.mixed_l + draw.hot_l <= fleet.params.volume_l / 3.0
    wanted = 1.16194e-3 * (torch.where(small, from_upper, from_both) + draw.hot_l * above_c)
    drawn_kwh = torch.minimum(wanted.clamp(min=0.0), (capacity * above_c).clamp(min=0.0))
    idle_c = coldest_c - falls_k.clamp(min=0.0) - _HAIR_K
    return (drawn_kwh + _lost_kwh(idle_c, draw, fleet, dt_h)) / capacity
