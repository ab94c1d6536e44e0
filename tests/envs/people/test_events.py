import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.people.calendar import calendar_table
from vpp_envs.people.events import EVENT_FEATURES, dearest_days, event_features, event_table


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


def test_a_policy_sees_an_event_once_it_is_announced_and_how_long_it_lasts(calendar):
    event = event_table(calendar, calendar.day[288], 19.0, 2.0)
    seen = event_features(event, torch.full_like(event, 6.0), 1 / 12)
    assert seen.shape == (3 * 288, len(EVENT_FEATURES))
    begins = 288 + 19 * 12
    running, left, ahead = seen.T
    assert torch.equal(running, event.squeeze(-1))
    assert left[begins - 1] == 0.0
    assert left[begins].item() == pytest.approx(2 / 24)
    assert left[begins + 23].item() == pytest.approx(1 / 12 / 24)
    assert left[begins + 24] == 0.0
    assert ahead[begins - 73] == 1.0  # a tick before it is announced
    assert ahead[begins - 72].item() == pytest.approx(0.25)
    assert ahead[begins] == 0.0
    assert (ahead[begins + 24 :] == 1.0).all()  # none follows


def test_events_without_notice_are_seen_when_they_begin(calendar):
    event = event_table(calendar, calendar.day[288], 19.0, 2.0)
    ahead = event_features(event, 0.0 * event, 1 / 12)[:, 2]
    assert torch.equal(ahead, 1.0 - event.squeeze(-1))
