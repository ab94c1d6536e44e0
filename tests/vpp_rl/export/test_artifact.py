import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.table import write_fleet
from vpp_envs.forecast.day_ahead import day_ahead
from vpp_envs.forecast.naive import FORECASTERS
from vpp_envs.people.settings import PeopleSpec
from vpp_envs.signals import recorded
from vpp_envs.signals.market import MarketSpec
from vpp_rl.export.artifact import export_run, forecaster_of
from vpp_rl.export.card import model_card
from vpp_rl.export.columns import SIGNAL_ENTRIES, WITH_CARS, WITHOUT_CARS, columns_of
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
    cars = env.scenario.cars
    assert [one.name for one in manifest.cars or ()] == list(env.scenario.car_names)
    assert (manifest.cars is None) == (cars is None)
    of_homes = columns_of(cars is not None)
    for described, columns in (
        (manifest.telemetry, of_homes.telemetry),
        (manifest.signals, SIGNAL_ENTRIES),
        (manifest.set_points, of_homes.set_points),
    ):
        assert [one.name for one in described] == [column.name for column in columns]
        assert all(one.low < one.high and one.meaning for one in described)
    assert manifest.telemetry[9].unit == "AUD/kWh"
    assert manifest.forecast.unit == "AUD/MWh"
    assert (manifest.forecast_leads, manifest.forecast_lead_h) == (48, 0.5)
    assert sum(manifest.forecast_weights) == pytest.approx(1.0)
    # Written in whole seconds just before the files, on this machine's clock.
    written = datetime.fromtimestamp((folder / "controller.pt").stat().st_mtime, UTC)
    told = datetime.fromisoformat(manifest.created_utc)
    assert abs(told - written) <= timedelta(seconds=30)


def test_columns_of_cars_follow_those_of_homes_without():
    for without, with_cars in zip(WITHOUT_CARS, WITH_CARS, strict=True):
        names = [column.name for column in without]
        assert [column.name for column in with_cars[: len(without)]] == names
        assert all(column.name.startswith("ev_") for column in with_cars[len(without) :])
    assert (len(WITHOUT_CARS.telemetry), len(WITHOUT_CARS.set_points)) == (13, 5)
    assert (len(WITH_CARS.telemetry), len(WITH_CARS.set_points)) == (26, 8)


def test_an_artifact_of_homes_without_cars_does_not_mention_them(one_artifact):
    manifest = json.loads((one_artifact / "manifest.json").read_text())
    assert "cars" not in manifest
    assert "ev_" not in json.dumps(manifest)
    assert "car" not in (one_artifact / "README.md").read_text().lower().split()


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
        columns = columns_of(exported[0].scenario.cars is not None)
        assert golden["telemetry"].shape == (homes.sum(), len(columns.telemetry))
        assert golden["signals"].shape == (len(homes), 7)
        assert golden["nodes_per_mwh"].shape == (len(homes), 48, 11)
        assert golden["set_points"].shape == (homes.sum(), len(columns.set_points))
        # They move batteries both ways, and hold homes that are left alone; in some of these
        # every number alone is in its range, but the reserve is above the capacity.
        assert golden["set_points"][:, 0].min() < -1.0
        assert golden["set_points"][:, 0].max() > 1.0
        alone = golden["set_points"][:, 4] == 0
        assert 0 < alone.sum() < homes.sum() / 8
        swapped = golden["telemetry"][:, 10] > golden["telemetry"][:, 4]
        assert (swapped & np.isfinite(golden["telemetry"]).all(-1)).sum() > 20
        assert alone[swapped].all()
        if exported[0].scenario.cars is not None:
            ev_kw = golden["set_points"][:, 5]
            assert (np.isnan(ev_kw) == alone).all()
            assert np.nanmin(ev_kw) < -1.0
            assert np.nanmax(ev_kw) > 1.0


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
        "a reserve above\n  its capacity",
        "expires after 300 seconds",
        "from vpp_rl.export import load",
        "power above 0 draws from the grid",
    ):
        assert text in card


def test_the_card_of_a_controller_with_cars_tells_their_drivers_promise(exported_with_cars):
    card = (exported_with_cars[2] / "README.md").read_text()
    for text in (
        "Home batteries, rooftop solar and electric cars",
        "ev_v1g (charges only), ev_v2g (gives back)",
        "leaves with its target",
        "table.ev_kw",
    ):
        assert text in card


