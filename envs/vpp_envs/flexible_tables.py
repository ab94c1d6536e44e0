"""What a scenario knows of its flexible devices by tick: weather, people, and values of energy."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from vpp_envs.dispatch.flexible_value import FLEXIBLE_POINTS, leaking_value, waiting_value
from vpp_envs.dispatch.pausing_value import pausing_value
from vpp_envs.fleet.appliance_sampling import APPLIANCE_ARCHETYPES
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.hvac_sampling import OCCUPANCY_ARCHETYPES
from vpp_envs.fleet.water_heater_sampling import HOT_WATER_ARCHETYPES
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceTables, ApplianceType
from vpp_envs.flexible.generator_parts import GENERATOR_COHORTS, GeneratorTables
from vpp_envs.flexible.hvac_parts import HVAC_COHORTS, HvacCohort, HvacTables
from vpp_envs.flexible.kinds import FlexibleTables, present
from vpp_envs.flexible.water_heater_parts import (
    WATER_HEATER_COHORTS,
    WaterHeaterCohort,
    WaterHeaterTables,
)
from vpp_envs.forecast.protocol import LEAD_H, PriceForecast
from vpp_envs.scenario_tables import market_signals, scenario_tariff, sky_of
from vpp_envs.signals.market import TICKS_PER_ISSUE, MarketSignals, MarketSpec
from vpp_envs.signals.randomised import Randomisation, with_copies
from vpp_envs.signals.retail import retail_signals
from vpp_envs.signals.synthetic.appliance_use import appliance_table
from vpp_envs.signals.synthetic.hot_water import garage_c, hot_water_table, wet_bulb_c
from vpp_envs.signals.synthetic.occupancy import occupancy_tables
from vpp_envs.signals.weather import Sky, mains_c, outdoor_c, sun_w_per_m2
from vpp_envs.signals.weather_settings import WeatherSpec

_HUMIDITY_PCT = 50.0  # of the air around tanks (assumed)
_CHUNK = 4096  # issues at a time
_HALF_HOURS = 48  # a day
# Typical set-points; sun and people warm a house by about so much above outdoors (assumed).
_COOL_SET_C, _HEAT_SET_C, _WARMED_K = 24.4, 20.3, 3.0

# Classes of each kind that are present, by kind.
Classes = tuple[tuple[str, tuple[int, ...]], ...]
COHORTS: dict[str, Any] = {
    "water_heater": WATER_HEATER_COHORTS,
    "hvac": HVAC_COHORTS,
    **{name: (machine.cohort,) for name, machine in APPLIANCES.items()},
    "generator": GENERATOR_COHORTS,
}


def classes_present(fleet: Fleet) -> Classes:
    """Classes of flexible devices that some home has, and others may command, kind by kind.

    Args:
        fleet: Cohorts index all that there are.
    """
    flexible = fleet.flexible
    return tuple(
        (kind, tuple(sorted(set(getattr(flexible, kind).cohort.tolist()) - {-1})))
        for kind in present(flexible)
    )


def class_names(classes: Classes) -> dict[str, tuple[str, ...]]:
    """Names of the classes of each kind, in order."""
    return {kind: tuple(COHORTS[kind][i].name for i in some) for kind, some in classes}


def with_numbers(fleet: Fleet, classes: Classes) -> Fleet:
    """Number the devices' classes by their place among those present; others are left alone (-1).

    Args:
        fleet: Cohorts index all that there are.
        classes: From `classes_present`, of the homes to train with.
    """
    flexible = fleet.flexible
    if flexible is None:
        return fleet
    for kind, some in classes:
        devices = getattr(flexible, kind)
        if devices is None:
            continue
        number = torch.full((len(COHORTS[kind]) + 1,), -1, dtype=torch.int64)
        number[list(some)] = torch.arange(len(some))
        flexible = flexible._replace(**{kind: devices._replace(cohort=number[devices.cohort])})
    return fleet._replace(flexible=flexible)


@lru_cache(maxsize=6)
def flexible_of(
    spec: MarketSpec,
    split: str,
    classes: Classes,
    seed: int,
    tariff: str | None,
    randomisation: Randomisation,
    weather: WeatherSpec,
) -> FlexibleTables:
    """Tables of the flexible devices: fleets of the same classes share them.

    Args:
        spec: Which market and which days.
        split: "train", "validation" or "test".
        classes: Of each kind, from `classes_present`.
        seed: Of weather and people.
        tariff: Behind which the homes stand, if any.
        randomisation: Of the training days.
        weather: Of the scenario.
    """
    market = with_copies(spec, market_signals(spec, split), randomisation, market_signals)
    if tariff is not None:
        market = retail_signals(market, scenario_tariff(tariff)).market
    sky = sky_of(spec, market, seed, weather)
    air_c = outdoor_c(sky)
    tables: dict[str, Any] = {}
    for kind, some in classes:
        if kind in APPLIANCES:
            tables[kind] = _appliance_tables(market, kind, seed, some)
        elif kind == "generator":
            tables[kind] = _generator_tables(market, some)
        else:
            make = _water_heater_tables if kind == "water_heater" else _hvac_tables
            tables[kind] = make(market, sky, air_c, some)
    return FlexibleTables(**tables)


def _appliance_tables(
    market: MarketSignals, name: str, seed: int, classes: tuple[int, ...]
) -> ApplianceTables:
    ticks, times = market.clock_ticks, market.copies + 1
    due_h = appliance_table(name, market.zone, market.start_utc, ticks, seed, APPLIANCE_ARCHETYPES)
    machines = tuple(APPLIANCES[name] for _ in classes)
    return ApplianceTables(due_h.repeat(times, 1), appliance_curves(market.forecast, machines))


def _generator_tables(market: MarketSignals, classes: tuple[int, ...]) -> GeneratorTables:
    """The grid is always there, and a kWh costs what a typical engine of the class burns."""
    ticks = market.clock_ticks * (market.copies + 1)
    cost = torch.tensor([GENERATOR_COHORTS[i].cost_per_kwh for i in classes])
    issues = len(market.forecast.nodes_per_mwh)
    curve = cost.reshape(1, -1, 1).expand(issues, -1, FLEXIBLE_POINTS)
    return GeneratorTables(torch.zeros(ticks, 1), curve)


def _hvac_tables(
    market: MarketSignals, sky: Sky, air_c: Tensor, classes: tuple[int, ...]
) -> HvacTables:
    ticks, times = market.clock_ticks, market.copies + 1
    sun = sun_w_per_m2(sky) / 1000.0
    gain_pu, away = occupancy_tables(market.zone, market.start_utc, ticks, OCCUPANCY_ARCHETYPES)
    houses = tuple(HVAC_COHORTS[i] for i in classes)
    return HvacTables(
        air_c.unsqueeze(-1).repeat(times, 1),
        sun.unsqueeze(-1).repeat(times, 1),
        gain_pu.repeat(times, 1),
        away.repeat(times, 1),
        hvac_curves(market.forecast, houses, air_c),
    )


def _water_heater_tables(
    market: MarketSignals, sky: Sky, air_c: Tensor, classes: tuple[int, ...]
) -> WaterHeaterTables:
    ticks, times = market.clock_ticks, market.copies + 1
    mixed_l, hot_l = hot_water_table(
        market.zone, market.start_utc, ticks, sky.seed, HOT_WATER_ARCHETYPES
    )
    garage = garage_c(air_c)
    mains, wet = (
        mains_c(sky, market.day_of_year[:ticks]),
        wet_bulb_c(garage, _HUMIDITY_PCT),
    )
    tanks = tuple(WATER_HEATER_COHORTS[i] for i in classes)
    return WaterHeaterTables(
        mixed_l.repeat(times, 1),
        hot_l.repeat(times, 1),
        mains.unsqueeze(-1).repeat(times, 1),
        garage.unsqueeze(-1).repeat(times, 1),
        wet.unsqueeze(-1).repeat(times, 1),
        water_heater_curves(market.forecast, tanks),
    )


def water_heater_curves(forecast: PriceForecast, tanks: tuple[WaterHeaterCohort, ...]) -> Tensor:
    """Value of a kWh of hot water now, by class and fill, (I, C, F). [currency/kWh]

    Args:
        forecast: Of the price.
        tanks: Classes of heaters.
    """
    drains = [torch.full((_HALF_HOURS,), tank.drain) for tank in tanks]

    def value(nodes: Tensor, weights: Tensor, some: slice, index: int) -> Tensor:
        tank, drain = tanks[index], drains[index][: nodes.shape[-2]]
        return leaking_value(nodes, weights, tank.full_h, drain, tank.decay_per_h, LEAD_H)

    return _curves(forecast, len(tanks), value)


def appliance_curves(forecast: PriceForecast, machines: tuple[ApplianceType, ...]) -> Tensor:
    """Price at which a machine's job starts, by class and slack, (I, C, F). [currency/kWh]

    Args:
        forecast: Of the price.
        machines: One type a class.
    """

    def value(nodes: Tensor, weights: Tensor, some: slice, index: int) -> Tensor:
        machine, job = machines[index], machines[index].cohort
        if machine.pausable_from <= 0.0:
            return pausing_value(nodes, weights, job.job_h + job.slack_h, LEAD_H)
        return waiting_value(nodes, weights, job.job_h, job.slack_h, LEAD_H)

    return _curves(forecast, len(machines), value)


def _curves(
    forecast: PriceForecast, classes: int, value: Callable[[Tensor, Tensor, slice, int], Tensor]
) -> Tensor:
    """Values of a kWh by class, for some issues at a time, (I, C, F). [currency/kWh]"""
    issues = len(forecast.nodes_per_mwh)
    curve = torch.zeros(issues, classes, FLEXIBLE_POINTS)
    for start in range(0, issues, _CHUNK):
        some = slice(start, start + _CHUNK)
        nodes = forecast.nodes_per_mwh[some].float() / 1000.0
        weights = forecast.weights.float()
        for index in range(classes):
            curve[some, index] = value(nodes, weights, some, index)
    return curve


def hvac_curves(forecast: PriceForecast, houses: tuple[HvacCohort, ...], air_c: Tensor) -> Tensor:
    """Value of a kWh of heating or cooling now, by class and fill, (I, C, F). [currency/kWh]

    How hard the machines must work in the day ahead is taken from the weather of the day before.

    Args:
        forecast: Of the price, of all copies of the days.
        houses: Classes of houses.
        air_c: Outdoor air by tick of one copy, (T,). [C]
    """
    half_hourly_c = air_c[::TICKS_PER_ISSUE]
    issue = torch.arange(len(half_hourly_c)).unsqueeze(-1)
    ahead = torch.arange(1, _HALF_HOURS + 1)
    # On the first day there is no day before: the same hours stand in for it.
    seen = issue + ahead - _HALF_HOURS
    seen = torch.where(seen < 0, seen + _HALF_HOURS, seen).clamp(max=len(half_hourly_c) - 1)
    outdoor_c = half_hourly_c[seen] + _WARMED_K
    work_k = (outdoor_c - _COOL_SET_C).clamp(min=0.0) + (_HEAT_SET_C - outdoor_c).clamp(min=0.0)
    issues = len(forecast.nodes_per_mwh)
    work_k = work_k.repeat(issues // len(work_k), 1)

    def value(nodes: Tensor, weights: Tensor, some: slice, index: int) -> Tensor:
        house = houses[index]
        drain = (work_k[some] / house.hold_k).clamp(0.0, 0.95)[..., : nodes.shape[-2]]
        return leaking_value(nodes, weights, house.full_h, drain, house.decay_per_h, LEAD_H)

    return _curves(forecast, len(houses), value)
