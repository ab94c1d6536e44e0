"""A tank of hot water in the programme of its home.

Above 40.6 C a step is linear in temperature and heat. Below, fixtures draw less heat than from a
hot tank, so that a step is convex: it lies above the line of the hot tank and, between the
extremes, below their chord. Without a tank below 40.6 C in reach both are the same and nothing is
relaxed. A heat pump moves heat by a factor that depends on the water: the programme has the
envelope of factor times power. The weekly heat against Legionella is asked of nobody. A heater that
hears CTA-2045 messages alone is taken for one that takes any power, which can do all that it can.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.devices.water_heater import (
    Draw,
    WaterHeaterParams,
    flow,
    heater_now,
    most_kw,
    passage,
)
from vpp_envs.fleet.pick import first_of, map_columns
from vpp_envs.flexible.water_heater import is_due
from vpp_envs.flexible.water_heater_parts import WaterHeaterFleet
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.baselines.extremes import Extremes, extremes_of
from vpp_rl.baselines.layered_tank_lp import LayeredTank, layered_tank
from vpp_rl.baselines.parts import Column, Part, Row, Term
from vpp_rl.baselines.storage_lp import Floats

# Beyond the extremes for rounding, which a solver takes for infeasible. [K]
_ROOM = 1e-6
_POINTS = 9  # between the extremes, at which a heat pump's range is looked up
_HOT_C, _HOTTER_C = 200.0, 300.0  # so far above 40.6 C that a step begins and ends there


class Line(NamedTuple):
    """A step: ``after = per_k * before + per_kw * heat + off_c``, (..., N)."""

    per_k: Tensor
    per_kw: Tensor
    off_c: Tensor


class PumpBox(NamedTuple):
    """What a heat pump can do with water between the extremes, (..., N)."""

    least_kw: Tensor  # electricity of a compressor that never rests, where it is least [kW]
    most_kw: Tensor  # and where it is most [kW]
    low_cop: Tensor
    high_cop: Tensor
    cop_per_k: Tensor  # of a straight line that no COP lies above, by the water's temperature
    cop_off: Tensor


def tanks(
    env: FleetVectorEnv, starts: Tensor, ticks: int, kind: str, fleet: WaterHeaterFleet
) -> tuple[Tensor, Callable[[int, int], Part]]:
    """Prepare the tanks of all homes in windows.

    Args:
        env: At the start of the windows, a row each.
        starts: First tick of each, (B,) int64.
        ticks: Intervals T.
        kind: Its name.
        fleet: Constants, (N,).

    Returns:
        What tanks draw that nobody commands, (T, B, N) [kW], and the part of a row's home.
    """
    dt_h = env.scenario.dt_h
    seen = extremes_of(env, starts, ticks, kind, lambda moment: moment.draw)
    coldest_c, warmest_c = (state.tank.temp_c for state in seen.before)
    draw = seen.moment[1]
    hot, chord = lines_around(coldest_c, warmest_c, draw, fleet.params, dt_h)
    pump = pump_between(coldest_c, warmest_c, draw, fleet.params)
    low_c, high_c = (state.tank.temp_c for state in seen.after)
    must_kw = torch.maximum(seen.drawn_kw[0], _weekly_kw(seen, draw, fleet, dt_h))
    must_kw = torch.maximum(must_kw, _contact_kw(seen, draw, fleet))
    if fleet.layered is not None:
        first = first_of(seen.before[1].tank)
        box = layered_tank(first, draw, fleet, dt_h)
        (hot, chord), pump, (low_c, high_c, must_kw) = _with_layers(
            box, (hot, chord), pump, (low_c, high_c, must_kw), draw, fleet
        )

    def part(row: int, home: int) -> Part:
        def at(column: Tensor) -> Floats:
            return np.asarray(column[:, row, home].numpy())

        first_c = float(warmest_c[0, row, home])
        element_kw = float(fleet.params.element_kw[home])
        columns = {
            "water": Column(at(low_c) - _ROOM, at(high_c) + _ROOM),
            "element": Column(0.0, element_kw),
        }
        rows, heats, draws = [], ["element"], {"element": 1.0}
        if bool(fleet.params.pump_kw[home] > 0):
            columns["water_pump"] = Column(0.0, at(pump.most_kw))
            columns["water_pump_heat"] = Column(0.0, np.inf)
            rows += _pump_rows(at, pump, element_kw, first_c)
            heats, draws = [*heats, "water_pump_heat"], {**draws, "water_pump": 1.0}

        def step(line: Line) -> tuple[tuple[Term, ...], Floats]:
            per_k, off_c = at(line.per_k), at(line.off_c).copy()
            off_c[0] += per_k[0] * first_c
            heat = (Term(name, -at(line.per_kw)) for name in heats)
            return (Term("water", 1.0), Term("water", -per_k, before=True), *heat), off_c

        (above, least_c), (below, most_c) = step(hot), step(chord)
        rows += [Row(above, least_c - _ROOM, np.inf), Row(below, -np.inf, most_c + _ROOM)]
        return Part(columns, tuple(rows), draws, at(must_kw) + _ROOM)

    return seen.alone_kw, part


def _weekly_kw(seen: Extremes, draw: Draw, fleet: WaterHeaterFleet, dt_h: float) -> Tensor:
    """Most that the weekly heat may make a tank draw: all it can once it may be due. [kW]"""
    coldest, warmest = (state.tank for state in seen.before)
    passed_h = dt_h * torch.arange(len(coldest.cool_h)).reshape(-1, 1, 1)
    # Due soonest: never hot in the window, the coldest water, and the weaker pump of warm water.
    cool_h = coldest.cool_h[0] + passed_h
    pumps = [heater_now(temp_c, draw, fleet.params) for temp_c in (coldest.temp_c, warmest.temp_c)]
    due = torch.stack([is_due(coldest.temp_c, cool_h, pump, fleet) for pump in pumps]).any(0)
    return due * torch.stack([most_kw(pump) for pump in pumps]).amax(0) * (1.0 + _ROOM)


def _with_layers(
    box: LayeredTank,
    lines: tuple[Line, Line],
    pump: PumpBox,
    bounds: tuple[Tensor, Tensor, Tensor],
    draw: Draw,
    fleet: WaterHeaterFleet,
) -> tuple[tuple[Line, Line], PumpBox, tuple[Tensor, Tensor, Tensor]]:
    """Put what two layers can do in the place of what one node can, where a tank has two.

    Args:
        box: Of tanks of two layers.
        lines: Between which a step lies.
        pump: What heat pumps can do.
        bounds: Least and most of the mean at a step's end, and what must be drawn [kW].
        draw: Water drawn and the air around.
        fleet: Constants, (N,).
    """
    assert fleet.layered is not None
    two, one = fleet.layered > 0, torch.ones_like(box.most_k)
    at_most = Line(one, box.least_k_per_kw, -box.most_k)
    at_least = Line(one, box.most_k_per_kw, -box.least_k)
    any_water = pump_between(box.water_c, box.warmest_c, draw, fleet.params)
    # The mean does not tell what water the pump finds.
    flat = any_water._replace(
        cop_per_k=torch.zeros_like(any_water.cop_per_k), cop_off=any_water.high_cop
    )
    forced_kw = any_water.most_kw + fleet.params.element_kw

    def chosen(layered: Any, single: Any) -> Any:  # noqa: ANN401 - a tree of columns
        return map_columns(layered, lambda ours, theirs: torch.where(two, ours, theirs), single)

    low_c, high_c, must_kw = bounds
    return (
        (chosen(at_most, lines[0]), chosen(at_least, lines[1])),
        chosen(flat, pump),
        (
            chosen(box.after_coldest_c, low_c),
            chosen(box.warmest_c, high_c),
            chosen(forced_kw, must_kw),
        ),
    )


def _contact_kw(seen: Extremes, draw: Draw, fleet: WaterHeaterFleet) -> Tensor:
    """Most that a closed contact may make a heater draw that hears messages alone. [kW]"""
    if fleet.messages_only is None:
        return torch.zeros_like(seen.drawn_kw[0])
    pumps = [heater_now(state.tank.temp_c, draw, fleet.params) for state in seen.before]
    most = torch.stack([most_kw(pump) for pump in pumps]).amax(0) * (1.0 + _ROOM)
    return most * (fleet.messages_only > 0)


def lines_around(
    coldest_c: Tensor, warmest_c: Tensor, draw: Draw, tank: WaterHeaterParams, dt_h: float
) -> tuple[Line, Line]:
    """Two lines between which a step lies that begins between two temperatures.

    Args:
        coldest_c: The lower of them, (..., N). [C]
        warmest_c: The upper, (..., N). [C]
        draw: Water drawn, (..., N).
        tank: Constants, (N,).
        dt_h: Length of the step. [h]

    Returns:
        The line of a hot tank, on or below the step, and the chord, on or above it.
    """
    ahead, none = flow(draw, tank, dt_h), torch.zeros_like(coldest_c)

    def after_c(temp_c: Tensor, heat_kw: float = 0.0) -> Tensor:
        return passage(temp_c, none + heat_kw, ahead, dt_h).temp_c

    from_hot, from_hotter = after_c(none + _HOT_C), after_c(none + _HOTTER_C)
    per_k = (from_hotter - from_hot) / (_HOTTER_C - _HOT_C)
    # A kW warms a hot tank the most, since in a cold one more of it is drawn again.
    per_kw = (after_c(none + _HOT_C, 100.0) - from_hot) / 100.0
    hot = Line(per_k, per_kw, from_hot - per_k * _HOT_C)
    if_cold, width = after_c(coldest_c), warmest_c - coldest_c
    # No step rises faster with the temperature than a hot tank's, which serves a narrow box.
    steep = (after_c(warmest_c) - if_cold) / width.clamp(min=_ROOM)
    slope = torch.where(width > _ROOM, steep, per_k)
    return hot, Line(slope, per_kw, if_cold - slope * coldest_c)


def pump_between(
    coldest_c: Tensor, warmest_c: Tensor, draw: Draw, tank: WaterHeaterParams
) -> PumpBox:
    """What heat pumps can do with water between two temperatures.

    Looked up at some points. What lies between two of them deviates from their chord by an eighth
    of the second difference where the curve is smooth, and by half of it where it has a kink.

    Args:
        coldest_c: The lower, (..., N). [C]
        warmest_c: The upper, (..., N). [C]
        draw: The air around, (..., N).
        tank: Constants, (N,).
    """
    width = (warmest_c - coldest_c).clamp(min=_ROOM)
    temps_c = torch.stack([coldest_c + width * k / (_POINTS - 1) for k in range(_POINTS)])
    heater = heater_now(temps_c, draw, tank)
    power, cop = heater.pump_kw, heater.pump_cop
    power_off, cop_off = (read.diff(n=2, dim=0).abs().amax(0) / 2.0 for read in (power, cop))
    per_k = (cop[-1] - cop[0]) / width
    return PumpBox(
        (power.amin(0) - power_off).clamp(min=0.0),
        power.amax(0) + power_off,
        (cop.amin(0) - cop_off).clamp(min=1.0),
        cop.amax(0) + cop_off,
        per_k,
        (cop - per_k * temps_c).amax(0) + cop_off,
    )


def _pump_rows(
    at: Callable[[Tensor], Floats], pump: PumpBox, element_kw: float, first_c: float
) -> list[Row]:
    """The heat of a pump by its electricity and by the water, and when an element heats beside it.

    McCormick's envelope of the product: ``heat = cop * kw`` with ``cop >= low``, ``kw <= most``
    is at most ``cop * most + low * (kw - most)``.

    Args:
        at: Takes a home's intervals out of those of all, (T,).
        pump: What the pumps of all homes can do.
        element_kw: Resistance of the home. [kW]
        first_c: Its water at the start. [C]
    """
    heat, per_k = Term("water_pump_heat", 1.0), at(pump.cop_per_k * pump.most_kw)
    most_heat_kw = at((pump.cop_off - pump.low_cop) * pump.most_kw).copy()
    most_heat_kw[0] += per_k[0] * first_c
    at_low, at_high = (Term("water_pump", -at(cop)) for cop in (pump.low_cop, pump.high_cop))
    # The element heats beyond a pump that never rests, or alone where that is locked out.
    least_kw = at(pump.least_kw)
    beside = Term("element", least_kw), Term("water_pump", -element_kw)
    return [
        Row((heat, at_low), 0.0, np.inf),
        Row((heat, at_high), -np.inf, 0.0),
        Row((heat, at_low, Term("water", -per_k, before=True)), -np.inf, most_heat_kw),
        Row(beside, -np.inf, np.where(least_kw > 0, 0.0, np.inf)),
    ]
