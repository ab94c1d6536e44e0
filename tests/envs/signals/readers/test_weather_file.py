"""Weather files of three formats are read alike, and what cannot be the weather is refused."""

import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.weather_file import read_weather
from vpp_envs.signals.readers.weather_hours import Covered

pytest.importorskip("pvlib", reason="pvlib is in the extra `weather`")

TMY3_COLUMNS = (
    "Date (MM/DD/YYYY),Time (HH:MM),GHI (W/m^2),DNI (W/m^2),DHI (W/m^2),Dry-bulb (C),Alb (unitless)"
)
NSRDB_COLUMNS = "Year,Month,Day,Hour,Minute,GHI,DNI,DHI,Temperature,Wind Speed"
HOUR = pd.Timedelta(hours=1)


def write_tmy3(path, year):
    """As NREL lays a TMY3 file out: hours 01:00 to 24:00, named by their ends."""
    place = year.attrs
    where = f"{place['offset_h']},{place['latitude']},{place['longitude']}"
    lines = [f'999999,"SOMEWHERE",SA,{where},50', TMY3_COLUMNS]
    lines += [
        f"{row.start:%m/%d/%Y},{row.start.hour + 1:02}:00,{row.ghi},{row.dni},{row.dhi},{row.air},0"
        for row in year.itertuples()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_nsrdb(path, year, minute):
    """As NREL lays a PSM3 or PSM4 file out: a moment an hour, at its middle."""
    place, zone = year.attrs, int(year.attrs["offset_h"])
    lines = [
        "Source,Location ID,City,State,Country,Latitude,Longitude,Time Zone,Elevation,"
        "Local Time Zone",
        f"NSRDB,1,-,-,-,{place['latitude']},{place['longitude']},{zone},50,{zone}",
        NSRDB_COLUMNS,
    ]
    lines += [
        f"{row.start.year},{row.start.month},{row.start.day},{row.start.hour},{minute},"
        f"{row.ghi},{row.dni},{row.dhi},{row.air},2.0"
        for row in year.itertuples()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def year(weather_year):
    return weather_year()


@pytest.fixture
def epw(tmp_path, write_epw):
    """Write a year and return its path."""
    return lambda year: write_epw(tmp_path / "some.epw", year)


def refusal(path, *rules):
    with pytest.raises(InputError) as error:
        read_weather(path, *rules)
    assert "\n" not in str(error.value)
    return str(error.value)


def assert_is(hours, year):
    start = pd.DatetimeIndex(year["start"]) - pd.Timedelta(hours=year.attrs["offset_h"])
    np.testing.assert_array_equal(hours.start_utc, start.to_numpy().astype("datetime64[s]"))
    np.testing.assert_array_equal(hours.ghi_w_per_m2, year["ghi"])
    np.testing.assert_array_equal(hours.dni_w_per_m2, year["dni"])
    np.testing.assert_array_equal(hours.dhi_w_per_m2, year["dhi"])
    np.testing.assert_array_equal(hours.air_c, year["air"])
    assert hours.utc_offset_h == year.attrs["offset_h"]
    assert hours.latitude_deg == year.attrs["latitude"]
    assert hours.longitude_deg == year.attrs["longitude"]


@pytest.mark.parametrize("year_number", [2023, 2024])
def test_an_epw_file_gives_back_its_hours(weather_year, epw, year_number):
    year = weather_year(year_number)
    hours = read_weather(epw(year))
    assert_is(hours, year)
    assert (len(hours.air_c), hours.filled) == (8784 if year_number == 2024 else 8760, 0)


@pytest.mark.parametrize("year_number", [2023, 2024])
def test_a_tmy3_file_gives_back_the_same_hours(weather_year, tmp_path, year_number):
    year = weather_year(year_number)
    assert_is(read_weather(write_tmy3(tmp_path / "some.csv", year)), year)


def test_an_nsrdb_file_gives_back_the_same_hours(weather_year, tmp_path):
    year = weather_year(offset_h=9.0)
    assert_is(read_weather(write_nsrdb(tmp_path / "some.csv", year, 30)), year)


def test_a_moment_on_the_hour_is_the_middle_of_an_hour(weather_year, tmp_path):
    year = weather_year(offset_h=9.0)
    hours = read_weather(write_nsrdb(tmp_path / "some.csv", year, 0))
    assert hours.start_utc[0] == np.datetime64("2022-12-31T14:30:00")  # 2023-01-01 00:00 less 9.5 h


def test_the_format_is_told_by_content_and_gzip_is_read(year, epw, tmp_path):
    packed = tmp_path / "weather.txt"
    packed.write_bytes(gzip.compress(epw(year).read_bytes()))
    assert_is(read_weather(packed), year)


def test_a_name_in_an_old_alphabet_does_not_matter(year, epw):
    path = epw(year)
    path.write_bytes(path.read_bytes().replace(b"Somewhere", "São".encode("latin-1")))
    assert_is(read_weather(path), year)


def test_rows_may_be_in_any_order(year, epw):
    shuffled = year.sample(frac=1.0, random_state=0)
    shuffled.attrs = year.attrs
    assert_is(read_weather(epw(shuffled)), year)


def test_months_of_many_years_are_one_year(year, tmp_path):
    typical = year.copy()
    typical["start"] = [
        stamp.replace(year=1988 if stamp.month == 2 else 1990 + stamp.month)
        for stamp in year["start"]
    ]
    hours = read_weather(write_tmy3(tmp_path / "tmy.csv", typical))
    assert_is(hours, typical)
    assert len(hours.air_c) == 8760  # the February of 1988, a leap year, ends with its 28th


def test_missing_hours_are_named_with_first_and_count(year, epw):
    said = refusal(epw(year.drop([100, 101, 5000])))
    assert "its rows are 8757, and must be 8760 or 8784 hours" in said
    assert "3 hours are missing (the first from 01-05 04:00)" in said
    assert "fill holes with scenario.weather.fill=interpolate or previous_day" in said


def test_an_hour_told_twice_is_refused_whatever_fills_holes(year, epw):
    again = pd.concat([year, year.iloc[[30]]])
    again.attrs = year.attrs
    said = refusal(epw(again), "interpolate")
    assert "1 hour is told more than once (the first from 01-02 06:00)" in said


@pytest.mark.parametrize(
    ("column", "mark", "named"),
    [
        ("air", 99.9, "air"),
        ("air", -9999.0, "air"),
        ("air", 99999999, "air"),
        ("ghi", 9999, "global sun"),
        ("dni", 99999999, "direct sun"),
        ("dhi", -9999, "diffuse sun"),
        ("dhi", -9900, "diffuse sun"),
        ("ghi", "", "global sun"),
    ],
)
def test_marks_of_missing_values_are_no_weather(year, epw, column, mark, named):
    marked = year.astype({column: object})
    marked.loc[[12, 13], column] = mark
    said = refusal(epw(marked))
    assert f"2 values of {named} are marked as missing (the first from 01-01 12:00)" in said


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("air", 61.0, "1 value of air is outside -90 to 60 C (the first from 01-01 12:00), 61"),
        ("air", -95.0, "1 value of air is outside -90 to 60 C (the first from 01-01 12:00), -95"),
        ("ghi", 1501.0, "1 value of global sun is outside 0 to 1500 W/m2"),
        ("dni", -1.0, "1 value of direct sun is outside 0 to 1500 W/m2"),
    ],
)
def test_impossible_values_are_refused_whatever_fills_holes(year, epw, column, value, words):
    wrong = year.copy()
    wrong.loc[12, column] = value
    assert words in refusal(epw(wrong), "previous_day")


