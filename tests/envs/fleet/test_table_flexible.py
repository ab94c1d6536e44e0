"""Flexible devices in a fleet table: what is sampled comes back, and what cannot be is refused."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs import scenario
from vpp_envs.fleet.example import example_columns
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import DEPOT_KINDS, FleetSpec
from vpp_envs.fleet.table import read_fleet, write_fleet
from vpp_envs.fleet.table_cells import write_cells
from vpp_envs.flexible.kinds import KINDS as FLEXIBLE
from vpp_envs.flexible.kinds import present
from vpp_envs.scenario import SCENARIOS, build_scenario
from vpp_envs.vector_env import FleetVectorEnv

SUBURB = replace(
    SCENARIOS["suburb"].fleet,
    generator_share=0.3,
    generator_permit_share=0.5,
    heat_pump_share=0.4,
    thermostat_share=0.8,
    messages_water_share=0.4,
    layered_water=True,
)


def assert_same_devices(ours, theirs):
    """Constants agree to rounding in every home that has the device; classes to the bit."""
    assert present(ours.flexible) == present(theirs.flexible)
    for kind in present(ours.flexible):
        mine, other = getattr(ours.flexible, kind), getattr(theirs.flexible, kind)
        has = mine.rated_kw > 0
        assert torch.equal(has, other.rated_kw > 0)
        assert torch.equal(mine.cohort, other.cohort)
        assert torch.equal(mine.archetype, other.archetype)

        def agree(one, two, has=has):
            assert one.dtype == two.dtype
            torch.testing.assert_close(one[has], two[has], rtol=4e-15, atol=0.0)
            return one

        map_columns(mine, agree, other)


def without_kinds_of_nobody(fleet):
    """Devices that nobody has are no rows of a table."""
    some = {
        kind: None
        for kind in present(fleet.flexible)
        if not (getattr(fleet.flexible, kind).rated_kw > 0).any()
    }
    flexible = None if fleet.flexible is None else fleet.flexible._replace(**some)
    return fleet._replace(flexible=flexible if present(flexible) else None)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_suburb_comes_back_from_its_table_with_the_same_constants(ending, tmp_path):
    fleet = sample_fleet(SUBURB)
    assert present(fleet.flexible) == FLEXIBLE
    write_fleet(fleet, tmp_path / f"homes.{ending}")
    back = read_fleet(tmp_path / f"homes.{ending}")
    assert_same_devices(fleet, back)
    for ours, theirs in zip(fleet[:9], back[:9], strict=True):
        map_columns(ours, lambda one, two: torch.equal(one, two) or pytest.fail("differs"), theirs)
    write_fleet(back, tmp_path / f"again.{ending}")
    assert_same_devices(back, read_fleet(tmp_path / f"again.{ending}"))


@st.composite
def suburbs(draw):
    share = st.sampled_from([0.0, 0.3, 1.0])
    names = [name for name in vars(SUBURB) if name.endswith("_share")]
    names = [name for name in names if not name.startswith(("depot_p", "depot_c", "train"))]
    shares = {name: draw(share) for name in names}
    # Refused are messages that nobody could hear, and habits of nobody or of more than all.
    if not shares["water_heater_share"]:
        shares["messages_water_share"] = 0.0
    midnight = shares["ev_midnight_share"] if shares["ev_share"] else 0.0
    most = 1.0 - midnight if shares["ev_share"] else 0.0
    shares["ev_midnight_share"] = midnight
    shares["ev_last_moment_share"] = min(shares["ev_last_moment_share"], most)
    shares["depot_vehicles"] = draw(st.integers(1, 9))
    shares["depot_kind"] = draw(st.sampled_from(DEPOT_KINDS))
    shares["transformer_homes"] = draw(st.sampled_from([0, 3]))
    return FleetSpec(
        homes=draw(st.integers(1, 20)),
        seed=draw(st.integers(0, 2**32)),
        first_home=draw(st.integers(0, 10**6)),
        export_limit_kw=draw(st.none() | st.floats(0.0, 30.0)),
        design_summer_c=draw(st.floats(25.0, 50.0)),
        design_winter_c=draw(st.floats(-30.0, 20.0)),
        **shares,
    )


@given(spec=suburbs())
@settings(max_examples=40, deadline=None)
def test_every_sampled_fleet_comes_back_and_its_table_has_no_error(spec, tmp_path_factory):
    path = tmp_path_factory.mktemp("fleet") / "homes.csv"
    fleet = without_kinds_of_nobody(sample_fleet(spec))
    write_fleet(fleet, path)
    back = read_fleet(path)
    assert_same_devices(fleet, back)
    assert (fleet.shared is None) == (back.shared is None)
    if fleet.shared is not None:
        for ours, theirs in zip(fleet.shared, back.shared, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.fixture
def both_specs(tmp_path, small_spec):
    """Twenty-four sampled homes with every kind of device, and their table."""
    sampled = replace(SUBURB, homes=24, seed=5)
    write_fleet(sample_fleet(sampled), tmp_path / "homes.csv")
    tabled = FleetSpec(homes=24, table=str(tmp_path / "homes.csv"))
    return [replace(small_spec, fleet=fleet) for fleet in (sampled, tabled)]


def assert_alike(envs, place, steps):
    """Step both under the same random commands; `place`: of the homes of the second."""
    ours, theirs = envs
    assert present(ours.fleet.flexible) == FLEXIBLE
    assert dict(ours.scenario.classes)["generator"]
    assert ours.scenario.classes == theirs.scenario.classes
    assert ours.observation_names == theirs.observation_names
    shape = 2, len(ours.action_names)
    assert len(ours.action_names) == len(theirs.action_names)
    seen = [env.reset(seed=3)[0] for env in envs]
    for step in range(steps):
        np.testing.assert_allclose(*seen, rtol=0, atol=1e-9)
        action = np.random.default_rng(step).uniform(-1, 1, shape).astype(np.float32)
        results = [env.step(action) for env in envs]
        np.testing.assert_allclose(results[0][1], results[1][1], rtol=0, atol=1e-9)
        assert_same_state(ours, theirs, place)
        seen = [result[0] for result in results]


def test_an_environment_of_the_table_is_that_of_the_sampled_homes_step_for_step(both_specs):
    """Though a table's homes stand in the order of their split."""
    envs = [FleetVectorEnv(spec, 2, dispatch="value_curve", dtype="float64") for spec in both_specs]
    place = envs[1].scenario.fleet.home_id  # the ids of the sampled homes count from 0
    assert not torch.equal(place, torch.arange(24))
    assert_alike(envs, place, 300)


