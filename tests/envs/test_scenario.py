from dataclasses import replace

import numpy as np
import pytest
import torch

import vpp_envs.scenario as scenario_module
from vpp_envs.errors import InputError
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import SPLITS, ScenarioSpec, build_scenario, scenario_spec
from vpp_envs.scenario_tables import signals_at, value_curves
from vpp_envs.signals.market import MarketSpec


@pytest.fixture(scope="module")
def splits(small_spec):
    return {name: build_scenario(small_spec, name) for name in SPLITS}


def stamps(scenario):
    """Starts of all ticks, UTC."""
    market = scenario.market
    return set(
        (market.start_utc + np.timedelta64(300, "s") * np.arange(len(market.price_per_mwh)))
        .astype("datetime64[s]")
        .tolist()
    )


def test_no_tick_is_in_two_splits(splits):
    seen = [stamps(scenario) for scenario in splits.values()]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_splits_are_years_apart_however_long_they_are():
    """Weather is named by its date: days that two splits share would be seen in training."""
    longest = MarketSpec(train_days=12 * 365, validation_days=3650, test_days=5110)
    starts = {"validation": "2000-01-01", "test": "2010-01-01", "train": "2024-01-01"}
    assert longest.train_days == 4380
    for split, most, following in (("validation", 3653, "test"), ("test", 5113, "train")):
        days = np.datetime64(starts[following]) - np.datetime64(starts[split])
        assert days.astype(int) == most
        with pytest.raises(InputError, match=f"market.{split}_days must be at most {most}"):
            replace(longest, **{f"{split}_days": most + 1})


def test_prices_of_the_splits_are_different_paths(splits):
    prices = [scenario.market.price_per_mwh for scenario in splits.values()]
    assert not torch.equal(prices[0], prices[1])
    assert not torch.equal(prices[1], prices[2])


def test_homes_of_validation_and_test_were_not_trained_on(splits):
    homes = {name: set(s.fleet.home_id.tolist()) for name, s in splits.items()}
    assert not homes["train"] & homes["validation"]
    assert not homes["train"] & homes["test"]
    assert not homes["validation"] & homes["test"]
    with pytest.raises(InputError, match="homes from there on are kept for validation"):
        ScenarioSpec(fleet=FleetSpec(homes=1000, first_home=999_001))
    with pytest.raises(InputError, match=r"scenario\.unseen_homes"):
        ScenarioSpec(fleet=FleetSpec(homes=10, first_home=999_000), unseen_homes=1001)


def test_validation_and_test_may_have_more_homes(small_spec):
    more = replace(small_spec, unseen_homes=20)
    assert len(build_scenario(more, "train").fleet.home_id) == 8
    assert len(build_scenario(more, "test").fleet.home_id) == 20


def test_what_a_policy_sees_and_commands_is_the_same_in_every_split(small_spec):
    few = replace(small_spec, fleet=replace(small_spec.fleet, homes=3, seed=1), unseen_homes=40)
    train, test = build_scenario(few, "train"), build_scenario(few, "test")
    assert test.cohort_names == train.cohort_names
    assert test.feature_names == train.feature_names
    assert (test.fleet.cohort == -1).any()  # of a class that the policy does not know
    assert test.fleet.cohort.max() < len(train.cohorts)


@pytest.mark.parametrize("days", [1, 2, 3])
def test_windows_do_not_overlap_and_lie_inside(splits, days):
    for scenario in splits.values():
        starts = scenario.window_starts(days)
        ends = starts + days * scenario.ticks_per_day
        assert (starts[1:] >= ends[:-1]).all()
        assert ends[-1] <= len(scenario.market.price_per_mwh)
        assert len(starts) == 4 // days


def test_few_windows_are_spread_over_the_split(small_spec):
    long = replace(small_spec, market=replace(small_spec.market, test_days=20))
    scenario = build_scenario(long, "test")
    starts = scenario.window_starts(2, most=4)
    assert len(starts) == 4
    assert starts[0] == 0
    assert starts[-1] == 18 * 288
    assert (starts.diff() >= 2 * 288).all()


def test_a_window_longer_than_the_split_is_refused(splits):
    with pytest.raises(InputError, match="window_days=5 does not fit: the test split has 4 days"):
        splits["test"].window_starts(5)


def test_a_scenario_is_built_once_and_always_the_same(small_spec):
    first = build_scenario(small_spec, "train")
    assert build_scenario(replace(small_spec), "train") is first
    for cached in (scenario_module._build_scenario, scenario_module.tables_of):
        cached.cache_clear()
    again = build_scenario(small_spec, "train")
    for name in ("curve", "features", "solar_pu", "load_pu"):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert torch.equal(first.market.price_per_mwh, again.market.price_per_mwh)


