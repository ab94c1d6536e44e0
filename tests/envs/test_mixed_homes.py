"""Rows with homes of their own are plain environments of those homes, episode after episode."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from vpp_envs.fleet.fleet import rated_kw
from vpp_envs.fleet.mix import FleetMix, homes_at
from vpp_envs.fleet.pick import map_columns
from vpp_envs.scenario import build_scenario
from vpp_envs.vector_env import FleetVectorEnv

MIX = FleetMix(homes=5)
MODES = tuple(AutoresetMode)


def mixed_days(spec, **more):
    return replace(spec, episode_days=1, fleet_mix=MIX, **more)


@pytest.fixture(scope="module", params=["batteries", "cars", "tariff"])
def mixed_spec(request, small_spec, car_spec, tariff_spec):
    spec = {"batteries": small_spec, "cars": car_spec, "tariff": tariff_spec}[request.param]
    return mixed_days(spec)


@pytest.fixture(scope="module")
def day_spec(small_spec):
    return mixed_days(small_spec)


def plain_twin(env, row, **arguments):
    """An environment that knows nothing of mixes, and whose fleet is the homes of one row."""
    scenario = env.scenario
    spec = replace(scenario.spec, fleet_mix=FleetMix())
    fleet = homes_at(scenario.fleet, env._places[row])
    alone = replace(scenario, spec=spec, fleet=fleet)
    with mock.patch("vpp_envs.vector_env.build_scenario", return_value=alone):
        twin = FleetVectorEnv(spec, 1, dispatch=env.dispatch, dtype="float64", **arguments)
    assert twin.fleet.home_id.ndim == 1
    return twin


def held(env):
    cars = [] if env.state.ev is None else [part for part in env.state.ev if part is not None]
    return torch.cat([env.energy_kwh, *cars], -1)


def command(env, tick, rows=None):
    rows = range(env.num_envs) if rows is None else rows
    size = len(env.action_names)
    return np.stack([np.random.default_rng([tick, r]).uniform(-1, 1, size) for r in rows])


def near_the_end(env, ticks):
    """Let all rows be so few ticks from the end of their episode."""
    env._age[:] = env.scenario.episode_ticks - ticks


def assert_equal_to(batch, row, twin, seen, theirs):
    torch.testing.assert_close(held(batch)[row], held(twin)[0], rtol=0, atol=1e-9)
    torch.testing.assert_close(batch.observation[row], twin.observation[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(seen[1][row], theirs[1][0], rtol=1e-9, atol=1e-10)
    for ours, alone in zip(batch.last[1], twin.last[1], strict=True):
        torch.testing.assert_close(ours[row], alone[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power"])
@pytest.mark.parametrize("retail", [False, True])
def test_every_row_is_a_plain_environment_of_its_homes(car_spec, tariff_spec, retail, dispatch):
    """Batteries, cars and sun; the same seed, for fills are drawn by the name of a home."""
    spec = mixed_days(tariff_spec if retail else car_spec)
    batch = FleetVectorEnv(spec, 2, dispatch=dispatch, dtype="float64")
    starts = [60, 288 + 190]
    batch.reset(seed=7, options={"start_ticks": starts})
    twins = [plain_twin(batch, row) for row in range(2)]
    for row, twin in enumerate(twins):
        twin.reset(seed=7 + row, options={"start_ticks": starts[row : row + 1]})
        assert torch.equal(held(batch)[row], held(twin)[0])
        torch.testing.assert_close(batch.observation[row], twin.observation[0], rtol=0, atol=1e-12)
        assert batch.rated_kw[row] == pytest.approx(float(twin.rated_kw), rel=1e-12)
    assert not torch.equal(*batch.fleet.home_id)
    for tick in range(170):
        seen = batch.step(command(batch, tick))
        for row, twin in enumerate(twins):
            theirs = twin.step(command(twin, tick, [row]))
            assert_equal_to(batch, row, twin, seen, theirs)


@pytest.mark.parametrize("mode", MODES)
def test_the_next_episode_is_a_plain_environment_of_other_homes(mixed_spec, mode):
    batch = FleetVectorEnv(mixed_spec, 3, autoreset_mode=mode, dtype="float64")
    batch.reset(seed=7)
    first = batch.fleet.home_id.clone()
    near_the_end(batch, 1)
    _, _, _, truncated, _ = batch.step(command(batch, 0))
    assert truncated.all()
    assert torch.equal(batch.fleet.home_id, first) == (mode is not AutoresetMode.SAME_STEP)
    if mode is AutoresetMode.NEXT_STEP:
        batch.step(command(batch, 1))
    elif mode is AutoresetMode.DISABLED:
        batch.reset(options={"reset_mask": truncated})
    assert (batch.fleet.home_id != first).any(-1).all()
    twin = plain_twin(batch, 1, autoreset_mode="Disabled")
    twin.reset(seed=8)
    twin.reset()
    assert torch.equal(twin.tick, batch.tick[1:2])
    for tick in range(20):
        seen = batch.step(command(batch, tick))
        assert_equal_to(batch, 1, twin, seen, twin.step(command(twin, tick, [1])))


@pytest.mark.parametrize("mode", MODES)
def test_a_reward_is_money_over_the_rating_of_the_episodes_own_homes(mixed_spec, mode):
    """Also at the step that ends an episode, when the next one's homes may be in already."""
    env = FleetVectorEnv(mixed_spec, 4, autoreset_mode=mode, dtype="float64")
    env.reset(seed=3)
    rating = rated_kw(env.scenario.fleet).numpy()
    ids = env.scenario.fleet.home_id.tolist()
    near_the_end(env, 3)
    rates = []
    for tick in range(6):
        homes = [[ids.index(home) for home in row] for row in env.fleet.home_id.tolist()]
        rates.append(np.array([rating[row].sum() for row in homes]))
        _, reward, _, truncated, _ = env.step(command(env, tick))
        totals = env.last[1]
        money = totals.energy_market - totals.site_passthrough - totals.wear
        np.testing.assert_allclose(reward, money.numpy() * 10.0 / rates[-1], rtol=1e-9)
        assert truncated.all() == (tick == 2)
        assert (reward == 0.0).all() == (mode is AutoresetMode.NEXT_STEP and tick == 3)
        if mode is AutoresetMode.DISABLED and truncated.any():
            env.reset(options={"reset_mask": truncated})
    assert len(np.unique(rates[0])) > 2
    assert (rates[0] != rates[-1]).sum() > 2


