"""What torch.compile needs of a machine: ``compile=auto`` and ``vpp doctor`` ask the same question.

Nothing here imports torch, because the doctor must speak where it is missing.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple


class Toolchain(NamedTuple):
    """What a machine has for compiling."""

    compiler: str | None  # path of the C++ compiler that torch would call
    headers: bool  # Python.h is installed

    @property
    def complete(self) -> bool:
        """Whether torch.compile can be used."""
        return self.compiler is not None and self.headers


def toolchain() -> Toolchain:
    """Look for the C++ compiler that torch calls and for Python's headers."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    headers = (Path(sysconfig.get_path("include")) / "Python.h").is_file()
    return Toolchain(shutil.which(name), headers)