def test_all_that_is_wrong_is_said_at_once(year, epw):
    wrong = pd.concat([year.drop([100]), year.iloc[[30]]])
    wrong.attrs = year.attrs
    wrong.loc[50, "air"] = 99.9
    wrong.loc[60, "ghi"] = 2000.0
    path = epw(wrong)
    days = Covered(np.datetime64("2024-03-01T13:30"), np.datetime64("2024-03-05T13:30"))
    with pytest.raises(InputError) as error:
        read_weather(path, covered=days)
    for words in (
        "1 hour is missing",
        "1 hour is told more than once",
        "1 value of air is marked as missing",
        "1 value of global sun is outside",
        "it covers 2022-12-31 14:30 to 2023-12-31 14:30 UTC, and the market's days are "
        "2024-03-01 13:30 to 2024-03-05 13:30 UTC",
        "scenario.weather.fill=",
        "scenario.weather.calendar=typical_year",
    ):
        assert words in str(error.value)


def test_the_files_year_must_be_the_markets(year, epw):
    path = epw(year)
    within = Covered(np.datetime64("2022-12-31T14:30"), np.datetime64("2023-12-31T14:30"))
    assert len(read_weather(path, covered=within).air_c) == 8760
    beyond = within._replace(end_utc=within.end_utc + np.timedelta64(5, "m"))
    with pytest.raises(InputError, match="it covers 2022-12-31 14:30 to 2023-12-31 14:30 UTC"):
        read_weather(path, covered=beyond)
    assert len(read_weather(path, calendar="typical_year", covered=beyond).air_c) == 8760


