import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.devices.ev import EvParams, charged_kwh, reachable_kwh
from vpp_envs.dispatch.envelope import battery_envelope, neutral
from vpp_envs.errors import InputError
from vpp_envs.scenario_tables import signals_at
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.simulator import step_site
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.export.artifact import controller_of, export_run
from vpp_rl.export.cars import NO_CAR
from vpp_rl.export.check import broken_promises
from vpp_rl.export.golden import difference
from vpp_rl.export.load import load
from vpp_rl.export.script import curves_of
from vpp_rl.export.telemetry import CAR_COLUMNS, COLUMNS, signal_tensors
from vpp_rl.policy import scene_of

HOUR, NODES = 4, "nodes_per_mwh"


def telemetry_of(env, row):
    moment, fleet = env.moment, env.fleet
    columns = [moment.energy_kwh[row], moment.load_kw[row], moment.solar_available_kw[row]]
    columns += [fleet.solar_kw, *fleet.battery, *fleet.agreement[:3]]
    if moment.ev is not None:
        columns += [moment.ev.state.energy_kwh[row], moment.ev.session.hours_left[row]]
        columns += [*fleet.ev.params[:8], *fleet.ev.agreement]
    names = COLUMNS if moment.ev is None else CAR_COLUMNS
    return dict(zip(names, (column.numpy() for column in columns), strict=True))


