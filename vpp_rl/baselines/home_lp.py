"""Perfect-foresight bound of a home: battery, car, sun and further devices in one programme.

The programme relaxes the simulator where a car is no linear thing: charging may run below the least
current and does not slow down near full, and with a deeply negative price energy may be burnt in
losses. So it is an upper bound on what any policy earns; its plan is played back only to see how
far the bound lies above it. Homes without a car have the exact programme of `foresight`. Homes that
share a connection are solved together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vpp_rl.baselines.parts import (
    Column,
    Part,
    Row,
    Term,
    meter_of,
    programme_of,
    renamed,
    solution_of,
)
from vpp_rl.baselines.storage_lp import Floats, Programme, load_programme, new_solver, run_solver

# More than any price: a target is given up only where it is out of reach. [currency/kWh]
_SHORT_PER_KWH = 1e3
# Columns beyond which an interior point, made a vertex afterwards, is found three times as fast.
_LARGE = 50_000


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
    flexible_kw: tuple[Floats, ...] = ()  # of each further part, (T,)


class Member(NamedTuple):
    """One home of a group."""

    home: Home
    signals: Signals
    flexible: Sequence[Part] = ()  # further devices, from `flexible_lp`
    unmanaged: bool = False  # nobody chooses when its car charges, and no limit holds it back


def solve_home(
    home: Home,
    signals: Signals,
    dt_h: float,
    final_value_per_kwh: float,
    flexible: Sequence[Part] = (),
) -> HomePlan:
    """Find the dispatch of one home that earns the most, knowing everything.

    Args:
        home: Constants.
        signals: What it meets.
        dt_h: Length of an interval. [h]
        final_value_per_kwh: Credit for a kWh in store at the end. [currency/kWh]
        flexible: Further devices, from `flexible_lp`.
    """
    return solve_homes([Member(home, signals, flexible)], None, dt_h, final_value_per_kwh)[0]


def solve_homes(
    members: Sequence[Member], limit_kw: float | None, dt_h: float, final_value_per_kwh: float
) -> list[HomePlan]:
    """Find the dispatch of homes that share a connection which earns the most together.

    Args:
        members: The homes.
        limit_kw: Of their connection, either way; none: they share none. [kW]
        dt_h: Length of an interval. [h]
        final_value_per_kwh: Credit for a kWh in store at the end. [currency/kWh]
    """
    ticks = len(members[0].signals.load_kw)
    own = [_parts(member, dt_h, final_value_per_kwh) for member in members]
    named = [[renamed(part, f"{i}/") for part in parts] for i, parts in enumerate(own)]
    loads = [member.signals.load_kw for member in members]
    joints = [meter_of(parts, load_kw) for parts, load_kw in zip(named, loads, strict=True)]
    if limit_kw is not None:
        joints.append(_together(members, limit_kw))
    everything = [part for parts in named for part in parts]
    solution = _solved(programme_of(everything, joints, ticks))
    column = solution_of(everything, solution, ticks)
    return [
        _plan(parts, {name: column[f"{i}/{name}"] for part in parts for name in part.columns})
        for i, parts in enumerate(own)
    ]


def _parts(member: Member, dt_h: float, final_value_per_kwh: float) -> list[Part]:
    """A home's connection and devices; those of `Member.flexible` come last."""
    home, signals = member.home, member.signals
    parts = [
        _site(home, signals, dt_h, member.flexible),
        _battery(home, dt_h, final_value_per_kwh, len(signals.load_kw)),
    ]
    if home.ev_charge_kw > 0.0:
        parts.append(_car(home, signals, dt_h, final_value_per_kwh))
    return [*parts, *member.flexible]


def _plan(parts: Sequence[Part], column: Mapping[str, Floats]) -> HomePlan:
    """What a home's columns say."""
    none = np.zeros(len(column["solar"]))
    short = float(column["short"].sum()) if "short" in column else 0.0
    value = sum(
        float((one.value * column[name]).sum())
        for part in parts
        for name, one in part.columns.items()
    )
    flexible = parts[3:] if "ev_charge" in column else parts[2:]
    return HomePlan(
        column["charge"] - column["discharge"],
        column["solar"],
        column.get("ev_charge", none) - column.get("ev_discharge", none),
        value + _SHORT_PER_KWH * short,
        short,
        tuple(
            sum((sign * column[name] for name, sign in part.draws.items()), none)
            for part in flexible
        ),
    )


def _together(members: Sequence[Member], limit_kw: float) -> Row:
    """What homes draw together, within their limit or what of them must run."""
    must_kw = np.zeros_like(members[0].signals.load_kw)
    for member in members:
        must_kw = must_kw + _must_kw(member.home, member.signals, member.flexible)
        if member.unmanaged:
            must_kw = must_kw + member.home.ev_charge_kw * member.signals.plugged
    terms = [
        Term(f"{i}/{name}", sign)
        for i in range(len(members))
        for name, sign in (("imported", 1.0), ("exported", -1.0))
    ]
    return Row(tuple(terms), -limit_kw, np.maximum(limit_kw, must_kw))


