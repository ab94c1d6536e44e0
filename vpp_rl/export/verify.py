"""Verify an artifact: files, golden pairs, parity with the in-process controller, speed."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.export.controller import Controller
from vpp_rl.export.golden import random_fleet, random_signals
from vpp_rl.export.load import check_files
from vpp_rl.export.manifest import CONTROLLER, GOLDEN, Manifest, read_manifest
from vpp_rl.export.script import Scripted, load_script, script_weights
from vpp_rl.export.vet import vet

PARITY = 1e-6  # of a home's rating
BIG_FLEET = 50_000
_MOST_HOMES = 20_000_000  # in all parity draws, so that they end


@dataclass(frozen=True)
class Verification:
    """What a verification found."""

    golden: float  # largest difference from the golden pairs, share of rating
    parity: float  # largest difference scripted against in-process, share of rating
    fleets: int  # random telemetries that parity was tried on
    homes: int  # homes in all of them
    dispatch_ms: float  # median for 50,000 homes on one thread
    bytes: int  # of the controller's file

    @property
    def passed(self) -> bool:
        """Whether both differences are within the promise."""
        return self.golden <= PARITY and self.parity <= PARITY


def verify(folder: Path, fleets: int, progress: Callable[[float], None]) -> Verification:
    """Verify an artifact.

    Args:
        folder: What `vpp export` wrote.
        fleets: Random telemetries to try, of 1 to 50,000 homes.
        progress: Called with the share that is done.

    Raises:
        InputError: A file is missing, damaged, or does more than compute.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    vet(folder / CONTROLLER)
    scripted = load_script(folder / CONTROLLER)
    with torch.no_grad():
        golden = _replay(scripted, folder / GOLDEN)
        parity, homes = _parity(scripted, _in_process(folder, manifest), fleets, progress)
        milliseconds = dispatch_ms(scripted, BIG_FLEET)
    size = (folder / CONTROLLER).stat().st_size
    return Verification(golden, parity, fleets, homes, milliseconds, size)


def _in_process(folder: Path, manifest: Manifest) -> Controller:
    """Rebuild the controller from this package's own functions and the artifact's weights."""
    network = PolicyNetwork(
        len(manifest.observation_names),
        len(manifest.action_names),
        manifest.hidden,
        manifest.squash,
    )
    controller = Controller(
        network,
        manifest.dispatch,
        tuple(record.cohort() for record in manifest.cohorts),
        manifest.price_scale,
        manifest.control_dt_s / 3600.0,
    )
    controller.load_state_dict(script_weights(folder / CONTROLLER))
    return controller.eval()


def _replay(scripted: Scripted, path: Path) -> float:
    """Largest difference from the golden pairs, share of each home's rating."""
    with np.load(path, allow_pickle=False) as file:
        golden = {name: torch.from_numpy(file[name]) for name in file.files}
    worst, start = 0.0, 0
    for row, homes in enumerate(golden["homes"].tolist()):
        part = slice(start, start + homes)
        nodes = golden["nodes_per_mwh"][row]
        telemetry = golden["telemetry"][part]
        answer = scripted(telemetry, golden["signals"][row], nodes, scripted.curves(nodes))
        worst = max(worst, _difference(answer, golden["set_points"][part], telemetry))
        start += homes
    return worst


def _parity(
    scripted: Scripted, eager: Controller, fleets: int, progress: Callable[[float], None]
) -> tuple[float, int]:
    """Largest difference over random telemetries, and how many homes they had."""
    generator = torch.Generator().manual_seed(1)
    worst, total = 0.0, 0
    for index in range(fleets):
        share = float(torch.rand(1, generator=generator))
        homes = round(float(BIG_FLEET) ** share)
        if index == 0:
            homes = BIG_FLEET
        homes = max(1, min(homes, _MOST_HOMES - total))
        telemetry = random_fleet(homes, generator)
        signals, nodes = random_signals(generator)
        theirs = scripted(telemetry, signals, nodes, scripted.curves(nodes))
        ours = eager(telemetry, signals, nodes, eager.curves(nodes))
        worst = max(worst, _difference(theirs, ours, telemetry))
        total += homes
        progress((index + 1) / fleets)
    return worst, total


def _difference(answer: Tensor, expected: Tensor, telemetry: Tensor) -> float:
    """Largest difference of set-points, share of each home's rating."""
    rating = torch.stack([telemetry[:, 5:7].amax(-1), telemetry[:, 3]], -1).clamp(min=1.0)
    return float(((answer[:, :2] - expected[:, :2]).abs() / rating).max())


def dispatch_ms(scripted: Scripted, homes: int, repeats: int = 21) -> float:
    """Median time of one dispatch on one thread, value curves cached. [ms]"""
    generator = torch.Generator().manual_seed(2)
    telemetry = random_fleet(homes, generator)
    signals, nodes = random_signals(generator)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        curve = scripted.curves(nodes)
        times = []
        for _ in range(repeats + 4):
            began = time.perf_counter()
            scripted(telemetry, signals, nodes, curve)
            times.append((time.perf_counter() - began) * 1e3)
        return statistics.median(times[4:])
    finally:
        torch.set_num_threads(threads)
