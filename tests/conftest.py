"""What every test shares: one torch thread, fixed seeds, and the folder of real data."""

import contextlib
import random
import sys
from collections import Counter
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[1]

# The same examples on every run and machine: a failure in CI is a failure here.
hypothesis.settings.register_profile("vpp", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("vpp")


# absl, which RLlib imports, keeps the stderr that it first sees and closes it when Hydra sets up
# its logging: let that be the process's own, not the file in which pytest captures a test's output.
with contextlib.suppress(ImportError), contextlib.redirect_stderr(sys.__stderr__):
    import absl.logging  # noqa: F401


@pytest.fixture(autouse=True)
def _fixed_seeds():
    """Start every test from the same global random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test still draw from the global generator
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout that these tests belong to."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout, or a skip: the repository holds no such data."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder ../shared/data with real data is not beside this checkout")
    return folder


def pytest_runtest_setup() -> None:
    """Start every test, and fixtures of any scope, with one torch thread.

    Two test processes with two torch threads each thrash a two-core machine, and a command of
    `vpp` that a test before this one called may have set them.
    """
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked cuda where torch sees no GPU, and begin with files of slow tests.

    Processes are given whole files: the long ones first, so that all end at about the same time.
    """
    slow = Counter(item.path for item in items if "slow" in item.keywords)
    items.sort(key=lambda item: -slow[item.path])
    if torch.cuda.is_available():
        return
    for item in items:
        if "cuda" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="torch sees no CUDA device"))
