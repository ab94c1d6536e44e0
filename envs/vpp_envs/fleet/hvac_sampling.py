"""Sample houses with their machines: geometry and insulation to heat balance, as GridLAB-D does.

Geometry defaults, insulation levels and the rule of sizing are those of GridLAB-D's house_e; it
counts in feet, British thermal units and degrees Fahrenheit, and so does this file until the end.
"""

import torch
from torch import Tensor

from vpp_envs.devices.house import HouseParams, loss_kw_per_k
from vpp_envs.devices.hvac import HvacParams, machine_range, most_kw
from vpp_envs.errors import InputError
from vpp_envs.fleet.pick import map_columns
from vpp_envs.flexible.hvac_parts import CLASS_EDGES_H, HvacAgreement, HvacFleet
from vpp_envs.random import Purpose, normal, uniform

OCCUPANCY_ARCHETYPES = 32
# R of roof, wall, floor and doors [ft2 F h/Btu], U of windows [Btu/ft2 F h], air changes an hour,
# share of homes (an assumption, about that of California's).
LEVELS: tuple[tuple[str, float, float, float, float, float, float, float], ...] = (
    ("very little", 11, 4, 4, 3, 1.27, 1.5, 0.05),
    ("little", 19, 11, 4, 3, 0.81, 1.5, 0.15),
    ("below normal", 19, 11, 11, 3, 0.81, 1.0, 0.20),
    ("normal", 30, 11, 11, 3, 0.60, 1.0, 0.25),
    ("above normal", 30, 19, 19, 3, 0.60, 1.0, 0.15),
    ("good", 30, 19, 22, 5, 0.47, 0.5, 0.15),
    ("very good", 48, 22, 30, 11, 0.31, 0.5, 0.05),
)
_KW_PER_BTU_H_F = 0.52753e-3  # kW/K of a Btu/(h F)
_KWH_PER_BTU_F = 1899.1 / 3.6e6  # kWh/K of a Btu/F
_KW_PER_BTU_H = 0.29307e-3
_AIR_BTU_PER_FT3_F = 0.0735 * 0.2402
_GLASS_SHARE, _DOORS_FT2, _CEILING_FT, _ASPECT = 0.15, 4 * 19.5, 8.0, 1.5
_WINDOW_GAIN = 0.67 * 0.6  # heat gain coefficient of glass, and what screens and dirt leave
# Windows stand upright and face all ways: of the sun on the horizontal they get less (assumed).
_UPRIGHT = 0.4
_REST_H = 5.0 / 60.0  # of a compressor
_BTU_H_PER_FT2_SUN = 195.0  # in the rule of sizing


def house_of(area_ft2: Tensor, level: Tensor) -> tuple[HouseParams, Tensor]:
    """Heat balance of houses of one storey.

    Args:
        area_ft2: Floor area, (N,). [ft2]
        level: Row of `LEVELS`, (N,) int64.

    Returns:
        Constants, and the aperture through which the sun shines, (N,). [ft2]
    """
    table = torch.tensor([row[1:7] for row in LEVELS], dtype=torch.float64)
    roof, wall, floor, door, window, changes = (table[level, i] for i in range(6))
    width = torch.sqrt(area_ft2 / _ASPECT)
    gross = 2.0 * (1.0 + _ASPECT) * width * _CEILING_FT
    glass = _GLASS_SHARE * gross
    net = gross - glass - _DOORS_FT2
    air = area_ft2 * _CEILING_FT * _AIR_BTU_PER_FT3_F
    through_air = glass * window + _DOORS_FT2 / door + changes * air
    # Walls, roof and floor lead through the mass: in series with its surface as much as their R.
    opaque = area_ft2 / roof + area_ft2 / floor + net / wall
    surface = 1.46 * (net + 1.5 * gross + area_ft2)
    house = HouseParams(
        through_air * _KW_PER_BTU_H_F,
        surface * _KW_PER_BTU_H_F,
        3.0 * air * _KWH_PER_BTU_F,
        (2.0 * area_ft2 - 2.0 * air) * _KWH_PER_BTU_F,
        surface * opaque / (surface - opaque) * _KW_PER_BTU_H_F,
    )
    return house, glass * _WINDOW_GAIN


def cooling_kw(
    house: HouseParams, area_ft2: Tensor, aperture_ft2: Tensor, design_c: float
) -> Tensor:
    """Size of the machine by rule, (N,): 1.3 times the design load, in half tons. [kW]

    Args:
        house: Constants, (N,).
        area_ft2: Floor area, (N,). [ft2]
        aperture_ft2: From `house_of`, (N,). [ft2]
        design_c: Outdoor air on a hot day. [C]
    """
    ua = loss_kw_per_k(house) / _KW_PER_BTU_H_F
    load = ua * (design_c * 1.8 + 32.0 - 75.0) + _inside_btu_h(area_ft2)
    load = 1.3 * (load + _BTU_H_PER_FT2_SUN * aperture_ft2)
    return torch.ceil(load / 6000.0).clamp(min=3.0) * 6000.0 * _KW_PER_BTU_H


