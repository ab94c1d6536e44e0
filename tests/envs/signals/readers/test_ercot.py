import io
import sys

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.ercot import COLUMNS
from vpp_envs.signals.readers.prices import read_prices

openpyxl = pytest.importorskip("openpyxl", reason="the extra 'workbooks' is not installed")


def published(start_utc, hours, point="HB_HOUSTON", first_price=20.0):
    """Rows as ERCOT writes them: hour ending on the clock of Texas, and the repeated hour."""
    starts = pd.date_range(start_utc, periods=hours, freq="h", tz="UTC")
    wall = starts.tz_convert("America/Chicago").tz_localize(None)
    again = wall.duplicated()
    return [
        (
            stamp.strftime("%m/%d/%Y"),
            f"{stamp.hour + 1:02d}:00",
            "Y" if second else "N",
            point,
            first_price + number,
        )
        for number, (stamp, second) in enumerate(zip(wall, again, strict=True))
    ]


def write(folder, *sheets, header=COLUMNS):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(("Jan", "Feb", "Mar")[number])
        for row in (header, *rows):
            sheet.append(row)
    path = folder / "prices.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("start_utc", "hours", "endings"),
    [
        ("2022-11-06T05:00", 25, ["01:00", "02:00", "02:00", "03:00"]),
        ("2022-03-13T06:00", 23, ["01:00", "02:00", "04:00", "05:00"]),
        ("2022-07-01T05:00", 24, ["01:00", "02:00", "03:00", "04:00"]),
    ],
)
def test_a_day_of_25_23_or_24_hours_is_read_as_published(tmp_path, start_utc, hours, endings):
    rows = published(start_utc, hours)
    assert [row[1] for row in rows[:4]] == endings
    assert rows[-1][1] == "24:00"
    series = read_prices(write(tmp_path, rows), "HB_HOUSTON")
    np.testing.assert_array_equal(series.price_per_mwh, 20.0 + np.arange(hours))
    assert series.start_utc == np.datetime64(start_utc)
    assert (series.zone, series.currency, series.dt_s) == ("America/Chicago", "USD", 3600)


def test_the_repeated_hour_flag_decides_not_the_order_of_rows(tmp_path):
    rows = published("2022-11-06T05:00", 25)
    rows[1], rows[2] = rows[2], rows[1]
    series = read_prices(write(tmp_path, rows), "HB_HOUSTON")
    np.testing.assert_array_equal(series.price_per_mwh, 20.0 + np.arange(25))


def test_without_its_flag_the_repeated_hour_is_a_second_price(tmp_path):
    rows = published("2022-11-06T05:00", 25)
    rows[2] = (*rows[2][:2], "N", *rows[2][3:])
    with pytest.raises(InputError, match=r"row Jan!4: .* 06:00 UTC has the price 22, and 21"):
        read_prices(write(tmp_path, rows), "HB_HOUSTON")


def test_sheets_are_months_and_points_are_chosen(tmp_path):
    january = published("2022-01-31T06:00", 24) + published("2022-01-31T06:00", 24, "LZ_AEN", 90.0)
    february = published("2022-02-01T06:00", 24) + published("2022-02-01T06:00", 24, "LZ_AEN", 90.0)
    path = write(tmp_path, january, february)
    series = read_prices(path, "LZ_AEN")
    assert len(series.price_per_mwh) == 48
    assert series.price_per_mwh[24] == 90.0
    with pytest.raises(InputError, match="no settlement point 'LZ_AUSTIN' but HB_HOUSTON, LZ_AEN"):
        read_prices(path, "LZ_AUSTIN")


@pytest.mark.parametrize(
    ("cell", "value", "sentence"),
    [
        (1, "25:00", "row Jan!5: .* '25:00' are no day and hour"),
        (1, "00:00", "row Jan!5: .* '00:00' are no day and hour"),
        (0, "2022-07-01", "row Jan!5: '2022-07-01' and .* are no day and hour"),
        (2, "maybe", "row Jan!5: Repeated Hour Flag 'maybe' is not Y or N"),
        (4, "n/a", "row Jan!5: the price 'n/a' is not a number"),
        (4, None, "row Jan!5: the price '' is not a number"),
    ],
)
def test_a_bad_cell_is_refused_with_sheet_and_row(tmp_path, cell, value, sentence):
    rows = published("2022-07-01T05:00", 24)
    rows[3] = (*rows[3][:cell], value, *rows[3][cell + 1 :])
    with pytest.raises(InputError, match=sentence):
        read_prices(write(tmp_path, rows), "HB_HOUSTON")


def test_another_workbook_and_a_damaged_one_are_refused(tmp_path):
    header = tuple(title.replace("Hour Ending", "Hour") for title in COLUMNS)
    with pytest.raises(InputError, match="sheet Jan, row 1: the column Hour Ending is missing"):
        read_prices(write(tmp_path, published("2022-07-01T05:00", 24), header=header))
    path = write(tmp_path, published("2022-07-01T05:00", 24))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match=r"prices\.xlsx is a damaged workbook; fetch it again"):
        read_prices(path)


def test_a_missing_library_says_how_to_install_it(tmp_path, monkeypatch):
    path = write(tmp_path, published("2022-07-01T05:00", 24))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"needs openpyxl: pip install 'vpp-rl\[workbooks\]'"):
        read_prices(path)


def test_five_days_of_the_original_agree_with_the_tidy_table(shared_data):
    folder = shared_data / "prices"
    original = folder / "original" / "rpt.00013060.DAMLZHBSPP_2022_Jan_slice.xlsx"
    series = read_prices(original, "HB_HOUSTON")
    assert series.start_utc == np.datetime64("2022-01-01T06:00")
    year = read_prices(folder / "ercot_dam_spp_2022.parquet", "HB_HOUSTON")
    np.testing.assert_allclose(series.price_per_mwh, year.price_per_mwh[:120], rtol=1e-6)


def test_a_real_year_of_texas_has_8760_hours(shared_data):
    """One hour is missing in March and one is doubled in November, on the clock only."""
    path = shared_data / "prices" / "ercot_dam_spp_2022.parquet"
    table = pd.read_parquet(io.BytesIO(path.read_bytes()))
    table = table[table.settlement_point == "HB_NORTH"]
    assert table.repeated_hour.sum() == 1
    assert table.hour_start_cpt.duplicated().sum() == 1
    series = read_prices(path, "HB_NORTH")
    assert len(series.price_per_mwh) == 365 * 24
    assert series.start_utc == np.datetime64("2022-01-01T06:00")
    assert series.stamps_utc[-1] == np.datetime64("2023-01-01T05:00")
