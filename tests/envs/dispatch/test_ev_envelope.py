import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.ev import EvParams, EvState, Session, charged_kwh, floor_kwh
from vpp_envs.dispatch.ev_envelope import (
    EvEnvelope,
    beside_site,
    by_habit_kw,
    charging_at_once_kw,
    ev_range,
    into_steps,
    required_kwh,
)
from vpp_envs.fleet.agreement import Agreement, EvAgreement
from vpp_envs.fleet.fleet import EvFleet

DT_H = 1.0 / 12.0


def one(value):
    return torch.tensor([value], dtype=torch.float64)


def state(energy, excused=0.0):
    return EvState(one(energy), one(excused), one(energy))


def stay(hours_left):
    return Session(one(hours_left), one(0.0), one(0.0), one(0.0))


def site(import_limit=14.5, export_limit=5.0):
    return Agreement(one(0.0), one(import_limit), one(export_limit), one(0.8))


@st.composite
def plugged_cars(draw):
    """A car of any size at its charger, a length of step, and what is known of its stay."""
    capacity, charge = draw(st.floats(10.0, 120.0)), draw(st.floats(1.4, 20.0))
    gives = draw(st.booleans())
    target = capacity * draw(st.floats(0.3, 0.98))
    minimum = target * draw(st.floats(0.0, 1.0)) if gives else 0.0
    least = draw(st.sampled_from([0.0, 1.44]))
    managed = draw(st.sampled_from([1.0, 1.0, 1.0, 0.0]))
    numbers = (
        capacity,
        charge,
        charge * draw(st.floats(0.2, 2.0)) if gives and managed else 0.0,
        least,
        draw(st.floats(0.7, 1.0)),
        draw(st.floats(0.7, 1.0)),
        draw(st.floats(0.5, 0.99)),
        0.07,
        0.2,
    )
    ev = EvFleet(
        EvParams(*(one(n) for n in numbers)),
        EvAgreement(one(target), one(minimum), one(managed)),
        torch.zeros(1, dtype=torch.int64),
        torch.zeros(1, dtype=torch.int64),
    )
    dt_h = draw(st.sampled_from([1 / 60, DT_H, 0.5, 1.0]))
    steps = draw(st.integers(1, 40))
    energy = capacity * draw(st.floats(0.0, 1.0))
    return ev, dt_h, steps, energy


@settings(max_examples=400)
@given(plugged_cars(), st.floats(-1.2, 1.2), st.floats(0.0, 5.0))
def test_any_power_inside_keeps_the_promise_in_reach(case, share, excused):
    """Invariance: from the floor or above, every allowed power leads to the floor or above."""
    ev, dt_h, steps, energy = case
    now = stay(steps * dt_h)
    promised = ev.agreement.target_kwh - excused
    floor_now = floor_kwh(promised, one(steps * dt_h), ev.params)
    energy = torch.maximum(one(energy), floor_now)
    before = EvState(energy, one(excused), energy)
    envelope = ev_range(before, now, ev, dt_h)
    assert (envelope.low_kw <= envelope.high_kw).all()
    power = into_steps(20.0 * share * ev.params.charge_kw, envelope)
    assert (envelope.low_kw <= power + 1e-12).all()
    assert (power <= envelope.high_kw + 1e-12).all()
    after = energy + charged_kwh(power, ev.params, dt_h)
    left = one((steps - 1) * dt_h)
    assert after >= floor_kwh(promised, left, ev.params) - 1e-9
    assert after <= ev.params.capacity_kwh + 2e-9
    assert after >= torch.minimum(energy, ev.agreement.minimum_kwh) - 1e-9
    assert -ev.params.discharge_kw <= power <= ev.params.charge_kw


@settings(max_examples=200)
@given(plugged_cars(), st.floats(-1.2, 1.2))
def test_a_whole_stay_of_any_commands_ends_with_the_target(case, share):
    ev, dt_h, steps, energy = case
    target = ev.agreement.target_kwh
    floor = floor_kwh(target, one(steps * dt_h), ev.params)
    energy = torch.maximum(one(energy), floor)
    for step in range(steps):
        now = EvState(energy, one(0.0), energy)
        envelope = ev_range(now, stay((steps - step) * dt_h), ev, dt_h)
        sign = 1.0 if step % 3 else -1.0
        power = into_steps(sign * share * 20.0 * ev.params.charge_kw, envelope)
        energy = energy + charged_kwh(power, ev.params, dt_h)
    assert energy >= target - 1e-8


