import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.forecast.naive import (
    FORECASTERS,
    bin_means,
    oracle,
    persistence,
    seasonal_decayed,
    seasonal_naive,
)
from vpp_envs.forecast.protocol import LEADS, NODE_WEIGHTS
from vpp_envs.signals.table import PriceLimits

CAUSAL = sorted(set(FORECASTERS) - {"oracle"})
WEIGHTS = torch.tensor(NODE_WEIGHTS, dtype=torch.float64)
DAY = 288
NO_LIMITS = PriceLimits(-1e9, 1e9)


def spiky_prices(days, seed=0):
    """Five-minute prices with a daily shape, noise, negative midday prices and rare spikes."""
    draw = np.random.default_rng(seed)
    tick = np.arange(days * DAY)
    price = 80.0 + 90.0 * np.sin(2 * np.pi * tick / DAY) + 30.0 * draw.standard_normal(len(tick))
    price[draw.random(len(tick)) < 0.01] = 9_000.0
    return torch.from_numpy(price)


def mean_of(nodes):
    return (nodes.double() * WEIGHTS).sum(-1)


@given(st.lists(st.tuples(st.floats(-1000, 23_200), st.floats(0.01, 1.0)), min_size=1, max_size=40))
def test_node_weighted_mean_is_the_mean_of_the_sample(sample):
    price, weight = torch.tensor(sample, dtype=torch.float64).unbind(-1)
    nodes = bin_means(price, weight)
    assert mean_of(nodes) == pytest.approx(float((price * weight).sum() / weight.sum()), abs=1e-8)
    assert float(nodes.min()) >= float(price.min()) - 1e-8
    assert float(nodes.max()) <= float(price.max()) + 1e-8


def test_two_equal_prices_split_at_the_median_node():
    # Nodes hold .04 .08 .12 .16 | .20 | ...: the first 0.40 is below, the next 0.20 straddles 0.50.
    nodes = bin_means(torch.tensor([10.0, 0.0]), torch.ones(2))
    np.testing.assert_allclose(nodes, [0, 0, 0, 0, 5, 10, 10, 10, 10, 10, 10], atol=1e-12)


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("issue", [0, 47, 95, 96, 700, 1439])
def test_changing_every_future_price_changes_no_bit_of_a_forecast(name, issue):
    price = spiky_prices(30)
    other = price.clone()
    other[6 * issue + 1 :] = 500.0 - 3.0 * spiky_prices(30, seed=1)[6 * issue + 1 :]
    past = torch.arange(issue + 1)
    before = FORECASTERS[name](price, None, NO_LIMITS).nodes_per_mwh[past]
    after = FORECASTERS[name](other, None, NO_LIMITS).nodes_per_mwh[past]
    assert torch.equal(before, after)


@pytest.mark.parametrize("name", ["persistence", "seasonal_decayed"])
def test_price_of_the_running_interval_is_used(name):
    price = spiky_prices(10)
    other = price.clone()
    other[6 * 300] += 40.0
    issues = torch.tensor([299, 300])
    first, second = (FORECASTERS[name](p, issues, NO_LIMITS).nodes_per_mwh for p in (price, other))
    assert torch.equal(first[0], second[0])
    assert (first[1, 0] < second[1, 0]).all()


