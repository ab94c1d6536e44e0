"""Sample back-up generators of homes: few, most on gas, none permitted to run for others."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.generator import GeneratorParams
from vpp_envs.errors import InputError
from vpp_envs.flexible.generator_parts import GeneratorAgreement, GeneratorFleet
from vpp_envs.random import Purpose, uniform

# Diesel: fuel of sets by size and load, the usual straight line. [L/h per kW rated], [L/kWh]
_DIESEL = (0.08145, 0.246)
# Gas: 22.5 % of 35.8 MJ/m3 at full load, as home sets have; a quarter of that fuel at no load,
# like diesel's line (assumed).
_GAS = (111.7, 335.2)
_CO2_DIESEL, _CO2_GAS = 2.68, 1.95e-3  # 53.06 kg per million Btu of 38.7 MJ/m3 [kg/L]
_PRICE_DIESEL, _PRICE_GAS = 1.40, 5.5e-4  # of fuel at retail (assumed) [currency/L]
_UPKEEP = 0.025  # [currency/kWh]
_START = 5.0  # least of what is quoted, for small sets [currency]
_CAP_H = 100.0  # of a permit (assumed) [h]
_TANK_H = 24.0  # at half load (assumed) [h]


class Fuel(NamedTuple):
    """What engines burn, (N,)."""

    idle_l_per_h_kw: Tensor  # at no load, per kW rated [L/(h kW)]
    l_per_kwh: Tensor  # rise with load [L/kWh]
    co2_kg_per_l: Tensor  # [kg/L]
    price_per_l: Tensor  # [currency/L]


def fuel_of(diesel: Tensor) -> Fuel:
    """Fuel of usual engines.

    Args:
        diesel: Which burn diesel, the others gas, (N,) bool.
    """
    one = torch.ones(diesel.shape, dtype=torch.float64)

    def of_fuel(on_diesel: float, on_gas: float) -> Tensor:
        return torch.where(diesel, on_diesel * one, on_gas * one)

    return Fuel(
        of_fuel(_DIESEL[0], _GAS[0]),
        of_fuel(_DIESEL[1], _GAS[1]),
        of_fuel(_CO2_DIESEL, _CO2_GAS),
        of_fuel(_PRICE_DIESEL, _PRICE_GAS),
    )


def tank_of_l(idle_l_per_h: Tensor, fuel_l_per_kwh: Tensor, rated_kw: Tensor) -> Tensor:
    """A tank that lasts for a day at half load, (N,). [L]

    Args:
        idle_l_per_h: Fuel at no load, (N,). [L/h]
        fuel_l_per_kwh: Rise of fuel with load, (N,). [L/kWh]
        rated_kw: Output at full load, (N,). [kW]
    """
    return _TANK_H * (idle_l_per_h + fuel_l_per_kwh * 0.5 * rated_kw)


def sample_generators(
    seed: int,
    home: Tensor,
    present: Tensor,
    permitted_share: float = 0.0,
    diesel_share: float = 0.2,
) -> GeneratorFleet:
    """Sample the stand-by sets of homes, 10 to 26 kW, float64, (N,).

    They run at 30 % of their rating at least, for half an hour at least, and rest a quarter.

    Args:
        seed: Of the fleet.
        home: Ids, (N,) int64.
        present: Which homes have a generator, (N,) bool.
        permitted_share: Of these with a permit to run for others: an emergency engine has none.
        diesel_share: Of these that burn diesel from a tank; the rest has gas from a pipe.
    """

    def draw(purpose: int) -> Tensor:
        return uniform(seed, 0, home, 0, purpose)

    zero = torch.zeros(home.shape, dtype=torch.float64)
    one = zero + 1.0
    exists = present.to(torch.float64)
    # Sets are sold by the kilowatt.
    most_kw = exists * (10.0 + (17.0 * draw(Purpose.FLEET_GENERATOR_SIZE)).floor())
    diesel = draw(Purpose.FLEET_GENERATOR_DIESEL) < diesel_share
    fuel = fuel_of(diesel)
    idle = fuel.idle_l_per_h_kw * most_kw
    tank_l = torch.where(present & diesel, tank_of_l(idle, fuel.l_per_kwh, most_kw), one)
    params = GeneratorParams(
        most_kw,
        0.3 * most_kw,
        idle,
        fuel.l_per_kwh,
        zero,
        fuel.co2_kg_per_l,
        tank_l,
        torch.where(diesel, zero, one),
    )
    permitted = present & (draw(Purpose.FLEET_GENERATOR_PERMITTED) < permitted_share)
    fleet = GeneratorFleet(
        params,
        most_kw,
        fuel.price_per_l,
        _UPKEEP * exists,
        _START * exists,
        GeneratorAgreement(permitted.double(), _CAP_H * one, 0.5 * one, 0.25 * one),
        torch.zeros_like(home),
        torch.where(permitted, diesel.to(torch.int64), torch.full_like(home, -1)),
    )
    check_generators(fleet, "generator of a sampled home")
    return fleet


def check_generators(fleet: GeneratorFleet, where: str) -> None:
    """Refuse engines that cannot run.

    Args:
        fleet: (N,).
        where: Of the engine, for the error.

    Raises:
        InputError: The least load lies outside the rating, the hours do not last for one least
            run, or an engine without a permit is in a class that is dispatched.
    """
    engine, agreed, exists = fleet.params, fleet.agreement, fleet.rated_kw > 0
    outside = exists & ((engine.least_kw > engine.most_kw) | (engine.least_kw <= 0))
    for home in torch.nonzero(outside)[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: its least load of {float(engine.least_kw[home]):g} kW must lie above "
            f"0 and at or below {float(engine.most_kw[home]):g} kW; mend least_kw."
        )
    short = (agreed.permitted_for_dr > 0) & exists & (agreed.cap_h < agreed.run_h)
    for home in torch.nonzero(short)[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: {float(agreed.cap_h[home]):g} hours a year do not last for one run "
            f"of {float(agreed.run_h[home]):g}; raise cap_h or forbid it."
        )
    classed = (fleet.cohort >= 0) & (agreed.permitted_for_dr <= 0)
    for home in torch.nonzero(classed)[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: without a permit it cannot be dispatched; give it cohort -1, or set "
            "permitted_for_dr."
        )
