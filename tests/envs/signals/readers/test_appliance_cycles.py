import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.appliance_cycles import read_cycles


def plugs(folder, rows):
    path = folder / "plugs.csv"
    pd.DataFrame(rows, columns=["device", "time", "power_w"]).to_csv(path, index=False)
    return path


def course(start, watts, step_s=10, device="A"):
    begin = pd.Timestamp(start)
    return [
        (device, (begin + pd.Timedelta(seconds=step_s * n)).strftime("%Y-%m-%d %H:%M:%S"), w)
        for n, w in enumerate(watts)
    ]


def test_a_column_of_a_table_is_a_cycle_in_blocks(tmp_path):
    """Six minutes of 2 kW from the second row on: 5 min of 2 kW and a minute in the next block."""
    path = tmp_path / "cycles.csv"
    rows = [f"{10 * n},{2.0 if 1 <= n <= 36 else 0.0}" for n in range(60)]
    path.write_text("sec,hot\n" + "\n".join(rows) + "\n")
    (cycle,) = read_cycles(path)
    assert cycle.name == "hot"
    np.testing.assert_allclose(cycle.block_kw, [2.0, 0.4], rtol=1e-12)
    assert (cycle.length_s, cycle.peak_kw) == (360.0, 2.0)
    assert cycle.energy_kwh == pytest.approx(0.2, abs=1e-12)


def test_a_trace_is_cut_at_long_pauses_only(tmp_path):
    first = [1000.0] * 30 + [0.0] * 60 + [1000.0] * 30
    path = plugs(
        tmp_path, course("2024-01-01", first) + course("2024-01-01 06:00:00", [500.0] * 60)
    )
    one, other = read_cycles(path)
    np.testing.assert_allclose(one.block_kw, [1.0, 0.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(other.block_kw, [0.5, 0.5], rtol=1e-12)
    assert (one.name, other.name) == ("A/1", "A/2")


def test_what_a_plug_did_not_report_for_more_than_a_minute_is_nothing(tmp_path):
    rows = course("2024-01-01", [1200.0] * 30)
    rows += course("2024-01-01 00:09:50", [1200.0])  # five minutes later
    (cycle,) = read_cycles(plugs(tmp_path, rows))
    # 29 rows of 10 s, a minute of the last, and 10 s at the end.
    assert cycle.energy_kwh == pytest.approx(1.2 * (290 + 60 + 10) / 3600, abs=1e-12)


def test_plugs_are_kept_apart_and_standby_is_no_cycle(tmp_path):
    rows = course("2024-01-01", [900.0] * 60) + course("2024-01-01", [3.0] * 60, device="B")
    rows += course("2024-01-01", [100.0] * 6, device="C")
    assert [cycle.name for cycle in read_cycles(plugs(tmp_path, rows))] == ["A/1"]


def test_a_trace_of_tracebase_is_read(tmp_path):
    path = tmp_path / "dev.csv"
    stamps = [
        f"15/05/2012 14:{minute:02d}:{second:02d};600;590"
        for minute in range(10)
        for second in range(0, 60, 5)
    ]
    path.write_text("\n".join(stamps) + "\n")
    (cycle,) = read_cycles(path)
    np.testing.assert_allclose(cycle.block_kw, [0.6, 0.6], rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,b\n1,2\n", "plugs.csv: no column device"),
        ("sec,hot\n0,x\n", "'x' is not a number"),
        ("sec,hot\n0,0\n10,0\n", "hot draws no power at all"),
        ("15/05/2012 14:00:00;1;2\n15/05/2012 14:00:01;1\n", "row 2: expected"),
    ],
)
def test_faults_are_sentences(tmp_path, text, fault):
    path = tmp_path / "plugs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        read_cycles(path)


@pytest.mark.reference
def test_measured_dryer_cycles_have_their_published_energy_and_length(shared_data):
    """Low heat 1.5 to 1.6 kWh in 30 to 39 min, air fluff 0.06 kWh in 20 min (OCHRE's cycles).

    Peaks of means of 10 s lie below those of the original's fifths of a second (5.7 kW).
    """
    cycles = {
        one.name: one for one in read_cycles(shared_data / "appliance/dryer_cycles_10s.csv.gz")
    }
    for name, kwh, minutes, peak_kw in (
        ("Dryer_low_heat_2", 1.6, 30, 5.45),
        ("Dryer_low_heat_3", 1.5, 39, 5.55),
        ("Dryer_air_fluff", 0.06, 20, 0.20),
    ):
        cycle = cycles[name]
        assert cycle.energy_kwh == pytest.approx(kwh, abs=0.05)
        assert cycle.length_s / 60 == pytest.approx(minutes, abs=0.5)
        assert cycle.peak_kw == pytest.approx(peak_kw, abs=0.01)
    table = pd.read_csv(shared_data / "appliance/dryer_cycles_10s.csv.gz")
    for name, cycle in cycles.items():
        # All but what lies below 5 W before and after.
        whole_kwh = table[name].sum() * 10 / 3600
        assert cycle.energy_kwh == pytest.approx(whole_kwh, abs=1e-4)


@pytest.mark.reference
def test_measured_plugs_hold_cycles_of_published_energy(shared_data):
    """Dishwasher 1.0 to 1.4 kWh, washer 0.3 to 0.6 kWh; the German washer takes 104 min for it."""
    cycles = read_cycles(shared_data / "appliance/tracebase_appliances_10s.parquet")
    by_kind = {
        kind: [one for one in cycles if one.name.startswith(kind)]
        for kind in ("Dishwasher", "Washingmachine")
    }
    assert [len(some) for some in by_kind.values()] == [4, 3]
    assert all(1.0 <= one.energy_kwh <= 1.4 for one in by_kind["Dishwasher"])
    assert all(0.3 <= one.energy_kwh <= 0.6 for one in by_kind["Washingmachine"])


@pytest.mark.reference
def test_the_publisher_s_own_trace_gives_the_cycle_of_the_tidy_table(shared_data):
    folder = shared_data / "appliance"
    (original,) = read_cycles(folder / "original/tracebase_Dishwasher_B81D04_2h.csv")
    tidy = read_cycles(folder / "tracebase_appliances_10s.parquet")
    nearest = min(tidy, key=lambda one: abs(one.energy_kwh - original.energy_kwh))
    assert nearest.name.startswith("Dishwasher")
    assert original.energy_kwh == pytest.approx(nearest.energy_kwh, rel=0.01)
    assert original.length_s == pytest.approx(nearest.length_s, abs=30)
