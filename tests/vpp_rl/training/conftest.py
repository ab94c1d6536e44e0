"""Runs that are killed, and what tells two runs apart."""

import hashlib
import multiprocessing
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.registry import learner
from vpp_rl.training.run import training_env
from vpp_rl.training.snapshot import newest_snapshot

ACTIONS = 100
NOTHING_YET = -1  # heard of a run that has made no update
KILLED_RUN = Path(__file__).with_name("killed_run.py")
LATE = ["torch._dynamo", "torch.utils.tensorboard"]


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
    """Begin a training in a process of its own, and tell what it has heard of its updates.

    It is forked from a server that has no threads and has trained nothing: a fork of this process,
    whose pools of threads do not follow it, may wait for them for ever.
    """
    server = multiprocessing.get_context("forkserver")
    # The last are what torch imports late.
    server.set_forkserver_preload(["vpp_rl.training.run", "vpp_rl.agents.registry", *LATE])

    def begin(job, folder, kill_after=None, quick=False):
        heard = server.Value("q", NOTHING_YET, lock=False)
        run = {"job": job, "folder": folder, "kill_after": kill_after}
        run |= {"heard": heard, "quick": quick}
        process = server.Process(target=runpy.run_path, args=(str(KILLED_RUN), {"RUN": run}))
        process.start()
        return process, heard

    return begin
