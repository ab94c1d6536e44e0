import zipfile

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.prices import read_prices

COMMENT = "C,SETP.WORLD,DVD_DISPATCHPRICE,AEMO,PUBLIC,2022/01/21,00:25:01,1,,1"
NAMES = "I,DISPATCH,PRICE,4,SETTLEMENTDATE,RUNNO,REGIONID,DISPATCHINTERVAL,INTERVENTION,RRP,EEP"
END = 'C,"END OF REPORT",44643'


def records(count=12, region="SA1", intervention=0, price=100.0):
    ends = pd.date_range("2021-12-01 00:05", periods=count, freq="5min")
    return [
        f"D,DISPATCH,PRICE,4,{end:%Y/%m/%d %H:%M:%S},1,{region},1,{intervention},{price + k},0"
        for k, end in enumerate(ends)
    ]


def lines_of(*rows, names=NAMES):
    return "\n".join([COMMENT, names, *rows, END]) + "\n"


def write(folder, text, name="archive.zip"):
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("PUBLIC_DVD_DISPATCHPRICE.CSV", text)
    return path


def test_a_stamp_ends_its_interval_in_utc_plus_10(tmp_path):
    series = read_prices(write(tmp_path, lines_of(*records())))
    assert series.start_utc == np.datetime64("2021-11-30T14:00")
    np.testing.assert_array_equal(series.price_per_mwh, 100.0 + np.arange(12))
    assert (series.market, series.currency, series.zone) == ("SA1", "AUD", "Etc/GMT-10")
    assert series.dt_s == 300
    assert series.real_time


def test_an_unzipped_file_reads_the_same(tmp_path):
    plain = tmp_path / "dispatch.csv"
    plain.write_text(lines_of(*records()))
    zipped = read_prices(write(tmp_path, lines_of(*records())))
    np.testing.assert_array_equal(read_prices(plain).price_per_mwh, zipped.price_per_mwh)


@pytest.mark.parametrize("intervened_first", [True, False])
def test_of_an_intervention_the_pricing_run_is_taken(tmp_path, intervened_first):
    priced, physical = records(), records(intervention=1, price=15_000.0)
    runs = (physical, priced) if intervened_first else (priced, physical)
    pairs = zip(*runs, strict=True)
    path = write(tmp_path, lines_of(*(row for pair in pairs for row in pair)))
    series = read_prices(path)
    np.testing.assert_array_equal(series.price_per_mwh, 100.0 + np.arange(12))


def test_an_interval_with_the_physical_run_alone_is_missing(tmp_path):
    rows = records()
    rows[5] = records(intervention=1)[5]
    with pytest.raises(InputError, match="are missing, 1 from 2021-11-30 14:25 UTC"):
        read_prices(write(tmp_path, lines_of(*rows)))


def test_columns_of_a_later_version_and_other_tables_do_not_matter(tmp_path):
    names = NAMES.replace("REGIONID,", "RAISE1SECRRP,REGIONID,")
    rows = [row.replace(",1,SA1,", ",1,,SA1,") for row in records()]
    other = ["I,DISPATCH,REGIONSUM,5,SETTLEMENTDATE,X", "D,DISPATCH,REGIONSUM,5,2021/12/01 00:05,7"]
    series = read_prices(write(tmp_path, lines_of(*rows, *other, names=names)))
    np.testing.assert_array_equal(series.price_per_mwh, 100.0 + np.arange(12))


def test_regions_are_chosen(tmp_path):
    path = write(tmp_path, lines_of(*records(), *records(region="NSW1", price=50.0)))
    assert read_prices(path, "NSW1").price_per_mwh[0] == 50.0
    with pytest.raises(InputError, match="holds NSW1, SA1; choose one market"):
        read_prices(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (lines_of(*records()).replace(END, ""), "does not end with its line 'END OF REPORT'"),
        (lines_of(*records()).replace("RRP", "PRICE2"), "row 2: the column RRP is missing"),
        (lines_of(*records()).replace(",103.0,", ",x,"), "row 6: SETTLEMENTDATE or RRP is no st"),
        (lines_of(*records()).replace("2021/12/01 00:20", "1 December"), "row 6: SETTLEMENTDATE"),
        (lines_of("D,DISPATCH,PRICE,4,2021"), "row 3 does not fit its names"),
        (lines_of(*records()).replace(",103.0,", ",99999,"), "a price of 99999 is outside the lim"),
    ],
)
def test_a_damaged_file_is_refused_with_its_row(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read_prices(write(tmp_path, text))


def test_a_damaged_or_empty_archive_is_refused(tmp_path):
    path = write(tmp_path, lines_of(*records()))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"archive\.zip is a damaged zip file"):
        read_prices(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "none")
    with pytest.raises(InputError, match="holds 0 CSV files; expected one"):
        read_prices(path)


def test_three_days_of_the_original_agree_with_price_and_demand(shared_data, tmp_path):
    original = shared_data / "regulation" / "original" / "PUBLIC_DVD_DISPATCHPRICE_202112010000.zip"
    with zipfile.ZipFile(original) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    early = [line for line in lines if line[:1] != "D" or line.split(",")[4] < "2021/12/04"]
    series = read_prices(write(tmp_path, "\n".join(early) + "\n"), "SA1")
    assert len(series.price_per_mwh) == 3 * 288 - 1  # midnight of 4 December is cut off
    assert series.price_per_mwh[0] == 103.73845
    nem = read_prices(shared_data / "prices" / "aemo_nem_5min.parquet", "SA1")
    first = int((series.start_utc - nem.start_utc) / np.timedelta64(300, "s"))
    same = nem.price_per_mwh[first : first + len(series.price_per_mwh)]
    np.testing.assert_allclose(series.price_per_mwh, same, atol=0.01)