def test_rows_with_one_seed_live_in_the_same_homes_whatever_the_batch(day_spec):
    env = FleetVectorEnv(day_spec, 4, autoreset_mode="SameStep")
    alone = FleetVectorEnv(day_spec, 1, autoreset_mode="SameStep")
    env.reset(seed=[5, 6, 5, 6])
    alone.reset(seed=6)
    seen = set()
    for _ in range(4):
        homes = env.fleet.home_id
        assert torch.equal(homes[:2], homes[2:])
        assert not torch.equal(homes[0], homes[1])
        assert torch.equal(homes[1:2], alone.fleet.home_id)
        assert torch.equal(env.energy_kwh[1:2], alone.energy_kwh)
        seen.add(tuple(homes[1].tolist()))
        for each in (env, alone):
            near_the_end(each, 1)
            each.step(np.zeros((each.num_envs, len(each.action_names))))
    assert len(seen) > 2


def test_a_masked_reset_moves_nobody_else(day_spec):
    env = FleetVectorEnv(day_spec, 3, autoreset_mode="Disabled", dtype="float64")
    env.reset(seed=0)
    before = [env.fleet, env.rated_kw.clone()]
    env.reset(options={"reset_mask": np.array([False, True, False])})
    columns = []
    map_columns(before[0], columns.append)
    map_columns(env.fleet, columns.append)
    half = len(columns) // 2
    for old, new in zip(columns[:half], columns[half:], strict=True):
        assert torch.equal(old[::2], new[::2])
    assert torch.equal(before[1][::2], env.rated_kw[::2])
    assert not torch.equal(before[0].home_id[1], env.fleet.home_id[1])
    still = env.fleet.home_id
    env.reset(options={"reset_mask": np.zeros(3, bool)})
    assert torch.equal(env.fleet.home_id, still)


def test_over_many_episodes_every_home_is_lived_in(day_spec):
    env = FleetVectorEnv(day_spec, 200)
    env.reset(seed=0)
    count = torch.bincount(env._places.flatten(), minlength=8)
    assert count.sum() == 200 * 5
    assert (count > 40).all()
    sizes = env.scenario.fleet.battery.capacity_kwh[env._places].sum(-1)
    assert len(sizes.unique()) > 20


@pytest.mark.parametrize("split", ["validation", "test"])
def test_other_splits_know_all_their_homes(mixed_spec, split):
    env = FleetVectorEnv(mixed_spec, 2, split=split, dtype="float64")
    plain = replace(mixed_spec, fleet_mix=FleetMix())
    other = FleetVectorEnv(plain, 2, split=split, dtype="float64")
    for each in (env, other):
        each.reset(seed=1)
    assert env.fleet.home_id.shape == (8,)
    assert torch.equal(env.fleet.home_id, build_scenario(plain, split).fleet.home_id)
    for tick in range(10):
        steps = [each.step(command(each, tick)) for each in (env, other)]
        np.testing.assert_array_equal(steps[0][0], steps[1][0])
        np.testing.assert_array_equal(steps[0][1], steps[1][1])


def test_what_a_policy_sees_and_commands_is_the_same_with_and_without_a_mix(mixed_spec):
    env = FleetVectorEnv(mixed_spec, 2)
    plain = FleetVectorEnv(replace(mixed_spec, fleet_mix=FleetMix()), 2)
    assert env.observation_names == plain.observation_names
    assert env.action_names == plain.action_names


def test_a_line_for_people_tells_the_fill_of_the_rows_own_homes(day_spec):
    env = FleetVectorEnv(day_spec, 2, render_mode="ansi", dtype="float64")
    env.reset(seed=0)
    capacity = env.scenario.fleet.battery.capacity_kwh[env._places].sum(-1)
    for line, fill in zip(env.render(), env.energy_kwh.sum(-1) / capacity, strict=True):
        assert f"stored {float(fill):4.0%}" in line
