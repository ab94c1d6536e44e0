import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.clock import known_zone, one_interval_earlier, to_utc

ZONES = ("Europe/Berlin", "America/Chicago", "Australia/Sydney", "Australia/Lord_Howe", "UTC")


def walls(*texts):
    return np.array(texts, "datetime64[s]")


def utc_of(wall, zone, second=None):
    return to_utc("prices.csv", wall, zone, np.arange(2, len(wall) + 2), second)


@given(st.sampled_from(ZONES), st.integers(0, 360), st.sampled_from([300, 900, 1800, 3600]))
def test_local_stamps_of_any_ten_days_come_back_as_the_instants_that_they_were(zone, day, dt_s):
    start = np.datetime64("2022-01-01T00:00:00") + np.timedelta64(day, "D")
    instants = start + np.timedelta64(dt_s, "s") * np.arange(10 * 86_400 // dt_s)
    local = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    wall = local.to_numpy().astype("datetime64[s]")
    np.testing.assert_array_equal(utc_of(wall, zone), instants)


def test_first_of_two_equal_hours_is_that_of_summer_time():
    wall = walls("2025-10-26T01:00", "2025-10-26T02:00", "2025-10-26T02:00", "2025-10-26T03:00")
    steps = np.diff(utc_of(wall, "Europe/Berlin"))
    assert (steps == np.timedelta64(3600, "s")).all()


def test_a_flag_tells_the_second_of_two_equal_hours_whatever_the_order():
    wall = walls("2022-11-06T01:00", "2022-11-06T01:00")
    instants = utc_of(wall, "America/Chicago", np.array([True, False]))
    assert instants[0] - instants[1] == np.timedelta64(3600, "s")


def test_an_hour_that_the_clock_skips_is_refused_with_its_row():
    wall = walls("2025-03-30T01:00", "2025-03-30T02:00")
    sentence = r"prices\.csv, row 3: 2025-03-30 02:00 does not exist in Europe/Berlin"
    with pytest.raises(InputError, match=sentence):
        utc_of(wall, "Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Amsterdm", "did you mean 'Europe/Amsterdam'"),
        ("europe/berlin ", "did you mean 'Europe/Berlin'"),
        ("Europe", "Europe' is no IANA time zone"),
        ("", "'' is no IANA time zone; give one such as"),
        ("nowhere at all", "give one such as Europe/Amsterdam"),
    ],
)
def test_unknown_zone_is_refused_with_the_nearest_name(zone, hint):
    with pytest.raises(InputError, match=hint):
        known_zone(zone, "market.prices_zone")
    assert known_zone("Europe/Amsterdam", "market.prices_zone") == "Europe/Amsterdam"


def test_ends_become_starts_by_the_commonest_distance():
    ends = walls("2022-01-01T00:30", "2022-01-01T01:00", "2022-01-01T01:30", "2022-01-01T03:00")
    assert one_interval_earlier(ends)[0] == np.datetime64("2022-01-01T00:00")
    assert one_interval_earlier(ends)[3] == np.datetime64("2022-01-01T02:30")
