"""The Ray cluster of a sweep: on this machine, behind a token, telling nobody."""

import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from vpp_envs.errors import InputError

# Arguments of `ray.init`.
INIT: dict[str, Any] = {
    "address": "local",  # a cluster of its own, whatever RAY_ADDRESS names
    "num_cpus": None,  # null = all cores
    "object_store_memory": 78643200,  # bytes, Ray's least: jobs exchange a number
    "include_dashboard": False,
    "log_to_driver": False,
    "logging_level": "warning",
    "_node_ip_address": "127.0.0.1",
}


def prepare_environment() -> None:
    """Set what Ray reads from the environment when it is imported, unless the person has set it."""
    # Ray listens on every interface: who knows the token may run code. Ray's own default is a
    # token in the home directory, which stays there.
    if "ray" not in sys.modules:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # For what a worker does before its job sets torch's threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@contextmanager
def cluster(cpus: int | None) -> Iterator[None]:
    """Run Ray, whose processes end with it; SIGTERM leaves as Ctrl+C does, with exit code 0.

    Args:
        cpus: Cores that jobs may have; none: all.
    """
    import ray

    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**{**INIT, "num_cpus": cpus, "logging_level": "error"})
        if main:
            signal.signal(signal.SIGTERM, _leave)  # which Ray has taken for itself
        yield
    except SystemExit:
        raise SystemExit(0) from None  # Ray makes 1 of it where it waits
    finally:
        ray.shutdown()
        if main:
            signal.signal(signal.SIGTERM, before)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def refuse_too_few_cores(needed: float, named: str) -> None:
    """Refuse a job for which Ray, which runs, would wait for ever.

    Args:
        needed: Cores of a job.
        named: What sets them, for the sentence.

    Raises:
        InputError: Ray has fewer.
    """
    import ray

    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's own gap
    there = resources.get("CPU", 0.0)
    if needed > there:
        raise InputError(
            f"a job needs {needed} cores ({named}), and Ray has {there:g}: ask for fewer threads."
        )
