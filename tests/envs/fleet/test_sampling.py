import math
from dataclasses import replace

import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, duration_class
from vpp_envs.fleet.fleet import AT_ONCE, LAST_MOMENT, rated_kw
from vpp_envs.fleet.sampling import (
    CARS,
    DRIVER_ARCHETYPES,
    LOAD_ARCHETYPES,
    PRODUCTS,
    SOLAR_ARCHETYPES,
    cast_fleet,
    sample_fleet,
)
from vpp_envs.fleet.spec import FleetSpec


def columns(fleet):
    flat = {name: part for name, part in fleet._asdict().items() if torch.is_tensor(part)}
    return {**flat, **fleet.battery._asdict(), **fleet.agreement._asdict()}


@pytest.fixture(scope="module")
def many():
    return sample_fleet(FleetSpec(homes=40_000, battery_share=0.6))


def test_a_home_is_the_same_home_in_every_fleet():
    whole = columns(sample_fleet(FleetSpec(homes=100, seed=4)))
    first = columns(sample_fleet(FleetSpec(homes=40, seed=4)))
    second = columns(sample_fleet(FleetSpec(homes=60, seed=4, first_home=40)))
    for name, column in whole.items():
        assert torch.equal(torch.cat([first[name], second[name]]), column), name


def test_another_seed_is_another_fleet():
    ours, theirs = (columns(sample_fleet(FleetSpec(homes=50, seed=seed))) for seed in (0, 1))
    assert torch.equal(ours.pop("home_id"), theirs.pop("home_id"))
    assert not torch.equal(ours["capacity_kwh"], theirs["capacity_kwh"])
    assert not torch.equal(ours["load_mean_kw"], theirs["load_mean_kw"])


def share_of(events, expected):
    """Share of true events, with four standard errors of what is expected."""
    error = 4 * math.sqrt(expected * (1 - expected) / len(events))
    return events.double().mean().item() == pytest.approx(expected, abs=error)


def test_batteries_and_panels_are_as_frequent_as_asked(many):
    assert share_of(many.battery.discharge_kw > 0, 0.6)
    assert share_of(many.solar_kw > 0, 0.7)


def test_products_come_by_their_weights(many):
    present = many.battery.discharge_kw > 0
    power = many.battery.discharge_kw[present]
    for name, expected in (("Enphase IQ 5P", 0.12), ("Tesla Powerwall 3", 0.30)):
        unit = next(row[2] for row in PRODUCTS if row[0] == name)
        units = power / unit
        mine = (units - units.round()).abs() < 1e-9
        assert share_of(mine & (units.round() <= 3), expected)
    assert sum(row[6] for row in PRODUCTS) == pytest.approx(1.0)


def test_batteries_are_such_as_are_sold(many):
    battery, present = many.battery, many.battery.discharge_kw > 0
    round_trip = battery.one_way_eff[present].square()
    assert round_trip.min() >= 0.82
    assert round_trip.max() <= 0.95
    assert battery.capacity_kwh[present].min() > 3.0
    assert battery.capacity_kwh[present].max() < 3 * 16 * 1.1
    assert battery.standing_loss_kw[present].min() >= 0.010
    assert battery.standing_loss_kw[present].max() <= 0.030
    assert set(battery.wear_per_kwh[present].unique().tolist()) == {0.04, 0.07}


def test_every_reserve_leaves_something_to_use(many):
    present = many.battery.discharge_kw > 0
    kept = (many.agreement.reserve_kwh / many.battery.capacity_kwh)[present]
    assert kept.min() == pytest.approx(0.03)
    assert kept.max() == pytest.approx(0.80)
    assert share_of((kept - 0.20).abs() < 1e-9, 0.55)


def test_a_home_without_a_battery_has_harmless_numbers(many):
    absent = many.battery.discharge_kw == 0
    battery = many.battery
    for name, value in (
        ("capacity_kwh", 1.0),
        ("one_way_eff", 1.0),
        ("charge_kw", 0.0),
        ("standing_loss_kw", 0.0),
        ("wear_per_kwh", 0.0),
    ):
        assert (getattr(battery, name)[absent] == value).all(), name
    assert (many.agreement.reserve_kwh[absent] == 0).all()
    assert (many.cohort[absent] == -1).all()
    assert (many.cohort[~absent] >= 0).all()