@settings(max_examples=300)
@given(plugged_cars())
def test_the_envelope_gives_nothing_away(case):
    ev, dt_h, steps, energy = case
    if not ev.agreement.managed:
        return
    before = state(energy)
    envelope = ev_range(before, stay(steps * dt_h), ev, dt_h)
    required = required_kwh(before, stay(steps * dt_h), ev, dt_h)
    below = one(energy) + charged_kwh(envelope.low_kw - 1e-3, ev.params, dt_h)
    step_kw = torch.minimum(ev.params.least_charge_kw, envelope.high_kw)
    assert (
        below < required
        or envelope.low_kw - 1e-3 < -ev.params.discharge_kw
        or envelope.low_kw == step_kw  # nothing between 0 and the least current
    )
    above = one(energy) + charged_kwh(envelope.high_kw + 1e-3, ev.params, dt_h)
    full = ev.params.taper_fill * ev.params.capacity_kwh
    assert envelope.high_kw + 1e-3 > ev.params.charge_kw or above > full


def test_a_car_that_must_charge_draws_what_it_misses(car_home):
    ev = car_home()  # 9 kW stored at full power
    # 51 kWh in 2 h: the floor after the step of an hour is 42 kWh; 3.6 are missing.
    envelope = ev_range(state(38.4), stay(2.0), ev, 1.0)
    assert envelope.low_kw.item() == pytest.approx(4.0)
    assert envelope.high_kw.item() == pytest.approx(10.0)
    # Nothing is due yet: it may rest, and without vehicle-to-grid no more than that.
    assert ev_range(state(45.0), stay(2.0), ev, 1.0).low_kw.item() == 0.0


def test_vehicle_to_grid_gives_what_it_can_still_regain(car_home):
    ev = car_home(discharge=8.0, minimum=20.0)
    # 45 kWh, floor 42 after the hour: 3 kWh leave the store, 2.7 reach the grid.
    assert ev_range(state(45.0), stay(2.0), ev, 1.0).low_kw.item() == pytest.approx(-2.7)
    # Far from the departure the charger is the limit, near its minimum the driver's wish.
    assert ev_range(state(45.0), stay(20.0), ev, 1.0).low_kw.item() == pytest.approx(-8.0)
    assert ev_range(state(24.0), stay(20.0), ev, 1.0).low_kw.item() == pytest.approx(-3.6)
    assert ev_range(state(20.0), stay(20.0), ev, 1.0).low_kw.item() == 0.0
    # Below the minimum it charges at once.
    assert ev_range(state(15.5), stay(20.0), ev, 1.0).low_kw.item() == pytest.approx(5.0)


def test_a_need_below_the_least_current_is_rounded_up(car_home):
    ev = car_home()
    envelope = ev_range(state(41.1), stay(2.0), ev, 1.0)  # 0.9 missing: 1 kW would do
    assert envelope.low_kw.item() == pytest.approx(1.44)
    assert into_steps(one(0.0), envelope).item() == pytest.approx(1.44)


def test_between_nothing_and_the_least_current_there_is_nothing(car_home):
    envelope = ev_range(state(30.0), stay(20.0), car_home(), DT_H)
    asked = torch.tensor([0.0, 0.3, 0.71, 0.73, 1.2, 1.44, 5.0, 40.0], dtype=torch.float64)
    served = into_steps(asked, EvEnvelope(*(part.expand(8) for part in envelope)))
    assert served.tolist() == pytest.approx([0.0, 0.0, 0.0, 1.44, 1.44, 1.44, 5.0, 10.0])


def test_discharge_knows_no_least_current(car_home):
    envelope = ev_range(state(45.0), stay(20.0), car_home(discharge=8.0), DT_H)
    assert into_steps(one(-0.2), envelope).item() == pytest.approx(-0.2)


def test_near_full_a_car_may_draw_less_than_the_least_current(car_home):
    ev = car_home(target=60.0)
    envelope = ev_range(state(59.8), stay(1.0), ev, DT_H)
    assert 0.0 < envelope.high_kw.item() < 1.44
    assert into_steps(one(9.0), envelope).item() == pytest.approx(envelope.high_kw.item())


