import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.people.calendar import calendar_table
from vpp_envs.people.events import dearest_days, event_table


@pytest.fixture
def calendar():
    return calendar_table("America/Los_Angeles", np.datetime64("2024-07-01T07"), 3 * 288)


def test_an_event_runs_from_19_to_21_h_local_time(calendar):
    day = calendar.day[288]
    event = event_table(calendar, day, 19.0, 2.0)
    assert event.shape == (3 * 288, 1)
    assert event.nonzero()[:, 0].tolist() == list(range(288 + 19 * 12, 288 + 21 * 12))


def test_the_dearest_days_have_the_highest_prices(calendar):
    price = torch.zeros(3 * 288).double()
    price[10], price[2 * 288 + 5] = 300.0, 200.0
    first, third = calendar.day[0].item(), calendar.day[-1].item()
    assert dearest_days(price, calendar, 2).tolist() == [first, third]
    assert len(dearest_days(price, calendar, 9)) == 3


@pytest.mark.parametrize(("start", "hours"), [(23.0, 2.0), (5.0, 0.0), (-1.0, 2.0)])
def test_an_event_beyond_its_day_is_refused(calendar, start, hours):
    with pytest.raises(InputError, match="within a local day"):
        event_table(calendar, calendar.day[0], start, hours)
