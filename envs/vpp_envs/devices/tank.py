"""Electric water heater as two layers of water: what a thermostat near the top really sees.

The upper third of the tank feeds the tap and the lower two thirds take the cold water. Each layer
loses heat to the air around, conducts a little to the other, and mixes with it as soon as the
lower one is the warmer. The rules of draw and thermostat are those of NREL's OCHRE (Water.py,
WaterHeater.py). The chain plays the single node of `water_heater`; this is its yardstick.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.water_heater import Draw, WaterHeaterParams


class LayerParams(NamedTuple):
    """Constants of the two layers, one column per home, (N,)."""

    upper_l: Tensor  # volume of the upper layer [L]
    lower_l: Tensor  # volume of the lower layer [L]
    upper_kw_per_k: Tensor  # to the air around [kW/K]
    lower_kw_per_k: Tensor  # to the air around [kW/K]
    between_kw_per_k: Tensor  # from one to the other through still water [kW/K]


class Layers(NamedTuple):
    """State of the tanks, (..., N)."""

    upper_c: Tensor  # [C]
    lower_c: Tensor  # [C]


class LayerHeat(NamedTuple):
    """What goes into the water during a step, or a thermostat's memory of it, (..., N)."""

    upper: Tensor  # [kW], or 1 while the element runs
    lower: Tensor  # [kW], or 1 while the element runs


class LayerOutcome(NamedTuple):
    """What happened in one step, (..., N)."""

    state: Layers  # at the end
    outlet_c: Tensor  # of the water drawn [C]
    drawn_l: Tensor  # that left the tank [L]
    delivered_kwh: Tensor  # with the water drawn, above mains [kWh]
    lost_kwh: Tensor  # to the air around [kWh]
    cold_kwh: Tensor  # missing at fixtures to 40.6 C [kWh]


def layers_of(tank: WaterHeaterParams) -> LayerParams:
    """Split a tank of one node into two.

    Lid and bottom lose 7 % each of what the tank loses, its side the rest (OCHRE's cylinder of
    1.22 m). Water conducts 0.6406 W/(m K) over half of that height.

    Args:
        tank: Constants, (N,).
    """
    side = 0.86 * tank.ua_kw_per_k
    end = 0.07 * tank.ua_kw_per_k
    area_m2 = tank.volume_l * 1e-3 / 1.22
    return LayerParams(
        tank.volume_l / 3.0,
        tank.volume_l * (2.0 / 3.0),
        side / 3.0 + end,
        side * (2.0 / 3.0) + end,
        0.6406e-3 * area_m2 / 0.61,
    )


def mean_of_layers_c(state: Layers, layers: LayerParams) -> Tensor:
    """Temperature of all the water, had it been mixed, (..., N). [C]"""
    total_l = layers.upper_l + layers.lower_l
    return (state.upper_c * layers.upper_l + state.lower_c * layers.lower_l) / total_l


