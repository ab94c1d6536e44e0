"""A tank in the programme: its lines enclose the simulator's step, and its bound a brute force."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.water_heater import (
    Draw,
    WaterHeaterParams,
    flow,
    heat_kw,
    heater_now,
    passage,
)
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible import water_heater
from vpp_envs.flexible.water_heater_parts import TankState, WaterHeaterState
from vpp_envs.kernels import flexible_rows
from vpp_rl.baselines.home_plan import plan_homes
from vpp_rl.baselines.tank_lp import lines_around, pump_between
from vpp_rl.rollout import Windows, play, window_env

DT_H = 1.0 / 12.0
TEMPERATURES = st.floats(15.0, 65.0)


def number(value):
    return torch.tensor([[[value]]], dtype=torch.float64)


def tank(litres=170.0, pump_kw=0.5):
    sizes = (litres, 1.2e-3, pump_kw, 4.2, 4.5)
    return WaterHeaterParams(*(torch.tensor([size], dtype=torch.float64) for size in sizes))


def draw_of(mixed, hot, ambient=20.0):
    return Draw(*(number(x) for x in (mixed, hot, 12.0, ambient, ambient - 4.0)))


@given(
    st.tuples(TEMPERATURES, TEMPERATURES),
    st.floats(0.0, 1.0),
    st.floats(0.0, 7.0),
    st.floats(0.0, 60.0),
    st.floats(0.0, 20.0),
)
def test_a_step_lies_between_the_line_of_a_hot_tank_and_the_chord(ends, share, heat, mixed, hot):
    low, high = min(ends), max(ends)
    draw, start = draw_of(mixed, hot), number(low + share * (high - low))
    below, above = lines_around(number(low), number(high), draw, tank(), DT_H)
    after = passage(start, number(heat), flow(draw, tank(), DT_H), DT_H).temp_c
    for line, sign in ((below, 1.0), (above, -1.0)):
        on_it = line.per_k * start + line.per_kw * heat + line.off_c
        assert float(sign * (after - on_it)) >= -1e-6


def test_a_tank_that_stays_hot_steps_along_both_lines():
    draw = draw_of(10.0, 5.0)
    for line in lines_around(number(48.0), number(60.0), draw, tank(), DT_H):
        start = number(53.0)
        after = passage(start, number(4.5), flow(draw, tank(), DT_H), DT_H).temp_c
        on_it = line.per_k * start + line.per_kw * 4.5 + line.off_c
        assert float(on_it) == pytest.approx(float(after), abs=1e-9)


@given(
    st.tuples(TEMPERATURES, TEMPERATURES),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 45.0),
)
def test_a_heat_pump_lies_in_the_envelope_of_factor_and_power(ends, share, part, ambient):
    """Whatever it draws: its heat, its electricity and the element beside it."""
    low, high = min(ends), max(ends)
    draw, water = draw_of(0.0, 0.0, ambient), number(low + share * (high - low))
    box = pump_between(number(low), number(high), draw, tank())
    heater = heater_now(water, draw, tank())
    power = part * (heater.pump_kw + heater.element_kw)
    pump_kw = torch.minimum(power, heater.pump_kw)
    element_kw = power - pump_kw
    heat = heat_kw(power, heater) - element_kw
    line = box.cop_per_k * water + box.cop_off
    most = line * box.most_kw + box.low_cop * (pump_kw - box.most_kw)
    assert float(pump_kw - box.most_kw) <= 1e-9
    assert float(box.low_cop * pump_kw - heat) <= 1e-9
    assert float(heat - box.high_cop * pump_kw) <= 1e-9
    assert float(heat - most) <= 1e-9
    if float(box.least_kw) > 0:
        assert float(box.least_kw * element_kw - 4.5 * pump_kw) <= 1e-9


def best_by_hand(env, start, ticks, points=400, choices=25):
    """Most that one resistance tank earns on its own, by dynamic programming over temperatures."""
    fleet, tables = env.fleet.flexible.water_heater, env.tables
    state = env.state.flexible.water_heater.tank
    grid = torch.linspace(40.0, 60.5, points, dtype=torch.float64).unsqueeze(-1)
    none = torch.zeros_like(grid)
    worth = torch.zeros(points, dtype=torch.float64)
    for tick in reversed(range(ticks)):
        at = torch.full((points,), start + tick)
        issue = torch.div(at, 6, rounding_mode="floor")
        rows = flexible_rows(tables.flexible, at, issue, torch.float64).water_heater
        # Never due: the weekly heat is a matter of a state that the grid does not have.
        tanks = TankState(grid, none, none, none)
        moment = water_heater.moment_of(WaterHeaterState(tanks, tanks), rows, fleet, DT_H)
        around = water_heater.flex(moment, fleet, DT_H)
        share = torch.linspace(0.0, 1.0, choices, dtype=torch.float64)
        power = around.low_kw + share * (around.high_kw - around.low_kw)
        ahead = flow(moment.draw, fleet.params, DT_H)
        after = passage(grid, power, ahead, DT_H).temp_c
        later = np.interp(after.numpy(), grid[:, 0].numpy(), worth.numpy())
        price = float(tables.price_per_kwh[start + tick, 0])
        worth = (torch.from_numpy(later) - price * DT_H * power).amax(-1)
    first = float(state.temp_c[0, 0])
    return float(np.interp(first, grid[:, 0].numpy(), worth.numpy()))


def test_the_bound_of_one_tank_is_that_of_brute_force(day_spec):
    fleet = FleetSpec(
        4,
        3,
        battery_share=0.0,
        solar_share=0.0,
        export_limit_kw=None,
        water_heater_share=1.0,
        heat_pump_water_share=0.0,
    )
    spec = replace(day_spec, fleet=fleet, unseen_homes=1)
    windows = Windows("test", window_days=1, most=1)
    env, starts, days = window_env(spec, windows)
    ticks, load_cost = days * 288, 0.0
    plan = plan_homes(spec, windows)
    load = env.fleet.load_mean_kw * env.tables.load_pu[:ticks, env.fleet.load_archetype]
    load_cost = float((load[:, 0] * env.tables.price_per_kwh[:ticks, 0]).sum()) * DT_H
    bound = float(plan.objective[0]) + load_cost
    brute = best_by_hand(env, int(starts[0]), ticks)
    replayed = float(play(plan, spec, windows)[0].profit.iloc[0]) + load_cost
    print(f"bound {bound:.4f}, brute force {brute:.4f}, replay {replayed:.4f}")
    assert brute <= bound + 1e-6
    assert bound - brute < 0.02 * max(1.0, abs(bound))
