"""Air conditioner and heat pump: how much heat a kW moves, by outdoor temperature.

Curves of GridLAB-D (module residential, house_e), converted to degrees Celsius where they are
read; they are those of single-speed machines. Heat into the home is positive.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class HvacParams(NamedTuple):
    """Constants of the machines, one column per home, (N,); all sizes 0 where there is none."""

    cooling_kw: Tensor  # total heat that cooling removes at the rating point, 0: it cannot [kW]
    heating_kw: Tensor  # heat that the heat pump gives at the rating point, 0: it cannot [kW]
    auxiliary_kw: Tensor  # resistance heat beside it, or alone [kW]
    cooling_cop: Tensor  # at the rating point, fan included
    heating_cop: Tensor  # at the rating point, fan included
    latent_share: Tensor  # heat of drying over sensible heat of cooling
    burner: Tensor  # 1: a burner, which no grid feeds, holds the heating set-point; else 0


class Range(NamedTuple):
    """What a machine can do at one outdoor temperature, (..., N)."""

    cool_kw: Tensor  # most electricity for cooling [kW]
    cool_per_kw: Tensor  # sensible heat removed per kW of electricity
    pump_kw: Tensor  # most electricity of the heat pump [kW]
    heat_per_kw: Tensor  # heat given per kW of the heat pump's electricity
    auxiliary_kw: Tensor  # most of resistance heat beyond it [kW]


def machine_range(outdoor_c: Tensor, hvac: HvacParams) -> Range:
    """Capacity and efficiency of the machines at an outdoor temperature.

    Capacity of cooling ``1.48924533 - 0.00514995 To``, its COP over that of the rating point
    ``1 / (-0.01363961 + 0.01066989 max(To, 40))``; of heating
    ``0.34148808 + 0.00894102 To + 0.00010787 To^2`` and
    ``1 / (2.03914613 - 0.03906753 T + 0.00045617 T^2 - 2.03e-6 T^3)`` with T = min(To, 80), in
    degrees Fahrenheit. Below -23 C (10 F less the range of the curves) the heat pump rests.

    Args:
        outdoor_c: Outdoor air, (..., N) or broadcastable. [C]
        hvac: Constants, (N,).
    """
    f = outdoor_c * 1.8 + 32.0
    cooling = hvac.cooling_kw * (1.48924533 - 0.00514995 * f).clamp(min=0.0)
    cooling_cop = hvac.cooling_cop / (-0.01363961 + 0.01066989 * f.clamp(min=40.0))
    # The parabola of capacity turns at -41.4 F; colder air gives no more heat again.
    g = f.clamp(min=-9.4)
    heating = hvac.heating_kw * (0.34148808 + 0.00894102 * g + 0.00010787 * g * g)
    h = g.clamp(max=80.0)
    heating_cop = hvac.heating_cop / (
        2.03914613 - 0.03906753 * h + 0.00045617 * h * h - 2.03e-6 * h * h * h
    )
    return Range(
        cooling / cooling_cop,
        cooling_cop / (1.0 + hvac.latent_share),
        heating / heating_cop,
        heating_cop,
        hvac.auxiliary_kw,
    )


def heat_kw(power_kw: Tensor, cools: Tensor, able: Range) -> Tensor:
    """Heat into the air by electricity, (..., N). [kW]

    Args:
        power_kw: Electricity, (..., N). [kW]
        cools: Whether the machine cools, else it heats, bool.
        able: What the machines can do now.
    """
    pumped_kw = torch.minimum(power_kw, able.pump_kw)
    warmth_kw = pumped_kw * able.heat_per_kw + (power_kw - pumped_kw)
    return torch.where(cools, -power_kw * able.cool_per_kw, warmth_kw)


def power_for_kw(heat: Tensor, cools: Tensor, able: Range) -> Tensor:
    """Electricity that moves an amount of heat, within what the machine can do, (..., N). [kW]

    The inverse of `heat_kw`; heat of the wrong sign needs none.

    Args:
        heat: Into the air, (..., N). [kW]
        cools: Whether the machine cools, else it heats, bool.
        able: What the machines can do now.
    """
    cold_kw = torch.minimum((-heat).clamp(min=0.0) / able.cool_per_kw, able.cool_kw)
    pump_heat_kw = able.pump_kw * able.heat_per_kw
    pumped_kw = torch.minimum(heat.clamp(min=0.0), pump_heat_kw) / able.heat_per_kw
    beyond_kw = (heat - pump_heat_kw).clamp(min=0.0)
    warm_kw = pumped_kw + torch.minimum(beyond_kw, able.auxiliary_kw)
    return torch.where(cools, cold_kw, warm_kw)


def most_kw(cools: Tensor, able: Range) -> Tensor:
    """Most electricity that a machine can draw, (..., N). [kW]

    Args:
        cools: Whether it cools, else it heats, bool.
        able: What the machines can do now.
    """
    return torch.where(cools, able.cool_kw, able.pump_kw + able.auxiliary_kw)
