import pytest
import torch

from vpp_rl.agents.network import PolicyNetwork


@pytest.mark.parametrize("squash", [True, False])
def test_an_untrained_policy_is_the_rule_of_its_dispatch_mode(squash):
    policy = PolicyNetwork(5, 3, squash=squash)
    assert torch.equal(policy(100.0 * torch.randn(7, 5)), torch.zeros(7, 3))


@pytest.mark.parametrize("squash", [True, False])
def test_actions_stay_in_bounds_whatever_the_weights(squash):
    policy = PolicyNetwork(5, 3, squash=squash)
    torch.nn.init.normal_(policy.head.weight, std=50.0)
    action = policy(100.0 * torch.randn(200, 5))
    assert action.abs().max() == 1.0
    assert action.min() == -1.0


def test_the_normaliser_brings_what_it_saw_to_zero_mean_and_unit_spread():
    policy = PolicyNetwork(2, 1)
    seen = torch.tensor([3.0, -1.0]) + torch.tensor([2.0, 0.5]) * torch.randn(20_000, 2)
    policy.set_normaliser(seen)
    normal = policy.normalise(seen)
    assert torch.allclose(normal.mean(0), torch.zeros(2), atol=1e-3)
    assert torch.allclose(normal.std(0), torch.ones(2), atol=1e-3)


def test_a_feature_that_hardly_moved_is_not_blown_up():
    policy = PolicyNetwork(1, 1)
    policy.set_normaliser(torch.full((100, 1), 0.7))
    assert policy.normalise(torch.tensor([[0.75]])).item() == pytest.approx(1.0)  # 0.05 / 0.05


def test_the_normaliser_is_saved_with_the_weights():
    policy, other = PolicyNetwork(2, 1), PolicyNetwork(2, 1)
    policy.set_normaliser(torch.randn(100, 2))
    other.load_state_dict(policy.state_dict())
    assert torch.equal(other.mean, policy.mean)
    assert torch.equal(other.scale, policy.scale)


def test_no_single_feature_shouts_down_the_others():
    policy = PolicyNetwork(1, 1)
    policy.set_normaliser(torch.randn(100, 1))
    assert policy.normalise(torch.tensor([[1e9]])).item() == 10.0