def signals_of(env, row, controller):
    market = env.scenario.market
    seen = signals_at(market, env.tick[row : row + 1])
    values = [float(one) for one in (*seen[:4], *seen[5:])]
    names = [field.name for field in controller.manifest.signals]
    nodes = market.forecast.nodes_per_mwh[env.tick[row] // TICKS_PER_ISSUE]
    return dict(zip(names, values, strict=True)) | {NODES: nodes.numpy()}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_the_exported_controller_gives_what_the_environment_serves(exported, split):
    env, network, folder = exported
    env = FleetVectorEnv(env.scenario.spec, 2, dispatch=env.dispatch, split=split)
    env.reset(seed=1, options={"start_ticks": torch.tensor([144, 2 * 288 + 220])})
    controllers, policy = [load(folder) for _ in range(2)], TrainedPolicy(network, env.dispatch, "")
    has_battery = env.fleet.battery.discharge_kw > 0
    unknown = (has_battery & (env.fleet.cohort < 0)).numpy()
    assert (~has_battery).any()
    assert unknown.any() == (split == "validation")
    known = ~unknown
    excused = 0
    for _ in range(40 if env.fleet.ev is None else 288):
        wanted = policy.act(scene_of(env))
        served = step_site(wanted, env.moment, env.fleet, env.scenario.dt_h)
        for row, controller in enumerate(controllers):
            table = controller.dispatch(telemetry_of(env, row), signals_of(env, row, controller))
            assert table.valid.all()
            power_kw = served.battery_kw[row].numpy()
            floor = on_floor(table)
            # Powers of 10 kW in float32, whose sums run in another order: 2e-5 is 2e-6 of them.
            atol = 2e-5 if env.fleet.ev is None else 1e-3
            np.testing.assert_allclose(table.battery_kw[known], power_kw[known], atol=atol)
            available_kw = env.moment.solar_available_kw[row].numpy()
            solar_kw = np.minimum(table.solar_limit_kw, available_kw)
            np.testing.assert_allclose(solar_kw, wanted.solar_output_kw[row], atol=1e-4)
            if served.ev is not None:
                excused += int((env.moment.ev.state.excused_kwh[row] > 0).sum())
                ev_kw = served.ev.power_kw[row].numpy()
                np.testing.assert_allclose(table.ev_kw, ev_kw, atol=1e-3)
            # In the other mode a target takes cars on their floors into its sum, and asks powers at
            # which no charger runs.
            if served.ev is not None and env.dispatch == "value_curve":
                np.testing.assert_allclose(table.ev_kw[~floor], ev_kw[~floor], atol=1e-5)
                np.testing.assert_allclose(table.ev_kw, wanted.ev_kw[row], atol=1e-3)
                battery = known & ~floor
                np.testing.assert_allclose(table.battery_kw[battery], power_kw[battery], atol=2e-5)
        env.step_set_points(wanted)
    assert (excused > 0) == (env.fleet.ev is not None)


def on_floor(table):
    """Homes whose car charges by what is missing to its promise.

    The environment remembers the promise, a served controller computes it anew; in float32 the two
    are off by up to 1e-4 of 60 kWh, which is 1e-3 kW for an interval.
    """
    if table.ev_kw is None:
        return np.zeros(len(table.valid), bool)
    return (table.ev_low_kw > 0) & (table.ev_kw <= table.ev_low_kw + 1e-3)


def test_a_battery_of_an_unknown_class_is_left_alone(exported, draw):
    env, _, folder = exported
    assert env.scenario.cohort_names == ("battery_1h", "battery_2h")
    telemetry, signals = draw(200, env)
    telemetry[:, 6] = (telemetry[:, 4] - telemetry[:, 10]) / 4.0  # four usable hours each
    telemetry[:, 0] = telemetry[:, 10] * 0.9  # below the reserve: alone means recharging
    signals["price_per_mwh"] = 9_000.0
    table = load(folder).dispatch(telemetry, signals)
    alone_kw = neutral(torch.from_numpy(table.low_kw), torch.from_numpy(table.high_kw))
    np.testing.assert_array_equal(table.battery_kw, alone_kw)
    assert (table.battery_kw > 0).any()


def test_a_car_of_an_unknown_class_charges_at_once(make_run, with_cars, draw, tmp_path):
    spec = replace(with_cars, fleet=replace(with_cars.fleet, v2g_share=0.0))
    env, _ = make_run(tmp_path / "run", "value_curve", spec=spec)
    assert env.scenario.car_names == ("ev_v1g",)
    controller = load(export_run(tmp_path / "run"))
    telemetry, signals = draw(200, env)
    telemetry[:, 2:4] = 0.0  # without solar, which gives way to a car that must charge
    signals["price_per_mwh"] = 9_000.0
    gives_back = telemetry[:, CAR_COLUMNS.index("ev_discharge_kw")] > 0
    by_itself = telemetry.clone()
    by_itself[gives_back, CAR_COLUMNS.index("ev_managed")] = 0.0
    known, alone = controller.dispatch(telemetry, signals), controller.dispatch(by_itself, signals)
    np.testing.assert_array_equal(known.ev_kw, alone.ev_kw)
    assert (known.ev_kw[gives_back] > 0).sum() > 20
    assert (known.ev_low_kw[gives_back] < 0).sum() > 20
    assert (known.ev_kw == 0).sum() > 20  # the others wait for a better price


def test_cars_are_not_forgotten_where_their_table_is_missing(exported_with_cars, draw):
    controller = controller_of(exported_with_cars[2].parent)[0]
    telemetry, signals = draw(5, exported_with_cars[0])
    vector, nodes = signal_tensors(signals, 48, 11)
    with pytest.raises(RuntimeError):
        controller(telemetry, vector, nodes, controller.curves(nodes))


def test_homes_without_cars_are_served_by_a_controller_that_knows_cars(exported_with_cars, draw):
    telemetry, signals = draw(50, exported_with_cars[0])
    telemetry[:, len(COLUMNS) :] = torch.tensor(NO_CAR)
    table = load(exported_with_cars[2]).dispatch(telemetry, signals)
    assert table.valid.all()
    for edge_kw in (table.ev_kw, table.ev_low_kw, table.ev_high_kw):
        assert (edge_kw == 0).all()
    assert (table.battery_kw != 0).any()


@pytest.mark.parametrize("price_per_mwh", [-50.0, 9_000.0])
def test_cars_leave_with_what_could_be_reached_when_they_came(
    exported_with_cars, draw, price_per_mwh
):
    env, _, folder = exported_with_cars
    controller = load(folder)
    telemetry, signals = draw(300, env)
    column = dict(zip(CAR_COLUMNS, telemetry.T, strict=True))
    column["load_kw"].fill_(0.5)
    column["import_limit_kw"].fill_(60.0)
    hours_left = column["ev_hours_left"].clamp_(max=6.0)
    params = EvParams(*(column[name].double() for name in CAR_COLUMNS[15:23]), torch.zeros(300))
    energy_kwh = column["ev_energy_kwh"].double()
    reach_kwh = reachable_kwh(energy_kwh, hours_left.double(), params)
    promised_kwh = torch.minimum(column["ev_target_kwh"].double(), reach_kwh)
    stays = hours_left > 0
    assert (stays & (reach_kwh < column["ev_target_kwh"])).sum() > 20
    left_kwh = torch.zeros(300, dtype=torch.float64)
    for tick in range(72):
        signals |= {"price_per_mwh": price_per_mwh, "hour": 18.0 + tick / 12.0}
        ev_kw = torch.from_numpy(controller.dispatch(telemetry, signals).ev_kw).double()
        energy_kwh = energy_kwh + charged_kwh(ev_kw, params, 1 / 12)
        last = (hours_left > 0) & (hours_left < 1.5 / 12)
        left_kwh = torch.where(last, energy_kwh, left_kwh)
        hours_left.copy_(((hours_left * 12).round() - 1).clamp(min=0.0) / 12)
        column["ev_energy_kwh"].copy_(energy_kwh)
    assert (left_kwh >= promised_kwh - 2e-3)[stays].all()
    assert (left_kwh <= params.capacity_kwh + 1e-4).all()


def test_every_set_point_lies_in_the_envelope_of_the_world(exported, draw):
    controller = load(exported[2])
    for homes in (1, 30, 1000):
        telemetry, signals = draw(homes, exported[0])
        table = controller.dispatch(telemetry, signals)
        column = dict(zip(COLUMNS, telemetry.double().T, strict=False))
        solar_kw = torch.minimum(
            torch.from_numpy(table.solar_limit_kw).double(), column["solar_available_kw"]
        )
        battery = type(exported[0].fleet.battery)(*telemetry.double().T[4:10])
        agreement = type(exported[0].fleet.agreement)(*telemetry.double().T[10:13], solar_kw)
        site_kw = column["load_kw"] - solar_kw
        if table.ev_kw is not None:
            site_kw = site_kw + torch.from_numpy(table.ev_kw)
        exact = battery_envelope(column["energy_kwh"], site_kw, battery, agreement, 1 / 12)
        assert (table.battery_kw >= exact.low_kw.numpy() - 1e-4).all()
        assert (table.battery_kw <= exact.high_kw.numpy() + 1e-4).all()
        assert broken_promises(telemetry, table, 1 / 12) == 0


@pytest.mark.parametrize(
    ("column", "number"),
    [
        (0, np.nan),
        (1, np.inf),
        (2, -np.inf),
        (3, np.nan),
        (4, 1e9),
        (5, -1.0),
        (7, 0.0),
        (7, 95.0),
        (12, np.nan),
    ],
)
def test_a_home_with_an_impossible_number_does_not_touch_the_others(exported, draw, column, number):
    the_others_do_not_notice(exported, draw, column, number)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ev_energy_kwh", np.nan),
        ("ev_hours_left", np.nan),
        ("ev_hours_left", -0.5),
        ("ev_charge_eff", 95.0),
        ("ev_managed", np.nan),
        ("ev_target_kwh", 80.0),  # of 60: per cent
        ("ev_minimum_kwh", 59.0),  # of a target of 50
    ],
)
def test_a_home_with_an_impossible_car_does_not_touch_the_others(
    exported_with_cars, draw, name, number
):
    sick = the_others_do_not_notice(exported_with_cars, draw, CAR_COLUMNS.index(name), number)
    # The battery is left alone too, and no number of the car's could be followed by mistake.
    assert sick.battery_kw[7] == 0.0
    assert np.isnan([sick.ev_kw[7], sick.ev_low_kw[7], sick.ev_high_kw[7]]).all()


