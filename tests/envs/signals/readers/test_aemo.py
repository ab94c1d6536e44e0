import gzip
import hashlib

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.aemo import (
    read_price_and_demand,
    read_price_and_demand_files,
)
from vpp_envs.signals.table import to_five_minutes

HEADER = "REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE"


def stamps(first, count, minutes=5):
    ends = pd.date_range(first, periods=count, freq=f"{minutes}min")
    return list(ends.strftime("%Y/%m/%d %H:%M:%S"))


def lines(first="2022/07/01 00:05:00", count=12, minutes=5, region="SA1"):
    """Rows as AEMO publishes them; the price of row k (0-based) is 100 + k."""
    return [
        f"{region},{stamp},1500.0,{100 + k},TRADE"
        for k, stamp in enumerate(stamps(first, count, minutes))
    ]


def write(folder, rows, name="prices.csv", header=HEADER):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def month(folder, first, count=12, name="prices.csv", **kwargs):
    return write(folder, lines(first, count, **kwargs), name)


def test_july_2022_of_south_australia_reads_as_published(shared_data):
    path = shared_data / "prices" / "original" / "PRICE_AND_DEMAND_202207_SA1.csv"
    series = read_price_and_demand(path, market="SA1")
    assert series.dt_s == 300
    assert len(series.price_per_mwh) == 31 * 288
    # The first stamp, 00:05 in UTC+10, ends the interval that starts at 14:00 UTC the day before.
    assert series.stamps_utc[0] == np.datetime64("2022-06-30T14:00:00")
    assert series.stamps_utc[-1] == np.datetime64("2022-07-31T13:55:00")
    assert series.price_per_mwh[0] == 379.96
    assert series.price_per_mwh[-1] == 144.45
    assert series.price_per_mwh.mean() == pytest.approx(372.48610327060936)
    assert (series.market, series.currency, series.zone) == ("SA1", "AUD", "Etc/GMT-10")
    assert series.source == "PRICE_AND_DEMAND_202207_SA1.csv"
    assert series.sha256.startswith("f9c507cb23d26e36")


def test_january_2021_of_south_australia_reads_as_half_hours(shared_data):
    path = shared_data / "prices" / "original" / "PRICE_AND_DEMAND_202101_SA1.csv"
    series = read_price_and_demand(path)
    assert series.dt_s == 1800
    assert len(series.price_per_mwh) == 31 * 48
    assert series.stamps_utc[0] == np.datetime64("2020-12-31T14:00:00")
    assert series.price_per_mwh[0] == 35.72
    assert series.price_per_mwh[-1] == 32.92
    assert series.price_per_mwh.mean() == pytest.approx(28.700793010752687)


def test_original_agrees_with_the_tidy_copy(shared_data):
    path = shared_data / "prices" / "original" / "PRICE_AND_DEMAND_202207_SA1.csv"
    series = read_price_and_demand(path)
    tidy = pd.read_parquet(shared_data / "prices" / "aemo_nem_5min.parquet")
    tidy = tidy[tidy.region == "SA1"].set_index("interval_end_nemtime").price_aud_mwh
    ends = series.stamps_utc + np.timedelta64(10 * 60 + 5, "m")
    np.testing.assert_allclose(series.price_per_mwh, tidy.loc[ends], rtol=1e-6)


def test_gzip_reads_the_same_and_hashes_its_own_bytes(tmp_path):
    plain = month(tmp_path, "2022/07/01 00:05:00")
    packed = tmp_path / "prices.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    series = read_price_and_demand(packed)
    np.testing.assert_array_equal(series.price_per_mwh, read_price_and_demand(plain).price_per_mwh)
    assert series.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


@pytest.mark.parametrize("stamp", ["2022-07-01 00:{:02d}:00", "2022/07/01T00:{:02d}"])
def test_dashes_and_missing_seconds_are_read_too(tmp_path, stamp):
    rows = [f"SA1,{stamp.format(5 * k)},1,50,TRADE" for k in (1, 2, 3)]
    series = read_price_and_demand(write(tmp_path, rows))
    assert series.start_utc == np.datetime64("2022-06-30T14:00:00")


