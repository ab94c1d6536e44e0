"""One step of the cars: served, gone, driven, home again, and each kWh booked under one name."""

import numpy as np
import pytest
import torch

from vpp_envs.charging import first_cars, step_cars
from vpp_envs.devices.battery import BatteryParams
from vpp_envs.devices.ev import EvState, Session, charged_kwh
from vpp_envs.dispatch.ev_envelope import beside_site, ev_range
from vpp_envs.dispatch.moment import Moment, car_moment
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.simulator import SetPoints, step_site
from vpp_envs.transition import advance

DT_H = 1.0 / 12.0


def one(value):
    return torch.tensor([value], dtype=torch.float64)


def state(energy, excused=0.0, alone=None):
    return EvState(one(energy), one(excused), one(energy if alone is None else alone))


def stay(hours_left=0.0, ends=0.0, arrives_h=0.0, km=0.0):
    return Session(one(hours_left), one(ends), one(arrives_h), one(km))


def serve(ev, asked, before, session, dt_h=1.0, site_kw=0.0, import_limit=100.0):
    site = Agreement(one(0.0), one(import_limit), one(100.0), one(0.8))
    envelope = beside_site(ev_range(before, session, ev, dt_h), one(site_kw), site)
    return step_cars(one(asked), before, session, envelope, ev, dt_h)


def numbers(outcome):
    """The outcome by name, floats; the state's parts among them."""
    parts = {**outcome._asdict(), **outcome.state._asdict()}
    return {name: float(part) for name, part in parts.items() if isinstance(part, torch.Tensor)}


BOOKS = ("infeasible_kwh", "site_short_kwh", "left_early_kwh", "missed_kwh", "broken")


def booked(outcome):
    seen = numbers(outcome)
    return {name: pytest.approx(seen[name]) for name in BOOKS if seen[name]}


def test_a_car_at_its_charger_stores_what_it_draws(car_home):
    seen = numbers(serve(car_home(), 8.0, state(20.0), stay(10.0)))
    assert seen["power_kw"] == 8.0
    assert seen["energy_kwh"] == pytest.approx(27.2)
    assert seen["alone_kw"] == pytest.approx(10.0)
    assert seen["alone_kwh"] == pytest.approx(29.0)


def test_coming_home_costs_what_the_trip_took(car_home):
    # 0.2 kWh/km; 9 kW reach 51 kWh from 31 in 10 h easily.
    outcome = serve(car_home(), 8.0, state(51.0, alone=51.0), stay(arrives_h=10.0, km=100.0))
    seen = numbers(outcome)
    assert seen["power_kw"] == 0.0
    assert seen["driven_kwh"] == pytest.approx(20.0)
    assert seen["energy_kwh"] == pytest.approx(31.0)
    assert seen["alone_kwh"] == pytest.approx(31.0)
    assert seen["away_kwh"] == seen["excused_kwh"] == 0.0
    assert not booked(outcome)


def test_a_trip_beyond_the_battery_is_charged_on_the_way(car_home):
    outcome = serve(car_home(), 0.0, state(51.0), stay(arrives_h=10.0, km=300.0))
    seen = numbers(outcome)
    assert seen["driven_kwh"] == pytest.approx(60.0)
    assert seen["energy_kwh"] == pytest.approx(6.0)  # a tenth of the battery
    assert seen["away_kwh"] == pytest.approx(15.0)  # 51 - 60 + 15 = 6


def test_what_is_out_of_reach_at_plug_in_is_booked_there_and_never_asked_again(car_home):
    ev = car_home()
    outcome = serve(ev, 0.0, state(51.0), stay(arrives_h=2.0, km=150.0))
    assert numbers(outcome)["energy_kwh"] == pytest.approx(21.0)
    assert booked(outcome) == {"infeasible_kwh": pytest.approx(12.0)}  # 21 + 2 * 9 = 39 of 51
    home = outcome.state
    for hours in (2.0, 1.0):  # nobody wants it to charge: it must, flat-out
        outcome = serve(ev, -99.0, home, stay(hours, ends=float(hours == 1.0)))
        assert numbers(outcome)["power_kw"] == pytest.approx(10.0)
        assert not booked(outcome)
        home = outcome.state
    assert home.energy_kwh.item() == pytest.approx(39.0)
    assert home.excused_kwh.item() == 0.0


