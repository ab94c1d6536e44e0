"""The libraries that vpp-rl stands on, and which extra of the package brings each."""

from typing import NamedTuple


class Library(NamedTuple):
    """A library that vpp-rl imports."""

    distribution: str  # name on the package index
    module: str  # name in an import statement
    extra: str  # vpp-rl[extra] installs it; empty: the base package does


LIBRARIES = (
    Library("torch", "torch", ""),
    Library("numpy", "numpy", ""),
    Library("pandas", "pandas", ""),
    Library("pyarrow", "pyarrow", ""),
    Library("gymnasium", "gymnasium", ""),
    Library("pydantic", "pydantic", ""),
    Library("rich", "rich", ""),
    Library("stable-baselines3", "stable_baselines3", "train"),
    Library("hydra-core", "hydra", "train"),
    Library("omegaconf", "omegaconf", "train"),
    Library("tensorboard", "tensorboard", "train"),
    Library("highspy", "highspy", "train"),
    Library("plotly", "plotly", "train"),
    Library("ray", "ray", "ray"),
    Library("hydra-ray-launcher", "hydra_plugins", "ray"),
    Library("optuna", "optuna", "sweep"),
    Library("dm-tree", "tree", "rllib"),  # the first that RLlib imports beyond Ray's own
    Library("pvlib", "pvlib", "weather"),
)


def how_to_install(library: Library) -> str:
    """Return the command that brings the library."""
    return f'pip install "vpp-rl[{library.extra}]"' if library.extra else "pip install vpp-rl"


def missing_library(module: str) -> str:
    """Return the sentence for a module that could not be found, or ``""`` if none of ours."""
    top = module.partition(".")[0]
    for library in LIBRARIES:
        if library.module == top:
            return f"{library.distribution} is not installed: run {how_to_install(library)}"
    return ""
