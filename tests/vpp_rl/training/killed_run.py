"""A training in a process that is to be killed: run by path, with `RUN` given (see conftest)."""

import os
import signal
import sys

import torch

from vpp_rl.agents import analytic
from vpp_rl.training.run import run_training
from vpp_rl.training.snapshot import newest_snapshot


def _first_look(env, seed):
    """Instead of the observations of a whole day."""
    env.reset(seed=seed)
    return env.observation


def train(job, folder, kill_after, heard, quick):
    """Train, go on from the newest snapshot where there is one, tell every update that was made."""
    if quick:
        analytic.first_observations = _first_look

    def listen(progress, best):
        heard.value = progress.iteration
        if progress.iteration == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    snapshot = newest_snapshot(folder, lambda told: print(told, file=sys.stderr))
    run_training(job, folder, listen, snapshot)


torch.set_num_threads(1)  # as in the process of the tests: sums of two threads end in other bits
train(**globals()["RUN"])
