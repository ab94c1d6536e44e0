"""Depots of vehicles on duty, and transformers of homes: places that share a connection.

A place of a depot is one vehicle with its charger and its part of the building's load. Which places
are depots follows from their ids alone, block by block, so that a place is the same in every fleet.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.ev import LEAST_CHARGE_KW, TAPER_FILL, EvParams
from vpp_envs.fleet.agreement import Agreement, EvAgreement
from vpp_envs.fleet.cohorts import ev_class
from vpp_envs.fleet.connection import NO_LIMIT_KW, SharedConnection, is_shared, regrouped
from vpp_envs.fleet.fleet import EvFleet
from vpp_envs.fleet.spec import DEPOT_KINDS, FleetSpec
from vpp_envs.flexible.kinds import FlexibleFleet, rated_of_kinds_kw
from vpp_envs.random import Purpose, uniform
from vpp_envs.signals.synthetic.duty import DUTY_ARCHETYPES

# A base load exceeds 3.5 times its mean in five per cent of the intervals.
BASE_LOAD_Q95 = 3.5
_BUILDING_KW = 0.3  # mean load of a depot's building for each vehicle
# Of heaters, coolers and machines in one street, so much of their rating runs at once.
_COINCIDENCE = 0.5
EV_WEAR_PER_KWH = 0.07  # of cars and vehicles alike, per kWh given back, AC
_TARGET_FILL, _LEAST_FILL = 0.9, 0.3


class Vehicle(NamedTuple):
    """The least and the most of a kind's vehicles."""

    capacity_kwh: tuple[float, float]  # usable energy [kWh]
    kwh_per_km: tuple[float, float]  # taken from the store by driving [kWh/km]
    charge_kw: tuple[float, float]  # of vehicles that only charge [kW]
    both_ways_kw: float  # of those that give energy back, charging [kW]
    discharge_kw: float  # and discharging [kW]


# Remembered from makers' data and published fleets; kWh a mile over 1.609.
VEHICLES = {
    "school_bus": Vehicle((155.0, 226.0), (0.684, 0.994), (19.2, 19.2), 60.0, 60.0),
    "delivery_van": Vehicle((89.0, 135.0), (0.249, 0.342), (11.5, 19.2), 19.2, 10.0),
    "municipal": Vehicle((60.0, 131.0), (0.174, 0.311), (7.2, 19.2), 19.2, 9.6),
}


def depot_places(spec: FleetSpec, home: Tensor) -> Tensor:
    """Whether each place is a depot's, (N,) bool."""
    block = torch.div(home, spec.depot_vehicles, rounding_mode="floor")
    return uniform(spec.seed, 0, block, 0, Purpose.FLEET_DEPOT) < spec.depot_share


def sample_vehicles(spec: FleetSpec, home: Tensor, drivers: int) -> EvFleet:
    """Sample a vehicle and its charger for every place, (N,).

    Args:
        spec: What to sample.
        home: Ids of the places, (N,) int64.
        drivers: Archetypes of private drivers, which come first in the table of stays.
    """
    kind = VEHICLES[spec.depot_kind]

    def between(ends: tuple[float, float], part: int) -> Tensor:
        share = uniform(spec.seed, 0, home, part, Purpose.FLEET_VEHICLE)
        return ends[0] + share * (ends[1] - ends[0])

    capacity_kwh = between(kind.capacity_kwh, 0)
    one, none = torch.ones_like(capacity_kwh), torch.zeros_like(capacity_kwh)
    gives = uniform(spec.seed, 0, home, 0, Purpose.FLEET_VEHICLE_V2G) < spec.v2g_share
    eff = torch.where(gives, 0.92 * one, 0.90 * one)
    params = EvParams(
        capacity_kwh,
        torch.where(gives, kind.both_ways_kw * one, between(kind.charge_kw, 1)),
        torch.where(gives, kind.discharge_kw * one, none),
        LEAST_CHARGE_KW * one,
        eff,
        eff,
        TAPER_FILL * one,
        EV_WEAR_PER_KWH * one,
        between(kind.kwh_per_km, 2),
    )
    least_kwh = torch.where(gives, _LEAST_FILL * capacity_kwh, none)
    agreement = EvAgreement(_TARGET_FILL * capacity_kwh, least_kwh, one)
    duty = (uniform(spec.seed, 0, home, 0, Purpose.FLEET_VEHICLE_DUTY) * DUTY_ARCHETYPES).to(
        torch.int64
    )
    first = drivers + DEPOT_KINDS.index(spec.depot_kind) * DUTY_ARCHETYPES
    return EvFleet(params, agreement, first + duty, ev_class(params, agreement))


