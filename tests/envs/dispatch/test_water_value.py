import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vpp_envs.dispatch.water_value as water_value_module
from vpp_envs.dispatch.water_value import levelled, marginal_after_trade, shifted, water_value

EFF, WEAR = 0.9**0.5, 0.04
WEIGHTS = torch.full((11,), 1 / 11)


def nodes(prices):
    return torch.tensor(prices, dtype=torch.float32).reshape(-1, 1).expand(-1, 11).contiguous()


def test_a_spike_ahead_is_worth_its_price_less_wear_and_losses():
    curve = water_value(nodes([1.0] + [0.05] * 47), WEIGHTS, 2.0, EFF, WEAR, 0.5)
    # An almost empty battery sells all it has in the one dear half hour, which comes first.
    assert curve[0].item() == pytest.approx((1.0 - WEAR) * EFF, rel=0.05)
    # A full one can sell a quarter of itself then; the rest is worth what it is typically.
    assert curve[-1].item() < 0.1


def test_value_falls_with_fill():
    torch.manual_seed(0)
    prices = 0.08 + 0.05 * torch.randn(48, 11).sort(-1).values
    curve = water_value(prices, WEIGHTS, 2.0, EFF, WEAR, 0.5)
    assert (curve[1:] <= curve[:-1] + 1e-6).all()


def test_marginal_value_is_capped_by_charging_and_lifted_by_selling():
    value, nothing = torch.tensor([0.10]), torch.tensor([-1e9])
    plenty = torch.tensor([1e9])
    bought = marginal_after_trade(
        value, torch.tensor([0.06]), torch.tensor([0.01]), nothing, plenty
    )
    assert bought.item() == pytest.approx(0.06)
    sold = marginal_after_trade(value, torch.tensor([0.60]), torch.tensor([0.50]), nothing, plenty)
    assert sold.item() == pytest.approx(0.50)
    held = marginal_after_trade(value, torch.tensor([0.12]), torch.tensor([0.08]), nothing, plenty)
    assert held.item() == pytest.approx(0.10)


def test_shifting_reads_between_points_and_beyond_the_edge():
    curve = torch.linspace(1.0, 0.0, 17)
    moved = shifted(curve, 0.25, -9.0)
    assert moved[0].item() == pytest.approx(0.75)
    assert moved[-1].item() == -9.0
    assert levelled(curve, 0.2)[8].item() == pytest.approx(0.5)


def two_leads(first, second):
    """A battery that fills or empties within one lead: its curve is flat, and followed by hand."""
    curve = water_value(nodes([first, second]), WEIGHTS, 0.25, EFF, WEAR, 0.5)
    assert curve.max() - curve.min() < 1e-6
    return curve[0].item()


def test_a_kwh_is_worth_what_it_costs_to_buy_it_in_a_cheap_half_hour_to_come():
    # Worth (0.50 - 0.04) * 0.9487 = 0.4364 in the second lead; bought at 0.10 / 0.9487 before.
    assert two_leads(0.10, 0.50) == pytest.approx(0.10 / EFF)


def test_a_kwh_is_worth_what_it_earns_in_a_dear_half_hour_to_come():
    assert two_leads(0.50, 0.10) == pytest.approx((0.50 - WEAR) * EFF)


def test_a_kwh_that_no_lead_is_worth_trading_keeps_its_typical_value():
    # Typical: 0.105 * 0.9487 = 0.0996, between selling at 0.11 and buying at 0.10.
    assert two_leads(0.11, 0.10) == pytest.approx(0.105 * EFF)


def test_half_a_chance_of_a_spike_is_worth_half_of_it():
    chance = torch.tensor([[[0.05] * 5 + [0.60] * 6]]).reshape(1, 11)
    even = torch.tensor([0.1] * 5 + [0.5 / 6] * 6)
    curve = water_value(chance, even, 0.25, EFF, WEAR, 0.5)
    mean = 0.325
    low, high = mean - 0.8 * 0.275, mean + 0.8 * 0.275  # a fifth of the spread is known before
    typical = 0.05 * EFF
    bought = typical if low / EFF >= typical else low / EFF
    expected = 0.5 * max(bought, (low - WEAR) * EFF) + 0.5 * (high - WEAR) * EFF
    assert curve[8].item() == pytest.approx(expected, rel=1e-5)


spreads = st.lists(st.floats(-0.3, 1.5), min_size=6, max_size=6)


@settings(max_examples=100)
@given(spreads, st.floats(0.0, 1.0), st.sampled_from([1.0, 2.0, 4.5]))
def test_a_curve_falls_with_fill_and_stays_between_the_extreme_prices(prices, spread, hours):
    middle = torch.tensor(prices).reshape(-1, 1)
    around = middle + spread * torch.linspace(-0.5, 1.0, 11)
    curve = water_value(around, WEIGHTS, hours, EFF, WEAR, 0.5)
    assert (curve.diff() <= 1e-5).all()
    dearest, cheapest = around.max().item(), around.min().item()
    most = max(dearest / EFF, dearest * EFF)
    least = min((cheapest - WEAR) * EFF, cheapest / EFF)
    assert curve.max().item() <= most + 1e-5
    assert curve.min().item() >= least - 1e-5


