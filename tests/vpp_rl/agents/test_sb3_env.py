from copy import copy
from itertools import pairwise

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import rated_kw
from vpp_envs.fleet.mix import homes_at
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.sb3_env import FleetVecEnv

GAMMA = 0.999
DAY = 288
ROWS = 4


def adapter(spec, shaping=True, group=2, dtype="float64"):
    """An adapter that hands observations on as they are."""
    env = FleetVectorEnv(spec, ROWS, autoreset_mode="SameStep", dtype=dtype)
    features = len(env.observation_names)
    return FleetVecEnv(env, torch.zeros(features), torch.ones(features), GAMMA, shaping, group)


def command(venv, tick):
    return np.random.default_rng(tick).uniform(-1, 1, (ROWS, venv.action_space.shape[0]))


def whole_day(venv, seed=11):
    """Rewards (T, B), and the infos of the last step, of one day from a seed."""
    venv.seed(seed)
    venv.reset()
    rewards = []
    for tick in range(DAY):
        _, reward, done, infos = venv.step(command(venv, tick))
        rewards.append(reward.astype(np.float64))
        assert done.all() == (tick == DAY - 1)
    return np.array(rewards), infos


def homes_of(env, row):
    """The homes of a row, by their names: it has all of them, or those that it drew."""
    names = env.fleet.home_id.expand(env.num_envs, -1)[row].tolist()
    everyone = env.scenario.fleet
    return homes_at(everyone, torch.tensor([everyone.home_id.tolist().index(n) for n in names]))


def potential(env, fills, issue, row):
    """Water value of the mean fills, written a second time: the area under each curve."""
    scenario, fleet = env.scenario, homes_of(env, row)
    usable = (fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh).numpy()
    worth = 0.0
    for cohort, fill in enumerate(fills):
        curve = scenario.curve[issue, cohort].double().numpy()
        grid = np.linspace(0.0, 1.0, len(curve))
        area = [0.0, *np.cumsum([(a + b) / 2 / (len(curve) - 1) for a, b in pairwise(curve)])]
        member = fleet.cohort.numpy() == cohort
        worth += np.interp(fill, grid, area) * usable[member].sum()
    return worth * env.reward_scale / float(rated_kw(fleet).sum())


def test_shaping_adds_up_to_the_discounted_value_of_what_is_left_in_store(any_days):
    shaped, infos = whole_day(adapter(any_days, shaping=True))
    plain, _ = whole_day(adapter(any_days, shaping=False))
    venv = adapter(any_days)
    venv.seed(11)
    venv.reset()
    discount = GAMMA ** np.arange(DAY)
    added = (discount[:, None] * (shaped - plain)).sum(0)
    at = venv._stored_value.fill_at
    issue = (venv.env.tick + DAY).clamp(max=len(venv.env.tables.features) - 1) // 6
    left = np.array(
        [
            potential(venv.env, info["terminal_observation"][at], int(issue[row]), row)
            for row, info in enumerate(infos)
        ]
    )
    # Rows of a pair begin with the same store, so that only what they leave differs.
    pairs = left.reshape(-1, 2)
    expected = GAMMA**DAY * (pairs - pairs.mean(1, keepdims=True)).reshape(-1)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(added, expected, rtol=1e-3, atol=2e-5)


def test_rows_of_a_group_live_the_same_day_and_are_paid_against_their_mean(day_spec):
    venv = adapter(day_spec)
    venv.seed(5)
    seen = venv.reset()
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert torch.equal(venv.env.energy_kwh[2], venv.env.energy_kwh[3])
    _, reward, _, _ = venv.step(command(venv, 0))
    np.testing.assert_allclose(reward.reshape(-1, 2).sum(1), 0.0, atol=1e-7)
    _, reward, _, _ = venv.step(np.zeros_like(command(venv, 0)))
    assert np.isfinite(reward).all()


def test_the_difference_within_a_group_is_the_difference_of_what_was_earned(day_spec):
    venv = adapter(day_spec, shaping=False)
    bare = FleetVectorEnv(day_spec, ROWS, autoreset_mode="SameStep", dtype="float64")
    venv.seed(5)
    venv.reset()
    bare.reset(seed=[5, 5, 6, 6])
    for tick in range(20):
        _, reward, _, _ = venv.step(command(venv, tick))
        _, earned, _, _, _ = bare.step(command(venv, tick))
        np.testing.assert_allclose(reward[0] - reward[1], earned[0] - earned[1], atol=1e-6)


