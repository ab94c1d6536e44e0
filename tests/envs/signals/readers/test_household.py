import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.household import covered, read_ausgrid, read_sgsc, read_simbench


def sgsc(folder, **homes):
    """A file of homes by their half hours of 1 January 2013, 0.25 kWh in each."""
    midnight = pd.Timestamp("2013-01-01")
    rows = [
        (home, midnight + pd.Timedelta(minutes=30 * place), 0.25)
        for home, places in homes.items()
        for place in places
    ]
    path = folder / "homes.parquet"
    pd.DataFrame(rows, columns=["home", "time", "load_kwh"]).to_parquet(path)
    return path


def test_energy_of_a_half_hour_becomes_mean_power_on_the_homes_clock(tmp_path):
    home = read_sgsc(sgsc(tmp_path, a=range(48)))["a"]
    np.testing.assert_array_equal(home.load_kw, np.full(48, 0.5))
    assert (home.start_utc, home.dt_s) == (np.datetime64("2012-12-31T14:00"), 1800)
    assert home.solar_kw is None
    np.testing.assert_array_equal(home.net_kw, home.load_kw)
    assert home.stamps_utc[-1] == np.datetime64("2013-01-01T13:30")


def test_coverage_and_gaps_are_those_of_the_whole_period_of_the_file(tmp_path):
    holes = [*range(10), *range(12, 20), *range(24, 48)]
    homes = read_sgsc(sgsc(tmp_path, whole=range(48), holed=holes, late=range(36, 48)))
    assert (homes["whole"].coverage, homes["whole"].gaps) == (1.0, 0)
    assert (homes["holed"].coverage, homes["holed"].gaps) == (42 / 48, 2)
    assert (homes["late"].coverage, homes["late"].gaps) == (12 / 48, 1)
    assert np.isnan(homes["late"].load_kw[:36]).all()


def test_homes_below_a_stated_coverage_are_refused_by_name(tmp_path):
    homes = read_sgsc(sgsc(tmp_path, whole=range(48), late=range(36, 48)))
    sentence = r"homes\.parquet: homes measured less than 90.0% .*: late \(25.0%, 1 gaps\);"
    with pytest.raises(InputError, match=sentence):
        covered(homes, 0.9)
    assert covered(homes, 0.25) is homes


def test_a_half_hour_twice_or_off_the_clock_is_refused_by_home(tmp_path):
    with pytest.raises(InputError, match="home a: 2012-12-31T19:00:00 stands twice"):
        read_sgsc(sgsc(tmp_path, a=[*range(48), 10]))
    with pytest.raises(InputError, match=r"home a: 2012-12-31T14:10:00 is not on the half hour"):
        read_sgsc(sgsc(tmp_path, a=[0, 1 / 3, 2]))


def test_six_real_homes_have_44_gaps_and_one_begins_in_february(shared_data):
    homes = read_sgsc(shared_data / "household" / "sgsc_homes_30min.parquet")
    assert len(homes) == 6
    late = homes.pop("10006486")
    assert (late.gaps, late.coverage) == (1, pytest.approx(6655 / 8688))
    assert np.isnan(late.load_kw[0])
    assert sum(home.gaps for home in homes.values()) == 44
    assert sum(home.coverage == 1.0 for home in homes.values()) == 3
    with pytest.raises(InputError, match=r"10006704 \(95.0%, 42 gaps\); leave"):
        covered(homes, 0.99)


TIMES = [f"{(k + 1) // 2 % 24}:{30 * ((k + 1) % 2):02d}" for k in range(48)]
WIDE = f"Customer,Generator Capacity,Postcode,Consumption Category,date,{','.join(TIMES)}"


