from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_rl.export.telemetry import (
    CAR_COLUMNS,
    COLUMNS,
    ENTRIES,
    signal_tensors,
    start_of_interval,
    telemetry_matrix,
)

MATRIX = np.arange(39, dtype=np.float32).reshape(3, 13)
TABLE = {name: MATRIX[:, place] for place, name in enumerate(COLUMNS)}
SIGNALS = dict.fromkeys(ENTRIES, 1.0) | {"nodes_per_mwh": np.ones((48, 11))}


@pytest.mark.parametrize(
    "table",
    [
        MATRIX,
        MATRIX.astype(np.float64),
        np.asfortranarray(MATRIX),
        torch.from_numpy(MATRIX),
        TABLE,
        {name: column.tolist() for name, column in reversed(TABLE.items())},
        pd.DataFrame(TABLE),
        pd.DataFrame(TABLE).astype("Float64"),
        pa.table(TABLE),
    ],
)
def test_every_kind_of_table_is_the_same_matrix(table):
    matrix = telemetry_matrix(table)
    assert matrix.dtype == torch.float32
    assert matrix.is_contiguous()
    np.testing.assert_array_equal(matrix, MATRIX)


@pytest.mark.parametrize(
    "table",
    [
        TABLE | {"load_kw": [1.0, None, 2.0]},
        pd.DataFrame(TABLE | {"load_kw": [1.0, np.nan, 2.0]}),
        pd.DataFrame(TABLE).assign(load_kw=pd.array([1, None, 2], dtype="Int64")),
        pa.table(TABLE | {"load_kw": [1.0, None, 2.0]}),
    ],
)
def test_what_is_missing_becomes_nan(table):
    np.testing.assert_array_equal(telemetry_matrix(table)[:, 1], [1.0, np.nan, 2.0])


def test_a_number_beyond_float32_becomes_infinite_without_a_warning():
    assert telemetry_matrix(TABLE | {"load_kw": [1e300, 1.0, 1.0]})[0, 1] == float("inf")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (TABLE | {"energy_kw": MATRIX[:, 0]}, r"'energy_kw'; did you mean 'energy_kwh'\?"),
        (TABLE | {3: MATRIX[:, 0]}, "unknown column '3'"),
        ({k: v for k, v in TABLE.items() if k != "load_kw"}, "lacks the column 'load_kw'"),
        (TABLE | {"load_kw": [1.0, 2.0]}, r"'load_kw' has shape \(2,\)"),
        (TABLE | {"load_kw": MATRIX[:, :2]}, r"'load_kw' has shape \(3, 2\)"),
        (TABLE | {"energy_kwh": 5.0}, "expected one number a home"),
        (TABLE | {"load_kw": ["high", "low", "high"]}, "'load_kw' holds something that is no n"),
        (pa.table(TABLE | {"load_kw": ["a", "b", "c"]}), "'load_kw' holds something that is no n"),
        (
            pd.concat([pd.DataFrame(TABLE), pd.DataFrame(TABLE)[["load_kw"]]], axis=1),
            "'load_kw' twice",
        ),
        (MATRIX[:, :12], r"shape \(3, 12\), expected \(homes, 13\)"),
        (MATRIX[0], r"shape \(13,\)"),
        (MATRIX[:0], "has no row"),
        (np.full((2, 13), "x"), "no number"),
        ("telemetry.csv", "got str"),
        (None, "got NoneType"),
    ],
)
def test_a_wrong_table_gets_a_sentence(table, sentence):
    with pytest.raises(InputError, match=sentence):
        telemetry_matrix(table)


def test_a_controller_with_cars_wants_their_columns_and_one_without_refuses_them():
    matrix = np.arange(52, dtype=np.float32).reshape(2, 26)
    table = {name: matrix[:, place] for place, name in reversed([*enumerate(CAR_COLUMNS)])}
    np.testing.assert_array_equal(telemetry_matrix(table, CAR_COLUMNS), matrix)
    np.testing.assert_array_equal(telemetry_matrix(matrix, CAR_COLUMNS), matrix)
    with pytest.raises(InputError, match="unknown column 'ev_"):
        telemetry_matrix(table)
    with pytest.raises(InputError, match="lacks the column 'ev_energy_kwh'"):
        telemetry_matrix(TABLE, CAR_COLUMNS)
    with pytest.raises(InputError, match=r"shape \(3, 13\), expected \(homes, 26\)"):
        telemetry_matrix(MATRIX, CAR_COLUMNS)


