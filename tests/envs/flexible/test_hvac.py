"""Comfort of houses, in the measure of facts.md A5."""

import importlib.util
from pathlib import Path

import pytest
import torch

_SPEC = importlib.util.spec_from_file_location("worlds", Path(__file__).parent / "worlds.py")
worlds = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(worlds)


@pytest.mark.reference
@pytest.mark.parametrize("dt_h", [1 / 12, 1 / 60])
def test_discomfort_is_degree_hours_beyond_a_kelvin_from_the_set_points(dt_h):
    """The sum of max(0, T - (cool + 1), (heat - 1) - T) dt (facts.md A5), people at home."""
    world = worlds.HvacWorld(50, dt_h)
    plain, told, expected = world.rows, [], []

    def at_home(tick):
        rows = plain(tick)
        return rows._replace(away=torch.zeros_like(rows.away))

    world.rows = at_home
    agreed, has = world.fleet.agreement, world.fleet.rated_kw > 0

    def after(_, __, outcome, ___):
        air_c = outcome.state.house.air_c
        beyond_k = torch.maximum(
            air_c - (agreed.cool_set_c + 1.0), (agreed.heat_set_c - 1.0) - air_c
        )
        told.append(outcome.discomfort_k_h)
        expected.append(torch.where(has, beyond_k.clamp(min=0.0), 0.0) * dt_h)

    worlds.live(world, "least", round(240.0 / dt_h / 12), after)
    told, expected = torch.stack(told), torch.stack(expected)
    assert expected.sum() > 0.1
    torch.testing.assert_close(told, expected, rtol=1e-9, atol=1e-12)
