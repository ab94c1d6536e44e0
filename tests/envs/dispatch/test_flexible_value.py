import itertools

import pytest
import torch

from vpp_envs.dispatch.flexible_value import leaking_value, waiting_value

ONE = torch.ones(1, dtype=torch.float64)


def certain(prices):
    """A forecast that is sure of every half hour, (1, H, 1)."""
    return torch.tensor(prices, dtype=torch.float64).reshape(1, -1, 1)


def cheapest(prices, fill, full_h, drain, lead_h=0.5, steps=40):
    """Least cost of a store that drains, by brute force on a fine grid of fills.

    The store is in shares of its size; a half hour at full power moves it by ``lead_h / full_h``.
    """
    up = lead_h / full_h
    fall = drain * up
    grid = torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)
    # What is left over saves the mean price of a day, as in the recursion.
    cost = -grid * full_h * sum(prices) / len(prices)
    for price in reversed(prices):
        bought = grid.unsqueeze(0) - (grid.unsqueeze(1) - fall)  # from row to column
        allowed = (bought >= -1e-9) & (bought <= up + 1e-9)
        total = cost.unsqueeze(0) + price * bought / up * lead_h
        cost = torch.where(allowed, total, torch.inf).min(1).values
    at = fill * steps
    return cost[int(at)], cost[int(at) + 1]


def test_a_store_that_drains_is_worth_what_it_saves():
    """The slope of the least cost, found by brute force."""
    prices = [0.1, 0.5, 0.1, 0.6, 0.2, 0.2, 0.1, 0.9] * 6
    full_h, drain = 2.0, 0.4
    curve = leaking_value(certain(prices), ONE, full_h, torch.full((48,), drain), 0.0, 0.5)[0]
    for fill in (0.25, 0.5, 0.75):
        below, above = cheapest(prices, fill, full_h, drain)
        slope = float(below - above) / (full_h / 40)  # per kWh drawn by a device of 1 kW
        # Levelled over neighbouring fills.
        near = curve[max(0, int(fill * 16) - 3) : int(fill * 16) + 4]
        assert float(near.min()) - 0.02 <= slope <= float(near.max()) + 0.02


def test_value_falls_with_fill_and_with_leaks():
    generator = torch.Generator().manual_seed(0)
    prices = torch.rand(3, 48, 9, generator=generator, dtype=torch.float64)
    weights = torch.full((9,), 1 / 9, dtype=torch.float64)
    tight, leaky = (
        leaking_value(prices.sort(-1)[0], weights, 3.0, torch.full((48,), 0.3), rate, 0.5)
        for rate in (0.0, 0.2)
    )
    assert (tight.diff(dim=-1) <= 1e-9).all()
    assert (leaky <= tight + 1e-9).all()
    assert (leaky < tight).any()


def test_a_flat_price_makes_every_kwh_worth_that_price():
    curve = leaking_value(certain([0.3] * 48), ONE, 2.0, torch.full((48,), 0.5), 0.0, 0.5)
    torch.testing.assert_close(curve, torch.full_like(curve, 0.3))


def brute_start(prices, job_h, slack, now):
    """Whether to start now, by trying every start."""
    length = round(job_h / 0.5)
    line = [now, *prices, *[prices[-1]] * length]
    costs = [sum(line[k : k + length]) for k in range(slack + 1)]
    return costs[0] <= min(costs[1:]) + 1e-12


@pytest.mark.parametrize("job_h", [0.5, 1.5])
def test_a_job_starts_exactly_when_no_later_start_is_cheaper(job_h):
    prices = [0.4, 0.2, 0.3, 0.5, 0.1, 0.6, 0.2, 0.2, 0.4, 0.9, 0.3, 0.05, 0.8, 0.7, 0.6, 0.5]
    curve = waiting_value(certain(prices), ONE, job_h, 8.0, 0.5)[0]
    for slack, now in itertools.product(range(1, 17), (0.02, 0.13, 0.33, 0.71)):
        starts = now <= float(curve[slack])
        assert starts == brute_start(prices, job_h, slack, now), (slack, now)


def test_a_job_without_slack_is_worth_any_price_and_more_slack_makes_it_choosier():
    curve = waiting_value(certain([0.5, 0.4, 0.3, 0.2] * 12), ONE, 1.0, 8.0, 0.5)[0]
    assert curve[0] > 500.0
    assert (curve.diff() <= 1e-9).all()
