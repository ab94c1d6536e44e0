import pytest
import torch

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.evaluation.speed import (
    bandwidth_gb_s,
    measure_simulator,
    simple_homes,
    suburb_homes,
    traffic,
)


def simple(rows, homes):
    env = FleetVectorEnv(simple_homes(homes), rows)
    env.reset(seed=0)
    return env


def test_physics_moves_six_numbers_a_home_and_reads_ten_constants():
    """Energy, load, sun, two set-points in; energy out. Battery 6 and agreement 4."""
    assert traffic(simple(2, 8), "physics") == (24, 40)


def test_the_environment_writes_set_points_and_the_next_signals_besides():
    """3 in, 5 out; 12 constants of float32 and 3 indices of int64."""
    assert traffic(simple(2, 8), "environment") == (32, 72)


def test_bandwidth_is_that_of_memory_and_not_of_a_cache_or_a_disk():
    assert 0.5 < bandwidth_gb_s() < 5000.0


def test_the_numbers_of_a_measurement_belong_together(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    measured = list(measure_simulator(simple_homes(8), 2))
    assert [(m.what, m.mode) for m in measured] == [
        (what, mode) for mode in ("eager", "compiled") for what in ("physics", "environment")
    ]
    for speed in measured:
        seconds = speed.milliseconds / 1e3
        assert speed.million_home_steps * 1e6 * seconds == pytest.approx(16)
        a_home, constants = traffic(simple(2, 8), speed.what)
        assert speed.gigabytes * 1e9 * seconds == pytest.approx(16 * a_home + 8 * constants)
        assert speed.memory_mib > 50


def test_a_suburb_moves_the_state_of_every_kind_once_each_way():
    env = FleetVectorEnv(suburb_homes(40), 1)
    env.reset(seed=0)
    state = env.state
    kinds = [kind for kind in state.flexible if kind is not None]
    assert len(kinds) == 7
    numbers = 1 + len(columns_of(state.ev)) + sum(len(columns_of(kind)) for kind in kinds)
    a_home, _ = traffic(env, "environment")
    assert a_home == 4 * (2 * numbers + 3 + 7 + 4)


def columns_of(tree):
    if tree is None:
        return []
    if isinstance(tree, torch.Tensor):
        return [tree]
    return [column for part in tree for column in columns_of(part)]