def test_a_run_from_before_there_were_cars_is_one_of_homes_without(make_run, tmp_path):
    make_run(tmp_path / "run", "value_curve")
    path = tmp_path / "run" / "policy.json"
    facts = json.loads(path.read_text())
    assert facts.pop("cars") is None
    path.write_text(json.dumps(facts))
    assert load(export_run(tmp_path / "run")).manifest.cars is None


def test_a_class_of_cars_that_is_not_known_here_is_named(make_run, with_cars, tmp_path):
    make_run(tmp_path / "run", "value_curve", spec=with_cars)
    path = tmp_path / "run" / "policy.json"
    path.write_text(path.read_text().replace("ev_v2g", "ev_v3g"))
    with pytest.raises(InputError, match="class of cars 'ev_v3g' is unknown here"):
        export_run(tmp_path / "run")


def test_a_policy_with_an_action_a_home_cannot_be_exported(make_run, tmp_path):
    make_run(tmp_path / "run", "per_device")
    with pytest.raises(InputError, match=r"per_device.*cannot be exported"):
        export_run(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_policy_of_homes_behind_a_tariff_cannot_be_exported(make_run, with_cars, tmp_path):
    spec = replace(with_cars, name="solar_homes", tariff="example")
    make_run(tmp_path / "run", "value_curve", spec=spec)
    with pytest.raises(InputError) as refused:
        export_run(tmp_path / "run", tmp_path / "out")
    assert str(refused.value) == (
        f"{tmp_path / 'run'}: scenario 'solar_homes' has a tariff, and exported controllers do "
        "not know the second price that it pays for export yet; expected a run on a wholesale "
        "market: train with scenario.tariff=null to export."
    )
    assert not (tmp_path / "out").exists()


def test_a_policy_that_sees_events_of_a_programme_cannot_be_exported(make_run, with_cars, tmp_path):
    spec = replace(with_cars, people=PeopleSpec(enrolled_share=1.0, event_days=1))
    make_run(tmp_path / "run", "value_curve", spec=spec)
    with pytest.raises(InputError, match=r"scenario\.people\.event_days=0 to export\.$"):
        export_run(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shares", [{"depot_share": 0.2}, {"transformer_homes": 10}])
def test_a_policy_of_homes_that_share_connections_cannot_be_exported(make_run, shares, tmp_path):
    make_run(tmp_path / "run", "value_curve")
    config = tmp_path / "run" / "config.json"
    config.write_text(json.dumps({"fleet": {"depot_share": 0.0, "transformer_homes": 0, **shares}}))
    with pytest.raises(InputError, match="share a connection, and exported controllers do not"):
        export_run(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    config.write_text(json.dumps({"fleet": {"depot_share": 0.0, "transformer_homes": 0}}))
    export_run(tmp_path / "run", tmp_path / "out")


WAITING = {"ev_share": 1.0, "managed_share": 0.9, "ev_midnight_share": 0.3}


@pytest.mark.parametrize("table", [False, True])
def test_a_policy_of_cars_that_wait_and_that_nobody_may_command_cannot_be_exported(
    make_run, with_cars, table, tmp_path
):
    """A managed car is the policy's whatever its driver would do; another draws what it draws."""
    make_run(tmp_path / "run", "value_curve", spec=with_cars)
    config, homes = tmp_path / "run" / "config.json", tmp_path / "homes.csv"

    def set_down(**shares):
        fleet = dict(WAITING, **shares)
        write_fleet(sample_fleet(FleetSpec(homes=60, **fleet)), homes)
        config.write_text(json.dumps({"fleet": {"table": str(homes)} if table else fleet}))

    set_down()
    with pytest.raises(InputError, match=r"expected a run with fleet\.managed_share=1"):
        export_run(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    for shares in ({"managed_share": 1.0}, {"ev_midnight_share": 0.0}):
        set_down(**shares)
        export_run(tmp_path / "run", tmp_path / "out")


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


def leave_config(run, prices, forecaster):
    market = {"region": "SA1", "prices": prices, "forecaster": forecaster}
    (run / "config.json").write_text(json.dumps({"seed": 0, "market": market}))


def test_manifest_and_card_name_the_forecaster(make_run, tmp_path):
    make_run(tmp_path / "run", "value_curve")
    leave_config(tmp_path / "run", "july.csv", "auto")
    folder = export_run(tmp_path / "run")
    assert json.loads((folder / "manifest.json").read_text())["forecaster"] == "seasonal_decayed"
    assert load(folder).manifest.forecaster == "seasonal_decayed"
    assert "| forecaster | `seasonal_decayed`: causal" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("prices", "forecaster", "name"),
    [
        (None, "auto", "exact"),
        (None, "exact", "exact"),
        ("july.csv", "auto", "seasonal_decayed"),
        ("july.csv", "persistence", "persistence"),
        ("july.csv", "oracle", "oracle"),
        ("dutch.csv", "day_ahead", "day_ahead"),
    ],
)
def test_a_runs_configuration_tells_its_forecaster(tmp_path, prices, forecaster, name):
    leave_config(tmp_path, prices, forecaster)
    assert forecaster_of(tmp_path) == name


def test_auto_means_here_what_it_means_to_the_market(monkeypatch):
    # A market that knows no forecaster names the one that it looked for.
    monkeypatch.setattr(recorded, "FORECASTERS", {})
    with pytest.raises(InputError, match="forecaster='seasonal_decayed' is unknown"):
        recorded.recorded_signals(MarketSpec(prices="july.csv", forecaster="auto"), "train")


@pytest.mark.parametrize("config", ["{", "[]", "3", "{}", '{"market": {"region": "SA1"}}'])
def test_a_damaged_configuration_tells_no_forecaster(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    assert forecaster_of(tmp_path) is None


def test_an_artifact_without_a_forecaster_loads_as_those_before_the_field_did(one_artifact):
    assert "forecaster" not in json.loads((one_artifact / "manifest.json").read_text())
    assert load(one_artifact).manifest.forecaster is None
    assert "| forecaster | not noted by the run |" in (one_artifact / "README.md").read_text()


@pytest.mark.parametrize("ticks", [1, 4, 6])
@pytest.mark.parametrize(
    ("trained_with", "row", "shown"),
    [
        (None, "not noted by the run", "seasonal_decayed"),
        ("exact", "`exact`: the conditional law of the synthetic prices", "seasonal_decayed"),
        ("oracle", "`oracle`: the future itself", "seasonal_decayed"),
        ("seasonal_decayed", "`seasonal_decayed`: causal", "seasonal_decayed"),
        ("seasonal_naive", "`seasonal_naive`: causal", "seasonal_naive"),
        ("persistence", "`persistence`: causal", "persistence"),
    ],
)
def test_the_cards_five_lines_make_the_forecast_of_training(
    one_artifact, draw, trained_with, row, shown, ticks
):
    controller = load(one_artifact)
    card = model_card(controller.manifest.model_copy(update={"forecaster": trained_with}))
    assert f"| forecaster | {row}" in card
    lines = card.partition("## Make the forecast")[2].split("```")[1].removeprefix("python")
    assert len([line for line in lines.splitlines() if line]) == 5
    # Training saw 36 days; the deployer has 30 and today's up to half hour 21, and no later price.
    price = 80.0 + 60.0 * np.random.default_rng(0).standard_normal(36 * 288)
    issue = 34 * 48 + 21
    names = {"history_per_mwh": price[4 * 288 : 6 * issue + ticks]}
    exec(lines, names)
    trained = FORECASTERS[shown](torch.from_numpy(price), torch.tensor([issue]))
    assert torch.equal(names["nodes_per_mwh"], trained.nodes_per_mwh[0])
    telemetry, signals = draw(20)
    signals["nodes_per_mwh"] = names["nodes_per_mwh"]
    assert controller.dispatch(telemetry, signals).valid.all()


def test_the_cards_lines_make_the_forecast_of_a_day_ahead_market(one_artifact):
    controller = load(one_artifact)
    card = model_card(controller.manifest.model_copy(update={"forecaster": "day_ahead"}))
    assert "| forecaster | `day_ahead`: the prices that are published" in card
    lines = card.partition("## Make the forecast")[2].split("```")[1].removeprefix("python")
    # At 13:00 of the 35th day the hourly prices of two days are known, of which one day is ahead.
    hourly = 80.0 + 60.0 * np.random.default_rng(0).standard_normal(40 * 24)
    price, issue = np.repeat(hourly, 12), 34 * 48 + 26
    names = {"known_per_mwh": price[4 * 288 : 36 * 288], "now": issue - 4 * 48}
    exec(lines, names)
    trained = day_ahead(torch.from_numpy(price), torch.tensor([issue]), torch.tensor([36 * 48]))
    assert torch.equal(names["nodes_per_mwh"], trained.nodes_per_mwh[0])
