"""Charging rules: all keep the drivers' targets, and differ in when they charge."""

from dataclasses import replace

import pytest
import torch

from vpp_envs.dispatch.moment import car_moment
from vpp_rl.baselines.charging import CheapestSlots, Latest, OffPeak, Together
from vpp_rl.baselines.rules import Idle, SelfConsumption
from vpp_rl.policy import scene_of
from vpp_rl.rollout import Windows, play, window_env

DAY = Windows("test", window_days=1, most=3)


@pytest.fixture(scope="module")
def slow_days(car_days):
    """Cars that only charge."""
    return replace(car_days, fleet=replace(car_days.fleet, v2g_share=0.0))


@pytest.fixture(scope="module")
def hourly(slow_days, tmp_path_factory):
    """Cars behind a tariff with another price every hour, known ahead."""
    periods = "".join(
        f"    - {{name: h{hour}, per_kwh: {0.10 + 0.01 * (hour * 7 % 24):.2f}, "
        f"hours: '{hour:02d}:00-{hour + 1:02d}:00'}}\n"
        for hour in range(24)
    )
    path = tmp_path_factory.mktemp("tariff") / "hourly.yaml"
    path.write_text(
        "name: hourly\ncurrency: AUD\nzone: Australia/Adelaide\n"
        f"import:\n  periods:\n{periods}export: {{per_kwh: 0.0}}\n"
    )
    return replace(slow_days, tariff=str(path), fleet=replace(slow_days.fleet, homes=12))


def test_the_cheapest_slots_of_known_prices_cost_what_the_best_of_each_stay_does(hourly):
    """Within 2 %: charging slows down near full, and runs at its least current or not at all."""
    frame, _ = play(CheapestSlots(), hourly, Windows("test", window_days=4))
    at_once, _ = play(Idle(), hourly, Windows("test", window_days=4))
    assert int(frame.ev_stays.sum()) >= 20
    assert float(frame.ev_stay_cost.sum()) <= 1.02 * float(frame.ev_stay_optimum.sum())
    assert float(frame.ev_stay_cost.sum()) >= 0.999 * float(frame.ev_stay_optimum.sum())
    assert float(at_once.ev_stay_cost.sum()) > 1.1 * float(frame.ev_stay_cost.sum())


@pytest.mark.parametrize("rule", [Latest(), OffPeak(), CheapestSlots()], ids=lambda rule: rule.name)
def test_no_rule_breaks_what_a_driver_was_promised(car_days, rule):
    frame, _ = play(rule, car_days, DAY)
    assert frame.ev_missed_kwh.sum() == 0.0
    assert frame.broken_agreements.sum() == 0
    assert frame.ev_kwh.sum() > 1.0
    # Rules charge only.
    assert frame.ev_discharged_kwh.sum() == 0.0


def powers(rule, spec, hours_left, fill, hour=12.0):
    """Power of each car that is commanded, as a share of its limit, at noon or another hour."""
    env, *_ = window_env(spec, replace(DAY, most=1))
    now = env.moment
    same = torch.ones_like(now.load_kw)
    ev = env.fleet.ev
    session = now.ev.session._replace(hours_left=hours_left * same, ends=0.0 * same)
    kwh = fill * ev.agreement.target_kwh * same
    state = now.ev.state._replace(energy_kwh=kwh)
    cars = car_moment(state, session, now.ev.rest_h, now.ev.curve, ev, env.scenario.dt_h)
    scene = scene_of(env)
    tick = scene.tick + round(hour * 12)
    scene = replace(scene, moment=now._replace(ev=cars), tick=tick)
    return (rule.act(scene).ev_kw[0] / ev.params.charge_kw).round(decimals=9)


def test_at_the_latest_means_when_no_time_is_left(slow_days):
    assert bool((powers(Latest(), slow_days, 20.0, 0.9) == 0.0).all())
    assert bool((powers(Latest(), slow_days, 0.5, 0.3) == 1.0).all())


@pytest.mark.parametrize(
    ("hour", "charges"), [(22.9, False), (23.0, True), (2.0, True), (5.9, True), (6.0, False)]
)
def test_the_timer_runs_through_midnight_and_stops_at_the_target(slow_days, hour, charges):
    assert bool((powers(OffPeak(), slow_days, 23.0, 0.8, hour) == 1.0).all()) == charges
    assert bool((powers(OffPeak(), slow_days, 23.0, 0.8, hour) == 0.0).all()) != charges
    assert bool((powers(OffPeak(), slow_days, 23.0, 1.0, hour) == 0.0).all())


def test_a_timer_within_a_day_does_not_run_at_night(slow_days):
    noon = OffPeak(10.0, 14.0)
    assert bool((powers(noon, slow_days, 23.0, 0.8, 12.0) == 1.0).all())
    assert bool((powers(noon, slow_days, 23.0, 0.8, 2.0) == 0.0).all())


def test_timers_side_by_side_are_each_their_own(slow_days):
    """As they are tuned: a column of settings, one a row."""
    columns = OffPeak(torch.tensor([[23.0], [1.0]]), torch.tensor([[6.0], [5.0]]))
    windows = Windows("test", window_days=1, most=1)
    both, _ = play(columns, slow_days, replace(windows, copies=2))
    alone = [play(OffPeak(*hours), slow_days, windows)[0] for hours in ((23.0, 6.0), (1.0, 5.0))]
    assert both.ev_cost.tolist() == pytest.approx([float(frame.ev_cost.iloc[0]) for frame in alone])
    assert both.ev_cost.iloc[0] != both.ev_cost.iloc[1]


@pytest.mark.parametrize("rule", [Latest(), OffPeak(), CheapestSlots()], ids=lambda rule: rule.name)
def test_a_rule_commands_a_car_whatever_its_driver_would_do(slow_days, rule):
    """A habit is what a car does that nobody commands."""
    waits = replace(slow_days.fleet, ev_midnight_share=0.5, ev_last_moment_share=0.5)
    waits_days = replace(slow_days, fleet=waits)
    plain, _ = play(rule, slow_days, DAY)
    other, _ = play(rule, waits_days, DAY)
    assert other.ev_cost.tolist() == plain.ev_cost.tolist()
    assert other.ev_kwh.tolist() == plain.ev_kwh.tolist()
    # Left alone it is another car.
    alone, waiting = (play(Idle(), spec, DAY)[0] for spec in (slow_days, waits_days))
    assert waiting.ev_cost.tolist() != alone.ev_cost.tolist()


def test_together_each_commands_its_own(tariff_days):
    env, *_ = window_env(tariff_days, replace(DAY, most=1))
    scene = scene_of(env)
    both = Together(SelfConsumption(), CheapestSlots())
    asked = both.act(scene)
    assert both.name == "self-consumption, cheapest slots"
    assert torch.equal(asked.battery_kw, SelfConsumption().act(scene).battery_kw)
    assert torch.equal(asked.solar_output_kw, SelfConsumption().act(scene).solar_output_kw)
    assert torch.equal(asked.ev_kw, CheapestSlots().act(scene).ev_kw)


def test_without_cars_nothing_is_asked_of_any(day_spec):
    env, *_ = window_env(day_spec, replace(DAY, most=1))
    asked = CheapestSlots().act(scene_of(env))
    assert asked.ev_kw is None
    assert not asked.battery_kw.any()
