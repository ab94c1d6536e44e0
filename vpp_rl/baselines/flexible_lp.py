"""Flexible devices in the programme of a home, each between the paths of its two extremes.

Where a device is no linear thing the programme lets it do more than the simulator: so what it
earns is an upper bound. Where the mode is open a machine may share an interval between heating
and cooling, a job may pause, an engine starts for nothing and burns as little as at its best.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.devices.generator import cost_per_kwh
from vpp_envs.devices.house import (
    Temperatures,
    Transition,
    equilibrium,
    rise_k_per_kw,
    transition,
)
from vpp_envs.devices.hvac import Range, machine_range
from vpp_envs.flexible.appliance_parts import ApplianceFleet
from vpp_envs.flexible.generator_parts import GeneratorFleet
from vpp_envs.flexible.hvac_parts import Gains, HouseState, HvacFleet, HvacMoment
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.baselines.extremes import extremes_of
from vpp_rl.baselines.parts import Column, Part, Row, Term
from vpp_rl.baselines.storage_lp import Floats
from vpp_rl.baselines.tank_lp import tanks

# Beyond the extremes for rounding, which a solver takes for infeasible. [K], [kWh]
_ROOM = 1e-6


class Kind(NamedTuple):
    """A kind of device in windows: its part in a home's programme, and what it does alone."""

    alone_kw: Tensor  # of devices that nobody may command, 0 of others, (T, B, N) [kW]
    part: Callable[[int, int], Part | None]  # of a row's home; none: nobody may command it


def kinds_in_windows(env: FleetVectorEnv, starts: Tensor, ticks: int) -> dict[str, Kind]:
    """Prepare all kinds of flexible devices that the homes have, in order.

    Args:
        env: At the start of the windows, a row each.
        starts: First tick of each, (B,) int64.
        ticks: Intervals T.
    """
    flexible = env.fleet.flexible
    if flexible is None:
        return {}
    kinds: dict[str, Kind] = {}
    makers: dict[str, Callable[..., tuple[Tensor, Callable[[int, int], Part]]]] = {
        "water_heater": tanks,
        "hvac": _houses,
        "generator": _engines,
    }
    for kind, devices in flexible._asdict().items():
        if devices is None:
            continue
        make = makers.get(kind, _machines)
        alone_kw, part = make(env, starts, ticks, kind, devices)
        commanded = devices.cohort >= 0
        alone_kw = torch.where(commanded, torch.zeros_like(alone_kw), alone_kw)
        kinds[kind] = Kind(alone_kw, _of_commanded(commanded, part))
    return kinds


def _of_commanded(
    commanded: Tensor, part: Callable[[int, int], Part]
) -> Callable[[int, int], Part | None]:
    return lambda row, home: part(row, home) if bool(commanded[home]) else None


class _HouseLines(NamedTuple):
    """What a house's rows and bounds are made of; (T, B, N), constants (N,)."""

    over: Transition
    rise: Temperatures  # of air and mass by a kW of heat, (N,) [K/kW]
    rest: Temperatures
    first: HouseState  # at the start of each interval; of the first all alike
    low: HouseState
    high: HouseState
    able: Range
    may_cool: Tensor
    may_heat: Tensor
    burner_kw: Tensor  # most heat of a burner
    must_kw: Tensor  # most that the machine may have to draw


def _houses(
    env: FleetVectorEnv, starts: Tensor, ticks: int, kind: str, fleet: HvacFleet
) -> tuple[Tensor, Callable[[int, int], Part]]:
    """Air and mass by the exact step of the house; lockouts are left out.

    Nobody cools where even the warmest house is heated, nor heats where the coldest is cooled;
    between them the programme may do both.
    """
    seen = extremes_of(env, starts, ticks, kind, _kept_of_houses)
    (outdoor_c, gains, coldest_cools, free_c), warmest_cools = seen.moment[0], seen.moment[1].cools
    over = transition(fleet.house, env.scenario.dt_h)
    rise, coldest = rise_k_per_kw(fleet.house, over), seen.after[0].house
    lines = _HouseLines(
        over,
        rise,
        equilibrium(outdoor_c, gains.air_kw, gains.mass_kw, fleet.house),
        seen.before[1].house,
        coldest,
        seen.after[1].house,
        machine_range(outdoor_c, fleet.params),
        warmest_cools.double(),
        1.0 - coldest_cools.double(),
        # No burner gives more than that of the coldest house.
        ((coldest.air_c - free_c) / rise.air_c).clamp(min=0.0) * fleet.params.burner,
        torch.maximum(~coldest_cools * seen.drawn_kw[0], warmest_cools * seen.drawn_kw[1]),
    )
    return seen.alone_kw, partial(_house, lines, fleet)


class _Kept(NamedTuple):
    """What the programme needs of a house's moment, (..., N)."""

    outdoor_c: Tensor
    gains: Gains
    cools: Tensor
    free_c: Tensor


def _kept_of_houses(moment: HvacMoment) -> _Kept:
    course = moment.ahead.course
    return _Kept(moment.outdoor_c, moment.gains, course.cools[0], course.free.air_c[0])