@pytest.mark.parametrize("asked", [-10.0, 0.0, 3.0, 10.0, float("nan"), float("inf")])
def test_an_unmanaged_car_charges_at_once_whatever_is_asked(car_home, asked):
    ev = car_home(managed=0.0)
    envelope = ev_range(state(20.0), stay(12.0), ev, 1.0)
    assert into_steps(one(asked), envelope).item() == pytest.approx(10.0)
    last = ev_range(state(46.5), stay(12.0), ev, 1.0)
    assert into_steps(one(asked), last).item() == pytest.approx(5.0)  # 4.5 kWh to its target
    done = ev_range(state(51.0), stay(12.0), ev, 1.0)
    assert into_steps(one(asked), done).item() == 0.0


def test_without_a_command_a_managed_car_charges_at_once_too(car_home):
    envelope = ev_range(state(20.0), stay(12.0), car_home(), 1.0)
    assert into_steps(one(float("nan")), envelope).item() == pytest.approx(10.0)
    assert into_steps(one(float("inf")), envelope).item() == pytest.approx(10.0)
    assert into_steps(one(float("-inf")), envelope).item() == 0.0


def resting(hours_left, rests=True):
    return stay(hours_left)._replace(rests=torch.tensor([rests]))


def test_a_car_that_rests_draws_what_keeps_its_target_in_reach(car_home):
    ev = car_home()  # 9 kW into the store, target 51
    assert by_habit_kw(one(20.0), None, resting(20.0, False), ev, 1.0).item() == 10.0
    assert by_habit_kw(one(20.0), None, resting(20.0), ev, 1.0).item() == 0.0
    # After the next of two hours 42 kWh must be there: 3.6 more.
    assert by_habit_kw(one(38.4), None, resting(2.0), ev, 1.0).item() == pytest.approx(4.0)
    assert by_habit_kw(one(41.1), None, resting(2.0), ev, 1.0).item() == pytest.approx(1.44)
    assert by_habit_kw(one(20.0), None, resting(2.0), ev, 1.0).item() == 10.0  # out of reach
    assert by_habit_kw(one(20.0), None, resting(0.0), ev, 1.0).item() == 0.0  # away
    # A minimum is charged to at once, whatever the habit.
    low = car_home(minimum=24.0, discharge=8.0)
    assert by_habit_kw(one(15.0), None, resting(20.0), low, 1.0).item() == 10.0


def test_what_a_shared_connection_does_not_guarantee_brings_the_last_moment_forward(car_home):
    ev = car_home()  # at 5 kW it stores 4.5 kWh an hour: 46.5 must be there an hour before
    assert by_habit_kw(one(44.0), one(5.0), resting(2.0), ev, 1.0).item() == pytest.approx(25 / 9)
    assert by_habit_kw(one(44.0), None, resting(2.0), ev, 1.0).item() == 0.0
    # No more than 5 kW of it are sure, and beyond its own last moment it hopes for the rest.
    assert by_habit_kw(one(36.0), one(5.0), resting(3.0), ev, 1.0).item() == pytest.approx(5.0)
    assert by_habit_kw(one(34.0), one(5.0), resting(2.0), ev, 1.0).item() == pytest.approx(80 / 9)
    # Nothing is sure: the charger's own last moment is left.
    assert by_habit_kw(one(44.0), one(0.0), resting(20.0), ev, 1.0).item() == 0.0
    assert by_habit_kw(one(44.0), one(0.0), resting(1.0), ev, 1.0).item() == pytest.approx(70 / 9)


@given(plugged_cars(), st.booleans())
@settings(max_examples=150)
def test_a_driver_who_waits_leaves_with_what_one_who_does_not_would_have(case, commandable):
    ev, dt_h, steps, energy = case
    energy = one(energy)
    ev = ev._replace(agreement=ev.agreement._replace(managed=one(float(commandable))))
    zero = torch.zeros_like(energy)
    ends = {}
    for rests in (False, True):
        now = EvState(energy, zero, energy)
        for step in range(steps):
            session = resting((steps - step) * dt_h, rests)
            envelope = ev_range(now, session, ev, dt_h)
            power = into_steps(zero + torch.nan, envelope)
            assert torch.equal(power, envelope.alone_kw)
            assert (envelope.low_kw <= power).all()
            assert (power <= envelope.high_kw).all()
            stored = torch.minimum(
                now.energy_kwh + charged_kwh(power, ev.params, dt_h), ev.params.capacity_kwh
            )
            now = now._replace(energy_kwh=stored)
        ends[rests] = float(now.energy_kwh)
    wanted = float(torch.maximum(ev.agreement.target_kwh, ev.agreement.minimum_kwh))
    assert min(ends[True], wanted) == pytest.approx(min(ends[False], wanted), abs=1e-7)


