"""Sample homes with heating and cooling: house, unit, set-points and what owners agreed to."""

from typing import Any

import torch
from torch import Tensor

from vpp_envs.devices.house import HouseParams
from vpp_envs.devices.house_geometry import cooling_size_kw, heating_size_kw, house_of
from vpp_envs.devices.hvac import HvacParams
from vpp_envs.flexible.hvac import HvacAgreement, HvacFleet
from vpp_envs.flexible.hvac_band import can_promise, hvac_class
from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.synthetic.occupancy import RAMP_K_PER_H

HVAC_ARCHETYPES = 32
# Insulation from "very little" to "very good", an assumption about California.
LEVEL_SHARES = (0.05, 0.15, 0.20, 0.25, 0.15, 0.15, 0.05)
_FLOOR_FT2, _FLOOR_SPREAD = 1750.0, 0.35  # lognormal, an assumption
_COOL_SET_C, _HEAT_SET_C, _SET_SPREAD_C = 24.4, 20.3, 1.2
_LEAST_APART_K = 3.5  # between the two set-points
_FAN_PER_KW = 0.033  # about 0.4 kW for a central unit of three and a half tons
_DUCT_EFF = 0.90  # an assumption: OCHRE's example homes lose 16 to 22 per cent, new ones little
_AUX_EXCESS = 1.3  # resistance heat and furnaces over the loss of the design day
_MOST_AUX_KW = 25.0  # of resistance heat, and of the heat of a furnace
_LOCK_C, _LOCK_WITHOUT_AUX_C = -12.2, -25.0  # 10 F, the default of GridLAB-D; assumption
_OFF_H, _ON_H = 5.0 / 60.0, 3.0 / 60.0
_DEADBAND_K, _DEADBAND_SHIFT, _AUX_BELOW_K = 1.0, 0.2, 1.6  # as in OCHRE
# Surprises that the band is kept against: gains at their 95th percentile over the expected ones
# while everybody is in, and a cloud of 300 W/m2 (an assumption).
_GAIN_MARGIN_PU, _SUN_MARGIN_KW_PER_M2 = 1.2, 0.3


def sample_hvac(
    seed: int,
    home: Tensor,
    present: Tensor,
    cool_design_c: float = 35.0,
    heat_design_c: float = 0.0,
    heat_pump_share: float = 0.35,
    aux_share: float = 0.5,
    controllable_share: float = 0.55,
) -> HvacFleet:
    """Sample homes with an air conditioner or a heat pump, (N,) float64.

    Args:
        seed: Of the fleet.
        home: Ids; the same id is the same home in every fleet with that seed, (N,) int64.
        present: Which homes have a unit, (N,) bool.
        cool_design_c: Outdoors on the hottest day that units are sized for. [C]
        heat_design_c: Outdoors on the coldest. [C]
        heat_pump_share: Of the units; the others cool only, beside a furnace.
        aux_share: Of the heat pumps that have resistance heat.
        controllable_share: Of the homes whose thermostat others may command; a home whose band its
            unit cannot promise is never among them.
    """

    def draw(purpose: int) -> Tensor:
        return uniform(seed, 0, home, 0, purpose)

    floor_ft2 = _FLOOR_FT2 * torch.exp(
        _FLOOR_SPREAD * normal(seed, 0, home, 0, Purpose.FLEET_HVAC_FLOOR)
    )
    edges = torch.cumsum(torch.tensor(LEVEL_SHARES, dtype=torch.float64), 0)[:-1]
    level = torch.bucketize(draw(Purpose.FLEET_HVAC_LEVEL), edges, right=True)
    house = house_of(floor_ft2, level)
    agreement = _sample_agreement(seed, home, house, controllable_share)
    oversize = 0.3 * draw(Purpose.FLEET_HVAC_OVERSIZE)
    cool_kw = cooling_size_kw(house, floor_ft2, cool_design_c, (1.0 + oversize) / _DUCT_EFF - 1.0)
    sort = draw(Purpose.FLEET_HVAC_TYPE)
    pump = sort < heat_pump_share
    aux = sort < heat_pump_share * aux_share
    loss_kw = heating_size_kw(house, agreement.heat_set_c, heat_design_c)
    loss_kw = (_AUX_EXCESS * loss_kw / _DUCT_EFF).clamp(max=_MOST_AUX_KW)
    params = _units(house, cool_kw, loss_kw, pump, aux, draw(Purpose.FLEET_HVAC_EFFICIENCY))
    agreement = agreement._replace(
        managed=agreement.managed * can_promise(params, agreement).double()
    )
    params, agreement = _only(params, present), _only(agreement, present)
    archetype = (draw(Purpose.FLEET_HVAC_ARCHETYPE) * HVAC_ARCHETYPES).to(torch.int64) * present
    return HvacFleet(params, agreement, archetype, hvac_class(params, agreement))


