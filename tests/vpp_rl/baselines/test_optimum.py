"""The optimum against enumeration of every move on problems that are small enough for it."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import vpp_rl.baselines.optimum
from vpp_envs.errors import InputError
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.signals.market import MarketSpec
from vpp_envs.signals.synthetic.prices import price_model
from vpp_rl.baselines.optimum import OptimalValue, solve_optimum
from vpp_rl.baselines.plan import plan_windows
from vpp_rl.baselines.value_curve import NonAnticipativeOptimum, StochasticValueCurve
from vpp_rl.rollout import Windows, play

EFF, WEAR, HOURS = 0.9**0.5, 0.04, 2.0
HALF_HOUR = 0.5
# Per kWh by hour: a cheap night, a cheaper noon, two peaks.
DAY = (
    [0.06] * 6 + [0.14, 0.22, 0.18, 0.10, 0.04, 0.02, 0.01, 0.02] + [0.05, 0.09, 0.17, 0.30]
    + [0.36, 0.28, 0.20, 0.15, 0.10, 0.08]
)  # fmt: skip
CELLS = 300


def solved(monkeypatch, nodes, price_of):
    """Solve with few nodes and prices that one can follow."""
    monkeypatch.setattr(vpp_rl.baselines.optimum, "_NODES", nodes)
    monkeypatch.setattr(vpp_rl.baselines.optimum, "price_of", price_of)
    return solve_optimum(price_model("SA1"), 1, HOURS, EFF, WEAR, HALF_HOUR)


def move_gains():
    """Change of the store from each fill to each, and where it may go in half an hour."""
    fill = np.linspace(0.0, 1.0, CELLS + 1)
    change = fill[None, :] - fill[:, None]
    up, down = EFF * HALF_HOUR / HOURS, HALF_HOUR / (HOURS * EFF)
    return change, (change <= up + 1e-9) & (change >= -down - 1e-9)


def best(price, after, change, allowed):
    """Best value before an interval by trying every move, (fills,)."""
    cost = np.where(change > 0, change / EFF * price, change * EFF * (price - WEAR))
    return np.where(allowed, after[None, :] - cost, -np.inf).max(1)


def agrees(curve, value):
    """A marginal curve is the slope of a value, summed from empty to each fill."""
    points = len(curve)
    ours = np.concatenate([[0.0], np.cumsum((curve[1:] + curve[:-1]) / 2 / (points - 1))])
    theirs = np.interp(np.linspace(0, 1, points), np.linspace(0, 1, CELLS + 1), value)
    theirs = theirs - theirs[0]
    return np.abs(ours - theirs).max() < 0.015 * np.abs(theirs).max() + 5e-4


def test_known_prices_give_the_value_that_enumeration_gives(monkeypatch):
    solution = solved(
        monkeypatch,
        (2, 2, 2),
        lambda g, row, model: 1000.0 * torch.tensor(DAY).double()[row] + 0.0 * g,
    )
    change, allowed = move_gains()
    value = np.zeros(CELLS + 1)
    after = {}
    for tick in reversed(range(4 * 48)):
        after[tick % 48] = value
        value = best(DAY[tick % 48 // 2], value, change, allowed)
    for tick in (0, 13, 21, 35, 40, 47):
        curve = solution.table[tick, 0, 1, 0].double().numpy()
        assert agrees(curve, after[tick]), tick
        assert (np.diff(curve) <= 1e-5).all()


def test_uncertain_prices_give_the_value_that_enumeration_gives(monkeypatch):
    """Two nodes a factor: stays with probability (1 + decay) / 2, by hand."""

    def price(g, hour):
        return hour_price[hour] + 0.08 * g

    hour_price = torch.tensor(DAY, dtype=torch.float64)
    solution = solved(monkeypatch, (2, 2, 2), lambda g, row, model: 1000.0 * price(g, row))
    model = price_model("SA1")
    states = list(itertools.product((-1.0, 1.0), repeat=3))
    g = [sum(load * x for load, x in zip(model.loadings, s, strict=True)) for s in states]
    stay = [(1 + math.exp(-HALF_HOUR / tau)) / 2 for tau in model.taus_h]
    chance = np.array(
        [
            [
                math.prod(p if x == y else 1 - p for x, y, p in zip(now, then, stay, strict=True))
                for then in states
            ]
            for now in states
        ]
    )
    change, allowed = move_gains()
    value = np.zeros((8, CELLS + 1))  # expected, given the state before
    after = {}
    for tick in reversed(range(4 * 48)):
        after[tick % 48] = value
        before = np.stack(
            [best(float(price(g[s], tick % 48 // 2)), value[s], change, allowed) for s in range(8)]
        )
        value = chance @ before
    for tick, (index, state) in itertools.product((0, 20, 34), enumerate(states)):
        corner = [0 if x < 0 else 1 for x in state]
        curve = solution.table[tick, corner[0], corner[1], corner[2]].double().numpy()
        assert agrees(curve, after[tick][index]), (tick, state)


def test_a_curve_is_read_between_the_nodes_of_the_factors():
    axis = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    table = torch.randn(2, 3, 3, 3, 5, generator=torch.Generator().manual_seed(0))
    value = OptimalValue(table, (axis, axis, axis))
    at = torch.tensor([[0.0, 1.0, -1.0], [0.5, 0.0, 0.0], [9.0, -9.0, 0.0]]).double()
    curve = value.curve(torch.tensor([1, 0, 0]), at)
    torch.testing.assert_close(curve[0], table[1, 1, 2, 0])
    torch.testing.assert_close(curve[1], (table[0, 1, 1, 1] + table[0, 2, 1, 1]) / 2)
    torch.testing.assert_close(curve[2], table[0, 2, 0, 1])  # held beyond the last node


def test_the_optimum_goes_by_the_clock_where_the_clock_changes(monkeypatch):
    """In Chicago's summer midnight comes 23 hours after the last one of winter, once."""
    hours = []

    class Asked:
        def curve(self, tick_of_day, factors):
            hours.extend(tick_of_day.tolist())
            return torch.zeros(len(tick_of_day), 3)

    monkeypatch.setattr(vpp_rl.baselines.value_curve, "solve_optimum", lambda *_: Asked())
    spec = ScenarioSpec(
        market=MarketSpec(region="ERCOT2024", train_days=100, validation_days=2, test_days=2),
        fleet=FleetSpec(homes=2, duration_h=2.0),
    )
    scenario = build_scenario(spec, "train")
    july = torch.tensor([0, 95 * 288])  # the clock went forward on 10 March 2024
    NonAnticipativeOptimum().curves(scenario, july)
    assert sorted(hours) == [0, 12]