def wide(folder, *rows):
    lines = ["A title", WIDE]
    lines += [
        f"{home},1.0,2000,{meter},{date},{','.join(str(kwh) for kwh in cells)}"
        for home, meter, date, cells in rows
    ]
    path = folder / "ausgrid.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_yearly_layout_adds_controlled_load_and_keeps_solar_apart(tmp_path):
    assert (TIMES[0], TIMES[1], TIMES[-1]) == ("0:30", "1:00", "0:00")
    first = np.arange(48) / 100
    path = wide(
        tmp_path,
        ("12", "GC", "1/07/2011", first),
        ("12", "CL", "1/07/2011", np.full(48, 1.0)),
        ("12", "GG", "1/07/2011", np.full(48, 0.5)),
        ("13", "GC", "1/07/2011", first),
        ("13", "GC", "3/07/2011", first),
    )
    homes = read_ausgrid(path)
    np.testing.assert_allclose(homes["12"].load_kw, 2 * first + 2.0)
    np.testing.assert_allclose(homes["12"].net_kw, 2 * first + 1.0)
    # The half hour that ends at 0:30 begins at midnight in UTC+10.
    assert homes["12"].start_utc == np.datetime64("2011-06-30T14:00")
    assert (len(homes["13"].load_kw), homes["13"].gaps) == (3 * 48, 1)
    assert homes["13"].solar_kw is None


def test_a_day_stated_twice_and_a_missing_time_are_refused(tmp_path):
    row = ("12", "GC", "1/07/2011", np.ones(48))
    with pytest.raises(InputError, match="home 12 GC: 2011-06-30T14:00:00 stands twice"):
        read_ausgrid(wide(tmp_path, row, row))
    path = wide(tmp_path, row)
    path.write_text(path.read_text().replace("23:30", "half past eleven"))
    with pytest.raises(InputError, match="row 2: 47 columns are times; expected 0:30 to 0:00"):
        read_ausgrid(path)


def test_both_layouts_of_ausgrids_customer_12_agree(shared_data):
    folder = shared_data / "household"
    tidy = read_ausgrid(folder / "ausgrid_customer12_30min.csv.gz")["ausgrid_customer12_30min"]
    july = read_ausgrid(folder / "original" / "REASSEMBLED_ausgrid_wide_customer12_2011-07.csv")
    (home,) = july.values()
    assert (home.home, len(home.load_kw)) == ("12", 31 * 48)
    assert home.start_utc == tidy.start_utc
    np.testing.assert_allclose(home.load_kw, tidy.load_kw[: 31 * 48], atol=2e-3)
    np.testing.assert_allclose(home.solar_kw, tidy.solar_kw[: 31 * 48], atol=2e-3)
    assert tidy.coverage == 1.0


@pytest.mark.parametrize(
    ("start", "quarters", "doubled"), [("2016-10-29T22:00", 100, 4), ("2016-03-26T23:00", 92, 0)]
)
def test_simbenchs_local_days_of_25_and_23_hours_are_unbroken_in_utc(
    tmp_path, start, quarters, doubled
):
    utc = pd.date_range(start, periods=quarters, freq="15min", tz="UTC")
    wall = utc.tz_convert("Europe/Berlin").strftime("%d.%m.%Y %H:%M")
    assert wall.duplicated().sum() == doubled
    path = tmp_path / "profile.csv"
    lines = [f"{stamp};{number / 100}" for number, stamp in enumerate(wall)]
    path.write_text("\n".join(["time;H0-A", *lines]) + "\n")
    stamps, profiles = read_simbench(path)
    assert stamps[0] == np.datetime64(start)
    assert set(np.diff(stamps)) == {np.timedelta64(900, "s")}
    np.testing.assert_allclose(profiles["H0-A"], np.arange(quarters) / 100)
    path.write_text("\n".join(["time;H0-A", *lines[:50], *lines[51:]]) + "\n")
    with pytest.raises(InputError, match=r"row 52: .* expected every quarter hour once"):
        read_simbench(path)


def test_the_gap_of_real_simbench_profiles_in_march_is_none(shared_data):
    folder = shared_data / "household"
    stamps, profiles = read_simbench(folder / "simbench_profiles_15min.parquet")
    assert profiles.shape == (17_468, 11)
    assert set(np.diff(stamps)) == {np.timedelta64(900, "s")}
    two_days, all_profiles = read_simbench(folder / "original" / "simbench_LoadProfile_slice.csv")
    np.testing.assert_array_equal(two_days, stamps[: 2 * 96])
    np.testing.assert_allclose(all_profiles["H0-A_pload"], profiles["H0-A"][: 2 * 96], rtol=1e-5)
