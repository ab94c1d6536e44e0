import pytest
import torch

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