@pytest.mark.parametrize("name", sorted(FORECASTERS))
def test_issues_asked_alone_equal_those_of_the_whole(name):
    price = spiky_prices(20)
    whole = FORECASTERS[name](price, None, NO_LIMITS)
    assert whole.nodes_per_mwh.shape == (20 * 48, LEADS, len(NODE_WEIGHTS))
    issues = torch.tensor([3, 90, 100, 959, 500])
    some = FORECASTERS[name](price, issues, NO_LIMITS)
    torch.testing.assert_close(some.nodes_per_mwh, whole.nodes_per_mwh[issues], rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", sorted(FORECASTERS))
def test_nodes_rise_and_keep_the_limits_of_the_market(name):
    limits = PriceLimits(-50.0, 8_000.0)
    nodes = FORECASTERS[name](spiky_prices(20).clamp(*limits), None, limits).nodes_per_mwh
    assert (nodes.diff(dim=-1) >= 0).all()
    assert nodes.min() >= -50.0
    assert nodes.max() <= 8_000.0


@pytest.mark.parametrize("name", sorted(FORECASTERS))
def test_constant_price_is_forecast_exactly_from_the_first_issue_on(name):
    nodes = FORECASTERS[name](torch.full((4 * DAY,), 64.0), None, NO_LIMITS).nodes_per_mwh
    torch.testing.assert_close(nodes, torch.full_like(nodes, 64.0), rtol=1e-6, atol=0)


def test_persistence_is_the_last_half_hour_plus_its_former_errors():
    # Each half hour is 10 above the one before. The last 30 minutes miss lead h by a constant ever
    # since the first day, so their former errors bring the forecast to the ramp itself.
    ramp = torch.arange(17 * 48, dtype=torch.float64).mul(10.0).repeat_interleave(6)
    issue = 16 * 48 + 5
    nodes = persistence(ramp, torch.tensor([issue]), NO_LIMITS).nodes_per_mwh[0]
    for lead in (0, 9, LEADS - 1):
        torch.testing.assert_close(nodes[lead], torch.full((11,), 10.0 * (issue + 1 + lead)))


def test_seasonal_naive_is_the_sample_of_the_last_14_days():
    day_prices = torch.tensor([31.0, 7, 99, 250, -40, 12, 60, 61, 62, 63, 20, 21, 22, 23, 24, 25])
    price = day_prices.double().repeat_interleave(DAY)
    issue = 15 * 48 + 10  # on the 16th day: days 2 to 15 are its season
    nodes = seasonal_naive(price, torch.tensor([issue]), NO_LIMITS).nodes_per_mwh[0]
    expected = bin_means(day_prices[1:15], torch.ones(14)).float()
    torch.testing.assert_close(nodes[0], expected)
    # The longest lead is tomorrow's half hour 10, whose price of today is not known yet.
    torch.testing.assert_close(
        nodes[LEADS - 1], bin_means(day_prices[1:15], torch.ones(14)).float()
    )
    # Lead 38 is tomorrow's half hour 1: today's is known, the oldest day drops out.
    torch.testing.assert_close(nodes[38], bin_means(day_prices[2:16], torch.ones(14)).float())


def test_deviation_seen_last_shifts_near_leads_more_than_far_ones():
    flat = torch.full((20 * DAY,), 100.0)
    flat += torch.tensor([-20.0, 20.0]).repeat_interleave(DAY).repeat(10)
    dear = flat.clone()
    dear[-12:] += 60.0  # the last hour is dearer than the season
    issue = torch.tensor([20 * 48 - 1])
    usual, shifted = (mean_of(seasonal_decayed(p, issue).nodes_per_mwh[0]) for p in (flat, dear))
    shift = shifted - usual
    assert shift[0] > 40.0
    # From lead 46 on the dear hour is itself a day of the season.
    assert (shift[:46].diff() < 0).all()
    assert 0.0 < shift[45] < 0.1 * shift[0]


def test_season_is_narrower_at_near_leads():
    nodes = seasonal_decayed(spiky_prices(30).clamp(max=300.0), torch.tensor([1400])).nodes_per_mwh
    width = (nodes[0, :, -1] - nodes[0, :, 0]).double()
    assert width[0] < 0.6 * width[24:].mean()


def test_oracle_tells_the_actual_half_hours_and_repeats_the_last_day():
    price = spiky_prices(3)
    half_hours = price.view(-1, 6).mean(-1).float()
    nodes = oracle(price, torch.tensor([20, 143])).nodes_per_mwh
    torch.testing.assert_close(nodes[0], half_hours[21:69, None].expand(-1, 11))
    torch.testing.assert_close(nodes[1], half_hours[96:144, None].expand(-1, 11))


@pytest.mark.parametrize("ticks", [0, 7])
def test_prices_that_are_not_whole_half_hours_are_refused(ticks):
    with pytest.raises(InputError, match="whole half hours of five-minute prices"):
        persistence(torch.zeros(ticks))


def test_missing_price_is_refused_with_its_tick():
    price = torch.zeros(12)
    price[7] = torch.nan
    with pytest.raises(InputError, match="price of tick 7 is not a finite number"):
        seasonal_naive(price)


@pytest.mark.reference
def test_better_forecasts_of_south_australia_score_better(shared_data):
    """CRPS below 300 $/MWh, July to December 2022: after the months that tuned the forecaster."""
    import pandas as pd

    table = pd.read_parquet(shared_data / "prices" / "aemo_nem_5min.parquet")
    price = torch.tensor(table[table.region == "SA1"].price_aud_mwh.to_numpy(np.float64))
    issues = torch.arange(273 * 48, len(price) // 6 - LEADS, 7)
    actual = price.view(-1, 6).mean(-1)[issues[:, None] + 1 + torch.arange(LEADS)].clamp(max=300)
    score = {}
    for name in CAUSAL:
        nodes = FORECASTERS[name](price, issues, NO_LIMITS).nodes_per_mwh.double().clamp(max=300)
        miss = ((nodes - actual[..., None]).abs() * WEIGHTS).sum(-1)
        below = torch.cat([torch.zeros(1), WEIGHTS.cumsum(0)[:-1].float()]).double()
        # E|X - X'| / 2 of a sorted discrete law, without the pairs.
        spread = (nodes * WEIGHTS * (2 * below + WEIGHTS - 1)).sum(-1)
        score[name] = float((miss - spread).mean())
    assert score["seasonal_decayed"] < 0.92 * score["seasonal_naive"]
    assert score["seasonal_naive"] < 0.80 * score["persistence"]
