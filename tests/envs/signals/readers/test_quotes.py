import hashlib

import numpy as np
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.quotes import Market, Quotes, chosen, series_of
from vpp_envs.signals.table import PriceLimits

NL = Market("NL", "EUR", "Europe/Amsterdam", PriceLimits(-500.0, 4000.0))
START = np.datetime64("2022-07-01T00:00:00")


def quotes(hours, prices):
    """Hourly quotes; the first of them stands in row 2."""
    start = START + np.timedelta64(3600, "s") * np.asarray(hours)
    return Quotes("nl.csv", np.arange(2, len(prices) + 2), start, np.array(prices, float))


def read(hours, prices, hold_gaps=False, market=NL):
    return series_of(quotes(hours, prices), b"bytes", market, hold_gaps)


def test_quotes_in_any_order_become_one_series_with_its_provenance():
    series = read([2, 0, 1], [30, 10, 20])
    np.testing.assert_array_equal(series.price_per_mwh, [10, 20, 30])
    assert (series.start_utc, series.dt_s) == (START, 3600)
    assert (series.market, series.currency, series.zone) == ("NL", "EUR", "Europe/Amsterdam")
    assert (series.source, series.limits) == ("nl.csv", NL.limits)
    assert series.sha256 == hashlib.sha256(b"bytes").hexdigest()


def test_a_price_stated_twice_alike_counts_once_and_is_counted():
    series = read([0, 1, 2, 1, 2], [10, 20, 30, 20, 30])
    np.testing.assert_array_equal(series.price_per_mwh, [10, 20, 30])
    assert series.source == "nl.csv (2 intervals stated twice alike)"


def test_two_prices_of_one_interval_are_refused_with_both_rows():
    sentence = r"row 5: the interval from 2022-07-01 01:00 UTC has the price 21, and 20 in row 3;"
    with pytest.raises(InputError, match=sentence):
        read([0, 1, 2, 1], [10, 20, 30, 21])


def test_a_gap_is_refused_with_its_place_in_both_clocks_and_both_counts():
    sentence = (
        r"are missing, 2 from 2022-07-01 02:00 UTC \(2022-07-01 04:00 in "
        r"Europe/Amsterdam\) and 3 in the whole file; .* market\.gaps=hold"
    )
    with pytest.raises(InputError, match=sentence):
        read([0, 1, 4, 5, 6, 8], [1, 2, 3, 4, 5, 6])


def test_a_held_gap_repeats_the_price_before_it_and_is_named():
    series = read([0, 1, 4, 5, 6, 8], [10, 20, 30, 40, 50, 60], hold_gaps=True)
    np.testing.assert_array_equal(series.price_per_mwh, [10, 20, 20, 20, 30, 40, 50, 50, 60])
    assert series.source == "nl.csv (3 missing intervals hold the price before them)"


def test_a_gap_of_three_hours_is_never_held():
    with pytest.raises(InputError, match=r"are missing, 3 .* none longer than two hours"):
        read([0, 1, 2, 6], [1, 2, 3, 4], hold_gaps=True)


def test_a_missing_price_is_a_gap():
    with pytest.raises(InputError, match="are missing, 1 from 2022-07-01 01:00 UTC"):
        read([0, 1, 2, 3], [10, np.nan, 30, 40])


@pytest.mark.parametrize("prices", [[], [1], [np.nan, np.nan, 1]])
def test_fewer_than_two_prices_are_refused(prices):
    with pytest.raises(InputError, match="prices of NL; expected two"):
        read(np.arange(len(prices)), prices)


def test_one_interval_stated_twice_is_no_series():
    with pytest.raises(InputError, match="prices of one interval only"):
        read([0, 0], [5, 5])


def test_a_stamp_off_the_clock_is_refused_with_its_row():
    off = quotes([0, 1, 2, 3], [10, 20, 30, 40])
    off.start_utc[3] -= np.timedelta64(1800, "s")
    with pytest.raises(InputError, match="row 5: 2022-07-01 02:30 UTC is not on the clock of 3600"):
        series_of(off, b"", NL, hold_gaps=False)


@pytest.mark.parametrize("price", [-500.1, 4000.1])
def test_a_price_beyond_the_limits_of_the_market_is_refused(price):
    with pytest.raises(InputError, match=r"row 3: a price of .* is outside the limits of NL, -500"):
        read([0, 1, 2], [10, price, 30])


def test_prices_that_look_like_euros_per_kwh_are_refused():
    with pytest.raises(InputError, match=r"none is above 0.3, which looks like EUR/kWh; .* by"):
        read([0, 1, 2], [0.1, -0.2, 0.3])
    assert read([0, 1, 2], [0.1, -0.2, 300]).price_per_mwh.max() == 300.0


def test_the_wanted_market_is_the_only_one_or_a_named_one():
    assert chosen("f.csv", ["NL"], None) == "NL"
    assert chosen("f.csv", ["DE_LU", "NL"], "NL") == "NL"
    with pytest.raises(InputError, match=r"f.csv holds DE_LU, NL; choose one zone with market.reg"):
        chosen("f.csv", ["DE_LU", "NL"], None, "zone")
    with pytest.raises(InputError, match="no zone 'de-lu' but DE_LU, NL; did you mean 'DE_LU'"):
        chosen("f.csv", ["DE_LU", "NL"], "de-lu", "zone")
    with pytest.raises(InputError, match="no market 'SA1' but DE_LU; choose one of them"):
        chosen("f.csv", ["DE_LU"], "SA1")