def test_panels_loads_and_archetypes_are_spread_as_said(many):
    solar = many.solar_kw[many.solar_kw > 0]
    assert solar.median().item() == pytest.approx(6.8 / 1.2, rel=0.02)
    assert solar.min() >= 2.0 / 1.2 - 1e-12
    assert solar.max() <= 20.0 / 1.2 + 1e-12
    assert many.load_mean_kw.median().item() == pytest.approx(0.6, rel=0.02)
    for archetype, count in (
        (many.solar_archetype[many.solar_kw > 0], SOLAR_ARCHETYPES),
        (many.load_archetype, LOAD_ARCHETYPES),
    ):
        seen = torch.bincount(archetype)
        assert len(seen) == count
        assert (seen.double() / len(archetype) * count - 1).abs().max() < 0.15


def test_draws_for_different_things_do_not_hang_together(many):
    present = many.battery.discharge_kw > 0
    things = torch.stack(
        [
            many.battery.capacity_kwh,
            many.battery.standing_loss_kw,
            many.solar_kw,
            many.load_mean_kw,
            many.load_archetype.double(),
        ]
    )[:, present]
    between = torch.corrcoef(things) - torch.eye(5, dtype=torch.float64)
    assert between.abs().max() < 4.5 / math.sqrt(int(present.sum()))


def test_a_uniform_class_is_uniform():
    spec = FleetSpec(homes=30, duration_h=2.0, round_trip_eff=0.9, wear_per_kwh=0.04)
    fleet = sample_fleet(spec)
    usable = fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh
    torch.testing.assert_close(usable / fleet.battery.discharge_kw, torch.full_like(usable, 2.0))
    torch.testing.assert_close(fleet.battery.charge_kw, fleet.battery.discharge_kw)
    torch.testing.assert_close(fleet.battery.one_way_eff.square(), torch.full_like(usable, 0.9))
    assert (fleet.battery.wear_per_kwh == 0.04).all()
    assert [BATTERY_COHORTS[c].name for c in fleet.cohort.unique()] == ["battery_2h"]


def test_a_cohort_is_the_nearest_duration(many):
    present = many.battery.discharge_kw > 0
    usable = many.battery.capacity_kwh - many.agreement.reserve_kwh
    hours = (usable / many.battery.discharge_kw)[present]
    named = torch.tensor([BATTERY_COHORTS[c].duration_h for c in many.cohort[present]])
    between = (hours > 0.5) & (hours < 3.5)  # shorter and longer ones go to the end classes
    assert ((hours - named).abs()[between] <= 0.5 + 1e-9).all()
    assert (named[hours <= 0.5] == 1.0).all()
    assert set(many.cohort[present].tolist()) == {0, 1, 2}  # products of four hours are rare
    single = cast_fleet(many, torch.float32, torch.device("cpu"))
    again = duration_class(single.battery, single.agreement)
    assert (again != many.cohort).double().mean() < 1e-4  # rounding at an edge, at most


@pytest.mark.parametrize(("hours", "cohort"), [(1.5, 0), (2.5, 1), (3.5, 2), (9.0, 3), (0.1, 0)])
def test_a_duration_between_two_cohorts_belongs_to_the_shorter(many, hours, cohort):
    one = torch.ones(1, dtype=torch.float64)
    battery = many.battery._replace(capacity_kwh=hours * one, discharge_kw=one)
    agreement = many.agreement._replace(reserve_kwh=0.0 * one)
    assert duration_class(battery, agreement).tolist() == [cohort]


def test_without_a_limit_no_limit_binds():
    fleet = sample_fleet(FleetSpec(homes=500, export_limit_kw=None))
    most_out = fleet.solar_kw + fleet.battery.discharge_kw
    assert (fleet.agreement.export_limit_kw > most_out).all()
    assert (fleet.agreement.import_limit_kw >= 14.5 + fleet.battery.charge_kw).all()


def test_without_a_limit_no_limit_binds_a_car_either():
    fleet = sample_fleet(FleetSpec(homes=500, export_limit_kw=None, ev_share=1.0))
    ev = fleet.ev.params
    most_out = fleet.solar_kw + fleet.battery.discharge_kw + ev.discharge_kw
    assert (fleet.agreement.export_limit_kw > most_out).all()
    room = fleet.agreement.import_limit_kw - fleet.battery.charge_kw - ev.charge_kw
    assert (room >= 14.5 - 1e-9).all()


