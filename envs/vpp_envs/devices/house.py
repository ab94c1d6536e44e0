"""A house as two masses: the air, and what it touches; exact for steps of any length.

The equivalent thermal parameters of GridLAB-D (module residential, house_e) with a second way out:
heat passes between the air and outdoors (windows, doors, leaks), between the air and the mass of
walls, floors and furniture, and between the mass and outdoors (walls, roof, floor), as in the
hourly method of ISO 13790. GridLAB-D itself sends all losses through the air, Um = 0.

    Ca dTa/dt = UA (To - Ta) + Hm (Tm - Ta) + Qa
    Cm dTm/dt = Um (To - Tm) + Hm (Ta - Tm) + Qm
"""

from typing import NamedTuple

import torch
from torch import Tensor


class HouseParams(NamedTuple):
    """Constants of houses, one column per home, (N,); all 1 where none is simulated."""

    ua_kw_per_k: Tensor  # air to outdoors [kW/K]
    mass_kw_per_k: Tensor  # air to mass [kW/K]
    air_kwh_per_k: Tensor  # heat capacity of the air and what follows it at once [kWh/K]
    mass_kwh_per_k: Tensor  # heat capacity of the mass [kWh/K]
    mass_ua_kw_per_k: Tensor  # mass to outdoors [kW/K]


class Transition(NamedTuple):
    """How temperatures above their equilibrium decay over a step, (N,)."""

    air_air: Tensor  # share of the air's own that is left
    air_mass: Tensor  # of the mass, found in the air
    mass_air: Tensor
    mass_mass: Tensor


class Temperatures(NamedTuple):
    """Of air and mass, or what they rise by, (..., N). [C] or [K]"""

    air_c: Tensor
    mass_c: Tensor


def transition(house: HouseParams, dt_h: float) -> Transition:
    """Return the matrix exponential of the two equations over a step, in closed form.

    With the two real, negative eigenvalues l1 > l2 of the matrix A,
    ``exp(A t) = (e^(l1 t) (A - l2) - e^(l2 t) (A - l1)) / (l1 - l2)``.

    Args:
        house: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    a = -(house.ua_kw_per_k + house.mass_kw_per_k) / house.air_kwh_per_k
    b = house.mass_kw_per_k / house.air_kwh_per_k
    c = house.mass_kw_per_k / house.mass_kwh_per_k
    d = -(house.mass_ua_kw_per_k + house.mass_kw_per_k) / house.mass_kwh_per_k
    middle, half = (a + d) / 2.0, torch.sqrt(((a - d) / 2.0) ** 2 + b * c)
    slow, fast = torch.exp((middle + half) * dt_h), torch.exp((middle - half) * dt_h)
    even, odd = (slow + fast) / 2.0, (slow - fast) / (2.0 * half)
    return Transition(even + odd * (a - middle), odd * b, odd * c, even + odd * (d - middle))


def loss_kw_per_k(house: HouseParams) -> Tensor:
    """What all ways out lose together, per kelvin between air and outdoors, (N,). [kW/K]

    Args:
        house: Constants, (N,).
    """
    through_mass = house.mass_ua_kw_per_k * house.mass_kw_per_k
    return house.ua_kw_per_k + through_mass / (house.mass_ua_kw_per_k + house.mass_kw_per_k)


def equilibrium(
    outdoor_c: Tensor, air_heat_kw: Tensor, mass_heat_kw: Tensor, house: HouseParams
) -> Temperatures:
    """Temperatures at which nothing changes, (..., N). [C]

    Args:
        outdoor_c: Outdoor air, (..., N) or broadcastable. [C]
        air_heat_kw: Heat into the air, (..., N). [kW]
        mass_heat_kw: Heat into the mass, (..., N). [kW]
        house: Constants, (N,).
    """
    ua, um, between = house.ua_kw_per_k, house.mass_ua_kw_per_k, house.mass_kw_per_k
    square = ua * um + between * (ua + um)
    both_kw = between * (air_heat_kw + mass_heat_kw)
    return Temperatures(
        outdoor_c + (both_kw + um * air_heat_kw) / square,
        outdoor_c + (both_kw + ua * mass_heat_kw) / square,
    )


def after_step(now: Temperatures, rest: Temperatures, over: Transition) -> Temperatures:
    """Temperatures at the end of a step of constant heat and weather, (..., N). [C]

    Args:
        now: At the start.
        rest: The equilibrium of the step, see `equilibrium`.
        over: The step's transition.
    """
    air, mass = now.air_c - rest.air_c, now.mass_c - rest.mass_c
    return Temperatures(
        rest.air_c + over.air_air * air + over.air_mass * mass,
        rest.mass_c + over.mass_air * air + over.mass_mass * mass,
    )


def settled_rise_k_per_kw(house: HouseParams) -> Temperatures:
    """How much warmer a kW into the air leaves air and mass in the end, (N,). [K/kW]

    Args:
        house: Constants, (N,).
    """
    zero = torch.zeros_like(house.ua_kw_per_k)
    return equilibrium(zero, zero + 1.0, zero, house)


def rise_k_per_kw(house: HouseParams, over: Transition) -> Temperatures:
    """How much warmer a kW into the air leaves air and mass at the end of a step, (N,). [K/kW]

    Args:
        house: Constants, (N,).
        over: The step's transition.
    """
    zero = torch.zeros_like(house.ua_kw_per_k)
    return after_step(Temperatures(zero, zero), settled_rise_k_per_kw(house), over)


def lost_kwh(
    now: Temperatures,
    after: Temperatures,
    rest: Temperatures,
    outdoor_c: Tensor,
    house: HouseParams,
    dt_h: float,
) -> Tensor:
    """Heat that left through the envelope during a step, (..., N). [kWh]

    ``UA (mean air - outdoor) dt + Um (mean mass - outdoor) dt`` with the exact means: deviations
    from the equilibrium lose what leaves the two capacities.

    Args:
        now: At the start.
        after: At the end.
        rest: The equilibrium of the step.
        outdoor_c: Outdoor air, (..., N). [C]
        house: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    air, mass = after.air_c - now.air_c, after.mass_c - now.mass_c
    settled_kw = house.ua_kw_per_k * (rest.air_c - outdoor_c)
    settled_kw = settled_kw + house.mass_ua_kw_per_k * (rest.mass_c - outdoor_c)
    return settled_kw * dt_h - (house.air_kwh_per_k * air + house.mass_kwh_per_k * mass)