def test_leaving_on_ones_word_with_the_target_books_nothing(car_home):
    outcome = serve(car_home(), 0.0, state(50.0), stay(1.0, ends=1.0))
    # The least current puts a little on top of what was missing.
    assert numbers(outcome)["energy_kwh"] == pytest.approx(50.0 + 0.9 * 1.44)
    assert not booked(outcome)


def test_leaving_before_ones_word_is_booked_apart(car_home):
    outcome = serve(car_home(), 0.0, state(20.0), stay(10.0, ends=1.0))
    assert booked(outcome) == {"left_early_kwh": pytest.approx(31.0)}
    full = serve(car_home(), 0.0, state(51.0), stay(10.0, ends=1.0))
    assert not booked(full)


def test_what_was_infeasible_is_not_booked_again_when_it_leaves_early(car_home):
    outcome = serve(car_home(), 0.0, state(20.0, excused=12.0), stay(10.0, ends=1.0))
    assert booked(outcome) == {"left_early_kwh": pytest.approx(19.0)}


def test_back_to_back_stays_are_two_promises(car_home):
    # It leaves with its target, and is home again within the step with 31 kWh and two hours.
    session = stay(1.0, ends=1.0, arrives_h=2.0, km=100.0)
    outcome = serve(car_home(), 0.0, state(42.0), session)
    seen = numbers(outcome)
    assert seen["power_kw"] == pytest.approx(10.0)
    assert seen["energy_kwh"] == pytest.approx(31.0)
    assert booked(outcome) == {"infeasible_kwh": pytest.approx(2.0)}  # 31 + 18 of 51
    assert seen["excused_kwh"] == pytest.approx(2.0)


def test_what_was_excused_in_one_stay_is_promised_in_the_next(car_home):
    session = stay(1.0, ends=1.0, arrives_h=10.0, km=10.0)
    seen = numbers(serve(car_home(), 0.0, state(20.0, excused=31.0), session))
    assert seen["excused_kwh"] == 0.0


def test_what_the_sites_own_load_takes_is_excused_and_nothing_more(car_home):
    ev = car_home()
    # 42 kWh, one hour to go: 10 kW are due, the load leaves 4.
    outcome = serve(ev, 99.0, state(42.0), stay(1.0, ends=1.0), site_kw=6.0, import_limit=10.0)
    assert numbers(outcome)["power_kw"] == pytest.approx(4.0)
    assert booked(outcome) == {"site_short_kwh": pytest.approx(5.4)}
    # Two hours before, it can still make up for a part: none is lost if it takes all it can.
    outcome = serve(ev, -99.0, state(38.0), stay(2.0), site_kw=6.0, import_limit=10.0)
    assert booked(outcome) == {"site_short_kwh": pytest.approx(0.4)}  # 38 + 3.6 + 9 of 51
    assert outcome.state.excused_kwh.item() == pytest.approx(0.4)


def test_the_tightest_connection_excuses_no_command(car_home):
    # The load leaves more than is due; the command refuses, and the car takes its due.
    outcome = serve(car_home(), -99.0, state(38.4), stay(2.0), site_kw=5.0, import_limit=10.0)
    assert numbers(outcome)["power_kw"] == pytest.approx(4.0)
    assert not booked(outcome)


def test_a_planted_shortfall_is_called_broken(car_home):
    ev, before, session = car_home(), state(42.0), stay(1.0, ends=1.0)
    envelope = ev_range(before, session, ev, 1.0)
    loose = envelope._replace(low_kw=one(0.0))
    outcome = step_cars(one(0.0), before, session, loose, ev, 1.0)
    assert booked(outcome) == {"missed_kwh": pytest.approx(9.0), "broken": 1.0}
    early = step_cars(one(0.0), before, stay(2.0), envelope, ev, 1.0)
    assert not booked(early)
    late = step_cars(one(0.0), state(38.4), stay(2.0), loose, ev, 1.0)
    assert booked(late) == {"broken": 1.0}  # not missed yet, but out of reach


