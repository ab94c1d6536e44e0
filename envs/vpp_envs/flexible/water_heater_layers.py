"""Tanks of two layers in the chain: real stratification within the envelope of the mixed tank.

The state is the mean of the water and how much warmer than it the upper layer is. Envelope, fill
and margin are those of one node at the mean: warm water rises, so the tap never gets less than the
mean, and what keeps the mean above the promise keeps the tap above it. Heat goes into the lower
layer, but for an element while the upper layer is below where its thermostat starts; so the upper
one is never hotter than it was, than its set-point, or than the mean once all is mixed.

A draw is taken of the water at the start of the step, so that every layer's end is linear in heat
and edges are exact up to where the heat goes: both layers lose to the air, the upper one a little
faster. The edges take the worse of both.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.tank import (
    LayerHeat,
    LayerOutcome,
    Layers,
    layers_of,
    mean_of_layers_c,
    step_layers,
)
from vpp_envs.devices.water_heater import (
    Draw,
    Flow,
    Heater,
    WaterHeaterParams,
    heat_for_kw,
    heat_within_kw,
)


class LayersAhead(NamedTuple):
    """The step ahead of tanks of two layers, (..., N)."""

    layered: Tensor  # which have two layers, bool, (N,)
    now: Layers  # at the start of the step
    idle: Layers  # at its end without heat
    idle_c: Tensor  # mean of these [C]
    upper_k_per_kw: Tensor  # of the upper layer by heat into it [K/kW]
    lower_k_per_kw: Tensor  # of the lower layer by heat into it [K/kW]
    least_k_per_kw: Tensor  # of the mean, wherever the heat goes: at least [K/kW]
    most_k_per_kw: Tensor  # and at most [K/kW]


def layers_now(temp_c: Tensor, above_k: Tensor | None) -> Layers:
    """Layers of tanks; both are the mean where no tank has two.

    Args:
        temp_c: Mean of the water, (..., N). [C]
        above_k: By which the upper third is warmer, (..., N). [K]
    """
    if above_k is None:
        return Layers(temp_c, temp_c)
    return Layers(temp_c + above_k, temp_c - 0.5 * above_k)


def layers_ahead(
    now: Layers, draw: Draw, tank: WaterHeaterParams, layered: Tensor | None, dt_h: float
) -> LayersAhead | None:
    """Foresee a step of tanks of two layers; none where there are none.

    Args:
        now: At the start, (..., N).
        draw: In the step.
        tank: Constants, (N,).
        layered: Which have two layers, (N,); none: none has.
        dt_h: Length of the step. [h]
    """
    if layered is None:
        return None
    of = layers_of(tank)
    none = torch.zeros_like(now.upper_c)
    idle = step_layers(now, LayerHeat(none, none), draw, of, dt_h).state
    upper = _k_per_kw(of.upper_l * 1.16194e-3, of.upper_kw_per_k, dt_h)
    lower = _k_per_kw(of.lower_l * 1.16194e-3, of.lower_kw_per_k, dt_h)
    by_upper, by_lower = upper / 3.0, lower * 2.0 / 3.0
    return LayersAhead(
        layered > 0,
        now,
        idle,
        mean_of_layers_c(idle, of),
        upper,
        lower,
        torch.minimum(by_upper, by_lower),
        torch.maximum(by_upper, by_lower),
    )


def mean_for_kw(target_c: Tensor, ahead: LayersAhead) -> Tensor:
    """Heat that leaves the mean no colder than a temperature, wherever it goes, (..., N). [kW]

    Args:
        target_c: At the end, (..., N). [C]
        ahead: The step.
    """
    return (target_c - ahead.idle_c) / ahead.least_k_per_kw


def mean_within_kw(target_c: Tensor, ahead: LayersAhead) -> Tensor:
    """Heat that leaves the mean no hotter, wherever it goes; arguments as above. [kW]"""
    return (target_c - ahead.idle_c) / ahead.most_k_per_kw


def both_within_kw(target_c: Tensor, ahead: LayersAhead) -> Tensor:
    """Heat that brings both layers to a temperature; arguments as above. [kW]

    Where the upper one is there, the lower one has to come; else all is mixed.
    """
    lower_kw = (target_c - ahead.idle.lower_c) / ahead.lower_k_per_kw
    return torch.maximum(lower_kw, mean_within_kw(target_c, ahead))


def heats_to(
    temp_c: Tensor,
    targets_c: tuple[Tensor, Tensor, Tensor],
    passing: Flow,
    layers: LayersAhead | None,
    dt_h: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Heat to three temperatures: no hotter, no colder, and all of the water so hot. [kW]

    Args:
        temp_c: Mean at the start, (..., N). [C]
        targets_c: At the end: the most, the least, and against Legionella, (..., N) each. [C]
        passing: The step's flow, for tanks of one node.
        layers: The step of tanks of two layers; none: there are none.
        dt_h: Length of the step. [h]
    """
    top_c, floor_c, hot_c = targets_c
    to_top = heat_within_kw(temp_c, top_c, passing, dt_h)
    to_floor = heat_for_kw(temp_c, floor_c, passing, dt_h)
    to_hot = heat_within_kw(temp_c, hot_c, passing, dt_h)
    if layers is None:
        return to_top, to_floor, to_hot
    two = layers.layered
    return (
        torch.where(two, mean_within_kw(top_c, layers), to_top),
        torch.where(two, mean_for_kw(floor_c, layers), to_floor),
        torch.where(two, both_within_kw(hot_c, layers), to_hot),
    )


