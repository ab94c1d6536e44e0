"""What running now is worth to a job that may pause, against the cheapest hours of a day."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.dispatch.pausing_value import pausing_value

ONE = torch.ones(1, dtype=torch.float64)


def nodes(prices):
    return torch.tensor(prices, dtype=torch.float64).unsqueeze(-1)


def test_a_ramp_of_prices_is_read_from_its_upper_end():
    """Sixteen leads at 1 to 16: half of the time lies below 8.5, the dearest is the first point."""
    curve = pausing_value(nodes([float(n) for n in range(1, 17)]), ONE, 8.0, 0.5)
    assert (curve[0].item(), curve[8].item(), curve[16].item()) == pytest.approx((16.0, 8.5, 1.0))


def test_prices_beyond_the_window_count_for_nothing():
    near, far = [0.1, 0.2, 0.3, 0.4], [9.0, -9.0]
    torch.testing.assert_close(
        pausing_value(nodes(near + far), ONE, 2.0, 0.5), pausing_value(nodes(near), ONE, 2.0, 0.5)
    )


def test_bins_count_by_their_probability():
    """One lead, 0.1 in nine cases of ten: the middle lies a tenth of the way to the other."""
    weights = torch.tensor([0.9, 0.1], dtype=torch.float64)
    curve = pausing_value(torch.tensor([[0.1, 1.1]], dtype=torch.float64), weights, 0.5, 0.5)
    # Narrowed to 0.8 of their distance from the mean of 0.2.
    assert (curve[0].item(), curve[16].item()) == pytest.approx((0.92, 0.12))
    assert curve[8].item() == pytest.approx(0.2)


@given(st.lists(st.floats(-1.0, 10.0), min_size=1, max_size=48), st.floats(0.5, 24.0))
def test_the_value_falls_with_the_share_of_rest_and_stays_among_the_prices(prices, window_h):
    curve = pausing_value(nodes(prices), ONE, window_h, 0.5)
    assert curve.shape == (17,)
    assert (curve.diff() <= 1e-12).all()
    assert min(prices) - 1e-12 <= curve.min().item() <= curve.max().item() <= max(prices) + 1e-12


def test_it_can_be_scripted_and_takes_many_issues_at_once():
    many = torch.rand(3, 2, 48, 5, generator=torch.Generator().manual_seed(0))
    weights = torch.full((5,), 0.2)
    curve = pausing_value(many, weights, 16.0, 0.5)
    assert curve.shape == (3, 2, 17)
    assert torch.equal(torch.jit.script(pausing_value)(many, weights, 16.0, 0.5), curve)
    torch.testing.assert_close(curve[1, 1], pausing_value(many[1, 1], weights, 16.0, 0.5))
