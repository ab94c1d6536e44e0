"""What holds for every learner: from equal states, equal updates."""

import copy
import io
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import AnalyticSettings
from vpp_rl.agents.generators import generator_states, set_generators
from vpp_rl.agents.off_policy import SacSettings, Td3Settings, TqcSettings
from vpp_rl.agents.ppo import PpoSettings
from vpp_rl.agents.registry import LEARNERS, learner

REPLAY = {
    "hidden": (8,),
    "critic_hidden": (8,),
    "scenarios": 4,
    "warm_up": 10,
    "steps": 150,
    "gradient_steps": 3,
    "batch": 16,
    "replay": 4 * 400,
}
SETTINGS = {
    "apg": AnalyticSettings(
        hidden=(8,), learning_rate=1e-2, scenarios=4, homes=2, window_h=1.5, horizon_h=0.5
    ),
    # Two updates are more than a day, so that episodes end before and after the state.
    "ppo": PpoSettings(hidden=(8,), scenarios=4, steps=150, batch=100, epochs=1, group=2),
    # Episodes end in every update, and the replay runs over between the states.
    "sac": SacSettings(**REPLAY),
    "td3": Td3Settings(**REPLAY, policy_delay=2),
    "tqc": TqcSettings(**REPLAY),
}


def make(name, spec, seed, settings=None):
    kind, settings = learner(name), settings or SETTINGS[name]
    env = FleetVectorEnv(
        spec, settings.scenarios, autoreset_mode=kind.autoreset_mode, stagger=kind.steps_env
    )
    return kind.make(env, settings, seed, False)


def written(state):
    """A state as it comes back from a file, without arbitrary pickles."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def weights(network):
    return torch.cat([weight.flatten() for weight in network.state_dict().values()])


@pytest.mark.parametrize(
    ("name", "homes"), [*((name, None) for name in SETTINGS), ("apg", 5), ("ppo", 5)]
)
def test_updates_after_a_state_are_those_of_the_learner_that_wrote_it(name, homes, day_spec):
    spec = replace(day_spec, fleet_mix=FleetMix(homes))
    first = make(name, spec, seed=3)
    for share in (0.0, 0.2):
        first.update(share)
    state = written(first.state())
    untouched = weights(first.network)
    went_on = [first.update(share) for share in (0.4, 0.6)]
    # Another learner of the same seed, as a resumed run makes it, and a process of other draws.
    second = make(name, spec, seed=3)
    torch.rand(7)
    np.random.rand(7)  # noqa: NPY002 - the generator that Stable-Baselines3 draws from
    second.restore(state)
    assert torch.equal(weights(second.network), untouched)
    again = [second.update(share) for share in (0.4, 0.6)]
    assert list(map(repr, again)) == list(map(repr, went_on))  # a NaN is not equal to itself
    assert torch.equal(weights(first.network), weights(second.network))
    assert not torch.equal(weights(first.network), untouched)


def test_generators_draw_again_what_they_drew():
    def drawn():
        return random.random(), np.random.rand(3).tolist(), torch.randn(3).tolist()  # noqa: NPY002

    np.random.randn()  # noqa: NPY002 - leaves the second of a pair behind, which belongs to the state
    random.gauss(0, 1)
    state = written(generator_states())
    first = (drawn(), np.random.randn(), random.gauss(0, 1))  # noqa: NPY002
    set_generators(state)
    assert (drawn(), np.random.randn(), random.gauss(0, 1)) == first  # noqa: NPY002


def test_an_unknown_learner_is_refused_with_all_names():
    with pytest.raises(InputError) as refused:
        learner("ppoo")
    assert all(name in str(refused.value) for name in LEARNERS)


OTHER = {
    "learning_rate": 3e-3,
    "temperature": 0.3,
    "final_temperature": 0.1,
    "weight_decay": 0.5,
    "max_grad_norm": 1e-9,
    "batch": 25,
    "epochs": 2,
    "gamma": 0.99,
    "gae_lambda": 0.5,
    "clip_range": 0.01,
    "entropy": 0.1,
    "gradient_steps": 2,
    "tau": 0.5,
    "horizon_h": 0.5,
    "target_entropy": -9.0,
    "noise": 0.9,
    "policy_delay": 1,
    "target_noise": 0.9,
    "dropped_quantiles": 3,
}
CHANGES = [(name, key) for name in SETTINGS for key in learner(name).changeable]


@pytest.fixture(scope="module")
def after_an_update(day_spec):
    """By learner, a state, and the policy that its writer's next update makes; each made once."""
    made = {}

    def of(name):
        if name not in made:
            first = make(name, day_spec, seed=3)
            first.update(0.2)
            state = written(first.state())
            first.update(0.4)
            made[name] = state, weights(first.network)
        return made[name]

    return of


@pytest.mark.parametrize(("name", "key"), CHANGES)
def test_a_changeable_setting_counts_although_the_state_was_written_with_another(
    name, key, day_spec, after_an_update
):
    state, with_the_same = after_an_update(name)
    assert getattr(SETTINGS[name], key) != OTHER[key]
    second = make(name, day_spec, 3, replace(SETTINGS[name], **{key: OTHER[key]}))
    second.restore(copy.deepcopy(state))
    second.update(0.4)
    assert not torch.equal(weights(second.network), with_the_same)


def test_settings_that_shaped_a_state_are_not_changeable():
    for name in SETTINGS:
        shaping = {"name", "hidden", "scenarios", "seconds", "iterations", "replay", "log_std"}
        assert shaping.isdisjoint(learner(name).changeable)
