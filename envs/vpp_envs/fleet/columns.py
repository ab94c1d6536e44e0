"""The columns of a fleet table: one row a device, and what each kind of row may say."""

from vpp_envs.fleet.column import (
    NEEDED,
    Column,
    archetype_column,
    blank_means,
    energy_column,
    power_column,
    range_of,
    share_column,
    truth_column,
)
from vpp_envs.fleet.columns_flexible import FLEXIBLE_COLUMNS
from vpp_envs.fleet.fleet import AT_ONCE, HABITS
from vpp_envs.fleet.sampling import DRIVER_ARCHETYPES, LOAD_ARCHETYPES, SOLAR_ARCHETYPES
from vpp_envs.fleet.spec import DEPOT_KINDS
from vpp_envs.signals.synthetic.duty import DUTY_ARCHETYPES

__all__ = ["ID", "KIND", "KINDS", "NEEDED", "Column", "column_names", "columns_help"]
ID, KIND = "home_id", "kind"


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
        power_column("import_limit_kw", "most that the site may draw from the grid", 150.0),
        power_column("export_limit_kw", "most that it may feed in, positive", 150.0),
        Column(
            "load_mean_kw",
            "mean of what the home draws by itself",
            0.6,
            usual=(0.0, 10.0),
            slip="looks like W, or like kWh a day; write the mean in kW, such as 0.6",
        ),
        archetype_column(LOAD_ARCHETYPES, "load")._replace(name="load_archetype"),
        Column(
            "homeowner_share",
            "share of the devices' market money paid to the owner",
            0.8,
            most=1.0,
            slip="looks like percent; write a share such as 0.8",
        ),
        Column(
            "connection",
            "number of a connection that several share, the same for all of them",
            without="shares none",
            most=999_999_999.0,
            slip="number the connections, and leave it blank where none is shared",
            form="whole",
        ),
        power_column(
            "connection_kw", "what it brings to the limit there, either way", 500.0, zero=False
        )._replace(without="needed with connection"),
        Column(
            "chargers",
            "what it brings to the chargers there, 0.5 where two cars share one",
            1.0,
            most=1.0,
            zero=False,
            slip="looks like all chargers there; write this one's part, such as 0.5",
        ),
    ),
    "battery": (
        energy_column("usable_kwh", "usable energy between empty and full", 200.0),
        power_column("charge_kw", "AC limit when charging", 100.0, zero=False),
        power_column("discharge_kw", "AC limit when discharging, positive", 100.0, zero=False),
        share_column("round_trip_eff", "AC-to-AC round-trip efficiency, 0 to 1", 0.9, 0.6),
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
        power_column("ac_kw", "AC rating of the system", 100.0, zero=False),
        archetype_column(SOLAR_ARCHETYPES, "roof"),
    ),
    "ev": (
        energy_column("capacity_kwh", "usable energy of the car", 250.0),
        power_column("charge_kw", "AC limit: the lesser of car and charger", 100.0, zero=False),
        power_column("discharge_kw", "AC limit of vehicle-to-grid, 0 without", 100.0, default=0.0),
        Column("least_charge_kw", "it charges at this power or not at all", 1.44),
        share_column("charge_eff", "stored over drawn, 0 to 1", 0.9, 0.6),
        share_column("discharge_eff", "fed in over taken from the store, 0 to 1", 0.9, 0.6),
        share_column("taper_fill", "fill from which charging slows down, 0 to 1", 0.95, 0.5),
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
        truth_column("managed", "yes: others choose when it charges", 1.0),
        Column("habit", "when it charges left alone", AT_ONCE, form="choice", choices=HABITS),
        archetype_column(
            DRIVER_ARCHETYPES + len(DEPOT_KINDS) * DUTY_ARCHETYPES,
            "drivers' and, from 32 on, buses', vans' and municipal vehicles'",
        ),
    ),
    **FLEXIBLE_COLUMNS,
}


def column_names() -> tuple[str, ...]:
    """Every column of a table, in order, each once."""
    names = (column.name for columns in KINDS.values() for column in columns)
    return (ID, KIND, *dict.fromkeys(names))


def columns_help() -> str:
    """Every column of every kind, with what a blank cell means and its range, for people."""
    lines = []
    for kind, columns in KINDS.items():
        lines.append(f"\nkind = {kind}")
        for column in columns:
            said = f"{column.meaning} [{blank_means(column)}]"
            lines.append(f"  {column.name:<17} {said} {range_of(column)}")
    return "\n".join(lines)