@pytest.mark.parametrize(
    ("asked", "energy", "session", "change"),
    [
        (-8.0, 20.0, stay(20.0), {"low_kw": one(-8.0)}),  # below the driver's minimum
        (5.0, 20.0, stay(0.0), {"high_kw": one(5.0)}),  # not plugged in
        (99.0, 59.0, stay(20.0), {"high_kw": one(99.0)}),  # more than it holds
    ],
)
def test_other_planted_faults_are_called_broken(car_home, asked, energy, session, change):
    ev = car_home(discharge=8.0, minimum=20.0)
    envelope = ev_range(state(energy), session, ev, 1.0)
    assert not step_cars(one(asked), state(energy), session, envelope, ev, 1.0).broken.item()
    loose = envelope._replace(**change)
    assert step_cars(one(asked), state(energy), session, loose, ev, 1.0).broken.item()


def test_an_unmanaged_car_gives_nothing_back(car_home):
    ev = car_home(managed=0.0, discharge=8.0)
    session = stay(20.0)
    envelope = ev_range(state(51.0), session, ev, 1.0)
    assert step_cars(one(-8.0), state(51.0), session, envelope, ev, 1.0).power_kw.item() == 0.0
    loose = envelope._replace(low_kw=one(-8.0), high_kw=one(0.0))
    assert step_cars(one(-8.0), state(51.0), session, loose, ev, 1.0).broken.item()


def test_an_unmanaged_car_is_its_own_counterfactual(car_home):
    ev, now = car_home(managed=0.0), state(20.0)
    for step in range(60):
        outcome = serve(ev, -99.0, now, stay((60 - step) * DT_H), dt_h=DT_H)
        assert outcome.power_kw.item() == outcome.alone_kw.item()
        now = outcome.state
    assert now.energy_kwh.item() == pytest.approx(51.0)
    assert torch.equal(now.energy_kwh, now.alone_kwh)


def test_single_precision_keeps_a_promise_over_days_flat_out(car_home):
    """Adding the same number a thousand times drifts by watt-hours; the floor does not."""
    ev = car_home(capacity=75.0, charge=1.7, target=70.0, least=0.0, dtype=torch.float32)
    ticks = 400
    before = EvState(*(torch.tensor([v]) for v in (15.0, 4.13, 15.0)))
    start = torch.tensor([70.0 - 4.13 - ticks / 12 * 1.7 * 0.9])
    now = before._replace(energy_kwh=start)
    repair = 0.0
    for tick in range(ticks):
        session = Session(
            torch.tensor([float(ticks - tick)]) * DT_H,
            torch.tensor([float(tick + 1 == ticks)]),
            torch.zeros(1),
            torch.zeros(1),
        )
        envelope = ev_range(now, session, ev, DT_H)
        outcome = step_cars(torch.tensor([0.0]), now, session, envelope, ev, DT_H)
        assert not outcome.broken.item()
        repair = max(repair, outcome.repair_kwh.item())
        now = outcome.state
    assert outcome.missed_kwh.item() == 0.0
    assert now.energy_kwh.item() == pytest.approx(70.0 - 4.13, abs=3e-5)
    assert repair <= 3e-5


def test_no_curtailment_takes_a_cars_room_away(car_home):
    """The sun serves the car; switching it off may not count on a battery that the car cannot."""
    ev = car_home(charge=7.0)
    battery = BatteryParams(one(10.0), one(5.0), one(5.0), one(0.9), one(0.0), one(0.04))
    zero = torch.zeros(1, dtype=torch.int64)
    site = Agreement(one(2.0), one(5.0), one(5.0), one(0.8))
    fleet = Fleet(zero, battery, one(8.0), zero, one(0.6), zero, site, zero, ev)
    curve = torch.zeros(1, 12, 25).double()
    cars = car_moment(state(51.0 - 6.3), stay(1.0, ends=1.0), one(0.5), curve, ev, 1.0)
    moment = Moment(one(10.0), one(3.0), one(8.0), one(-0.5), torch.zeros(1, 17).double(), cars)
    for ceiling in (8.0, 0.0):
        for battery_kw in (-5.0, 5.0):
            asked = SetPoints(one(battery_kw), one(ceiling), one(-99.0))
            outcome = step_site(asked, moment, fleet, 1.0)
            assert outcome.ev.power_kw.item() == pytest.approx(7.0)
            assert not booked(outcome.ev)
            assert outcome.net_kw.item() <= 5.0 + 1e-9
            assert not outcome.broken.item()
    # A car that need not charge leaves the sun to be switched off.
    full = car_moment(state(51.0), cars.session, cars.rest_h, curve, ev, 1.0)
    late = moment._replace(ev=full)
    assert step_site(asked, late, fleet, 1.0).solar_output_kw.item() == pytest.approx(0.0)


