import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.own import PriceNotes
from vpp_envs.signals.readers.prices import read_prices

AEMO = [
    "REGION,SETTLEMENTDATE,TOTALDEMAND,RRP,PERIODTYPE",
    *(f"SA1,2022/07/01 00:{5 * k:02d}:00,1,{50 + k},TRADE" for k in range(1, 12)),
]
TIDY = ["start_utc,price_eur_mwh", *(f"2022-07-01 {k:02d}:00:00,{50 + k}" for k in range(24))]
OWN = ["when,cost", *(f"2022-07-01 {k:02d}:00,{50 + k}" for k in range(24))]
NOTES = PriceNotes("per_mwh", "EUR", "cost", "when", "Europe/Amsterdam", "start")


def write(folder, lines, name):
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("lines", "market", "notes", "zone"),
    [
        (AEMO, "SA1", PriceNotes(), "Etc/GMT-10"),
        (TIDY, "NL", PriceNotes(), "Europe/Amsterdam"),
        (OWN, "OWN", NOTES, "Europe/Amsterdam"),
    ],
)
def test_a_publisher_is_told_by_the_content_whatever_the_name(tmp_path, lines, market, notes, zone):
    first = read_prices(write(tmp_path, lines, "PRICE_AND_DEMAND.txt"), market, notes=notes)
    second = read_prices(write(tmp_path, lines, "smard.xlsx"), market, notes=notes)
    assert first.zone == zone
    np.testing.assert_array_equal(first.price_per_mwh, second.price_per_mwh)


def test_what_is_said_of_a_publishers_file_is_refused_by_key(tmp_path):
    notes = PriceNotes(unit="per_kwh", market_zone="UTC")
    sentence = r"AEMO's PRICE_AND_DEMAND file, .* remove market\.prices_unit and market\.zone"
    with pytest.raises(InputError, match=sentence):
        read_prices(write(tmp_path, AEMO, "a.csv"), "SA1", notes=notes)
    with pytest.raises(InputError, match=r"t.csv is a tidy file, .* remove market.prices_currency"):
        read_prices(write(tmp_path, TIDY, "t.csv"), "NL", notes=PriceNotes(currency="EUR"))


def test_an_unknown_file_shows_its_columns_and_the_keys_to_set(tmp_path):
    sentence = r"o\.csv is no publisher's .* market\.prices_time_column .* it has when, cost"
    with pytest.raises(InputError, match=sentence):
        read_prices(write(tmp_path, OWN, "o.csv"))


def test_a_price_and_demand_file_without_its_price_gets_that_readers_sentence(tmp_path):
    lines = [AEMO[0].replace("RRP", "PRICE"), *AEMO[1:]]
    with pytest.raises(InputError, match="row 1: the column RRP is missing"):
        read_prices(write(tmp_path, lines, "a.csv"), "SA1")


def test_files_of_any_publisher_join_in_time_order(tmp_path):
    write(tmp_path, TIDY, "b.csv")
    later = [line.replace("2022-07-01", "2022-07-02") for line in TIDY]
    write(tmp_path, later, "a.csv")
    series = read_prices(str(tmp_path / "*.csv"), "NL")
    assert series.source == "b.csv to a.csv (2 files)"
    np.testing.assert_array_equal(series.price_per_mwh, 2 * list(range(50, 74)))


def test_files_of_different_years_are_not_joined_silently(tmp_path):
    write(tmp_path, TIDY, "b.csv")
    write(tmp_path, [line.replace("2022-07", "2023-07") for line in TIDY], "a.csv")
    with pytest.raises(InputError, match=r"8736 intervals are missing between b.csv and a.csv"):
        read_prices(str(tmp_path / "*.csv"), "NL", hold_gaps=True)


def test_files_of_different_publishers_are_not_joined_silently(tmp_path):
    hourly = write(tmp_path, TIDY, "t.csv")
    nemtime = pd.date_range("2022-07-02 10:05", periods=12, freq="5min")
    five = tmp_path / "n.parquet"
    pd.DataFrame(
        {"region": "NL", "interval_end_nemtime": nemtime, "price_aud_mwh": 50.0}
    ).to_parquet(five)
    with pytest.raises(InputError, match=r"t.csv and n.parquet have intervals of 3600 s and 300 s"):
        read_prices([hourly, five], "NL")


def test_damaged_and_empty_files_are_refused(tmp_path):
    damaged = tmp_path / "p.parquet"
    damaged.write_bytes(b"PAR1 not more than this")
    with pytest.raises(InputError, match=r"p\.parquet is a damaged Parquet file"):
        read_prices(damaged)
    empty = tmp_path / "e.csv"
    empty.write_bytes(b"")
    with pytest.raises(InputError, match=r"e\.csv is empty"):
        read_prices(empty)
    binary = tmp_path / "b.bin"
    binary.write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match=r"b\.bin is not text in UTF-8"):
        read_prices(binary)
    with pytest.raises(InputError, match=r"nowhere.csv does not exist"):
        read_prices(tmp_path / "nowhere.csv")
