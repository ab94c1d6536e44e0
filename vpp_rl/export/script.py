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
        loaded = _load(path)
        kept = [name for name in ("curves", "car_curves") if hasattr(loaded, name)]
        frozen: Scripted = torch.jit.freeze(loaded, preserved_attrs=kept)
    return frozen


def curves_of(controller: Controller | Scripted, nodes_per_mwh: Tensor) -> tuple[Tensor, ...]:
    """Everything that a controller wants tabulated once a forecast, as it takes them.

    Args:
        controller: In process or scripted. One that was exported before there were cars has
            value curves of batteries alone.
        nodes_per_mwh: The forecast, (H, Q). [currency/MWh]
    """
    curve: Tensor = controller.curves(nodes_per_mwh)
    if not hasattr(controller, "car_curves"):
        return (curve,)
    return (curve, controller.car_curves(nodes_per_mwh))


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


def warm_up(scripted: Scripted, telemetry: Tensor, signals: Tensor, nodes: Tensor) -> None:
    """Run a few times, so that the first real call is as quick as the others."""
    with torch.no_grad():
        for _ in range(3):
            scripted(telemetry, signals, nodes, *curves_of(scripted, nodes))