def the_others_do_not_notice(exported, draw, column, number):
    """Dispatch a fleet of which home 7 has this number, and the others without it; the former."""
    # A target is a sum of 100 kW and more, in float32; the home at the margin takes what it is off.
    atol_kw = {"value_curve": 1e-6, "cohort_power": 5e-5}[exported[0].dispatch]
    controller = load(exported[2])
    telemetry, signals = draw(60, exported[0])
    if telemetry.shape[1] > len(COLUMNS):
        place = CAR_COLUMNS.index("ev_capacity_kwh")
        telemetry[7, place], telemetry[7, place + 8 : place + 10] = 60.0, torch.tensor([50.0, 10.0])
    assert controller.dispatch(telemetry, signals).valid.all()
    sick = telemetry.clone()
    sick[7, column] = number
    table = controller.dispatch(sick, signals)
    rest = np.arange(60) != 7
    without = controller.dispatch(telemetry[rest], signals)
    edges = (
        "low_kw",
        "high_kw",
        *(("ev_kw", "ev_low_kw", "ev_high_kw") * (table.ev_kw is not None)),
    )
    for name in ("battery_kw", "solar_limit_kw", *edges):
        np.testing.assert_allclose(getattr(table, name)[rest], getattr(without, name), atol=atol_kw)
    assert table.valid.tolist() == rest.tolist()
    return table


