"""A house as two masses: the air that people feel, and the walls and furniture that store heat.

    C_air dT_air/dt   = UA (T_outdoor - T_air) + H (T_mass - T_air) + Q_air
    C_mass dT_mass/dt = H (T_air - T_mass) + Q_mass

This is the equivalent thermal model of GridLAB-D (residential/house_e.cpp). A step of any length is
exact for constant inputs: with ``r`` the rates of change at its start, ``x' = x + Psi r`` and the
mean over the step is ``x + Chi r``, where Psi and Chi are integrals of the matrix exponential,
written out by its two real eigenvalues. More heat never makes anything colder, in either mass.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class HouseParams(NamedTuple):
    """Constants of houses, one column per home, (N,).

    A home without one has conductances and capacities 1, and all else 0.
    """

    ua_w_per_k: Tensor  # from the air to outdoors, air changes included, positive [W/K]
    coupling_w_per_k: Tensor  # between air and mass, positive [W/K]
    air_kwh_per_k: Tensor  # capacity of the air, positive [kWh/K]
    mass_kwh_per_k: Tensor  # capacity of the mass, positive [kWh/K]
    aperture_m2: Tensor  # sunlight on a horizontal square metre that enters, over what falls [m2]
    gain_mean_kw: Tensor  # mean heat of people, lights and appliances [kW]
    gain_to_mass: Tensor  # share of these gains that warms the mass [0 to 1]
    sun_to_mass: Tensor  # share of sunlight that warms the mass [0 to 1]


class HouseStep(NamedTuple):
    """How states answer to their rates over one step of a given length, (N,) each. [h]"""

    end_air_air: Tensor  # Psi
    end_air_mass: Tensor
    end_mass_air: Tensor
    end_mass_mass: Tensor
    mean_air_air: Tensor  # Chi, the row of the air
    mean_air_mass: Tensor
    dt_h: Tensor  # length of the step [h]


class HouseHeat(NamedTuple):
    """What acts on a house besides its own unit during one step, (..., N)."""

    outdoor_c: Tensor  # [C]
    air_kw: Tensor  # gains into the air [kW]
    mass_kw: Tensor  # gains into the mass [kW]


class HouseEnd(NamedTuple):
    """A house at the end of a step, (..., N)."""

    air_c: Tensor  # [C]
    mass_c: Tensor  # [C]
    loss_kwh: Tensor  # gone outdoors during the step [kWh]


def house_step(house: HouseParams, dt_h: float) -> HouseStep:
    """Return the exact response over a step, (N,).

    Args:
        house: Constants, (N,).
        dt_h: Length of the step, positive. [h]
    """
    return house_step_over(house, torch.full_like(house.ua_w_per_k, dt_h))


def house_step_over(house: HouseParams, dt_h: Tensor) -> HouseStep:
    """Return the exact response over each house's own time, (N,).

    Args:
        house: Constants, (N,).
        dt_h: Length of the step, positive, (N,). [h]
    """
    loss = house.ua_w_per_k / 1e3 / house.air_kwh_per_k
    air = house.coupling_w_per_k / 1e3 / house.air_kwh_per_k
    mass = house.coupling_w_per_k / 1e3 / house.mass_kwh_per_k
    # Rates by air and mass: [[-(loss + air), air], [mass, -mass]]; its eigenvalues are real.
    half = 0.5 * (loss + air - mass)
    spread = torch.sqrt(half * half + air * mass)
    fast = -0.5 * (loss + air + mass) - spread
    slow = loss * mass / fast
    # The slow mode's share of each; the fast one has the rest.
    own = (-(loss + air) - fast) / (2.0 * spread)
    to_air = air / (2.0 * spread)
    to_mass = mass / (2.0 * spread)
    end_slow, end_fast = _phi_1(slow * dt_h) * dt_h, _phi_1(fast * dt_h) * dt_h
    mean_slow, mean_fast = _phi_2(slow * dt_h) * dt_h, _phi_2(fast * dt_h) * dt_h
    return HouseStep(
        own * end_slow + (1.0 - own) * end_fast,
        to_air * (end_slow - end_fast),
        to_mass * (end_slow - end_fast),
        (1.0 - own) * end_slow + own * end_fast,
        own * mean_slow + (1.0 - own) * mean_fast,
        to_air * (mean_slow - mean_fast),
        dt_h,
    )


def _phi_1(z: Tensor) -> Tensor:
    """Mean of exp over [0, z], z below 0."""
    return torch.expm1(z) / z


def _phi_2(z: Tensor) -> Tensor:
    """(exp(z) - 1 - z) / z**2, z below 0; near 0 as a series, because the difference cancels."""
    small = z > -0.1
    near = torch.where(small, z, torch.zeros_like(z))
    series = 0.5 + near / 6.0 * (
        1.0 + near / 4.0 * (1.0 + near / 5.0 * (1.0 + near / 6.0 * (1.0 + near / 7.0)))
    )
    far = torch.where(small, -torch.ones_like(z), z)
    return torch.where(small, series, (torch.expm1(far) - far) / (far * far))


def heat_of(
    outdoor_c: Tensor, sun_w_per_m2: Tensor, gain_kw: Tensor, house: HouseParams
) -> HouseHeat:
    """Split sunlight and gains between air and mass, (..., N).

    Args:
        outdoor_c: Outdoor air. [C]
        sun_w_per_m2: Sunlight on the horizontal. [W/m2]
        gain_kw: Heat of people, lights and appliances. [kW]
        house: Constants, (N,).
    """
    sun_kw = sun_w_per_m2 * house.aperture_m2 / 1e3
    mass_kw = house.sun_to_mass * sun_kw + house.gain_to_mass * gain_kw
    return HouseHeat(outdoor_c + 0.0 * mass_kw, sun_kw + gain_kw - mass_kw, mass_kw)


def equilibrium_c(heat: HouseHeat, house: HouseParams) -> Tensor:
    """Return the temperature at which a house without a unit would settle, (..., N). [C]"""
    return heat.outdoor_c + (heat.air_kw + heat.mass_kw) * 1e3 / house.ua_w_per_k


def step_house(
    air_c: Tensor,
    mass_c: Tensor,
    heat: HouseHeat,
    unit_kw: Tensor,
    house: HouseParams,
    over: HouseStep,
) -> HouseEnd:
    """Let one step pass under constant heat; exact for steps of any length.

    Args:
        air_c: Air at the start, (..., N). [C]
        mass_c: Mass at the start, (..., N). [C]
        heat: Besides the unit.
        unit_kw: Heat of the unit into the air, negative when it cools, (..., N). [kW]
        house: Constants, (N,).
        over: From `house_step`.
    """
    ua_kw, coupling_kw = house.ua_w_per_k / 1e3, house.coupling_w_per_k / 1e3
    flow_kw = coupling_kw * (mass_c - air_c)
    air_rate = (ua_kw * (heat.outdoor_c - air_c) + flow_kw + heat.air_kw + unit_kw) / (
        house.air_kwh_per_k
    )
    mass_rate = (heat.mass_kw - flow_kw) / house.mass_kwh_per_k
    mean_air_c = air_c + over.mean_air_air * air_rate + over.mean_air_mass * mass_rate
    return HouseEnd(
        air_c + over.end_air_air * air_rate + over.end_air_mass * mass_rate,
        mass_c + over.end_mass_air * air_rate + over.end_mass_mass * mass_rate,
        ua_kw * (mean_air_c - heat.outdoor_c) * over.dt_h,
    )
