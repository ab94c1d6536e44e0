"""The columns of a fleet table: one row a device, and what each kind of row may say."""

import math
from typing import NamedTuple

from vpp_envs.fleet.sampling import DRIVER_ARCHETYPES, LOAD_ARCHETYPES, SOLAR_ARCHETYPES

ID, KIND = "home_id", "kind"
NEEDED = "needed"


class Column(NamedTuple):
    """What one column of one kind of row may hold."""

    name: str
    meaning: str
    default: float | None = None  # where the cell is blank; none: see `without`
    without: str = NEEDED  # what a blank cell means, for people, where there is no default
    least: float = 0.0
    most: float = math.inf
    zero: bool = True  # whether the bound below is allowed itself
    usual: tuple[float, float] = (0.0, math.inf)  # beyond: a warning
    slip: str = ""  # what a value above them, or above `most`, probably is, and the fix
    form: str = "number"  # or "whole", or "truth" for yes and no


def _archetype(count: int, of: str) -> Column:
    return Column(
        "archetype",
        f"which of the {count} simulated {of} profiles, from 0",
        without="drawn by home_id",
        most=count - 1,
        form="whole",
    )


def _share(name: str, meaning: str, default: float | None, low: float) -> Column:
    slip = "looks like percent; write a share such as 0.9"
    usual = (low, 1.0)
    return Column(name, meaning, default, most=1.0, zero=False, usual=usual, slip=slip)


def _power(
    name: str, meaning: str, most: float, zero: bool = True, default: float | None = None
) -> Column:
    slip = "looks like W; write kW, such as 5"
    return Column(name, meaning, default, zero=zero, usual=(0.0, most), slip=slip)


def _energy(name: str, meaning: str, most: float) -> Column:
    slip = "looks like Wh; write kWh, such as 13.5"
    return Column(name, meaning, zero=False, usual=(0.0, most), slip=slip)


def _kept(name: str, meaning: str, without: str) -> tuple[Column, Column]:
    """A part of the capacity, in per cent or in kWh."""
    share, energy = f"{name}_pct", f"{name}_kwh"
    return (
        Column(
            share,
            f"{meaning}, % of the capacity",
            without=without,
            most=100.0,
            slip="write per cent of the capacity, such as 20",
        ),
        Column(energy, "the same in kWh; one of the two", without=share),
    )


_WEAR_USUAL = (0.0, 1.0)
_WEAR_SLIP = "looks like cents, or like a price of a MWh; write currency a kWh, such as 0.04"


def _wear(default: float) -> Column:
    meaning = "cost of wear per kWh discharged, AC, in the market's currency"
    return Column("wear_per_kwh", meaning, default, usual=_WEAR_USUAL, slip=_WEAR_SLIP)


KINDS: dict[str, tuple[Column, ...]] = {
    "site": (
        _power("import_limit_kw", "most that the site may draw from the grid", 150.0),
        _power("export_limit_kw", "most that it may feed in, positive", 150.0),
        Column(
            "load_mean_kw",
            "mean of what the home draws by itself",
            0.6,
            usual=(0.0, 10.0),
            slip="looks like W, or like kWh a day; write the mean in kW, such as 0.6",
        ),
        _archetype(LOAD_ARCHETYPES, "load")._replace(name="load_archetype"),
        Column(
            "homeowner_share",
            "share of the devices' market money paid to the owner",
            0.8,
            most=1.0,
            slip="looks like percent; write a share such as 0.8",
        ),
    ),
    "battery": (
        _energy("usable_kwh", "usable energy between empty and full", 200.0),
        _power("charge_kw", "AC limit when charging", 100.0, zero=False),
        _power("discharge_kw", "AC limit when discharging, positive", 100.0, zero=False),
        _share("round_trip_eff", "AC-to-AC round-trip efficiency, 0 to 1", 0.9, 0.6),
        Column(
            "standing_loss_kw",
            "constant draw of battery and inverter",
            0.02,
            usual=(0.0, 0.5),
            slip="looks like W; write kW, such as 0.02",
        ),
        _wear(0.04),
        *_kept("reserve", "energy that stays for the owner's backup", "needed, 0 for none"),
    ),
    "solar": (
        _power("ac_kw", "AC rating of the system", 100.0, zero=False),
        _archetype(SOLAR_ARCHETYPES, "roof"),
    ),
    "ev": (
        _energy("capacity_kwh", "usable energy of the car", 250.0),
        _power("charge_kw", "AC limit: the lesser of car and charger", 100.0, zero=False),
        _power("discharge_kw", "AC limit of vehicle-to-grid, 0 without", 100.0, default=0.0),
        Column("least_charge_kw", "it charges at this power or not at all", 1.44),
        _share("charge_eff", "stored over drawn, 0 to 1", 0.9, 0.6),
        _share("discharge_eff", "fed in over taken from the store, 0 to 1", 0.9, 0.6),
        _share("taper_fill", "fill from which charging slows down, 0 to 1", 0.95, 0.5),
        _wear(0.07),
        Column(
            "drive_kwh_per_km",
            "consumption when driving",
            0.18,
            usual=(0.05, 1.0),
            slip="looks like Wh/km, or like kWh/100 km; write kWh/km, such as 0.18",
        ),
        *_kept("target", "stored at the declared departure", "needed, one of the two"),
        *_kept(
            "minimum",
            "never discharged below, charged to at once",
            "0; needed where discharge_kw is above 0",
        ),
        Column("managed", "yes: others choose when it charges", 1.0, most=1.0, form="truth"),
        _archetype(DRIVER_ARCHETYPES, "driver"),
    ),
}


def column_names() -> tuple[str, ...]:
    """Every column of a table, in order, each once."""
    names = (column.name for columns in KINDS.values() for column in columns)
    return (ID, KIND, *dict.fromkeys(names))


def columns_help() -> str:
    """Every column of every kind, with what a blank cell means, for people."""
    lines = []
    for kind, columns in KINDS.items():
        lines.append(f"\nkind = {kind}")
        for column in columns:
            blank = column.without if column.default is None else f"{column.default:g}"
            blank = "yes" if column.form == "truth" else blank
            lines.append(f"  {column.name:<17} {column.meaning} [{blank}]")
    return "\n".join(lines)
