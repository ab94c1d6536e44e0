"""Cohorts: classes of devices, so that one curve serves homes that act alike."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.devices.ev import EvParams
from vpp_envs.fleet.agreement import Agreement, EvAgreement


class Cohort(NamedTuple):
    """A class of batteries, named in observations, actions and manifests."""

    name: str
    duration_h: float  # representative usable energy over discharge power [h]
    one_way_eff: float  # representative square root of the round-trip efficiency
    wear_per_kwh: float  # representative wear per kWh discharged, AC [currency/kWh]


BATTERY_COHORTS = (
    Cohort("battery_1h", 1.0, 0.9**0.5, 0.04),
    Cohort("battery_2h", 2.0, 0.9**0.5, 0.04),
    Cohort("battery_3h", 3.0, 0.9**0.5, 0.04),
    Cohort("battery_4h", 4.5, 0.9**0.5, 0.04),
)


def duration_class(battery: BatteryParams, agreement: Agreement) -> Tensor:
    """Index of each home's battery in `BATTERY_COHORTS`, -1 without one, (N,) int64."""
    usable_kwh = battery.capacity_kwh - agreement.reserve_kwh
    duration_h = usable_kwh / battery.discharge_kw.clamp(min=1e-9)
    # Classes end at half hours; literals, because scripts read no globals.
    index = (duration_h > 1.5).to(torch.int64) + (duration_h > 2.5) + (duration_h > 3.5)
    return torch.where(battery.discharge_kw > 0, index, torch.full_like(index, -1))


class EvCohort(NamedTuple):
    """A class of cars, named in observations, actions and manifests."""

    name: str
    discharges: bool  # whether its cars give energy back to the grid
    one_way_eff: float  # representative efficiency each way
    wear_per_kwh: float  # representative wear per kWh discharged, AC [currency/kWh]


EV_COHORTS = (
    EvCohort("ev_v1g", False, 0.9, 0.0),
    EvCohort("ev_v2g", True, 0.92, 0.07),
)


def ev_class(ev: EvParams, agreement: EvAgreement) -> Tensor:
    """Index of each car in `EV_COHORTS`, -1 without one or one not managed, (N,) int64."""
    index = (ev.discharge_kw > 0).to(torch.int64)
    managed = (ev.charge_kw > 0) & (agreement.managed > 0)
    return torch.where(managed, index, torch.full_like(index, -1))


def cohort_names(cohorts: tuple[Cohort, ...] | tuple[EvCohort, ...]) -> tuple[str, ...]:
    """Names of cohorts, in order."""
    return tuple(cohort.name for cohort in cohorts)