def reserves_in_per_cent(telemetry):
    telemetry[:3, 10] = 100.0  # of no battery here more than 40 kWh


def swapped_columns(telemetry):
    telemetry[:3, [4, 10]] = telemetry[:3, [10, 4]]


def full_battery_with_a_reserve_a_bit_too_high(telemetry):
    telemetry[:3, 10] = telemetry[:3, 4] * 1.001
    telemetry[:3, 0] = telemetry[:3, 4]


@pytest.mark.parametrize(
    "spoil",
    [reserves_in_per_cent, swapped_columns, full_battery_with_a_reserve_a_bit_too_high],
)
def test_a_home_whose_reserve_is_above_its_capacity_is_invalid(exported, draw, spoil):
    telemetry, signals = draw(60, exported[0])
    telemetry[:3, 4], telemetry[:3, 10] = 13.5, 2.7  # three homes with batteries, nearly full
    telemetry[:3, 5:7], telemetry[:3, 0] = 5.0, 13.0
    telemetry[:3, 7] = 0.95
    spoil(telemetry)
    table = load(exported[2]).dispatch(telemetry, signals)
    assert table.valid.tolist() == [False] * 3 + [True] * 57
    assert table.battery_kw[:3].tolist() == [0.0] * 3
    assert (table.solar_limit_kw[:3] == telemetry[:3, 3].numpy()).all()
    assert broken_promises(telemetry, table, 1 / 12) == 0
    controller = controller_of(exported[2].parent)[0]
    vector, nodes = signal_tensors(signals, 48, 11)
    with torch.no_grad():
        answer = controller(telemetry, vector, nodes, *curves_of(controller, nodes))
    assert answer[:3, 4].tolist() == [0.0] * 3
    np.testing.assert_array_equal(answer[:, 0], table.battery_kw)


def test_a_battery_that_is_all_reserve_is_valid(exported, draw):
    telemetry, signals = draw(5, exported[0])
    telemetry[:, 10] = telemetry[:, 4]
    assert load(exported[2]).dispatch(telemetry, signals).valid.all()


@pytest.mark.parametrize("impossible_kw", [np.nan, -1.0, 1e9])
def test_a_home_that_is_left_alone_keeps_its_solar(exported, draw, impossible_kw):
    controller = load(exported[2])
    telemetry, signals = draw(3, exported[0])
    telemetry[:, 3] = torch.tensor([6.0, 7.0, 8.0])
    telemetry[0, 1], telemetry[1, 3] = float("nan"), impossible_kw
    signals["price_per_mwh"] = -1000.0  # the others may have to stop theirs
    table = controller.dispatch(telemetry, signals)
    assert table.battery_kw[:2].tolist() == [0.0, 0.0]
    assert table.solar_limit_kw[0] == 6.0
    assert np.isnan(table.solar_limit_kw[1])


def test_a_new_forecast_brings_new_curves_even_in_the_same_array(exported, draw):
    controller = load(exported[2])
    telemetry, signals = draw(100, exported[0])
    nodes = signals[NODES].copy()
    first = controller.dispatch(telemetry, signals | {NODES: nodes})
    nodes *= 30.0
    second = controller.dispatch(telemetry, signals | {NODES: nodes})
    assert not np.array_equal(first.battery_kw, second.battery_kw)
    if first.ev_kw is not None:
        assert not np.array_equal(first.ev_kw, second.ev_kw)
    fresh = load(exported[2]).dispatch(telemetry, signals | {NODES: nodes})
    np.testing.assert_array_equal(second.battery_kw, fresh.battery_kw)
    np.testing.assert_array_equal(second.ev_kw, fresh.ev_kw)


