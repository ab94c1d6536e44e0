"""A fleet: the constants of all homes, one column per home."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.devices.ev import EvParams
from vpp_envs.fleet.agreement import Agreement, EvAgreement
from vpp_envs.fleet.connection import SharedConnection
from vpp_envs.flexible.kinds import FlexibleFleet, cohorts, rated_of_kinds_kw
from vpp_envs.people.step import PeopleFleet

# What drivers do whom nobody commands: they charge as soon as they come home, set a timer to
# midnight, or to the last moment from which their target is still reached.
HABITS = ("at once", "midnight", "last moment")
AT_ONCE, MIDNIGHT, LAST_MOMENT = range(len(HABITS))


class EvFleet(NamedTuple):
    """Constants of the cars of N homes."""

    params: EvParams
    agreement: EvAgreement
    archetype: Tensor  # column of the table of stays, (N,) int64
    cohort: Tensor  # class of car, -1 without one or one that is not managed, (N,) int64
    habit: Tensor | None = None  # place in `HABITS`, (N,) int64; none: all charge at once


class Fleet(NamedTuple):
    """Constants of N homes, which all scenarios share: (N,), or other homes in each: (B, N)."""

    home_id: Tensor  # names the home in every random draw, (N,) int64
    battery: BatteryParams
    solar_kw: Tensor  # AC rating of the rooftop system, 0 where there is none, (N,) [kW]
    solar_archetype: Tensor  # column of the solar table, (N,) int64
    load_mean_kw: Tensor  # mean base load, (N,) [kW]
    load_archetype: Tensor  # column of the load table, (N,) int64
    agreement: Agreement
    cohort: Tensor  # battery class by duration, -1 without a battery, (N,) int64
    ev: EvFleet | None = None  # none: no home has a car, and nothing is computed for any
    flexible: FlexibleFleet | None = None  # none: no home has a flexible device
    feeder: Tensor | None = None  # column of the table of outages, (N,) int64; none: there are none
    link: Tensor | None = None  # column of the table of links, (N,) int64; none: all are perfect
    people: PeopleFleet | None = None  # the owners; none: nobody is asked
    shared: SharedConnection | None = None  # depots and transformers; none: nobody shares one


def commanded(fleet: Fleet) -> Tensor:
    """Homes with a device that others may command, (..., N) bool."""
    some = fleet.cohort >= 0
    if fleet.ev is not None:
        some = some | (fleet.ev.cohort >= 0)
    for cohort in cohorts(fleet.flexible):
        some = some | (cohort >= 0)
    return some


def rated_kw(fleet: Fleet) -> Tensor:
    """Rated power of each home's battery, car and flexible devices, (..., N). [kW]

    An engine that may not run for others is none of the plant's.
    """
    kw = fleet.battery.discharge_kw.maximum(fleet.battery.charge_kw)
    ev = fleet.ev
    if ev is not None:
        kw = kw + ev.params.charge_kw
    flexible = fleet.flexible
    if flexible is not None:
        for of_kind_kw in rated_of_kinds_kw(flexible):
            kw = kw + of_kind_kw
    return kw
