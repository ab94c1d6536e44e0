import os
import time
from pathlib import Path

import pytest

from vpp_rl.agents.local_ray import start_ray, stop_ray

pytestmark = pytest.mark.slow


def test_ray_listens_on_this_machine_only_says_nothing_and_goes_when_it_is_told(capfd):
    pytest.importorskip("ray")
    assert start_ray(workers=0)
    try:
        assert not start_ray(workers=0)  # there is one already
        processes = descendants(os.getpid())
        addresses = listening(processes)
    finally:
        stop_ray()
    assert len(processes) > 3
    assert addresses
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1
    assert capfd.readouterr() == ("", "")
    for _ in range(200):
        if not any(Path(f"/proc/{pid}").exists() for pid in processes):
            return
        time.sleep(0.1)
    raise AssertionError("processes of Ray live on 20 seconds after they were stopped")


def descendants(pid):
    """Process ids of all children and theirs."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return children + [below for child in children for below in descendants(child)]


def listening(processes):
    """Addresses on which processes listen, as Linux writes them in hexadecimal."""
    sockets = {
        os.readlink(fd)
        for pid in processes
        for fd in Path(f"/proc/{pid}/fd").glob("*")
        if fd.is_symlink()
    }
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        row[1].split(":")[0]
        for row in rows
        if row[3] == "0A" and f"socket:[{row[9]}]" in sockets  # 0A: it listens
    }
