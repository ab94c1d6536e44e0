"""An environment goes on from a written state as if nothing had happened."""

import copy
import io
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from vpp_envs.errors import InputError
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.vector_env import FleetVectorEnv

MID_EPISODE, AT_AN_END = 50, 96  # of three staggered rows the last one ends with step 96


@pytest.fixture(scope="module")
def day_spec(small_spec):
    return replace(small_spec, episode_days=1)


def environment(spec, mode, **more):
    return FleetVectorEnv(spec, 3, autoreset_mode=mode, stagger=True, **more)


def step_on(env, tick, truncated):
    """One step; where the mode leaves that to the caller, rows that ended restart before it."""
    if env.autoreset_mode is AutoresetMode.DISABLED and truncated.any():
        env.reset(options={"reset_mask": truncated})
    actions = np.random.default_rng(tick).uniform(-1, 1, env.action_space.shape)
    return env.step(actions)


def written(state):
    """A state as it comes back from a file, without arbitrary pickles."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def assert_the_same(first, second):
    for ours, theirs in zip(first[:4], second[:4], strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert first[4].keys() == second[4].keys()
    if "episode_return" in first[4]:
        np.testing.assert_array_equal(first[4]["episode_return"], second[4]["episode_return"])


@pytest.mark.parametrize(
    ("mode", "at", "homes"),
    [
        *((mode, at, None) for mode in AutoresetMode for at in (MID_EPISODE, AT_AN_END)),
        (AutoresetMode.NEXT_STEP, AT_AN_END, 5),
    ],
)
def test_the_next_thousand_steps_after_a_state_are_the_same_to_the_bit(day_spec, mode, at, homes):
    day_spec = replace(day_spec, fleet_mix=FleetMix(homes))
    first = environment(day_spec, mode)
    first.reset(seed=7)
    truncated = np.zeros(3, bool)
    for tick in range(at):
        truncated = step_on(first, tick, truncated)[3]
    assert truncated.any() == (at == AT_AN_END)
    if mode is AutoresetMode.NEXT_STEP:
        assert bool(first._ended.any()) == (at == AT_AN_END)
    second = environment(day_spec, mode)
    second.set_state(written(first.get_state()))
    both, ends = truncated, 0
    for tick in range(at, at + 1000):
        one, two = step_on(first, tick, both), step_on(second, tick, both)
        assert_the_same(one, two)
        both = one[3]
        ends += int(both.sum())
    assert torch.equal(first.energy_kwh, second.energy_kwh)
    assert torch.equal(first.fleet.home_id, second.fleet.home_id)
    assert ends > 6


def test_a_state_is_not_changed_by_the_steps_after_it(day_spec):
    env = environment(day_spec, "SameStep")
    env.reset(seed=7)
    none = np.zeros(3, bool)
    for tick in range(AT_AN_END - 1):
        step_on(env, tick, none)
    state = env.get_state()
    outcomes = []
    for _ in range(3):  # again and again from the same state, over the same end of an episode
        outcomes.append([step_on(env, tick, none) for tick in range(100)])
        env.set_state(state)
    for first, *others in zip(*outcomes, strict=True):
        for other in others:
            assert_the_same(first, other)


def test_a_copy_is_a_branch_of_its_own(day_spec):
    env = environment(day_spec, "NextStep")
    env.reset(seed=7)
    branch = copy.deepcopy(env)
    none = np.zeros(3, bool)
    branch.step(np.ones(env.action_space.shape))
    plain = environment(day_spec, "NextStep")
    plain.reset(seed=7)
    for tick in range(AT_AN_END + 5):
        assert_the_same(step_on(env, tick, none), step_on(plain, tick, none))


def test_there_is_no_state_before_the_first_reset(day_spec):
    with pytest.raises(gym.error.ResetNeeded):
        environment(day_spec, "NextStep").get_state()


def test_a_state_of_another_environment_is_refused(day_spec):
    env = environment(day_spec, "NextStep")
    env.reset(seed=7)
    with pytest.raises(InputError, match=r"another environment: its _seeds is .* shape \(3,\)"):
        FleetVectorEnv(day_spec, 2).set_state(env.get_state())
    with pytest.raises(
        InputError, match=r"energy_kwh is torch\.float32 .* here it is torch\.float6"
    ):
        environment(day_spec, "NextStep", dtype="float64").set_state(env.get_state())


def test_a_state_with_homes_of_its_own_is_not_one_without(day_spec):
    """Not even where the numbers of homes are the same."""
    mixed = environment(replace(day_spec, fleet_mix=FleetMix(homes=5)), "NextStep")
    five = replace(day_spec, fleet=replace(day_spec.fleet, homes=5))
    plain = environment(five, "NextStep")
    for env in (mixed, plain):
        env.reset(seed=7)
    with pytest.raises(InputError, match="its _places is present, here it is absent"):
        plain.set_state(mixed.get_state())
    with pytest.raises(InputError, match="its _places is absent, here it is present"):
        mixed.set_state(plain.get_state())
    older = mixed.get_state()
    del older["_places"]
    with pytest.raises(InputError, match="its _places is absent"):
        mixed.set_state(older)
