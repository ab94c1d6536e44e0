"""A fleet: the constants of all homes, one column per home."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.devices.ev import EvParams
from vpp_envs.fleet.agreement import Agreement, EvAgreement


class EvFleet(NamedTuple):
    """Constants of the cars of N homes."""

    params: EvParams
    agreement: EvAgreement
    archetype: Tensor  # column of the table of stays, (N,) int64
    cohort: Tensor  # class of car, -1 without one or one that is not managed, (N,) int64


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


def map_columns(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:  # noqa: ANN401
    """Change every column of a fleet, or of a part of one, alike.

    Args:
        tree: A named tuple of tensors, of such tuples, and of None.
        change: Gets and returns one column.
    """
    if tree is None:
        return None
    if isinstance(tree, Tensor):
        return change(tree)
    return type(tree)(*(map_columns(part, change) for part in tree))


def column_of_each(table: Tensor, index: Tensor) -> Tensor:
    """Read each home's own column of a table.

    Args:
        table: By class or archetype, (..., K).
        index: Column of each home, the same for all rows or one for each, (N,) or (..., N) int64.

    Returns:
        (..., N).
    """
    return table.gather(-1, index.expand(table.shape[:-1] + index.shape[-1:]))


def commanded(fleet: Fleet) -> Tensor:
    """Homes with a battery or a car that others may command, (..., N) bool."""
    battery = fleet.cohort >= 0
    return battery if fleet.ev is None else battery | (fleet.ev.cohort >= 0)


def rated_kw(fleet: Fleet) -> Tensor:
    """Rated power of each home's battery and car, (..., N). [kW]"""
    kw = fleet.battery.discharge_kw.maximum(fleet.battery.charge_kw)
    ev = fleet.ev
    if ev is not None:
        kw = kw + ev.params.charge_kw
    return kw
