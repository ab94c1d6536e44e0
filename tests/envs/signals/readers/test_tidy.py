import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.prices import read_prices
from vpp_envs.signals.readers.tidy import is_tidy


def parquet(folder, name="any.parquet", **columns):
    path = folder / name
    pd.DataFrame(columns).to_parquet(path)
    return path


def stamps(first, count, minutes):
    return pd.date_range(first, periods=count, freq=f"{minutes}min")


@pytest.mark.parametrize("minutes", [5, 30])
def test_nem_stamps_are_ends_in_utc_plus_10(tmp_path, minutes):
    path = parquet(
        tmp_path,
        region=["SA1"] * 12 + ["VIC1"] * 12,
        interval_end_nemtime=[*stamps("2022-07-01 00:30", 12, minutes)] * 2,
        price_aud_mwh=np.arange(24.0) + 50.0,
    )
    series = read_prices(path, "VIC1")
    np.testing.assert_array_equal(series.price_per_mwh, np.arange(62.0, 74.0))
    start = np.datetime64("2022-06-30T14:30") - np.timedelta64(minutes, "m")
    assert (series.start_utc, series.dt_s) == (start, 60 * minutes)
    assert (series.currency, series.zone, series.market) == ("AUD", "Etc/GMT-10", "VIC1")
    assert series.real_time
    with pytest.raises(InputError, match="no region 'SA2' but SA1, VIC1; did you mean 'SA1'"):
        read_prices(path, "SA2")


@pytest.mark.parametrize(
    ("start_utc", "hours"), [("2022-11-06T05:00", 25), ("2022-03-13T06:00", 23)]
)
def test_central_prevailing_time_has_days_of_25_and_23_hours(tmp_path, start_utc, hours):
    wall = pd.date_range(start_utc, periods=hours, freq="h", tz="UTC")
    wall = wall.tz_convert("America/Chicago").tz_localize(None)
    path = parquet(
        tmp_path,
        settlement_point=["HB_WEST"] * hours,
        hour_start_cpt=wall,
        repeated_hour=wall.duplicated(),
        price_usd_mwh=20.0 + np.arange(hours),
    )
    series = read_prices(path, "HB_WEST")
    np.testing.assert_array_equal(series.price_per_mwh, 20.0 + np.arange(hours))
    assert series.start_utc == np.datetime64(start_utc)
    assert not series.real_time


def test_a_table_without_a_region_takes_the_one_that_is_named(tmp_path):
    lines = [f"2022-07-01 {hour:02d}:00:00,{50 + hour}" for hour in range(24)]
    path = tmp_path / "nl.csv"
    path.write_text("\n".join(["start_utc,price_eur_mwh", *lines]) + "\n")
    assert read_prices(path, "NL").zone == "Europe/Amsterdam"
    with pytest.raises(InputError, match=r"does not say whose prices it holds; name it by"):
        read_prices(path)
    with pytest.raises(InputError, match="'SA1' is no European bidding zone that is known here"):
        read_prices(path, "SA1")


def test_a_table_with_a_column_a_zone_gives_the_one_that_is_named(tmp_path):
    start = stamps("2025-01-01", 24, 60)
    path = parquet(tmp_path, start_utc=start, DE_LU=np.arange(24.0) + 9, NL=np.arange(24.0) + 90)
    assert read_prices(path, "NL").price_per_mwh[0] == 90.0
    with pytest.raises(InputError, match="no market 'FR' but DE_LU, NL"):
        read_prices(path, "FR")


def test_nodal_prices_are_real_time(tmp_path):
    path = parquet(
        tmp_path,
        interval_start_utc=stamps("2020-01-01", 8, 15),
        location=["NODE"] * 8,
        lmp=np.arange(8.0) + 20,
    )
    series = read_prices(path)
    assert (series.zone, series.dt_s, series.real_time) == ("America/Los_Angeles", 900, True)


@pytest.mark.parametrize(
    "columns",
    [
        ["time", "price_eur_mwh"],
        ["start_local", "price_eur_mwh"],
        ["start_utc", "price"],
        ["start_utc", "end_utc", "price_eur_mwh"],
        ["start_utc", "price_eur_mwh", "price_usd_mwh"],
    ],
)
def test_columns_that_leave_something_open_are_no_tidy_table(columns):
    assert not is_tidy(columns)
    assert is_tidy(["start_utc", "price_eur_mwh"])


def test_five_minute_prices_of_the_nem_have_15_months_without_a_gap(shared_data):
    series = read_prices(shared_data / "prices" / "aemo_nem_5min.parquet", "SA1")
    assert len(series.price_per_mwh) == 457 * 288
    assert series.start_utc == np.datetime64("2021-09-30T14:00")
    # The original is in cents, the tidy table in single precision.
    original = shared_data / "prices" / "original" / "PRICE_AND_DEMAND_202207_SA1.csv"
    july = read_prices(original, "SA1")
    first = int((july.start_utc - series.start_utc) / np.timedelta64(300, "s"))
    np.testing.assert_allclose(
        july.price_per_mwh, series.price_per_mwh[first : first + 31 * 288], rtol=1e-6
    )


def test_half_hours_of_the_nem_reach_to_the_change_of_era(shared_data):
    series = read_prices(shared_data / "prices" / "aemo_nem_30min_2020_2021.parquet", "NSW1")
    assert (series.dt_s, len(series.price_per_mwh)) == (1800, 639 * 48)
    assert series.stamps_utc[-1] == np.datetime64("2021-09-30T13:30")


def test_dutch_and_german_tables_are_whole(shared_data):
    dutch = read_prices(shared_data / "prices" / "nl_day_ahead.csv.gz", "NL")
    assert (len(dutch.price_per_mwh), dutch.price_per_mwh.max()) == (5 * 8760 + 24, 871.0)
    german = read_prices(
        shared_data / "prices" / "smard_de_neighbours_day_ahead_2025.csv.gz", "DE_LU"
    )
    assert len(german.price_per_mwh) == 4345
