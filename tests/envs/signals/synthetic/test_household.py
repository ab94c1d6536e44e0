"""Synthetic base load: a mean of one, a home's rhythm, and the look of a metered home."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.synthetic.household import daily_shape, load_archetypes, load_table

NEW_YEAR = np.datetime64("2023-01-01T00:00")
YEAR = 365 * 288
NEM = "Etc/GMT-10"


@pytest.fixture(scope="module")
def homes() -> Tensor:
    return load_table(NEM, NEW_YEAR, YEAR, seed=1)


def on_local_clock(table: Tensor, zone: str) -> pd.DataFrame:
    stamps = pd.date_range(NEW_YEAR, periods=len(table), freq="5min", tz="UTC").tz_convert(zone)
    return pd.DataFrame(table.numpy(), index=stamps)


def statistics(half_hourly: pd.Series) -> dict[str, float]:
    """Numbers that tell one home's half-hourly series from another's, per unit of its mean."""
    load = half_hourly / half_hourly.mean()
    mean_day = load.groupby(load.index.hour * 2 + load.index.minute // 30).mean()
    return {
        "median": load.median(),
        "p95": load.quantile(0.95),
        "deviation": load.std(),
        "half_hour_later": load.autocorr(1),
        "hour_later": load.autocorr(2),
        "evening": mean_day[32:44].max(),
        "night": mean_day.min(),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_each_archetypes_year_has_mean_one(seed: int):
    means = load_table(NEM, NEW_YEAR, YEAR, seed).mean(dim=0)
    assert means.sub(1.0).abs().max().item() < 0.02
    assert means.mean().item() == pytest.approx(1.0, abs=0.002)


def test_load_is_always_positive(homes: Tensor):
    assert homes.shape == (YEAR, 32)
    assert homes.dtype == torch.float32
    assert homes.min().item() > 0.0


@pytest.mark.parametrize("zone", [NEM, "America/Chicago"])
@pytest.mark.parametrize(("first", "ticks"), [(70 * 288 + 11, 5 * 288), (303 * 288, 1)])
def test_a_window_equals_the_same_rows_of_the_year(zone: str, first: int, ticks: int):
    year = load_table(zone, NEW_YEAR, YEAR, 3, archetypes=5)
    start = NEW_YEAR + np.timedelta64(5 * first, "m")
    window = load_table(zone, start, ticks, 3, archetypes=5)
    assert torch.equal(window, year[first : first + ticks])


def test_evening_peak_of_the_expected_weekday_is_1_6_on_average():
    from_four_pm = daily_shape(load_archetypes(32), weekend=False)[16 * 12 :]
    peaks = from_four_pm.max(dim=0)
    assert peaks.values.mean().item() == pytest.approx(1.6, abs=0.05)
    assert 16.0 + peaks.indices.min().item() / 12.0 >= 17.0
    assert 16.0 + peaks.indices.max().item() / 12.0 <= 20.5


def test_expected_week_has_mean_one():
    kinds = load_archetypes(32)
    workday, rest_day = daily_shape(kinds, weekend=False), daily_shape(kinds, weekend=True)
    week = (5 * workday.mean(dim=0) + 2 * rest_day.mean(dim=0)) / 7
    assert torch.allclose(week, torch.ones_like(week))


def test_weekend_mornings_come_later_and_middays_are_busier():
    kinds = load_archetypes(32)
    workday = daily_shape(kinds, weekend=False).mean(dim=1)
    rest_day = daily_shape(kinds, weekend=True).mean(dim=1)
    morning = slice(5 * 12, 11 * 12)
    assert rest_day[morning].argmax() - workday[morning].argmax() >= 12
    assert rest_day[13 * 12] > 1.15 * workday[13 * 12]


def test_evenings_follow_the_local_clock_through_daylight_saving():
    local = on_local_clock(load_table("America/Chicago", NEW_YEAR, YEAR, 1), "America/Chicago")
    mean_day = local.mean(axis=1).groupby([local.index.month, local.index.hour]).mean()
    assert mean_day[1].idxmax() in (18, 19)
    assert mean_day[7].idxmax() in (18, 19)


def test_archetypes_differ_in_timing_and_peakiness_independently():
    traits = np.corrcoef(torch.stack(list(load_archetypes(32))).numpy())
    assert np.abs(traits - np.eye(5)).max() < 0.15


def test_homes_together_vary_less_than_one_alone(homes: Tensor):
    single, together = homes.std(dim=0).mean().item(), homes.mean(dim=1).std().item()
    assert single == pytest.approx(1.2, abs=0.1)
    assert together < 0.5


def test_neighbouring_ticks_correlate_by_0_87(homes: Tensor):
    centred = homes - homes.mean(dim=0)
    memory = (centred[1:] * centred[:-1]).mean(dim=0) / centred.square().mean(dim=0)
    assert memory.mean().item() == pytest.approx(0.88, abs=0.02)


def test_another_seed_gives_other_days_of_the_same_homes(homes: Tensor):
    other = load_table(NEM, NEW_YEAR, 288 * 28, seed=2)
    assert not torch.equal(other, homes[: 288 * 28])


def test_half_hours_look_like_metered_homes(homes: Tensor, shared_data):
    table = pd.read_parquet(shared_data / "household" / "sgsc_homes_30min.parquet").dropna()
    metered = pd.DataFrame(
        [
            statistics(home.set_index("time")["load_kwh"].sort_index().asfreq("30min"))
            for _, home in table.groupby("home")
        ]
    )
    half_hours = on_local_clock(homes, NEM).resample("30min").mean()
    ours = pd.DataFrame([statistics(half_hours[k]) for k in half_hours]).mean()
    outside = [
        name for name in metered if not metered[name].min() <= ours[name] <= metered[name].max()
    ]
    assert outside == []


def test_unknown_zone_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="'Adelaide'; give an IANA name"):
        load_table("Adelaide", NEW_YEAR, 1, seed=1)