def watched_c(layers: Layers, pump: Tensor) -> Tensor:
    """What the thermostat sees: the lower layer, or a quarter of it with a heat pump (OCHRE). [C]

    Args:
        layers: Of the tanks, (..., N).
        pump: Which have a heat pump, (N,) bool.
    """
    quarter_c = 0.75 * layers.upper_c + 0.25 * layers.lower_c
    return torch.where(pump, quarter_c, layers.lower_c)


def watched_within_kw(set_c: Tensor, pump: Tensor, ahead: LayersAhead) -> Tensor:
    """Heat after which the thermostat sees its set-point, (..., N). [kW]

    Args:
        set_c: Set-point, (..., N). [C]
        pump: Which have a heat pump, (N,) bool.
        ahead: The step.
    """
    upper_c = ahead.idle.upper_c
    below_c = torch.where(pump, 4.0 * set_c - 3.0 * upper_c, set_c)
    lower_kw = (below_c - ahead.idle.lower_c) / ahead.lower_k_per_kw
    return torch.where(upper_c >= set_c, lower_kw, mean_within_kw(set_c, ahead))


def pass_layers(
    power_kw: Tensor,
    heat: Tensor,
    ahead: LayersAhead,
    heater: Heater,
    thermostat: tuple[Tensor, Tensor],
    draw: Draw,
    tank: WaterHeaterParams,
    dt_h: float,
) -> LayerOutcome:
    """Let a step of a power pass.

    Args:
        power_kw: Of pump and element, (..., N). [kW]
        heat: Into the water by it, (..., N). [kW]
        ahead: The step.
        heater: What the heaters can do now.
        thermostat: Set-point, and below what it starts, (N,). [C]
        draw: In the step.
        tank: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    set_c, start_c = thermostat
    missing_k = (set_c - ahead.idle.upper_c) * (ahead.idle.upper_c < start_c)
    element_kw = (power_kw - heater.pump_kw).clamp(min=0.0)
    upper_kw = torch.minimum(element_kw, missing_k.clamp(min=0.0) / ahead.upper_k_per_kw)
    split = LayerHeat(upper_kw, heat - upper_kw)
    return step_layers(ahead.now, split, draw, layers_of(tank), dt_h)


def _k_per_kw(kwh_per_k: Tensor, ua_kw_per_k: Tensor, dt_h: float) -> Tensor:
    """By how much a kW for a step warms a layer at its end. [K/kW]"""
    return -torch.expm1(-ua_kw_per_k * dt_h / kwh_per_k) / ua_kw_per_k