def test_tables_have_a_row_for_every_tick_and_issue(splits):
    scenario = splits["train"]
    ticks = 4 * 288
    for table in (scenario.features, scenario.solar_pu, scenario.load_pu):
        assert len(table) == ticks
        assert table.isfinite().all()
    assert scenario.curve.shape == (ticks // 6, len(scenario.cohorts), 17)
    assert (scenario.curve.diff(dim=-1) <= 1e-5).all()
    assert scenario.features.shape[1] + 2 + 7 * len(scenario.cohorts) == len(scenario.feature_names)


def test_a_curve_comes_from_the_forecast_of_its_own_half_hour(splits):
    scenario = splits["train"]
    part = type(scenario.forecast)(
        scenario.forecast.nodes_per_mwh[100:101], scenario.forecast.weights
    )
    torch.testing.assert_close(value_curves(part, scenario.cohorts)[0], scenario.curve[100])


def test_signals_are_those_of_now_and_before(splits):
    scenario = splits["train"]
    market, ticks = scenario.market, torch.tensor([0, 5, 6, 700])
    now = signals_at(market, ticks)
    price = market.price_per_mwh.float()
    assert torch.equal(now.price_per_mwh, price[ticks])
    assert torch.equal(now.previous_per_mwh, price[[0, 4, 5, 699]])
    issues = market.forecast.nodes_per_mwh[[0, 0, 1, 116]]
    assert torch.equal(now.nodes_per_mwh, issues)
    torch.testing.assert_close(now.day_mean_per_mwh[3], price[700 - 287 : 701].mean())
    torch.testing.assert_close(
        now.day_std_per_mwh[3], price[700 - 287 : 701].double().std(correction=0).float()
    )


def test_nothing_that_is_shown_knows_the_future(small_spec):
    """A market that goes on for longer shows the same in its first days."""
    short = build_scenario(small_spec, "train")
    longer = replace(small_spec, market=replace(small_spec.market, train_days=6))
    long = build_scenario(longer, "train")
    torch.testing.assert_close(long.features[: 4 * 288], short.features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(long.solar_pu[: 4 * 288], short.solar_pu, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(long.load_pu[: 4 * 288], short.load_pu, rtol=1e-4, atol=1e-5)


def test_days_begin_at_midnight_of_the_markets_clock(splits):
    for scenario in splits.values():
        assert (scenario.market.hour[scenario.start_ticks] == 0).all()


@pytest.mark.parametrize("region", ["SA1", "VIC1", "NSW1", "QLD1", "ERCOT2023", "ERCOT2024"])
def test_every_market_can_be_built(region):
    spec = ScenarioSpec(
        market=MarketSpec(region=region, train_days=2, validation_days=2, test_days=2),
        fleet=FleetSpec(homes=2),
    )
    scenario = build_scenario(spec, "train")
    assert scenario.features.isfinite().all()
    assert scenario.solar_pu.max() > 0.1
    assert scenario.market.price_scale > 0


def test_homes_have_the_weather_that_their_market_names_else_that_of_its_region():
    days = {"train_days": 2, "validation_days": 2, "test_days": 2}
    spec = ScenarioSpec(fleet=FleetSpec(homes=2))
    markets = [MarketSpec(climate=climate, **days) for climate in (None, "SA1", "NL")]
    specs = [replace(spec, market=market) for market in markets]
    own, named, dutch = (build_scenario(spec, "train").solar_pu for spec in specs)
    assert torch.equal(named, own)
    assert not torch.equal(dutch, own)


@pytest.mark.parametrize("region", ["HB_HOUSTON", "LZ_AEN", "ERCOT2024"])
def test_hubs_and_zones_of_texas_have_the_weather_of_texas(region, tmp_path):
    # The file is missed only after the weather was found.
    market = MarketSpec(region=region, prices=str(tmp_path / "none.xlsx"))
    with pytest.raises(InputError, match=r"none\.xlsx does not exist"):
        build_scenario(ScenarioSpec(market=market), "train")


def test_a_region_without_weather_is_refused_before_its_prices_are_read(tmp_path):
    market = MarketSpec(region="DE_LU", prices=str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match=r"for region 'DE_LU'; set market\.climate to the nearest"):
        build_scenario(ScenarioSpec(market=market), "train")
    with pytest.raises(InputError, match="for region 'NSW'; did you mean 'NSW1'"):
        build_scenario(ScenarioSpec(market=replace(market, climate="NSW")), "train")


def test_a_region_without_simulated_prices_asks_for_recorded_ones():
    market = MarketSpec(region="NL", forecaster="day_ahead")
    with pytest.raises(InputError, match=r"'NL' has no synthetic price model.* market\.prices"):
        build_scenario(ScenarioSpec(market=market), "train")


def test_nonsense_is_refused_with_a_sentence(small_spec):
    with pytest.raises(InputError, match=r"control_dt_s must be 300 .*, got 60"):
        ScenarioSpec(control_dt_s=60)
    with pytest.raises(InputError, match=r"episode_days must be at least 1, got 0"):
        ScenarioSpec(episode_days=0)
    with pytest.raises(InputError, match=r"episode_days=9 is longer than the split"):
        build_scenario(replace(small_spec, episode_days=9), "train")
    with pytest.raises(InputError, match=r"fleet\.battery_share=0 leaves no battery"):
        build_scenario(
            replace(small_spec, fleet=replace(small_spec.fleet, battery_share=0.0)), "train"
        )
    with pytest.raises(InputError, match=r"scenario must be one of nem_arbitrage, .*, got 'nem'"):
        scenario_spec("nem")
    with pytest.raises(InputError, match=r"market\.test_days must be at least 2, got 1"):
        MarketSpec(test_days=1)
    with pytest.raises(InputError, match="is for recorded prices"):
        build_scenario(
            replace(small_spec, market=replace(small_spec.market, forecaster="persistence")),
            "train",
        )
