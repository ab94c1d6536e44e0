from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.forecast.naive import seasonal_decayed
from vpp_envs.scenario_tables import market_signals
from vpp_envs.signals.market import MarketSpec
from vpp_envs.signals.recorded import (
    SPLITS,
    recorded_prices,
    recorded_splits,
    split_by_dates,
    split_days,
    whole_days,
)
from vpp_envs.signals.table import PriceSeries


def series_of(days, start="2022-06-30T14:00:00", zone="Etc/GMT-10", dt_s=300):
    """Prices that count up by one a tick; by default from midnight of 1 July 2022 in UTC+10."""
    price = np.arange(days * 86_400 / dt_s)
    stamp = np.datetime64(start, "ms")
    return PriceSeries(stamp, dt_s, price, "SA1", "AUD", zone, "july.csv")


def dates_of(block):
    return (str(block.first), str(block.last))


def test_31_days_give_13_train_4_validation_5_test_days_after_a_week_of_history():
    # 31 days - 7 of history - 2 gaps = 22; 60 % of 22 = 13.2 and 20 % = 4.4 are rounded.
    splits = split_days(series_of(31))
    assert dates_of(splits.train) == ("2022-07-08", "2022-07-20")
    assert dates_of(splits.validation) == ("2022-07-22", "2022-07-25")
    assert dates_of(splits.test) == ("2022-07-27", "2022-07-31")
    assert splits.train.starts[:2] == (7 * 288, 8 * 288)
    assert splits.test.end == 31 * 288


def test_no_tick_is_in_two_splits():
    splits = split_days(series_of(40), 0.5, 0.3, gap_days=0)
    ticks = [
        tick for split in SPLITS for tick in range(splits.of(split).starts[0], splits.of(split).end)
    ]
    assert len(ticks) == len(set(ticks)) == 33 * 288


def test_days_begin_at_the_midnight_of_the_market_and_are_whole():
    # 04:00 on 1 July in UTC+10 to 04:00 on 4 July: 2 and 3 July are whole.
    days = whole_days(series_of(3, start="2022-06-30T18:00:00"))
    assert dates_of(days) == ("2022-07-02", "2022-07-03")
    assert days.starts == (20 * 12, 44 * 12)


def test_days_of_a_daylight_saving_clock_have_23_and_25_hours():
    # Sydney's clocks went forward on 2 October 2022 and back on 2 April 2023.
    spring = whole_days(series_of(3, "2022-09-30T14:00:00", "Australia/Sydney"))
    assert spring.first == date(2022, 10, 1)
    assert np.diff([*spring.starts, spring.end]).tolist() == [288, 276, 288]
    autumn = whole_days(series_of(3, "2023-03-31T13:00:00", "Australia/Sydney"))
    assert np.diff([*autumn.starts, autumn.end]).tolist() == [288, 300]


def test_series_too_short_to_split_says_what_it_has_and_needs():
    with pytest.raises(InputError, match=r"july\.csv has 17 whole days and 18 are needed: 7 of"):
        split_days(series_of(17))
    splits = split_days(series_of(18))
    assert [len(splits.of(split).starts) for split in SPLITS] == [5, 2, 2]


def test_series_without_a_whole_day_is_refused():
    with pytest.raises(InputError, match=r"july\.csv holds no whole day of SA1's clock"):
        whole_days(series_of(1, start="2022-06-30T18:00:00"))


def test_midnight_off_the_clock_is_refused():
    with pytest.raises(InputError, match=r"midnight of 2022-07-01 .* not on the clock of 300 s"):
        whole_days(series_of(3, start="2022-06-30T14:02:00"))


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.0, 0.2), (0.6, -0.1), (1.2, 0.2)])
def test_shares_that_leave_a_split_empty_are_refused(shares):
    with pytest.raises(InputError, match=r"market\.train_share=.* must leave at least 0\.01"):
        split_days(series_of(100), *shares)


def test_dates_split_by_the_clock_of_the_market_both_ends_included():
    splits = split_by_dates(
        series_of(31),
        train=("2022-07-11", "2022-07-20"),
        validation=("2022-07-21", "2022-07-22"),
        test=("2022-07-01", "2022-07-10"),
    )
    assert splits.train.starts[0] == 10 * 288
    assert len(splits.train.starts) == 10
    assert splits.validation.end == 22 * 288
    assert dates_of(splits.test) == ("2022-07-01", "2022-07-10")


