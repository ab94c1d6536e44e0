"""The price process against the tables of public prices that it is calibrated to.

Tolerances are sampling errors: a path of four years is far from endless, because its slow factor
lasts days. Means and deviations are not compared: with these tails they do not converge.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.signals.synthetic.prices import (
    KNOTS,
    MARKETS,
    clock_rows,
    price_model,
    price_of,
    quantile_map,
    simulate_prices,
)

TICK_H = 1.0 / 12.0
TICKS = 1461 * 288  # four years
# Quantiles of public half-hourly (NEM, 2024) and hourly (ERCOT, 2024) prices, per MWh.
QUANTILES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95)
RECORDED = {
    "SA1": (-106, -55, -3, 72.4, 141, 261),
    "VIC1": (-91, -53, 4, 66.0, 127, 251),
    "NSW1": (-47, -18, 55, 81.1, 126, 270),
    "QLD1": (-47, -38, 46, 85.5, 131, 262),
    "ERCOT2024": (-2, 3, 14, 19.4, 26, 60),
}
BELOW_ZERO = {"SA1": 0.261, "VIC1": 0.228, "NSW1": 0.072, "QLD1": 0.139, "ERCOT2024": 0.022}
ABOVE_300 = {"SA1": 0.0256, "VIC1": 0.0131, "NSW1": 0.0219, "QLD1": 0.0230, "ERCOT2024": 0.0028}
# Medians by hour of the market's day.
DUCK = {
    "SA1": "96 85 75 71 78 89 95 70 28 0 -20 -31 -35 -36 -27 2 48 118 142 133 121 112 103 101",
    "VIC1": "79 69 64 61 66 77 81 65 28 3 -7 -16 -16 -10 3 16 60 115 138 122 110 98 89 88",
    "NSW1": "86 81 78 78 83 92 94 66 51 49 46 41 45 48 57 65 94 176 186 138 120 107 104 98",
    "ERCOT2024": "18 17 16 16 17 19 21 20 16 14 15 16 17 18 18 20 23 27 29 33 30 23 21 19",
}


def four_years(market, seed=0, episode=0, ticks=TICKS):
    model = price_model(market)
    stamps = np.datetime64("2024-01-01") + np.timedelta64(300, "s") * np.arange(ticks)
    rows = clock_rows(stamps, model.zone)
    return model, rows, simulate_prices(model, rows, seed, episode, TICK_H)


@pytest.fixture(scope="module", params=RECORDED)
def path(request):
    return request.param, *four_years(request.param)


def law(market):
    """Prices at evenly spaced probabilities, by quarter and hour, (96, U)."""
    probability = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    rows = torch.arange(96).unsqueeze(-1)
    return price_of(torch.special.ndtri(probability), rows, price_model(market)).numpy()


def mean_correlation(model, hours):
    """Mean correlation of the score over all pairs of these hours."""
    apart = np.abs(hours[:, None] - hours[None, :])
    parts = zip(model.loadings, model.taus_h, strict=True)
    return sum(load**2 * np.exp(-apart / tau) for load, tau in parts).mean()


@pytest.mark.parametrize("market", MARKETS)
def test_the_map_gives_the_tables_prices_at_its_probabilities(market):
    table = quantile_map(market)
    model = price_model(market)
    assert not table.isnan().any()
    for knot, probability in list(enumerate(KNOTS))[1:]:
        score = torch.special.ndtri(torch.tensor(probability, dtype=torch.float64))
        prices = price_of(score.expand(96), torch.arange(96), model)
        torch.testing.assert_close(prices, table[:, knot], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("market", MARKETS)
def test_a_higher_score_is_never_a_lower_price(market):
    model = price_model(market)
    score = torch.linspace(-7.0, 7.0, 4001, dtype=torch.float64)
    prices = price_of(score, torch.arange(96).unsqueeze(-1), model)
    assert (prices.diff(dim=-1) >= 0).all()
    assert prices.max() <= model.cap_per_mwh
    assert prices.min() >= model.floor_per_mwh


def test_the_tail_is_pareto_and_the_bottom_half_as_deep_again():
    model = price_model("SA1")
    table = quantile_map("SA1")
    score = torch.special.ndtri(torch.tensor([0.999], dtype=torch.float64))
    price = price_of(score, torch.tensor([1]), model).item()
    # A tenth of the tail: 10 ** (1 / 0.82) = 16.6 times its beginning.
    assert price == pytest.approx(table[1, 9].item() * 10 ** (1 / 0.82), rel=1e-6)
    negative, positive = table[:, 1].argmin(), table[:, 1].argmax()
    assert table[negative, 0] == 1.5 * table[negative, 1]
    assert table[positive, 0] == pytest.approx(0.7 * table[positive, 1].item())


def test_quantiles_by_quarter_and_hour_are_met_within_their_sampling_error(path):
    _, model, rows, prices = path
    table = quantile_map(model.market)
    hours = np.arange(91)[:, None] * 24.0 + np.arange(12) * TICK_H
    # The correlation of an event is at most that of the scores behind it; years are fresh draws.
    event_share = mean_correlation(model, hours.reshape(-1)) / 4
    scores = []
    for row in range(96):
        here = prices.price_per_mwh[rows == row]
        for knot in (2, 4, 5, 6, 8, 9):
            chance = KNOTS[knot]
            below = (here < table[row, knot]).double().mean().item()
            error = math.sqrt(chance * (1 - chance) * event_share)
            scores.append((below - chance) / error)
    assert np.abs(scores).max() < 4.5
    assert np.sqrt(np.mean(np.square(scores))) < 1.5


def test_quantiles_of_the_whole_year_are_the_recorded_ones(path):
    market = path[0]
    ours = np.quantile(law(market), QUANTILES)
    # Between its knots the map is a straight line: 3 % and 7 units of money at the far ends.
    np.testing.assert_allclose(ours, RECORDED[market], rtol=0.03, atol=7.0)


def test_negative_and_high_prices_are_as_frequent_as_recorded(path):
    market, model, _, prices = path
    expected = law(market)
    assert (expected < 0).mean() == pytest.approx(BELOW_ZERO[market], abs=0.01)
    # The tail begins in every hour at that hour's own 99th percentile, which overstates it.
    assert 1.0 < (expected > 300).mean() / ABOVE_300[market] < 1.55
    hours = np.arange(0, TICKS, 288 * 4 + 17) * TICK_H  # a sample of the path, all hours alike
    share = mean_correlation(model, hours)
    for seen, event in (
        ((prices.price_per_mwh < 0).double().mean().item(), expected < 0),
        ((prices.price_per_mwh > 300).double().mean().item(), expected > 300),
    ):
        chance = event.mean()
        assert seen == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) * share))


@pytest.mark.parametrize("market", DUCK)
def test_medians_by_hour_draw_the_recorded_duck(market):
    hourly = law(market).reshape(4, 24, -1).transpose(1, 0, 2).reshape(24, -1)
    recorded = [float(number) for number in DUCK[market].split()]
    # Straight lines between quartiles, 60 apart where the morning falls into noon.
    np.testing.assert_allclose(np.median(hourly, axis=1), recorded, rtol=0.06, atol=8.0)


def test_factors_are_unit_processes_with_their_own_memory(path):
    _, model, _, prices = path
    assert sum(load**2 for load in model.loadings) == pytest.approx(1.0)
    for factor, tau in zip(prices.factors.T, model.taus_h, strict=True):
        count = TICKS * TICK_H / (2 * tau)  # independent values in the path
        assert factor.mean().item() == pytest.approx(0.0, abs=4.5 / math.sqrt(count))
        assert factor.var().item() == pytest.approx(1.0, abs=4.5 * math.sqrt(2 / count))
        # Innovations are white and of the right size: exact, whatever the memory.
        decay = math.exp(-TICK_H / tau)
        fresh = factor[1:] - decay * factor[:-1]
        assert fresh.var().item() == pytest.approx(1 - decay**2, rel=4.5 * math.sqrt(2 / TICKS))
        white = (fresh[1:] * fresh[:-1]).mean() / fresh.var()
        assert abs(white.item()) < 4.5 / math.sqrt(TICKS)
    crossed = torch.corrcoef(prices.factors[:, 1:].T)[0, 1].item()
    assert abs(crossed) < 0.05


def test_prices_stay_between_floor_and_cap_and_reach_the_cap():
    for seed in range(3):
        model, _, prices = four_years("SA1", seed)
        assert prices.price_per_mwh.min() >= model.floor_per_mwh
        assert prices.price_per_mwh.max() == model.cap_per_mwh


def test_a_seed_and_an_episode_name_a_path():
    paths = [
        four_years("VIC1", seed, episode, 288)[2].price_per_mwh
        for seed, episode in ((5, 0), (5, 0), (6, 0), (5, 1))
    ]
    assert torch.equal(paths[0], paths[1])
    assert not torch.equal(paths[0], paths[2])
    assert not torch.equal(paths[0], paths[3])


def test_a_longer_path_begins_with_the_shorter():
    short, long = (four_years("VIC1", ticks=days * 288)[2] for days in (3, 30))
    torch.testing.assert_close(long.factors[: 3 * 288], short.factors, rtol=0, atol=1e-12)


@given(st.sampled_from(MARKETS), st.floats(-6, 6), st.integers(0, 95))
def test_single_precision_reads_the_same_price(market, score, row):
    model = price_model(market)
    exact = price_of(torch.tensor([score]).double(), torch.tensor([row]), model).item()
    single = price_of(torch.tensor([score]), torch.tensor([row]), model).item()
    assert single == pytest.approx(exact, rel=2e-3, abs=0.05)


def test_rows_of_the_map_follow_the_markets_clock():
    stamps = np.array(["2024-06-30T13:55", "2024-06-30T14:00", "2024-01-01T05:30"], "datetime64[s]")
    brisbane = clock_rows(stamps, "Etc/GMT-10")  # 23:55, then the third quarter begins
    assert brisbane.tolist() == [24 + 23, 48 + 0, 0 + 15]
    assert clock_rows(stamps, "America/Chicago").tolist() == [24 + 8, 24 + 9, 72 + 23]


def test_an_unknown_market_is_refused_by_name():
    with pytest.raises(InputError, match=r"market\.region='SA2' has no synthetic price model"):
        price_model("SA2")
