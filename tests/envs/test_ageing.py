"""Ageing of whole trajectories: beside published numbers, and as the accounts of it must behave."""

import doctest

import pytest
import torch

import vpp_envs.ageing
from vpp_envs.ageing import ageing_of
from vpp_envs.devices.degradation import capacity_left, lasting_loss
from vpp_envs.errors import InputError

QUARTER = 0.2  # steps of twelve minutes: 0.8 of the capacity at C/4 takes sixteen of them
CHEMISTRIES = pytest.mark.parametrize("chemistry", ["lfp", "nmc"])


def year(cycles: int = 1, days: int = 365) -> torch.Tensor:
    """Days from half full to 0.9, 0.1 and back at C/4, some times over, then rest, (T, 1)."""
    up = torch.linspace(0.1, 0.9, 17, dtype=torch.float64)
    once = torch.cat((up[8:-1], up.flip(0)[:-1], up[:8]))
    rest = torch.full((120 - cycles * len(once),), 0.5, dtype=torch.float64)
    return torch.cat((once.repeat(cycles), rest)).repeat(days)[:, None]


def test_the_example_in_the_documentation_is_true():
    assert doctest.testmod(vpp_envs.ageing).failed == 0


def test_a_year_of_a_cycle_a_day_ages_lfp_as_published():
    # facts.md A1.3 (BLAST-Lite): 4.64 % after 1,000 full cycles of depth 0.8 at C/4 and 25 C, as
    # their number to the power 0.828; of the calendar 0.8 % in the first year at 30 % fill, 1.1 %
    # at 50 %, where these batteries rest, and 1.6 % at 80 %.
    aged = ageing_of(year(), 25.0, QUARTER, "lfp")
    cycles = 365 * 0.8
    expected = 4.64 * (cycles / 1000.0) ** 0.828
    assert 100.0 * aged.state.cycle.item() == pytest.approx(expected, abs=0.005)
    assert 100.0 * aged.state.calendar.item() == pytest.approx(1.1, abs=0.1)
    lost = 100.0 * (1.0 - aged.capacity_left[-1].item())
    assert lost == pytest.approx(1.1 + expected, abs=0.1)


@CHEMISTRIES
def test_ten_years_of_a_cycle_a_day_keep_the_warranty(chemistry: str):
    # facts.md A1.3: warranties promise 70 % after ten years.
    left = ageing_of(year(days=3650), 25.0, QUARTER, chemistry).capacity_left
    assert 0.7 < left[-1].item() < 0.95


@pytest.mark.parametrize(
    ("chemistry", "cycle_ratio"),
    # LFP by throughput to the power 0.828; NMC by the root of the sum of squares of a day's
    # cycles, which here count as three and as five halves.
    [("lfp", 2.0**0.828), ("nmc", (5.0 / 3.0) ** 0.5)],
)
def test_cycling_twice_as_much_ages_more_and_costs_more(chemistry: str, cycle_ratio: float):
    both = torch.cat((year(), year(cycles=2)), 1)
    aged = ageing_of(both, 25.0, QUARTER, chemistry)
    ratio = (aged.state.cycle[1] / aged.state.cycle[0]).item()
    assert ratio == pytest.approx(cycle_ratio, rel=1e-9)
    assert aged.capacity_left[-1, 1] < aged.capacity_left[-1, 0]
    assert aged.cost.sum(0)[1] > aged.cost.sum(0)[0]


@CHEMISTRIES
def test_the_money_is_the_lasting_loss_times_the_price(chemistry: str):
    size = torch.tensor([10.0, 20.0])
    aged = ageing_of(year().expand(-1, 2), 30.0, QUARTER, chemistry, size, 300.0)
    lost = lasting_loss(aged.state)
    assert aged.cost.sum(0).tolist() == pytest.approx((lost / 0.3 * size * 300.0).tolist())
    assert (aged.cost > 0).all()
    assert torch.equal(aged.capacity_left[-1], capacity_left(aged.state))


@CHEMISTRIES
def test_two_half_years_are_one_year(chemistry: str):
    # Days differ, and so do homes. The cut stands where the battery rests, so that no movement
    # between the last sample of one half and the first of the other is missing.
    torch.manual_seed(3)
    fill = torch.rand(60, 24, 3, dtype=torch.float64)
    fill[:, 0] = fill[:, -1] = 0.5
    fill = fill.reshape(-1, 3)
    warmth = 15.0 + 20.0 * torch.rand(1440, 1, dtype=torch.float64)
    warmth[719:721] = 25.0
    whole = ageing_of(fill, warmth, 1.0, chemistry)
    first = ageing_of(fill[:720], warmth[:720], 1.0, chemistry)
    second = ageing_of(fill[720:], warmth[720:], 1.0, chemistry, start=first.state)
    joined = torch.cat((first.cost, second.cost))
    torch.testing.assert_close(joined, whole.cost, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(second.state, whole.state, rtol=1e-10, atol=1e-12)


def test_reading_days_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    fill = torch.rand(20 * 24, 3, dtype=torch.float64)
    whole = ageing_of(fill, 25.0, 1.0, "nmc")
    monkeypatch.setattr(vpp_envs.ageing, "_MOST_VALUES", 3 * 24 * 3)
    torch.testing.assert_close(ageing_of(fill, 25.0, 1.0, "nmc").cost, whole.cost)


def test_a_fleet_of_float32_fills_is_read_as_it_comes():
    aged = ageing_of(year(days=3).float() * (0.9 + 1e-7) / 0.9, 25.0, QUARTER, "lfp")
    assert aged.cost.dtype == torch.float64
    assert aged.cost.shape == (3, 1)


DAY = torch.full((24, 2), 0.5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((DAY, 25.0, 1.0, "LFP"), "chemistry must be 'lfp' or 'nmc', got 'LFP'"),
        ((DAY, 25.0, 0.7, "lfp"), "dt_h must divide a day"),
        ((DAY, 25.0, 0.0, "lfp"), "dt_h must divide a day"),
        ((DAY[:23], 25.0, 1.0, "lfp"), "whole days of 24 rows"),
        ((DAY[:, 0], 25.0, 1.0, "lfp"), "whole days of 24 rows"),
        ((DAY[:0], 25.0, 1.0, "lfp"), "whole days of 24 rows"),
        ((DAY * 13.5, 25.0, 1.0, "lfp"), "divide kWh by the capacity"),
        ((DAY * torch.nan, 25.0, 1.0, "lfp"), "between 0 and 1 everywhere"),
        ((DAY, 298.15, 1.0, "nmc"), "kelvin less 273.15"),
        ((DAY, torch.zeros(23, 1), 1.0, "nmc"), "a row for each of soc_trajectory's 24"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(arguments, says: str):
    with pytest.raises(InputError, match=says):
        ageing_of(*arguments)
