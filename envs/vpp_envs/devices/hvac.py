"""Heating and cooling of a home: what a unit can do in this weather, and its thermostat.

One unit heats or cools. Its capacity and efficiency follow the outdoor temperature by the curves
of GridLAB-D (residential/house_e.cpp); `biquadratic` reads the curves of NREL's OCHRE, which know
the indoor temperature too. A running unit draws its full power, so that in a step of five minutes
or more its mean power is the share of the time that it runs; resistance heat is modulated.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.house import HouseHeat, HouseParams, HouseStep, step_house


class HvacParams(NamedTuple):
    """Constants of the units and their houses, one column per home, (N,).

    Without a unit the capacities are 0, and the efficiencies 1.
    """

    house: HouseParams
    cool_kw: Tensor  # cooling capacity at 95 F outdoors, latent heat included; 0 = none [kW]
    heat_kw: Tensor  # heat pump's capacity at 47 F outdoors; 0 = none [kW]
    aux_kw: Tensor  # electric resistance heat [kW]
    furnace_kw: Tensor  # heat from another fuel, which nobody commands [kW]
    cool_cop: Tensor  # at 95 F, without the fan
    heat_cop: Tensor  # at 47 F, without the fan
    fan_kw: Tensor  # while the compressor runs [kW]
    latent: Tensor  # latent heat of cooling over sensible heat
    duct_eff: Tensor  # share of the unit's heat that reaches the rooms [0 to 1]
    lock_c: Tensor  # outdoors below this the heat pump stays off [C]
    off_h: Tensor  # a compressor that has stopped stays off for so long [h]
    on_h: Tensor  # and one that has started runs for so long [h]
    deadband_k: Tensor  # of the thermostat [K]
    deadband_shift: Tensor  # share of the deadband that lies on the unit's side of the set-point
    aux_below_k: Tensor  # its own thermostat calls for resistance heat so far below the set [K]


class HvacUnit(NamedTuple):
    """What a unit can do in one step's weather, (..., N)."""

    heats: Tensor  # it heats, or else it cools, bool
    sign: Tensor  # 1 when it heats, -1 when it cools
    full_kw: Tensor  # electric power of a running compressor with its fan; 0 = cannot [kW]
    heat_per_kw: Tensor  # moved into, or out of, the rooms per electric kW, positive
    aux_kw: Tensor  # resistance heat on top, electric [kW]
    furnace_kw: Tensor  # most heat from another fuel [kW]


class HvacRun(NamedTuple):
    """What a unit does in one step, (..., N)."""

    compressor_kw: Tensor  # electric, fan included [kW]
    aux_kw: Tensor  # electric [kW]
    furnace_kw: Tensor  # heat [kW]


def unit_now(heats: Tensor, outdoor_c: Tensor, hvac: HvacParams) -> HvacUnit:
    """Return what each unit can do, (..., N).

    Args:
        heats: Whether it heats, or else cools, (..., N) bool.
        outdoor_c: (..., N). [C]
        hvac: Constants, (N,).
    """
    outdoor_f = outdoor_c * 1.8 + 32.0
    cool_kw = hvac.cool_kw * (1.48924533 - 0.00514995 * outdoor_f).clamp(min=0.1)
    cool_cop = hvac.cool_cop / (-0.01363961 + 0.01066989 * outdoor_f.clamp(min=40.0))
    warm_kw = hvac.heat_kw * heat_pump_capacity_pu(outdoor_f)
    warm_cop = hvac.heat_cop / heat_pump_input_pu(outdoor_f)
    none = torch.zeros_like(cool_kw)
    warm_kw = torch.where(outdoor_c >= hvac.lock_c, warm_kw, none)
    compressor_kw = torch.where(heats, warm_kw / warm_cop, cool_kw / cool_cop)
    runs = compressor_kw > 0
    full_kw = torch.where(runs, compressor_kw + hvac.fan_kw, none)
    # The fan's power ends as heat in the air that it moves.
    into_air_kw = torch.where(heats, warm_kw + hvac.fan_kw, cool_kw / (1.0 + hvac.latent))
    into_air_kw = torch.where(heats, into_air_kw, into_air_kw - hvac.fan_kw)
    per_kw = into_air_kw / torch.where(runs, full_kw, torch.ones_like(full_kw))
    return HvacUnit(
        heats,
        torch.where(heats, torch.ones_like(none), -torch.ones_like(none)),
        full_kw,
        torch.where(runs, per_kw.clamp(min=0.1) * hvac.duct_eff, torch.ones_like(none)),
        torch.where(heats, hvac.aux_kw + none, none),
        torch.where(heats, hvac.furnace_kw + none, none),
    )


def heat_pump_capacity_pu(outdoor_f: Tensor) -> Tensor:
    """Heating capacity over that at 47 F; below -20 F as there. Outdoors in degrees Fahrenheit."""
    f = outdoor_f.clamp(min=-20.0)
    return 0.34148808 + 0.00894102 * f + 0.00010787 * f * f