def test_set_points_expire_after_the_control_interval(exported, draw, monkeypatch):
    telemetry, signals = draw(1, exported[0])
    controller = load(exported[2])
    table = controller.dispatch(telemetry, signals, np.datetime64("2026-07-01T00:00"))
    assert table.valid_from == np.datetime64("2026-07-01T00:00")
    assert table.valid_until == np.datetime64("2026-07-01T00:05")
    # A call that comes 299 s late is good for one second: the next interval has its own price.
    late = np.datetime64("2026-07-01T00:04:59", "ns") - np.datetime64(0, "ns")
    monkeypatch.setattr("vpp_rl.export.telemetry.time_ns", lambda: int(late.astype(int)))
    by_the_clock = controller.dispatch(telemetry, signals)
    assert by_the_clock.valid_from == np.datetime64("2026-07-01T00:00")
    assert by_the_clock.valid_until == np.datetime64("2026-07-01T00:05")


def test_many_small_fleets_and_a_large_one_are_the_same_homes_apart_from_sums(one_artifact, draw):
    # In value_curve mode homes share only the observation, so that a fleet twice is the same.
    controller = load(one_artifact)
    telemetry, signals = draw(50)
    once = controller.dispatch(telemetry, signals)
    twice = controller.dispatch(torch.cat([telemetry, telemetry]), signals)
    np.testing.assert_allclose(twice.battery_kw[:50], once.battery_kw, atol=1e-6)
    np.testing.assert_array_equal(twice.battery_kw[:50], twice.battery_kw[50:])


def test_a_fresh_process_loads_and_dispatches_without_the_training_libraries(one_artifact):
    code = (
        "import sys, numpy as np\n"
        "from vpp_rl.export import load\n"
        "controller = load(sys.argv[1])\n"
        "signals = {f.name: f.low + 1 for f in controller.manifest.signals}\n"
        "telemetry = np.ones((3, len(controller.manifest.telemetry)))\n"
        "table = controller.dispatch(telemetry, signals | {'nodes_per_mwh': np.ones((48, 11))})\n"
        "assert table.valid.all() and len(table.battery_kw) == 3\n"
        "names = ('stable_baselines3', 'hydra', 'omegaconf', 'ray', 'tensorboard', 'highspy')\n"
        "print([name for name in names if name in sys.modules])"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(one_artifact)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def cut(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("controller.pt", cut, "controller.pt does not match its manifest"),
        ("controller.pt", lambda b: b[:-1] + b"x", "controller.pt does not match its manifest"),
        ("golden.npz", lambda b: b + b"x", "golden.npz does not match its manifest"),
        ("README.md", lambda b: b"", "README.md does not match its manifest"),
        ("manifest.json", cut, "is not a manifest"),
        ("manifest.json", lambda b: b"[1]", "is not a manifest"),
        ("manifest.json", lambda b: b"\xff\xfe", "is not a manifest"),
        (
            "manifest.json",
            lambda b: b.replace(b'"schema_version": 1', b'"schema_version": 9'),
            "has schema_version 9, this vpp-rl reads 1",
        ),
        ("manifest.json", lambda b: b.replace(b'"region"', b'"place"'), "manifest.json: region"),
        ("manifest.json", lambda b: b.replace(b'"SA1"', b'"NSW1"'), "does not describe control"),
        (
            "manifest.json",
            lambda b: b.replace(b'"load_kw"', b'"x"').replace(b'"energy_kwh"', b'"load_kw"'),
            "does not describe controller.pt",
        ),
    ],
)
def test_damage_is_named_and_nothing_is_loaded(artifact, name, change, sentence, monkeypatch):
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("loaded"))
    path = artifact / name
    changed = change(path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    with pytest.raises(InputError, match=sentence.replace(".", r"\.")):
        load(artifact)


@pytest.mark.parametrize("name", ["manifest.json", "controller.pt", "golden.npz", "README.md"])
def test_a_missing_file_is_named(artifact, name):
    (artifact / name).unlink()
    with pytest.raises(InputError, match=rf"{name} is missing"):
        load(artifact)


def test_a_manifest_that_vouches_for_fewer_files_is_refused(artifact):
    path = artifact / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = [one for one in manifest["files"] if one["name"] != "controller.pt"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="files are"):
        load(artifact)


def test_a_folder_that_is_no_artifact_is_named(tmp_path):
    with pytest.raises(InputError, match="export` wrote"):
        load(tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_difference_does_not_overlook_what_is_no_number():
    telemetry = torch.ones(2, 13)
    answer = torch.zeros(2, 5)
    spoiled = answer.clone()
    spoiled[1, 0] = float("nan")
    assert difference(answer, answer, telemetry) == 0.0
    assert difference(spoiled, spoiled, telemetry) == 0.0
    assert difference(spoiled, answer, telemetry) == float("inf")