@pytest.fixture(scope="module")
def cars():
    return sample_fleet(FleetSpec(homes=20_000, seed=2, ev_share=0.6, managed_share=0.9))


def test_cars_chargers_and_promises_are_such_as_are_said(cars):
    params, agreement = cars.ev.params, cars.ev.agreement
    present = params.charge_kw > 0
    assert present.double().mean().item() == pytest.approx(0.6, abs=0.012)
    models = {row[1] for row in CARS}
    assert set(params.capacity_kwh[present].tolist()) == models
    leaf = (params.capacity_kwh == 37.5)[present].double().mean()
    assert leaf.item() == pytest.approx(0.10, abs=0.01)
    small = params.charge_kw[params.capacity_kwh == 68.0] <= 7.2
    assert small.double().mean().item() == pytest.approx(0.5, abs=0.03)
    gives = params.discharge_kw > 0
    can = (params.capacity_kwh != 68.0) & (params.capacity_kwh != 65.0)
    can = can & (params.capacity_kwh != 81.0) & present & (agreement.managed > 0)
    assert gives[can].double().mean().item() == pytest.approx(0.5, abs=0.02)
    assert not gives[~can].any()
    assert agreement.managed[present].mean().item() == pytest.approx(0.9, abs=0.01)
    target = (agreement.target_kwh / params.capacity_kwh)[present]
    assert target.mean().item() == pytest.approx(0.85, abs=0.002)
    assert 0.80 - 1e-9 <= target.min() < target.max() <= 0.90 + 1e-9
    minimum = (agreement.minimum_kwh / params.capacity_kwh)[gives]
    assert minimum.mean().item() == pytest.approx(0.405, abs=0.01)  # 0.40 before it is cut at 0.2
    assert (agreement.minimum_kwh[~gives] == 0).all()
    assert (agreement.target_kwh >= agreement.minimum_kwh).all()


def test_a_charger_leaves_room_for_the_home(cars):
    room = 14.5 - 3.5 * cars.load_mean_kw
    assert (cars.ev.params.charge_kw <= room.clamp(min=1.44) + 1e-9).all()


def test_a_home_without_a_car_has_harmless_cars_numbers(cars):
    absent = cars.ev.params.charge_kw == 0
    plain = {name: column[absent].unique() for name, column in cars.ev.params._asdict().items()}
    ones = {"capacity_kwh", "charge_eff", "discharge_eff", "taper_fill"}
    for name, values in plain.items():
        assert values.tolist() == [1.0 if name in ones else 0.0], name
    for column in cars.ev.agreement:
        assert (column[absent] == 0).all()
    assert (cars.ev.cohort[absent] == -1).all()


def test_classes_of_cars_are_those_that_give_back_and_those_that_do_not(cars):
    ev = cars.ev
    managed = (ev.params.charge_kw > 0) & (ev.agreement.managed > 0)
    expected = torch.where(managed, (ev.params.discharge_kw > 0).to(torch.int64), -1)
    assert torch.equal(ev.cohort, expected)


def test_drivers_have_the_habits_of_gmlcs_fleets():
    """40 % at once, 30 % at midnight, 30 % when needed (electric_vehicles_fleet/config.ini)."""
    shares = {"ev_midnight_share": 0.3, "ev_last_moment_share": 0.3}
    fleet = sample_fleet(FleetSpec(homes=20_000, seed=2, ev_share=1.0, **shares))
    found = fleet.ev.habit.bincount(minlength=3) / 20_000
    assert found.tolist() == pytest.approx([0.4, 0.3, 0.3], abs=0.01)
    # They change nothing else, are the same home by home, and follow nothing else that is drawn.
    plain = sample_fleet(FleetSpec(homes=20_000, seed=2, ev_share=1.0))
    assert plain.ev.habit is None
    for name, column in columns(plain).items():
        assert torch.equal(column, columns(fleet)[name]), name
    later = sample_fleet(FleetSpec(homes=50, seed=2, first_home=500, ev_share=1.0, **shares))
    assert torch.equal(later.ev.habit, fleet.ev.habit[500:550])
    late = (fleet.ev.habit == LAST_MOMENT).double()
    for other in (fleet.ev.archetype, fleet.ev.params.charge_kw, fleet.load_mean_kw):
        both = torch.stack([late, other.double()])
        assert abs(float(both.corrcoef()[0, 1])) < 0.03


