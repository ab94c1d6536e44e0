"""A house as two masses: the air, and what it touches; exact for steps of any length.

The equivalent thermal parameters of GridLAB-D (module residential, house_e): heat passes between
the air and outdoors, and between the air and the mass of walls, floors and furniture.

    Ca dTa/dt = UA (To - Ta) + Hm (Tm - Ta) + Qa
    Cm dTm/dt = Hm (Ta - Tm) + Qm
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


class Transition(NamedTuple):
    """How temperatures above their equilibrium decay over a step, (N,)."""

    air_air: Tensor  # share of the air's own that is left
    air_mass: Tensor  # of the mass, found in the air
    mass_air: Tensor
    mass_mass: Tensor


class Temperatures(NamedTuple):
    """Of air and mass, (..., N). [C]"""

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
    middle, half = (a - c) / 2.0, torch.sqrt(((a + c) / 2.0) ** 2 + b * c)
    slow, fast = torch.exp((middle + half) * dt_h), torch.exp((middle - half) * dt_h)
    even, odd = (slow + fast) / 2.0, (slow - fast) / (2.0 * half)
    return Transition(even + odd * (a - middle), odd * b, odd * c, even + odd * (-c - middle))


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
    air_c = outdoor_c + (air_heat_kw + mass_heat_kw) / house.ua_kw_per_k
    return Temperatures(air_c, air_c + mass_heat_kw / house.mass_kw_per_k)


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


def air_rise_k_per_kw(house: HouseParams, over: Transition) -> Tensor:
    """How much warmer a kW into the air leaves the air at the end of a step, (N,). [K/kW]

    Args:
        house: Constants, (N,).
        over: The step's transition.
    """
    return (1.0 - over.air_air - over.air_mass) / house.ua_kw_per_k


def lost_kwh(
    now: Temperatures,
    after: Temperatures,
    rest: Temperatures,
    outdoor_c: Tensor,
    house: HouseParams,
    dt_h: float,
) -> Tensor:
    """Heat that left through the envelope during a step, (..., N). [kWh]

    ``UA (mean air - outdoor) dt`` with the exact mean: the integral of a deviation x that obeys
    ``x' = A x`` is ``A^-1 (x(t) - x(0))``.

    Args:
        now: At the start.
        after: At the end.
        rest: The equilibrium of the step.
        outdoor_c: Outdoor air, (..., N). [C]
        house: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    air, mass = after.air_c - now.air_c, after.mass_c - now.mass_c
    # First row of A^-1: the slow mode empties both capacities through UA.
    integral_kh = -(house.air_kwh_per_k * air + house.mass_kwh_per_k * mass) / house.ua_kw_per_k
    return house.ua_kw_per_k * ((rest.air_c - outdoor_c) * dt_h + integral_kh)
