"""What is published is known, what is not is never read, and days of 23 and 25 hours are exact."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.forecast.day_ahead import day_ahead, published_half_hours
from vpp_envs.forecast.naive import seasonal_decayed
from vpp_envs.forecast.protocol import LEADS, NODE_WEIGHTS
from vpp_envs.signals.table import PriceLimits

NO_LIMITS = PriceLimits(-1e9, 1e9)
ZONES = ("Europe/Amsterdam", "America/Chicago", "Australia/Sydney", "UTC")


def hourly_prices(hours, seed=0):
    """Five-minute ticks of hourly prices with a daily shape, noise and negative noons."""
    draw = np.random.default_rng(seed)
    hour = np.arange(hours)
    price = 60.0 + 50.0 * np.sin(2 * np.pi * hour / 24) + 25.0 * draw.standard_normal(hours)
    return torch.from_numpy(np.repeat(price, 12))


def midnight(date, zone):
    return np.datetime64(pd.Timestamp(date, tz=zone).tz_convert("UTC").tz_localize(None), "s")


def forecast(price, issues, start_utc, zone, published_h=13.0):
    published = published_half_hours(start_utc, len(price) // 6, zone, published_h)
    return day_ahead(price, issues, published[issues], NO_LIMITS).nodes_per_mwh


def test_tomorrow_is_known_from_the_hour_of_publication_on():
    published = published_half_hours(midnight("2022-07-01", "UTC"), 96, "UTC", 13.0)
    assert published[:26].tolist() == [48] * 26  # today up to 12:30
    assert published[26:48].tolist() == [96] * 22  # from 13:00 on tomorrow
    assert published[48:50].tolist() == [96, 96]
    quarter_to_one = published_half_hours(midnight("2022-07-01", "UTC"), 48, "UTC", 12.75)
    assert torch.equal(quarter_to_one, published[:48])  # forecasts are made on the half hour


@pytest.mark.parametrize(
    ("date", "zone", "half_hours"),
    [
        ("2022-03-27", "Europe/Amsterdam", 46),
        ("2022-10-30", "Europe/Amsterdam", 50),
        ("2022-07-01", "Europe/Amsterdam", 48),
        ("2022-03-13", "America/Chicago", 46),
        ("2022-10-02", "Australia/Sydney", 46),
        ("2023-04-02", "Australia/Sydney", 50),
    ],
)
def test_a_day_of_the_local_clock_is_published_whole(date, zone, half_hours):
    start = midnight(date, zone)
    published = published_half_hours(start, half_hours + 48, zone, 13.0)
    # At midnight the day itself is known, however long it is; and tomorrow at 13:00 of the clock.
    assert published[0] == half_hours
    changes = published.diff().nonzero().flatten() + 1
    one_o_clock = half_hours - 22  # eleven hours before the next midnight
    assert changes.tolist() == [one_o_clock, half_hours + 26]
    assert published[one_o_clock] == half_hours + 48


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["2022-03-01", "2022-10-10", "2022-06-01"]),
    st.integers(0, 40 * 48 - 1),
)
def test_what_is_published_is_at_least_the_rest_of_today_and_never_beyond_tomorrow(
    zone, date, number
):
    start = midnight(date, zone)
    published = published_half_hours(start, 40 * 48, zone, 13.0)
    known_h = (int(published[number]) - number) / 2.0
    assert 0.5 <= known_h <= 36.5  # the longest: 11 hours of today and 25 of tomorrow, and a half


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("issue", [5, 100, 30 * 48 + 25, 30 * 48 + 26, 30 * 48 + 47])
def test_changing_every_price_that_is_not_published_changes_no_bit(zone, issue):
    start = midnight("2022-09-25", zone)  # over October's change of the clock in Europe
    price = hourly_prices(45 * 24)
    until = int(published_half_hours(start, 45 * 48, zone, 13.0)[issue])
    other = price.clone()
    other[6 * until :] = 700.0 - 3.0 * hourly_prices(45 * 24, seed=1)[6 * until :]
    assert not torch.equal(price, other)
    issues = torch.arange(max(issue - 50, 0), issue + 1)
    before = forecast(price, issues, start, zone)
    assert torch.equal(before, forecast(other, issues, start, zone))
    # The last published price within reach is used.
    nearer = price.clone()
    nearer[6 * min(until - 1, issue + LEADS)] += 40.0
    assert not torch.equal(before[-1], forecast(nearer, issues, start, zone)[-1])


def test_published_leads_are_the_prices_themselves_at_every_node():
    price = hourly_prices(40 * 24)
    half_hours = price.view(-1, 6).mean(-1).float()
    start, issue = midnight("2022-07-01", "UTC"), 30 * 48 + 26  # at 13:00: 70 half hours are known
    nodes = forecast(price, torch.tensor([issue]), start, "UTC")[0]
    expected = half_hours[issue + 1 : issue + 1 + LEADS, None].expand(-1, len(NODE_WEIGHTS))
    torch.testing.assert_close(nodes, expected, rtol=0, atol=0)


def test_leads_beyond_what_is_published_are_the_season_seen_from_its_end():
    price = hourly_prices(40 * 24)
    start, issue = midnight("2022-07-01", "UTC"), 30 * 48 + 20  # at 10:00: known up to midnight
    nodes = forecast(price, torch.tensor([issue]), start, "UTC")[0]
    season = seasonal_decayed(price, torch.tensor([31 * 48 - 1]), NO_LIMITS).nodes_per_mwh[0]
    known = 48 - 20 - 1  # leads from 10:30 on
    torch.testing.assert_close(nodes[known:], season[: LEADS - known], rtol=0, atol=0)
    assert (nodes[:known].std(-1) == 0).all()
    assert (nodes[known:].std(-1) > 0).all()


def test_issues_asked_alone_equal_those_of_the_whole():
    price, start = hourly_prices(35 * 24), midnight("2022-03-10", "Europe/Amsterdam")
    whole = forecast(price, torch.arange(35 * 48), start, "Europe/Amsterdam")
    issues = torch.tensor([1200, 3, 95, 26, 1679])
    some = forecast(price, issues, start, "Europe/Amsterdam")
    torch.testing.assert_close(some, whole[issues], rtol=1e-6, atol=0)
    assert whole.isfinite().all()
    assert (whole.diff(dim=-1) >= 0).all()


def test_missing_price_is_refused():
    price = hourly_prices(48)
    price[7] = torch.nan
    with pytest.raises(InputError, match="price of tick 7 is not a finite number"):
        day_ahead(price, torch.tensor([0]), torch.tensor([48]))