def test_homes_without_a_car_and_vehicles_of_depots_wait_for_nothing():
    shares = {"ev_midnight_share": 0.5, "ev_last_moment_share": 0.5, "depot_share": 0.5}
    fleet = sample_fleet(FleetSpec(homes=400, ev_share=0.5, **shares))
    driver = (fleet.ev.params.charge_kw > 0) & (fleet.ev.archetype < DRIVER_ARCHETYPES)
    assert 50 < int(driver.sum()) < 150
    assert (fleet.ev.habit[driver] != AT_ONCE).all()
    assert (fleet.ev.habit[~driver] == AT_ONCE).all()


def test_cars_change_nothing_else_about_a_home():
    with_cars = sample_fleet(FleetSpec(homes=50, ev_share=0.5))
    without = sample_fleet(FleetSpec(homes=50))
    assert without.ev is None
    assert columns(with_cars._replace(ev=None)).keys() == columns(without).keys()
    for name, column in columns(without).items():
        assert torch.equal(column, columns(with_cars)[name]), name


def test_casting_changes_precision_and_nothing_else():
    fleet = sample_fleet(FleetSpec(homes=5))
    single = cast_fleet(fleet, torch.float32, torch.device("cpu"))
    for name, column in columns(single).items():
        original = columns(fleet)[name]
        expected = torch.float32 if original.is_floating_point() else torch.int64
        assert column.dtype == expected, name
        torch.testing.assert_close(column.to(original.dtype), original, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"homes": 0}, r"fleet\.homes must be at least 1, got 0"),
        ({"solar_share": 1.2}, r"fleet\.solar_share must lie between 0 and 1, got 1\.2"),
        ({"duration_h": 0.1}, r"fleet\.duration_h must lie between 0\.25 and 24 hours, got 0\.1"),
        ({"layered_water": True}, r"fleet\.layered_water=True is about water heaters, and"),
        ({"messages_water_share": 0.5}, r"water_heater_share=0 leaves all homes without; give"),
        (
            {"ev_midnight_share": 0.3},
            r"fleet\.ev_midnight_share=0\.3 is about drivers of cars",
        ),
        ({"ev_last_moment_share": 0.3, "depot_share": 1.0}, r"ev_share=0 leaves all homes without"),
        (
            {"ev_share": 1.0, "ev_midnight_share": -0.1},
            r"fleet\.ev_midnight_share must lie",
        ),
        (
            {"ev_share": 1.0, "ev_midnight_share": 0.6, "ev_last_moment_share": 0.6},
            r"must add up to at most 1, got 1\.2; lower one",
        ),
        ({"round_trip_eff": 1.1}, r"fleet\.round_trip_eff must lie between 0\.3 and 1, got 1\.1"),
        ({"export_limit_kw": -5.0}, r"fleet\.export_limit_kw"),
        ({"import_limit_kw": -1.0}, r"fleet\.import_limit_kw"),
        ({"wear_per_kwh": -0.1}, r"fleet\.wear_per_kwh"),
        ({"first_home": -1}, r"fleet\.first_home"),
    ],
)
def test_numbers_that_make_no_fleet_are_refused(change, sentence):
    with pytest.raises(InputError, match=sentence):
        replace(FleetSpec(), **change)


def test_the_plant_is_rated_without_engines_that_may_not_run_for_others():
    spec = FleetSpec(homes=60, generator_share=1.0, generator_permit_share=0.5)
    fleet = sample_fleet(spec)
    engines, battery = fleet.flexible.generator, fleet.battery
    permitted = engines.cohort >= 0
    assert 10 < int(permitted.sum()) < 50
    batteries_kw = torch.maximum(battery.charge_kw, battery.discharge_kw)
    expected_kw = batteries_kw + torch.where(permitted, engines.rated_kw, 0.0)
    torch.testing.assert_close(rated_kw(fleet), expected_kw)
    assert bool((engines.rated_kw[~permitted] > 0).any())