def test_charging_at_once_ends_at_the_target(car_home):
    ev = car_home()
    assert charging_at_once_kw(one(20.0), stay(1.0), ev, DT_H).item() == pytest.approx(10.0)
    assert charging_at_once_kw(one(50.7), stay(1.0), ev, DT_H).item() == pytest.approx(4.0)
    assert charging_at_once_kw(one(50.99), stay(1.0), ev, DT_H).item() == pytest.approx(1.44)
    assert charging_at_once_kw(one(51.0), stay(1.0), ev, DT_H).item() == 0.0
    assert charging_at_once_kw(one(20.0), stay(0.0), ev, DT_H).item() == 0.0


def test_away_there_is_nothing_to_command(car_home):
    for managed in (0.0, 1.0):
        ev = car_home(managed=managed, discharge=8.0 * managed)
        envelope = ev_range(state(20.0), stay(0.0), ev, DT_H)
        for asked in (-10.0, 10.0, float("nan")):
            assert into_steps(one(asked), envelope).item() == 0.0


def test_the_connection_leaves_room_for_the_load_first(car_home):
    own = ev_range(state(20.0), stay(20.0), car_home(discharge=8.0), DT_H)
    beside = beside_site(own, one(11.0), site(import_limit=14.0, export_limit=5.0))
    assert beside.high_kw.item() == pytest.approx(3.0)
    assert beside.low_kw.item() == pytest.approx(-8.0)  # 11 kW of load, 5 kW of export: its limit
    assert not beside.site_limited.item()
    sunny = beside_site(own, one(-3.0), site(import_limit=14.0, export_limit=5.0))
    assert sunny.low_kw.item() == pytest.approx(-2.0)
    assert sunny.high_kw.item() == pytest.approx(10.0)


def test_less_room_than_the_least_current_is_no_room(car_home):
    own = ev_range(state(20.0), stay(20.0), car_home(), DT_H)
    beside = beside_site(own, one(13.0), site(import_limit=14.0))
    assert beside.high_kw.item() == 0.0
    assert not beside.site_limited.item()


def test_a_promise_that_the_connection_cannot_carry_is_flagged(car_home):
    own = ev_range(state(38.4), stay(2.0), car_home(), 1.0)  # needs 4 kW
    tight = beside_site(own, one(11.0), site(import_limit=14.0))
    assert tight.site_limited.item()
    assert tight.low_kw.item() == tight.high_kw.item() == pytest.approx(3.0)
    assert not beside_site(own, one(9.9), site(import_limit=14.0)).site_limited.item()
    overloaded = beside_site(own, one(15.0), site(import_limit=14.0))
    assert overloaded.low_kw.item() == overloaded.high_kw.item() == 0.0


@settings(max_examples=300)
@given(plugged_cars(), st.floats(-12.0, 20.0), st.floats(0.5, 15.0), st.floats(0.0, 8.0))
def test_beside_any_load_the_envelope_is_not_empty(case, load, import_limit, export_limit):
    ev, dt_h, steps, energy = case
    own = ev_range(state(energy), stay(steps * dt_h), ev, dt_h)
    beside = beside_site(own, one(load), site(import_limit, export_limit))
    assert beside.low_kw <= beside.high_kw
    for asked in (-1e9, 0.0, 0.5, 1.0, 1e9, float("nan")):
        power = into_steps(one(asked), beside)
        assert beside.low_kw <= power <= beside.high_kw
        assert not 0 < power < torch.minimum(ev.params.least_charge_kw, own.high_kw)
        if power > 0:
            assert load + power <= import_limit + 1e-9
        if power < 0:
            assert load + power >= -export_limit - 1e-9
        if not beside.site_limited:
            assert power >= own.low_kw or own.low_kw < 0


def test_what_is_excused_is_not_asked_for(car_home):
    ev = car_home()
    now = stay(1.0)
    assert required_kwh(state(30.0), now, ev, 1.0).item() == pytest.approx(51.0)
    assert required_kwh(state(30.0, 12.0), now, ev, 1.0).item() == pytest.approx(39.0)
