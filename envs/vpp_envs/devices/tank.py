"""Electric water heater as two layers of water: what a thermostat near the top really sees.

The upper third of the tank feeds the tap and the lower two thirds take the cold water: `strata` of
two, with names. The rules of thermostats are those of NREL's OCHRE (WaterHeater.py). The chain
plays it where a fleet says so, else the single node of `water_heater`, whose yardstick it is.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.strata import StrataParams, mean_of_strata_c, step_strata, strata_of
from vpp_envs.devices.water_heater import Draw, WaterHeaterParams


class LayerParams(NamedTuple):
    """Constants of tanks of two layers, one column per home, (N,)."""

    upper_l: Tensor  # volume of the upper layer [L]
    lower_l: Tensor  # volume of the lower layer [L]
    upper_kw_per_k: Tensor  # to the air around [kW/K]
    lower_kw_per_k: Tensor  # to the air around [kW/K]
    between_kw_per_k: Tensor  # from one to the other through still water [kW/K]


class Layers(NamedTuple):
    """State of tanks of two layers, (..., N)."""

    upper_c: Tensor  # [C]
    lower_c: Tensor  # [C]


class LayerHeat(NamedTuple):
    """What goes into two layers during a step, or a thermostat's memory of it, (..., N)."""

    upper: Tensor  # [kW], or 1 while the element runs
    lower: Tensor  # [kW], or 1 while the element runs


class LayerOutcome(NamedTuple):
    """What happened to two layers in one step, (..., N): as `StrataOutcome`."""

    state: Layers
    outlet_c: Tensor
    drawn_l: Tensor
    delivered_kwh: Tensor
    lost_kwh: Tensor
    cold_kwh: Tensor


def layers_of(tank: WaterHeaterParams) -> LayerParams:
    """Split a tank of one node into two layers: a third above two thirds, as OCHRE does.

    Args:
        tank: Constants, (N,).
    """
    thirds = torch.arange(1, 3, dtype=tank.volume_l.dtype, device=tank.volume_l.device)
    strata = strata_of(tank, thirds / 3.0)
    upper_l, lower_l = strata.volume_l.unbind(-1)
    upper_kw_per_k, lower_kw_per_k = strata.ua_kw_per_k.unbind(-1)
    between_kw_per_k = strata.between_kw_per_k.squeeze(-1)
    return LayerParams(upper_l, lower_l, upper_kw_per_k, lower_kw_per_k, between_kw_per_k)


def mean_of_layers_c(state: Layers, layers: LayerParams) -> Tensor:
    """Temperature of the water of two layers, had it been mixed, (..., N). [C]"""
    return mean_of_strata_c(torch.stack((state.upper_c, state.lower_c), -1), _strata(layers))


def step_layers(
    state: Layers, heat_kw: LayerHeat, draw: Draw, layers: LayerParams, dt_h: float
) -> LayerOutcome:
    """Advance tanks of two layers by one step: `step_strata` with names.

    A draw takes 95 % of its heat from the lower layer as long as it has it. Each layer loses heat
    to the air around, conducts a little to the other, and mixes with it as soon as the lower one
    is the warmer.

    Args:
        state: At the start, (..., N).
        heat_kw: Into each layer.
        draw: Of the step; fixtures mix at the temperature that the outlet has at the start.
        layers: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    temp_c = torch.stack((state.upper_c, state.lower_c), -1)
    heat = torch.stack((heat_kw.upper, heat_kw.lower), -1)
    after = step_strata(temp_c, heat, draw, _strata(layers), dt_h)
    upper_c, lower_c = after.temp_c.unbind(-1)
    return LayerOutcome(
        Layers(upper_c, lower_c),
        after.outlet_c,
        after.drawn_l,
        after.delivered_kwh,
        after.lost_kwh,
        after.cold_kwh,
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


def _strata(layers: LayerParams) -> StrataParams:
    """Two layers without their names."""
    return StrataParams(
        torch.stack((layers.upper_l, layers.lower_l), -1),
        torch.stack((layers.upper_kw_per_k, layers.lower_kw_per_k), -1),
        layers.between_kw_per_k.unsqueeze(-1),
    )
