"""The only place that calls TorchScript: its deprecation warning is silenced here, on purpose.

torch offers no successor that loads in a process without the Python source; the warning says
nothing that a user could act on.
"""

import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_rl.export.controller import Controller

Scripted = torch.jit.ScriptModule


def script(controller: Controller) -> Scripted:
    """Script a controller; no Python source is needed to run the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted: Scripted = torch.jit.script(controller.eval())
    return scripted


def save_script(scripted: Scripted, path: Path, metadata: str) -> None:
    """Write a scripted module with metadata that is readable without loading it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(scripted, str(path), _extra_files={"metadata.json": metadata})


def read_metadata(path: Path) -> str:
    """Metadata of a scripted module, without loading it; empty if there is none."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("/extra/metadata.json")]
        return archive.read(names[0]).decode() if names else ""


def load_script(path: Path) -> Scripted:
    """Load a scripted module on the CPU, frozen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        frozen: Scripted = torch.jit.freeze(_load(path), preserved_attrs=["curves"])
    return frozen


def script_weights(path: Path) -> dict[str, Tensor]:
    """Weights and buffers of a scripted module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        weights: dict[str, Tensor] = _load(path).state_dict()
    return weights


def _load(path: Path) -> Scripted:
    """Load a scripted module; only `vet` makes this safe."""
    try:
        loaded: Scripted = torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{path} cannot be loaded by torch {torch.__version__} ({reason}): export it again."
        ) from None
    return loaded


def warm_up(scripted: Scripted, inputs: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    """Run a few times, so that the first real call is as quick as the others."""
    with torch.no_grad():
        for _ in range(3):
            scripted.curves(inputs[2])
            scripted(*inputs)