@pytest.mark.parametrize(
    ("dates", "sentence"),
    [
        (("2022-07-20", "2022-07-22"), "train_dates and market.validation_dates both hold 2022-07"),
        (("2022-07-22", "2022-07-21"), "validation_dates from .* must hold at least 2 days"),
        (("2022-07-22", "2022-08-01"), "not all in july.csv, whose whole days are 2022-07-01 to"),
        (("2022-07-22", "22/07/2022"), "'2022-07-22/22/07/2022' is not a first and a last day"),
        (("2022-07-22",), "'2022-07-22' is not a first and a last day"),
    ],
)
def test_wrong_dates_are_one_sentence(dates, sentence):
    with pytest.raises(InputError, match=sentence):
        split_by_dates(
            series_of(31), ("2022-07-08", "2022-07-20"), dates, ("2022-07-25", "2022-07-31")
        )


def test_description_tells_dates_and_days():
    assert split_days(series_of(31)).describe() == [
        "SA1 prices   31 days, 2022-07-01 to 2022-07-31: july.csv",
        "  history       7 days, 2022-07-01 to 2022-07-07, for the forecasts only",
        "  train        13 days, 2022-07-08 to 2022-07-20",
        "  validation    4 days, 2022-07-22 to 2022-07-25",
        "  test          5 days, 2022-07-27 to 2022-07-31",
    ]


def test_market_with_some_of_the_dates_is_refused():
    spec = MarketSpec(prices="july.csv", train_dates="2022-07-08/2022-07-20")
    with pytest.raises(InputError, match=r"market\.validation_dates is missing"):
        recorded_splits(spec, series_of(31))


def test_dates_of_a_market_go_before_its_shares():
    spec = MarketSpec(
        prices="july.csv",
        train_dates="2022-07-08/2022-07-20",
        validation_dates="2022-07-21/2022-07-22",
        test_dates="2022-07-23/2022-07-31",
    )
    assert dates_of(recorded_splits(spec, series_of(31)).test) == ("2022-07-23", "2022-07-31")