def test_half_hour_prices_repeat_six_times_and_say_so(tmp_path):
    half_hours = read_price_and_demand(month(tmp_path, "2021/01/01 00:30:00", 4, minutes=30))
    series = to_five_minutes(half_hours)
    assert series.dt_s == 300
    np.testing.assert_array_equal(series.price_per_mwh, np.repeat([100, 101, 102, 103], 6))
    assert series.stamps_utc[6] == half_hours.stamps_utc[1]
    assert series.source == "prices.csv (each 30-minute price repeated 6 times)"
    assert to_five_minutes(series) is series


def replaced(row, cell, text, count=12):
    """Rows in which one cell of file row `row` (the header is 1) reads otherwise."""
    rows = lines(count=count)
    cells = rows[row - 2].split(",")
    cells[cell] = text
    rows[row - 2] = ",".join(cells)
    return rows


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (replaced(5, 3, "12x"), "row 5, column RRP: '12x' is not a number"),
        (replaced(5, 3, ""), "row 5, column RRP: '' is not a number"),
        (replaced(5, 3, "nan"), "row 5, column RRP: 'nan' is not a number"),
        (replaced(5, 3, "inf"), "row 5, column RRP: 'inf' is not a number"),
        (replaced(4, 3, "23200.1"), r"row 4, column RRP: '23200.1' is outside .*-1,000 to 23,200"),
        (replaced(4, 3, "-1000.1"), "row 4, column RRP: '-1000.1' is outside"),
        (replaced(3, 0, "VIC1"), "row 3, column REGION: VIC1 where SA1 is expected"),
        (replaced(3, 0, ""), "row 3, column REGION: nothing where SA1 is expected"),
        (replaced(9, 4, "FORECAST"), "row 9, column PERIODTYPE: 'FORECAST' is not a settled"),
        (replaced(3, 1, "1/07/2022 0:10"), "row 3, column SETTLEMENTDATE: '1/07/2022 0:10' is not"),
        (replaced(3, 1, "2022/02/30 00:10:00"), "row 3, column SETTLEMENTDATE: .* is not a stamp"),
        (replaced(3, 1, "2022-07-01 00:10:00+09:30"), "row 3, .* carries a time zone of its own"),
        (replaced(3, 1, "2022-07-01T00:10:00Z"), "row 3, .* carries a time zone of its own"),
        (replaced(6, 1, "2022/07/01 00:26:00"), "row 6, .* is not on the grid of 5 minutes"),
        (lines(minutes=60), "most intervals are 3600 s long; expected 300 s .* or 1800 s"),
        (lines(count=1), "has fewer rows below its header than 2; it may be cut short, fetch it"),
        (lines()[:3] + lines()[2:], "row 5, .* stands in row 4 already, with the same price"),
        (lines()[::-1], "row 3, .* 2022/07/01 00:55:00 follows 2022/07/01 01:00:00; sort"),
        (
            [*lines()[:4], *lines()[7:]],
            "after row 5: the interval ending 2022/07/01 00:25:00 is missing, "
            "the first of 3 there and of 3 in the file",
        ),
    ],
)
def test_faulty_row_is_one_sentence_with_file_row_and_column(tmp_path, rows, sentence):
    with pytest.raises(InputError, match=rf"^prices\.csv.*{sentence}") as caught:
        read_price_and_demand(write(tmp_path, rows))
    assert "\n" not in str(caught.value)


def test_duplicate_with_another_price_says_so(tmp_path):
    rows = [*lines(), "SA1,2022/07/01 00:10:00,1500.0,7,TRADE"]
    with pytest.raises(InputError, match=r"row 14, .* stands in row 3 already, with another price"):
        read_price_and_demand(write(tmp_path, rows))


