"""Synthetic draws of hot water beside published statistics and profiles of NREL."""

import numpy as np
import pytest
import torch

from vpp_envs.signals.readers.hot_water import read_hot_water
from vpp_envs.signals.synthetic.hot_water import (
    DRAW_KINDS,
    hot_water_table,
    wet_bulb_c,
)

ZONE, START = "Etc/GMT+8", np.datetime64("2023-01-01T08:00")
GALLON_L = 3.7854
# Share of a day's draws in each hour (facts.md A4.2). [%]
HOURLY = (1.2, 0.7, 0.6, 0.6, 1.0, 2.9, 6.6, 8.2, 7.7, 6.4, 5.9, 4.8, 4.1, 3.9, 3.4, 3.2, 4.1)
HOURLY = np.array((*HOURLY, 4.6, 6.3, 6.5, 5.8, 5.2, 3.6, 2.8))


@pytest.fixture(scope="module")
def year():
    mixed, hot = hot_water_table(ZONE, START, 365 * 288, seed=1, archetypes=16)
    return mixed.double(), hot.double()


def by_hour(table):
    hours = table.reshape(365, 24, 12, -1).sum((0, 2, 3)).numpy()
    return 100.0 * hours / hours.sum()


@pytest.mark.reference
def test_a_home_of_three_bedrooms_draws_its_published_gallons(year):
    """60 mixed and 9 hot gallons a day (facts.md A4.2), within 3 %; each home within 12 %."""
    mixed, hot = (table.sum(0) / 365 / GALLON_L for table in year)
    assert mixed.mean().item() == pytest.approx(28.8 + 24.4 + 6.7, rel=0.03)
    assert hot.mean().item() == pytest.approx(4.3 + 4.4, rel=0.03)
    assert ((mixed + hot - 69.0).abs() < 0.12 * 69.0).all()


@pytest.mark.reference
def test_draws_follow_the_published_hours(year):
    """Every hour's share within 0.6 percentage points (a shower ends in the hour after)."""
    np.testing.assert_allclose(by_hour(year[0] + year[1]), HOURLY, atol=0.6)


@pytest.mark.reference
def test_a_home_of_three_bedrooms_opens_its_taps_36_times_a_day():
    """36.0 events a day (facts.md A4.2), within 5 %; a sink is opened twice, one tick apart."""
    taps = {kind.name: 2 if kind.name == "sink" else 1 for kind in DRAW_KINDS}
    events = sum(taps[kind.name] * kind.day_l / kind.event_l for kind in DRAW_KINDS)
    assert events == pytest.approx(36.0, rel=0.05)


@pytest.mark.reference
@pytest.mark.parametrize("ticks", [6, 12], ids=["half hours", "hours"])
def test_draws_are_as_large_and_as_clustered_as_in_a_profile(year, shared_data, ticks):
    """How often anything is drawn within 5 %; litres then, at 50, 90, 95 and 99 %, within 20 %."""
    real = read_hot_water(shared_data / "thermal/dhw_draws_1min_sparse.parquet")
    of = real.homes.index("3bed_unit4")
    theirs = (real.mixed_l + real.hot_l)[:, of].double().reshape(-1, ticks).sum(1)
    ours = (year[0] + year[1]).reshape(-1, ticks, 16).sum(1).flatten()
    at = torch.tensor([0.5, 0.9, 0.95, 0.99], dtype=torch.float64)
    assert (ours > 0).double().mean().item() == pytest.approx(
        (theirs > 0).double().mean().item(), rel=0.05
    )
    quantiles = torch.quantile(ours[ours > 0], at), torch.quantile(theirs[theirs > 0], at)
    torch.testing.assert_close(*quantiles, rtol=0.2, atol=0.0)


def test_a_week_is_the_same_alone_and_in_a_year(year):
    first = 100 * 288 + 7
    begin = START + np.timedelta64(first * 300, "s")
    week = hot_water_table(ZONE, begin, 7 * 288, seed=1, archetypes=16)
    for part, whole in zip(week, year, strict=True):
        assert torch.equal(part.double(), whole[first : first + 7 * 288])


def test_seeds_and_homes_differ(year):
    other = hot_water_table(ZONE, START, 288, seed=2, archetypes=16)[0].double()
    assert not torch.equal(other, year[0][:288])
    assert (year[0].std(1) > 0).double().mean() > 0.5


@pytest.mark.reference
def test_the_wet_bulb_is_that_of_stulls_example():
    """20 C and 50 % give 13.7 C (Stull 2011, text below equation 1)."""
    assert wet_bulb_c(torch.tensor(20.0), 50.0).item() == pytest.approx(13.7, abs=0.05)
