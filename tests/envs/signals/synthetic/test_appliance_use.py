"""When people load their machines, beside published statistics."""

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.flexible.appliance_parts import APPLIANCES
from vpp_envs.signals.synthetic.appliance_use import appliance_table

ZONE, START = "Etc/GMT+8", np.datetime64("2023-01-01T08:00")
WET = ("dishwasher", "washer", "dryer")


@pytest.fixture(scope="module")
def year():
    return {name: appliance_table(name, ZONE, START, 365 * 288, 1) for name in APPLIANCES}


def hours_of(table):
    """Hours of the day at which jobs come; those before five in the morning belong to the night."""
    tick = torch.nonzero(table > 0)[:, 0].double()
    hour = (tick % 288) / 12.0 + 1 / 24
    return torch.where(hour < 4.0, hour + 24.0, hour)


@pytest.mark.reference
@pytest.mark.parametrize(("name", "a_day"), [("dishwasher", 0.9), ("washer", 0.6), ("dryer", 0.6)])
def test_runs_a_day_are_as_published(year, name, a_day):
    """23,360 days of households: within 2 %."""
    assert (year[name] > 0).sum().item() / 365 / 64 == pytest.approx(a_day, rel=0.02)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "morning", "evening", "share"),
    [
        ("dishwasher", (9.0, 0.5), (20.0, 1.5), 0.55),
        ("washer", (7.5, 1.0), (19.5, 2.0), 0.3),
        ("dryer", (8.0, 1.0), (21.5, 2.0), 0.6),
    ],
)
def test_mornings_and_evenings_are_as_published(year, name, morning, evening, share):
    """Means within 3 min, deviations within 3 %, shares within a percentage point."""
    hour = hours_of(year[name])
    early = hour < 13.0
    assert early.double().mean().item() == pytest.approx(share, abs=0.01)
    for part, (mean, deviation) in ((hour[early], morning), (hour[~early], evening)):
        assert part.mean().item() == pytest.approx(mean, abs=0.05)
        assert part.std().item() == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize("name", WET)
def test_deadlines_are_uniform_between_two_and_ten_hours(year, name):
    due = year[name][year[name] > 0].double()
    assert due.min().item() >= 2.0
    assert due.max().item() <= 10.0
    assert due.mean().item() == pytest.approx(6.0, abs=0.05)
    assert due.std().item() == pytest.approx(8.0 / 12.0**0.5, rel=0.02)


def test_a_pool_pump_has_one_job_a_day_that_is_due_at_midnight(year):
    table = year["pool_pump"]
    assert ((table > 0).reshape(365, 288, 64).sum(1) == 1).all()
    tick, column = torch.nonzero(table > 0, as_tuple=True)
    due = table[tick, column].double()
    torch.testing.assert_close(
        (tick % 288) / 12.0 + due, torch.full_like(due, 24.0), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("name", APPLIANCES)
def test_a_week_equals_its_rows_of_a_year(year, name):
    start = START + np.timedelta64(100, "D")
    week = appliance_table(name, ZONE, start, 7 * 288, 1)
    assert torch.equal(week, year[name][100 * 288 : 107 * 288])


@pytest.mark.parametrize("name", APPLIANCES)
@pytest.mark.parametrize("day", ["2023-03-25", "2023-10-28"])
def test_no_job_is_lost_or_doubled_when_clocks_change(name, day):
    """Berlin, a day before and after: as many jobs as on the unchanging clock of its winter."""
    there = np.datetime64(f"{day}T12:00")
    changed = appliance_table(name, "Europe/Berlin", there, 2 * 288, 7, 512)
    plain = appliance_table(name, "Etc/GMT-1", there, 2 * 288, 7, 512)
    # At noon no job is near either end: what differs is the hour at which it comes.
    assert int((changed > 0).sum()) == pytest.approx(int((plain > 0).sum()), abs=6)
    torch.testing.assert_close(changed.double().sum(), plain.double().sum(), rtol=0.02, atol=0.0)


def test_an_hour_that_comes_twice_brings_its_jobs_once():
    """The night in Berlin: of the hour from two to three, only the first has the dryers' jobs."""
    table = appliance_table(
        "dryer", "Europe/Berlin", np.datetime64("2023-10-27T22:00"), 3 * 288 + 12, 3, 4096
    )
    night = slice(26 * 12, 28 * 12)  # from 02:00 summer time to 03:00 winter time
    assert (table[night][12:] > 0).sum() == 0
    assert (table[night][:12] > 0).sum() > 0


def test_types_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="appliance 'toaster' is none of dishwasher, washer"):
        appliance_table("toaster", ZONE, START, 12, 0)