@pytest.mark.parametrize("column", ["REGION", "SETTLEMENTDATE", "RRP"])
def test_missing_column_is_named(tmp_path, column):
    path = write(tmp_path, lines(), header=HEADER.replace(column, "OTHER"))
    with pytest.raises(InputError, match=f"row 1: the column {column} is missing"):
        read_price_and_demand(path)


def test_misspelt_column_gets_a_suggestion(tmp_path):
    path = write(tmp_path, lines(), header=HEADER.replace("SETTLEMENTDATE", "SETTLEMENT_DATE"))
    with pytest.raises(InputError, match="did you mean 'SETTLEMENT_DATE'"):
        read_price_and_demand(path)


def test_price_column_in_another_unit_is_refused(tmp_path):
    path = write(tmp_path, lines(), header=HEADER.replace("RRP", "RRP_PER_KWH"))
    with pytest.raises(InputError, match="column RRP is missing; 'RRP_PER_KWH' must hold AUD/MWh"):
        read_price_and_demand(path)


def test_prices_that_look_like_dollars_per_kwh_are_refused(tmp_path):
    rows = [f"SA1,{stamp},1,0.{k + 10},TRADE" for k, stamp in enumerate(stamps("2022-07-01", 12))]
    with pytest.raises(InputError, match=r"column RRP: .* looks like .*multiply by 1000"):
        read_price_and_demand(write(tmp_path, rows))


def test_one_high_price_among_tiny_ones_proves_the_unit(tmp_path):
    rows = [f"SA1,{stamp},1,0.5,TRADE" for stamp in stamps("2022-07-01", 12)]
    rows[3] = rows[3].replace("0.5", "300")
    assert read_price_and_demand(write(tmp_path, rows)).price_per_mwh.max() == 300.0


def test_file_across_the_eras_is_refused_at_the_change(tmp_path):
    rows = lines("2021/09/30 23:00:00", 3, minutes=30) + lines("2021/10/01 00:05:00", 6)
    with pytest.raises(InputError, match=r"row 5, .* 2021/10/01 00:00:00; split the file there"):
        read_price_and_demand(write(tmp_path, rows))


def test_wrong_market_is_refused_and_a_misspelt_one_suggested(tmp_path):
    path = month(tmp_path, "2022/07/01 00:05:00", region="VIC1")
    with pytest.raises(InputError, match="row 2, column REGION: VIC1 where SA1 is expected"):
        read_price_and_demand(path, market="SA1")
    with pytest.raises(InputError, match=r"'vic' is not a region of the NEM; did you mean VIC1\?"):
        read_price_and_demand(path, market="vic")


def test_name_of_a_published_file_tells_its_region(tmp_path):
    name = "PRICE_AND_DEMAND_202207_SA1.csv"
    path = month(tmp_path, "2022/07/01 00:05:00", name=name, region="VIC1")
    with pytest.raises(InputError, match="column REGION: VIC1 where SA1 is expected"):
        read_price_and_demand(path)


@pytest.mark.parametrize(
    ("first", "zone"),
    [
        ("2022/06/30 14:05:00", "UTC"),
        ("2022/06/30 23:35:00", "Adelaide's own clock"),
        ("2022/07/01 00:00:00", "start of the interval"),
    ],
)
def test_stamps_of_a_wrong_clock_leave_the_month_of_the_name(tmp_path, first, zone):
    path = month(tmp_path, first, name="PRICE_AND_DEMAND_202207_SA1.csv")
    with pytest.raises(InputError, match=r"row 2, .* is outside the month 2022-07"):
        read_price_and_demand(path)


def test_hour_lost_to_daylight_saving_is_recognised(tmp_path):
    rows = lines("2022/10/02 01:05:00", 12) + lines("2022/10/02 03:05:00", 12)
    with pytest.raises(InputError, match=r"first of 12 there .* daylight-saving time"):
        read_price_and_demand(write(tmp_path, rows))


