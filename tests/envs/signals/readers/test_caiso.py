from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.prices import read_prices

HEADER = (
    '"interval_start_utc","interval_end_utc","market","location","location_type","lmp","energy",'
    '"congestion","loss"'
)


def published(first, quarters, node="NODE_A", market="REAL_TIME_15_MIN", price=30.0):
    """Rows of the gridstatus layout; stamps at midnight lose their time, as in the original."""
    stamps = pd.date_range(first, periods=quarters + 1, freq="15min")
    texts = [str(stamp).replace(" 00:00:00", "") for stamp in stamps]
    return [
        f'{begin},{end},"{market}","{node}","Node",{price + number},0,0,0'
        for number, (begin, end) in enumerate(pairwise(texts))
    ]


def write(folder, rows):
    path = folder / "any.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_midnight_without_a_time_is_midnight(tmp_path):
    rows = published("2020-01-01 22:00", 16)
    assert rows[8].startswith("2020-01-02,2020-01-02 00:15:00")
    series = read_prices(write(tmp_path, rows))
    np.testing.assert_array_equal(series.price_per_mwh, 30.0 + np.arange(16))
    assert series.start_utc == np.datetime64("2020-01-01T22:00")
    assert (series.zone, series.currency, series.dt_s) == ("America/Los_Angeles", "USD", 900)
    assert series.market == "NODE_A"
    assert series.real_time


def test_missing_quarters_are_refused_or_held_up_to_two_hours(tmp_path):
    rows = published("2020-01-01 22:00", 40)
    path = write(tmp_path, rows[:10] + rows[18:])
    with pytest.raises(InputError, match="are missing, 8 from 2020-01-02 00:30 UTC"):
        read_prices(path)
    held = read_prices(path, hold_gaps=True)
    assert len(held.price_per_mwh) == 40
    assert set(held.price_per_mwh[10:18]) == {39.0}
    with pytest.raises(InputError, match=r"are missing, 9 .* none longer than two hours"):
        read_prices(write(tmp_path, rows[:10] + rows[19:]), hold_gaps=True)


def test_a_node_is_chosen_and_markets_are_not_mixed(tmp_path):
    rows = published("2020-01-01", 8) + published("2020-01-01", 8, "NODE_B", price=90.0)
    path = write(tmp_path, rows)
    assert read_prices(path, "NODE_B").price_per_mwh[0] == 90.0
    with pytest.raises(InputError, match="no location 'NODE_C' but NODE_A, NODE_B"):
        read_prices(path, "NODE_C")
    mixed = published("2020-01-01", 8) + published("2020-01-02", 8, market="DAY_AHEAD_HOURLY")
    with pytest.raises(InputError, match="mixes DAY_AHEAD_HOURLY and REAL_TIME_15_MIN"):
        read_prices(write(tmp_path, mixed))
    ahead = published("2020-01-02", 8, market="DAY_AHEAD_HOURLY")
    assert not read_prices(write(tmp_path, ahead)).real_time


def test_the_original_has_midnights_without_time_and_reads_up_to_its_first_gap(
    shared_data, tmp_path
):
    original = shared_data / "prices" / "original" / "caiso_rt15_node_slice.csv"
    lines = original.read_text().splitlines()[1:]
    dates = [line for line in lines if len(line.split(",")[0]) == len("2020-01-02")]
    assert len(dates) == 7
    with pytest.raises(InputError, match="are missing, 8 from 2020-01-06 08:00 UTC"):
        read_prices(original)
    series = read_prices(write(tmp_path, lines[: 5 * 96]))
    assert len(series.price_per_mwh) == 5 * 96
    assert series.price_per_mwh[0] == 25.24561


def test_1496_quarters_of_the_tidy_table_are_missing(shared_data):
    path = shared_data / "prices" / "caiso_rt15_STANDFD2_2020.parquet"
    with pytest.raises(InputError, match="and 1496 in the whole file"):
        read_prices(path)
    with pytest.raises(InputError, match=r"and 1496 in the whole file; .* none longer than two"):
        read_prices(path, hold_gaps=True)
