"""What a scenario knows of its flexible devices by tick: weather, people, and values of energy."""

from functools import lru_cache

import torch
from torch import Tensor

from vpp_envs.dispatch.flexible_value import FLEXIBLE_POINTS, leaking_value
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.hvac_sampling import OCCUPANCY_ARCHETYPES
from vpp_envs.flexible.hvac_parts import HVAC_COHORTS, HvacCohort, HvacTables
from vpp_envs.flexible.kinds import FlexibleTables, present
from vpp_envs.forecast.protocol import LEAD_H, PriceForecast
from vpp_envs.scenario_tables import climate_name, market_signals, scenario_tariff
from vpp_envs.signals.market import TICKS_PER_ISSUE, MarketSpec
from vpp_envs.signals.randomised import Randomisation, with_copies
from vpp_envs.signals.retail import retail_signals
from vpp_envs.signals.synthetic.occupancy import occupancy_tables
from vpp_envs.signals.synthetic.weather import horizontal_w_per_m2, temperature_c

_CHUNK = 4096  # issues at a time
_HALF_HOURS = 48  # a day
# Typical set-points; sun and people warm a house by about so much above outdoors (assumed).
_COOL_SET_C, _HEAT_SET_C, _WARMED_K = 24.4, 20.3, 3.0

# Classes of each kind that are present, by kind.
Classes = tuple[tuple[str, tuple[int, ...]], ...]
COHORTS = {"hvac": HVAC_COHORTS}


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
) -> FlexibleTables:
    """Tables of the flexible devices: fleets of the same classes share them.

    Args:
        spec: Which market and which days.
        split: "train", "validation" or "test".
        classes: Of each kind, from `classes_present`.
        seed: Of weather and people.
        tariff: Behind which the homes stand, if any.
        randomisation: Of the training days.
    """
    market = with_copies(spec, market_signals(spec, split), randomisation, market_signals)
    if tariff is not None:
        market = retail_signals(market, scenario_tariff(tariff)).market
    times, ticks = market.copies + 1, market.clock_ticks
    climate = climate_name(spec)
    air_c = temperature_c(climate, market.start_utc, ticks, seed)
    tables: dict[str, HvacTables] = {}
    for kind, some in classes:
        assert kind == "hvac"
        sun = horizontal_w_per_m2(climate, market.start_utc, ticks, seed) / 1000.0
        gain_pu, away = occupancy_tables(market.zone, market.start_utc, ticks, OCCUPANCY_ARCHETYPES)
        houses = tuple(HVAC_COHORTS[i] for i in some)
        tables[kind] = HvacTables(
            air_c.unsqueeze(-1).repeat(times, 1),
            sun.unsqueeze(-1).repeat(times, 1),
            gain_pu.repeat(times, 1),
            away.repeat(times, 1),
            hvac_curves(market.forecast, houses, air_c),
        )
    return FlexibleTables(**tables)


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
    curve = torch.zeros(issues, len(houses), FLEXIBLE_POINTS)
    for start in range(0, issues, _CHUNK):
        some = slice(start, start + _CHUNK)
        nodes = forecast.nodes_per_mwh[some].float() / 1000.0
        for index, house in enumerate(houses):
            drain = (work_k[some, : nodes.shape[-2]] / house.hold_k).clamp(0.0, 0.95)
            curve[some, index] = leaking_value(
                nodes, forecast.weights.float(), house.full_h, drain, house.decay_per_h, LEAD_H
            )
    return curve