def heat_pump_input_pu(outdoor_f: Tensor) -> Tensor:
    """Power over capacity, relative to 47 F; from 80 F on as there. In degrees Fahrenheit."""
    f = outdoor_f.clamp(-20.0, 80.0)
    return 2.03914613 - 0.03906753 * f + 0.00045617 * f * f - 0.00000203 * f * f * f


def biquadratic(inside_c: Tensor, outdoor_c: Tensor, curve: Tensor) -> Tensor:
    """Read a curve of OCHRE: capacity, or energy input over capacity, relative to the rating.

    Args:
        inside_c: Wet bulb at the coil when cooling, dry bulb when heating. [C]
        outdoor_c: Dry bulb. [C]
        curve: Factors of 1, inside, its square, outdoor, its square and their product, (6,).
    """
    return (
        curve[0]
        + curve[1] * inside_c
        + curve[2] * inside_c * inside_c
        + curve[3] * outdoor_c
        + curve[4] * outdoor_c * outdoor_c
        + curve[5] * inside_c * outdoor_c
    )


def heat_into_rooms_kw(run: HvacRun, unit: HvacUnit, hvac: HvacParams) -> Tensor:
    """Return the heat that a unit brings into the air, negative when it cools, (..., N). [kW]

    Args:
        run: What it does.
        unit: What it can do.
        hvac: Constants, (N,).
    """
    moved_kw = unit.sign * unit.heat_per_kw * run.compressor_kw
    return moved_kw + run.aux_kw * hvac.duct_eff + run.furnace_kw


def heat_to_reach_kw(target_c: Tensor, free_c: Tensor, unit: HvacUnit, k_per_kw: Tensor) -> Tensor:
    """Return the heat, or cold, that takes the air to a target at the end of a step, (..., N). [kW]

    Args:
        target_c: Wanted at the end. [C]
        free_c: There without the unit. [C]
        unit: What it can do; the result is in its direction, at least 0.
        k_per_kw: Answer of the air to heat through the step. [K/kW]
    """
    return (unit.sign * (target_c - free_c) / k_per_kw).clamp(min=0.0)


def aux_to_give_kw(heat_kw: Tensor, compressor_kw: Tensor, unit: HvacUnit, duct: Tensor) -> Tensor:
    """Return the electric resistance heat that brings what the compressor lacks, (..., N). [kW]

    Args:
        heat_kw: Wanted in the rooms. [kW]
        compressor_kw: That runs, electric. [kW]
        unit: What it can do.
        duct: Share that reaches the rooms, (N,).
    """
    lacking_kw = (heat_kw - compressor_kw * unit.heat_per_kw).clamp(min=0.0)
    return torch.minimum(lacking_kw / duct, unit.aux_kw)


def thermostat(
    air_c: Tensor,
    mass_c: Tensor,
    on: Tensor,
    held: Tensor,
    set_c: Tensor,
    heat: HouseHeat,
    unit: HvacUnit,
    hvac: HvacParams,
    over: HouseStep,
    cycles: bool,
) -> HvacRun:
    """Return what a unit does under its own thermostat, (..., N).

    A cooler starts above ``set + deadband (1 - shift)`` and stops below ``set - deadband shift``;
    a heater mirrors it. A step that holds whole cycles has their mean temperature at its end.

    Args:
        air_c: At the start. [C]
        mass_c: At the start. [C]
        on: The compressor was running, bool.
        held: It must stay as it is, bool.
        set_c: Set-point of this direction. [C]
        heat: What acts on the house besides.
        unit: What it can do.
        hvac: Constants, (N,).
        over: From `house_step`.
        cycles: The step holds whole cycles.
    """
    k_per_kw = over.end_air_air / hvac.house.air_kwh_per_k
    free_c = step_house(air_c, mass_c, heat, torch.zeros_like(air_c), hvac.house, over).air_c
    if cycles:
        middle_c = set_c - unit.sign * hvac.deadband_k * (0.5 - hvac.deadband_shift)
        wanted_kw = heat_to_reach_kw(middle_c, free_c, unit, k_per_kw)
        compressor_kw = torch.minimum(wanted_kw / unit.heat_per_kw, unit.full_kw)
    else:
        missing_k = unit.sign * (set_c - air_c)
        starts = missing_k > hvac.deadband_k * (1.0 - hvac.deadband_shift)
        stays = on & (missing_k >= -hvac.deadband_k * hvac.deadband_shift)
        runs = torch.where(held, on, starts | stays)
        compressor_kw = torch.where(runs, unit.full_kw, torch.zeros_like(unit.full_kw))
    backup_kw = heat_to_reach_kw(set_c - hvac.aux_below_k, free_c, unit, k_per_kw)
    furnace_kw = heat_to_reach_kw(set_c, free_c, unit, k_per_kw)
    return HvacRun(
        compressor_kw,
        aux_to_give_kw(backup_kw, compressor_kw, unit, hvac.duct_eff),
        torch.minimum(furnace_kw, unit.furnace_kw),
    )