def test_the_first_cars_can_all_keep_their_promise(car_home):
    ev = car_home(discharge=8.0, minimum=24.0)
    hours = torch.tensor([0.0, 0.5, 2.0, 30.0], dtype=torch.float64)
    low, high = (
        first_cars(torch.full((4,), share), hours, ev, torch.float64, torch.device("cpu"))
        for share in (0.0, 1.0)
    )
    assert low.energy_kwh.tolist() == pytest.approx([51.0, 46.5, 33.0, 24.0])
    assert high.energy_kwh.tolist() == pytest.approx([51.0] * 4)
    assert (low.excused_kwh == 0).all()
    assert torch.equal(low.alone_kwh, low.energy_kwh)


@pytest.mark.parametrize("mode", ["value_curve", "cohort_power", "per_device"])
def test_energy_is_conserved_in_every_step(hostile_env, mode):
    """What is stored changes by what was charged, driven and charged elsewhere: nothing else."""
    env = hostile_env(3, dispatch=mode, dtype="float64")
    env.reset(seed=2, options={"start_ticks": [0, 100, 700]})
    ev, rng = env.fleet.ev, np.random.default_rng(0)
    worst = driven = away = 0.0
    for _ in range(250):
        moment, before = env.moment, env.state.ev.energy_kwh
        env.step(rng.uniform(-1, 1, (3, len(env.action_names))))
        set_points, totals = env.last
        outcome, _ = advance(set_points, moment, env.fleet, DT_H)
        cars = outcome.ev
        stored = charged_kwh(cars.power_kw, ev.params, DT_H)
        change = cars.state.energy_kwh - before
        error = change - (stored - cars.driven_kwh + cars.away_kwh)
        assert torch.equal(cars.state.energy_kwh, env.state.ev.energy_kwh)
        worst = max(worst, error.abs().max().item(), cars.repair_kwh.max().item())
        net = outcome.net_kw - (
            moment.load_kw - outcome.solar_output_kw + outcome.battery_kw + cars.power_kw
        )
        assert net.abs().max() < 1e-9
        torch.testing.assert_close(totals.ev_kwh, (cars.power_kw * DT_H).sum(-1))
        driven, away = driven + cars.driven_kwh.sum().item(), away + cars.away_kwh.sum().item()
        assert (env.state.ev.energy_kwh >= -1e-9).all()
        assert (env.state.ev.energy_kwh <= ev.params.capacity_kwh + 1e-9).all()
    assert worst < 1e-9
    assert driven > 100.0
    assert away > 10.0


def test_cars_come_and_go_when_the_table_says(hostile_env):
    env = hostile_env(1, dtype="float64")
    env.reset(seed=0, options={"start_ticks": [0]})
    stay_of = env.tables.ev.stay.double()
    per_km, gone = env.fleet.ev.params.drive_kwh_per_km, 0
    for tick in range(300):
        row = stay_of[tick]
        moment = env.moment
        torch.testing.assert_close(moment.ev.session.hours_left[0], row[0] * DT_H)
        env.step(np.ones((1, len(env.action_names))))
        outcome, _ = advance(env.last[0], moment, env.fleet, DT_H)
        assert (outcome.ev.power_kw[0][row[0] == 0] == 0).all()
        arrives = row[2] > 0
        torch.testing.assert_close(outcome.ev.driven_kwh[0], row[3] * per_km * arrives)
        next_row = stay_of[tick + 1]
        assert torch.equal(next_row[0][arrives], row[2][arrives])
        gone += int(((row[1] > 0) & (next_row[0] == 0)).sum())
    assert gone > 20
