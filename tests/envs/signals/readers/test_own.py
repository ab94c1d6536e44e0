from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.own import PriceNotes, read_own

NOTES = PriceNotes(
    unit="per_mwh",
    currency="EUR",
    column="price",
    time_column="time",
    zone="Europe/Amsterdam",
    stamp="start",
)


def csv(times, prices, header="time,price"):
    rows = [f"{time},{price}" for time, price in zip(times, prices, strict=True)]
    return "\n".join([header, *rows, ""]).encode()


def day(first="2022-07-01", count=24, minutes=60):
    return list(
        pd.date_range(first, periods=count, freq=f"{minutes}min").strftime("%Y-%m-%d %H:%M")
    )


def read(raw, market="OWN", hold_gaps=False, **said):
    return read_own("own.csv", raw, market, hold_gaps, replace(NOTES, **said))


@given(
    st.sampled_from(["Europe/Amsterdam", "America/Chicago", "Australia/Sydney", "Etc/GMT-10"]),
    st.integers(0, 364),
    st.sampled_from([5, 15, 60]),
    st.sampled_from(["start", "end"]),
    st.sampled_from(["per_mwh", "per_kwh", "cents_per_kwh"]),
)
def test_a_written_series_is_read_back_whatever_its_clock_end_and_unit(
    zone, number, minutes, stamp, unit
):
    start = pd.Timestamp("2022-01-01", tz="UTC") + pd.Timedelta(days=number)
    wall = pd.date_range(start, periods=3 * 1440 // minutes, freq=f"{minutes}min").tz_convert(zone)
    written = wall.tz_localize(None)
    if stamp == "end":
        written = written + pd.Timedelta(minutes=minutes)
    price = 60.0 + np.arange(len(wall)) % 37
    factor = {"per_mwh": 1.0, "per_kwh": 1000.0, "cents_per_kwh": 10.0}[unit]
    raw = csv(written.strftime("%Y-%m-%d %H:%M:%S"), price / factor)
    series = read(raw, zone=zone, stamp=stamp, unit=unit)
    np.testing.assert_allclose(series.price_per_mwh, price)
    assert series.start_utc == np.datetime64(start.tz_localize(None), "s")
    assert (series.dt_s, series.zone, series.currency) == (60 * minutes, zone, "EUR")


def test_parquet_and_other_delimiters_read_the_same(tmp_path):
    times, prices = day(), np.arange(24.0) + 50
    path = tmp_path / "own.parquet"
    pd.DataFrame({"time": pd.to_datetime(times), "price": prices}).to_parquet(path)
    semicolons = csv(times, prices).replace(b",", b";")
    for raw in (path.read_bytes(), semicolons):
        np.testing.assert_array_equal(read(raw).price_per_mwh, prices)


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M%z"])
def test_stamps_with_an_offset_need_no_zone_but_a_market_clock(form):
    times = pd.date_range("2022-10-29", periods=72, freq="h", tz="Europe/Amsterdam").strftime(form)
    prices = np.arange(72.0) + 50
    series = read(csv(times, prices), zone=None, market_zone="Europe/Amsterdam")
    np.testing.assert_array_equal(series.price_per_mwh, prices)
    assert series.start_utc == np.datetime64("2022-10-28T22:00")
    with pytest.raises(InputError, match="on whose clock the market's days begin"):
        read(csv(times, prices), zone=None)
    with pytest.raises(
        InputError, match=r"carry their offset from UTC; set market\.prices_zone=nu"
    ):
        read(csv(times, prices))


def test_utc_is_no_market_clock_unless_it_is_said():
    raw = csv(day(), np.arange(24.0) + 50)
    with pytest.raises(InputError, match=r"market\.zone=Europe/Amsterdam"):
        read(raw, zone="UTC")
    series = read(raw, zone="UTC", market_zone="Europe/Amsterdam")
    assert (series.start_utc, series.zone) == (np.datetime64("2022-07-01"), "Europe/Amsterdam")
    assert read(raw, zone="UTC", market_zone="UTC").zone == "UTC"


def test_naive_stamps_without_a_zone_are_refused():
    with pytest.raises(
        InputError, match="carry no offset from UTC; name their clock, such as mark"
    ):
        read(csv(day(), np.arange(24.0) + 50), zone=None, market_zone="Europe/Amsterdam")


@pytest.mark.parametrize("key", ["zone", "market_zone"])
def test_an_unknown_zone_is_refused_with_the_nearest(key):
    with pytest.raises(InputError, match=r"'Europe/Amsterdm' is no IANA.* 'Europe/Amsterdam'"):
        read(csv(day(), np.arange(24.0) + 50), **{key: "Europe/Amsterdm"})


def test_local_hours_of_a_clock_without_them_are_refused():
    with pytest.raises(InputError, match="row 4: 2022-03-27 02:00 does not exist in Europe/Amst"):
        read(csv(day("2022-03-27"), np.arange(24.0) + 50))


def test_utc_taken_for_a_local_clock_shows_at_a_change_of_the_clock():
    # UTC has 24 hours on the day of 25, so that the hour after the change seems to be missing.
    times = day("2022-10-29", 72)
    with pytest.raises(InputError, match="are missing, 1 from 2022-10-30 01:00 UTC"):
        read(csv(times, np.arange(72.0) + 50))


MWH = 60.0 + np.arange(24.0)


@pytest.mark.parametrize(
    ("said", "prices", "guess"),
    [
        ("per_mwh", MWH / 1000, "per_kwh"),
        ("per_mwh", MWH / 10, "cents_per_kwh"),
        ("per_kwh", MWH, "per_mwh"),
        ("per_kwh", MWH / 10, "cents_per_kwh"),
        ("cents_per_kwh", MWH, "per_mwh"),
        ("cents_per_kwh", MWH / 1000, "per_kwh"),
    ],
)
def test_a_wrong_unit_is_refused_with_the_guess_and_the_key(said, prices, guess):
    with pytest.raises(InputError, match=f"looks like {guess}: set market.prices_unit={guess}"):
        read(csv(day(), prices), unit=said)
    np.testing.assert_allclose(read(csv(day(), prices), unit=guess).price_per_mwh, MWH)


def test_a_market_that_is_cheap_or_dear_says_so():
    cheap = csv(day(), MWH / 10)
    assert read(cheap, typical_per_mwh=8.0).price_per_mwh[0] == 6.0
    with pytest.raises(InputError, match=r"far from usual|looks like"):
        read(cheap, typical_per_mwh=400.0)


def test_a_currency_whose_prices_are_not_known_asks_what_is_typical():
    raw = csv(day(), 100.0 * MWH)
    with pytest.raises(InputError, match="what electricity costs in JPY is not known here"):
        read(raw, currency="JPY")
    assert read(raw, currency="JPY", typical_per_mwh=8000.0).currency == "JPY"


def test_what_is_typical_is_above_zero():
    with pytest.raises(InputError, match=r"prices_typical_per_mwh must be above zero, got 0"):
        read(csv(day(), MWH), typical_per_mwh=0.0)


def test_prices_that_are_all_zero_have_no_unit_to_doubt():
    assert read(csv(day(), np.zeros(24))).price_per_mwh.max() == 0.0


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"column": None}, "name its columns of stamps and prices .* it has time, price"),
        ({"time_column": None}, "name its columns of stamps and prices .* it has time, price"),
        ({"column": "prise"}, r"no column 'prise' \(market\.prices_column\); did you mean 'price'"),
        ({"time_column": "x"}, r"no column 'x' \(market\.prices_time_column\); it has time, price"),
        (
            {"unit": None},
            "market.prices_unit=None does not say what its unit is; set it to per_mwh",
        ),
        ({"unit": "per_mw"}, "market.prices_unit=per_mw .* did you mean per_mwh"),
        ({"stamp": None}, "market.prices_stamp=None does not say .* set it to start or end"),
        ({"stamp": "begin"}, "market.prices_stamp=begin does not say"),
        ({"currency": None}, "market.prices_currency=None must name its currency by three letters"),
        ({"currency": "euro"}, "market.prices_currency=euro must name"),
    ],
)
def test_what_is_not_said_is_asked_for_not_guessed(said, sentence):
    with pytest.raises(InputError, match=sentence):
        read(csv(day(), MWH), **said)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("01/07/2022 03:00", "row 5, column time: '01/07/2022 03:00' is not a stamp .*year first"),
        ("", "row 5, column time: '' is not a stamp"),
        ("2022-07-01 24:00", "row 5, column time"),
        ("2022-07-01 03:00+02:00", "some stamps carry an offset from UTC and some do not"),
    ],
)
def test_a_stamp_that_could_mean_two_things_is_refused(cell, sentence):
    times = day()
    times[3] = cell
    with pytest.raises(InputError, match=sentence):
        read(csv(times, MWH))


