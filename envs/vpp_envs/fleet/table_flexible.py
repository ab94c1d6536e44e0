"""Flexible devices of a fleet table: rows to constants, and constants to rows.

Homes without a device get the constants of sampled homes without one: sizes 0, what divides 1.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.devices.appliance import duration_s
from vpp_envs.devices.generator import GeneratorParams
from vpp_envs.devices.house import HouseParams
from vpp_envs.devices.hvac import HvacParams
from vpp_envs.devices.water_heater import WaterHeaterParams
from vpp_envs.errors import InputError
from vpp_envs.fleet.appliance_sampling import APPLIANCE_ARCHETYPES, cycle_params
from vpp_envs.fleet.columns_flexible import DAY_L
from vpp_envs.fleet.generator_sampling import fuel_of
from vpp_envs.fleet.hvac_sampling import OCCUPANCY_ARCHETYPES, time_class, without_absent
from vpp_envs.fleet.table_blanks import DIESEL, GAS, NONE, PUMP, RESISTANCE
from vpp_envs.fleet.water_heater_sampling import (
    HOT_WATER_ARCHETYPES,
    large_draw_kwh,
    only_where_some,
)
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceAgreement, ApplianceFleet
from vpp_envs.flexible.generator_parts import GeneratorAgreement, GeneratorFleet
from vpp_envs.flexible.hvac_parts import HvacAgreement, HvacFleet
from vpp_envs.flexible.kinds import FlexibleFleet, present
from vpp_envs.flexible.water_heater_parts import WaterHeaterAgreement, WaterHeaterFleet
from vpp_envs.random import Purpose, uniform

_LEGIONELLA_C = 60.0  # once a week, or the most that the tank may be
Parts = dict[str, tuple[Tensor, dict[str, Tensor]]]  # which homes have one, and its columns, (N,)


class Rows(NamedTuple):
    """The rows of one kind among all homes."""

    home_id: Tensor  # of all homes, (N,) int64
    home: np.ndarray  # of each row, its place among the homes, (M,) int64
    column: Mapping[str, np.ndarray]  # of the rows, (M,) float64

    def present(self) -> Tensor:
        """Which homes have a row, (N,) bool."""
        has = torch.zeros(len(self.home_id), dtype=torch.bool)
        has[torch.from_numpy(self.home)] = True
        return has

    def spread(self, name: str, absent: float = 0.0) -> Tensor:
        """A column for all homes, (N,) float64."""
        full = np.full(len(self.home_id), absent)
        full[self.home] = self.column[name]
        return torch.from_numpy(full)

    def archetype(self, count: int, purpose: int, word: int = 0) -> Tensor:
        """The simulated profile that each home names, or draws by its id, (N,) int64."""
        given = self.spread("archetype")
        drawn = (uniform(0, 0, self.home_id, word, purpose) * count).to(torch.int64)
        return torch.where(given.isnan(), drawn, given.nan_to_num().long())


def flexible_fleet(rows_of: Mapping[str, Rows]) -> FlexibleFleet | None:
    """Constants of the flexible devices of a table, float64; none without any row of them.

    Args:
        rows_of: By kind, checked and with blanks filled in.
    """
    makers: dict[str, Callable[[Rows], object]] = {
        "water_heater": _tanks,
        "hvac": _houses,
        **{name: _maker(name) for name in APPLIANCES},
        "generator": _engines,
    }
    made = {kind: make(rows_of[kind]) for kind, make in makers.items() if len(rows_of[kind].home)}
    return FlexibleFleet(**made) if made else None  # type: ignore[arg-type]


def _class(managed: Tensor, number: Tensor) -> Tensor:
    return torch.where(managed, number.to(torch.int64), -1)


def _tanks(rows: Rows) -> WaterHeaterFleet:
    has, pump = rows.present(), rows.spread("heat_pump") > 0
    params = WaterHeaterParams(
        rows.spread("volume_l", 1.0),
        rows.spread("ua_kw_per_k", 1.0),
        rows.spread("heat_pump_kw"),
        rows.spread("heating_cop", 4.2),
        rows.spread("element_kw"),
    )
    use = rows.spread("draw_l_per_day") / DAY_L
    most_c = rows.spread("most_c", 60.0)
    managed = rows.spread("managed")
    agreement = WaterHeaterAgreement(
        rows.spread("least_c", 43.0),
        most_c,
        rows.spread("setpoint_c", 51.7),
        rows.spread("deadband_k", 5.56),
        large_draw_kwh(use),
        managed,
        most_c.clamp(max=_LEGIONELLA_C),
    )
    return WaterHeaterFleet(
        params,
        params.pump_kw + params.element_kw,
        use,
        agreement,
        rows.archetype(HOT_WATER_ARCHETYPES, Purpose.FLEET_WATER_ARCHETYPE) * has,
        _class(managed > 0, pump),
        only_where_some(rows.spread("messages_only") > 0),
        only_where_some(rows.spread("layered") > 0),
    )


def _houses(rows: Rows) -> HvacFleet:
    heating, managed = rows.spread("heating", NONE), rows.spread("managed")
    house = HouseParams(*(rows.spread(name, 1.0) for name in HouseParams._fields))
    params = HvacParams(
        rows.spread("cooling_kw"),
        rows.spread("heating_kw"),
        rows.spread("auxiliary_kw"),
        rows.spread("cooling_cop", 3.5),
        rows.spread("heating_cop", 3.0),
        rows.spread("latent_share", 0.3),
        (heating == GAS).to(torch.float64),
    )
    agreement = HvacAgreement(
        rows.spread("cool_setpoint_c", 24.4),
        rows.spread("heat_setpoint_c", 20.3),
        rows.spread("setback_k", 2.0),
        rows.spread("prepare_k", 1.5),
        rows.spread("away_k", 2.5),
        rows.spread("margin_k", 0.2),
        managed,
    )
    fleet = HvacFleet(
        house,
        params,
        rows.spread("rated_kw"),
        rows.spread("aperture_m2"),
        rows.spread("gain_kw"),
        rows.spread("min_down_h", 5.0 / 60.0),
        rows.spread("min_up_h", 3.0 / 60.0),
        rows.spread("deadband_k", 1.0),
        agreement,
        rows.archetype(OCCUPANCY_ARCHETYPES, Purpose.FLEET_HVAC_ARCHETYPE),
        time_class(house),
    )
    return without_absent(fleet, rows.present())


def _maker(name: str) -> Callable[[Rows], ApplianceFleet]:
    return lambda rows: _machines(name, rows)


def _machines(name: str, rows: Rows) -> ApplianceFleet:
    kind, has = APPLIANCES[name], rows.present()
    shape = torch.tensor(kind.block_kw, dtype=torch.float64)
    blocks = len(kind.block_kw)
    length_h = rows.spread("hours_per_day" if name == "pool_pump" else "cycle_h")
    block_s = torch.round(3600.0 * length_h / blocks).clamp(min=1.0)
    if name == "pool_pump":
        block_kw = rows.spread("pump_kw").unsqueeze(-1)
    else:
        mean_kw = rows.spread("cycle_kwh") / (block_s / 3600.0)
        block_kw = (shape / shape.sum()) * mean_kw.unsqueeze(-1)
    managed = rows.spread("managed")
    column = rows.archetype(APPLIANCE_ARCHETYPES, Purpose.FLEET_APPLIANCE_ARCHETYPE, kind.number)
    return ApplianceFleet(
        cycle_params(block_kw, block_s, kind.pausable_from),
        block_kw.max(-1).values,
        torch.full_like(managed, kind.cohort.slack_h),
        ApplianceAgreement(managed),
        column * has,
        _class(managed > 0, torch.zeros_like(managed)),
    )


def _engines(rows: Rows) -> GeneratorFleet:
    diesel = rows.spread("fuel", GAS) == DIESEL
    fuel = fuel_of(diesel)
    rated_kw, permitted = rows.spread("rated_kw"), rows.spread("permitted_for_dr")
    params = GeneratorParams(
        rated_kw,
        rows.spread("least_kw"),
        rows.spread("idle_l_per_h"),
        torch.where(rows.present(), rows.spread("fuel_l_per_kwh"), fuel.l_per_kwh),
        torch.zeros_like(rated_kw),
        fuel.co2_kg_per_l,
        rows.spread("tank_l", 1.0).nan_to_num(1.0),
        (~diesel).to(torch.float64),
    )
    agreement = GeneratorAgreement(
        permitted,
        rows.spread("cap_h_per_year", 100.0),
        rows.spread("min_up_h", 0.5),
        rows.spread("min_down_h", 0.25),
    )
    return GeneratorFleet(
        params,
        rated_kw,
        torch.where(rows.present(), rows.spread("fuel_price_per_l"), fuel.price_per_l),
        rows.spread("upkeep_per_kwh"),
        rows.spread("start_cost"),
        agreement,
        torch.zeros_like(rows.home_id),
        _class(permitted > 0, diesel),
    )


def flexible_parts(fleet: FlexibleFleet | None) -> Parts:
    """Which homes have a row of each kind that is present, and its columns.

    Args:
        fleet: Constants, float64, as sampled or read.

    Raises:
        InputError: A home burns gas and has electric heat beside it, which no table says.
    """
    parts: Parts = {}
    for kind in present(fleet):
        devices = getattr(fleet, kind)
        has = devices.rated_kw > 0
        if kind in APPLIANCES:
            columns = _machine_columns(kind, devices)
        elif kind == "generator":
            columns = _engine_columns(devices)
        else:
            columns = _tank_columns(devices) if kind == "water_heater" else _house_columns(devices)
        parts[kind] = has, columns
    return parts


def _tank_columns(tanks: WaterHeaterFleet) -> dict[str, Tensor]:
    params, agreed, none = tanks.params, tanks.agreement, torch.zeros_like(tanks.use)
    pump = params.pump_kw > 0
    return {
        "volume_l": params.volume_l,
        "ua_kw_per_k": params.ua_kw_per_k,
        "element_kw": params.element_kw,
        "heat_pump": pump,
        "heat_pump_kw": torch.where(pump, params.pump_kw, torch.nan),
        "heating_cop": params.pump_cop,
        "setpoint_c": agreed.set_c,
        "least_c": agreed.least_c,
        "most_c": agreed.most_c,
        "deadband_k": agreed.deadband_k,
        "draw_l_per_day": tanks.use * DAY_L,
        "messages_only": none if tanks.messages_only is None else tanks.messages_only,
        "layered": none if tanks.layered is None else tanks.layered,
        "managed": agreed.managed,
        "archetype": tanks.archetype,
    }


def _house_columns(houses: HvacFleet) -> dict[str, Tensor]:
    params, agreed = houses.params, houses.agreement
    burner = params.burner > 0
    electric = (params.heating_kw > 0) | (params.auxiliary_kw > 0)
    if bool((burner & electric).any()):
        raise InputError(
            "tables hold homes that burn gas, or have a heat pump or resistance heat, and one of "
            "this fleet has both; take its burner out."
        )
    heating = torch.where(params.heating_kw > 0, PUMP, torch.where(electric, RESISTANCE, NONE))
    return {
        **houses.house._asdict(),
        "aperture_m2": houses.aperture_m2,
        "gain_kw": houses.gain_kw,
        **params._asdict(),
        "heating": torch.where(burner, GAS, heating),
        "rated_kw": houses.rated_kw,
        "min_down_h": houses.rest_h,
        "min_up_h": houses.run_h,
        "deadband_k": houses.deadband_k,
        **agreed._asdict(),
        "cool_setpoint_c": agreed.cool_set_c,
        "heat_setpoint_c": agreed.heat_set_c,
        "archetype": houses.archetype,
    }


def _machine_columns(name: str, machines: ApplianceFleet) -> dict[str, Tensor]:
    hours = duration_s(machines.params) / 3600.0
    who = {"managed": machines.agreement.managed, "archetype": machines.archetype}
    if name == "pool_pump":
        return {"pump_kw": machines.rated_kw, "hours_per_day": hours, **who}
    return {"cycle_kwh": machines.params.drawn_kwh[:, -1], "cycle_h": hours, **who}


def _engine_columns(engines: GeneratorFleet) -> dict[str, Tensor]:
    params, agreed = engines.params, engines.agreement
    piped = params.piped > 0
    return {
        "rated_kw": engines.rated_kw,
        "least_kw": params.least_kw,
        "fuel": torch.where(piped, GAS, DIESEL),
        "idle_l_per_h": params.idle_l_per_h,
        "fuel_l_per_kwh": params.fuel_l_per_kwh,
        "tank_l": torch.where(piped, torch.nan, params.tank_l),
        "fuel_price_per_l": engines.price_per_l,
        "upkeep_per_kwh": engines.upkeep_per_kwh,
        "start_cost": engines.start_cost,
        "permitted_for_dr": agreed.permitted_for_dr,
        "cap_h_per_year": agreed.cap_h,
        "min_up_h": agreed.run_h,
        "min_down_h": agreed.rest_h,
    }
