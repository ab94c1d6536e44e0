import gzip

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.prices import read_prices

HEADER = "Country,Datetime (UTC),Datetime (Local),Price (EUR/MWhe)"
DASHED, SLASHED = "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M"


def rows(first, hours, form, country="Netherlands", price=0):
    """Hourly rows; the price of an hour is that of its number since 2020, so that copies agree."""
    stamps = pd.date_range(first, periods=hours, freq="h")
    since = (stamps - pd.Timestamp("2020-01-01")) // pd.Timedelta(hours=1)
    return [
        f"{country},{stamp.strftime(form)},x,{30 + number % 97 + price}"
        for stamp, number in zip(stamps, since, strict=True)
    ]


def write(folder, lines, name="any_name.csv"):
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_two_formats_in_one_file_are_one_series(tmp_path):
    lines = rows("2020-01-31", 48, DASHED) + rows("2020-02-02", 24, SLASHED)
    series = read_prices(write(tmp_path, lines), "NL")
    assert series.start_utc == np.datetime64("2020-01-31T00:00:00")
    assert len(series.price_per_mwh) == 72
    # 30 January had number 29 * 24 = 696 at its start, 31 January 720 = 41 beyond 7 * 97.
    assert series.price_per_mwh[0] == 30 + 720 % 97
    assert (series.zone, series.currency, series.dt_s) == ("Europe/Amsterdam", "EUR", 3600)
    assert not series.real_time


def test_day_and_month_of_the_second_format_are_not_taken_for_each_other(tmp_path):
    series = read_prices(write(tmp_path, rows("2020-03-04", 5, SLASHED)))
    assert series.start_utc == np.datetime64("2020-03-04T00:00:00")


def test_hours_stated_in_both_formats_alike_count_once(tmp_path):
    lines = rows("2020-01-31", 48, DASHED) + rows("2020-02-01", 48, SLASHED)
    series = read_prices(write(tmp_path, lines))
    assert len(series.price_per_mwh) == 72
    assert series.source == "any_name.csv (24 intervals stated twice alike)"


def test_hours_stated_in_both_formats_with_other_values_are_refused(tmp_path):
    lines = rows("2020-01-31", 48, DASHED) + rows("2020-02-01", 48, SLASHED, price=1)
    sentence = r"row 50: the interval from 2020-02-01 00:00 UTC has the price .* in row 26"
    with pytest.raises(InputError, match=sentence):
        read_prices(write(tmp_path, lines))


def test_two_gaps_of_an_hour_are_refused_or_held_by_name(tmp_path):
    lines = rows("2020-01-31", 48, DASHED)
    del lines[30], lines[10]
    path = write(tmp_path, lines)
    with pytest.raises(InputError, match=r"are missing, 1 .* and 2 in the whole file"):
        read_prices(path)
    held = read_prices(path, hold_gaps=True)
    assert len(held.price_per_mwh) == 48
    assert held.price_per_mwh[10] == held.price_per_mwh[9]
    assert held.source.endswith("(2 missing intervals hold the price before them)")


def test_one_country_of_several_is_read(tmp_path):
    lines = rows("2020-01-31", 24, DASHED) + rows("2020-01-31", 24, DASHED, "Belgium", price=500)
    path = write(tmp_path, lines)
    belgium = read_prices(path, "BE")
    assert belgium.zone == "Europe/Brussels"
    np.testing.assert_array_equal(
        belgium.price_per_mwh, read_prices(path, "NL").price_per_mwh + 500
    )
    with pytest.raises(InputError, match="holds BE, NL; choose one market"):
        read_prices(path)


def test_unknown_country_and_unreadable_stamp_are_refused(tmp_path):
    with pytest.raises(InputError, match="column Country: 'Atlantis' is no country whose clock"):
        read_prices(write(tmp_path, rows("2020-01-31", 24, DASHED, "Atlantis")))
    lines = rows("2020-01-31", 24, DASHED)
    lines[4] = lines[4].replace("2020-01-31 04:00:00", "01-31-2020 04:00")
    with pytest.raises(InputError, match=r"row 6, column Datetime \(UTC\): '01-31-2020 04:00' is"):
        read_prices(write(tmp_path, lines))


def test_gzip_reads_the_same(tmp_path):
    plain = write(tmp_path, rows("2020-01-31", 24, DASHED))
    packed = tmp_path / "prices.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(
        read_prices(packed).price_per_mwh, read_prices(plain).price_per_mwh
    )


def test_both_formats_of_the_original_are_read(shared_data, tmp_path):
    original = shared_data / "prices" / "original" / "Netherlands_day-ahead_slice.csv"
    lines = original.read_text().splitlines()[1:]
    early = read_prices(write(tmp_path, lines[:199], "early.csv"), "NL")
    late = read_prices(write(tmp_path, lines[199:], "late.csv"), "NL", hold_gaps=True)
    assert early.start_utc == np.datetime64("2015-01-01T00:00:00")
    assert (early.price_per_mwh[0], len(early.price_per_mwh)) == (34.94, 199)
    # 200 rows, written with slashes; one of the two one-hour gaps lies among them.
    assert late.start_utc == np.datetime64("2024-12-30T15:00:00")
    assert (late.price_per_mwh[0], late.price_per_mwh[-1]) == (136.0, 66.19)
    assert len(late.price_per_mwh) == 201
    assert "(1 missing intervals hold" in late.source
