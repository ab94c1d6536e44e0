"""Stays of cars at home: whole ticks, one after the other, at the hours that drivers keep."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vpp_envs.signals.synthetic.driving import MOST_KM, Stays, stay_table, tabulate

NEW_YEAR = np.datetime64("2023-01-01T00:00")
YEAR = 365 * 288
NEM = "Etc/GMT-10"


@pytest.fixture(scope="module")
def year() -> Tensor:
    return stay_table(NEM, NEW_YEAR, YEAR, seed=1)


def stays_of(table: Tensor, zone: str = NEM) -> pd.DataFrame:
    """Stays that begin in a table: driver, local arrival and departure, lengths, kilometres."""
    rows = table.numpy()
    arrives = np.argwhere(rows[:, 2, :] > 0)
    tick, driver = arrives[:, 0] + 1, arrives[:, 1]
    first_end = [
        np.flatnonzero(rows[t : t + 3000, 1, k]) for t, k in zip(tick, driver, strict=True)
    ]
    last = np.array([ends[0] if len(ends) else -1 for ends in first_end])
    stamps = pd.date_range(NEW_YEAR, periods=len(rows) + 2000, freq="5min", tz="UTC")
    stamps = stamps.tz_convert(zone).tz_localize(None)
    declared = rows[tick - 1, 2, driver].astype(int)
    frame = pd.DataFrame(
        {
            "driver": driver,
            "arrival": stamps[tick],
            "departure": stamps[np.minimum(tick + declared, len(stamps) - 1)],
            "declared_h": declared / 12,
            "stayed_h": (last + 1) / 12,
            "km": rows[tick - 1, 3, driver],
        }
    )
    return frame[last >= 0]


def hour(stamps: pd.Series) -> pd.Series:
    return stamps.dt.hour + stamps.dt.minute / 60


@pytest.fixture(scope="module")
def stays(year: Tensor) -> pd.DataFrame:
    return stays_of(year)


def test_stays_are_in_whole_ticks(year: Tensor):
    assert year.shape == (YEAR, 4, 32)
    assert year.dtype == torch.float32
    assert torch.equal(year[:, :3], year[:, :3].round())
    assert (year >= 0).all()
    assert ((year[:, 1] == 0) | (year[:, 1] == 1)).all()


def test_the_clock_of_a_stay_counts_down_to_the_declared_departure(year: Tensor):
    left, ends, arrives, km = (year[:, i] for i in range(4))
    goes_on = (left[:-1] > 0) & (ends[:-1] == 0)
    assert torch.equal(left[1:][goes_on], left[:-1][goes_on] - 1)
    # Where a stay ends, or nobody is home, what comes next is nothing or a stay as announced.
    free = ~goes_on
    assert torch.equal(left[1:][free], arrives[:-1][free])
    assert (arrives[:-1][goes_on] == 0).all()  # nobody comes home to a taken charger
    assert (left[ends > 0] >= 1).all()
    assert (km[arrives == 0] == 0).all()
    assert (km[arrives > 0] > 0).all()


def test_the_charger_is_empty_after_a_stay_ends(year: Tensor):
    left, ends = year[:, 0], year[:, 1]
    ended = ends[:-1] > 0
    assert ended.sum() > 5000
    assert (left[1:][ended] == 0).all()  # a drive lies between two stays


def test_cars_come_home_when_commuters_and_others_do(stays: pd.DataFrame):
    arrival = hour(stays["arrival"])
    weekday = stays["arrival"].dt.day_of_week < 5
    # 0.7 * 18.0 + 0.3 * 16.0 on weekdays, the tails cut at 23.5 h; 16.0 on weekends.
    assert arrival[weekday].mean() == pytest.approx(17.4, abs=0.3)
    assert arrival[weekday].std() == pytest.approx(2.8, abs=0.4)
    assert arrival[~weekday].mean() == pytest.approx(16.0, abs=0.4)
    assert arrival.max() <= 23.5
    leaving = hour(stays["departure"])
    workday = stays["departure"].dt.day_of_week < 5
    assert leaving[workday].mean() == pytest.approx(0.7 * 7.5 + 0.3 * 10.0, abs=0.3)
    assert leaving[~workday].mean() == pytest.approx(10.0, abs=0.3)


def test_a_stay_lasts_a_night_or_more(stays: pd.DataFrame):
    # From 17.4 h to about 8.2 h are 14.8 h; rest days make some much longer.
    one_night = stays["declared_h"][stays["declared_h"] < 24]
    assert one_night.mean() == pytest.approx(15.6, abs=0.5)
    assert one_night.std() == pytest.approx(3.5, abs=0.7)
    assert stays["declared_h"].min() > 3.0


def test_seven_in_ten_are_commuters(stays: pd.DataFrame):
    weekday = stays[stays["departure"].dt.day_of_week < 5]
    leaves = hour(weekday["departure"]).groupby(weekday["driver"]).std()
    assert (leaves < 1.1).mean() == pytest.approx(0.7, abs=0.1)  # 0.6 h for them, 1.5 h else


def test_three_in_four_plug_in_when_they_come_home(stays: pd.DataFrame):
    a_day = stays.groupby("driver").size() / 365
    share = a_day / 0.9  # one day in ten the car stays where it is
    assert share.mean() == pytest.approx(0.8, abs=0.03)
    assert share.min() > 0.62
    assert share.max() < 0.98


def test_a_days_distance_has_the_median_and_spread_that_is_said(stays: pd.DataFrame):
    # Distances of days without a plug-in add up: the mean is that of all days over the share.
    mean_day = 27 * 1.609 * np.exp(0.75**2 / 2)
    driven_a_day = stays["km"].sum() / 32 / 365
    assert driven_a_day == pytest.approx(0.9 * mean_day, rel=0.05)
    # Whoever plugged in the evening before has driven one day's distance.
    stays = stays.sort_values(["driver", "arrival"])
    day_before = stays["arrival"].dt.normalize().diff() == pd.Timedelta(days=1)
    same = stays["driver"].diff() == 0
    one_day = np.log(stays["km"][day_before & same])
    assert np.exp(one_day.median()) == pytest.approx(27 * 1.609, rel=0.05)
    assert one_day.std() == pytest.approx(0.75, abs=0.04)
    assert stays["km"][day_before & same].max() <= MOST_KM + 1e-3


def test_one_departure_in_fifty_is_early_by_half_an_hour_to_three(stays: pd.DataFrame):
    early_h = stays["declared_h"] - stays["stayed_h"]
    early = early_h > 0.01
    assert early.mean() == pytest.approx(0.02, abs=0.004)
    assert early_h[early].between(0.49, 3.01).all()
    assert (early_h[~early].abs() < 0.01).all()


def test_a_seed_names_the_days_and_no_seed_changes_the_drivers(stays: pd.DataFrame):
    again = stay_table(NEM, NEW_YEAR, 28 * 288, seed=1)
    assert torch.equal(again, stay_table(NEM, NEW_YEAR, 28 * 288, seed=1))
    other = stay_table(NEM, NEW_YEAR, YEAR, seed=2)
    assert not torch.equal(again, other[: 28 * 288])
    ours = hour(stays["arrival"]).groupby(stays["driver"]).mean()
    drawn = stays_of(other)
    theirs = hour(drawn["arrival"]).groupby(drawn["driver"]).mean()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9


@pytest.mark.parametrize("zone", [NEM, "America/Chicago"])
@pytest.mark.parametrize(("first", "ticks"), [(70 * 288 + 11, 5 * 288), (303 * 288, 1), (0, 7)])
def test_a_window_equals_the_same_rows_of_the_year(zone: str, first: int, ticks: int):
    whole = stay_table(zone, NEW_YEAR, YEAR, 3, archetypes=5)
    start = NEW_YEAR + np.timedelta64(5 * first, "m")
    assert torch.equal(
        stay_table(zone, start, ticks, 3, archetypes=5), whole[first : first + ticks]
    )


@pytest.mark.parametrize(("seed", "day"), [(2, 240), (5, 4), (7, 280)])
def test_a_car_that_rests_for_days_beyond_a_window_is_in_it_all_the_same(seed: int, day: int):
    """Found by search: its next departure was later than the days that were looked ahead."""
    whole = stay_table(NEM, NEW_YEAR, YEAR, seed)[day * 288 : (day + 1) * 288]
    start = NEW_YEAR + np.timedelta64(day, "D")
    assert torch.equal(stay_table(NEM, start, 288, seed), whole)
    assert whole[:, 0].max() > 4 * 288  # and a stay of more than four days is what it takes


def test_drivers_keep_the_local_clock_through_daylight_saving():
    table = stays_of(stay_table("America/Chicago", NEW_YEAR, YEAR, 1), "America/Chicago")
    arrival = hour(table["arrival"]).groupby(table["arrival"].dt.month).mean()
    assert arrival[1] == pytest.approx(arrival[7], abs=0.4)
    leaving = hour(table["departure"]).groupby(table["departure"].dt.month).mean()
    assert leaving[1] == pytest.approx(leaving[7], abs=0.4)
    shifted = stays_of(stay_table(NEM, NEW_YEAR, YEAR, 1), "America/Chicago")
    assert abs(hour(shifted["arrival"]).mean() - arrival.mean()) > 3.0


def test_days_of_23_and_25_hours_overlap_nothing():
    table = stay_table("America/Chicago", NEW_YEAR, YEAR, 4)
    left, ends, arrives = (table[:, i] for i in range(3))
    goes_on = (left[:-1] > 0) & (ends[:-1] == 0)
    assert torch.equal(left[1:][goes_on], left[:-1][goes_on] - 1)
    assert (arrives[:-1][goes_on] == 0).all()


def test_tabulated_stays_are_what_was_said():
    stay = Stays(np.array([-2, 4, 7]), np.array([2, 8, 20]), np.array([2, 7, 20]), np.ones(3) * 5)
    table = tabulate([stay, Stays(*(np.array([]),) * 4)], 10)
    assert table[:, 0, 0].tolist() == [2, 1, 0, 0, 4, 3, 2, 13, 12, 11]
    assert table[:, 1, 0].tolist() == [0, 1, 0, 0, 0, 0, 1, 0, 0, 0]
    assert table[:, 2, 0].tolist() == [0, 0, 0, 4, 0, 0, 13, 0, 0, 0]
    assert table[:, 3, 0].tolist() == [0, 0, 0, 5, 0, 0, 5, 0, 0, 0]
    assert (table[:, :, 1] == 0).all()
