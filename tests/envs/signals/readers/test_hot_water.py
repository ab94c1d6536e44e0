"""Draws of hot water by the minute: litres, ticks, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.hot_water import read_hot_water

GALLON_L = 3.7854
PROFILES = "thermal/dhw_draws_1min_sparse.parquet"


def sparse(path, **changes):
    rows = {
        "profile": ["a", "a", "b"],
        "minute_of_year": [0, 7, 525_599],
        "Showers": [0.5, 0.0, 0.0],
        "Sinks": [0.0, 1.0, 0.0],
        "CW": [0.0, 0.0, 0.25],
        "DW": [0.0, 0.0, 0.0],
        "Baths": [0.0, 0.0, 0.0],
    }
    file = path / "draws.parquet"
    pd.DataFrame(rows | changes).to_parquet(file)
    return file


def test_shares_of_a_minute_become_litres_of_a_tick(tmp_path):
    record = read_hot_water(sparse(tmp_path))
    assert record.homes == ("a", "b")
    assert record.mixed_l.shape == record.hot_l.shape == (365 * 288, 2)
    assert record.mixed_l[0, 0].item() == pytest.approx(0.5 * 4.2 * GALLON_L)  # gallons a minute
    assert record.mixed_l[1, 0].item() == pytest.approx(3.3 * GALLON_L)
    assert record.hot_l[-1, 1].item() == pytest.approx(0.25 * 5.1 * GALLON_L)
    assert record.mixed_l.sum() + record.hot_l.sum() == pytest.approx(
        GALLON_L * (2.1 + 3.3 + 1.275), rel=1e-6
    )


def test_minutes_add_up_to_ticks_of_any_length(tmp_path):
    file = sparse(tmp_path)
    minutes, ticks = read_hot_water(file, 60), read_hot_water(file, 300)
    assert torch.equal(minutes.mixed_l.reshape(-1, 5, 2).sum(1), ticks.mixed_l)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Showers": [0.5, 1.5, 0.0]}, "row 2, column Showers: 1.5 is not a share between 0 and 1"),
        ({"minute_of_year": [0, 7, 525_600]}, "row 3, column minute_of_year: 525600 is not"),
        ({"minute_of_year": [7, 7, 9]}, "row 2: minute 7 of this home comes twice"),
        ({"Sinks": ["x", "", ""]}, "column Sinks: 'x' is not a number"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        read_hot_water(sparse(tmp_path, **changes))


def test_a_file_without_fixtures_is_refused(tmp_path):
    (tmp_path / "draws.csv").write_text("Showers,Sinks\n0.1,\n")
    with pytest.raises(InputError, match="has no column 'Baths'"):
        read_hot_water(tmp_path / "draws.csv")


def test_a_tick_that_is_no_whole_number_of_minutes_is_refused(tmp_path):
    with pytest.raises(InputError, match="whole minutes that divide an hour, got 90"):
        read_hot_water(sparse(tmp_path), tick_s=90)


def test_the_publishers_file_reads_as_the_sparse_table(shared_data):
    """14 days of one home, in both forms."""
    raw = read_hot_water(
        shared_data / "thermal/original/DHWDrawSchedule_3bed_unit4_first14d.csv.gz", 60
    )
    table = read_hot_water(shared_data / PROFILES, 60)
    of = table.homes.index("3bed_unit4")
    days = slice(0, 14 * 1440)
    torch.testing.assert_close(raw.mixed_l[:, 0], table.mixed_l[days, of], atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(raw.hot_l[:, 0], table.hot_l[days, of], atol=1e-4, rtol=1e-5)


@pytest.mark.reference
def test_profiles_draw_what_is_published_for_their_bedrooms(shared_data):
    """46, 57 and 69 gallons a day with one, two and three bedrooms (facts.md A4.2), within 5 %."""
    record = read_hot_water(shared_data / PROFILES)
    gallons = (record.mixed_l + record.hot_l).double().sum(0).numpy() / 365 / GALLON_L
    np.testing.assert_allclose(gallons, [46, 57, 69], rtol=0.05)
