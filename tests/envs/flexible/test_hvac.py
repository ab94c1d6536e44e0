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


@pytest.mark.parametrize("dt_h", [1 / 12, 1 / 60])
def test_half_of_people_and_a_tenth_of_the_sun_warm_the_air_at_once_the_rest_the_mass(dt_h):
    world = worlds.HvacWorld(20, dt_h)
    rows = world.rows(round(12 / dt_h))._replace(sun_kw_per_m2=torch.tensor([[0.6]]).double())
    fleet = world.fleet
    state = worlds.hvac.first_state(torch.rand(1, 20).double(), rows, fleet, dt_h)
    gains = worlds.hvac.moment_of(state, rows, fleet, dt_h).gains
    people_kw = fleet.gain_kw * rows.gain_pu[:, fleet.archetype]
    sun_kw = 0.6 * fleet.aperture_m2
    assert sun_kw[world.some].min() > 0
    torch.testing.assert_close(gains.air_kw, 0.5 * people_kw + 0.1 * sun_kw)
    torch.testing.assert_close(gains.mass_kw, 0.5 * people_kw + 0.9 * sun_kw)


def test_resistance_helps_a_heat_pump_from_1_6_kelvin_below_the_set_point_on():
    """OCHRE's second stage; nearer to it the pump works alone, however long that takes."""
    world = worlds.HvacWorld(40, 1 / 12)
    rows = world.rows(0)._replace(air_c=torch.tensor([[-12.0]]).double())
    rows = rows._replace(away=torch.zeros_like(rows.away))
    fleet = world.fleet
    pumps = (fleet.params.heating_kw > 0) & (fleet.cohort >= 0)
    drawn_kw = {}
    for below_k in (1.5, 1.7):
        state = worlds.hvac.first_state(torch.rand(1, 40).double(), rows, fleet, 1 / 12)
        air_c = (fleet.agreement.heat_set_c - below_k).unsqueeze(0)
        house = state.house._replace(air_c=air_c, mass_c=air_c)
        moment = worlds.hvac.moment_of(worlds.hvac.HvacState(house, house), rows, fleet, 1 / 12)
        course, edges = moment.ahead.course, moment.ahead.edges
        pump_kw = course.able.pump_kw.expand_as(edges.alone_kw[0])
        # What the band itself forces is no choice of the thermostat's.
        free = pumps & (edges.low_kw[0] <= pump_kw + 1e-9)
        drawn_kw[below_k] = (edges.alone_kw[0] - pump_kw)[free]
        assert free.any()
    assert (drawn_kw[1.5] <= 1e-9).all()
    assert (drawn_kw[1.7] > 0.1).any()


def test_what_a_house_has_stored_is_the_electricity_that_would_make_it():
    """A kelvin of air and mass over what a kW moves, and less of it is a debt."""
    world = worlds.HvacWorld(30, 1 / 12)
    rows = world.rows(0)._replace(air_c=torch.tensor([[35.0]]).double())
    fleet = world.fleet
    state = worlds.hvac.first_state(torch.rand(1, 30).double(), rows, fleet, 1 / 12)
    stored = {}
    for colder_k in (0.0, 1.0):
        air_c = (fleet.agreement.cool_set_c - colder_k).unsqueeze(0)
        house = state.house._replace(air_c=air_c, mass_c=air_c)
        moment = worlds.hvac.moment_of(worlds.hvac.HvacState(house, house), rows, fleet, 1 / 12)
        assert moment.ahead.course.cools[0][:, world.some].all()
        stored[colder_k] = worlds.hvac.stored_kwh(moment, fleet)
    capacity = fleet.house.air_kwh_per_k + fleet.house.mass_kwh_per_k
    per_kw = moment.ahead.course.able.cool_per_kw
    torch.testing.assert_close(stored[0.0], torch.zeros_like(stored[0.0]))
    torch.testing.assert_close(stored[1.0], (capacity / per_kw).expand_as(stored[1.0]))
