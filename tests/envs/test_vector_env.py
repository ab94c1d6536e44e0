from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from vpp_envs.devices.ev import reachable_kwh
from vpp_envs.errors import InputError
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.pick import map_columns
from vpp_envs.kernels import serve
from vpp_envs.reward import REWARD_PARTS
from vpp_envs.scenario import build_scenario
from vpp_envs.simulator import SetPoints
from vpp_envs.vector_env import FleetVectorEnv

MODES = tuple(AutoresetMode)


@pytest.fixture(scope="module")
def day_spec(small_spec):
    return replace(small_spec, episode_days=1)


@pytest.fixture(scope="module", params=["batteries", "cars", "suburb"])
def whole_spec(request, day_spec, car_spec, suburb_spec):
    """What must hold whatever the homes have, while all rows have all of them."""
    specs = {"batteries": day_spec, "cars": car_spec, "suburb": suburb_spec}
    return replace(specs[request.param], episode_days=1)


@pytest.fixture(scope="module", params=["batteries", "cars", "suburb", "mixed"])
def any_spec(request, day_spec, car_spec, suburb_spec):
    """What must hold whatever the homes have, and where every episode has others."""
    if request.param in ("cars", "suburb"):
        spec = car_spec if request.param == "cars" else suburb_spec
        return replace(spec, episode_days=1)
    mix = FleetMix(homes=5) if request.param == "mixed" else FleetMix()
    return replace(day_spec, fleet_mix=mix)


def held(env):
    """All that the devices of a row hold, side by side, (B, M N)."""
    return torch.cat(columns_of(env.state), -1)


def columns_of(tree):
    """All columns of a state, in order."""
    if tree is None:
        return []
    if isinstance(tree, torch.Tensor):
        return [tree]
    return [column for part in tree for column in columns_of(part)]


def homes_of(tree, pick):
    """Some homes of a moment, of set-points or of None; what all homes share stays."""
    shared = {"price_per_kwh", "export_per_kwh", "curve", "rest_h"}
    if tree is None or isinstance(tree, torch.Tensor):
        return None if tree is None else tree[..., pick]
    if isinstance(tree, list):
        return [homes_of(part, pick) for part in tree]
    parts = tree._asdict().items()
    return type(tree)(**{n: part if n in shared else homes_of(part, pick) for n, part in parts})


def random_set_points(env, generator=None):
    """Powers within and beyond what the homes can do."""

    def draw(low, high):
        shape = env.energy_kwh.shape
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    flexible = None
    if env.moment.flexes is not None:
        flexible = [draw(-2, 8) for _ in env.moment.flexes]
    cars = None if env.state.ev is None else draw(-12, 12)
    return SetPoints(draw(-10, 10), draw(0, 5), cars, flexible)


def actions(env, tick, rows):
    """The same random command for a row whatever the size of the batch."""
    return np.stack(
        [np.random.default_rng([tick, r]).uniform(-1, 1, len(env.action_names)) for r in rows]
    )


