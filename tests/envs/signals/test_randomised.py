"""Copies of the training days: what they vary, what they keep, and who sees them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.scenario_tables import market_signals
from vpp_envs.signals.market import MarketSpec
from vpp_envs.signals.randomised import Randomisation, Variation, variation, varied, with_copies
from vpp_envs.vector_env import FleetVectorEnv

DAYS, DAY = 6, 288
TICKS = DAYS * DAY
MARKET = MarketSpec(train_days=DAYS, validation_days=4, test_days=4)
SPEC = ScenarioSpec(market=MARKET, fleet=FleetSpec(homes=4, seed=3), episode_days=2)
TABLES = ("curve", "features", "solar_pu", "load_pu")


@pytest.fixture(scope="module")
def market():
    return market_signals(MARKET, "train")


@pytest.fixture(scope="module")
def plain():
    return build_scenario(SPEC, "train")


@pytest.fixture(scope="module")
def randomised():
    return build_scenario(replace(SPEC, randomisation=Randomisation(copies=2)), "train")


def constant(level=1.0, spikes=1.0, skill=0.0, ticks=TICKS):
    return Variation(
        *(torch.full((ticks,), v, dtype=torch.float64) for v in (level, spikes, skill))
    )


def loss(market):
    """Mean loss of the nodes as quantiles of the price that comes (CRPS); less is better."""
    nodes, weights = market.forecast
    issues = len(nodes) - 48  # of which every lead is known
    lead = torch.arange(issues)[:, None] + 1 + torch.arange(48)
    # The exact law is that of the price in the middle of the half hour.
    miss = market.price_per_mwh.view(-1, 6)[lead, 3, None].float() - nodes[:issues]
    middle = weights.cumsum(0) - weights / 2
    return float((torch.maximum(middle * miss, (middle - 1) * miss) * weights).mean())


def test_the_days_themselves_stay_as_they_are_to_the_bit(plain, randomised):
    for name in TABLES:
        before, after = getattr(plain, name), getattr(randomised, name)
        times = len(after) // len(before)
        assert times == 3
        assert torch.equal(after[: len(before)], before), name
    assert torch.equal(randomised.market.price_per_mwh[:TICKS], plain.market.price_per_mwh)
    assert torch.equal(randomised.start_ticks, plain.start_ticks)
    assert torch.equal(randomised.window_starts(2), plain.window_starts(2))


def test_copies_keep_the_weather_and_the_clock_and_vary_prices_and_forecasts(plain, randomised):
    for copy in (1, 2):
        part = slice(copy * TICKS, (copy + 1) * TICKS)
        assert torch.equal(randomised.solar_pu[part], plain.solar_pu)
        assert torch.equal(randomised.load_pu[part], plain.load_pu)
        assert torch.equal(randomised.market.hour[part], plain.market.hour)
        assert not torch.allclose(randomised.market.price_per_mwh[part], plain.market.price_per_mwh)
        assert not torch.allclose(randomised.features[part], plain.features)
    ticks = torch.tensor([0, 5, TICKS - 1])
    for copy in range(3):
        stamps = randomised.market.local_time(ticks + copy * TICKS)
        assert (stamps == plain.market.local_time(ticks)).all()


def test_everything_in_a_copy_is_finite_and_its_nodes_rise(randomised):
    for name in TABLES:
        assert getattr(randomised, name).isfinite().all(), name
    nodes = randomised.forecast.nodes_per_mwh
    assert nodes.isfinite().all()
    assert (nodes.diff(dim=-1) >= -1e-3).all()


@pytest.mark.parametrize("split", ["validation", "test"])
def test_validation_and_test_do_not_know_of_copies(split):
    plain = build_scenario(SPEC, split)
    other = build_scenario(replace(SPEC, randomisation=Randomisation(copies=2)), split)
    for name in TABLES:
        assert torch.equal(getattr(other, name), getattr(plain, name))
    assert other.market.copies == 0


def test_the_same_seed_gives_the_same_copies_and_another_seed_others(market):
    def prices(seed):
        spec = Randomisation(copies=2, seed=seed)
        return with_copies(MARKET, market, spec, market_signals).price_per_mwh

    assert torch.equal(prices(0), prices(0))
    assert not torch.equal(prices(0), prices(1))
    one, two = prices(0)[TICKS:].chunk(2)
    assert not torch.equal(one, two)


def test_a_copy_does_not_depend_on_how_many_there_are(market):
    few = with_copies(MARKET, market, Randomisation(copies=1), market_signals)
    many = with_copies(MARKET, market, Randomisation(copies=3), market_signals)
    assert torch.equal(many.price_per_mwh[: 2 * TICKS], few.price_per_mwh)


def test_ranges_without_width_leave_copies_as_they_are(market):
    still = Randomisation(copies=1, price_level=(1, 1), spikes=(1, 1), forecast_skill=(0, 0))
    twice = with_copies(MARKET, market, still, market_signals)
    for name in ("price_per_mwh", "day_mean_per_mwh", "day_std_per_mwh"):
        ours, theirs = getattr(twice, name)[TICKS:], getattr(market, name)
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    issues = len(market.forecast.nodes_per_mwh)
    torch.testing.assert_close(
        twice.forecast.nodes_per_mwh[issues:], market.forecast.nodes_per_mwh, rtol=1e-6, atol=1e-4
    )


def test_draws_stay_in_their_ranges_and_drift(market):
    spec = Randomisation(price_level=(0.5, 2.0), spikes=(1.0, 3.0), forecast_skill=(-1.0, 0.5))
    drawn = variation(spec, 1, 365 * DAY)
    for values, (low, high) in zip(drawn, ((0.5, 2.0), (1.0, 3.0), (-1.0, 0.5)), strict=True):
        assert low <= float(values.min()) < float(values.max()) <= high
        assert float(values.max() - values.min()) > 0.4 * (high - low)
        assert float(values.diff().abs().max()) < (high - low) / DAY  # nothing jumps overnight


def test_prices_and_nodes_scale_by_the_level(market):
    twice = varied(market, constant(level=2.0), market.price_scale)
    torch.testing.assert_close(twice.price_per_mwh, 2.0 * market.price_per_mwh)
    torch.testing.assert_close(twice.forecast.nodes_per_mwh, 2.0 * market.forecast.nodes_per_mwh)


def test_a_spike_of_1000_with_twice_the_spikes_has_twice_what_it_had_above_three_typical_prices(
    market,
):
    price = market.price_per_mwh.clone()
    price[7], price[8] = 1000.0, 2.0 * market.price_scale
    spiky = varied(replace(market, price_per_mwh=price), constant(spikes=2.0), market.price_scale)
    assert float(spiky.price_per_mwh[7]) == pytest.approx(2000.0 - 3.0 * market.price_scale)
    assert float(spiky.price_per_mwh[8]) == float(price[8])


def test_the_exact_law_loses_by_less_skill_and_gains_by_foresight():
    market = market_signals(MarketSpec(region="VIC1", train_days=60), "train")
    losses = [
        loss(varied(market, constant(skill=skill, ticks=60 * DAY), market.price_scale))
        for skill in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 1.3 * losses[2] > 1.3 * 1.7 * losses[3]


def test_a_forecast_without_skill_does_not_know_the_hours_and_keeps_its_mean(market):
    blind = varied(market, constant(skill=-1.0), market.price_scale).forecast
    assert float(blind.nodes_per_mwh.diff(dim=1).abs().max()) == 0.0
    before = (market.forecast.nodes_per_mwh * market.forecast.weights).sum(-1).mean(-1)
    after = (blind.nodes_per_mwh * blind.weights).sum(-1).mean(-1)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("skill", [-1.0, -0.3, 0.0])
def test_without_foresight_a_copy_knows_nothing_of_the_prices_that_come(market, skill):
    now = 3 * DAY
    price = market.price_per_mwh.clone()
    price[now + 1 :] += 500.0
    drawn = constant(level=1.3, spikes=1.7, skill=skill)
    before, after = (
        varied(replace(market, price_per_mwh=p), drawn, market.price_scale)
        for p in (market.price_per_mwh, price)
    )
    known = now // 6 + 1
    assert torch.equal(before.forecast.nodes_per_mwh[:known], after.forecast.nodes_per_mwh[:known])
    for name in ("price_per_mwh", "day_mean_per_mwh", "day_std_per_mwh"):
        assert torch.equal(getattr(before, name)[: now + 1], getattr(after, name)[: now + 1])


def test_skill_above_0_is_foresight(market):
    price = market.price_per_mwh.clone()
    price[3 * DAY + 1 :] += 500.0
    before, after = (
        varied(replace(market, price_per_mwh=p), constant(skill=0.3), market.price_scale)
        for p in (market.price_per_mwh, price)
    )
    now = 3 * DAY // 6
    assert not torch.equal(before.forecast.nodes_per_mwh[now], after.forecast.nodes_per_mwh[now])


def test_prices_of_another_region_come_at_this_market_s_level():
    mixed = Randomisation(copies=2, regions=("VIC1", "SA1"), price_level=(1, 1), spikes=(1, 1))
    scenario = build_scenario(replace(SPEC, randomisation=mixed), "train")
    own, victoria = (market_signals(replace(MARKET, region=r), "train") for r in ("SA1", "VIC1"))
    first, second = scenario.market.price_per_mwh[TICKS:].chunk(2)
    ratio = own.price_scale / victoria.price_scale
    torch.testing.assert_close(first, victoria.price_per_mwh * ratio)
    torch.testing.assert_close(second, own.price_per_mwh)
    assert scenario.market.region == "SA1"


def test_recorded_prices_of_another_region_come_from_the_same_folder(tmp_path):
    ends = np.datetime64("2022-07-01T00:05:00") + np.timedelta64(300, "s") * np.arange(20 * DAY)
    for region, base in (("SA1", 100.0), ("VIC1", 50.0)):
        rows = [
            f"{region},{str(end).replace('-', '/').replace('T', ' ')},1,{base + tick % DAY},TRADE"
            for tick, end in enumerate(ends)
        ]
        file = tmp_path / f"PRICE_AND_DEMAND_202207_{region}.csv"
        file.write_text("\n".join(["REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE", *rows]))
    market = MarketSpec(prices=str(tmp_path))
    mixed = Randomisation(copies=1, regions=("VIC1",), price_level=(1, 1), spikes=(1, 1))
    scenario = build_scenario(replace(SPEC, market=market, randomisation=mixed), "train")
    own, victoria = scenario.market.price_per_mwh.chunk(2)
    # The (lower) medians of the days are 243 and 193.
    torch.testing.assert_close(victoria, (own - 50.0) * 243.0 / 193.0)
    assert scenario.features.isfinite().all()
    days = scenario.market.in_every_copy(scenario.start_ticks)
    stamps = scenario.market.local_time(days)
    assert (stamps.hour == 0).all()
    assert (stamps[: len(days) // 2] == stamps[len(days) // 2 :]).all()


def test_whoever_trains_is_told_of_the_copies(randomised, plain):
    assert randomised.market.split_lines[-1] == (
        "train has 2 randomised copies of its days: "
        "price level 0.5 to 2, spikes 0.5 to 2, forecast skill -0.5 to 0"
    )
    assert randomised.market.split_lines[:-1] == plain.market.split_lines


def test_a_region_with_another_clock_is_refused():
    texas = replace(SPEC, randomisation=Randomisation(copies=1, regions=("ERCOT2023",)))
    with pytest.raises(InputError, match=r"ERCOT2023 \(America/Chicago\) are not those of SA1"):
        build_scenario(texas, "train")


def test_episodes_start_in_copies_too_and_never_run_from_one_into_the_next():
    spec = replace(SPEC, randomisation=Randomisation(copies=2))
    env = FleetVectorEnv(spec, num_envs=2000)
    env.reset(seed=0)
    first, last = env.tick // TICKS, (env.tick + 2 * DAY - 1) // TICKS
    assert sorted(set(first.tolist())) == [0, 1, 2]
    assert torch.equal(first, last)
    assert (env.tick % DAY == 0).all()
    assert len(set(env.tick.tolist())) == 3 * (DAYS - 1)
    assert np.isfinite(env.step(env.action_space.sample())[1]).all()


def test_the_first_tick_of_a_copy_has_its_own_price_as_the_last_one(randomised):
    ticks = torch.tensor([0, 1, TICKS - 1, TICKS, TICKS + 1])
    expected = [0, 0, TICKS - 2, TICKS, TICKS]
    assert randomised.market.tick_before(ticks).tolist() == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"copies": -1}, "copies must be at least 0, got -1"),
        ({"price_level": (2.0, 0.5)}, r"price_level must be .* got \[2, 0.5\]"),
        ({"spikes": (0.0, 1.0)}, r"spikes must be .* got \[0, 1\]"),
        ({"forecast_skill": (-2.0, 0.0)}, r"forecast_skill must be .* from -1 to 1"),
    ],
)
def test_what_no_copy_can_be_made_with_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        Randomisation(**change)