def test_allowed_gap_holds_the_last_price_and_is_named_in_the_source(tmp_path):
    path = write(tmp_path, [*lines()[:4], *lines()[7:]])
    series = read_price_and_demand(path, allow_gaps=True)
    np.testing.assert_array_equal(
        series.price_per_mwh, [100, 101, 102, 103, 103, 103, 103, 107, 108, 109, 110, 111]
    )
    assert series.source == "prices.csv (3 missing intervals hold the price before them)"


def test_gap_of_more_than_two_hours_is_never_filled(tmp_path):
    rows = lines("2022/07/01 00:05:00") + lines("2022/07/01 03:10:00")
    with pytest.raises(InputError, match=r"first of 25 there .* none longer than two hours"):
        read_price_and_demand(write(tmp_path, rows), allow_gaps=True)


def test_files_join_in_time_order_whatever_the_order_of_their_names(tmp_path):
    late = month(tmp_path, "2022/07/01 01:05:00", name="a.csv")
    early = month(tmp_path, "2022/07/01 00:05:00", name="b.csv")
    for paths in ([late, early], str(tmp_path / "*.csv")):
        series = read_price_and_demand_files(paths)
        assert series.start_utc == np.datetime64("2022-06-30T14:00:00")
        np.testing.assert_array_equal(series.price_per_mwh, 2 * list(range(100, 112)))
        assert series.source == "b.csv to a.csv (2 files)"
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (early, late)]
    lines_of_digests = "".join(f"{digest}\n" for digest in digests)
    assert series.sha256 == hashlib.sha256(lines_of_digests.encode()).hexdigest()


def test_folder_gives_the_published_files_of_the_market(tmp_path):
    whole = 31 * 288
    month(tmp_path, "2022/07/01 00:05:00", whole, "PRICE_AND_DEMAND_202207_SA1.csv")
    month(tmp_path, "2022/08/01 00:05:00", 12, "PRICE_AND_DEMAND_202208_SA1.csv")
    month(tmp_path, "2022/07/01 00:05:00", 12, "PRICE_AND_DEMAND_202207_VIC1.csv", region="VIC1")
    (tmp_path / "notes.csv").write_text("not a price\n")
    assert len(read_price_and_demand_files(tmp_path, "SA1").price_per_mwh) == whole + 12
    with pytest.raises(InputError, match=r"SA1 and VIC1; choose one market|VIC1 and SA1; choose"):
        read_price_and_demand_files(tmp_path)
    with pytest.raises(InputError, match=r"no file PRICE_AND_DEMAND_YYYYMM_QLD1.csv"):
        read_price_and_demand_files(tmp_path, "QLD1")


@pytest.mark.parametrize(
    ("first", "minutes", "sentence"),
    [
        ("2022/07/01 00:35:00", 5, "a.csv and b.csv overlap by 6 intervals"),
        ("2022/07/01 01:20:00", 5, "3 intervals are missing between a.csv and b.csv"),
        ("2022/07/01 01:30:00", 30, "a.csv and b.csv have intervals of 300 s and 1800 s"),
    ],
)
def test_files_that_do_not_join_are_refused_by_name(tmp_path, first, minutes, sentence):
    paths = [
        month(tmp_path, "2022/07/01 00:05:00", name="a.csv"),
        month(tmp_path, first, name="b.csv", minutes=minutes),
    ]
    with pytest.raises(InputError, match=sentence):
        read_price_and_demand_files(paths)


def test_allowed_gap_between_files_is_held_too(tmp_path):
    paths = [
        month(tmp_path, "2022/07/01 00:05:00", name="a.csv"),
        month(tmp_path, "2022/07/01 01:20:00", name="b.csv"),
    ]
    series = read_price_and_demand_files(paths, allow_gaps=True)
    np.testing.assert_array_equal(series.price_per_mwh[11:16], [111, 111, 111, 111, 100])
    assert series.source.endswith("(3 missing intervals hold the price before them)")


def test_pattern_or_list_without_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file matches"):
        read_price_and_demand_files(str(tmp_path / "*_SA1.csv"))
    with pytest.raises(InputError, match="no price file was named"):
        read_price_and_demand_files([])