def price_file(folder, days):
    """A published-looking file from July 2022; the price of a tick is a function of its number."""
    ends = np.datetime64("2022-07-01T00:05:00") + 5 * 60 * np.arange(days * 288)
    rows = [
        f"SA1,{str(end).replace('-', '/').replace('T', ' ')},1,{50 + (7 * k) % 97},TRADE"
        for k, end in enumerate(ends)
    ]
    path = folder / "july.csv"
    path.write_text("REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def july(tmp_path_factory):
    return MarketSpec(prices=str(price_file(tmp_path_factory.mktemp("prices"), 31)))


@pytest.mark.parametrize("split", SPLITS)
def test_signals_of_a_split_open_one_day_before_it_and_end_with_it(july, split):
    signals = market_signals(july, split)
    series = recorded_prices(july)
    block = recorded_splits(july, series).of(split)
    opening = block.starts[0] - 288
    np.testing.assert_array_equal(signals.price_per_mwh, series.price_per_mwh[opening : block.end])
    assert signals.start_utc == series.stamps_utc[opening]
    assert signals.day_starts.tolist() == [start - opening for start in block.starts]
    assert signals.hour[0] == 0.0
    assert len(signals.forecast.nodes_per_mwh) * 6 == len(signals.price_per_mwh)
    assert signals.sha256 == series.sha256


def test_forecast_of_a_split_is_the_one_made_from_the_whole_past(july):
    series = recorded_prices(july)
    start = recorded_splits(july, series).test.starts[0] - 288
    whole = seasonal_decayed(torch.from_numpy(series.price_per_mwh))
    signals = market_signals(july, "test")
    assert torch.equal(signals.forecast.nodes_per_mwh, whole.nodes_per_mwh[start // 6 :])


def test_price_scale_comes_from_the_training_days_alone(july):
    train = market_signals(july, "train")
    assert train.price_scale == train.price_per_mwh[288:].abs().median()
    assert market_signals(july, "test").price_scale == train.price_scale


def dutch_file(folder, days=40, first="2022-10-15"):
    """Hourly prices of whole Dutch days, over the end of summer time on 30 October 2022."""
    local = pd.date_range(first, periods=days + 1, freq="D", tz="Europe/Amsterdam")
    stamps = pd.date_range(local[0], local[-1], freq="h", inclusive="left").tz_convert("UTC")
    lines = [f"{stamp:%Y-%m-%d %H:%M:%S},{50 + 7 * k % 31}" for k, stamp in enumerate(stamps)]
    path = folder / "dutch.csv"
    path.write_text("\n".join(["start_utc,price_eur_mwh", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def dutch(tmp_path_factory):
    path = dutch_file(tmp_path_factory.mktemp("dutch"))
    return MarketSpec(region="NL", prices=str(path), forecaster="day_ahead")


def test_hourly_prices_are_a_market_on_the_five_minute_clock(dutch):
    series = recorded_prices(dutch)
    assert (series.dt_s, len(series.price_per_mwh)) == (300, 40 * 288 + 12)
    assert "(each 60-minute price repeated 12 times)" in series.source
    train = market_signals(dutch, "train")
    assert (train.currency, train.zone, train.region) == ("EUR", "Europe/Amsterdam", "NL")
    days = recorded_splits(dutch, series).of("train")
    # The day of 25 hours is one of the days that train.
    assert np.diff(train.day_starts.tolist()).tolist().count(300) == 1
    assert days.first <= date(2022, 10, 30) <= days.last
    starts = train.day_starts.tolist()
    assert set(train.hour[starts].tolist()) == {0.0}


def test_a_day_ahead_market_knows_tomorrow_from_one_o_clock_on(dutch):
    train = market_signals(dutch, "train")
    price = train.price_per_mwh.view(-1, 6).mean(-1).float()
    known = [
        (train.forecast.nodes_per_mwh[issue] == price[issue + 1 : issue + 49, None]).all()
        for issue in range(48 + 24, 48 + 30)  # of the first day that trains, 12:00 to 14:30
    ]
    assert known == [False, False, True, True, True, True]
    later = market_signals(replace(dutch, published_h=14.0), "train")
    assert not torch.equal(later.forecast.nodes_per_mwh, train.forecast.nodes_per_mwh)


def test_prices_of_tomorrow_are_not_for_a_real_time_market(july):
    with pytest.raises(InputError, match=r"july\.csv has SA1's real-time prices; leave it at auto"):
        market_signals(replace(july, forecaster="day_ahead"), "train")


def test_a_gap_is_refused_unless_the_rule_is_named(dutch, tmp_path):
    lines = dutch_file(tmp_path).read_text().splitlines()
    del lines[100:102]
    (tmp_path / "dutch.csv").write_text("\n".join(lines) + "\n")
    holed = replace(dutch, prices=str(tmp_path / "dutch.csv"))
    with pytest.raises(InputError, match=r"are missing, 2 from .* market\.gaps=hold"):
        recorded_prices(holed)
    series = recorded_prices(replace(holed, gaps="hold"))
    assert len(series.price_per_mwh) == 40 * 288 + 12
    assert "(2 missing intervals hold the price before them)" in series.source
    with pytest.raises(InputError, match=r"market\.gaps must be refuse or hold, got 'fill'"):
        replace(holed, gaps="fill")


def test_a_file_of_ones_own_is_read_as_the_market_says(tmp_path):
    stamps = pd.date_range("2022-07-01", periods=20 * 24, freq="h")
    lines = [f"{stamp:%Y-%m-%d %H:%M},{0.05 + k % 24 / 1000}" for k, stamp in enumerate(stamps)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["when,cost", *lines]) + "\n")
    spec = MarketSpec(
        region="OWN",
        prices=str(path),
        prices_time_column="when",
        prices_column="cost",
        prices_unit="per_kwh",
        prices_currency="EUR",
        prices_zone="Etc/GMT-1",
        prices_stamp="start",
        prices_cap_per_mwh=60.0,
        prices_floor_per_mwh=0.0,
    )
    with pytest.raises(InputError, match="a price of 61 is outside the limits of OWN, 0 to 60"):
        recorded_prices(spec)
    signals = market_signals(replace(spec, prices_cap_per_mwh=80.0), "test")
    assert signals.price_per_mwh.max().item() == pytest.approx(73.0)
    # Forecasts stay within the market's limits, wherever the season would take them.
    assert signals.forecast.nodes_per_mwh.max() <= 80.0
    assert signals.forecast.nodes_per_mwh.min() >= 0.0
    assert (signals.zone, signals.currency) == ("Etc/GMT-1", "EUR")


@pytest.mark.parametrize("hour", [-1.0, 24.5])
def test_prices_are_published_at_an_hour_of_the_day(hour):
    with pytest.raises(InputError, match=r"market\.published_h must be an hour of the day"):
        MarketSpec(published_h=hour)


def test_unknown_forecaster_is_refused_with_the_choices(july):
    with pytest.raises(InputError, match=r"'exact' is unknown .* choose one of auto, persistence"):
        market_signals(replace(july, forecaster="exact"), "train")


def test_file_of_another_region_is_refused(july):
    with pytest.raises(InputError, match="column REGION: SA1 where VIC1 is expected"):
        market_signals(replace(july, region="VIC1"), "train")