def test_signals_come_in_the_order_of_the_manifest():
    values = {name: float(place + 1) / 10 for place, name in enumerate(ENTRIES)}
    values["day_of_year"] = 200.0
    vector, nodes = signal_tensors(SIGNALS | values, 48, 11)
    np.testing.assert_allclose(vector, [0.1, 0.2, 0.3, 0.4, 0.5, 200.0, 0.7], rtol=1e-6)
    assert nodes.shape == (48, 11)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hours": 3.0}, r"unknown entry 'hours'; did you mean 'hour'\?"),
        ({"hour": 24.5}, r"'hour' is 24\.5, expected a number from 0 to 24"),
        ({"day_of_year": 0}, "'day_of_year' is 0, expected a number from 1 to 366"),
        ({"price_per_mwh": np.nan}, "'price_per_mwh' is nan"),
        ({"price_per_mwh": None}, "'price_per_mwh' is nan"),
        ({"price_per_mwh": [50.0, 60.0]}, r"shape \(2,\), expected one number"),
        ({"price_per_mwh": "dear"}, "'price_per_mwh' holds something that is no number"),
        ({"day_std_per_mwh": -1.0}, "'day_std_per_mwh' is -1, expected a number from 0"),
        ({"nodes_per_mwh": np.ones((24, 11))}, r"shape \(24, 11\), expected shape \(48, 11\)"),
        ({"nodes_per_mwh": np.full((48, 11), np.inf)}, "'nodes_per_mwh' is inf"),
        ({"nodes_per_mwh": [[1.0], [1.0, 2.0]]}, "'nodes_per_mwh' holds something"),
    ],
)
def test_a_wrong_signal_gets_a_sentence(change, sentence):
    with pytest.raises(InputError, match=sentence):
        signal_tensors(SIGNALS | change, 48, 11)


def test_a_missing_signal_and_what_is_no_mapping_get_a_sentence():
    with pytest.raises(InputError, match="signals lacks the entry 'weekend'"):
        signal_tensors({k: v for k, v in SIGNALS.items() if k != "weekend"}, 48, 11)
    with pytest.raises(InputError, match="got list"):
        signal_tensors([1.0] * 7, 48, 11)


def test_the_interval_starts_in_utc():
    noon = np.datetime64("2026-07-01T02:30:00.000")
    adelaide = timezone(timedelta(hours=9, minutes=30))
    assert start_of_interval(datetime(2026, 7, 1, 12, tzinfo=adelaide), 300) == noon
    assert start_of_interval(pd.Timestamp("2026-07-01 12:00", tz="Australia/Adelaide"), 300) == noon
    assert start_of_interval(np.datetime64("2026-07-01T02:30"), 300) == noon
    now = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ms")
    late = now - start_of_interval(None, 300)
    assert np.timedelta64(-5, "s") < late < np.timedelta64(305, "s")


@pytest.mark.parametrize(
    ("clock", "start"),
    [
        ("2026-07-01T02:30:00.000", "2026-07-01T02:30"),
        ("2026-07-01T02:30:00.001", "2026-07-01T02:30"),
        ("2026-07-01T02:34:59.999", "2026-07-01T02:30"),
        ("2026-07-01T02:35:00.000", "2026-07-01T02:35"),
        ("2026-07-01T00:00:01.000", "2026-07-01T00:00"),
    ],
)
def test_a_late_call_belongs_to_the_interval_that_runs(monkeypatch, clock, start):
    since_epoch = np.datetime64(clock, "ns") - np.datetime64(0, "ns")
    monkeypatch.setattr("vpp_rl.export.telemetry.time_ns", lambda: int(since_epoch.astype(int)))
    assert start_of_interval(None, 300) == np.datetime64(start)
    # A time that is handed over is no different: `now` may well be another clock's.
    assert start_of_interval(np.datetime64(clock), 300) == np.datetime64(start)
    stamp = datetime.fromisoformat(clock).replace(tzinfo=UTC)
    assert start_of_interval(stamp, 300) == np.datetime64(start)


def test_the_interval_is_the_controllers():
    clock = np.datetime64("2026-07-01T02:34:59")
    assert start_of_interval(clock, 60) == np.datetime64("2026-07-01T02:34")
    assert start_of_interval(clock, 1800) == np.datetime64("2026-07-01T02:30")


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (datetime(2026, 7, 1), "names no zone"),
        ("2026-07-01", "must be a datetime"),
        (np.datetime64("NaT"), "must be a datetime"),
    ],
)
def test_a_time_that_could_be_anything_gets_a_sentence(now, sentence):
    with pytest.raises(InputError, match=sentence):
        start_of_interval(now, 300)