def step_layers(
    state: Layers, heat_kw: LayerHeat, draw: Draw, layers: LayerParams, dt_h: float
) -> LayerOutcome:
    """Advance the tanks by one step of constant heat and draw.

    Args:
        state: At the start, (..., N).
        heat_kw: Into each layer.
        draw: Of the step; fixtures mix at the temperature that the outlet has at the start.
        layers: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    share = (40.6 - draw.mains_c) / (state.upper_c - draw.mains_c).clamp(min=1.0)
    drawn_l = draw.mixed_l * share.clamp(0.0, 1.0) + draw.hot_l
    outlet_c = _outlet_c(state, drawn_l, layers)
    upper_kwh, lower_kwh = _taken_kwh(state, drawn_l, outlet_c, draw.mains_c, layers)
    across_kw = layers.between_kw_per_k * (state.upper_c - state.lower_c)
    upper_c, upper_lost_kwh = _layer(
        state.upper_c,
        heat_kw.upper - across_kw - upper_kwh / dt_h,
        draw.ambient_c,
        layers.upper_l * 1.16194e-3,
        layers.upper_kw_per_k,
        dt_h,
    )
    lower_c, lower_lost_kwh = _layer(
        state.lower_c,
        heat_kw.lower + across_kw - lower_kwh / dt_h,
        draw.ambient_c,
        layers.lower_l * 1.16194e-3,
        layers.lower_kw_per_k,
        dt_h,
    )
    cold_k = (40.6 - outlet_c).clamp(min=0.0)
    return LayerOutcome(
        _mixed(Layers(upper_c, lower_c), layers),
        outlet_c,
        drawn_l,
        upper_kwh + lower_kwh,
        upper_lost_kwh + lower_lost_kwh,
        draw.mixed_l * 1.16194e-3 * cold_k,
    )


def resistance_thermostat(
    state: Layers, on: LayerHeat, set_c: Tensor, deadband_k: Tensor
) -> LayerHeat:
    """Which element runs, 1 or 0: the upper one first, never both.

    Args:
        state: Now, (..., N).
        on: Which ran before.
        set_c: Set-point, (N,). [C]
        deadband_k: Below which an element starts, (N,). [K]
    """
    start_c = set_c - deadband_k
    upper = (state.upper_c < start_c) | ((on.upper > 0) & (state.upper_c < set_c))
    lower = (state.lower_c < start_c) | ((on.lower > 0) & (state.lower_c <= set_c))
    kind = state.upper_c.dtype
    return LayerHeat(upper.to(kind), (lower & ~upper).to(kind))


def heat_pump_thermostat(
    state: Layers, on: LayerHeat, set_c: Tensor, deadband_k: Tensor
) -> LayerHeat:
    """Whether the upper element or the heat pump below runs, 1 or 0 each, never both.

    The pump looks at three parts of the upper and one of the lower layer; the element helps where
    the upper layer is 13 K below its set-point.

    Args:
        state: Now, (..., N).
        on: Which ran before: element, pump.
        set_c: Set-point, (N,). [C]
        deadband_k: Below which the pump starts, (N,). [K]
    """
    seen_c = 0.75 * state.upper_c + 0.25 * state.lower_c
    element = (state.upper_c < set_c - 13.0) | ((on.upper > 0) & (state.upper_c < set_c))
    goes_on = (on.lower > 0) & (seen_c < set_c) & (state.upper_c < set_c + 1.0)
    pump = (seen_c < set_c - deadband_k) | goes_on
    kind = seen_c.dtype
    return LayerHeat(element.to(kind), (pump & ~element).to(kind))


def _outlet_c(state: Layers, drawn_l: Tensor, layers: LayerParams) -> Tensor:
    """Temperature of what is drawn: of the upper layer, and then of the lower, (..., N). [C]"""
    upper_l = torch.minimum(drawn_l, layers.upper_l)
    rest_l = torch.minimum((drawn_l - upper_l).clamp(min=0.0), layers.lower_l)
    mixed = (upper_l * state.upper_c + rest_l * state.lower_c) / (upper_l + rest_l).clamp(min=1e-9)
    return torch.where(rest_l > 0, mixed, state.upper_c)


def _taken_kwh(
    state: Layers, drawn_l: Tensor, outlet_c: Tensor, mains_c: Tensor, layers: LayerParams
) -> tuple[Tensor, Tensor]:
    """Heat that a draw takes from each layer: 95 % from the lower as long as it has it. [kWh]"""
    wanted_kwh = drawn_l * 1.16194e-3 * (outlet_c - mains_c).clamp(min=0.0)
    upper_has_kwh = layers.upper_l * 1.16194e-3 * (state.upper_c - mains_c).clamp(min=0.0)
    lower_has_kwh = layers.lower_l * 1.16194e-3 * (state.lower_c - mains_c).clamp(min=0.0)
    lower_kwh = torch.minimum(0.95 * wanted_kwh, lower_has_kwh)
    return torch.minimum(wanted_kwh - lower_kwh, upper_has_kwh), lower_kwh


def _layer(
    temp_c: Tensor, heat_kw: Tensor, ambient_c: Tensor, kwh_per_k: Tensor, ua: Tensor, dt_h: float
) -> tuple[Tensor, Tensor]:
    """Temperature of one layer after a step, exactly, and what it lost to the air. [C, kWh]"""
    x = ua * dt_h / kwh_per_k
    rest_c = ambient_c + heat_kw / ua
    share = -torch.expm1(-x)
    mean_c = rest_c + (temp_c - rest_c) * share / x
    return temp_c + (rest_c - temp_c) * share, ua * (mean_c - ambient_c) * dt_h


def _mixed(state: Layers, layers: LayerParams) -> Layers:
    """Warm water rises: a lower layer that is the warmer mixes with the upper one."""
    mean_c = mean_of_layers_c(state, layers)
    turned = state.lower_c > state.upper_c
    return Layers(
        torch.where(turned, mean_c, state.upper_c), torch.where(turned, mean_c, state.lower_c)
    )
