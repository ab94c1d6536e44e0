"""Electric water heater as layers of water, as many as one likes.

Layers lie from the top down on the last axis: the top one feeds the tap, the bottom one takes the
cold water. Each loses heat to the air around, conducts a little to its neighbours, and mixes with
those above it as soon as it is the warmer. The rules are those of NREL's OCHRE (Water.py), whose
tanks have twelve layers or two. Heat goes into layers as the caller says: an element's into one, a
condenser's into those that it winds around.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from vpp_envs.devices.water_heater import Draw, WaterHeaterParams


class StrataParams(NamedTuple):
    """Constants of tanks of L layers."""

    volume_l: Tensor  # of each layer, (N, L) [L]
    ua_kw_per_k: Tensor  # to the air around, (N, L) [kW/K]
    between_kw_per_k: Tensor  # to the layer below through still water, (N, L - 1) [kW/K]


class StrataOutcome(NamedTuple):
    """What happened in one step, (..., N)."""

    temp_c: Tensor  # of the layers at the end, (..., N, L) [C]
    outlet_c: Tensor  # of the water drawn; of the top where none was [C]
    drawn_l: Tensor  # that left the tank [L]
    delivered_kwh: Tensor  # with the water drawn, above mains [kWh]
    lost_kwh: Tensor  # to the air around [kWh]
    cold_kwh: Tensor  # missing at fixtures to 40.6 C [kWh]


def strata_of(tank: WaterHeaterParams, shares: Tensor) -> StrataParams:
    """Split a tank of one node into layers.

    Lid and bottom lose 7 % each of what the tank loses, its side the rest (OCHRE's cylinder of
    1.22 m). Water conducts 0.6406 W/(m K) from the middle of a layer to the middle of the next.

    Args:
        tank: Constants, (N,).
        shares: Of the volume from the top down, (L,), summing to 1.
    """
    others = shares.size(-1) - 1
    ua_kw_per_k = tank.ua_kw_per_k.unsqueeze(-1)
    end = 0.07 * ua_kw_per_k
    area_m2 = tank.volume_l.unsqueeze(-1) * 1e-3 / 1.22
    apart_m = 1.22 * 0.5 * (shares[:-1] + shares[1:])
    return StrataParams(
        tank.volume_l.unsqueeze(-1) * shares,
        0.86 * ua_kw_per_k * shares + pad(end, (0, others)) + pad(end, (others, 0)),
        0.6406e-3 * area_m2 / apart_m,
    )


def mean_of_strata_c(temp_c: Tensor, strata: StrataParams) -> Tensor:
    """Temperature of all the water, had it been mixed, (..., N). [C]"""
    return (temp_c * strata.volume_l).sum(-1) / strata.volume_l.sum(-1)


def step_strata(
    temp_c: Tensor, heat_kw: Tensor, draw: Draw, strata: StrataParams, dt_h: float
) -> StrataOutcome:
    """Advance tanks of L layers by one step of constant heat and draw.

    Water moves as a plug: what is drawn leaves at the top, each layer takes what flows in from
    below, and the mains follow. A longer step passes in parts of two minutes at most, as long as
    taps run (a draw lasts 1.6 min, facts.md A4.2): the plug of five minutes at once leaves single
    layers 1.1 K apart from OCHRE's by the minute, in parts 0.6 K. Two layers have OCHRE's own draw,
    in one part.

    Args:
        temp_c: At the start, (..., N, L). [C]
        heat_kw: Into each layer, (..., N, L). [kW]
        draw: Of the step; fixtures mix at the temperature that the top has at the start of a part.
        strata: Constants, (N, L).
        dt_h: Length of the step. [h]
    """
    parts = 1 if temp_c.size(-1) == 2 else max(1, math.ceil(dt_h * 30.0 - 1e-6))
    part_h = dt_h / parts
    part = Draw(
        draw.mixed_l / parts, draw.hot_l / parts, draw.mains_c, draw.ambient_c, draw.wet_bulb_c
    )
    outcome = _passed(temp_c, heat_kw, part, strata, part_h)
    for _ in range(parts - 1):
        outcome = _both(outcome, _passed(outcome.temp_c, heat_kw, part, strata, part_h))
    return outcome


def _passed(
    temp_c: Tensor, heat_kw: Tensor, draw: Draw, strata: StrataParams, dt_h: float
) -> StrataOutcome:
    """One part of a step: a draw, then heat, losses and conduction, then warm water rises.

    In this order no layer leaves the range of tank, mains and air, as long as layers are 6 mm thick
    or more (200 in a tank): conduction is that of the water after the draw. Of two layers the draw
    takes its heat at a constant power, as in OCHRE: their only part may be an hour.
    """
    share = (40.6 - draw.mains_c) / (temp_c[..., 0] - draw.mains_c).clamp(min=1.0)
    drawn_l = draw.mixed_l * share.clamp(0.0, 1.0) + draw.hot_l
    taken_kwh, outlet_c = _taken(temp_c, drawn_l, draw.mains_c, strata.volume_l)
    left_c, taken_kw = temp_c, taken_kwh / dt_h
    if temp_c.size(-1) != 2:
        left_c, taken_kw = temp_c - taken_kwh / (1.16194e-3 * strata.volume_l), 0.0 * taken_kw
    down_kw = strata.between_kw_per_k * (left_c[..., :-1] - left_c[..., 1:])
    net_kw = heat_kw + pad(down_kw, (1, 0)) - pad(down_kw, (0, 1)) - taken_kw
    ambient_c = draw.ambient_c.unsqueeze(-1)
    end_c, lost_kwh = _cooled(left_c, net_kw, ambient_c, strata, dt_h)
    cold_k = (40.6 - outlet_c).clamp(min=0.0)
    return StrataOutcome(
        _mixed(end_c, strata.volume_l),
        outlet_c,
        drawn_l,
        taken_kwh.sum(-1),
        lost_kwh.sum(-1),
        draw.mixed_l * 1.16194e-3 * cold_k,
    )


def _both(first: StrataOutcome, then: StrataOutcome) -> StrataOutcome:
    """Two parts of a step as one."""
    drawn_l = first.drawn_l + then.drawn_l
    drawn_k_l = first.outlet_c * first.drawn_l + then.outlet_c * then.drawn_l
    return StrataOutcome(
        then.temp_c,
        torch.where(drawn_l > 0, drawn_k_l / drawn_l.clamp(min=1e-9), first.outlet_c),
        drawn_l,
        first.delivered_kwh + then.delivered_kwh,
        first.lost_kwh + then.lost_kwh,
        first.cold_kwh + then.cold_kwh,
    )


def _taken(
    temp_c: Tensor, drawn_l: Tensor, mains_c: Tensor, volume_l: Tensor
) -> tuple[Tensor, Tensor]:
    """Heat that a draw takes from each layer, and temperature of what leaves. [kWh, C]

    The plug that leaves is the uppermost water, be it more than one layer; each layer is then what
    lay as much deeper, and mains where the tank had no more.
    """
    above_k = temp_c - mains_c.unsqueeze(-1)
    has_kwh = 1.16194e-3 * volume_l * above_k
    drawn_kwh = _down_to_kwh(drawn_l.unsqueeze(-1), above_k, volume_l).squeeze(-1)
    outlet_c = mains_c + drawn_kwh / (1.16194e-3 * drawn_l.clamp(min=1e-9))
    outlet_c = torch.where(drawn_l > 0, outlet_c, temp_c[..., 0])
    if temp_c.size(-1) == 2:
        return _taken_of_two(drawn_kwh, has_kwh), outlet_c
    bottom_kwh = _down_to_kwh(drawn_l.unsqueeze(-1) + volume_l.cumsum(-1), above_k, volume_l)
    top_kwh = torch.cat((drawn_kwh.unsqueeze(-1), bottom_kwh[..., :-1]), -1)
    return has_kwh - (bottom_kwh - top_kwh), outlet_c


def _down_to_kwh(depth_l: Tensor, above_k: Tensor, volume_l: Tensor) -> Tensor:
    """Heat above mains in the water that lies above some depths, (..., N, depths). [kWh]"""
    over_l = (volume_l.cumsum(-1) - volume_l).unsqueeze(-2)
    reached_l = (depth_l.unsqueeze(-1) - over_l).clamp(min=0.0)
    reached_l = torch.minimum(reached_l, volume_l.unsqueeze(-2))
    return 1.16194e-3 * (reached_l * above_k.unsqueeze(-2)).sum(-1)


def _taken_of_two(drawn_kwh: Tensor, has_kwh: Tensor) -> Tensor:
    """Heat that a draw takes from two layers: 95 % from the lower as long as it has it. [kWh]"""
    wanted_kwh, has_kwh = drawn_kwh.clamp(min=0.0), has_kwh.clamp(min=0.0)
    lower_kwh = torch.minimum(0.95 * wanted_kwh, has_kwh[..., 1])
    upper_kwh = torch.minimum(wanted_kwh - lower_kwh, has_kwh[..., 0])
    return torch.stack((upper_kwh, lower_kwh), -1)


def _cooled(
    temp_c: Tensor, heat_kw: Tensor, ambient_c: Tensor, strata: StrataParams, dt_h: float
) -> tuple[Tensor, Tensor]:
    """Temperature of each layer after a step of a heat, and what it lost to the air. [C, kWh]"""
    ua = strata.ua_kw_per_k
    x = ua * dt_h / (strata.volume_l * 1.16194e-3)
    rest_c = ambient_c + heat_kw / ua
    share = -torch.expm1(-x)
    mean_c = rest_c + (temp_c - rest_c) * share / x
    return temp_c + (rest_c - temp_c) * share, ua * (mean_c - ambient_c) * dt_h


def _mixed(temp_c: Tensor, volume_l: Tensor) -> Tensor:
    """Warm water rises: layers mix with those above until none is warmer than the next above.

    That is OCHRE's rule without its tolerance of 0.1 K. Of the means of layers j to k, layer i ends
    at the least over j <= i of the greatest over k >= i (regression to a falling order).
    """
    # Layer by layer: reductions along a short last axis take ten times as long.
    ends_c = list(temp_c.unbind(-1))
    for j in range(len(ends_c)):
        means_c = _means_from(j, temp_c, volume_l)
        greatest_c = means_c[-1]
        for k in range(len(ends_c) - 1, j - 1, -1):
            greatest_c = torch.maximum(greatest_c, means_c[k - j])
            ends_c[k] = torch.minimum(ends_c[k], greatest_c) if j > 0 else greatest_c
    return torch.stack(ends_c, -1)


def _means_from(j: int, temp_c: Tensor, volume_l: Tensor) -> list[Tensor]:
    """Temperature of layer j, and had it been mixed with the next, the next two, and so on. [C]"""
    first_c, all_l = temp_c[..., j], volume_l[..., j]
    excess_k_l, means_c = torch.zeros_like(first_c), [first_c]
    for k in range(j + 1, temp_c.size(-1)):
        excess_k_l = excess_k_l + (temp_c[..., k] - first_c) * volume_l[..., k]
        all_l = all_l + volume_l[..., k]
        means_c.append(first_c + excess_k_l / all_l)
    return means_c
