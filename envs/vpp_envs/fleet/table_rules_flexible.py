"""Rules that tie the numbers of a flexible device together: above all, what it cannot promise."""

from collections.abc import Callable

import numpy as np
import torch

from vpp_envs.fleet.hvac_sampling import drift_while_resting_k
from vpp_envs.fleet.table_blanks import DIESEL, GAS, PUMP, RESISTANCE, house_params
from vpp_envs.fleet.table_rule import A_HAIR, SITE, Columns, Rule, above_connection
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceType

_LEAST_BAND_K = 3.0  # between the least and the most of a tank


def _larger_kw(c: Columns) -> np.ndarray:
    return np.maximum(c["cooling_kw"], c["heating_kw"])


def _drift_k(c: Columns) -> np.ndarray:
    """How far the air drifts while the compressor rests, (M,). [K]"""
    heat_kw, rest_h = torch.from_numpy(_larger_kw(c)), torch.from_numpy(c["min_down_h"])
    return drift_while_resting_k(heat_kw, house_params(dict(c)), rest_h).numpy()


def _band_k(c: Columns) -> np.ndarray:
    """Width of the comfort band of heating or cooling that is promised, (M,). [K]"""
    middle_k = 0.5 * (c["cool_setpoint_c"] - c["heat_setpoint_c"])
    return c["setback_k"] + np.minimum(c["prepare_k"], middle_k) - 2.0 * c["margin_k"]


def _of(column: str) -> Callable[[Columns], np.ndarray]:
    return lambda c: c[column]


_TANK = (
    Rule(
        "element_kw",
        lambda c: (c["element_kw"] == 0) & (c["heat_pump"] == 0),
        "leaves the tank without heat, for it has no heat pump; write the element's power, or "
        "heat_pump yes",
    ),
    Rule(
        "heat_pump_kw",
        lambda c: (c["heat_pump_kw"] > 0) & (c["heat_pump"] == 0),
        "belongs to a heat pump, and heat_pump is no; write heat_pump yes, or leave it blank",
    ),
    Rule(
        "most_c",
        lambda c: c["most_c"] - c["least_c"] < _LEAST_BAND_K,
        "must be at least {:g}, 3 K above least_c, for a narrower band cannot be promised; lower "
        "least_c or raise most_c",
        expected=(lambda c: c["least_c"] + _LEAST_BAND_K,),
    ),
    Rule(
        "setpoint_c",
        lambda c: c["setpoint_c"] > c["most_c"],
        "is above most_c ({:g} C), so that its own thermostat breaks the promise; lower it, or "
        "raise most_c",
        expected=(_of("most_c"),),
    ),
    Rule(
        "setpoint_c",
        lambda c: c["setpoint_c"] - c["deadband_k"] < c["least_c"] - A_HAIR,
        "less deadband_k ({:g} K) is below least_c ({:g} C), so that its own thermostat lets the "
        "promise go; raise it, or lower least_c or deadband_k",
        expected=(_of("deadband_k"), _of("least_c")),
    ),
    above_connection("element_kw", "tank never heats"),
)

_HOUSE = (
    Rule(
        "cooling_kw",
        lambda c: (_larger_kw(c) == 0) & (c["auxiliary_kw"] == 0),
        "leaves a machine that neither cools nor heats; write its size, or take the row out",
    ),
    Rule(
        "heating_kw",
        lambda c: (c["heating_kw"] > 0) & (c["heating"] != PUMP) & ~np.isnan(c["heating"]),
        "is the heat of a heat pump, and heating is none; write heating heat pump, or leave it "
        "blank",
    ),
    Rule(
        "heating_kw",
        lambda c: (c["heating_kw"] == 0) & (c["heating"] == PUMP),
        "is no heat pump; write its size, or what else heats the home as heating",
    ),
    Rule(
        "auxiliary_kw",
        lambda c: (
            (c["auxiliary_kw"] > 0)
            & (c["heating"] != PUMP)
            & (c["heating"] != RESISTANCE)
            & ~np.isnan(c["heating"])
        ),
        "is resistance heat, which heating does not name; write heating resistance, or leave it "
        "blank",
    ),
    Rule(
        "heat_setpoint_c",
        lambda c: c["heat_setpoint_c"] > c["cool_setpoint_c"] - c["deadband_k"],
        "must be at most {:g}, one deadband below cool_setpoint_c, for nobody heats and cools at "
        "once; lower it, or raise cool_setpoint_c",
        expected=(lambda c: c["cool_setpoint_c"] - c["deadband_k"],),
    ),
    Rule(
        "setback_k",
        lambda c: _band_k(c) < _drift_k(c) - A_HAIR,
        "must be at least {:.2f}, for the machine moves the air by {:.2f} K while its compressor "
        "rests and a narrower band cannot be promised; allow more setback_k or prepare_k, or "
        "choose a smaller machine",
        expected=(lambda c: c["setback_k"] + _drift_k(c) - _band_k(c), _drift_k),
    ),
    above_connection("rated_kw", "machine never runs"),
)


