"""A small table of homes to start one's own from."""

from collections.abc import Mapping

from vpp_envs.fleet.columns import ID, KIND, column_names

_SITE: Mapping[str, object] = {
    "import_limit_kw": 14.5,
    "export_limit_kw": 5.0,
    "load_mean_kw": 0.6,
    "homeowner_share": 0.8,
}
_BATTERY: Mapping[str, object] = {
    "usable_kwh": 13.5,
    "charge_kw": 5.0,
    "discharge_kw": 5.0,
    "round_trip_eff": 0.9,
    "standing_loss_kw": 0.02,
    "wear_per_kwh": 0.04,
    "reserve_pct": 20.0,
}
_CAR: Mapping[str, object] = {
    "capacity_kwh": 57.5,
    "charge_kw": 7.2,
    "discharge_kw": 0.0,
    "least_charge_kw": 1.44,
    "charge_eff": 0.9,
    "discharge_eff": 0.9,
    "taper_fill": 0.95,
    "wear_per_kwh": 0.07,
    "drive_kwh_per_km": 0.17,
    "target_pct": 85.0,
    "managed": "yes",
}
# Kinds and numbers of each home: product lines as in `sampling.py`.
_HOMES: tuple[Mapping[str, Mapping[str, object]], ...] = (
    {"site": _SITE, "battery": _BATTERY, "solar": {"ac_kw": 6.0}},
    {
        "site": {**_SITE, "load_mean_kw": 0.9},
        "battery": {**_BATTERY, "discharge_kw": 11.5, "round_trip_eff": 0.89, "reserve_pct": 30.0},
        "solar": {"ac_kw": 8.2},
        "ev": _CAR,
    },
    {
        "site": {**_SITE, "load_mean_kw": 0.5},
        "ev": {
            **_CAR,
            "capacity_kwh": 75.0,
            "discharge_kw": 9.6,
            "charge_eff": 0.92,
            "discharge_eff": 0.92,
            "minimum_pct": 40.0,
        },
    },
    {
        "site": {**_SITE, "export_limit_kw": 10.0},
        "battery": {**_BATTERY, "usable_kwh": 10.0, "charge_kw": 7.7, "discharge_kw": 7.7},
    },
)


def example_columns(homes: int) -> dict[str, list[object]]:
    """Return the cells of a valid table, None where nothing stands.

    Args:
        homes: How many, in four sorts that take turns.
    """
    rows = [
        {ID: f"home-{number + 1:03d}", KIND: kind, **cells}
        for number in range(homes)
        for kind, cells in _HOMES[number % len(_HOMES)].items()
    ]
    used = {name for home in _HOMES for cells in home.values() for name in cells} | {ID, KIND}
    return {name: [row.get(name) for row in rows] for name in column_names() if name in used}