def best_by_enumeration(prices, hours, typical, cells, buying=None, emptied=None):
    """Value of each fill by dynamic programming over every move, per unit of usable energy."""
    buying = prices if buying is None else buying
    fill = np.linspace(0.0, 1.0, cells + 1)
    value = typical * fill
    up, down = EFF * 0.5 / hours, 0.5 / ((emptied or hours) * EFF)
    for price, cost_per_kwh in zip(reversed(prices), reversed(buying), strict=True):
        gain = np.full((cells + 1, cells + 1), -np.inf)  # from, to
        change = fill[None, :] - fill[:, None]
        cost = np.where(change > 0, change / EFF * cost_per_kwh, change * EFF * (price - WEAR))
        allowed = (change <= up + 1e-9) & (change >= -down - 1e-9)
        gain[allowed] = (value[None, :] - cost)[allowed]
        value = gain.max(1)
    return value


@pytest.mark.parametrize("hours", [1.0, 2.0, 4.5])
def test_the_curve_is_the_slope_of_the_best_that_can_be_earned(hours):
    prices = [0.30, 0.05, 0.02, 0.09, 0.25, 0.60, 0.40, 0.15, -0.05, 0.12, 0.50, 0.20]
    typical = sum(prices) / len(prices) * EFF
    curve = water_value(nodes(prices), WEIGHTS, hours, EFF, WEAR, 0.5).double().numpy()
    value = best_by_enumeration(prices, hours, typical, 640)
    grid = np.linspace(0.0, 1.0, 17)
    worth = np.interp(grid, np.linspace(0.0, 1.0, 641), value)
    ours = np.concatenate([[0.0], np.cumsum((curve[1:] + curve[:-1]) / 2 / 16)])
    # Levelling blurs a step of the slope, not what lies under it: over a half width w a step of
    # height J misses J w / 4 at most. Sixteen cells add a hundredth.
    total, slope = worth[-1] - worth[0], np.diff(worth) * 16
    blur = (slope.max() - slope.min()) * 0.75 * EFF * 0.5 / hours / 4
    assert ours[-1] == pytest.approx(total, rel=0.02)
    assert np.abs(ours - (worth - worth[0])).max() < 1.1 * blur + 0.01 * total


PRICES = [0.30, 0.05, 0.02, 0.09, 0.25, 0.60, 0.40, 0.15, 0.30, 0.12, 0.50, 0.20]
SUN = [0.30, 0.0, 0.0, 0.0, 0.25, 0.60, 0.40, 0.15, 0.30, 0.12, 0.50, 0.20]


@pytest.mark.parametrize(("hours", "emptied"), [(1.0, 1.0), (2.0, 2.0), (2.0, 6.0), (1.0, 4.5)])
def test_with_two_prices_it_is_the_slope_of_the_best_too(hours, emptied, monkeypatch):
    """Sun left over is stored for nothing, and the home's own load empties the battery.

    Before it is levelled, which moves value between fills the more the slower a store is emptied.
    """
    monkeypatch.setattr(water_value_module, "levelled", lambda curve, half_width: curve)
    typical = sum(PRICES) / len(PRICES) * EFF
    two = nodes(SUN), emptied
    curve = water_value(nodes(PRICES), WEIGHTS, hours, EFF, WEAR, 0.5, *two).double().numpy()
    value = best_by_enumeration(PRICES, hours, typical, 640, SUN, emptied)
    worth = np.interp(np.linspace(0.0, 1.0, 17), np.linspace(0.0, 1.0, 641), value)
    ours = np.concatenate([[0.0], np.cumsum((curve[1:] + curve[:-1]) / 2 / 16)])
    # Sixteen cells miss half a cell of a step.
    assert np.abs(ours - (worth - worth[0])).max() < curve.max() / 32


def test_the_same_price_for_storing_is_one_price():
    prices = 0.1 + 0.05 * torch.randn(48, 11).sort(-1).values
    one = water_value(prices, WEIGHTS, 2.0, EFF, WEAR, 0.5)
    assert torch.equal(water_value(prices, WEIGHTS, 2.0, EFF, WEAR, 0.5, prices, 2.0), one)


def test_no_home_empties_a_battery_faster_than_the_battery_can():
    prices = nodes(PRICES)
    least = water_value(prices, WEIGHTS, 4.0, EFF, WEAR, 0.5)
    assert torch.equal(water_value(prices, WEIGHTS, 4.0, EFF, WEAR, 0.5, None, 1.0), least)
    slower = water_value(prices, WEIGHTS, 4.0, EFF, WEAR, 0.5, None, 12.0)
    assert not torch.equal(slower, least)