def _per_h(c: Columns) -> np.ndarray:
    return c["cycle_kwh"] / c["cycle_h"]


def _machine(kind: ApplianceType) -> tuple[Rule, ...]:
    mean_kw = sum(kind.block_kw) / len(kind.block_kw)
    return (
        Rule(
            "cycle_kwh",
            lambda c: (_per_h(c) > 3.0 * mean_kw) | (_per_h(c) < mean_kw / 3.0),
            "means {:.2g} kW over cycle_h, where a typical one draws {:.2g}; check both",
            warning=True,
            expected=(_per_h, lambda c: np.full_like(c["cycle_h"], mean_kw)),
        ),
    )


def _fuel(column: str, fuel: float, low: float, high: float, slip: str) -> Rule:
    return Rule(
        column,
        lambda c: (c["fuel"] == fuel) & ((c[column] < low) | (c[column] > high)),
        f"lies outside {low:g} to {high:g}; {slip}",
        warning=True,
    )


_LITRES = "gas is counted in litres, a thousand of a m3: check it"
_ENGINE = (
    Rule(
        "least_kw",
        lambda c: c["least_kw"] > c["rated_kw"],
        "is above rated_kw ({:g} kW), so that it never runs; lower it, or leave it blank",
        expected=(_of("rated_kw"),),
    ),
    Rule(
        "tank_l",
        lambda c: (c["tank_l"] > 0) & (c["fuel"] == GAS),
        "is a tank of diesel, and fuel is gas; write fuel diesel, or leave it blank",
    ),
    Rule(
        "cap_h_per_year",
        lambda c: (c["permitted_for_dr"] > 0) & (c["cap_h_per_year"] < c["min_up_h"]),
        "does not last for one run of {:g} h; raise it, or write permitted_for_dr no",
        expected=(_of("min_up_h"),),
    ),
    Rule(
        "permitted_for_dr",
        lambda c: (c["permitted_for_dr"] > 0) & (c["least_kw"] > c[SITE + "export_limit_kw"]),
        "is of no use, because its least load of {:g} kW is above the export_limit_kw of its site "
        "({:g} kW); write no, or raise the limit if the grid's operator does",
        expected=(_of("least_kw"), _of(SITE + "export_limit_kw")),
    ),
    _fuel("fuel_l_per_kwh", DIESEL, 0.15, 0.6, "check it"),
    _fuel("fuel_l_per_kwh", GAS, 150.0, 800.0, _LITRES),
    _fuel("fuel_price_per_l", DIESEL, 0.0, 5.0, "write currency a litre, such as 1.4"),
    _fuel("fuel_price_per_l", GAS, 0.0, 0.005, _LITRES),
    Rule(
        "idle_l_per_h",
        lambda c: c["idle_l_per_h"] > c["fuel_l_per_kwh"] * c["rated_kw"],
        "is more than the load burns at full power; check it",
        warning=True,
    ),
)

FLEXIBLE_RULES: dict[str, tuple[Rule, ...]] = {
    "water_heater": _TANK,
    "hvac": _HOUSE,
    **{
        name: (above_connection("pump_kw", "pump never runs"),)
        if name == "pool_pump"
        else _machine(kind)
        for name, kind in APPLIANCES.items()
    },
    "generator": _ENGINE,
}
