"""Every committed controller loads, replays its golden pairs and keeps its promises."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vpp_rl.export.check import broken_promises
from vpp_rl.export.golden import random_fleet, random_signals
from vpp_rl.export.load import load
from vpp_rl.export.verify import verify

FOLDERS = sorted((Path(__file__).resolve().parents[2] / "checkpoints").glob("*/manifest.json"))


def test_there_is_a_controller_to_load():
    assert FOLDERS


@pytest.mark.parametrize("manifest", FOLDERS, ids=lambda path: path.parent.name)
def test_a_committed_controller_verifies_and_dispatches(manifest):
    found = verify(manifest.parent, 5, lambda share: None)
    assert found.passed
    controller = load(manifest.parent)
    generator = torch.Generator().manual_seed(0)
    fleet, (signals, nodes) = random_fleet(1000, generator), random_signals(generator)
    names = [field.name for field in controller.manifest.signals]
    entries = dict(zip(names, signals.tolist(), strict=True)) | {"nodes_per_mwh": nodes.numpy()}
    table = controller.dispatch(fleet, entries)
    assert np.isfinite(table.battery_kw).all()
    assert np.abs(table.battery_kw).max() > 0
    assert broken_promises(fleet, table, controller.manifest.control_dt_s / 3600) == 0