def _units(
    house: HouseParams, cool_kw: Tensor, loss_kw: Tensor, pump: Tensor, aux: Tensor, eff: Tensor
) -> HvacParams:
    """Equip houses, (N,)."""
    zero, one = torch.zeros_like(cool_kw), torch.ones_like(cool_kw)
    return HvacParams(
        house,
        cool_kw,
        # A heat pump is sized for cooling, or for half of the cold day where that is more.
        torch.where(pump, torch.maximum(cool_kw, 0.5 * loss_kw), zero),
        torch.where(aux, loss_kw, zero),
        torch.where(pump, zero, loss_kw),
        2.8 + 1.7 * eff,
        2.5 + 1.5 * eff,
        _FAN_PER_KW * cool_kw,
        0.3 * one,
        _DUCT_EFF * one,
        torch.where(aux, _LOCK_C * one, _LOCK_WITHOUT_AUX_C * one),
        _OFF_H * one,
        _ON_H * one,
        _DEADBAND_K * one,
        _DEADBAND_SHIFT * one,
        _AUX_BELOW_K * one,
    )


def _sample_agreement(
    seed: int, home: Tensor, house: HouseParams, controllable_share: float
) -> HvacAgreement:
    """Sample set-points and bands, (N,); how far owners let them go is an assumption."""

    def draw(purpose: int) -> Tensor:
        return uniform(seed, 0, home, 0, purpose)

    def bell(purpose: int) -> Tensor:
        return normal(seed, 0, home, 0, purpose)

    cool_c = _COOL_SET_C + _SET_SPREAD_C * bell(Purpose.FLEET_HVAC_COOL_SET)
    heat_c = _HEAT_SET_C + _SET_SPREAD_C * bell(Purpose.FLEET_HVAC_HEAT_SET)
    wide = draw(Purpose.FLEET_HVAC_BAND)
    margin_kw = _GAIN_MARGIN_PU * house.gain_mean_kw + _SUN_MARGIN_KW_PER_M2 * house.aperture_m2
    return HvacAgreement(
        cool_c,
        torch.minimum(heat_c, cool_c - _LEAST_APART_K),
        1.5 + 1.5 * wide,
        1.5 + 0.5 * wide,
        1.5 + 1.5 * wide,
        1.5 + 0.5 * wide,
        torch.ones_like(wide),
        RAMP_K_PER_H * torch.ones_like(wide),
        margin_kw,
        (draw(Purpose.FLEET_HVAC_MANAGED) < controllable_share).double(),
    )


# What a home without a unit has instead of 0: nothing may divide by zero.
_ONE = ("ua_w_per_k", "coupling_w_per_k", "air_kwh_per_k", "mass_kwh_per_k", "cool_cop")
_ONES = frozenset((*_ONE, "heat_cop", "duct_eff"))


def _only(tree: Any, present: Tensor) -> Any:  # noqa: ANN401
    """Blank the homes without a unit."""
    blank = {}
    for name in tree._fields:
        value = getattr(tree, name)
        if not isinstance(value, Tensor):
            blank[name] = _only(value, present)
        elif name in ("cool_set_c", "heat_set_c"):
            blank[name] = value
        else:
            other = torch.ones_like(value) if name in _ONES else torch.zeros_like(value)
            blank[name] = torch.where(present, value, other)
    return type(tree)(**blank)
