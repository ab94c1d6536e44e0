import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.sampling import FleetSpec
from vpp_envs.scenario import TICKS_PER_ISSUE, ScenarioSpec, signals_at
from vpp_envs.signals.market import MarketSpec
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.cli.main import main
from vpp_rl.export.artifact import export_run
from vpp_rl.export.check import broken_promises
from vpp_rl.export.columns import SIGNAL_ENTRIES
from vpp_rl.export.golden import random_fleet, random_signals
from vpp_rl.export.load import load
from vpp_rl.export.telemetry import COLUMNS
from vpp_rl.export.verify import verify
from vpp_rl.policy import scene_of
from vpp_rl.training.checkpoint import PolicyFacts, save_policy

SPEC = ScenarioSpec(
    market=MarketSpec(train_days=3, validation_days=3, test_days=3),
    fleet=FleetSpec(homes=12, seed=3, battery_share=0.8),
)


def make_run(folder, dispatch):
    """A run with a random policy, as training would leave it."""
    env = FleetVectorEnv(SPEC, 2, dispatch=dispatch)
    torch.manual_seed(0)
    network = PolicyNetwork(len(env.observation_names), len(env.action_names))
    torch.nn.init.normal_(network.head.weight, std=0.5)
    market = env.scenario.market
    facts = PolicyFacts(
        "apg",
        dispatch,
        "nem_arbitrage",
        market.region,
        market.currency,
        market.zone,
        market.price_scale,
        300,
        env.scenario.cohort_names,
        env.observation_names,
        env.action_names,
        (64, 64),
        True,
        0,
        1.0,
        100,
        123.0,
    )
    save_policy(folder, network, facts)
    return env, network


@pytest.fixture(scope="module", params=["value_curve", "cohort_power"])
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    env, network = make_run(folder / "run", request.param)
    return env, network, export_run(folder / "run", folder / "artifact")


def entries(vector, nodes):
    names = [entry.name for entry in SIGNAL_ENTRIES]
    return dict(zip(names, vector.tolist(), strict=True)) | {"nodes_per_mwh": nodes.numpy()}


def telemetry_of(env, row):
    moment, fleet = env.moment, env.fleet
    battery, agreement = fleet.battery, fleet.agreement
    columns = [moment.energy_kwh[row], moment.load_kw[row], moment.solar_available_kw[row]]
    columns += [fleet.solar_kw, *battery, *agreement[:3]]
    return dict(zip(COLUMNS, (c.numpy() for c in columns), strict=True))


