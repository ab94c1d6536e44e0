import shutil
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from vpp_envs.dispatch.modes import dispatch_mode
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.pick import map_columns
from vpp_envs.kernels import look, play, rows_at, serve
from vpp_envs.simulator import SetPoints
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1 / 12


@pytest.fixture
def specs(small_spec, car_spec, suburb_spec):
    kinds = {"batteries": small_spec, "cars": car_spec, "suburb": suburb_spec}
    return {kind: replace(spec, episode_days=1) for kind, spec in kinds.items()}


@pytest.fixture(params=[None, 5])
def plant(request, small_spec):
    mixed = replace(small_spec, fleet_mix=FleetMix(request.param))
    env = FleetVectorEnv(mixed, 3, dtype="float64")
    env.reset(seed=4)
    return env


def asked(env):
    power = 10 * torch.rand(env.energy_kwh.shape, dtype=torch.float64) - 5
    return SetPoints(power, env.moment.solar_available_kw)


def test_play_serves_an_interval_and_looks_at_the_next(plant):
    wanted = asked(plant)
    ahead = plant.tick + 1
    played = play(wanted, plant.moment, ahead, plant.tables, plant.fleet, DT_H)
    state, totals = serve(wanted, plant.moment, plant.fleet, DT_H)
    moment, observation = look(state, ahead, plant.tables, plant.fleet, DT_H)
    assert torch.equal(played.state.energy_kwh, state.energy_kwh)
    assert all(torch.equal(*pair) for pair in zip(played.totals, totals, strict=True))
    assert all(torch.equal(*pair) for pair in zip(played.moment[:5], moment[:5], strict=True))
    assert torch.equal(played.observation, observation)


def test_a_command_beyond_the_bounds_is_the_bound_and_nan_is_zero(plant):
    def stored(action):
        plant.reset(seed=3)
        plant.step(torch.full(plant.action_space.shape, action, dtype=torch.float64))
        return plant.state.energy_kwh

    for odd, plain in ((5.0, 1.0), (-np.inf, -1.0), (np.nan, 0.0)):
        assert torch.equal(stored(odd), stored(plain))
    assert not torch.equal(stored(1.0), stored(-1.0))


def test_rows_change_with_the_tick_curves_with_the_half_hour_and_the_last_row_stays(plant):
    tables = plant.tables
    ticks = len(tables.features)
    rows = rows_at(tables, torch.tensor([0, 5, 6, ticks - 1, ticks + 7]), torch.float64)
    assert torch.equal(rows.features[1], tables.features[5])
    assert torch.equal(rows.curve[1], tables.curve[0])
    assert torch.equal(rows.curve[2], tables.curve[1])
    assert all(torch.equal(column[3], column[4]) for column in rows[:5])


@pytest.fixture
def compiler():
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("torch.compile needs a C++ compiler")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "homes"), [("NextStep", None), ("SameStep", None), ("SameStep", 5)]
)
def test_compiled_and_eager_environments_agree_over_the_end_of_an_episode(
    small_spec, mode, homes, compiler
):
    spec = replace(small_spec, episode_days=1, fleet_mix=FleetMix(homes))
    eager, fused = (
        FleetVectorEnv(spec, 4, autoreset_mode=mode, stagger=True, compile=c) for c in (False, True)
    )
    for env in (eager, fused):
        env.reset(seed=0)
    for tick in range(300):
        action = np.random.default_rng(tick).uniform(-1, 1, (4, len(eager.action_names)))
        # float32: a threshold of dispatch may fall on either side of the last bit of a state.
        fused.state = map_columns(eager.state, torch.clone)
        fused._observation()
        one, two = eager.step(action), fused.step(action)
        np.testing.assert_allclose(one[0], two[0], atol=2e-5)
        np.testing.assert_allclose(one[1], two[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(one[3], two[3])
        assert torch.equal(eager.tick, fused.tick)


@pytest.mark.slow
def test_compiled_set_points_are_served_as_eager_ones(small_spec, compiler):
    eager, fused = (
        FleetVectorEnv(small_spec, 3, dtype="float64", compile=c) for c in (False, True)
    )
    for env in (eager, fused):
        env.reset(seed=1)
    for _ in range(20):
        wanted = asked(eager)
        one, two = eager.step_set_points(wanted), fused.step_set_points(wanted)
        np.testing.assert_allclose(one[0], two[0], atol=1e-6)
        np.testing.assert_allclose(one[1], two[1], rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(eager.energy_kwh, fused.energy_kwh, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_many_compiled_environments_of_different_shapes_live_in_one_process(small_spec, compiler):
    """torch gives up after so many shapes of one function; each environment has its own."""
    with torch._dynamo.config.patch(recompile_limit=1):
        for rows in (1, 2, 3):
            env = FleetVectorEnv(small_spec, rows, compile=True)
            seen, _ = env.reset(seed=0)
            assert seen.shape[0] == rows


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a suburb's step compiles for two minutes on an idle core
@pytest.mark.parametrize(
    ("kind", "dispatch"),
    [
        *product(("batteries", "cars"), ("value_curve", "cohort_power", "per_device")),
        ("suburb", "value_curve"),
    ],
)
def test_compiled_and_eager_steps_agree(kind, dispatch, specs, compiler):
    eager, fused = (
        FleetVectorEnv(specs[kind], 4, dispatch, dtype="float64", compile=c) for c in (False, True)
    )
    eager.reset(seed=0)
    fused.reset(seed=0)
    for tick in range(60):
        action = np.random.default_rng(tick).uniform(-1, 1, (4, len(eager.action_names)))
        one, two = eager.step(action), fused.step(action)
        np.testing.assert_allclose(one[0], two[0], atol=1e-6)
        np.testing.assert_allclose(one[1], two[1], rtol=1e-6, atol=1e-9)
        both = zip(leaves_of(eager.state), leaves_of(fused.state), strict=True)
        for ours, theirs in both:
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("dispatch", ["cohort_power", "per_device"])
def test_a_compiled_command_of_a_suburb_is_the_eager_one(dispatch, specs, compiler):
    """The step of its devices is compiled above, whoever commands them."""
    mode = dispatch_mode(dispatch)
    fused = torch.compile(mode, fullgraph=True, dynamic=False)
    env = FleetVectorEnv(specs["suburb"], 4, dispatch, dtype="float64")
    env.reset(seed=0)
    for tick in range(60):
        action = np.random.default_rng(tick).uniform(-1, 1, (4, len(env.action_names)))
        row = torch.as_tensor(action)
        asked = (one(row, env.moment, env.fleet, DT_H) for one in (mode, fused))
        for ours, theirs in zip(*map(leaves_of, asked), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6, equal_nan=True)
        env.step(action)


def leaves_of(tree):
    """All tensors of a tree, in order."""
    if tree is None or isinstance(tree, torch.Tensor):
        return [] if tree is None else [tree]
    return [leaf for part in tree for leaf in leaves_of(part)]
