"""An engine with a generator: fuel by load, least load, and what a start costs.

Fuel is a line (Willans) with a bend for those that have one, while it runs:

    F = idle + a P + b P^2   [L/h]

Litres are of diesel, or of gas at standard conditions. Between off and its least load it cannot
run. Output is positive here; the chain's power is its negative.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class GeneratorParams(NamedTuple):
    """Constants of the engines, (N,); output and fuel 0 without one."""

    most_kw: Tensor  # output at full load [kW]
    least_kw: Tensor  # least load at which it runs [kW]
    idle_l_per_h: Tensor  # fuel at no load [L/h]
    fuel_l_per_kwh: Tensor  # rise of fuel with load [L/kWh]
    bend_l_per_kw2_h: Tensor  # and with its square, 0: a line [L/(kW2 h)]
    co2_kg_per_l: Tensor  # of the fuel [kg/L]
    tank_l: Tensor  # of fuel, 1 without one [L]
    piped: Tensor  # 1: fuel comes by pipe and does not run out


def fuel_l_per_h(output_kw: Tensor, engine: GeneratorParams) -> Tensor:
    """Fuel of an engine that runs, (..., N). [L/h]

    Args:
        output_kw: At least 0, (..., N). [kW]
        engine: Constants, (N,).
    """
    slope = engine.fuel_l_per_kwh + engine.bend_l_per_kw2_h * output_kw
    return engine.idle_l_per_h + slope * output_kw


def output_for_kw(fuel: Tensor, engine: GeneratorParams) -> Tensor:
    """Output at which an engine burns so much, 0 below its fuel at no load, (..., N). [kW]

    The root of the fuel curve in the form that holds for a line as well.

    Args:
        fuel: Per hour, (..., N). [L/h]
        engine: Constants, (N,).
    """
    above = (fuel - engine.idle_l_per_h).clamp(min=0.0)
    slope = engine.fuel_l_per_kwh
    root = torch.sqrt(slope * slope + 4.0 * engine.bend_l_per_kw2_h * above)
    return 2.0 * above / (slope + root).clamp(min=1e-12)


def cost_per_kwh(
    output_kw: Tensor, price_per_l: Tensor, upkeep_per_kwh: Tensor, engine: GeneratorParams
) -> Tensor:
    """What a kWh costs while the engine runs at a load, without its start, (..., N).

    Args:
        output_kw: Above 0 where there is an engine, (..., N). [kW]
        price_per_l: Of fuel, (N,). [currency/L]
        upkeep_per_kwh: Of the engine, (N,). [currency/kWh]
        engine: Constants, (N,).
    """
    fuel = fuel_l_per_h(output_kw, engine) * price_per_l
    return fuel / output_kw.clamp(min=1e-6) + upkeep_per_kwh
