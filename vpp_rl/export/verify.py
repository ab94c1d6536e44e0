"""Verify an artifact: files, golden pairs, parity with the in-process controller, speed."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.export.controller import Controller
from vpp_rl.export.golden import difference, random_fleet, random_signals, with_gaps, with_swaps
from vpp_rl.export.load import check_artifact
from vpp_rl.export.manifest import CONTROLLER, GOLDEN, Manifest
from vpp_rl.export.script import Scripted, curves_of, load_script, script_weights

PARITY = 1e-6  # of a home's rating, scripted against in-process on one machine
REPLAY = 2e-5  # of a home's rating: golden pairs may come from a machine that rounds differently
BIG_FLEET = 50_000
_FLEETS_PER_FORECAST = 50  # value curves take longer than a small fleet's dispatch


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
        return self.golden <= REPLAY and self.parity <= PARITY


def verify(
    folder: Path,
    fleets: int,
    progress: Callable[[float], None],
    in_process: Controller | None = None,
) -> Verification:
    """Verify an artifact.

    Args:
        folder: What `vpp export` wrote.
        fleets: Random telemetries to try, of 1 to 50,000 homes.
        progress: Called with the share that is done.
        in_process: What the artifact must equal; by default this package's own functions with
            the artifact's weights.

    Raises:
        InputError: A file is missing, damaged, or does more than compute.
    """
    manifest = check_artifact(folder)
    scripted = load_script(folder / CONTROLLER)
    eager = in_process or _in_process(folder, manifest)
    with torch.no_grad():
        golden = replay(scripted, folder / GOLDEN)
        parity, homes = _parity(scripted, eager, fleets, progress)
        milliseconds = dispatch_ms(scripted, BIG_FLEET, manifest.cars is not None)
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
        None if manifest.cars is None else tuple(record.cohort() for record in manifest.cars),
    )
    controller.load_state_dict(script_weights(folder / CONTROLLER))
    return controller.eval()


def replay(scripted: Scripted, path: Path) -> float:
    """Largest difference from the golden pairs of a file, as a share of each home's rating."""
    with np.load(path, allow_pickle=False) as file:
        golden = {name: torch.from_numpy(file[name]) for name in file.files}
    worst, start = 0.0, 0
    for row, homes in enumerate(golden["homes"].tolist()):
        part = slice(start, start + homes)
        nodes = golden["nodes_per_mwh"][row]
        telemetry = golden["telemetry"][part]
        answer = scripted(telemetry, golden["signals"][row], nodes, *curves_of(scripted, nodes))
        worst = max(worst, difference(answer, golden["set_points"][part], telemetry))
        start += homes
    return worst


def _parity(
    scripted: Scripted, eager: Controller, fleets: int, progress: Callable[[float], None]
) -> tuple[float, int]:
    """Largest difference over random telemetries, and how many homes they had."""
    generator = torch.Generator().manual_seed(1)
    worst, total = 0.0, 0
    for index in range(fleets):
        if index % _FLEETS_PER_FORECAST == 0:
            nodes = random_signals(generator)[1]
            theirs, ours = curves_of(scripted, nodes), curves_of(eager, nodes)
        # The first fleets are the largest and the smallest, the others log-uniform in between.
        share = (1.0, 0.0)[index] if index < 2 else float(torch.rand(1, generator=generator))
        homes = round(float(BIG_FLEET) ** share)
        fleet = random_fleet(homes, generator, eager.cars is not None)
        telemetry = with_swaps(with_gaps(fleet, generator), generator)
        signals = random_signals(generator)[0]
        answer = scripted(telemetry, signals, nodes, *theirs)
        worst = max(worst, difference(answer, eager(telemetry, signals, nodes, *ours), telemetry))
        total += homes
        progress((index + 1) / fleets)
    return worst, total


def dispatch_ms(scripted: Scripted, homes: int, cars: bool, repeats: int = 21) -> float:
    """Median time of one dispatch on one thread, value curves cached. [ms]"""
    generator = torch.Generator().manual_seed(2)
    telemetry = random_fleet(homes, generator, cars)
    signals, nodes = random_signals(generator)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        curves = curves_of(scripted, nodes)
        times = []
        for _ in range(repeats + 4):
            began = time.perf_counter()
            scripted(telemetry, signals, nodes, *curves)
            times.append((time.perf_counter() - began) * 1e3)
        return statistics.median(times[4:])
    finally:
        torch.set_num_threads(threads)