def aperture_of_m2(aperture_ft2: Tensor) -> Tensor:
    """Sun through windows per sun on the horizontal, (N,). [m2]

    Args:
        aperture_ft2: From `house_of`, (N,). [ft2]
    """
    return aperture_ft2 * 0.0929 * _UPRIGHT


def gain_of_kw(area_ft2: Tensor) -> Tensor:
    """Mean heat of people and appliances: half of that in the rule of sizing, (N,). [kW]

    Args:
        area_ft2: Floor area, (N,). [ft2]
    """
    return 0.5 * _inside_btu_h(area_ft2) * _KW_PER_BTU_H


def _inside_btu_h(area_ft2: Tensor) -> Tensor:
    """Heat of people and appliances in the rule of sizing, (N,). [Btu/h]"""
    return 167.09 * area_ft2**0.442


def sample_hvac(
    seed: int,
    home: Tensor,
    present: Tensor,
    heat_pump_share: float = 0.2,
    managed_share: float = 1.0,
    design_summer_c: float = 37.0,
    design_winter_c: float = 0.0,
) -> HvacFleet:
    """Sample houses and machines, float64, (N,).

    Floor area lognormal around 1,750 ft2; set-points 24.4 and 20.3 C with a spread of 1.2 K.

    Args:
        seed: Of the fleet.
        home: Ids, (N,) int64.
        present: Which homes have a machine that is simulated, (N,) bool.
        heat_pump_share: Of the machines that heat, too, with resistance heat beside; the other
            homes burn gas, which holds their heating set-point.
        managed_share: Of the owners who let others choose within their band.
        design_summer_c: Outdoor air on a hot day. [C]
        design_winter_c: Outdoor air on a cold day. [C]
    """

    def draw(purpose: int) -> Tensor:
        return uniform(seed, 0, home, 0, purpose)

    def bell(purpose: int) -> Tensor:
        return normal(seed, 0, home, 0, purpose)

    area = (1750.0 * torch.exp(0.35 * bell(Purpose.FLEET_HVAC_AREA))).clamp(700.0, 5000.0)
    edges = torch.tensor([row[7] for row in LEVELS], dtype=torch.float64).cumsum(0)[:-1]
    level = torch.bucketize(draw(Purpose.FLEET_HVAC_LEVEL), edges, right=True)
    house, aperture = house_of(area, level)
    oversized = 1.0 + 0.3 * draw(Purpose.FLEET_HVAC_SIZE)
    cooling = cooling_kw(house, area, aperture, design_summer_c) * oversized
    pump = draw(Purpose.FLEET_HVAC_PUMP) < heat_pump_share
    zero, one = torch.zeros_like(area), torch.ones_like(area)
    # Resistance heat covers the coldest day alone: then no band is broken for want of heat.
    needed = 1.2 * loss_kw_per_k(house) * max(20.0 - design_winter_c, 5.0)
    params = HvacParams(
        cooling,
        torch.where(pump, cooling, zero),
        torch.where(pump, needed, zero),
        3.5 * one,
        3.0 * one,
        0.3 * one,
        (~pump).double(),
    )
    agreement = _agreement(seed, home, cooling, house, managed_share)
    fleet = HvacFleet(
        house,
        params,
        most_drawn_kw(params, design_summer_c, design_winter_c),
        aperture_of_m2(aperture),
        gain_of_kw(area),
        one * _REST_H,
        one * 3.0 / 60.0,
        one,
        agreement,
        (draw(Purpose.FLEET_HVAC_ARCHETYPE) * OCCUPANCY_ARCHETYPES).to(torch.int64),
        time_class(house),
    )
    check_hvac(fleet, "hvac of a sampled home")
    return without_absent(fleet, present)


