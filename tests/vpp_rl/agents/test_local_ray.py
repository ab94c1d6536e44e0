"""What Ray does to the process that starts it."""

import signal

import pytest

from vpp_rl.agents.local_ray import start_ray, stop_ray

pytest.importorskip("ray")


@pytest.mark.slow
def test_ray_leaves_sigterm_to_the_training():
    def ours(number, frame):
        """Save, and end."""

    before = signal.signal(signal.SIGTERM, ours)
    try:
        assert start_ray(0), "another Ray is running, so that this shows nothing"
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        stop_ray()
        signal.signal(signal.SIGTERM, before)
