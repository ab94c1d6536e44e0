"""Stays of cars at home: whole ticks, one after the other, at the hours that drivers keep."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vpp_envs.fleet.sampling import CARS
from vpp_envs.signals.readers.ev_sessions import read_ev_sessions
from vpp_envs.signals.synthetic.driving import Stays, stay_table, tabulate

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


def test_cars_come_home_on_weekdays_when_those_of_evi_pro_do(stays: pd.DataFrame):
    """facts.md A3.2, OCHRE 0.9.2, `BEV_level_2.csv`: 15,257 stays, Monday to Friday."""
    arrival = hour(stays["arrival"])[stays["arrival"].dt.day_of_week < 5]
    assert arrival.mean() == pytest.approx(16.8, abs=0.5)
    assert arrival.std() == pytest.approx(4.0, abs=0.9)
    # Nobody here comes home in the small hours, so the earliest twentieth is later by an hour.
    assert arrival.quantile(0.05) == pytest.approx(9.75, abs=1.5)
    middle = arrival.quantile([0.25, 0.50, 0.75, 0.95])
    np.testing.assert_allclose(middle, [15.1, 17.3, 19.25, 22.1], atol=0.5)
    assert arrival.max() <= 23.5 + 1 / 12


def test_cars_leave_on_weekdays_when_those_of_evi_pro_do(stays: pd.DataFrame):
    """Shares of the departures, as above: of EVI-Pro's 20.6 % before 7 h, 38.9 % before 8 h."""
    leaving = hour(stays["departure"])[stays["arrival"].dt.day_of_week < 5]
    assert (leaving < 7.0).mean() == pytest.approx(0.206, abs=0.05)
    assert (leaving < 8.0).mean() == pytest.approx(0.389, abs=0.10)
    assert (leaving >= 11.0).mean() == pytest.approx(0.32, abs=0.13)


def test_weekday_stays_last_as_those_of_evi_pro_do(stays: pd.DataFrame):
    """As above; there no stay is longer than 25 h, as here after a day on which nobody drives."""
    began = stays[stays["arrival"].dt.day_of_week < 5]
    stay_h = began["declared_h"][began["declared_h"] < 25.0]
    assert len(stay_h) / len(began) > 0.88
    assert stay_h.mean() == pytest.approx(12.3, abs=0.4)
    assert stay_h.std() == pytest.approx(5.8, abs=0.5)
    quantiles = stay_h.quantile([0.05, 0.25, 0.50, 0.75])
    np.testing.assert_allclose(quantiles, [1.5, 9.75, 13.2, 15.9], atol=0.5)
    assert stay_h.quantile(0.95) == pytest.approx(21.3, abs=1.5)
    # 18.1 % of EVI-Pro's stays last less than 6 h (counted in its table).
    assert (stay_h < 6.0).mean() == pytest.approx(0.181, abs=0.03)


def test_weekends_and_those_who_do_not_commute_have_more_short_stays(stays: pd.DataFrame):
    short = stays["declared_h"] < 6.0
    weekday = stays["arrival"].dt.day_of_week < 5
    assert short[~weekday].mean() > 1.5 * short[weekday].mean()
    assert hour(stays["arrival"])[~weekday].mean() < hour(stays["arrival"])[weekday].mean() - 1.0


def test_a_car_takes_about_ten_kwh_a_day(stays: pd.DataFrame):
    """facts.md A3.2: about 10 kWh a vehicle and day (30 to 37 miles)."""
    weight = np.array([row[-1] for row in CARS])
    kwh_per_km = np.average([row[4] for row in CARS], weights=weight)
    km_a_day = stays["km"].sum() / 32 / 365
    assert km_a_day * kwh_per_km / 0.9 == pytest.approx(10.0, abs=1.0)


def test_stays_are_nearer_to_those_of_norway_than_when_nobody_ran_errands(
    stays: pd.DataFrame, shared_data
):
    """Nothing was fitted to them. Short stays are as short, but there they are more numerous."""
    real, _ = read_ev_sessions(shared_data / "ev" / "norway_residential_sessions.csv.gz")
    real_h = (real["plug_out_utc"] - real["plug_in_utc"]).dt.total_seconds() / 3600.0
    levels = [0.10, 0.25, 0.50, 0.75, 0.90]
    norway = real_h.quantile(levels).to_numpy()
    np.testing.assert_allclose(norway, [1.2, 3.1, 10.9, 15.9, 22.4], atol=0.1)
    apart_h = np.abs(stays["declared_h"].quantile(levels).to_numpy() - norway)
    before_h = np.abs(np.array([11.6, 13.4, 16.0, 19.1, 23.8]) - norway)
    assert (apart_h < 0.6 * before_h).all()
    assert (apart_h < [1.5, 6.5, 3.0, 1.7, 0.8]).all()


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
