import json
import zipfile
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_rl.export.artifact import export_run
from vpp_rl.export.columns import SET_POINT_COLUMNS, SIGNAL_ENTRIES, TELEMETRY_COLUMNS
from vpp_rl.export.load import load
from vpp_rl.files import file_sha256


def test_an_artifact_is_four_files_that_the_manifest_vouches_for(exported):
    _, _, folder = exported
    names = {"controller.pt", "golden.npz", "README.md", "manifest.json"}
    assert {path.name for path in folder.iterdir()} == names
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {one["name"] for one in manifest["files"]} == names - {"manifest.json"}
    for one in manifest["files"]:
        assert one["sha256"] == file_sha256(folder / one["name"])
        assert one["bytes"] == (folder / one["name"]).stat().st_size
    assert sum(one["bytes"] for one in manifest["files"]) < 500_000


def test_the_manifest_says_what_a_deployer_must_know(exported):
    env, _, folder = exported
    manifest = load(folder).manifest
    assert (manifest.region, manifest.currency, manifest.zone) == ("SA1", "AUD", "Etc/GMT-10")
    assert manifest.package_version == version("vpp-rl")
    assert manifest.torch_version == torch.__version__
    assert manifest.control_dt_s == 300
    assert manifest.dispatch == env.dispatch
    assert "draws from the grid" in manifest.sign_convention
    assert [one.name for one in manifest.cohorts] == list(env.scenario.cohort_names)
    assert [one.duration_h for one in manifest.cohorts] == [1.0, 2.0]
    assert manifest.observation_names == env.observation_names
    assert manifest.action_names == env.action_names
    for described, columns in (
        (manifest.telemetry, TELEMETRY_COLUMNS),
        (manifest.signals, SIGNAL_ENTRIES),
        (manifest.set_points, SET_POINT_COLUMNS),
    ):
        assert [one.name for one in described] == [column.name for column in columns]
        assert all(one.low < one.high and one.meaning for one in described)
    assert manifest.telemetry[9].unit == "AUD/kWh"
    assert manifest.forecast.unit == "AUD/MWh"
    assert (manifest.forecast_leads, manifest.forecast_lead_h) == (48, 0.5)
    assert sum(manifest.forecast_weights) == pytest.approx(1.0)
    age = datetime.now(UTC) - datetime.fromisoformat(manifest.created_utc)
    assert timedelta(0) <= age < timedelta(minutes=10)


def test_the_controllers_own_file_describes_itself(exported):
    _, _, folder = exported
    with zipfile.ZipFile(folder / "controller.pt") as archive:
        inside = json.loads(archive.read("controller/extra/metadata.json"))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]
    assert inside == manifest


def test_golden_pairs_are_fleets_of_one_to_200_homes_in_plain_arrays(exported):
    with np.load(exported[2] / "golden.npz", allow_pickle=False) as golden:
        homes = golden["homes"]
        assert len(homes) >= 64
        assert (homes.min(), homes.max()) == (1, 200)
        assert golden["telemetry"].shape == (homes.sum(), 13)
        assert golden["signals"].shape == (len(homes), 7)
        assert golden["nodes_per_mwh"].shape == (len(homes), 48, 11)
        assert golden["set_points"].shape == (homes.sum(), 5)
        # They move batteries both ways, and hold homes that are left alone.
        assert golden["set_points"][:, 0].min() < -1.0
        assert golden["set_points"][:, 0].max() > 1.0
        assert 0 < (golden["set_points"][:, 4] == 0).sum() < homes.sum() / 10


def test_the_card_names_data_score_limits_and_use(make_run, tmp_path):
    make_run(tmp_path / "run", "value_curve")
    noted = {"prices": "PRICE_AND_DEMAND_202207_SA1.csv", "prices sha256": "abc123"}
    (tmp_path / "run" / "provenance.json").write_text(json.dumps(noted))
    card = (export_run(tmp_path / "run") / "README.md").read_text()
    for text in (
        "PRICE_AND_DEMAND_202207_SA1.csv, SHA-256 abc123",
        "123 AUD per home and year",
        "apg, seed 0: 100 steps",
        "battery_1h (1 h), battery_2h (2 h)",
        "expires after 300 seconds",
        "from vpp_rl.export import load",
        "power above 0 draws from the grid",
    ):
        assert text in card


def test_a_policy_with_an_action_a_home_cannot_be_exported(make_run, tmp_path):
    make_run(tmp_path / "run", "per_device")
    with pytest.raises(InputError, match=r"per_device.*cannot be exported"):
        export_run(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["policy.pt", "policy.json"])
def test_a_damaged_run_is_refused_and_nothing_is_written(make_run, tmp_path, name):
    make_run(tmp_path / "run", "value_curve")
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:-100])
    before = sorted((tmp_path / "run").iterdir())
    with pytest.raises(InputError, match=name):
        export_run(tmp_path / "run")
    assert sorted((tmp_path / "run").iterdir()) == before


def test_a_new_export_takes_the_place_of_an_older_one(make_run, tmp_path):
    make_run(tmp_path / "first", "value_curve", seed=1)
    make_run(tmp_path / "second", "value_curve", seed=2)
    out = tmp_path / "served"
    export_run(tmp_path / "first", out)
    assert export_run(tmp_path / "second", out) == out
    assert load(out).manifest.seed == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second", "served"]


def test_an_export_that_does_not_replay_never_appears(make_run, tmp_path, monkeypatch):
    make_run(tmp_path / "run", "value_curve")
    monkeypatch.setattr("vpp_rl.export.artifact.replay", lambda *_: 1e-3)
    with pytest.raises(AssertionError, match=r"differs from its source by 1\.0e-03"):
        export_run(tmp_path / "run")
    assert not (tmp_path / "run" / "export").exists()