def _house(lines: _HouseLines, fleet: HvacFleet, row: int, home: int) -> Part:
    """One home's house in one window."""

    def at(column: Tensor) -> Floats:
        return column[:, row, home].numpy()

    def between(name: str) -> Column:
        one, other = at(getattr(lines.low, name)), at(getattr(lines.high, name))
        return Column(np.minimum(one, other) - _ROOM, np.maximum(one, other) + _ROOM)

    over, able = lines.over, lines.able
    own = {"air": over.air_air, "mass": over.mass_mass}
    cross = {"air": over.air_mass, "mass": over.mass_air}
    rests = {"air": at(lines.rest.air_c), "mass": at(lines.rest.mass_c)}
    begins = {"air": at(lines.first.air_c)[0], "mass": at(lines.first.mass_c)[0]}

    def balance(name: str, other: str, rise: float) -> Row:
        stays, comes = float(own[name][home]), float(cross[name][home])
        constant = (1.0 - stays) * rests[name] - comes * rests[other]
        constant[0] += stays * begins[name] + comes * begins[other]
        terms = (
            Term(name, 1.0),
            Term(name, -stays, before=True),
            Term(other, -comes, before=True),
            Term("cool", rise * at(able.cool_per_kw)),
            Term("pump", -rise * at(able.heat_per_kw)),
            Term("auxiliary", -rise),
            Term("burner", -rise),
        )
        return Row(terms, constant, constant)

    may_heat, auxiliary_kw = at(lines.may_heat), float(fleet.params.auxiliary_kw[home])
    return Part(
        {
            "air": between("air_c"),
            "mass": between("mass_c"),
            "cool": Column(0.0, at(lines.may_cool * able.cool_kw)),
            "pump": Column(0.0, may_heat * at(able.pump_kw)),
            "auxiliary": Column(0.0, may_heat * auxiliary_kw),
            "burner": Column(0.0, may_heat * at(lines.burner_kw) + _ROOM),
        },
        (
            balance("air", "mass", float(lines.rise.air_c[home])),
            balance("mass", "air", float(lines.rise.mass_c[home])),
            *_one_mode(at(able.cool_kw), at(able.pump_kw), auxiliary_kw),
        ),
        {"cool": 1.0, "pump": 1.0, "auxiliary": 1.0},
        at(lines.must_kw) + _ROOM,
    )


def _one_mode(cool_kw: Floats, pump_kw: Floats, auxiliary_kw: float) -> tuple[Row, ...]:
    """Resistance heats beyond a pump that never rests, and who cools half the time heats half."""
    beside = Term("auxiliary", pump_kw), Term("pump", -auxiliary_kw)
    shares = Term("cool", pump_kw), Term("pump", cool_kw)
    pumps = pump_kw > 0
    return (
        Row(beside, -np.inf, np.where(pumps, 0.0, np.inf)),
        Row(shares, -np.inf, np.where(pumps, cool_kw * pump_kw, np.inf)),
    )


def _machines(
    env: FleetVectorEnv, starts: Tensor, ticks: int, kind: str, fleet: ApplianceFleet
) -> tuple[Tensor, Callable[[int, int], Part]]:
    """Energy drawn so far between that of jobs started at once and at the last moment."""
    dt_h = env.scenario.dt_h
    seen = extremes_of(env, starts, ticks, kind, lambda moment: moment.comes)
    late_kwh, soon_kwh = (drawn_kw.cumsum(0) * dt_h for drawn_kw in seen.drawn_kw)

    def part(row: int, home: int) -> Part:
        drawn, run = f"{kind}_kwh", f"{kind}_kw"
        sums = (Term(drawn, 1.0), Term(drawn, -1.0, before=True), Term(run, -dt_h))
        late, soon = late_kwh[:, row, home].numpy(), soon_kwh[:, row, home].numpy()
        return Part(
            {
                drawn: Column(np.minimum(late, soon) - _ROOM, np.maximum(late, soon) + _ROOM),
                run: Column(0.0, float(fleet.rated_kw[home])),
            },
            (Row(sums, 0.0, 0.0),),
            {run: 1.0},
            float(fleet.rated_kw[home]),
        )

    return seen.alone_kw, part


def _engines(
    env: FleetVectorEnv, starts: Tensor, ticks: int, kind: str, fleet: GeneratorFleet
) -> tuple[Tensor, Callable[[int, int], Part]]:
    """Output up to the rating, at the cost of full load, for as many hours as are left."""
    dt_h, engine = env.scenario.dt_h, fleet.params
    assert env.state.flexible is not None
    assert env.state.flexible.generator is not None
    left_h = fleet.agreement.cap_h - env.state.flexible.generator.run_s / 3600.0
    cost = cost_per_kwh(engine.most_kw, fleet.price_per_l, fleet.upkeep_per_kwh, engine)

    def part(row: int, home: int) -> Part:
        most_kw = float(engine.most_kw[home])
        sums = (
            Term("generated_kwh", 1.0),
            Term("generated_kwh", -1.0, before=True),
            Term("generated_kw", -dt_h),
        )
        return Part(
            {
                "generated_kw": Column(0.0, most_kw, -float(cost[home]) * dt_h),
                "generated_kwh": Column(0.0, most_kw * max(float(left_h[row, home]), 0.0)),
            },
            (Row(sums, 0.0, 0.0),),
            {"generated_kw": -1.0},
        )

    none = torch.zeros(ticks, *env.energy_kwh.shape, dtype=torch.float64)
    return none, part