def test_the_last_observation_is_the_old_episodes(day_spec):
    venv = adapter(day_spec, shaping=False)
    _, infos = whole_day(venv)
    alone = FleetVectorEnv(day_spec, ROWS, autoreset_mode="Disabled", dtype="float64")
    alone.reset(seed=[11, 11, 12, 12])
    returns = np.zeros(ROWS)
    for tick in range(DAY):
        last, reward, _, _, _ = alone.step(command(venv, tick))
        returns += reward
    for row, info in enumerate(infos):
        np.testing.assert_allclose(info["terminal_observation"], last[row], atol=1e-6)
        assert info["TimeLimit.truncated"] is True
        assert info["episode"]["l"] == DAY
        assert info["episode"]["r"] == pytest.approx(returns[row])
    assert not np.array_equal(venv.env.observation[0].numpy(), last[0])


def test_infos_are_fresh_dictionaries(day_spec):
    venv = adapter(day_spec)
    venv.seed(0)
    venv.reset()
    _, _, _, first = venv.step(command(venv, 0))
    first[0]["scribble"] = 1
    _, _, done, second = venv.step(command(venv, 1))
    assert second == [{}] * ROWS
    assert len({id(info) for info in second}) == ROWS
    assert done.dtype == bool


def test_observations_are_normalised_as_the_network_does(day_spec):
    env = FleetVectorEnv(day_spec, ROWS, autoreset_mode="SameStep")
    features = len(env.observation_names)
    mean, scale = torch.linspace(-1, 1, features), torch.linspace(0.5, 20, features)
    venv = FleetVecEnv(env, mean, scale, GAMMA, shaping=True, group=2)
    venv.seed(0)
    seen = venv.reset()
    expected = ((env.observation - mean) * scale).clamp(-10, 10)
    np.testing.assert_allclose(seen, expected.numpy(), rtol=1e-6)
    assert seen.dtype == np.float32


def test_another_autoreset_mode_is_refused(day_spec):
    env = FleetVectorEnv(day_spec, ROWS)
    zero = torch.zeros(len(env.observation_names))
    with pytest.raises(InputError, match="autoreset_mode=SameStep, got NextStep"):
        FleetVecEnv(env, zero, zero, GAMMA, shaping=True, group=2)


def test_every_reward_is_that_of_a_slow_reference(any_days):
    """r + gamma phi(s') - phi(s), less the pair's mean, phi integrated home group by home group."""
    venv = adapter(any_days)
    bare = FleetVectorEnv(any_days, ROWS, autoreset_mode="Disabled", dtype="float64")
    venv.seed(5)
    venv.reset()
    seen, _ = bare.reset(seed=[5, 5, 6, 6])

    def phi(seen):
        issue = bare.tick.clamp(max=len(bare.tables.features) - 1) // 6
        rows = zip(seen[:, venv._stored_value.fill_at], issue.tolist(), range(ROWS), strict=True)
        return np.array([potential(bare, *row) for row in rows])

    for tick in range(DAY + 30):  # over the end of the first episode
        before = phi(seen)
        _, reward, _, _ = venv.step(command(venv, tick))
        seen, earned, _, ended, _ = bare.step(command(venv, tick))
        shaped = (earned + GAMMA * phi(seen) - before).reshape(-1, 2)
        expected = (shaped - shaped.mean(1, keepdims=True)).reshape(-1)
        np.testing.assert_allclose(reward, expected, rtol=1e-5, atol=1e-6)
        assert ended.all() == (tick == DAY - 1)
        if ended.any():
            seen, _ = bare.reset()


def test_episodes_with_other_homes_gain_by_shaping_what_each_began_and_ended_with(mixed_days):
    """Without pairs: gamma^T phi(end) - phi(start) of each episode, by the homes that it had."""
    shaped, plain = (adapter(mixed_days, shaping, group=1) for shaping in (True, False))
    env = plain.env
    for venv in (shaped, plain):
        venv.seed(3)
        venv.reset()
        venv.env._age[:] = DAY - 40
    at = shaped._stored_value.fill_at
    seen, homes = env.observation[:, at].numpy(), []
    for lived in (40, DAY):
        homes.append(env.fleet.home_id.clone())
        first, tick = env.tick // 6, env.tick.clone()
        start = np.array([potential(env, seen[r], int(first[r]), r) for r in range(ROWS)])
        then = copy(env)  # with the homes of this episode
        added = np.zeros(ROWS)
        for step in range(lived):
            actions = command(shaped, step)
            (_, more, _, _), (after, less, done, infos) = (
                venv.step(actions) for venv in (shaped, plain)
            )
            added += GAMMA**step * (more.astype(np.float64) - less)
        assert done.all()
        last = (tick + lived).clamp(max=len(env.tables.features) - 1) // 6
        fills = [info["terminal_observation"][at] for info in infos]
        end = np.array([potential(then, fills[r], int(last[r]), r) for r in range(ROWS)])
        np.testing.assert_allclose(added, GAMMA**lived * end - start, atol=5e-5)
        seen = after[:, at]
    assert (homes[0] != homes[1]).any(-1).all()
    assert (homes[0] != homes[0][:1]).any()