def test_years_of_a_typical_year_are_named(year, tmp_path):
    typical = year.copy()
    typical["start"] = [s.replace(year=1990 + s.month % 2) for s in year["start"]]
    days = Covered(np.datetime64("1990-02-01"), np.datetime64("1990-02-02"))
    with pytest.raises(InputError, match="its years are 1990, 1991, and the market's days are"):
        read_weather(write_tmy3(tmp_path / "tmy.csv", typical), covered=days)


def test_a_wrong_time_zone_shows_by_the_sun(year, epw):
    wrong = year.copy()
    wrong.attrs = {**year.attrs, "offset_h": -2.5}
    said = refusal(epw(wrong))
    assert "hours are sunny while it is night at its latitude, longitude and time zone" in said


def test_a_place_beyond_the_earth_is_refused(year, epw):
    wrong = year.copy()
    wrong.attrs = {**year.attrs, "latitude": 134.9}
    assert "its latitude is 134.9, and must be within -90 to 90" in refusal(epw(wrong))


def test_half_hours_are_refused(weather_year, tmp_path):
    year = weather_year(offset_h=9.0)
    path = write_nsrdb(tmp_path / "some.csv", year, 30)
    half = write_nsrdb(tmp_path / "half.csv", year, 0).read_text().splitlines()[3:]
    path.write_text(path.read_text() + "\n".join(half) + "\n")
    said = refusal(path)
    assert "its rows are 17520, and must be 8760 or 8784 hours" in said
    assert "8760 hours are told more than once" in said


def test_interpolation_is_a_straight_line_without_sun_at_night(year, epw):
    # The sun sets on 1 January at about 19:30 standard time; holes from 18:00 to 22:00.
    holes = [18, 19, 20, 21]
    hours = read_weather(epw(year.drop(holes)), "interpolate")
    assert hours.filled == 4
    before, after = year["air"][17], year["air"][22]
    line = before + (after - before) * np.arange(1, 5) / 5.0
    np.testing.assert_allclose(hours.air_c[holes], line)
    assert hours.ghi_w_per_m2[18] == pytest.approx(year["ghi"][17] * 0.8)
    assert hours.ghi_w_per_m2[20:22].tolist() == [0.0, 0.0]
    rest = np.delete(np.arange(8760), holes)
    np.testing.assert_array_equal(hours.air_c[rest], year["air"][rest])


