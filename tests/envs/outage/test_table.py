"""Feeders fail as often and as long as they should, and alike in every table."""

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.outage.table import OutageRates, outage_probability, outage_table, sample_feeders

START = np.datetime64("2024-01-01")
YEAR = 365 * 288


def failures(table):
    return int(((table[1:] == 1) & (table[:-1] == 0)).sum() + table[0].sum())


def test_a_feeder_fails_1_2_times_a_year_for_two_hours():
    table = outage_table(START, YEAR, 3, 400)
    count, hours = failures(table), table.sum().item() / 12.0
    assert count / 400 == pytest.approx(1.2, abs=0.15)  # 480 expected: two errors are 0.11
    assert hours / count == pytest.approx(2.0, rel=0.15)  # sigma/mean 1.31: two errors are 12 %


def test_the_interruptions_of_a_table_are_as_long_as_drawn():
    table = outage_table(START, YEAR, 3, 16, OutageRates(50.0, 1.0, 0.0))
    column = torch.cat([torch.zeros(1), table[:, 0], torch.zeros(1)]).diff()
    lengths = (column == -1).nonzero() - (column == 1).nonzero()
    assert int(lengths.median()) == 12  # an hour; two that overlap make a longer one
    assert int(lengths.min()) >= 1


def test_a_table_of_a_week_equals_these_rows_of_a_year():
    rates = OutageRates(100.0, 12.0, 1.5)
    year, week = (
        outage_table(day, ticks, 3, 8, rates)
        for day, ticks in ((START, YEAR), (np.datetime64("2024-04-03"), 7 * 288))
    )
    assert torch.equal(year[93 * 288 : 100 * 288], week)
    assert week.sum() > 0


def test_a_grid_that_never_fails():
    assert outage_table(START, YEAR, 3, 8, OutageRates(0.0)).sum() == 0


@pytest.mark.parametrize(
    ("rates", "key"),
    [
        (OutageRates(-1.0), "interruptions_a_year"),
        (OutageRates(mean_h=0.0), "mean_h"),
        (OutageRates(deviation=float("nan")), "deviation"),
    ],
)
def test_rates_that_cannot_be_are_refused(rates, key):
    with pytest.raises(InputError, match=rf"scenario\.outages\.{key} must be from"):
        outage_table(START, 1, 0, 1, rates)


def test_an_event_meets_an_outage_as_often_as_was_foretold():
    rates = OutageRates(20.0, 2.0)
    dark = outage_table(START, YEAR, 3, 64, rates)
    events = dark.reshape(365, 288, 64)[:, 19 * 12 : 21 * 12].amax(1)
    # 23,360 events, of which 0.91 % should meet one: two errors are 0.13 %.
    assert outage_probability(rates, 2.0) == pytest.approx(0.00908, abs=1e-4)
    assert events.mean().item() == pytest.approx(outage_probability(rates, 2.0), abs=0.0015)


def test_homes_are_spread_over_feeders_and_stay_on_theirs():
    feeder = sample_feeders(3, torch.arange(16_000), 16)
    assert torch.equal(feeder[4321:4322], sample_feeders(3, torch.tensor([4321]), 16))
    assert feeder.bincount().tolist() == pytest.approx([1000.0] * 16, rel=0.13)