def test_numbers_for_stamps_and_words_for_prices_are_refused(tmp_path):
    path = tmp_path / "own.parquet"
    pd.DataFrame({"time": np.arange(24), "price": MWH}).to_parquet(path)
    with pytest.raises(InputError, match="column time holds numbers; expected stamps"):
        read(path.read_bytes())
    with pytest.raises(InputError, match="row 3, column price: 'dear' is not a number"):
        read(csv(day(count=2), [50, "dear"]))


def test_an_empty_price_is_a_gap():
    prices = [*MWH[:4], "", *MWH[5:]]
    with pytest.raises(InputError, match="are missing, 1 from 2022-07-01 02:00 UTC"):
        read(csv(day(), prices))
    assert read(csv(day(), prices), hold_gaps=True).price_per_mwh[4] == MWH[3]


def test_limits_are_those_that_are_said():
    series = read(csv(day(), MWH), floor_per_mwh=-500.0, cap_per_mwh=4000.0)
    assert series.limits == (-500.0, 4000.0)
    assert read(csv(day(), MWH)).limits == (-np.inf, np.inf)
    with pytest.raises(InputError, match="row 2: a price of 60 is outside the limits of OWN, 0 to"):
        read(csv(day(), MWH), floor_per_mwh=0.0, cap_per_mwh=50.0)


def test_pjm_is_read_by_describing_it(shared_data):
    path = shared_data / "prices" / "original" / "pjm_rt_hrl_lmps_2022-07.csv"
    frame = pd.read_csv(path)
    frame["start"] = pd.to_datetime(frame.datetime_beginning_utc).dt.strftime("%Y-%m-%d %H:%M")
    notes = PriceNotes(
        "per_mwh", "USD", "total_lmp_rt", "start", "UTC", "start", "America/New_York"
    )
    raw = frame.to_csv(index=False).encode()
    series = read_own(path.name, raw, "PJM-RTO", False, notes)
    assert len(series.price_per_mwh) == 20 * 24
    assert series.start_utc == np.datetime64("2022-07-01T04:00")
    with pytest.raises(InputError, match="'7/1/2022 04:00' is not a stamp"):
        read_own(
            path.name,
            path.read_bytes(),
            "PJM-RTO",
            False,
            replace(notes, time_column="datetime_beginning_utc"),
        )