@pytest.mark.parametrize("dispatch", ["cohort_power", "per_device"])
def test_in_the_same_order_the_other_ways_of_command_agree_too(dispatch, both_specs, monkeypatch):
    """Where two machines of a class are as urgent, a share of its power goes to the first of them:
    there the order of the homes matters, and so it is made the same.
    """
    order = build_scenario(both_specs[1], "train").fleet.home_id
    whole = scenario.split_homes(both_specs[0], "train")
    reordered = map_columns(whole, lambda column: column[order])
    monkeypatch.setattr(scenario, "split_homes", lambda spec, split: reordered)
    scenario._build_scenario.cache_clear()
    ours = FleetVectorEnv(both_specs[0], 2, dispatch=dispatch, dtype="float64")
    monkeypatch.undo()
    scenario._build_scenario.cache_clear()
    theirs = FleetVectorEnv(both_specs[1], 2, dispatch=dispatch, dtype="float64")
    assert_alike([ours, theirs], torch.arange(24), 100)


@pytest.mark.parametrize("dispatch", ["value_curve", "cohort_power", "per_device"])
def test_homes_of_the_template_break_no_promise_under_random_commands(
    dispatch, tmp_path, small_spec
):
    write_cells(tmp_path / "homes.csv", example_columns(8))
    spec = replace(small_spec, fleet=FleetSpec(table=str(tmp_path / "homes.csv")))
    env = FleetVectorEnv(spec, 2, dispatch=dispatch, dtype="float64")
    env.reset(seed=0)
    assert present(env.fleet.flexible) == FLEXIBLE
    rng = np.random.default_rng(0)
    for _ in range(288):
        action = rng.uniform(-1, 1, (2, len(env.action_names))).astype(np.float32)
        seen, reward, *_ = env.step(action)
        assert np.isfinite(seen).all()
        assert np.isfinite(reward).all()
        assert env.last[1].broken.sum().item() == 0.0


def assert_same_state(configured, of_table, place):
    """State of each home, by its id."""

    def agree(ours, theirs):
        torch.testing.assert_close(ours[:, place], theirs, rtol=0, atol=1e-9)
        return ours

    map_columns(configured.state.energy_kwh, agree, of_table.state.energy_kwh)
    map_columns(configured.state.ev, agree, of_table.state.ev)
    for kind in present(configured.fleet.flexible):
        has = getattr(configured.fleet.flexible, kind).rated_kw[place] > 0

        def alike(ours, theirs, has=has):
            torch.testing.assert_close(ours[:, place][:, has], theirs[:, has], rtol=0, atol=1e-9)
            return ours

        states = (getattr(env.state.flexible, kind) for env in (configured, of_table))
        map_columns(next(states), alike, next(states))


def test_the_homes_of_a_table_are_split_by_any_device_to_command(tmp_path, small_spec):
    only = FleetSpec(homes=80, battery_share=0.0, water_heater_share=1.0)
    write_fleet(sample_fleet(only), tmp_path / "homes.csv")
    spec = replace(small_spec, fleet=FleetSpec(homes=80, table=str(tmp_path / "homes.csv")))
    train, test = (build_scenario(spec, split) for split in ("train", "test"))
    assert dict(train.classes).keys() == {"water_heater"}
    assert not set(train.fleet.home_id.tolist()) & set(test.fleet.home_id.tolist())


def test_archetypes_that_are_not_named_are_those_of_the_sampled_home(tmp_path):
    path = tmp_path / "homes.csv"
    fleet = sample_fleet(SUBURB)
    write_fleet(fleet, path)
    with path.open() as file:
        rows = [{**row, "archetype": ""} for row in csv.DictReader(file)]
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert_same_devices(fleet, read_fleet(path))
