import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.people.calendar import calendar_table


def days(date: str) -> int:
    return int(np.datetime64(date, "D").astype(np.int64))


def test_a_day_begins_at_local_midnight_and_a_season_on_its_first():
    # Midnight of the 1st of May 2024, a Wednesday, in Los Angeles is 07:00 UTC.
    table = calendar_table("America/Los_Angeles", np.datetime64("2024-05-01T06:55"), 2)
    before, after = ([float(c[row, 0]) for c in table] for row in (0, 1))
    week = days("2024-04-29")
    assert before[1:] == [days("2024-04-30"), week, days("2024-04-01"), days("2023-11-01")]
    assert after == [0.0, days("2024-05-01"), week, days("2024-05-01"), days("2024-05-01")]
    assert before[0] == pytest.approx(24.0 - 1.0 / 12.0)


def test_a_day_of_25_hours_has_an_hour_twice():
    table = calendar_table("Europe/Berlin", np.datetime64("2024-10-26T22:00"), 25 * 12)
    assert len(table.day.unique()) == 1
    assert int((table.hour == 2.0).sum()) == 2


def test_a_table_of_a_week_equals_these_rows_of_a_year():
    year = calendar_table("Australia/Adelaide", np.datetime64("2024-01-01"), 366 * 288)
    week = calendar_table("Australia/Adelaide", np.datetime64("2024-04-03"), 7 * 288)
    rows = slice(93 * 288, 100 * 288)
    assert all(torch.equal(a[rows], b) for a, b in zip(year, week, strict=True))


@pytest.mark.parametrize("months", [(), (0,), (13, 5)])
def test_months_that_do_not_exist_are_refused(months: tuple[int, ...]):
    with pytest.raises(InputError, match="season_months must name months"):
        calendar_table("UTC", np.datetime64("2024-01-01"), 1, months)
