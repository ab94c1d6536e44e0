"""How each way of command sets flexible loads, on devices made for it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.dispatch.flexible import each_kw, stacked_kw, valued_kw
from vpp_envs.dispatch.moment import Moment
from vpp_envs.flexible.flex import Flex

HOMES = 60


def devices(seed=0, least=0.0, classes=2, homes=HOMES):
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high):
        return low + (high - low) * torch.rand(homes, generator=generator, dtype=torch.float64)

    low = draw(0.0, 1.0) * (draw(0, 1) < 0.5) * (least == 0.0)
    high = low + draw(0.5, 4.0) if least == 0.0 else torch.full_like(low, least)
    alone = low + draw(0, 1) * (high - low)
    if least:
        alone = torch.where(alone > least / 2, high, low)
    cohort = torch.arange(homes) % (classes + 1) - 1
    curve = torch.linspace(0.6, 0.1, 5, dtype=torch.float64).expand(classes, 5)
    fill = draw(0, 1)
    value = 0.6 - 0.5 * fill
    return Flex(
        cohort, high.clone(), low, high, alone, torch.full_like(low, least), fill, value, curve
    )


def moment_at(price, export=None):
    zero = torch.zeros(HOMES, dtype=torch.float64)
    prices = [
        None if p is None else torch.tensor([p], dtype=torch.float64) for p in (price, export)
    ]
    curve = torch.zeros(0, 2, dtype=torch.float64)
    return Moment(zero, zero, zero, prices[0], curve, None, prices[1])


def bend(scale=0.0, shift=0.0):
    return torch.tensor([scale, shift, scale, shift], dtype=torch.float64)


def test_who_values_a_kwh_above_its_price_draws_all_it_can_and_the_others_what_they_must():
    flex = devices()
    power = valued_kw(bend(), flex, 0.0 * flex.low_kw, moment_at(0.3), None)
    managed = flex.cohort >= 0
    wants = managed & (flex.value_per_kwh > 0.3)
    assert 0 < int(wants.sum()) < int(managed.sum())
    assert torch.equal(power[wants], flex.high_kw[wants])
    assert torch.equal(power[managed & ~wants], flex.low_kw[managed & ~wants])
    assert torch.equal(power[~managed], flex.alone_kw[~managed])


@pytest.mark.parametrize("component", [0, 1, 2, 3])
def test_each_bend_moves_the_devices_of_its_class_alone(component):
    flex, site = devices(homes=HOMES), torch.zeros(HOMES, dtype=torch.float64)
    plain = valued_kw(bend(), flex, site, moment_at(0.3), None)
    action = bend()
    action[component] = 1.0
    moved = valued_kw(action, flex, site, moment_at(0.3), None) != plain
    assert moved.any()
    assert (flex.cohort[moved] == component // 2).all()


def test_a_smooth_decision_turns_into_the_hard_one_as_it_cools():
    flex, site = devices(), torch.zeros(HOMES, dtype=torch.float64)
    hard = valued_kw(bend(), flex, site, moment_at(0.3), None)
    cold = valued_kw(bend(), flex, site, moment_at(0.3), torch.tensor(1e-6).double())
    torch.testing.assert_close(cold, hard)
    action = bend().requires_grad_()
    valued_kw(action, flex, site, moment_at(0.3), torch.tensor(0.3).double()).sum().backward()
    assert (action.grad > 0).all()


def test_left_over_sun_costs_a_device_what_its_export_would_earn():
    flex = devices()
    sun = torch.full((HOMES,), -0.8, dtype=torch.float64)  # left over in every home
    power = valued_kw(bend(), flex, sun, moment_at(0.7, 0.05), None)
    free = (flex.cohort >= 0) & (flex.low_kw < 0.8) & (flex.high_kw > 0.8)
    assert free.any()
    torch.testing.assert_close(power[free], torch.full_like(power[free], 0.8))


SHARES = st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=2)


@settings(deadline=None)
@given(SHARES, st.integers(0, 50))
def test_a_stack_meets_its_target_in_order_of_fill(shares, seed):
    flex = devices(seed)
    share = torch.tensor(shares, dtype=torch.float64)
    power = stacked_kw(share, flex)
    assert (power >= flex.low_kw - 1e-12).all()
    assert (power <= flex.high_kw + 1e-12).all()
    assert torch.equal(power[flex.cohort < 0], flex.alone_kw[flex.cohort < 0])
    for index in range(2):
        mine = flex.cohort == index
        edge = flex.high_kw if share[index] >= 0 else flex.low_kw
        room = (edge - flex.alone_kw)[mine]
        moved = (power - flex.alone_kw)[mine]
        torch.testing.assert_close(moved.sum(), share[index].abs() * room.sum())
        # At most one device is between what it did alone and its edge.
        partly = (moved.abs() > 1e-9) & ((room - moved).abs() > 1e-9)
        assert partly.sum() <= 1
        fill, full = flex.fill[mine], (moved.abs() > 1e-9) & ~partly
        rest = (moved.abs() <= 1e-9) & (room.abs() > 1e-9)
        if full.any() and rest.any():
            if share[index] > 0:
                assert fill[full].max() <= fill[rest].min()
            else:
                assert fill[full].min() >= fill[rest].max()


@settings(deadline=None)
@given(SHARES, st.integers(0, 50))
def test_a_stack_of_devices_that_are_on_or_off_misses_its_target_by_half_of_one(shares, seed):
    flex = devices(seed, least=4.0)
    share = torch.tensor(shares, dtype=torch.float64)
    power = stacked_kw(share, flex)
    assert ((power == 0.0) | (power == 4.0)).all()
    for index in range(2):
        mine = flex.cohort == index
        edge = flex.high_kw if share[index] >= 0 else flex.low_kw
        target = flex.alone_kw[mine].sum() + share[index].abs() * (edge - flex.alone_kw)[mine].sum()
        assert (power[mine].sum() - target).abs() <= 2.0 + 1e-9


def test_one_command_each_leaves_alone_at_zero_and_ends_at_the_edges():
    flex = devices()
    managed = flex.cohort >= 0
    for share, expected in ((0.0, flex.alone_kw), (1.0, flex.high_kw), (-1.0, flex.low_kw)):
        power = each_kw(torch.full_like(flex.fill, share), flex)
        torch.testing.assert_close(power[managed], expected[managed])
