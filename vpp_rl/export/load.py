"""Load an exported controller, and dispatch with it."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_rl.export.columns import SIGNAL_ENTRIES, columns_of
from vpp_rl.export.manifest import CONTROLLER, MANIFEST, Manifest, fields, read_manifest
from vpp_rl.export.script import Scripted, curves_of, load_script, read_metadata, warm_up
from vpp_rl.export.telemetry import (
    SetPointTable,
    signal_tensors,
    start_of_interval,
    telemetry_matrix,
)
from vpp_rl.export.vet import vet
from vpp_rl.files import file_sha256


class LoadedController:
    """A controller ready to dispatch; it needs neither the training libraries nor the run."""

    def __init__(self, scripted: Scripted, manifest: Manifest) -> None:
        """Wrap a scripted module; `load` makes one from a folder."""
        self.manifest = manifest
        self._scripted = scripted
        self._nodes: Tensor | None = None
        self._curves: tuple[Tensor, ...] = ()

    def dispatch(
        self,
        telemetry: Any,  # noqa: ANN401 - whatever has columns
        signals: Mapping[str, Any],
        now: datetime | np.datetime64 | None = None,
    ) -> SetPointTable:
        """Dispatch a fleet for one control interval.

        Args:
            telemetry: One row a home, columns as in the manifest: a mapping, pandas DataFrame,
                Arrow table, or matrix. A home with a number missing or out of the manifest's
                range, or with a reserve above its capacity, is left alone and marked; and so,
                battery and all, is one whose car's target is above its capacity or below its
                minimum.
            signals: The manifest's entries, and ``nodes_per_mwh`` (leads, bins). The value
                curves are computed once a forecast.
            now: A time within the interval, UTC or with its zone; by default the clock's.

        Returns:
            Set-points with their expiry.

        Raises:
            InputError: A column or entry is missing, unknown or of the wrong shape, a signal is
                out of its range, or there is no home.
        """
        manifest = self.manifest
        matrix = telemetry_matrix(telemetry, manifest.telemetry_names)
        vector, nodes = signal_tensors(
            signals, manifest.forecast_leads, len(manifest.forecast_weights)
        )
        start = start_of_interval(now, manifest.control_dt_s)
        with torch.no_grad():
            answer = self._scripted(matrix, vector, nodes, *self._tabulated(nodes)).numpy()
        ev = (None, None, None) if manifest.cars is None else answer[:, 5:].T
        return SetPointTable(
            battery_kw=answer[:, 0],
            solar_limit_kw=answer[:, 1],
            low_kw=answer[:, 2],
            high_kw=answer[:, 3],
            valid=answer[:, 4] > 0.5,
            valid_from=start,
            valid_until=start + np.timedelta64(manifest.control_dt_s, "s"),
            ev_kw=ev[0],
            ev_low_kw=ev[1],
            ev_high_kw=ev[2],
        )

    def _tabulated(self, nodes: Tensor) -> tuple[Tensor, ...]:
        """Value curves of a forecast, computed anew only when the forecast changed."""
        if self._nodes is None or not torch.equal(nodes, self._nodes):
            self._nodes, self._curves = nodes.clone(), curves_of(self._scripted, nodes)
        return self._curves


def load(folder: Path | str) -> LoadedController:
    """Check an artifact, and load its controller.

    Hashes, schema and the code of the archive are checked before anything is deserialised.

    Args:
        folder: What `vpp export` wrote.

    Raises:
        InputError: A file is missing, damaged, another's, or does more than compute.
    """
    folder = Path(folder)
    manifest = check_artifact(folder)
    scripted = load_script(folder / CONTROLLER)
    bins = len(manifest.forecast_weights)
    nodes = torch.full((manifest.forecast_leads, bins), 50.0)
    signals = torch.tensor([50.0, 50.0, 50.0, 1.0, 12.0, 1.0, 0.0])
    warm_up(scripted, torch.ones(2, len(manifest.telemetry)), signals, nodes)
    return LoadedController(scripted, manifest)


def check_artifact(folder: Path) -> Manifest:
    """Check everything about an artifact that can be checked without loading it.

    Raises:
        InputError: A file is missing, damaged, another's, or does more than compute.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    vet(folder / CONTROLLER)
    if read_metadata(folder / CONTROLLER) != manifest.contents():
        raise InputError(
            f"{folder / MANIFEST} does not describe {CONTROLLER}, which was exported with other "
            "contents: do not edit a manifest, export the run again."
        )
    currency = manifest.currency
    if (manifest.telemetry, manifest.signals) != (
        fields(columns_of(manifest.cars is not None).telemetry, currency),
        fields(SIGNAL_ENTRIES, currency),
    ):
        raise InputError(
            f"{folder} was exported by vpp-rl {manifest.package_version} with other columns than "
            "this version reads: export the run again."
        )
    return manifest


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hold each file of an artifact against its manifest.

    Raises:
        InputError: A file is missing or differs.
    """
    for record in manifest.files:
        path = folder / record.name
        if not path.is_file():
            raise InputError(f"{path} is missing though the manifest names it: copy it again.")
        if path.stat().st_size != record.bytes or file_sha256(path) != record.sha256:
            raise InputError(
                f"{path} does not match its manifest ({path.stat().st_size} bytes, expected "
                f"{record.bytes}): it is truncated or another's; export or copy it again."
            )