def _solved(programme: Programme) -> Floats:
    """Solve a programme; where one way of the solver gets stuck, another does not."""
    ways: tuple[dict[str, str], ...] = ({"presolve": "on"}, {"presolve": "off"}, {"solver": "ipm"})
    if len(programme.value) > _LARGE:
        ways = ({"presolve": "on", "solver": "ipm"}, *ways)
    for way in ways:
        solver = new_solver(**way)
        load_programme(solver, programme)
        try:
            run_solver(solver)
        except RuntimeError:
            if way is ways[-1]:
                raise
            continue
        break
    return np.asarray(solver.getSolution().col_value)


def _site(home: Home, signals: Signals, dt_h: float, flexible: Sequence[Part]) -> Part:
    """The connection and the sun."""
    must_kw = _must_kw(home, signals, flexible)
    return Part(
        {
            "solar": Column(0.0, signals.solar_kw),
            "imported": Column(
                0.0, np.maximum(home.import_limit_kw, must_kw), -signals.import_per_kwh * dt_h
            ),
            "exported": Column(0.0, home.export_limit_kw, signals.export_per_kwh * dt_h),
        },
        (),
        {"solar": -1.0, "imported": -1.0, "exported": 1.0},
    )


def _must_kw(home: Home, signals: Signals, flexible: Sequence[Part]) -> Floats:
    """What must run and may exceed a limit, (T,). [kW]

    The load, what flexible devices promised, and what a battery at its reserve makes up for.
    """
    keeps_kw = home.standing_loss_kw / home.one_way_eff if home.charge_kw > 0.0 else 0.0
    must_kw: Floats = signals.load_kw + keeps_kw + sum(part.must_kw for part in flexible)
    return must_kw


def _battery(home: Home, dt_h: float, final: float, ticks: int) -> Part:
    one, last = np.ones(ticks), np.eye(1, ticks, ticks - 1)[0] * final
    standing_kwh = -home.standing_loss_kw * dt_h * one
    standing_kwh[0] += home.initial_kwh
    # A battery below its reserve recharges first; the bound need not follow the path.
    lowest_kwh = min(home.reserve_kwh, home.initial_kwh)
    return Part(
        {
            "charge": Column(0.0, home.charge_kw),
            "discharge": Column(0.0, home.discharge_kw, -home.wear_per_kwh * dt_h),
            "energy": Column(lowest_kwh, home.capacity_kwh, last),
        },
        (
            Row(
                (
                    Term("energy", 1.0),
                    Term("energy", -1.0, before=True),
                    Term("charge", -home.one_way_eff * dt_h),
                    Term("discharge", dt_h / home.one_way_eff),
                ),
                standing_kwh,
                standing_kwh,
            ),
        ),
        {"charge": 1.0, "discharge": -1.0},
    )


def _car(home: Home, signals: Signals, dt_h: float, final: float) -> Part:
    ticks = len(signals.load_kw)
    last = np.eye(1, ticks, ticks - 1)[0] * final
    driven_kwh = -signals.trip_kwh.copy()
    driven_kwh[0] += home.ev_initial_kwh
    stored = (
        Term("ev_energy", 1.0),
        Term("ev_energy", -1.0, before=True),
        Term("ev_charge", -home.ev_charge_eff * dt_h),
        Term("ev_discharge", dt_h / home.ev_discharge_eff),
        Term("away", -1.0),
    )
    # Before the trip: what is left after it and the trip, less what was charged elsewhere.
    promise = (Term("ev_energy", 1.0), Term("away", -1.0), Term("short", 1.0))
    # What the car holds at the end beyond its target is credited to nobody.
    beyond = (Term("over", 1.0), Term("ev_energy", -1.0))
    return Part(
        {
            "ev_charge": Column(0.0, home.ev_charge_kw * signals.plugged),
            "ev_discharge": Column(
                0.0, home.ev_discharge_kw * signals.plugged, -home.ev_wear_per_kwh * dt_h
            ),
            "ev_energy": Column(signals.lower_kwh, home.ev_capacity_kwh, last),
            "away": Column(0.0, signals.away_kwh),
            "short": Column(0.0, np.inf, -_SHORT_PER_KWH),
            "over": Column(0.0, np.inf, -last),
        },
        (
            Row(stored, driven_kwh, driven_kwh),
            Row(promise, signals.least_kwh - signals.trip_kwh, np.inf),
            Row(beyond, -home.ev_target_kwh, np.inf),
        ),
        {"ev_charge": 1.0, "ev_discharge": -1.0},
    )
