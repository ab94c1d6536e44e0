import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.ev_sessions import COLUMNS, read_ev_sessions

NORWAY = "location,user_id,user_type,plugin_local,plugout_local,energy_kwh,garage,parking_h"
CALTECH = (
    "site,arrival_utc,departure_utc,requested_kwh,delivered_kwh,station_id,"
    "estimated_departure_utc,claimed,parking_h"
)
TRONDHEIM = "session_ID;Garage_ID;User_ID;Start_plugin;End_plugout;El_kWh"


def write(folder, header, *rows):
    path = folder / "sessions.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def norway(begin, end, energy_kwh="10.5", user="U1"):
    return f"ASK,{user},,{begin},{end},{energy_kwh},,"


def test_each_fault_of_a_norwegian_file_is_dropped_and_counted_once(tmp_path):
    path = write(
        tmp_path,
        NORWAY,
        norway("2019-01-01 18:00:00", "2019-01-02 07:00:00"),
        norway("2019-01-02 18:00:00", ""),
        norway("2019-01-03 18:00:00", "NA", energy_kwh=""),
        norway("2019-01-04 18:00:00", "2019-01-04 18:00:00"),
        norway("2019-01-05 18:00:00", "2019-01-05 17:00:00", energy_kwh="0"),
        norway("2019-01-06 18:00:00", "2019-01-06 19:00:00", energy_kwh="0"),
        norway("2019-01-07 18:00:00", "2019-01-07 19:00:00", energy_kwh=""),
        norway("2019-03-31 02:30:00", "2019-03-31 09:00:00"),
    )
    sessions, report = read_ev_sessions(path)
    assert (report.sessions, report.kept, len(sessions)) == (8, 1, 1)
    assert report.without_plug_out == 2
    assert report.without_duration == 2
    assert report.without_energy == 2
    assert report.skipped_hours == 1
    assert str(report) == (
        "sessions.csv: 1 of 8 sessions; dropped 2 without plug-out, 2 with zero or negative "
        "duration, 2 without energy, 1 in an hour that the clock skips"
    )


def test_norwegian_stamps_are_those_of_oslo(tmp_path):
    path = write(
        tmp_path,
        NORWAY,
        norway("2019-07-01 18:00:00", "2019-07-02 07:00:00", user="summer"),
        norway("2019-01-01 18:00:00", "2019-01-02 07:00:00", user="winter"),
    )
    sessions, _ = read_ev_sessions(path)
    assert tuple(sessions.columns) == COLUMNS
    assert list(sessions.charger_id) == ["winter", "summer"]  # in the order of plug-in
    assert sessions.plug_in_utc[0] == pd.Timestamp("2019-01-01 17:00")
    assert sessions.plug_in_utc[1] == pd.Timestamp("2019-07-01 16:00")
    assert list(sessions.energy_kwh) == [10.5, 10.5]
    assert sessions.requested_kwh.isna().all()
    assert sessions.declared_departure_utc.isna().all()


def test_a_session_over_the_repeated_hour_of_october_keeps_its_end_after_its_start(tmp_path):
    # 02:50 in summer time to 02:10 in winter time: twenty minutes.
    path = write(tmp_path, NORWAY, norway("2019-10-27 02:50:00", "2019-10-27 02:10:00"))
    sessions, report = read_ev_sessions(path)
    assert report.kept == 1
    assert sessions.plug_out_utc[0] - sessions.plug_in_utc[0] == pd.Timedelta(minutes=20)


def test_acn_tells_request_and_declared_departure(tmp_path):
    stamp = "2019-05-01 {}+00:00"
    row = (
        f"caltech,{stamp.format('08:18:45')},{stamp.format('22:52:36')},60.0,44.069,CA-305,"
        f"{stamp.format('16:20:45')},True,14.5"
    )
    sessions, _ = read_ev_sessions(write(tmp_path, CALTECH, row))
    only = sessions.iloc[0]
    assert (only.charger_id, only.energy_kwh, only.requested_kwh) == ("CA-305", 44.069, 60.0)
    assert only.plug_in_utc == pd.Timestamp("2019-05-01 08:18:45")
    assert only.declared_departure_utc == pd.Timestamp("2019-05-01 16:20:45")


def test_the_publishers_file_has_decimal_commas_and_days_first(tmp_path):
    row = "1;AdO3;AdO3-4;02.01.2019 10:20;02.01.2019 19:46;29,87"
    sessions, _ = read_ev_sessions(write(tmp_path, TRONDHEIM, row))
    assert sessions.energy_kwh[0] == 29.87
    assert sessions.plug_in_utc[0] == pd.Timestamp("2019-01-02 09:20")


def test_a_strange_cell_and_strange_columns_are_refused(tmp_path):
    path = write(tmp_path, NORWAY, norway("2019-01-01 18:00:00", "tomorrow"))
    with pytest.raises(InputError, match=r"row 2, column plugout_local: 'tomorrow' is not a stamp"):
        read_ev_sessions(path)
    with pytest.raises(InputError, match=r"sessions\.csv is no file of charging sessions that is"):
        read_ev_sessions(write(tmp_path, "a,b", "1,2"))


def test_real_norwegian_sessions_without_an_end_or_a_duration_are_counted(shared_data):
    """The tidy slice keeps 4 and 7 of the 45 and 17 that the whole data set is known to have."""
    sessions, report = read_ev_sessions(shared_data / "ev" / "norway_residential_sessions.csv.gz")
    assert (report.sessions, report.without_plug_out, report.without_duration) == (15_164, 4, 7)
    assert (report.without_energy, report.skipped_hours) == (0, 0)
    assert len(sessions) == report.kept == 15_153
    assert (sessions.plug_out_utc > sessions.plug_in_utc).all()
    assert sessions.energy_kwh.between(0.01, 85.68).all()


def test_the_publishers_slice_of_trondheim_agrees_with_the_tidy_table(shared_data):
    folder = shared_data / "ev"
    name = "Trondheim_Dataset_1_EV_charging_reports_slice.csv"
    original, report = read_ev_sessions(folder / "original" / name)
    assert (report.sessions, report.without_plug_out, report.without_duration) == (1500, 0, 2)
    tidy, _ = read_ev_sessions(folder / "norway_residential_sessions.csv.gz")
    found = original.merge(tidy, on=["charger_id", "plug_in_utc", "plug_out_utc", "energy_kwh"])
    assert len(found) >= len(original)


def test_real_acn_sessions_are_all_kept(shared_data):
    sessions, report = read_ev_sessions(shared_data / "ev" / "acn_sessions.csv.gz")
    assert report.kept == report.sessions == len(sessions) == 9553
    assert np.isfinite(sessions.requested_kwh).all()
    assert (sessions.declared_departure_utc > sessions.plug_in_utc).all()
