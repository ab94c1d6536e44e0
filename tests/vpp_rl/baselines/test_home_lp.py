"""The programme of one home with two prices and a car, followed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from vpp_rl.baselines.home_lp import (
    Home,
    Member,
    Signals,
    solve_home,
    solve_homes,
)

EFF = 0.95
# A battery of 10 kWh and 5 kW, a connection that never binds, no car.
PLAIN = Home(
    capacity_kwh=10.0,
    reserve_kwh=2.0,
    charge_kw=5.0,
    discharge_kw=5.0,
    one_way_eff=EFF,
    standing_loss_kw=0.0,
    wear_per_kwh=0.04,
    import_limit_kw=100.0,
    export_limit_kw=100.0,
    initial_kwh=2.0,
    ev_capacity_kwh=1.0,
    ev_charge_kw=0.0,
    ev_discharge_kw=0.0,
    ev_charge_eff=1.0,
    ev_discharge_eff=1.0,
    ev_wear_per_kwh=0.0,
    ev_initial_kwh=0.0,
    ev_target_kwh=0.0,
)
# A car of 50 kWh that draws 10 kW, has 20 kWh and wants 38, and no battery.
CAR = replace(
    PLAIN,
    capacity_kwh=0.0,
    reserve_kwh=0.0,
    charge_kw=0.0,
    discharge_kw=0.0,
    initial_kwh=0.0,
    ev_capacity_kwh=50.0,
    ev_charge_kw=10.0,
    ev_charge_eff=0.9,
    ev_discharge_eff=0.9,
    ev_initial_kwh=20.0,
    ev_target_kwh=38.0,
)


def signals(import_per_kwh, export_per_kwh=None, **more):
    """Hours of a home: what is not said is 0."""
    price = np.asarray(import_per_kwh, dtype=np.float64)
    values = {name: np.zeros(len(price)) for name in Signals._fields}
    values["import_per_kwh"] = price
    values["export_per_kwh"] = price if export_per_kwh is None else np.full_like(price, 1.0)
    if export_per_kwh is not None:
        values["export_per_kwh"] *= export_per_kwh
    given = {name: np.asarray(column, dtype=np.float64) for name, column in more.items()}
    return Signals(**{**values, **given})


def test_sun_is_stored_for_the_evening_where_export_pays_less_than_import():
    """Four kW of sun, then a load of 3 kW: stored are 3 / 0.95^2 kW, and the rest is fed in."""
    day = signals([0.4, 0.4], 0.05, solar_kw=[4.0, 0.0], load_kw=[0.0, 3.0])
    plan = solve_home(PLAIN, day, 1.0, 0.0)
    stored = 3.0 / EFF**2
    np.testing.assert_allclose(plan.battery_kw, [stored, -3.0], atol=1e-7)
    assert plan.profit == pytest.approx((4.0 - stored) * 0.05 - 3.0 * 0.04)


def test_nothing_is_fed_in_from_a_store_where_export_pays_less_than_wear():
    day = signals([0.4, 0.4], 0.03, load_kw=[0.0, 1.0])
    plan = solve_home(replace(PLAIN, initial_kwh=9.0), day, 1.0, 0.0)
    np.testing.assert_allclose(plan.battery_kw, [0.0, -1.0], atol=1e-7)


def test_what_is_left_in_store_is_credited():
    day = signals([0.1, 0.1])
    plan = solve_home(PLAIN, day, 1.0, 0.2)
    assert plan.battery_kw.sum() == pytest.approx(8.0 / EFF)
    assert plan.profit == pytest.approx(10.0 * 0.2 - 8.0 / EFF * 0.1)


def test_a_car_charges_in_its_cheapest_hours():
    """18 kWh are missing, of which the cheapest hour stores 9 and the next one the rest."""
    day = signals([0.3, 0.1, 0.2, 0.4], plugged=[1, 1, 1, 1], least_kwh=[0, 0, 0, 38.0])
    plan = solve_home(CAR, day, 1.0, 0.0)
    np.testing.assert_allclose(plan.ev_kw, [0.0, 10.0, 10.0, 0.0], atol=1e-7)
    assert plan.profit == pytest.approx(-3.0)
    assert plan.short_kwh == pytest.approx(0.0, abs=1e-9)


def test_what_a_car_holds_beyond_its_target_is_credited_to_nobody():
    day = signals([0.1] * 4, plugged=[1] * 4)
    plan = solve_home(CAR, day, 1.0, 0.2)
    assert plan.ev_kw.sum() == pytest.approx(20.0)
    assert plan.profit == pytest.approx(38.0 * 0.2 - 2.0)


def test_an_away_car_does_not_charge_and_a_target_out_of_reach_costs_no_profit():
    day = signals([0.1, 0.1, 0.1], plugged=[0, 1, 0], least_kwh=[0, 38.0, 0])
    plan = solve_home(CAR, day, 1.0, 0.0)
    np.testing.assert_allclose(plan.ev_kw, [0.0, 10.0, 0.0], atol=1e-7)
    assert plan.short_kwh == pytest.approx(9.0)
    assert plan.profit == pytest.approx(-1.0)


def test_a_trip_takes_its_energy_from_the_car():
    day = signals(
        [0.1, 0.3, 0.1],
        plugged=[0, 0, 1],
        trip_kwh=[0, 15.0, 0],
        least_kwh=[0, 0, 14.0],
    )
    plan = solve_home(CAR, day, 1.0, 0.0)
    np.testing.assert_allclose(plan.ev_kw, [0.0, 0.0, 10.0], atol=1e-7)


def test_a_car_that_may_give_covers_the_dear_hour_and_keeps_its_floor():
    gives = replace(CAR, ev_discharge_kw=10.0, ev_wear_per_kwh=0.05, ev_target_kwh=20.0)
    day = signals([0.1, 0.9], plugged=[1, 1], least_kwh=[0, 20.0], lower_kwh=[15.0, 15.0])
    plan = solve_home(gives, day, 1.0, 0.0)
    np.testing.assert_allclose(plan.ev_kw, [10.0, -8.1], atol=1e-7)
    assert plan.profit == pytest.approx(8.1 * (0.9 - 0.05) - 1.0)


def test_the_connection_limits_what_battery_and_car_draw_beside_the_load():
    tight = replace(CAR, import_limit_kw=6.0)
    day = signals([0.1, 0.1], plugged=[1, 1], load_kw=[2.0, 8.0], least_kwh=[0, 30.0])
    plan = solve_home(tight, day, 1.0, 0.0)
    np.testing.assert_allclose(plan.ev_kw, [4.0, 0.0], atol=1e-7)


def test_homes_that_share_a_connection_stay_within_it_together():
    """Each alone charges 5 kW in the cheap hour, and gives 5 when full; together they have less."""
    members = [Member(PLAIN, signals([0.1, 0.5])) for _ in range(2)]
    alone = solve_homes(members, None, 1.0, 0.0)
    for plan in alone:
        assert plan.battery_kw == pytest.approx([5.0, -5.0 * EFF**2])
        assert plan.profit == solve_home(PLAIN, signals([0.1, 0.5]), 1.0, 0.0).profit
    drawn = solve_homes(members, 6.0, 1.0, 0.0)
    assert sum(plan.battery_kw[0] for plan in drawn) == pytest.approx(6.0)
    money = [sum(plan.profit for plan in plans) for plans in (alone, drawn)]
    # By hand: wear of 0.04 on what is fed in.
    expected = [0.46 * kw * EFF**2 - 0.1 * kw for kw in (10.0, 6.0)]
    assert money == pytest.approx(expected)
    full = [Member(replace(PLAIN, initial_kwh=9.0), signals([0.5])) for _ in range(2)]
    for limit_kw, fed_kw in ((None, 10.0), (4.0, 4.0)):
        fed = solve_homes(full, limit_kw, 1.0, 0.0)
        assert sum(plan.battery_kw[0] for plan in fed) == pytest.approx(-fed_kw)
        assert sum(plan.profit for plan in fed) == pytest.approx(0.46 * fed_kw)


def test_what_must_run_may_exceed_a_shared_connection():
    """A load of 7 kW, and a car that nobody commands beside it, behind a limit of 6."""
    loaded = Member(PLAIN, signals([0.5, 0.1], load_kw=[7.0, 7.0]))
    plan = solve_homes([loaded], 6.0, 1.0, 0.0)[0]
    assert plan.battery_kw == pytest.approx([0.0, 0.0])
    day = signals([0.1, 0.5], plugged=[1.0, 1.0], least_kwh=[0.0, 38.0])
    car = Member(CAR, day, unmanaged=True)
    free, held = (
        solve_homes([one], 6.0, 1.0, 0.0)[0] for one in (car, car._replace(unmanaged=False))
    )
    assert free.ev_kw[0] == pytest.approx(10.0)
    assert held.ev_kw[0] == pytest.approx(6.0)
