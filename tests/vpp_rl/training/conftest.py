"""Runs that are killed, and what tells two runs apart."""

import hashlib
import os
import traceback
import warnings

import numpy as np
import pytest
import torch

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.registry import learner
from vpp_rl.training.run import training_env
from vpp_rl.training.snapshot import newest_snapshot

ACTIONS = 100


def digest(value):
    """SHA-256 of tensors, arrays, numbers and texts in lists, tuples and dictionaries."""
    sha = hashlib.sha256()

    def take(part):
        if isinstance(part, torch.Tensor):
            part = part.detach()
        if isinstance(part, torch.Tensor | np.ndarray):
            array = np.ascontiguousarray(part)
            sha.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        elif isinstance(part, dict):
            take([item for pair in part.items() for item in pair])
        elif isinstance(part, list | tuple):
            sha.update(f"{len(part)} of ".encode())
            for item in part:
                take(item)
        else:
            sha.update(f"{part!r};".encode())

    take(value)
    return sha.hexdigest()


def _next_actions(job, network):
    """What the policy does without exploration on the next validation intervals."""
    env = FleetVectorEnv(job.scenario, 2, job.dispatch, "validation", autoreset_mode="SameStep")
    env.reset(seed=5)
    actions = []
    for _ in range(ACTIONS):
        with torch.no_grad():
            actions.append(network(env.observation))
        env.step(actions[-1])
    return torch.stack(actions)


@pytest.fixture
def print_of():
    """What tells a finished run from another: hashes of all that its last snapshot leads to."""

    def hashes(job, folder):
        snapshot = newest_snapshot(folder, pytest.fail)
        assert snapshot["progress"]["share"] == 1.0
        env = training_env(job)
        made = learner(job.agent.name).make(env, job.agent, job.seed, job.compile)
        made.restore(snapshot["learner"])
        drawn, step = [], env.step

        def recorded(actions):
            drawn.append(np.array(actions))
            return step(actions)

        env.step = recorded
        greedy = _next_actions(job, made.network)
        update = made.update(0.9)
        seen = snapshot["watch"]
        return {
            "parameters, optimiser and all the rest": digest(snapshot["learner"]),
            "next actions without exploration": digest(greedy),
            "next actions with exploration": digest(drawn[:ACTIONS]),
            "one more update": digest([vars(update), made.state()]),
            "best policy": digest([seen["best"], seen["policy"]]),
            "learning curve": digest(
                [(r["home_steps"], r["profit_per_home_year"]) for r in seen["rows"]]
            ),
        }

    return hashes


@pytest.fixture
def in_a_child():
    """Call a function in a process of its own, forked from this one; returns its id."""

    def begin(work):
        with warnings.catch_warnings():
            # Of threads: numpy and torch have one each here.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child:
            return child
        code = 70
        try:
            work()
            code = 0
        except SystemExit as left:
            code = left.code
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    return begin
