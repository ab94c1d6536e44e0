"""The water level against a slow reference, and the gradient that level_fill takes from it."""

import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.cohort_power import _water_level, level_fill
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet

DT_H = 1.0 / 12.0


class Home(NamedTuple):
    """One home of a cohort: fill, usable size and the edges of its envelope."""

    fill: float
    usable_kwh: float
    low_kw: float
    high_kw: float


fills = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.0, 1.0))
powers = st.one_of(st.sampled_from([0.0, 5.0]), st.floats(0.01, 15.0))
ORDINARY = st.one_of(st.just(0.0), st.just(10.0), st.floats(1e-3, 40.0))
ANY_SIZE = st.one_of(st.floats(0.0, 1e-3), ORDINARY)


@st.composite
def homes(draw, sizes=ORDINARY):
    low, high = draw(
        st.sampled_from(
            [
                lambda a, b: (-a, b),
                lambda a, b: (0.0, b),
                lambda a, b: (-a, 0.0),
                lambda a, b: (a, a + b),  # must recharge
                lambda a, b: (-a - b, -a),
                lambda a, _: (a, a),
                lambda *_: (0.0, 0.0),  # takes no part
            ]
        )
    )(draw(powers), draw(powers))
    return Home(draw(fills), draw(sizes), low, high)


shares = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-0.2, 1.2))
effs = st.one_of(st.just(1.0), st.floats(0.7, 1.0))


def power_at(level, home, eff):
    stored_kw = (level - home.fill) * home.usable_kwh / DT_H
    power_kw = stored_kw / eff if stored_kw > 0 else stored_kw * eff
    return min(max(power_kw, home.low_kw), home.high_kw)


def bisected(target_kw, cohort, eff):
    """Powers at the level of 300 halvings in plain Python, summed without rounding."""
    below, above = -1e7, 1e7
    for _ in range(300):
        middle = 0.5 * (below + above)
        if math.fsum(power_at(middle, home, eff) for home in cohort) < target_kw:
            below = middle
        else:
            above = middle
    return [power_at(above, home, eff) for home in cohort]


def columns(cohort, dtype=torch.float64):
    return (torch.tensor(column, dtype=dtype) for column in zip(*cohort, strict=True))


def target_of(cohort, share):
    low = math.fsum(home.low_kw for home in cohort)
    return low + share * (math.fsum(home.high_kw for home in cohort) - low)


def level_of(cohort, target_kw, eff):
    fill, usable_kwh, low_kw, high_kw = columns(cohort)
    target = torch.tensor([target_kw], dtype=torch.float64)
    level = _water_level(
        target, fill, usable_kwh / DT_H, torch.full_like(fill, eff), low_kw, high_kw
    )
    return level.item()


@settings(max_examples=500)
@given(st.lists(homes(), min_size=1, max_size=9), shares, effs)
@example([Home(0.5, 0.0, 0.0, 0.0)], 0.5, 0.9)
@example([Home(0.5, 10.0, 0.0, 0.0), Home(0.5, 0.0, -5.0, 5.0)], 0.5, 0.9)
@example([Home(0.5, 10.0, -5.0, 5.0)] * 3, 0.5, 0.9)
@example([Home(0.0, 1e-3, 5.0, 9.0), Home(0.2, 10.0, -5.0, 5.0)], 0.9, 0.9)
def test_the_powers_at_the_level_are_those_of_a_long_bisection(cohort, share, eff):
    target_kw = target_of(cohort, share)
    level = level_of(cohort, target_kw, eff)
    ours = [power_at(level, home, eff) for home in cohort]
    scale = sum(abs(home.low_kw) + abs(home.high_kw) for home in cohort)
    assert ours == pytest.approx(bisected(target_kw, cohort, eff), rel=0, abs=1e-9 * scale + 1e-12)


