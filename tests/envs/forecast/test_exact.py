"""The forecast is the law that the prices are drawn from: calibrated, unbiased, causal."""

import math

import numpy as np
import pytest
import torch

from vpp_envs.forecast.exact import exact_forecast
from vpp_envs.forecast.protocol import LEADS, NODE_WEIGHTS
from vpp_envs.scenario_tables import market_signals
from vpp_envs.signals.market import MarketSpec
from vpp_envs.signals.synthetic.prices import (
    clock_rows,
    price_model,
    price_of,
    simulate_prices,
)

DAYS = 4000
STRIDE = 50  # half hours between issues: more than the longest lead, so that errors are fresh
CHECKED = (0, 1, 5, 11, 23, 47)
EDGES = np.cumsum(NODE_WEIGHTS)[:-1]


class Played:
    """A long path, its forecasts at distant issues, and what then happened."""

    def __init__(self, market):
        self.model = price_model(market)
        stamps = np.datetime64("2024-01-01") + np.timedelta64(300, "s") * np.arange(288 * DAYS)
        rows = clock_rows(stamps, self.model.zone)
        path = simulate_prices(self.model, rows, 0, 7, 1.0 / 12.0)
        issues = torch.arange(0, 48 * DAYS - LEADS - 1, STRIDE)
        leads = issues.unsqueeze(-1) + 1 + torch.arange(LEADS)
        self.factors, self.rows = path.factors[6 * issues], rows[6 * leads]
        self.forecast = exact_forecast(self.factors, self.rows, self.model)
        # The interval in the middle of the lead's half hour.
        self.realised = path.price_per_mwh[6 * leads + 3]


@pytest.fixture(scope="module", params=["SA1", "VIC1", "ERCOT2024"])
def played(request):
    return Played(request.param)


def bin_edges(played, lead):
    """Prices at the edges of the bins, from the normal law of the score, (I, Q - 1)."""
    ahead_h = 0.5 * (lead + 1) + 0.25
    centre, variance = 0.0, 0.0
    for column, (load, tau) in enumerate(
        zip(played.model.loadings, played.model.taus_h, strict=True)
    ):
        decay = math.exp(-ahead_h / tau)
        centre = centre + load * decay * played.factors[:, column]
        variance += load**2 * (1 - decay**2)
    edges = torch.special.ndtri(torch.tensor(EDGES))
    score = centre.unsqueeze(-1) + math.sqrt(variance) * edges
    return price_of(score, played.rows[:, lead].unsqueeze(-1), played.model)


@pytest.mark.parametrize("lead", CHECKED)
def test_prices_fall_into_each_bin_with_its_weight(played, lead):
    edges, realised = bin_edges(played, lead), played.realised[:, lead]
    found = np.bincount((realised.unsqueeze(-1) > edges).sum(-1), minlength=len(NODE_WEIGHTS))
    count = len(realised)
    for seen, weight in zip(found, NODE_WEIGHTS, strict=True):
        error = math.sqrt(count * weight * (1 - weight))
        assert abs(seen - count * weight) < 4.5 * error


@pytest.mark.parametrize("lead", CHECKED)
def test_each_node_lies_in_its_bin(played, lead):
    nodes, edges = played.forecast.nodes_per_mwh[:, lead].double(), bin_edges(played, lead)
    slack = 1e-3 * edges.abs() + 0.05  # of the tabulated map
    assert (nodes[:, :-1] <= edges + slack).all()
    assert (nodes[:, 1:] >= edges - slack).all()


def test_nodes_rise_along_the_bins(played):
    assert (played.forecast.nodes_per_mwh.diff(dim=-1) >= 0).all()
    assert played.forecast.weights.sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize("lead", CHECKED)
def test_the_mean_is_unbiased(played, lead):
    error = played.realised[:, lead] - played.forecast.nodes_per_mwh[:, lead].double() @ (
        played.forecast.weights.double()
    )
    assert abs(error.mean().item()) < 4.5 * error.std().item() / math.sqrt(len(error))


@pytest.mark.parametrize("market", ["SA1", "NSW1", "VIC1", "ERCOT2023"])
def test_the_mean_is_the_integral_of_the_law(market):
    model = price_model(market)
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    rows = torch.randint(0, 96, (40, LEADS), generator=generator)
    forecast = exact_forecast(factors, rows, model)
    mean = forecast.nodes_per_mwh.double() @ forecast.weights.double()
    score = torch.linspace(-8.0, 8.0, 8001, dtype=torch.float64)
    density = torch.exp(-score.square() / 2)
    density = density / density.sum()
    loading = torch.tensor(model.loadings, dtype=torch.float64)
    tau = torch.tensor(model.taus_h, dtype=torch.float64)
    for lead in (0, 7, 47):
        decay = torch.exp(-(0.5 * (lead + 1) + 0.25) / tau)
        spread = (loading.square() * (1 - decay.square())).sum().sqrt()
        centre = (factors * loading * decay).sum(-1, keepdim=True)
        whole = price_of(centre + spread * score, rows[:, lead : lead + 1], model) @ density
        # A bin is summed at a few points, which misses little of it and 5 % of a heavy tail.
        torch.testing.assert_close(mean[:, lead], whole, rtol=0.02, atol=0.5)
        assert mean[:, lead].sum().item() == pytest.approx(whole.sum().item(), rel=0.006)


def test_the_forecast_narrows_as_its_time_comes(played):
    nodes = played.forecast.nodes_per_mwh
    width = (nodes[:, :, 7] - nodes[:, :, 1]).median(0).values
    assert width[0] < 0.8 * width[5]
    assert width[5] < width[47]


def test_only_the_factors_of_the_issue_matter(played):
    changed = played.factors.clone()
    changed[51:] = 3.0
    ours = exact_forecast(changed, played.rows, played.model).nodes_per_mwh
    assert torch.equal(ours[:51], played.forecast.nodes_per_mwh[:51])
    assert not torch.equal(ours[51:], played.forecast.nodes_per_mwh[51:])


def test_what_comes_later_changes_no_earlier_forecast():
    """A market that goes on for longer is forecast alike in its first days."""
    short, long = (
        market_signals(MarketSpec(region="VIC1", train_days=days), "train") for days in (3, 9)
    )
    torch.testing.assert_close(
        long.forecast.nodes_per_mwh[: 3 * 48], short.forecast.nodes_per_mwh, rtol=1e-5, atol=1e-3
    )


def test_a_forecast_knows_the_interval_that_it_is_made_in():
    signals = market_signals(MarketSpec(region="SA1", train_days=20), "train")
    nodes, price = signals.forecast.nodes_per_mwh, signals.price_per_mwh
    issued, ahead = price[::6][:-1], nodes[:-1, 0, 4].double()
    lagged = torch.corrcoef(torch.stack([issued.asinh(), ahead.asinh()]))[0, 1]
    assert lagged > 0.7
    assert nodes.shape == (20 * 48, LEADS, len(NODE_WEIGHTS))
