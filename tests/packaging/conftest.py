"""A wheel built from the checkout, and that wheel installed where the checkout is out of sight."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def wheel(repository, tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    subprocess.run([*build, repository], check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Run:
    """Run a command of an environment that holds the wheel and borrows only its dependencies.

    The borrowed folder is on the path by a .pth file. Python does not follow the .pth files
    inside it, so the editable install of this checkout stays behind.
    """
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-qq", "--no-deps"]
    # Before the dependencies come into sight: pip would find the editable install among them.
    subprocess.run([*pip, "--no-index", wheel], check=True, capture_output=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    borrowed = home / "lib" / version / "site-packages" / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    empty = tmp_path_factory.mktemp("empty")
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("PYTHON")}

    def run(command: str, *arguments: str, cwd: Path = empty) -> subprocess.CompletedProcess:
        return subprocess.run(
            [home / "bin" / command, *arguments],
            cwd=cwd,
            env=environment | {"PYTHONNOUSERSITE": "1"},
            capture_output=True,
            text=True,
        )

    return run
