"""One's own fleet as a table, CSV or Parquet, one row a device; `columns.py` says what is in it.

A home has one row of kind site, with what was agreed on for its connection, and at most one row
each of every other kind; `table_flexible.py` has those of flexible devices. Rows may stand in any
order; homes keep that of their sites.

A home may be named by any number or text. `Fleet.home_id`, which keys every random draw, is the
number itself where the name is a whole number, and a hash of the name elsewhere, so that a home
meets the same fate whatever else stands in the table. An archetype that the table does not name
is drawn by it, as in sampled fleets of seed 0.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.devices.ev import EvParams
from vpp_envs.errors import InputError
from vpp_envs.fleet.agreement import Agreement, EvAgreement
from vpp_envs.fleet.cohorts import duration_class, ev_class
from vpp_envs.fleet.columns import ID, KIND, KINDS, column_names
from vpp_envs.fleet.connection import NO_LIMIT_KW, SharedConnection, is_shared
from vpp_envs.fleet.depots import connections_of
from vpp_envs.fleet.fleet import AT_ONCE, EvFleet, Fleet
from vpp_envs.fleet.sampling import DRIVER_ARCHETYPES, LOAD_ARCHETYPES, SOLAR_ARCHETYPES
from vpp_envs.fleet.table_cells import read_cells, write_cells
from vpp_envs.fleet.table_check import Devices, check_cells
from vpp_envs.fleet.table_flexible import Rows, flexible_fleet, flexible_parts
from vpp_envs.flexible.kinds import KINDS as FLEXIBLE
from vpp_envs.flexible.kinds import FlexibleFleet
from vpp_envs.problems import Problem, report
from vpp_envs.random import Purpose, uniform

_LINES = 30  # of a report


class FleetTable(NamedTuple):
    """A fleet that was read from a table."""

    fleet: Fleet  # float64
    names: tuple[str, ...]  # of the homes, as the table has them
    warnings: tuple[Problem, ...]  # what may stand, and looks like a slip


def read_fleet(path: str | Path) -> Fleet:
    """Read a fleet from a table, float64; `cast_fleet` gives the working precision.

    Args:
        path: CSV or Parquet file.

    Raises:
        InputError: The file cannot be read, or something in it cannot stand; the message has one
            line for each problem, with row (header = row 1), column, value, rule and fix.
    """
    return read_fleet_table(path).fleet


def read_fleet_table(path: str | Path) -> FleetTable:
    """Read a fleet with the names of its homes, and what looks like a slip in its table.

    Args:
        path: CSV or Parquet file.

    Raises:
        InputError: As `read_fleet`.
    """
    table, problems = inspect_fleet(path)
    if table is None:
        errors = [problem for problem in problems if not problem.warning]
        raise InputError(report(Path(path).name, errors, "row", _LINES))
    return table


def inspect_fleet(path: str | Path) -> tuple[FleetTable | None, tuple[Problem, ...]]:
    """Find everything that is wrong with a fleet table.

    Args:
        path: CSV or Parquet file.

    Returns:
        The fleet, none if there are errors; and errors and warnings in the order of the rows.

    Raises:
        InputError: The file cannot be read as a table.
    """
    cells = read_cells(Path(path))
    devices, problems = check_cells(cells)
    if any(not problem.warning for problem in problems):
        return None, tuple(problems)
    names = tuple(devices["site"].name.tolist())
    home_id = home_ids(names)
    if len(home_id.unique()) < len(names):
        raise InputError(
            f"{Path(path).name}: two home ids give the same number; rename one of the homes."
        )
    return FleetTable(_fleet(devices, home_id), names, tuple(problems)), tuple(problems)


def home_ids(names: Sequence[str]) -> Tensor:
    """Numbers of homes by their names, (N,) int64.

    Args:
        names: A whole number below 2^63 stands for itself; other text is hashed.
    """
    return torch.tensor([_home_id(name) for name in names], dtype=torch.int64)


def _home_id(name: str) -> int:
    if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0"):
        number = int(name)
        if number < 2**63:
            return number
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) >> 1


def _fleet(devices: dict[str, Devices], home_id: Tensor) -> Fleet:
    """Put the columns of all kinds of rows in the order of the homes."""

    def drawn(count: int, purpose: int) -> Tensor:
        return (uniform(0, 0, home_id, 0, purpose) * count).to(torch.int64)

    def column(kind: str, name: str, absent: float = 0.0) -> Tensor:
        full = np.full(len(home_id), absent)
        full[devices[kind].home] = devices[kind].column[name]
        return torch.from_numpy(full)

    def archetype(kind: str, name: str, count: int, purpose: int) -> Tensor:
        given = column(kind, name, 0.0)
        return torch.where(given.isnan(), drawn(count, purpose), given.nan_to_num().long())

    battery = BatteryParams(
        column("battery", "usable_kwh", 1.0),
        column("battery", "charge_kw"),
        column("battery", "discharge_kw"),
        column("battery", "round_trip_eff", 1.0).sqrt(),
        column("battery", "standing_loss_kw"),
        column("battery", "wear_per_kwh"),
    )
    agreement = Agreement(
        column("battery", "reserve_kwh"),
        column("site", "import_limit_kw"),
        column("site", "export_limit_kw"),
        column("site", "homeowner_share"),
    )
    ev = None
    if len(devices["ev"].home):
        driver = archetype("ev", "archetype", DRIVER_ARCHETYPES, Purpose.FLEET_EV_ARCHETYPE)
        ev = _cars(column, driver)
    load_mean_kw = column("site", "load_mean_kw")
    flexible = flexible_fleet({kind: Rows(home_id, *devices[kind][1:]) for kind in FLEXIBLE})
    return Fleet(
        home_id,
        battery,
        column("solar", "ac_kw"),
        archetype("solar", "archetype", SOLAR_ARCHETYPES, Purpose.FLEET_SOLAR_ARCHETYPE),
        load_mean_kw,
        archetype("site", "load_archetype", LOAD_ARCHETYPES, Purpose.FLEET_LOAD_ARCHETYPE),
        agreement,
        duration_class(battery, agreement),
        ev,
        flexible,
        shared=_shared(column, load_mean_kw, ev, flexible),
    )


def _shared(
    column: Callable[[str, str], Tensor],
    load_mean_kw: Tensor,
    ev: EvFleet | None,
    flexible: FlexibleFleet | None,
) -> SharedConnection | None:
    """Connections that sites share; none where nobody does."""
    name = column("site", "connection")
    if bool(name.isnan().all()):
        return None
    # Homes that share none are numbered apart.
    apart = 2 * torch.arange(len(name)) + 1
    number = torch.where(name.isnan(), apart, 2 * name.nan_to_num().long())
    limit_kw = column("site", "connection_kw").nan_to_num(NO_LIMIT_KW)
    return connections_of(number, limit_kw, column("site", "chargers"), load_mean_kw, ev, flexible)


def _cars(column: Callable[[str, str, float], Tensor], archetype: Tensor) -> EvFleet:
    params = EvParams(
        column("ev", "capacity_kwh", 1.0),
        column("ev", "charge_kw", 0.0),
        column("ev", "discharge_kw", 0.0),
        column("ev", "least_charge_kw", 0.0),
        column("ev", "charge_eff", 1.0),
        column("ev", "discharge_eff", 1.0),
        column("ev", "taper_fill", 1.0),
        column("ev", "wear_per_kwh", 0.0),
        column("ev", "drive_kwh_per_km", 0.0),
    )
    agreement = EvAgreement(
        column("ev", "target_kwh", 0.0),
        column("ev", "minimum_kwh", 0.0),
        column("ev", "managed", 0.0),
    )
    habit = column("ev", "habit", AT_ONCE).long()
    waits = bool((habit != AT_ONCE).any())
    cohort = ev_class(params, agreement)
    return EvFleet(params, agreement, archetype, cohort, habit if waits else None)


def write_fleet(fleet: Fleet, path: str | Path, names: Sequence[str] | None = None) -> None:
    """Write a fleet as a table, whole or not at all; `read_fleet` gives the same numbers back.

    Cohorts are not written: they follow from the numbers. Archetypes of devices that a home does
    not have are not written either.

    Args:
        fleet: As sampled or read, float64.
        path: A name that ends in .csv or .parquet.
        names: Of the homes; by default their ids.

    Raises:
        InputError: The name ends otherwise, the file cannot be written, or a home has what no table
            says.
    """
    homes = [str(home) for home in fleet.home_id.tolist()] if names is None else list(names)
    parts = []  # place in the table, home, kind, values by column
    for kind, (present, columns) in _parts(fleet).items():
        home = np.flatnonzero(present.numpy())
        known = {column.name for column in KINDS[kind]}
        values = {name: column.numpy()[home] for name, column in columns.items() if name in known}
        rank = list(KINDS).index(kind)
        parts.append((home * len(KINDS) + rank, home, kind, values))
    order = np.argsort(np.concatenate([place for place, *_ in parts]))
    table: dict[str, list[object]] = {
        ID: _ordered([[homes[i] for i in home] for _, home, *_ in parts], order),
        KIND: _ordered([[kind] * len(home) for _, home, kind, _ in parts], order),
    }
    for name in column_names()[2:]:
        cells = [_cells(kind, name, values, len(home)) for _, home, kind, values in parts]
        if any(name in values for *_, values in parts):
            table[name] = _ordered(cells, order)
    write_cells(Path(path), table)


def _ordered(parts: list[list[object]] | list[list[str]], order: np.ndarray) -> list[object]:
    cells: list[object] = [cell for part in parts for cell in part]
    return [cells[i] for i in order]


def _cells(kind: str, name: str, values: dict[str, np.ndarray], count: int) -> list[object]:
    """Cells of a column in the rows of a kind, None where there is nothing to say."""
    if name not in values:
        return [None] * count
    column = next(one for one in KINDS[kind] if one.name == name)
    numbers = values[name].tolist()
    if column.form == "truth":
        return ["yes" if one else "no" for one in numbers]
    if column.choices:
        return [column.choices[int(one)] for one in numbers]
    return [None if one != one else one for one in numbers]


def _connection(shared: SharedConnection | None) -> dict[str, Tensor]:
    """Cells of what homes share, NaN for those that share none, (N,); empty where nobody does."""
    if shared is None:
        return {}
    open_kw, shares = torch.full_like(shared.limit_kw, torch.nan), is_shared(shared)
    return {
        "connection": torch.where(shares, shared.group.double(), open_kw),
        "connection_kw": torch.where(shares, shared.limit_kw, open_kw),
        "chargers": torch.where(shares, shared.chargers, open_kw),
    }


def _parts(fleet: Fleet) -> dict[str, tuple[Tensor, dict[str, Tensor]]]:
    """Which homes have a row of each kind, and its columns, (N,)."""
    battery, agreement = fleet.battery, fleet.agreement
    parts = {
        "site": (
            torch.ones_like(fleet.home_id),
            {
                "import_limit_kw": agreement.import_limit_kw,
                "export_limit_kw": agreement.export_limit_kw,
                "load_mean_kw": fleet.load_mean_kw,
                "load_archetype": fleet.load_archetype,
                "homeowner_share": agreement.homeowner_share,
                **_connection(fleet.shared),
            },
        ),
        "battery": (
            battery.discharge_kw > 0,
            {
                "usable_kwh": battery.capacity_kwh,
                "charge_kw": battery.charge_kw,
                "discharge_kw": battery.discharge_kw,
                # The root of a square is exact in binary floating point.
                "round_trip_eff": battery.one_way_eff * battery.one_way_eff,
                "standing_loss_kw": battery.standing_loss_kw,
                "wear_per_kwh": battery.wear_per_kwh,
                "reserve_kwh": agreement.reserve_kwh,
            },
        ),
        "solar": (
            fleet.solar_kw > 0,
            {"ac_kw": fleet.solar_kw, "archetype": fleet.solar_archetype},
        ),
    }
    if fleet.ev is not None:
        ev = fleet.ev
        columns = {
            **ev.params._asdict(),
            **ev.agreement._asdict(),
            "archetype": ev.archetype,
        }
        if ev.habit is not None:
            columns["habit"] = ev.habit
        parts["ev"] = (ev.params.charge_kw > 0, columns)
    return {**parts, **flexible_parts(fleet.flexible)}
