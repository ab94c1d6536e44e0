import re

import numpy as np
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.meter import read_meter


@pytest.fixture
def file(tmp_path):
    def write(*rows, header="time,import_kwh,export_kwh"):
        path = tmp_path / "m.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


def test_readings_are_named_by_their_start_in_utc(file):
    readings = read_meter(file("2026-07-01T00:00:00+09:30,0.2,0", "2026-07-01 00:30+09:30,0.3,0.1"))
    assert readings.start_utc == np.datetime64("2026-06-30T14:30")
    assert readings.dt_s == 1800
    assert readings.import_kwh.tolist() == [0.2, 0.3]
    assert readings.export_kwh.tolist() == [0.0, 0.1]
    assert readings.wholesale_per_mwh is None
    assert readings.source == "m.csv"


@pytest.mark.parametrize(
    ("header", "cells", "imported", "exported"),
    [
        ("time,import_kwh", ("1", "2"), [1.0, 2.0], [0.0, 0.0]),
        ("time,net_kwh", ("1", "-2"), [1.0, 0.0], [0.0, 2.0]),
        ("time,net_kw", ("4", "-8"), [1.0, 0.0], [0.0, 2.0]),
    ],
)
def test_net_readings_are_import_above_zero_and_export_below(
    file, header, cells, imported, exported
):
    rows = [f"2026-07-01T00:{15 * i:02d}Z,{cell}" for i, cell in enumerate(cells)]
    readings = read_meter(file(*rows, header=header))
    assert readings.import_kwh.tolist() == imported
    assert readings.export_kwh.tolist() == exported


def test_the_wholesale_price_may_stand_beside_the_energy(file):
    header = "wholesale_per_mwh,time,export_kwh,import_kwh"
    readings = read_meter(
        file("-50,2026-07-01T00:00Z,1,2", "90,2026-07-01T01:00Z,1,2", header=header)
    )
    assert readings.wholesale_per_mwh.tolist() == [-50.0, 90.0]
    assert readings.import_kwh.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    "stamps",
    [
        ("2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"),
        ("2026-03-29T00:00+01:00", "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"),
    ],
)
def test_offsets_carry_readings_over_a_change_of_the_clock(file, stamps):
    readings = read_meter(file(*(f"{stamp},1,0" for stamp in stamps)))
    assert (readings.dt_s, len(readings.import_kwh)) == (3600, 3)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Etc/GMT-10", "2026-03-28T14:00"),
        ("Asia/Kolkata", "2026-03-28T18:30"),
        ("Etc/UTC", "2026-03-29T00:00"),
    ],
)
def test_stamps_without_offset_are_those_of_a_clock_that_does_not_change(file, zone, start):
    path = file("2026-03-29T00:00,1,0", "2026-03-29T01:00,1,0", "2026-03-29T02:00,1,0")
    assert read_meter(path, zone).start_utc == np.datetime64(start)


def test_a_clock_that_changes_in_other_months_will_do(file):
    path = file("2026-07-01T00:00,1,0", "2026-07-01T01:00,1,0")
    assert read_meter(path, "Europe/Berlin").start_utc == np.datetime64("2026-06-30T22:00")


GOOD = ("2026-07-01T00:00Z,1,0", "2026-07-01T00:30Z,1,0", "2026-07-01T01:00Z,1,0")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ((*GOOD, "2026-07-01T02:30Z,1,0", "2026-07-01T04:00Z,1,0"),
         "row 5, column time: '2026-07-01T02:30Z' follows a gap of 2 intervals after row 4, of 4 "),
        ((*GOOD, "2026-07-01T01:00Z,1,0"),
         "row 5, column time: '2026-07-01T01:00Z' is the instant of row 4 again; keep one row"),
        ((*GOOD, "2026-07-01T03:00+02:00,1,0"), "is the instant of row 4 again"),
        ((*GOOD, "2026-07-01T00:30Z,1,0"), "'2026-07-01T00:30Z' lies before row 4; sort the rows"),
        ((*GOOD, "2025-07-01T01:30Z,1,0"), "'2025-07-01T01:30Z' lies before row 4"),
        ((*GOOD, "2027-07-01T01:30Z,1,0"), "follows a gap of 17520 intervals after row 4"),
        ((*GOOD, "2026-07-01T01:40Z,1,0"), "follows row 4 by 2400 s where most rows follow by 180"),
        ((*GOOD, "0026-07-01T01:30Z,1,0"), "row 5, column time: '0026-07-01T01:30Z' is of the yea"),
        ((*GOOD, "01/07/2026 01:30,1,0"), "row 5, column time: '01/07/2026 01:30' is not a stamp;"),
        ((*GOOD, "2026-07-01T01:30,1,0"), "row 5, column time: '2026-07-01T01:30' has no UTC offs"),
        ((*GOOD, "2026-07-01T01:30Z,,0"), "row 5, column import_kwh: '' is not a number of at lea"),
        ((*GOOD, "2026-07-01T01:30Z,1,-1"), "row 5, column export_kwh: '-1' is not a number of at"),
        ((*GOOD, "2026-07-01T01:30Z,nan,0"), "column import_kwh: 'nan' is not a number"),
        (GOOD[:1], "m.csv has fewer rows below its header than 2"),
        ((GOOD[0], GOOD[0]), "is the instant of row 2 again"),
        (("2026-07-01T00:00,1,0", "2026-07-01T00:30,1,0"),
         "row 2, column time: '2026-07-01T00:00' has no UTC offset; write 2026-07-01T00:00:00+01:"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_row_and_column(file, rows, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_meter(file(*rows))


@pytest.mark.parametrize(
    ("rows", "zone", "sentence"),
    [
        (("2026-03-28T23:00,1,0", "2026-03-29T00:00,1,0"), "Europe/Berlin",
         "m.csv, column time: the clock of Europe/Berlin changes on 2026-03-29, and stamps"),
        (("2026-10-25T01:00,1,0", "2026-10-25T02:00,1,0"), "Europe/Berlin", "changes on 2026-10-2"),
        (("2026-04-05T00:00,1,0", "2026-04-05T01:00,1,0"), "Australia/Lord_Howe", "on 2026-04-05"),
        (("2026-11-01T00:00,1,0", "2026-11-01T01:00,1,0"), "America/New_York", "on 2026-11-01"),
        (("2026-07-01T00:00,1,0", "2026-07-01T01:00,1,0"), "Berlin", "--zone 'Berlin' is no IANA "),
        (GOOD, "Etc/UTC", "the stamps carry their UTC offset, leave the zone 'Etc/UTC' away"),
    ],
)  # fmt: skip
def test_stamps_whose_instant_is_not_certain_are_refused(file, rows, zone, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_meter(file(*rows), zone)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (
            "time,import_kwh,exprt_kwh",
            "column 'exprt_kwh' is not known; did you mean 'export_kwh'?",
        ),
        ("stamp,import_kwh,export_kwh", "column 'stamp' is not known; take it out or rename it."),
        ("time,import_kwh,net_kwh", "expected time, and import_kwh with or without export_kwh, or"),
        ("time,export_kwh,wholesale_per_mwh", "expected time, and import_kwh"),
        ("net_kw,import_kwh,export_kwh", "expected time"),
    ],
)
def test_columns_that_say_no_energy_are_refused(file, header, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_meter(file(*GOOD, header=header))
