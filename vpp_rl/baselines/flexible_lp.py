"""Flexible devices in the programme of a home, each between the paths of its two extremes.

Where a device is no linear thing the programme lets it do more than the simulator: so what it
earns is an upper bound. A machine may heat and cool at once, a heat pump has the best of its
efficiencies, hot water may be thrown away, a job may pause, an engine starts for nothing and burns
as little as at its best.
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
    air_rise_k_per_kw,
    equilibrium,
    transition,
)
from vpp_envs.devices.hvac import Range, machine_range
from vpp_envs.devices.water_heater import heater_now, kwh_per_k, passage
from vpp_envs.flexible.appliance_parts import ApplianceFleet
from vpp_envs.flexible.generator_parts import GeneratorFleet
from vpp_envs.flexible.hvac_parts import HouseState, HvacFleet, HvacMoment
from vpp_envs.flexible.water_heater_parts import WaterHeaterFleet
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.baselines.extremes import extremes_of
from vpp_rl.baselines.parts import Column, Part, Row, Term
from vpp_rl.baselines.storage_lp import Floats

# Beyond the extremes for rounding, which a solver takes for infeasible. [K], [kWh]
_ROOM = 1e-6
_BURNER_KW = 100.0  # more heat than any home's burner gives
_POINTS = 9  # between the extremes, at which a heat pump's range is looked up


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
        "water_heater": _tanks,
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
    rise: tuple[Tensor, Tensor]  # of air and mass by a kW of heat, (N,) [K/kW]
    rest: Temperatures
    first: HouseState  # at the start of each interval; of the first all alike
    low: HouseState
    high: HouseState
    able: Range
    may_cool: Tensor
    may_heat: Tensor


def _houses(
    env: FleetVectorEnv, starts: Tensor, ticks: int, kind: str, fleet: HvacFleet
) -> tuple[Tensor, Callable[[int, int], Part]]:
    """Air and mass by the exact step of the house; lockouts are left out.

    Nobody cools where even the warmest house is heated, nor heats where the coldest is cooled;
    between them the programme may do both.
    """
    seen = extremes_of(env, starts, ticks, kind, _kept_of_houses)
    (outdoor_c, gain_kw, coldest_cools), (_, _, warmest_cools) = seen.moment
    over = transition(fleet.house, env.scenario.dt_h)
    mass_rise = (1.0 - over.mass_air - over.mass_mass) / fleet.house.ua_kw_per_k
    lines = _HouseLines(
        over,
        (air_rise_k_per_kw(fleet.house, over), mass_rise),
        equilibrium(outdoor_c, 0.5 * gain_kw, 0.5 * gain_kw, fleet.house),
        seen.before[1].house,
        seen.after[0].house,
        seen.after[1].house,
        machine_range(outdoor_c, fleet.params),
        warmest_cools.double(),
        1.0 - coldest_cools.double(),
    )
    return seen.alone_kw, partial(_house, lines, fleet)


def _kept_of_houses(moment: HvacMoment) -> list[Tensor]:
    """What the programme needs of a moment."""
    return [moment.outdoor_c, moment.gain_kw, moment.ahead.course.cools[0]]


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

    may_heat, burner = at(lines.may_heat), float(fleet.params.burner[home])
    return Part(
        {
            "air": between("air_c"),
            "mass": between("mass_c"),
            "cool": Column(0.0, at(lines.may_cool * able.cool_kw)),
            "pump": Column(0.0, may_heat * at(able.pump_kw)),
            "auxiliary": Column(0.0, may_heat * float(fleet.params.auxiliary_kw[home])),
            "burner": Column(0.0, may_heat * burner * _BURNER_KW),
        },
        (
            balance("air", "mass", float(lines.rise[0][home])),
            balance("mass", "air", float(lines.rise[1][home])),
        ),
        {"cool": 1.0, "pump": 1.0, "auxiliary": 1.0},
    )


class _Line(NamedTuple):
    """Temperature at the end of an interval: ``left + slope before + rise heat``, (T, B, N)."""

    left_c: Tensor
    slope: Tensor
    rise_k_per_kw: Tensor


class _TankLines(NamedTuple):
    """What a tank's rows and bounds are made of, (T, B, N)."""

    above: _Line
    below: _Line
    first_c: Tensor  # at the start of each interval; of the first all alike
    coldest_c: Tensor
    warmest_c: Tensor
    pump_kw: Tensor
    least_cop: Tensor
    best_cop: Tensor


