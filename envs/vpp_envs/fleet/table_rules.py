"""Rules that tie the numbers of one row together, or to those of its site."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vpp_envs.fleet.table_rule import A_HAIR, Columns, Rule, above_connection
from vpp_envs.fleet.table_rules_flexible import FLEXIBLE_RULES

_LONG_H = 10.0
_LARGE_RESERVE = 0.80


class Part(NamedTuple):
    """A part of the capacity, given in per cent or in kWh."""

    name: str
    capacity: str
    needed: Callable[[Columns], np.ndarray]  # where one of the two must be given
    why: str  # it must


def _everywhere(columns: Columns) -> np.ndarray:
    return np.ones(len(next(iter(columns.values()))), dtype=bool)


def _discharges(columns: Columns) -> np.ndarray:
    return columns["discharge_kw"] > 0


def _charger(kind: str) -> Rule:
    return above_connection("charge_kw", f"{kind} never charges")


def _looks_like_a_share(column: str) -> Rule:
    return Rule(
        column,
        lambda c: (c[column] > 0) & (c[column] <= 1),
        "is per cent and looks like a share; write 20 for 20 %",
        warning=True,
    )


PARTS: dict[str, tuple[Part, ...]] = {
    "battery": (Part("reserve", "usable_kwh", _everywhere, "what stays for backup is a promise"),),
    "ev": (
        Part("target", "capacity_kwh", _everywhere, "what is stored at departure is a promise"),
        Part("minimum", "capacity_kwh", _discharges, "the car discharges"),
    ),
}

RULES: dict[str, tuple[Rule, ...]] = {
    "site": (
        Rule(
            "import_limit_kw",
            lambda c: c["import_limit_kw"] < c["load_mean_kw"],
            "is below load_mean_kw, so that the home alone is beyond it; check both",
            warning=True,
        ),
        Rule(
            "connection",
            lambda c: ~np.isnan(c["connection"]) & np.isnan(c["connection_kw"]),
            "needs connection_kw beside it; write what the home brings to the limit, in kW",
        ),
        Rule(
            "connection_kw",
            lambda c: np.isnan(c["connection"]) & ~np.isnan(c["connection_kw"]),
            "needs connection beside it; write one number for all that share the connection",
        ),
    ),
    "battery": (
        Rule(
            "reserve_kwh",
            lambda c: c["reserve_kwh"] > c["usable_kwh"],
            "is more than usable_kwh; write what is kept of it",
        ),
        Rule(
            "reserve_pct",
            lambda c: (
                (c["reserve_kwh"] > (_LARGE_RESERVE + A_HAIR) * c["usable_kwh"])
                & (c["reserve_kwh"] <= c["usable_kwh"])
            ),
            "keeps more than 80 % of the capacity, which leaves little to dispatch; check it",
            warning=True,
        ),
        Rule(
            "discharge_kw",
            lambda c: c["usable_kwh"] > (_LONG_H + A_HAIR) * c["discharge_kw"],
            "takes more than 10 h to empty the battery; check usable_kwh and discharge_kw",
            warning=True,
        ),
        _charger("battery"),
        _looks_like_a_share("reserve_pct"),
    ),
    "solar": (),
    "ev": (
        Rule(
            "target_kwh",
            lambda c: c["target_kwh"] > c["capacity_kwh"],
            "is more than capacity_kwh; write what is stored at departure",
        ),
        Rule(
            "minimum_pct",
            lambda c: c["minimum_kwh"] > c["target_kwh"],
            "is above the target; lower it, or raise the target",
        ),
        Rule(
            "least_charge_kw",
            lambda c: c["least_charge_kw"] > c["charge_kw"],
            "is above charge_kw, so that the car never charges; lower it, or leave it blank",
        ),
        _charger("car"),
        _looks_like_a_share("target_pct"),
        _looks_like_a_share("minimum_pct"),
        Rule(
            "discharge_kw",
            lambda c: (c["discharge_kw"] > 0) & (c["managed"] == 0),
            "is never used, because the car is not managed; write managed yes, or discharge_kw 0",
            warning=True,
        ),
    ),
    **FLEXIBLE_RULES,
}