def test_the_exported_controller_gives_what_the_environment_would_dispatch(exported):
    env, network, folder = exported
    controller = load(folder)
    env.reset(seed=1, options={"start_ticks": torch.tensor([144, 288 + 220])})
    policy = TrainedPolicy(network, env.dispatch, "apg")
    market = env.scenario.market
    for _ in range(40):
        wanted = policy.act(scene_of(env))
        signals = signals_at(market, env.tick)
        for row in range(2):
            vector = torch.stack([s[row] for s in (*signals[:4], *signals[5:])])
            nodes = market.forecast.nodes_per_mwh[env.tick[row] // TICKS_PER_ISSUE]
            table = controller.dispatch(telemetry_of(env, row), entries(vector, nodes))
            np.testing.assert_allclose(table.battery_kw, wanted.battery_kw[row], atol=2e-5)
            capped = np.minimum(table.solar_limit_kw, env.moment.solar_available_kw[row].numpy())
            np.testing.assert_allclose(capped, wanted.solar_output_kw[row], atol=2e-5)
        env.step_set_points(wanted)


def test_an_artifact_verifies_itself(exported):
    found = verify(exported[2], 20, lambda share: None)
    assert found.passed
    assert found.golden <= 1e-6
    assert found.parity <= 1e-6
    assert found.homes > 50_000


def test_every_kind_of_table_is_read_alike(exported):
    controller = load(exported[2])
    generator = torch.Generator().manual_seed(0)
    matrix, signals = random_fleet(50, generator).numpy(), entries(*random_signals(generator))
    columns = {name: matrix[:, i] for i, name in enumerate(COLUMNS)}
    first = controller.dispatch(matrix, signals)
    for table in (columns, pd.DataFrame(columns), pa.table(columns)):
        np.testing.assert_array_equal(
            controller.dispatch(table, signals).battery_kw, first.battery_kw
        )
    assert (first.valid_until - first.valid_from) == np.timedelta64(300, "s")


def test_no_set_point_breaks_a_promise_and_the_check_can_see_one(exported):
    controller = load(exported[2])
    generator = torch.Generator().manual_seed(4)
    for _ in range(20):
        fleet, signals = random_fleet(500, generator), entries(*random_signals(generator))
        table = controller.dispatch(fleet, signals)
        assert broken_promises(fleet, table, 1 / 12) == 0
        assert (table.battery_kw >= table.low_kw).all()
        assert (table.battery_kw <= table.high_kw).all()
    table.battery_kw[:] = -fleet[:, 6].numpy()
    assert broken_promises(fleet, table, 1 / 12) > 0


def test_a_home_without_numbers_is_left_alone_and_does_not_touch_the_others(exported):
    controller = load(exported[2])
    generator = torch.Generator().manual_seed(5)
    fleet, signals = random_fleet(40, generator), entries(*random_signals(generator))
    sick = fleet.clone()
    sick[7, 0], sick[20, 5] = float("nan"), float("inf")
    table = controller.dispatch(sick, signals)
    assert not table.valid[[7, 20]].any()
    assert table.valid.sum() == 38
    assert (table.battery_kw[[7, 20]] == 0).all()
    rest = [i for i in range(40) if i not in (7, 20)]
    alone = controller.dispatch(fleet[rest], signals)
    np.testing.assert_allclose(table.battery_kw[rest], alone.battery_kw, atol=1e-4)


def test_the_deploy_path_imports_no_training_library(exported):
    code = (
        "import sys; from vpp_rl.export import load; load(sys.argv[1]);"
        "bad = {'stable_baselines3', 'hydra', 'ray', 'tensorboard', 'highspy'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(exported[2])], capture_output=True)
    assert done.returncode == 0, done.stderr


def damage(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("controller.pt", lambda b: b[: len(b) // 2], "controller.pt does not match its manifest"),
        ("golden.npz", lambda b: b + b"x", "golden.npz does not match its manifest"),
        ("manifest.json", lambda b: b[:100], "is not a manifest"),
        (
            "manifest.json",
            lambda b: b.replace(b'"schema_version": 1', b'"schema_version": 9'),
            "schema_version 9",
        ),
        ("manifest.json", lambda b: b.replace(b'"region"', b'"regionn"'), "manifest.json: regionn"),
    ],
)
def test_damage_is_named_and_nothing_is_loaded(exported, tmp_path, name, change, sentence, capsys):
    folder = tmp_path / "artifact"
    shutil.copytree(exported[2], folder)
    damage(folder, name, change)
    with pytest.raises(InputError) as caught:
        load(folder)
    assert sentence in str(caught.value) or name == "manifest.json"
    assert main(["export", "--verify", str(folder)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_wrong_tables_get_a_sentence(exported):
    controller = load(exported[2])
    generator = torch.Generator().manual_seed(0)
    matrix, signals = random_fleet(5, generator).numpy(), entries(*random_signals(generator))
    columns = {name: matrix[:, i] for i, name in enumerate(COLUMNS)}
    with pytest.raises(InputError, match=r"unknown column 'energy_kw'.*did you mean"):
        controller.dispatch({**columns, "energy_kw": matrix[:, 0]}, signals)
    with pytest.raises(InputError, match="lacks the column 'load_kw'"):
        controller.dispatch({k: v for k, v in columns.items() if k != "load_kw"}, signals)
    with pytest.raises(InputError, match=r"shape \(5, 12\)"):
        controller.dispatch(matrix[:, :12], signals)
    with pytest.raises(InputError, match="lacks the entry 'hour'"):
        controller.dispatch(matrix, {k: v for k, v in signals.items() if k != "hour"})
    with pytest.raises(InputError, match=r"shape \(24, 11\)"):
        controller.dispatch(matrix, {**signals, "nodes_per_mwh": np.zeros((24, 11))})


def test_a_policy_with_an_action_a_home_cannot_be_exported(tmp_path):
    make_run(tmp_path / "run", "per_device")
    with pytest.raises(InputError, match=r"per_device.*cannot be exported"):
        export_run(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_leaves_a_folder_of_something_else_alone(exported, tmp_path):
    make_run(tmp_path / "run", "value_curve")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds 'thesis\.txt', which no artifact has"):
        export_run(tmp_path / "run", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_truncated_checkpoint_is_refused(tmp_path):
    make_run(tmp_path / "run", "value_curve")
    damage(tmp_path / "run", "policy.pt", lambda b: b[:-100])
    assert main(["export", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run" / "export").exists()
    facts = json.loads((tmp_path / "run" / "policy.json").read_text())
    assert facts["dispatch"] == "value_curve"