def building_load_kw(load_mean_kw: Tensor, depot: Tensor) -> Tensor:
    """Mean base loads, with a vehicle's part of the building where a place is a depot's, (N,)."""
    return torch.where(depot, _BUILDING_KW * torch.ones_like(load_mean_kw), load_mean_kw)


def depot_agreement(
    agreement: Agreement, ev: EvFleet, load_mean_kw: Tensor, depot: Tensor
) -> Agreement:
    """Agreements in which no vehicle is limited but by its charger and its depot, (N,)."""
    # Its part of the building's load has no fuse of its own.
    import_kw = ev.params.charge_kw + 4.0 * BASE_LOAD_Q95 * load_mean_kw
    return agreement._replace(
        reserve_kwh=torch.where(depot, 0.0 * import_kw, agreement.reserve_kwh),
        import_limit_kw=torch.where(depot, import_kw, agreement.import_limit_kw),
        export_limit_kw=torch.where(depot, ev.params.discharge_kw, agreement.export_limit_kw),
    )


def shared_connections(
    spec: FleetSpec,
    home: Tensor,
    depot: Tensor,
    load_mean_kw: Tensor,
    ev: EvFleet | None,
    flexible: FlexibleFleet | None,
) -> SharedConnection | None:
    """What each place brings to the connection it shares, (N,); none where nobody shares one.

    Args:
        spec: What was sampled.
        home: Ids of the places, (N,) int64.
        depot: Whether each is a depot's, (N,) bool.
        load_mean_kw: Mean base loads, (N,). [kW]
        ev: Cars and vehicles; none: there are none.
        flexible: Flexible devices; none: there are none.
    """
    if spec.transformer_homes == 0 and not bool(depot.any()):
        return None
    one = torch.ones_like(load_mean_kw)
    charge_kw = 0.0 * one if ev is None else ev.params.charge_kw
    vehicle_kw = spec.depot_power_share * charge_kw + BASE_LOAD_Q95 * load_mean_kw
    street_kw = (spec.transformer_kw if spec.transformer_homes else NO_LIMIT_KW) * one
    # Blocks of depots and of streets are numbered apart, homes that share with nobody by id.
    block = torch.div(home, spec.depot_vehicles, rounding_mode="floor")
    street = home
    if spec.transformer_homes:
        street = torch.div(home, spec.transformer_homes, rounding_mode="floor")
    return connections_of(
        torch.where(depot, 2 * block, 2 * street + 1),
        torch.where(depot, vehicle_kw, street_kw),
        torch.where(depot, spec.depot_charger_share * one, one),
        load_mean_kw,
        ev,
        flexible,
    )


def connections_of(
    name: Tensor,
    limit_kw: Tensor,
    chargers: Tensor,
    load_mean_kw: Tensor,
    ev: EvFleet | None,
    flexible: FlexibleFleet | None,
) -> SharedConnection:
    """Connections by what each home brings to its own, and what is kept free of them for loads.

    Args:
        name: Of each home's connection, any whole number, (N,) int64.
        limit_kw: What it brings to the group's limit, either way; `NO_LIMIT_KW` where it is not
            shared, (N,). [kW]
        chargers: What it brings to the number of chargers, (N,).
        load_mean_kw: Mean base loads, (N,). [kW]
        ev: Cars and vehicles; none: there are none.
        flexible: Flexible devices; none: there are none.
    """
    firm_kw = BASE_LOAD_Q95 * load_mean_kw
    if ev is not None:
        # Nobody slows down a car whose driver lets nobody choose.
        firm_kw = firm_kw + ev.params.charge_kw * (ev.agreement.managed <= 0)
    if flexible is not None:
        for of_kind_kw in rated_of_kinds_kw(flexible):
            firm_kw = firm_kw + _COINCIDENCE * of_kind_kw
    whole = SharedConnection(regrouped(name), limit_kw, limit_kw, chargers)
    return whole._replace(sure_kw=torch.where(is_shared(whole), limit_kw - firm_kw, limit_kw))
