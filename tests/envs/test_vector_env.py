from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import vpp_envs
from vpp_envs.env import FleetEnv
from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.reward import REWARD_PARTS
from vpp_envs.scenario import build_scenario
from vpp_envs.vector_env import FleetVectorEnv

MODES = tuple(AutoresetMode)
ENV_ID = "vpp/NemArbitrage-v0"


@pytest.fixture(scope="module")
def day_spec(small_spec):
    return replace(small_spec, episode_days=1)


def actions(env, tick, rows):
    """The same random command for a row whatever the size of the batch."""
    return np.stack(
        [np.random.default_rng([tick, r]).uniform(-1, 1, len(env.action_names)) for r in rows]
    )


def test_the_environment_passes_gymnasiums_own_check(small_spec):
    env = gym.make(ENV_ID, scenario=small_spec, disable_env_checker=True).unwrapped
    check_env(env, skip_render_check=True)
    assert vpp_envs.__doc__


def test_both_faces_are_registered(small_spec):
    batch = gym.make_vec(ENV_ID, 3, vectorization_mode="vector_entry_point", scenario=small_spec)
    assert isinstance(batch, FleetVectorEnv)
    assert batch.reset(seed=0)[0].shape == (3, len(batch.observation_names))


@pytest.mark.parametrize("mode", MODES)
def test_row_i_of_a_batch_is_the_single_env_seeded_s_plus_i(day_spec, mode):
    batch = FleetVectorEnv(day_spec, 3, autoreset_mode=mode, dtype="float64")
    singles = [FleetVectorEnv(day_spec, 1, autoreset_mode=mode, dtype="float64") for _ in range(3)]
    seen, _ = batch.reset(seed=7)
    alone = [single.reset(seed=7 + row)[0] for row, single in enumerate(singles)]
    np.testing.assert_allclose(seen, np.concatenate(alone), rtol=0, atol=1e-6)
    for tick in range(2 * 288 + 5):  # over two ends of episodes
        seen, reward, _, truncated, _ = batch.step(actions(batch, tick, range(3)))
        steps = [s.step(actions(s, tick, [row])) for row, s in enumerate(singles)]
        for row, single in enumerate(singles):
            torch.testing.assert_close(
                batch.energy_kwh[row], single.energy_kwh[0], rtol=0, atol=0 if tick < 1 else 1e-9
            )
        np.testing.assert_allclose(reward, [s[1][0] for s in steps], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(seen, np.concatenate([s[0] for s in steps]), atol=1e-6)
        assert truncated.tolist() == [bool(s[3][0]) for s in steps]
        if mode is AutoresetMode.DISABLED and truncated.any():
            batch.reset(options={"reset_mask": truncated})
            for single in singles:
                single.reset()


def test_equal_set_points_give_bitwise_equal_states_whatever_the_batch(day_spec):
    from vpp_envs.simulator import SetPoints

    batch = FleetVectorEnv(day_spec, 4, dtype="float64")
    single = FleetVectorEnv(day_spec, 1, dtype="float64")
    batch.reset(seed=1)
    single.reset(seed=3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        power = 20 * torch.rand(4, 8, generator=generator, dtype=torch.float64) - 10
        sun = 5 * torch.rand(4, 8, generator=generator, dtype=torch.float64)
        batch.step_set_points(SetPoints(power, sun))
        single.step_set_points(SetPoints(power[2:3], sun[2:3]))
        assert torch.equal(batch.energy_kwh[2:3], single.energy_kwh)


def test_permuted_and_sharded_homes_are_the_same_homes(day_spec):
    from vpp_envs.vector_env import serve

    env = FleetVectorEnv(day_spec, 2, dtype="float64")
    env.reset(seed=2)
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])

    def part(fleet, pick):
        return Fleet(
            *(
                f[pick] if isinstance(f, torch.Tensor) else type(f)(*(t[pick] for t in f))
                for f in fleet
            )
        )

    def cut(moment, pick):
        return moment._replace(
            energy_kwh=moment.energy_kwh[:, pick],
            load_kw=moment.load_kw[:, pick],
            solar_available_kw=moment.solar_available_kw[:, pick],
        )

    from vpp_envs.simulator import SetPoints

    power = 10 * torch.rand(2, 8, dtype=torch.float64) - 5
    asked = SetPoints(power, env.moment.solar_available_kw)
    after, totals = serve(asked, env.moment, env.fleet, 1 / 12)
    mixed, mixed_totals = serve(
        SetPoints(asked.battery_kw[:, order], asked.solar_output_kw[:, order]),
        cut(env.moment, order),
        part(env.fleet, order),
        1 / 12,
    )
    assert torch.equal(mixed, after[:, order])
    torch.testing.assert_close(tuple(mixed_totals), tuple(totals), rtol=1e-12, atol=1e-12)
    halves = [
        serve(
            SetPoints(asked.battery_kw[:, h], asked.solar_output_kw[:, h]),
            cut(env.moment, h),
            part(env.fleet, h),
            1 / 12,
        )
        for h in (torch.arange(4), torch.arange(4, 8))
    ]
    assert torch.equal(torch.cat([h[0] for h in halves], -1), after)
    for whole, first, second in zip(totals, halves[0][1], halves[1][1], strict=True):
        torch.testing.assert_close(first + second, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_ends_of_episodes_follow_the_declared_mode(day_spec, mode):
    env = FleetVectorEnv(day_spec, 2, autoreset_mode=mode)
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


def test_a_seed_names_a_trajectory_and_a_reset_goes_on_to_the_next(day_spec):
    env = FleetVectorEnv(day_spec, 2)
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


def test_text_says_where_the_plant_stands(small_spec):
    env = FleetEnv(small_spec, render_mode="ansi")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert "AUD/MWh" in env.render()
    assert "stored" in env.render()


@pytest.mark.slow
def test_compiled_and_eager_steps_agree(small_spec):
    import shutil

    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("torch.compile needs a C++ compiler")
    eager = FleetVectorEnv(small_spec, 4, dtype="float64")
    fused = FleetVectorEnv(small_spec, 4, dtype="float64", compile=True)
    eager.reset(seed=0)
    fused.reset(seed=0)
    for tick in range(60):
        one = eager.step(actions(eager, tick, range(4)))
        two = fused.step(actions(fused, tick, range(4)))
        np.testing.assert_allclose(one[0], two[0], atol=1e-6)
        np.testing.assert_allclose(one[1], two[1], rtol=1e-6, atol=1e-9)
