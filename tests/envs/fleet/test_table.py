import csv
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.fleet import table_cells
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.table import home_ids, read_fleet, read_fleet_table, write_fleet

SITE = "home_id,kind,import_limit_kw,export_limit_kw\n7,site,14.5,5\n"


def columns(fleet):
    flat = []
    map_columns(fleet, lambda column: flat.append(column) or column)
    return flat


def assert_equal(ours, theirs):
    assert (ours.ev is None) == (theirs.ev is None)
    for one, other in zip(columns(ours), columns(theirs), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def written(path, text):
    path.write_text(text)
    return path


@st.composite
def specs(draw):
    share = st.sampled_from([0.0, 0.4, 1.0])
    return FleetSpec(
        homes=draw(st.integers(1, 40)),
        seed=draw(st.integers(0, 2**32)),
        first_home=draw(st.integers(0, 10**6)),
        battery_share=draw(share),
        solar_share=draw(share),
        duration_h=draw(st.none() | st.floats(0.25, 9.0)),
        round_trip_eff=draw(st.none() | st.floats(0.3, 1.0)),
        export_limit_kw=draw(st.none() | st.floats(0.0, 30.0)),
        homeowner_share=draw(st.floats(0.0, 1.0)),
        ev_share=draw(share),
        managed_share=draw(share),
    )


def test_habits_come_back_from_a_table_and_a_blank_cell_is_at_once(tmp_path):
    shares = {"ev_midnight_share": 0.4, "ev_last_moment_share": 0.4}
    fleet = sample_fleet(FleetSpec(homes=40, ev_share=0.7, **shares))
    path = tmp_path / "homes.csv"
    write_fleet(fleet, path)
    assert_equal(read_fleet(path), fleet)
    assert fleet.ev.habit.unique().tolist() == [0, 1, 2]
    for word, blank in (("at once", ""), ("last moment", "Last_Moment")):
        path.write_text(path.read_text().replace(word, blank))
    assert_equal(read_fleet(path), fleet)
    for word in ("midnight", "Last_Moment"):
        path.write_text(path.read_text().replace(word, ""))
    # Nobody waits: nothing is computed for it.
    assert read_fleet(path).ev.habit is None


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@given(spec=specs())
@settings(max_examples=40)
def test_a_sampled_fleet_comes_back_from_its_table_to_the_bit(ending, spec, tmp_path_factory):
    path = tmp_path_factory.mktemp("fleet") / f"homes.{ending}"
    fleet = sample_fleet(spec)
    if fleet.ev is not None and not (fleet.ev.params.charge_kw > 0).any():
        fleet = fleet._replace(ev=None)  # cars that nobody has are no rows
    write_fleet(fleet, path)
    assert_equal(read_fleet(path), fleet)


def test_csv_gzipped_csv_and_parquet_say_the_same(tmp_path):
    fleet = sample_fleet(FleetSpec(homes=30, ev_share=0.5, battery_share=0.5))
    plain, zipped = tmp_path / "homes.csv", tmp_path / "zipped.csv.gz"
    write_fleet(fleet, plain)
    write_fleet(fleet, tmp_path / "homes.parquet")
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    for path in (zipped, tmp_path / "homes.parquet"):
        assert read_fleet_table(path).names == read_fleet_table(plain).names
        assert_equal(read_fleet(path), read_fleet(plain))


def test_rows_of_a_home_stand_together_in_the_order_of_the_fleet(tmp_path):
    write_fleet(sample_fleet(FleetSpec(homes=12, ev_share=0.5)), tmp_path / "homes.csv")
    rows = [row.split(",")[:2] for row in (tmp_path / "homes.csv").read_text().splitlines()[1:]]
    kinds = ["site", "battery", "solar", "ev"]
    assert len(rows) > 24
    assert rows == sorted(rows, key=lambda row: (int(row[0]), kinds.index(row[1])))


def test_rows_may_stand_in_any_order_and_homes_keep_that_of_their_sites(tmp_path):
    path = tmp_path / "homes.csv"
    write_fleet(sample_fleet(FleetSpec(homes=12, ev_share=0.5)), path)
    header, *rows = path.read_text().splitlines()
    sites = [row for row in rows if ",site," in row]
    others = [row for row in rows if ",site," not in row]
    turned = written(tmp_path / "turned.csv", "\n".join([header, *others[::-1], *sites]))
    assert len(others) > 12
    assert_equal(read_fleet(turned), read_fleet(path))


def test_parquet_with_gaps_in_whole_numbers_keeps_ids_archetypes_and_switches(tmp_path):
    """pandas makes floats of whole numbers with gaps, and truth is a type of its own there."""
    path = tmp_path / "homes.parquet"
    table = {
        "home_id": [7.0, 7.0, None],
        "kind": ["site", "ev", "site"],
        "import_limit_kw": [14.5, None, 1.0],
        "export_limit_kw": [5, None, 5],
        "capacity_kwh": [None, 60, None],
        "charge_kw": [None, 7.0, None],
        "target_pct": [None, 85.0, None],
        "archetype": [None, 3.0, None],
        "managed": [None, False, None],
    }
    pq.write_table(pa.table({name: cells[:2] for name, cells in table.items()}), path)
    fleet = read_fleet(path)
    assert fleet.home_id.tolist() == [7]
    assert fleet.ev.archetype.tolist() == [3]
    assert fleet.ev.agreement.managed.tolist() == [0.0]
    pq.write_table(pa.table(table), path)
    with pytest.raises(InputError, match="row 4, home_id: is blank"):
        read_fleet(path)


def test_a_blank_cell_is_the_default_that_the_columns_name(tmp_path):
    text = (
        "home_id,kind,import_limit_kw,export_limit_kw,usable_kwh,charge_kw,discharge_kw,"
        "reserve_pct,capacity_kwh,target_kwh\n"
        "7,site,14.5,5,,,,,,\n7,battery,,,10,5,4,20,,\n7,ev,,,,1.2,,,50,40\n"
    )
    fleet = read_fleet(written(tmp_path / "homes.csv", text))
    assert fleet.load_mean_kw.tolist() == [0.6]
    assert fleet.agreement.homeowner_share.tolist() == [0.8]
    assert fleet.agreement.reserve_kwh.tolist() == [2.0]
    assert (fleet.battery.one_way_eff**2).tolist() == pytest.approx([0.9])
    assert fleet.battery.standing_loss_kw.tolist() == [0.02]
    assert fleet.battery.wear_per_kwh.tolist() == [0.04]
    assert fleet.cohort.tolist() == [1]  # 8 kWh above the reserve over 4 kW: two hours
    assert fleet.solar_kw.tolist() == [0.0]
    ev = fleet.ev
    assert ev.params.least_charge_kw.tolist() == [1.2]  # of a charger below 1.44 kW: all it has
    assert ev.params.discharge_kw.tolist() == [0.0]
    assert ev.params.charge_eff.tolist() == ev.params.discharge_eff.tolist() == [0.9]
    assert ev.params.taper_fill.tolist() == [0.95]
    assert ev.params.wear_per_kwh.tolist() == [0.07]
    assert ev.params.drive_kwh_per_km.tolist() == [0.18]
    assert ev.agreement.minimum_kwh.tolist() == [0.0]
    assert ev.agreement.managed.tolist() == [1.0]


def test_archetypes_that_are_not_named_are_those_of_the_sampled_home(tmp_path):
    path = tmp_path / "homes.csv"
    sampled = sample_fleet(FleetSpec(homes=20, ev_share=1.0, solar_share=1.0))
    write_fleet(sampled, path)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["load_archetype"] = row["archetype"] = ""
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert_equal(read_fleet(path), sampled)


def test_homes_are_named_by_whole_numbers_or_by_any_text():
    ids = home_ids(["0", "7", "9223372036854775807", "07", "h-7", "9223372036854775808", "-7"])
    assert ids[:3].tolist() == [0, 7, 2**63 - 1]
    assert (ids >= 0).all()
    assert len(ids.unique()) == 7
    # Known for good: a home keeps its draws and its split.
    assert home_ids(["h-7"]).tolist() == [7237992804722460599]


def test_names_are_kept_for_reports(tmp_path):
    path = tmp_path / "homes.csv"
    fleet = sample_fleet(FleetSpec(homes=3))
    write_fleet(fleet, path, names=["Miller", "07", "b"])
    table = read_fleet_table(path)
    assert table.names == ("Miller", "07", "b")
    assert torch.equal(table.fleet.home_id, home_ids(table.names))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "homes.csv is empty; expected a header and rows"),
        (b"home_id,kind\n", "homes.csv has fewer rows below its header than 1"),
        (b"home_id;kind\n7;site\n", "row 1: columns are separated by semicolons or tabs; save"),
        (b"home_id,kind,kind\n7,site,site\n", "column 'kind' occurs twice; keep one"),
        (b"home_id,kind\n7\n", "homes.csv, row 2: 1 cells where the header has 2"),
        (b"PAR1 and no more", "homes.csv is a damaged Parquet file"),
    ],
)
def test_what_is_no_table_is_one_sentence(raw, sentence, tmp_path):
    path = tmp_path / "homes.csv"
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_fleet(path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parquet_without_rows_is_one_sentence(tmp_path):
    pq.write_table(pa.table({"home_id": pa.array([], pa.int64())}), tmp_path / "homes.parquet")
    with pytest.raises(InputError, match="has no rows; expected one row a device"):
        read_fleet(tmp_path / "homes.parquet")


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    fleet = sample_fleet(FleetSpec(homes=2))
    with pytest.raises(InputError, match=r"ends in \.csv or \.parquet"):
        write_fleet(fleet, tmp_path / "homes.xlsx")

    def full(*names):
        raise OSError(28, "No space left on device")

    old = written(tmp_path / "homes.csv", SITE)
    monkeypatch.setattr(table_cells.os, "replace", full)
    with pytest.raises(InputError, match="cannot be written"):
        write_fleet(fleet, old)
    assert [file.name for file in tmp_path.iterdir()] == ["homes.csv"]
    assert old.read_text() == SITE