def _tanks(
    env: FleetVectorEnv, starts: Tensor, ticks: int, kind: str, fleet: WaterHeaterFleet
) -> tuple[Tensor, Callable[[int, int], Part]]:
    """Temperature between two lines that enclose what draws leave of it.

    Fixtures draw less heat from a tank below 40.6 C, so that what is left is convex in the
    temperature: between the extremes its chord lies above, and the line of a hot tank below.
    Without a tank below in reach both are the same.
    """
    dt_h, capacity = env.scenario.dt_h, kwh_per_k(fleet.params)
    seen = extremes_of(env, starts, ticks, kind, lambda m: [m.draw, m.ahead.flow])
    draw, flow = seen.moment[1]
    flow = flow._replace(kwh_per_k=capacity)
    low, high = (state.tank.temp_c for state in seen.before)
    coldest, width = torch.minimum(low, high), (high - low).abs()
    ends = torch.minimum(*(state.tank.temp_c for state in seen.after))
    zero = torch.zeros_like(coldest)
    if_cold, if_warm = (passage(t, zero, flow, dt_h).temp_c for t in (coldest, coldest + width))
    hot_slope = torch.exp(-flow.kw_per_k / capacity * dt_h).expand_as(width)
    chord = torch.where(width > 1e-9, (if_warm - if_cold) / width.clamp(min=1e-9), hot_slope)
    rise = -torch.expm1(-flow.kw_per_k / capacity * dt_h) / flow.kw_per_k
    cold_rise = -torch.expm1(-flow.cold_kw_per_k / capacity * dt_h) / flow.cold_kw_per_k
    hot = (coldest >= 40.6) & (ends >= 40.6)
    least_rise = torch.where(hot, rise, torch.minimum(cold_rise, rise))
    between = [coldest + width * point / (_POINTS - 1) for point in range(_POINTS)]
    heaters = [heater_now(temp_c, draw, fleet.params) for temp_c in between]
    cops = torch.stack([heater.pump_cop for heater in heaters])
    lines = _TankLines(
        _Line(if_cold - chord * coldest, chord, rise),
        _Line(flow.idle_c * (1.0 - hot_slope), hot_slope, least_rise),
        low,
        ends,
        torch.maximum(*(state.tank.temp_c for state in seen.after)),
        1.001 * torch.stack([heater.pump_kw for heater in heaters]).amax(0),
        0.999 * cops.amin(0),
        1.001 * cops.amax(0),
    )
    return seen.alone_kw, partial(_tank, lines, fleet)


def _tank(lines: _TankLines, fleet: WaterHeaterFleet, row: int, home: int) -> Part:
    """One home's tank in one window."""

    def at(column: Tensor) -> Floats:
        return column[:, row, home].numpy()

    def store(line: _Line) -> tuple[tuple[Term, ...], Floats]:
        left, slope, rise = at(line.left_c).copy(), at(line.slope), at(line.rise_k_per_kw)
        left[0] += slope[0] * at(lines.first_c)[0]
        heats = (Term("water_pump_heat", -rise), Term("element", -rise))
        return (Term("water", 1.0), Term("water", -slope, before=True), *heats), left

    (above, most_c), (below, least_c) = store(lines.above), store(lines.below)
    least = (Term("water_pump_heat", 1.0), Term("water_pump", -at(lines.least_cop)))
    best = (Term("water_pump_heat", 1.0), Term("water_pump", -at(lines.best_cop)))
    return Part(
        {
            "water": Column(at(lines.coldest_c) - _ROOM, at(lines.warmest_c) + _ROOM),
            "water_pump": Column(0.0, at(lines.pump_kw)),
            "water_pump_heat": Column(0.0, np.inf),
            "element": Column(0.0, float(fleet.params.element_kw[home])),
        },
        (
            Row(above, -np.inf, most_c + _ROOM),
            Row(below, least_c - _ROOM, np.inf),
            Row(least, 0.0, np.inf),
            Row(best, -np.inf, 0.0),
        ),
        {"water_pump": 1.0, "element": 1.0},
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
