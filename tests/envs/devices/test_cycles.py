"""Cycles beside the worked example of ASTM E1049-85 and beside a plain one-column count."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.cycles import count_cycles, mean_within


def trace(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def counted(fill: torch.Tensor, least_depth: float = 0.0) -> list[tuple[float, float, int, int]]:
    """Depth, count, first and last row of each cycle of one column, by start."""
    cycles = count_cycles(fill, least_depth)
    rows = torch.nonzero(cycles.number[:, 0]).flatten().tolist()
    parts = (cycles.depth, cycles.number, cycles.end)
    found = [(row, *(part[row, 0].item() for part in parts)) for row in rows]
    return [(round(depth, 9), count, row, int(end)) for row, depth, count, end in found]


def plain_count(values: list[float]) -> list[tuple[float, float, int, int]]:
    """The three-point rule of ASTM E1049-85 for one list, written for reading."""
    turns = [(0, values[0])]
    way = 0
    for row in range(1, len(values)):
        change = values[row] - values[row - 1]
        if change != 0:
            if way * change < 0:
                turns.append((row - 1, values[row - 1]))
            way = 1 if change > 0 else -1
    turns.append((len(values) - 1, values[-1]))
    stack, found = [], []
    for turn in turns:
        stack.append(turn)
        while len(stack) >= 3:
            (a, x), (b, y), (_, z) = stack[-3:]
            if abs(z - y) < abs(y - x):
                break
            half = len(stack) == 3
            found.append((abs(y - x), 0.5 if half else 1.0, a, b))
            stack[-3:] = stack[-2:] if half else stack[-1:]
    for (a, x), (b, y) in itertools.pairwise(stack):
        found.append((abs(y - x), 0.5, a, b))
    return sorted(
        ((round(d, 9), n, a, b) for d, n, a, b in found if d > 0), key=lambda cycle: cycle[2]
    )


def test_the_worked_example_of_the_standard():
    # ASTM E1049-85, figure 6: -2 1 -3 5 -1 3 -4 4 -2 gives half cycles of 3, 4, 8, 9, 8, 6 and
    # one full cycle of 4 (its E-F).
    found = counted(trace(-2, 1, -3, 5, -1, 3, -4, 4, -2))
    by_depth = sorted((depth, count) for depth, count, _, _ in found)
    assert by_depth == [(3, 0.5), (4, 0.5), (4, 1.0), (6, 0.5), (8, 0.5), (8, 0.5), (9, 0.5)]


def test_a_small_dip_in_a_long_charge_is_one_cycle_and_leaves_the_charge_whole():
    assert counted(trace(0.1, 0.5, 0.4, 0.9)) == [(0.8, 0.5, 0, 3), (0.1, 1.0, 1, 2)]


def test_noise_below_the_least_depth_does_not_count():
    wobble = trace(0.1, 0.5, 0.4999, 0.9)
    assert len(counted(wobble)) == 2
    assert counted(wobble, least_depth=0.001) == [(0.8, 0.5, 0, 3)]


@pytest.mark.parametrize("points", [2, 3, 50])
def test_a_battery_at_rest_counts_nothing(points: int):
    assert counted(torch.full((points, 1), 0.4)) == []


@settings(max_examples=150)
@given(
    st.lists(
        st.lists(st.sampled_from([i / 8 for i in range(9)]), min_size=24, max_size=24),
        min_size=1,
        max_size=6,
    )
)
def test_every_column_counts_like_a_list_of_its_own(columns: list[list[float]]):
    fill = torch.tensor(columns, dtype=torch.float64).T
    for column, values in enumerate(columns):
        assert counted(fill[:, column : column + 1]) == plain_count(values)
    cycles = count_cycles(fill)
    for column, values in enumerate(columns):
        together = torch.nonzero(cycles.number[:, column]).flatten().tolist()
        assert together == [cycle[2] for cycle in plain_count(values)]


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=40))
def test_cycles_hold_all_throughput_and_the_whole_range(values: list[float]):
    fill = trace(*values)
    cycles = count_cycles(fill)
    throughput = fill.diff(dim=0).abs().sum().item()
    # A full cycle moves its depth twice, a half cycle once.
    assert (2.0 * cycles.depth * cycles.number).sum().item() == pytest.approx(throughput, abs=1e-12)
    assert cycles.depth.max().item() == pytest.approx(max(values) - min(values), abs=1e-12)


def test_temperature_is_averaged_over_each_cycle():
    fill, temperature = trace(0.1, 0.5, 0.4, 0.9), trace(10.0, 20.0, 30.0, 40.0)
    mean = mean_within(temperature, count_cycles(fill))
    assert mean[:2, 0].tolist() == [20.0, 20.0]  # of rows 0 to 2, and of row 1 alone


def test_batches_of_traces_keep_their_shape_and_carry_a_gradient():
    fill = torch.rand(2, 3, 20, 4, dtype=torch.float64, requires_grad=True)
    cycles = count_cycles(fill)
    assert cycles.depth.shape == fill.shape
    (cycles.depth * cycles.number).sum().backward()
    assert fill.grad is not None
    assert torch.isfinite(fill.grad).all()
    assert fill.grad.abs().sum() > 0
