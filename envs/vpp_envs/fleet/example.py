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
_TANK: Mapping[str, object] = {
    "volume_l": 170.0,
    "element_kw": 4.5,
    "heat_pump": "no",
    "setpoint_c": 52.0,
    "least_c": 43.0,
    "most_c": 60.0,
    "draw_l_per_day": 260.0,
    "managed": "yes",
}
_HOUSE: Mapping[str, object] = {
    "floor_m2": 160.0,
    "insulation": "normal",
    "cooling_kw": 14.0,
    "heating": "gas",
    "cool_setpoint_c": 24.5,
    "heat_setpoint_c": 20.0,
    "setback_k": 2.0,
    "prepare_k": 1.5,
    "managed": "yes",
}
_DISHWASHER: Mapping[str, object] = {"cycle_kwh": 1.2, "cycle_h": 2.0, "managed": "yes"}
_WASHER: Mapping[str, object] = {"cycle_kwh": 0.4, "cycle_h": 0.8, "managed": "yes"}
_DRYER: Mapping[str, object] = {"cycle_kwh": 1.85, "cycle_h": 0.5, "managed": "no"}
_PUMP: Mapping[str, object] = {"pump_kw": 1.35, "hours_per_day": 6.0, "managed": "yes"}
_ENGINE: Mapping[str, object] = {
    "rated_kw": 14.0,
    "least_kw": 4.2,
    "fuel": "gas",
    "start_cost": 5.0,
    "permitted_for_dr": "no",
    "cap_h_per_year": 100.0,
    "min_up_h": 0.5,
    "min_down_h": 0.25,
}
# Kinds and numbers of each home: product lines as in `sampling.py`.
_HOMES: tuple[Mapping[str, Mapping[str, object]], ...] = (
    {
        "site": _SITE,
        "battery": _BATTERY,
        "solar": {"ac_kw": 6.0},
        "water_heater": _TANK,
        "hvac": _HOUSE,
        "dishwasher": _DISHWASHER,
        "washer": _WASHER,
        "dryer": _DRYER,
    },
    {
        "site": {**_SITE, "load_mean_kw": 0.9},
        "battery": {**_BATTERY, "discharge_kw": 11.5, "round_trip_eff": 0.89, "reserve_pct": 30.0},
        "solar": {"ac_kw": 8.2},
        "ev": _CAR,
        "water_heater": {**_TANK, "volume_l": 225.0, "heat_pump": "yes"},
        "hvac": {**_HOUSE, "floor_m2": 200.0, "insulation": "good", "heating": "heat pump"},
        "pool_pump": _PUMP,
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
        "generator": _ENGINE,
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