def test_the_previous_day_fills_a_day_and_its_own_copy(year, epw):
    holes = list(range(48, 96))
    hours = read_weather(epw(year.drop(holes)), "previous_day")
    assert hours.filled == 48
    for day in (48, 72):
        np.testing.assert_array_equal(hours.ghi_w_per_m2[day : day + 24], year["ghi"][24:48])
        np.testing.assert_array_equal(hours.air_c[day : day + 24], year["air"][24:48])


def test_a_leap_year_without_its_leap_day_is_mended_by_the_day_before(weather_year, epw):
    year = weather_year(2024)
    leap_day = year["start"].dt.strftime("%m-%d") == "02-29"
    path = epw(year[~leap_day])
    assert "24 hours are missing (the first from 02-29 00:00)" in refusal(path)
    assert len(read_weather(path, "previous_day").air_c) == 8784
    assert len(read_weather(path, calendar="typical_year").air_c) == 8760


def test_holes_too_long_to_fill_are_refused(year, epw):
    said = refusal(epw(year.drop(range(100, 107))), "interpolate")
    assert "1 hole of air is longer than the 6 h that interpolate fills" in said
    said = refusal(epw(year.drop(range(100, 173))), "previous_day")
    assert "1 hole of air is longer than the 72 h that previous_day fills" in said
    said = refusal(epw(year.drop(range(3))), "previous_day")
    assert "air is missing on the first day, which has no day before it" in said
    assert "fill holes" not in refusal(epw(year.head(500)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "some.epw is no weather file that is known: it begins with 'a,b'"),
        ("", "some.epw is no weather file that is known: it begins with ''"),
        ("LOCATION,x\n", "some.epw begins like a weather file (EPW) but cannot be read"),
        ("PK\0\0", "some.epw is not text"),
    ],
)
def test_other_files_are_refused(tmp_path, content, words):
    path = tmp_path / "some.epw"
    path.write_text(content)
    assert words in refusal(path)


def test_a_word_for_a_number_is_named_with_its_row(year, epw):
    wrong = year.astype({"air": object})
    wrong.loc[11, "air"] = "warm"
    assert "(row 12 below the header has 'warm' for air)" in refusal(epw(wrong))


def test_a_file_that_is_not_there_is_refused_with_its_neighbour(year, epw):
    path = epw(year)
    assert "did you mean some.epw?" in refusal(path.with_name("same.epw"))


def test_without_pvlib_one_sentence_says_how_to_get_it(year, epw, monkeypatch):
    path = epw(year)
    monkeypatch.setitem(sys.modules, "pvlib", None)
    assert refusal(path) == (
        "scenario.weather.file needs pvlib, which is not installed: run pip install "
        '"vpp-rl[weather]"'
    )


@pytest.mark.parametrize(
    ("file", "years", "ghi_kwh"),
    [
        # Sums of the global column, by awk from the files themselves.
        ("USA_CA_Sacramento.Metro.AP.724839_TMY3.epw", {1994, 1999, 2000, 2001, 2002, 2004}, 1808),
        ("TX_CampMabry_AMY2018.epw.gz", {2018}, 1728),
    ],
)
def test_real_files_are_whole_years(shared_data, file, years, ghi_kwh):
    hours = read_weather(shared_data / "weather" / "original" / file)
    assert hours.ghi_w_per_m2.sum() / 1000.0 == pytest.approx(ghi_kwh, abs=0.6)
    own = hours.start_utc + hours.offset
    assert set(own.astype("datetime64[Y]").astype(int) + 1970) == years
    assert (len(hours.air_c), hours.filled) == (8760, 0)


def test_a_slice_of_a_real_tmy3_file_is_read_and_refused(shared_data):
    path = shared_data / "weather" / "original" / "CA-Sacramento_Executive_Arpt_slice.tmy3"
    said = refusal(path)
    assert "its rows are 336" in said
    assert "(the first from 01-15 00:00)" in said