def test_each_market_is_solved_for_itself(monkeypatch):
    asked = []

    def solve(model, quarter, *_):
        asked.append((model.market, quarter))
        return OptimalValue(torch.zeros(288, 2, 2, 2, 3), (torch.tensor([-1.0, 1.0]).double(),) * 3)

    monkeypatch.setattr(vpp_rl.baselines.value_curve, "solve_optimum", solve)
    optimum = NonAnticipativeOptimum()
    for region in ("SA1", "VIC1", "SA1"):
        spec = ScenarioSpec(
            market=MarketSpec(region=region, train_days=2, validation_days=2, test_days=2),
            fleet=FleetSpec(homes=2, duration_h=2.0),
        )
        optimum.curves(build_scenario(spec, "train"), torch.tensor([0, 5]))
    assert asked == [("SA1", 1), ("VIC1", 1)]


def test_recorded_prices_have_no_optimum(day_spec):
    scenario = build_scenario(day_spec, "train")
    recorded = replace(scenario, market=replace(scenario.market, model=None, factors=None))
    with pytest.raises(InputError, match="recorded prices have no law"):
        NonAnticipativeOptimum().curves(recorded, torch.tensor([0]))


@pytest.mark.slow
def test_nobody_beats_the_bounds_over_sixty_days():
    """Value curve at most optimum, but for luck; nobody above perfect foresight."""
    spec = ScenarioSpec(
        market=MarketSpec(train_days=2, validation_days=2, test_days=60),
        fleet=FleetSpec(homes=2, duration_h=2.0, round_trip_eff=0.9, wear_per_kwh=0.04),
    )
    windows = Windows(split="test", window_days=10)
    plan = plan_windows(spec, windows)
    frames = {
        policy.name: play(policy, spec, windows)[0].profit.to_numpy()
        for policy in (StochasticValueCurve(), NonAnticipativeOptimum(), plan)
    }
    best_possible = frames["perfect foresight"]
    assert len(best_possible) == 6
    np.testing.assert_allclose(best_possible, plan.objective.numpy(), rtol=1e-6, atol=1e-6)
    for name in ("value curve", "optimum"):
        assert (frames[name] <= best_possible + plan.gap.numpy() + 1e-6).all(), name
    assert frames["optimum"].sum() >= frames["value curve"].sum()
    assert frames["optimum"].sum() < best_possible.sum()


def test_the_optimum_is_exact_only_for_alike_batteries_behind_free_connections(day_spec):
    def exact(**fleet):
        spec = replace(day_spec, fleet=replace(day_spec.fleet, **fleet))
        return NonAnticipativeOptimum.is_exact(build_scenario(spec, "test"))

    alike = {"duration_h": 2.0, "round_trip_eff": 0.9, "wear_per_kwh": 0.04}
    assert exact(**alike, export_limit_kw=None)
    assert not exact(**alike, export_limit_kw=5.0)
    assert not exact(**(alike | {"duration_h": 2.2}), export_limit_kw=None)
    assert not exact(**(alike | {"round_trip_eff": 0.8}), export_limit_kw=None)
    assert not exact(**(alike | {"wear_per_kwh": 0.01}), export_limit_kw=None)
    assert not exact(export_limit_kw=None)
    assert not exact(**alike, export_limit_kw=None, import_limit_kw=1.0)
    rough = NonAnticipativeOptimum.approximate()
    assert (rough.name, rough.kind) == ("cohort optimum", "optimiser")
