"""Ray on this machine only: nothing listens beyond 127.0.0.1, no dashboard, no banners."""

import logging
import os
import signal
import threading

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # else a token is kept in the home directory; loopback needs none
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's own switch for machines without clusters: every socket is bound to 127.0.0.1.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
_STORE_BYTES = 256 * 2**20  # shared memory; what workers send is a few MiB an update


def start_ray(workers: int) -> bool:
    """Start Ray for so many worker processes, unless the caller's own Ray is running.

    Args:
        workers: Processes beside this one.

    Returns:
        Whether it was started here, so that `stop_ray` is due.

    Raises:
        RuntimeError: This Ray would listen on the network.
    """
    os.environ.update(_ENVIRONMENT)
    import ray
    from ray._private import ray_constants

    logging.getLogger("ray").setLevel(logging.ERROR)
    if ray.is_initialized():
        return False
    ray_constants.ENABLE_RAY_CLUSTER = False  # for this process, if it imported Ray before
    # Ray takes the process's SIGTERM for itself; a training's own handler saves and resumes.
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(
        address="local",
        num_cpus=workers + 1,
        num_gpus=0,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=_STORE_BYTES,
    )
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
    address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if address != "127.0.0.1":
        ray.shutdown()
        raise RuntimeError(f"Ray {ray.__version__} would listen on {address}, not on 127.0.0.1.")
    return True


def stop_ray() -> None:
    """Stop the Ray that `start_ray` started."""
    import ray

    ray.shutdown()
