import json

import numpy as np
import pytest
import torch

from vpp_rl.export.artifact import controller_of
from vpp_rl.export.golden import random_fleet, with_gaps
from vpp_rl.export.verify import verify
from vpp_rl.files import file_sha256


def quietly(share):
    """No progress."""


def rewrite(folder, name, change):
    """Change a file of an artifact as if it had been exported so."""
    change(folder / name)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for one in manifest["files"]:
        if one["name"] == name:
            one["sha256"] = file_sha256(folder / name)
            one["bytes"] = (folder / name).stat().st_size
    path.write_text(json.dumps(manifest))


def test_an_artifact_equals_its_golden_pairs_and_the_controller_in_process(exported):
    seen = []
    found = verify(exported[2], 20, seen.append)
    assert found.passed
    # One machine, the same operators in the same order: not a bit differs.
    assert found.golden == 0.0
    assert found.parity == 0.0
    assert found.fleets == 20
    assert 50_001 < found.homes < 20 * 50_000
    assert found.dispatch_ms > 0.0
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


def test_an_artifact_equals_the_run_it_came_from(exported):
    assert verify(exported[2], 4, quietly, controller_of(exported[2].parent)[0]).passed


def test_another_runs_controller_is_found_out(make_run, exported, tmp_path):
    env, _, folder = exported
    make_run(tmp_path / "other", env.dispatch, seed=5, spec=env.scenario.spec)
    found = verify(folder, 4, quietly, controller_of(tmp_path / "other")[0])
    assert found.parity > 1e-3
    assert not found.passed


@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_a_set_point_that_differs_from_its_golden_pair_is_found_out(artifact, wrong):
    def spoil(path):
        with np.load(path) as file:
            arrays = dict(file)
        arrays["set_points"][-1, 0] += wrong
        np.savez(path, **arrays)

    rewrite(artifact, "golden.npz", spoil)
    found = verify(artifact, 2, quietly)
    assert found.golden > 1e-4
    assert found.parity == 0.0
    assert not found.passed


@pytest.mark.parametrize("cars", [False, True])
def test_gaps_are_few_and_of_every_kind(cars):
    generator = torch.Generator().manual_seed(0)
    fleet = random_fleet(40_000, generator, cars)
    spoiled = with_gaps(fleet, generator)
    gaps = ~((spoiled == fleet).all(-1))
    assert 0.015 < gaps.double().mean() < 0.025
    assert spoiled.isnan().any(0).all()
    assert spoiled.isinf().any(0).all()
    assert fleet.isfinite().all()