@pytest.mark.parametrize("mode", MODES)
def test_row_i_of_a_batch_is_the_single_env_seeded_s_plus_i(any_spec, mode):
    batch = FleetVectorEnv(any_spec, 3, autoreset_mode=mode, dtype="float64")
    singles = [FleetVectorEnv(any_spec, 1, autoreset_mode=mode, dtype="float64") for _ in range(3)]
    seen, _ = batch.reset(seed=7)
    alone = [single.reset(seed=7 + row)[0] for row, single in enumerate(singles)]
    np.testing.assert_allclose(seen, np.concatenate(alone), rtol=0, atol=1e-6)
    ends = 1 if any_spec.fleet.ev_share or any_spec.fleet_mix.homes else 2  # cars take their time
    for tick in range(ends * 288 + 5):
        seen, reward, _, truncated, _ = batch.step(actions(batch, tick, range(3)))
        steps = [s.step(actions(s, tick, [row])) for row, s in enumerate(singles)]
        for row, single in enumerate(singles):
            torch.testing.assert_close(
                held(batch)[row], held(single)[0], rtol=0, atol=0 if tick < 1 else 1e-9
            )
        np.testing.assert_allclose(reward, [s[1][0] for s in steps], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(seen, np.concatenate([s[0] for s in steps]), atol=1e-6)
        assert truncated.tolist() == [bool(s[3][0]) for s in steps]
        if mode is AutoresetMode.DISABLED and truncated.any():
            batch.reset(options={"reset_mask": truncated})
            for single in singles:
                single.reset()


def test_equal_set_points_give_bitwise_equal_states_whatever_the_batch(any_spec):
    batch = FleetVectorEnv(any_spec, 4, dtype="float64")
    single = FleetVectorEnv(any_spec, 1, dtype="float64")
    batch.reset(seed=1)
    single.reset(seed=3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        asked = random_set_points(batch, generator)
        batch.step_set_points(asked)
        single.step_set_points(map_columns(asked, lambda part: part[2:3]))
        assert torch.equal(held(batch)[2:3], held(single))


def test_permuted_and_sharded_homes_are_the_same_homes(whole_spec):
    env = FleetVectorEnv(whole_spec, 2, dtype="float64")
    env.reset(seed=2, options={"start_ticks": [200, 400]})
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    asked = random_set_points(env)

    def served(pick):
        fleet = map_columns(env.fleet, lambda column: column[pick])
        state, totals = serve(homes_of(asked, pick), homes_of(env.moment, pick), fleet, 1 / 12)
        return torch.stack(columns_of(state)), totals

    whole, totals = served(torch.arange(8))
    mixed, mixed_totals = served(order)
    assert torch.equal(mixed, whole[..., order])
    torch.testing.assert_close(tuple(mixed_totals), tuple(totals), rtol=1e-12, atol=1e-12)
    halves = [served(half) for half in (torch.arange(4), torch.arange(4, 8))]
    assert torch.equal(torch.cat([half[0] for half in halves], -1), whole)
    for one, first, second in zip(totals, halves[0][1], halves[1][1], strict=True):
        torch.testing.assert_close(first + second, one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_ends_of_episodes_follow_the_declared_mode(any_spec, mode):
    env = FleetVectorEnv(any_spec, 2, autoreset_mode=mode)
    env.reset(seed=0)
    zero = np.zeros((2, len(env.action_names)), np.float32)
    for _ in range(287):
        _, _, terminated, truncated, _ = env.step(zero)
        assert not truncated.any()
        assert not terminated.any()
    first_tick = env.tick.clone()
    seen, reward, terminated, truncated, info = env.step(zero)
    assert truncated.all()
    assert not terminated.any()
    if mode is AutoresetMode.SAME_STEP:
        assert not np.array_equal(info["final_obs"][0], seen[0])
        assert info["_final_obs"].all()
        assert (env.tick % 288 == 0).all()
    elif mode is AutoresetMode.NEXT_STEP:
        assert (env.tick == first_tick + 1).all()
        _, reward, _, truncated, _ = env.step(zero + 1)
        assert (reward == 0).all()
        assert not truncated.any()
        assert (env.tick % 288 == 0).all()
    else:
        env.reset(options={"reset_mask": np.array([True, False])})
        assert env.tick[0] % 288 == 0
        assert env.tick[1] == first_tick[1] + 1


def test_a_seed_names_a_trajectory_and_a_reset_goes_on_to_the_next(any_spec):
    env = FleetVectorEnv(any_spec, 2)
    first, _ = env.reset(seed=11)
    energy = env.energy_kwh.clone()
    env.reset()
    assert not torch.equal(env.energy_kwh, energy)
    again, _ = env.reset(seed=11)
    np.testing.assert_array_equal(first, again)
    assert not torch.equal(env.energy_kwh[0], env.energy_kwh[1])
    listed, _ = env.reset(seed=[12, 11])
    np.testing.assert_array_equal(listed[1], first[0])


def test_the_parts_sum_to_the_reward_and_money_is_for_served_power(small_spec):
    env = FleetVectorEnv(small_spec, 3, dtype="float64")
    env.reset(seed=0)
    for tick in range(50):
        price = env.moment.price_per_kwh[:, 0].numpy()
        _, reward, _, _, info = env.step(actions(env, tick, range(3)))
        parts = [info[f"reward/{name}"] for name in REWARD_PARTS]
        np.testing.assert_allclose(np.sum(parts, axis=0), reward, rtol=1e-12)
        totals = env.last[1]
        np.testing.assert_allclose(
            totals.energy_market, -totals.net_kwh.numpy() * price, rtol=1e-6, atol=1e-9
        )
        np.testing.assert_allclose(
            totals.net_kwh,
            totals.load_kwh - totals.solar_kwh + totals.battery_kwh,
            rtol=1e-9,
            atol=1e-9,
        )


def test_no_day_and_no_home_is_in_two_splits(small_spec):
    splits = [build_scenario(small_spec, name) for name in ("train", "validation", "test")]
    homes = [set(s.fleet.home_id.tolist()) for s in splits]
    assert not homes[0] & homes[1]
    prices = [s.market.price_per_mwh for s in splits]
    stamps = [(s.market.start_utc, len(s.market.price_per_mwh)) for s in splits]
    assert len({start for start, _ in stamps}) == 3
    assert not torch.equal(prices[1], prices[2])
    for scenario in splits:
        starts = scenario.window_starts(2)
        assert (starts[1:] - starts[:-1] >= 2 * 288).all()
        assert starts[-1] + 2 * 288 <= scenario.start_ticks[-1] + 288


def test_unusable_arguments_are_refused_with_a_sentence(small_spec):
    with pytest.raises(InputError, match="dtype must be float32 or float64"):
        FleetVectorEnv(small_spec, dtype="float16")
    with pytest.raises(InputError, match="scenario must be one of"):
        FleetVectorEnv("nem")
    with pytest.raises(InputError, match="split must be one of"):
        FleetVectorEnv(small_spec, split="tests")
    with pytest.raises(InputError, match="window_days=9 does not fit"):
        build_scenario(small_spec, "test").window_starts(9)


def zeros(env):
    return np.zeros((env.num_envs, len(env.action_names)), np.float32)


def test_the_step_that_restarts_a_row_ignores_its_action_and_pays_nothing(any_spec):
    """Next-step autoreset: the row's neighbours are served, the row itself is not."""
    envs = [FleetVectorEnv(any_spec, 2, autoreset_mode="NextStep") for _ in range(2)]
    for env in envs:
        env.reset(seed=[1, 2])
        env.reset(options={"reset_mask": np.array([True, False]), "start_ticks": [287, 0]})
        env._age[0] = 287
        _, _, _, truncated, _ = env.step(zeros(env))
        assert truncated.tolist() == [True, False]
    outcomes = [
        env.step(np.full((2, len(env.action_names)), sign, np.float32))
        for env, sign in zip(envs, (-1.0, 1.0), strict=True)
    ]
    for seen, reward, terminated, truncated, info in outcomes:
        np.testing.assert_array_equal(seen[0], outcomes[0][0][0])
        assert reward[0] == 0.0
        assert reward[1] != 0.0
        assert not terminated.any()
        assert not truncated.any()
        assert all(part[0] == 0.0 for part in info.values())
    assert outcomes[0][1][1] != outcomes[1][1][1]
    assert torch.equal(held(envs[0])[0], held(envs[1])[0])


@pytest.mark.parametrize(
    ("mode", "ends"),
    [("NextStep", [287, 576, 865]), ("SameStep", [287, 575, 863]), ("Disabled", [287, 575, 863])],
)
def test_episodes_end_when_their_mode_says(day_spec, mode, ends):
    env = FleetVectorEnv(day_spec, 2, autoreset_mode=mode)
    env.reset(seed=3)
    seen, returns, sums = [], [], np.zeros(2)
    for step in range(866):
        _, reward, _, truncated, info = env.step(zeros(env))
        sums += reward
        if truncated.any():
            assert truncated.all()
            seen.append(step)
            returns.append((info["episode_return"], sums))
            sums = np.zeros(2)
            if mode == "Disabled":
                env.reset(options={"reset_mask": truncated})
    assert seen == ends
    for booked, added in returns:
        np.testing.assert_allclose(booked, added, rtol=1e-9)


def test_the_last_observation_is_what_the_old_episode_showed(any_spec):
    same = FleetVectorEnv(any_spec, 2, autoreset_mode="SameStep", dtype="float64")
    still = FleetVectorEnv(any_spec, 2, autoreset_mode="Disabled", dtype="float64")
    same.reset(seed=5)
    still.reset(seed=5)
    for tick in range(288):
        seen, _, _, _, info = same.step(actions(same, tick, range(2)))
        last, _, _, _, _ = still.step(actions(still, tick, range(2)))
    for row in range(2):
        np.testing.assert_array_equal(info["final_obs"][row], last[row])
    still.reset(options={"reset_mask": np.array([True, True])})
    np.testing.assert_array_equal(seen, still.observation.float().numpy())


def test_a_masked_reset_leaves_the_other_rows_as_they_are(any_spec):
    env = FleetVectorEnv(any_spec, 3, autoreset_mode="Disabled")
    env.reset(seed=0)
    for tick in range(10):
        seen, _, _, _, _ = env.step(actions(env, tick, range(3)))
    before, tick = held(env).clone(), env.tick.clone()
    fresh, _ = env.reset(options={"reset_mask": np.array([False, True, False])})
    for row in (0, 2):
        assert torch.equal(held(env)[row], before[row])
        assert env.tick[row] == tick[row]
        np.testing.assert_array_equal(fresh[row], seen[row])
    assert env.tick[1] % 288 == 0
    assert not torch.equal(held(env)[1], before[1])


def test_a_shard_of_the_fleet_is_its_part_of_the_whole(whole_spec):
    """Homes are named, not numbered: a machine may play the homes from 4 on alone."""

    def shard(first, homes):
        alike = {"duration_h": 2.0, "hvac_share": 0.0, "heat_pump_water_share": 0.0}
        alike |= {"generator_share": 0.0, "pool_pump_share": 0.0, "dishwasher_share": 0.0}
        fleet = replace(whole_spec.fleet, first_home=first, homes=homes, **alike)
        return FleetVectorEnv(replace(whole_spec, fleet=fleet), 2, dtype="float64")

    whole, parts = shard(0, 8), (shard(0, 4), shard(4, 4))
    for env in (whole, *parts):
        env.reset(seed=3)
    for tick in range(60):
        action = actions(whole, tick, range(2))
        for env in (whole, *parts):
            env.step(action)
        joined = torch.cat([env.energy_kwh for env in parts], -1)
        assert torch.equal(joined, whole.energy_kwh)
        if whole.state.ev is not None:
            cars = torch.cat([env.state.ev.energy_kwh for env in parts], -1)
            assert torch.equal(cars, whole.state.ev.energy_kwh)
        for name in ("energy_market", "wear", "net_kwh", "solar_kwh"):
            both = sum(getattr(env.last[1], name) for env in parts)
            torch.testing.assert_close(both, getattr(whole.last[1], name), rtol=1e-12, atol=1e-12)


def test_rows_and_seeds_are_different_episodes(day_spec):
    env = FleetVectorEnv(day_spec, 16)
    seen, _ = env.reset(seed=0)
    assert len(np.unique(seen, axis=0)) == 16
    assert len(env.tick.unique()) == 4  # all days of the split are begun on
    listed, _ = env.reset(seed=[7, 7, *range(14)])
    np.testing.assert_array_equal(listed[0], listed[1])
    env.reset(seed=[7, None, *range(14)])
    assert not torch.equal(env.energy_kwh[0], env.energy_kwh[1])


def test_without_a_seed_two_environments_differ(day_spec):
    env, other = FleetVectorEnv(day_spec, 2), FleetVectorEnv(day_spec, 2)
    env.reset()
    other.reset()
    assert not torch.equal(env.energy_kwh, other.energy_kwh)


def test_global_random_state_is_neither_read_nor_written(day_spec):
    """EV2Gym's reset reseeded NumPy for everybody."""
    env = FleetVectorEnv(day_spec, 2)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first, _ = env.reset(seed=4)
    env.step(zeros(env))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    np.random.seed(99)  # noqa: NPY002
    again, _ = env.reset(seed=4)
    np.testing.assert_array_equal(first, again)


def test_staggered_rows_do_not_end_together(day_spec):
    env = FleetVectorEnv(day_spec, 4, autoreset_mode="SameStep", stagger=True)
    env.reset(seed=0)
    ends = [[], [], [], []]
    for step in range(2 * 288):
        _, _, _, truncated, _ = env.step(zeros(env))
        for row in np.flatnonzero(truncated):
            ends[row].append(step + 1)
    assert [row[0] for row in ends] == [288, 216, 144, 72]
    assert all(row[1] - row[0] == 288 for row in ends)


def test_staggered_rows_are_of_whole_hours_in_age(day_spec):
    env = FleetVectorEnv(day_spec, 60, stagger=True)
    env.reset(seed=0)
    ages = env.tick % 288
    assert sorted(set(ages.tolist())) == list(range(0, 288, 12))


def test_initial_fills_are_uniform_between_reserve_and_top(day_spec):
    fleet = replace(day_spec.fleet, homes=200, battery_share=1.0)
    env = FleetVectorEnv(replace(day_spec, fleet=fleet), 50, dtype="float64")
    env.reset(seed=0)
    reserve, capacity = env.fleet.agreement.reserve_kwh, env.fleet.battery.capacity_kwh
    fill = (env.energy_kwh - reserve) / (capacity - reserve)
    assert fill.min() >= 0.0
    assert fill.max() <= 1.0
    counts = torch.histc(fill, bins=10, min=0.0, max=1.0)
    assert (counts - 1000).abs().max() < 4.5 * 30  # 10,000 draws in ten bins


def test_what_is_not_a_number_counts_as_leave_alone(any_spec):
    env, other = FleetVectorEnv(any_spec, 2), FleetVectorEnv(any_spec, 2)
    env.reset(seed=1)
    other.reset(seed=1)
    odd = np.full((2, len(env.action_names)), np.nan, np.float32)
    odd[:, ::2] = np.inf
    even = np.zeros_like(odd)
    even[:, ::2] = 1.0
    np.testing.assert_array_equal(env.step(odd)[0], other.step(even)[0])


def test_an_action_that_may_not_be_written_is_taken_too(day_spec):
    env = FleetVectorEnv(day_spec, 2)
    env.reset(seed=1)
    action = np.broadcast_to(np.float32(0.5), (2, len(env.action_names)))
    assert not action.flags.writeable
    seen, _, _, _, _ = env.step(action)
    assert np.isfinite(seen).all()


def test_actions_of_another_shape_are_refused(day_spec):
    env = FleetVectorEnv(day_spec, 2)
    env.reset(seed=1)
    for shape in ((2, len(env.action_names) + 1), (1, len(env.action_names)), (2,)):
        with pytest.raises(InputError, match=r"actions must be of shape \(2, "):
            env.step(np.zeros(shape, np.float32))


def test_everything_seen_lies_in_the_declared_space(any_spec):
    env = FleetVectorEnv(any_spec, 3, autoreset_mode="SameStep")
    seen, _ = env.reset(seed=0)
    for tick in range(300):
        assert env.observation_space.contains(seen)
        seen, reward, terminated, truncated, _ = env.step(actions(env, tick, range(3)))
        assert reward.dtype == np.float64
        assert np.isfinite(reward).all()
        assert terminated.dtype == truncated.dtype == bool
    assert seen.dtype == np.float32


def test_an_episode_may_start_and_last_as_told(day_spec):
    env = FleetVectorEnv(day_spec, 2, autoreset_mode="Disabled")
    env.reset(seed=0, options={"start_ticks": [288, 0], "episode_days": 3})
    assert env.tick.tolist() == [288, 0]
    for step in range(3 * 288):
        _, _, _, truncated, _ = env.step(zeros(env))
        assert truncated.all() == (step == 3 * 288 - 1)
    with pytest.raises(InputError, match="the train split ends after 1152 ticks"):
        env.step(zeros(env))
    env.reset(options={"reset_mask": np.array([True, True]), "start_ticks": [0, 0]})
    env.step(zeros(env))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_a_length_that_is_told_counts_for_one_episode(day_spec, mode):
    env = FleetVectorEnv(day_spec, 2, autoreset_mode=mode)
    env.reset(seed=0, options={"start_ticks": [0, 288], "episode_days": 2})
    ends = []
    for step in range(4 * 288):
        _, _, _, truncated, _ = env.step(zeros(env))
        if truncated.any():
            ends.append(step)
            if mode == "Disabled":
                env.reset(options={"reset_mask": np.ones(2, bool)})
    lengths = np.diff(ends).tolist()
    assert ends[0] == 2 * 288 - 1
    assert set(lengths) == ({289} if mode == "NextStep" else {288})


def test_a_step_before_the_first_reset_says_so(day_spec):
    env = FleetVectorEnv(day_spec, 2)
    with pytest.raises(gym.error.ResetNeeded, match=r"call reset\(\)"):
        env.step(zeros(env))


def test_no_action_changes_what_is_left_alone(any_spec):
    """The deducted part of the reward does not depend on the action."""
    envs = [FleetVectorEnv(any_spec, 2, dtype="float64") for _ in range(2)]
    for env in envs:
        env.reset(seed=0)
    for tick in range(40):
        parts = [
            env.step(sign * actions(env, tick, range(2)))[4]["reward/left_alone"]
            for env, sign in zip(envs, (1, -1), strict=True)
        ]
        np.testing.assert_array_equal(parts[0], parts[1])


def test_every_car_starts_where_its_promise_can_be_kept(hostile_env):
    """Episodes begin in the middle of stays; at any age of a row."""
    env = hostile_env(24, dtype="float64", stagger=True)
    env.reset(seed=0)
    ev, now = env.fleet.ev, env.moment.ev
    plugged = now.session.hours_left > 0
    reach = reachable_kwh(now.state.energy_kwh, now.session.hours_left, ev.params)
    target = ev.agreement.target_kwh.expand_as(reach)
    short = (target - reach)[plugged]
    # Below a tenth of its battery no car starts, above its target neither.
    assert (short <= 1e-9).all()
    assert (now.state.energy_kwh >= 0.1 * ev.params.capacity_kwh - 1e-9).all()
    assert (now.state.energy_kwh <= target + 1e-9).all()
    torch.testing.assert_close(now.state.energy_kwh[~plugged], target[~plugged])
    assert (now.state.energy_kwh < target - 1.0)[plugged].double().mean() > 0.3
    assert 0.2 < plugged.double().mean() < 0.95
