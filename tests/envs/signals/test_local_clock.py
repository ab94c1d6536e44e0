from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.local_clock import known_zone, local_clock


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2026-03-28T20:00"),
        ("Europe/Berlin", "2026-10-24T20:00"),
        ("America/New_York", "2026-03-08T00:00"),
        ("America/New_York", "2026-11-01T00:00"),
        ("Australia/Lord_Howe", "2026-04-04T10:00"),
        ("Australia/Lord_Howe", "2026-10-03T10:00"),
        ("Asia/Kathmandu", "2027-12-31T10:00"),
        ("America/New_York", "2028-02-28T20:00"),
    ],
)
def test_the_clock_is_that_of_the_standard_library_through_every_change(zone, start):
    clock = local_clock(zone, np.datetime64(start), 900, 200)
    for tick in range(200):
        instant = datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(minutes=15 * tick)
        local = instant.astimezone(ZoneInfo(zone))
        assert clock.month[tick] == (local.year - 1970) * 12 + local.month - 1
        assert clock.month_of_year[tick] == local.month - 1
        assert clock.day_of_month[tick] == local.day
        assert clock.minute[tick] == local.hour * 60 + local.minute
        assert clock.weekend[tick] == (local.weekday() >= 5)
        assert clock.offset_s[tick] == local.utcoffset().total_seconds()


def test_a_zone_that_does_not_exist_is_refused_with_the_nearest():
    assert known_zone("Etc/GMT-10") == "Etc/GMT-10"
    with pytest.raises(InputError, match="is no IANA time zone; did you mean 'Europe/Berlin'"):
        known_zone("Europe/Berln")
    with pytest.raises(InputError, match="write one such as"):
        known_zone("../../etc/passwd")
