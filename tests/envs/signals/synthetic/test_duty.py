"""Duties of depots: hours and distances of facts A3.4, whatever part of the year a table shows."""

import numpy as np
import pandas as pd
import pytest

from vpp_envs.signals.synthetic.duty import DUTIES, DUTY_ARCHETYPES, duty_table

TICKS = 365 * 288
START = np.datetime64("2024-01-01T08:00")  # midnight in Los Angeles
NORTH, SOUTH = "America/Los_Angeles", "Australia/Adelaide"


def columns(kind):
    first = list(DUTIES).index(kind) * DUTY_ARCHETYPES
    return slice(first, first + DUTY_ARCHETYPES)


@pytest.fixture(scope="module")
def year():
    """A year of stays in local time: hours at the depot, arrivals and km."""
    return duty_table(NORTH, START, TICKS, 0).numpy()


def local(ticks, zone=NORTH):
    start = pd.Timestamp(START, tz="UTC")
    return (start + pd.to_timedelta(np.asarray(ticks) * 300, unit="s")).tz_convert(zone)


@pytest.mark.parametrize(
    ("kind", "trips", "days", "km", "back_h"),
    # A3.4: 60 to 80 miles on about 200 days; 50 to 95 Monday to Saturday; 25 to 45 on weekdays.
    [
        ("school_bus", 2, (180, 205), (97, 129), (16.0, 17.5)),
        ("delivery_van", 1, (295, 313), (80, 153), (17.0, 20.0)),
        ("municipal", 1, (245, 262), (40, 72), (16.0, 17.5)),
    ],
)
def test_duties_are_those_of_published_fleets(year, kind, trips, days, km, back_h):
    part = year[:, :, columns(kind)]
    arrives = part[:, 2] > 0
    a_year = arrives.sum(0) / trips
    assert days[0] <= a_year.min()
    assert a_year.max() <= days[1]
    a_day = part[:, 3].sum(0) / a_year
    assert km[0] * 0.98 <= a_day.min()
    assert a_day.max() <= km[1] * 1.02
    ticks, _ = np.nonzero(arrives)
    hours = local(ticks + 1)
    hours = hours.hour + hours.minute / 60
    last = hours[hours > 12] if trips > 1 else hours
    assert back_h[0] <= np.median(last) <= back_h[1]


def test_buses_stand_in_summer_at_weekends_and_at_midday(year):
    here = year[:, 0, columns("school_bus")] > 0
    clock = local(np.arange(TICKS))
    summer = (clock.month == 7) | ((clock.month == 8) & (clock.day < 20))
    assert here[summer].all()
    assert here[clock.day_of_week >= 5].all()
    term = (clock.month == 10) & (clock.day_of_week < 5)
    noon = term & (clock.hour == 11)
    assert here[noon].mean() > 0.99
    assert here[term & (clock.hour == 7)].mean() < 0.05
    assert here[term & (clock.hour == 14)].mean() < 0.05


def test_south_of_the_equator_the_long_break_is_at_the_turn_of_the_year():
    table = duty_table(SOUTH, START, TICKS, 0).numpy()
    here = table[:, 0, columns("school_bus")] > 0
    clock = (
        pd.Timestamp(START, tz="UTC") + pd.to_timedelta(np.arange(TICKS) * 300, unit="s")
    ).tz_convert(SOUTH)
    assert here[(clock.month == 1) & (clock.day < 30)].all()
    assert not here[(clock.month == 8) & (clock.hour == 8) & (clock.day_of_week < 5)].all()


def test_a_part_of_the_year_is_that_part_of_its_table(year):
    days = 20
    start = START + np.timedelta64(170, "D")  # a bus stands there since June
    part = duty_table(NORTH, start, days * 288, 0).numpy()
    np.testing.assert_array_equal(part, year[170 * 288 : (170 + days) * 288])


def test_every_trip_is_announced_and_followed_by_a_stay(year):
    left, ends = year[:, 0], year[:, 1]
    # Departures are kept: whoever leaves had said so.
    assert (left[ends > 0] == 1).all()
    # What is left of a stay falls by one tick a tick.
    stays = (left[:-1] > 0) & (ends[:-1] == 0)
    assert (left[1:][stays] == left[:-1][stays] - 1).all()


def test_seeds_change_the_days_and_nothing_else():
    one, two = (duty_table(NORTH, START, 30 * 288, seed).numpy() for seed in (1, 2))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, duty_table(NORTH, START, 30 * 288, 1).numpy())
