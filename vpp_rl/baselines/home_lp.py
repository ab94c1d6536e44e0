"""Perfect-foresight bound of a home with a car: battery, car and sun in one linear programme.

The programme relaxes the simulator where a car is no linear thing: charging may run below the least
current and does not slow down near full, and with a deeply negative price energy may be burnt in
losses. So it is an upper bound on what any policy earns; its plan is played back only to see how
far the bound lies above it. Homes without a car have the exact programme of `foresight`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vpp_rl.baselines.storage_lp import (
    Columns,
    Floats,
    Programme,
    load_programme,
    new_solver,
    run_solver,
)

# More than any price: a target is given up only where it is out of reach. [currency/kWh]
_SHORT_PER_KWH = 1e3


@dataclass(frozen=True)
class Home:
    """Constants of one home; the fields of the fleet as plain numbers, units as there."""

    capacity_kwh: float
    reserve_kwh: float
    charge_kw: float
    discharge_kw: float
    one_way_eff: float
    standing_loss_kw: float
    wear_per_kwh: float
    import_limit_kw: float
    export_limit_kw: float
    initial_kwh: float
    ev_capacity_kwh: float
    ev_charge_kw: float
    ev_discharge_kw: float
    ev_charge_eff: float
    ev_discharge_eff: float
    ev_wear_per_kwh: float
    ev_initial_kwh: float
    ev_target_kwh: float


class Signals(NamedTuple):
    """What a home meets, (T,) each."""

    import_per_kwh: Floats  # [currency/kWh]
    export_per_kwh: Floats  # [currency/kWh]
    load_kw: Floats
    solar_kw: Floats  # available
    plugged: Floats  # 1 while the car is at its charger
    trip_kwh: Floats  # taken from the car at the interval's end
    away_kwh: Floats  # most that it was charged elsewhere at the interval's end
    least_kwh: Floats  # energy that the car must have at the interval's end, before a trip
    lower_kwh: Floats  # energy that it never falls below


class HomePlan(NamedTuple):
    """A plan and what it earns."""

    battery_kw: Floats  # (T,) charging positive
    solar_kw: Floats  # (T,) used
    ev_kw: Floats  # (T,) charging positive
    profit: float  # market money less wear, and the credit for what is stored at the end
    short_kwh: float  # of targets, out of reach


# Blocks of columns, T each; the energies are those at the ends of the intervals.
_BLOCKS = (
    *("charge", "discharge", "ev_charge", "ev_discharge", "solar", "imported", "exported"),
    *("energy", "ev_energy", "away", "short", "over"),
)


def solve_home(home: Home, signals: Signals, dt_h: float, final_value_per_kwh: float) -> HomePlan:
    """Find the dispatch of one home that earns the most, knowing everything.

    Args:
        home: Constants.
        signals: What it meets.
        dt_h: Length of an interval. [h]
        final_value_per_kwh: Credit for a kWh in store at the end. [currency/kWh]
    """
    programme = _programme(home, signals, dt_h, final_value_per_kwh)
    solver = new_solver(presolve="on")
    load_programme(solver, programme)
    run_solver(solver)
    ticks = len(signals.load_kw)
    solution = np.asarray(solver.getSolution().col_value)
    column = {name: solution[i * ticks : (i + 1) * ticks] for i, name in enumerate(_BLOCKS)}
    short = float(column["short"].sum())
    return HomePlan(
        column["charge"] - column["discharge"],
        column["solar"],
        column["ev_charge"] - column["ev_discharge"],
        float(programme.value @ solution) + _SHORT_PER_KWH * short,
        short,
    )


def _programme(home: Home, signals: Signals, dt_h: float, final: float) -> Programme:
    """Write the programme: columns by block, rows meter, battery, car, promise and end, T each."""
    ticks = len(signals.load_kw)
    one, none = np.ones(ticks), np.zeros(ticks)
    value = _worth(home, signals, dt_h, final)
    # A battery below its reserve recharges first; the bound need not follow the path.
    reserve = np.minimum(home.reserve_kwh, home.initial_kwh) * one
    lower = {"energy": reserve, "ev_energy": signals.lower_kwh}
    upper = _most(home, signals)
    battery = -home.standing_loss_kw * dt_h * one
    battery[0] += home.initial_kwh
    car = -signals.trip_kwh.copy()
    car[0] += home.ev_initial_kwh
    exact = np.concatenate((signals.load_kw, battery, car))
    least = np.concatenate((signals.least_kwh - signals.trip_kwh, -home.ev_target_kwh * one))
    return Programme(
        value=np.concatenate([value.get(name, none) for name in _BLOCKS]),
        lower=np.concatenate([lower.get(name, none) for name in _BLOCKS]),
        upper=np.concatenate([upper[name] for name in _BLOCKS]),
        row_lower=np.concatenate((exact, least)),
        row_upper=np.concatenate((exact, np.full(2 * ticks, np.inf))),
        entries=_entries(home, dt_h, ticks),
        integral=np.zeros(len(_BLOCKS) * ticks, dtype=np.bool_),
    )


def _worth(home: Home, signals: Signals, dt_h: float, final: float) -> dict[str, Floats]:
    """Objective of the columns by block, (T,); blocks that are not there are worth nothing."""
    ticks = len(signals.load_kw)
    one, last = np.ones(ticks), np.eye(1, ticks, ticks - 1)[0] * final
    return {
        "discharge": -home.wear_per_kwh * dt_h * one,
        "ev_discharge": -home.ev_wear_per_kwh * dt_h * one,
        "imported": -signals.import_per_kwh * dt_h,
        "exported": signals.export_per_kwh * dt_h,
        "energy": last,
        "ev_energy": last,
        # What the car holds at the end beyond its target is credited to nobody.
        "over": -last,
        "short": -_SHORT_PER_KWH * one,
    }


def _most(home: Home, signals: Signals) -> dict[str, Floats]:
    """Upper bounds of the columns by block, (T,)."""
    one = np.ones(len(signals.load_kw))
    return {
        "charge": home.charge_kw * one,
        "discharge": home.discharge_kw * one,
        "ev_charge": home.ev_charge_kw * signals.plugged,
        "ev_discharge": home.ev_discharge_kw * signals.plugged,
        "solar": signals.solar_kw,
        # The site's own load may exceed its limit.
        "imported": np.maximum(home.import_limit_kw, signals.load_kw),
        "exported": home.export_limit_kw * one,
        "energy": home.capacity_kwh * one,
        "ev_energy": home.ev_capacity_kwh * one,
        "away": signals.away_kwh,
        "short": np.inf * one,
        "over": np.inf * one,
    }


def _entries(home: Home, dt_h: float, ticks: int) -> Columns:
    """Matrix of the programme."""
    one = np.ones(ticks)
    meter, battery, car, promise, end = (row * ticks + np.arange(ticks) for row in range(5))
    at = {name: i * ticks + np.arange(ticks) for i, name in enumerate(_BLOCKS)}
    entries = [
        *((meter, at[name], sign * one) for name, sign in _METER),
        (battery, at["energy"], one),
        (battery[1:], at["energy"][:-1], -one[1:]),
        (battery, at["charge"], -home.one_way_eff * dt_h * one),
        (battery, at["discharge"], dt_h / home.one_way_eff * one),
        (car, at["ev_energy"], one),
        (car[1:], at["ev_energy"][:-1], -one[1:]),
        (car, at["ev_charge"], -home.ev_charge_eff * dt_h * one),
        (car, at["ev_discharge"], dt_h / home.ev_discharge_eff * one),
        (car, at["away"], -one),
        # Before the trip: what is left after it and the trip, less what was charged elsewhere.
        (promise, at["ev_energy"], one),
        (promise, at["away"], -one),
        (promise, at["short"], one),
        (end, at["over"], one),
        (end, at["ev_energy"], -one),
    ]
    row, column, value = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    return Columns(row, column, value)


# load = imports - exports + sun - what battery and car draw
_METER = (
    *(("imported", 1.0), ("exported", -1.0), ("solar", 1.0)),
    *(("charge", -1.0), ("discharge", 1.0), ("ev_charge", -1.0), ("ev_discharge", 1.0)),
)