def _agreement(
    seed: int, home: Tensor, cooling_kw: Tensor, house: HouseParams, managed_share: float
) -> HvacAgreement:
    """Sample what the owners agreed to, (N,)."""

    def bell(purpose: int) -> Tensor:
        return normal(seed, 0, home, 0, purpose)

    one = torch.ones_like(cooling_kw)
    cool_set = (24.4 + 1.2 * bell(Purpose.FLEET_HVAC_COOL_SET)).clamp(22.5, 27.5)
    heat_set = (20.3 + 1.2 * bell(Purpose.FLEET_HVAC_HEAT_SET)).clamp(17.0, 21.5)
    heat_set = torch.minimum(heat_set, cool_set - 3.0)  # nobody heats and cools on one day
    prepare, margin = 1.5 * one, 0.2 * one
    # Two kelvin of setback, and as much more as a strong machine needs to be promised at all.
    inward = torch.minimum(prepare, 0.5 * (cool_set - heat_set))
    drift = drift_while_resting_k(cooling_kw, house, one * _REST_H)
    setback = (drift + 2.0 * margin + 0.3 - inward).clamp(min=2.0)
    managed = uniform(seed, 0, home, 0, Purpose.FLEET_HVAC_MANAGED) < managed_share
    return HvacAgreement(cool_set, heat_set, setback, prepare, 2.5 * one, margin, managed.double())


def most_drawn_kw(params: HvacParams, summer_c: float, winter_c: float) -> Tensor:
    """The most that a machine draws on the hot and the cold day, (N,). [kW]

    Args:
        params: Of the machines, (N,).
        summer_c: Outdoor air on the hot day. [C]
        winter_c: And on the cold day. [C]
    """
    like = params.cooling_kw
    summer = machine_range(torch.full_like(like, summer_c), params)
    winter = machine_range(torch.full_like(like, winter_c), params)
    yes, no = torch.ones_like(like) > 0, torch.ones_like(like) < 0
    return torch.maximum(most_kw(yes, summer), most_kw(no, winter))


def time_class(house: HouseParams) -> Tensor:
    """Index in `HVAC_COHORTS` by how long warmth lasts, (N,) int64."""
    hours = (house.air_kwh_per_k + house.mass_kwh_per_k) / loss_kw_per_k(house)
    edges = torch.tensor(CLASS_EDGES_H, dtype=hours.dtype)
    return torch.bucketize(hours, edges)


def check_hvac(fleet: HvacFleet, where: str) -> None:
    """Refuse a band that a machine cannot promise.

    A compressor that was switched off rests for its least time, during which the air drifts by up
    to ``Q / (UA + Hm) (1 - exp(-t / tau_air))``: a narrower band cannot be kept by it.

    Args:
        fleet: With machines, (N,).
        where: Of the machine, for the error.

    Raises:
        InputError: A band is too narrow, or its set-points cross.
    """
    agreed = fleet.agreement
    heat = torch.maximum(fleet.params.cooling_kw, fleet.params.heating_kw)
    drift_k = drift_while_resting_k(heat, fleet.house, fleet.rest_h)
    middle = 0.5 * (agreed.cool_set_c - agreed.heat_set_c)
    width_k = agreed.setback_k + torch.minimum(agreed.prepare_k, middle) - 2.0 * agreed.margin_k
    for home in torch.nonzero(width_k < drift_k)[:1].flatten().tolist():
        raise InputError(
            f"{where} {home}: the comfort band is {float(width_k[home]):.2f} K wide, and a machine "
            f"of {float(heat[home]):.1f} kW moves the air by {float(drift_k[home]):.2f} K while "
            "its compressor rests; allow more setback_k or prepare_k, or choose a smaller machine."
        )


def drift_while_resting_k(heat_kw: Tensor, house: HouseParams, rest_h: Tensor) -> Tensor:
    """How far the air drifts while a machine that held it rests, (N,). [K]

    Args:
        heat_kw: Size of the machine, (N,). [kW]
        house: Constants, (N,).
        rest_h: Least time off, (N,). [h]
    """
    both = house.ua_kw_per_k + house.mass_kw_per_k
    return heat_kw / both * (1.0 - torch.exp(-rest_h * both / house.air_kwh_per_k))


def without_absent(fleet: HvacFleet, present: Tensor) -> HvacFleet:
    """Make homes without a machine harmless: sizes 0, all that divides 1."""

    def sized(column: Tensor, absent: float) -> Tensor:
        return torch.where(present, column, torch.full_like(column, absent))

    house = map_columns(fleet.house, lambda column: sized(column, 1.0))
    params = fleet.params
    managed = present & (fleet.agreement.managed > 0)
    return fleet._replace(
        house=house,
        params=params._replace(
            cooling_kw=sized(params.cooling_kw, 0.0),
            heating_kw=sized(params.heating_kw, 0.0),
            auxiliary_kw=sized(params.auxiliary_kw, 0.0),
            burner=sized(params.burner, 0.0),
        ),
        rated_kw=sized(fleet.rated_kw, 0.0),
        aperture_m2=sized(fleet.aperture_m2, 0.0),
        gain_kw=sized(fleet.gain_kw, 0.0),
        archetype=fleet.archetype * present,
        cohort=torch.where(managed, fleet.cohort, torch.full_like(fleet.cohort, -1)),
    )
