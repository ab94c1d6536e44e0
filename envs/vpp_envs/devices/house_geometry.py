"""From floor area and insulation to the constants of a house, as in GridLAB-D.

Geometry and the seven levels are those of residential/house_e.cpp: one storey of aspect 1.5, a
ceiling of 8 ft, glass on 0.15 of the outer walls, four doors, inner walls of 1.5 times the outer
ones. Its solar heat gain coefficient is 0.67, clear double glazing: the one value for which the
sizing rule returns its seven sizes of air conditioner.
"""

import torch
from torch import Tensor

from vpp_envs.devices.house import HouseParams

# R-values of roof, wall, floor and door [h ft2 F/Btu], U of windows [Btu/(h ft2 F)], air changes
# an hour.
LEVELS: tuple[tuple[str, float, float, float, float, float, float], ...] = (
    ("very little", 11.0, 4.0, 4.0, 3.0, 1.27, 1.5),
    ("little", 19.0, 11.0, 4.0, 3.0, 0.81, 1.5),
    ("below normal", 19.0, 11.0, 11.0, 3.0, 0.81, 1.0),
    ("normal", 30.0, 11.0, 11.0, 3.0, 0.60, 1.0),
    ("above normal", 30.0, 19.0, 19.0, 3.0, 0.60, 1.0),
    ("good", 30.0, 19.0, 22.0, 5.0, 0.47, 0.5),
    ("very good", 48.0, 22.0, 30.0, 11.0, 0.31, 0.5),
)
W_PER_BTU_PER_H = 0.29307107
W_PER_K_PER_BTU_PER_H_F = W_PER_BTU_PER_H * 1.8
KWH_PER_K_PER_BTU_PER_F = W_PER_BTU_PER_H * 1.8 / 1e3
M2_PER_FT2 = 0.09290304
_GLASS_SHARE, _DOORS_FT2, _INNER_WALLS, _CEILING_FT = 0.15, 4.0 * 19.5, 1.5, 8.0
_AIR_BTU_PER_FT3_F = 0.0735 * 0.2402
_SURFACE_BTU = 1.46  # between inner surfaces and air [Btu/(h ft2 F)]
_MASS_BTU = 2.0  # of the whole house [Btu/(ft2 F)]
_SHGC, _SHADE = 0.67, 0.6
_MEAN_GAIN = 0.4  # over that of the design day: an assumption (0.32 in OCHRE's example home)
# Sunlight on walls of four orientations, over that on the horizontal: an assumption, about 0.35 at
# midsummer and 0.8 in midwinter at middle latitudes.
_UPRIGHT = 0.45
_DESIGN_SUN_BTU_PER_FT2 = 195.0
TON_KW = 12_000.0 * W_PER_BTU_PER_H / 1e3
_DESIGN_INDOOR_C = (75.0 - 32.0) / 1.8


def house_of(
    floor_ft2: Tensor, level: Tensor, gain_to_mass: float = 0.5, sun_to_mass: float = 0.5
) -> HouseParams:
    """Return the constants of houses, (N,) float64.

    Args:
        floor_ft2: Floor area, positive, (N,). [ft2]
        level: Row of `LEVELS`, (N,) int64.
        gain_to_mass: Share of gains that warms the mass.
        sun_to_mass: Share of sunlight that does.
    """
    floor = floor_ft2.to(torch.float64)
    table = torch.tensor([row[1:] for row in LEVELS], dtype=torch.float64)
    r_roof, r_wall, r_floor, r_door, u_window, changes = table[level].unbind(-1)
    walls = _outer_walls_ft2(floor)
    glass = _glass_ft2(floor)
    solid = walls - glass - _DOORS_FT2
    air_btu = _CEILING_FT * floor * _AIR_BTU_PER_FT3_F
    ua_btu = (
        floor / r_roof
        + floor / r_floor
        + solid / r_wall
        + glass * u_window
        + _DOORS_FT2 / r_door
        + changes * air_btu
    )
    coupling_btu = _SURFACE_BTU * (solid + _INNER_WALLS * walls + floor)
    return HouseParams(
        ua_btu * W_PER_K_PER_BTU_PER_H_F,
        coupling_btu * W_PER_K_PER_BTU_PER_H_F,
        3.0 * air_btu * KWH_PER_K_PER_BTU_PER_F,
        (_MASS_BTU * floor - 2.0 * air_btu) * KWH_PER_K_PER_BTU_PER_F,
        _glass_ft2(floor) * _SHGC * _SHADE * _UPRIGHT * M2_PER_FT2,
        _MEAN_GAIN * _design_gain_kw(floor),
        torch.full_like(floor, gain_to_mass),
        torch.full_like(floor, sun_to_mass),
    )


def cooling_size_kw(
    house: HouseParams, floor_ft2: Tensor, design_c: float, oversize: Tensor | float
) -> Tensor:
    """Return the rated capacity of an air conditioner, in half tons, latent heat included, (N,).

    The rule of GridLAB-D: 1.3 times the load of the design day, rounded up to 6,000 Btu/h. [kW]

    Args:
        house: Constants, (N,).
        floor_ft2: Floor area, (N,). [ft2]
        design_c: Outdoor temperature of the design day; 95 F = 35 C in GridLAB-D. [C]
        oversize: What the installer adds, 0 to 0.3, (N,).
    """
    sun_btu = _DESIGN_SUN_BTU_PER_FT2 * _glass_ft2(floor_ft2) * _SHGC * _SHADE
    glass_sun_kw = sun_btu * W_PER_BTU_PER_H / 1e3
    warmer_k = max(design_c - _DESIGN_INDOOR_C, 0.0)
    load_kw = house.ua_w_per_k * warmer_k / 1e3 + _design_gain_kw(floor_ft2) + glass_sun_kw
    half_ton_kw = 0.5 * TON_KW
    # An exact multiple must not round up by the last bit.
    halves = torch.ceil(1.3 * (1.0 + oversize) * load_kw / half_ton_kw - 1e-9)
    return halves * half_ton_kw


def heating_size_kw(house: HouseParams, inside_c: Tensor | float, design_c: float) -> Tensor:
    """Return the heat loss of the design day, (N,). [kW]

    Args:
        house: Constants, (N,).
        inside_c: Kept inside. [C]
        design_c: Outdoor temperature of the design day. [C]
    """
    colder_k: Tensor = torch.as_tensor(inside_c - design_c).clamp(min=0.0)
    return house.ua_w_per_k * colder_k / 1e3


def _outer_walls_ft2(floor: Tensor) -> Tensor:
    """Outer walls with glass and doors, one storey of aspect 1.5. [ft2]"""
    return 2.0 * (1.0 + 1.5) * torch.sqrt(floor / 1.5) * _CEILING_FT


def _glass_ft2(floor: Tensor) -> Tensor:
    """Windows. [ft2]"""
    return _GLASS_SHARE * _outer_walls_ft2(floor)


def _design_gain_kw(floor: Tensor) -> Tensor:
    """People, lights and appliances on the design day. [kW]"""
    return 167.09 * floor.to(torch.float64) ** 0.442 * W_PER_BTU_PER_H / 1e3
