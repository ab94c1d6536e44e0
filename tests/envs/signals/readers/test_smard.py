import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.smard import read_smard

TAIL = " [€/MWh] Berechnete Auflösungen"
HEADER = f"Datum von;Datum bis;Deutschland/Luxemburg{TAIL};∅ Anrainer DE/LU{TAIL};Niederlande{TAIL}"


def comma(price):
    return f"{price:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def published(start_utc, prices, minutes=60, header=HEADER):
    """Bytes as SMARD writes them: local stamps, decimal comma, a second zone without prices."""
    stamps = pd.date_range(start_utc, periods=len(prices) + 1, freq=f"{minutes}min", tz="UTC")
    local = stamps.tz_convert("Europe/Berlin").strftime("%d.%m.%Y %H:%M")
    lines = [
        f"{begin};{end};{comma(price)};1,00;-"
        for begin, end, price in zip(local[:-1], local[1:], prices, strict=True)
    ]
    return ("\ufeff" + "\n".join([header, *lines]) + "\n").encode()


@given(
    st.sampled_from(["2024-10-26T22:00", "2025-03-29T23:00", "2025-06-01T05:00"]),
    st.lists(st.integers(-50_000, 400_000), min_size=48, max_size=60),
    st.sampled_from([15, 60]),
)
def test_a_published_series_is_read_back_across_changes_of_the_clock(start, cents, minutes):
    prices = np.array(cents) / 100.0 + 20.0
    series = read_smard("s.csv", published(start, prices, minutes), "DE_LU", False)
    np.testing.assert_allclose(series.price_per_mwh, prices, rtol=0, atol=1e-9)
    assert (series.start_utc, series.dt_s) == (np.datetime64(start), 60 * minutes)
    assert (series.zone, series.market, series.currency) == ("Europe/Berlin", "DE_LU", "EUR")


def test_october_has_a_day_of_25_hours_and_march_one_of_23():
    for start, hours in (("2024-10-26T22:00", 25), ("2025-03-29T23:00", 23)):
        raw = published(start, np.arange(10.0, 10.0 + hours))
        assert len(read_smard("s.csv", raw, "DE_LU", False).price_per_mwh) == hours
        first_and_last = {line.split(";")[0][:10] for line in raw.decode().splitlines()[1:]}
        assert len(first_and_last) == 1  # one local day


def test_a_dash_is_a_missing_price():
    raw = published("2025-06-01T00:00", np.arange(10.0, 34.0)).replace(b";14,00;1", b";-;1")
    with pytest.raises(InputError, match=r"are missing, 1 from 2025-06-01 04:00 UTC"):
        read_smard("s.csv", raw, "DE_LU", False)
    held = read_smard("s.csv", raw, "DE_LU", True)
    assert held.price_per_mwh[4] == 13.0


def test_a_column_of_dashes_has_no_prices():
    with pytest.raises(InputError, match=r"s.csv has 0 prices of NL"):
        read_smard("s.csv", published("2025-06-01T00:00", np.arange(24.0)), "NL", False)


def test_unknown_zone_foreign_unit_and_bad_cell_are_refused():
    raw = published("2025-06-01T00:00", np.arange(10.0, 34.0))
    with pytest.raises(InputError, match="no market 'SA1' but DE_LU, NL"):
        read_smard("s.csv", raw, "SA1", False)
    kwh = HEADER.replace("€/MWh", "ct/kWh")
    with pytest.raises(InputError, match=r"must be in \[€/MWh\]"):
        read_smard("s.csv", published("2025-06-01", [1, 2], header=kwh), "DE_LU", False)
    with pytest.raises(InputError, match=r"row 3, column Deutschland.*: 'x' is not a number"):
        read_smard("s.csv", raw.replace(b";11,00;1", b";x;1"), "DE_LU", False)


def test_an_hour_that_the_clock_skips_is_refused():
    raw = published("2025-03-29T23:00", np.arange(10.0, 20.0))
    wrong = raw.replace(b"30.03.2025 03:00;30.03.2025 04", b"30.03.2025 02:00;30.03.2025 04")
    assert wrong != raw
    with pytest.raises(InputError, match="row 4: 2025-03-30 02:00 does not exist in Europe/Berlin"):
        read_smard("s.csv", wrong, "DE_LU", False)


def test_fourteen_days_of_the_original_agree_with_the_tidy_table(shared_data):
    folder = shared_data / "prices"
    original = folder / "original" / "SMARD_Gro_handelspreise_2025_slice.csv"
    series = read_smard(original.name, original.read_bytes(), "DE_LU", False)
    assert len(series.price_per_mwh) == 14 * 24
    assert series.start_utc == np.datetime64("2024-12-31T23:00")
    tidy = pd.read_csv(folder / "smard_de_neighbours_day_ahead_2025.csv.gz").DE_LU
    np.testing.assert_array_equal(series.price_per_mwh, tidy[: 14 * 24])