def test_the_level_of_two_homes_by_hand():
    """Half and a quarter full, 12 kWh each: 144 kW a level; 0.5 is reached at 36 kW stored."""
    cohort = [Home(0.25, 12.0, -99.0, 99.0), Home(0.5, 12.0, -99.0, 99.0)]
    assert level_of(cohort, 0.25 * 144 / 0.8, 0.8) == pytest.approx(0.5)
    assert level_of(cohort, (0.35 + 0.1) * 144 / 0.8, 0.8) == pytest.approx(0.6)
    assert level_of(cohort, -(0.05 + 0.3) * 144 * 0.8, 0.8) == pytest.approx(0.2)


def test_each_row_of_a_batch_has_the_level_it_has_alone():
    cohort = [Home(0.2, 10.0, -5.0, 5.0), Home(0.9, 3.0, -2.0, 0.0), Home(0.4, 0.0, 0.0, 0.0)]
    fill, usable_kwh, low_kw, high_kw = columns(cohort)
    targets = [target_of(cohort, share) for share in (-0.1, 0.0, 0.3, 0.6, 1.0, 1.1)]
    batch = torch.tensor(targets, dtype=torch.float64).reshape(2, 3, 1)
    rows = (column.expand(2, 3, 3) for column in (fill, low_kw, high_kw))
    fill, low_kw, high_kw = rows
    eff = torch.full((3,), 0.9, dtype=torch.float64)
    levels = _water_level(batch, fill, usable_kwh / DT_H, eff, low_kw, high_kw)
    assert levels.shape == (2, 3, 1)
    assert levels.flatten().tolist() == [level_of(cohort, target, 0.9) for target in targets]


def fleet_of(usable_kwh, eff):
    """A fleet of one cohort without reserves, nothing limited by its site."""
    index = torch.zeros(len(usable_kwh), dtype=torch.int64)
    one = torch.ones_like(usable_kwh)
    battery = BatteryParams(usable_kwh, 9 * one, 9 * one, eff * one, 0 * one, 0.04 * one)
    agreement = Agreement(0 * one, 1000 * one, 1000 * one, one)
    return Fleet(index, battery, 0 * one, index, 0 * one, index, agreement, index)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@settings(max_examples=200)
@given(st.lists(homes(ANY_SIZE), min_size=1, max_size=9), st.floats(0.0, 1.0), effs)
def test_homes_of_any_size_sum_to_the_target_inside_their_edges(dtype, close, cohort, share, eff):
    fill, usable_kwh, low_kw, high_kw = columns(cohort, dtype)
    target = low_kw.sum(-1, keepdim=True) + share * (high_kw - low_kw).sum(-1, keepdim=True)
    power = level_fill(target, fill * usable_kwh, low_kw, high_kw, fleet_of(usable_kwh, eff), DT_H)
    scale = float(low_kw.abs().sum() + high_kw.abs().sum()) + 1e-6
    assert abs(float(power.sum() - target)) <= close * scale
    assert (power >= low_kw).all()
    assert (power <= high_kw).all()


@pytest.mark.parametrize("target_kw", [-7.3, -1.1, 2.3, 6.9])
def test_the_gradient_of_level_fill_is_the_finite_difference(target_kw):
    """Homes on every piece: below and above their fill, and at both edges."""
    usable_kwh = torch.tensor([10.0, 8.0, 12.0, 5.0], dtype=torch.float64)
    fleet = fleet_of(usable_kwh, 0.9)
    energy_kwh = usable_kwh * torch.tensor([0.48, 0.50, 0.505, 0.53], dtype=torch.float64)
    low_kw = torch.tensor([-3.1, -2.9, -4.2, -1.7], dtype=torch.float64)
    high_kw = torch.tensor([1.9, 3.7, 2.8, 4.1], dtype=torch.float64)
    target = torch.tensor([target_kw], dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (target, energy_kwh, low_kw, high_kw)]
    assert torch.autograd.gradcheck(lambda *t: level_fill(*t, fleet, DT_H), inputs)
