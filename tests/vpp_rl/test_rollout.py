"""Windows are booked, and a day is drawn, at the hour of the market's own clock."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch

from vpp_envs.scenario import build_scenario
from vpp_rl.baselines.charging import CheapestSlots
from vpp_rl.baselines.rules import Idle
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.evaluation.benchmark import Contest, day_trace
from vpp_rl.rollout import Windows, _stored_kwh, inventory_value_per_kwh, play, window_env

POLICY = StochasticValueCurve()


def test_windows_are_dated_by_their_first_day(day_spec):
    """A synthetic test path begins on 1 January 2010 of South Australia's clock."""
    frame, _ = play(POLICY, day_spec, Windows("test", window_days=2))
    assert frame.start.tolist() == [date(2010, 1, 1), date(2010, 1, 3)]
    assert frame.quarter.tolist() == [1, 1]


def test_a_drawn_day_runs_from_midnight_with_that_days_prices(day_spec):
    scenario = build_scenario(day_spec, "test")
    frame, trace = play(POLICY, day_spec, Windows("test", window_days=4), trace_row=0)
    drawn = day_trace(Contest(frame, trace, "value curve", 0.0, 0.0, ()), scenario, "")
    since = drawn.stamps_local - np.datetime64("2010-01-01")
    tick = (since / np.timedelta64(300, "s")).astype(int)
    assert tick[0] % 288 == 0
    np.testing.assert_array_equal(np.diff(tick), 1)
    np.testing.assert_array_equal(drawn.price_per_mwh, scenario.market.price_per_mwh[tick].numpy())


def test_windows_of_homes_without_cars_tell_of_no_cars(day_spec):
    frame, _ = play(Idle(), day_spec, Windows("test", window_days=1, most=1))
    assert not [name for name in frame.columns if name.startswith("ev_")]


def test_what_cars_did_is_told_by_window(car_days):
    """Sums of the intervals, what they drew priced at each interval's price."""
    windows = Windows("test", window_days=2)
    frame, trace = play(CheapestSlots(), car_days, windows, trace_row=1)
    price = build_scenario(car_days, "test").market.price_per_mwh[trace.tick] / 1000.0
    kwh = trace.totals.ev_kwh
    assert float(kwh.sum()) > 1.0
    row = frame.iloc[1]
    assert row.ev_kwh == pytest.approx(float(kwh.sum()))
    assert row.ev_cost == pytest.approx(float((kwh * price).sum()))
    assert row.ev_driven_kwh == pytest.approx(float(trace.totals.ev_driven_kwh.sum()))
    assert row.ev_driven_kwh > 0.0
    assert row.ev_missed_kwh == 0.0
    # The fill that is traced is the cars': no home has a battery.
    assert trace.fill.shape == (2 * 288, 4)
    assert bool(((trace.fill > 0.0) & (trace.fill <= 1.0)).all())


def test_stays_are_counted_by_window_and_only_of_cars_that_charge(car_days):
    only_charge = replace(car_days, fleet=replace(car_days.fleet, homes=12, v2g_share=0.0))
    windows = Windows("test", window_days=2)
    frame, _ = play(CheapestSlots(), only_charge, windows)
    assert (frame.ev_stays > 0).all()
    assert (frame.ev_stay_cost >= frame.ev_stay_optimum - 1e-9).all()
    # Every car that can give energy back does: about half of them.
    give = replace(only_charge, fleet=replace(only_charge.fleet, v2g_share=1.0))
    gives, _ = play(CheapestSlots(), give, windows)
    assert (gives.ev_stays < frame.ev_stays).all()


def test_what_is_left_in_store_is_worth_a_cheap_hour_of_the_tariff(day_spec, tariff_days, tmp_path):
    """On a wholesale market, the market's typical price; never less than nothing."""
    loss = 0.9**0.5
    wholesale = build_scenario(day_spec, "test")
    typical = wholesale.market.price_scale / 1000.0 * loss
    assert inventory_value_per_kwh(wholesale) == pytest.approx(typical)
    behind = build_scenario(tariff_days, "test")
    assert inventory_value_per_kwh(behind) == pytest.approx(0.26 * loss)
    path = tmp_path / "paid.yaml"
    path.write_text(
        "name: paid\ncurrency: AUD\nzone: Australia/Adelaide\n"
        "import: {per_kwh: -0.1}\nexport: {per_kwh: -0.2}\n"
    )
    paid = build_scenario(replace(tariff_days, tariff=str(path)), "test")
    assert bool(torch.all(paid.market.price_per_mwh == -100.0))
    assert inventory_value_per_kwh(paid) == 0.0


@pytest.mark.parametrize("split", ["train", "test"])
def test_windows_know_all_homes_where_episodes_of_training_draw_some(day_spec, mixed_days, split):
    windows = Windows(split, window_days=1, most=2)
    env, _, _ = window_env(mixed_days, windows)
    assert torch.equal(env.fleet.home_id, build_scenario(day_spec, split).fleet.home_id)
    frames = [play(POLICY, spec, windows)[0] for spec in (day_spec, mixed_days)]
    assert frames[0].equals(frames[1])
    assert (frames[0].homes == 8).all()


def test_what_a_car_holds_beyond_its_target_is_credited_to_nobody(car_days):
    env, _, _ = window_env(car_days, Windows("test", window_days=1, most=1))
    target_kwh = env.fleet.ev.agreement.target_kwh
    at_target = env.state.ev._replace(energy_kwh=target_kwh.expand_as(env.energy_kwh))
    env.state = env.state._replace(ev=at_target)
    credited_kwh = _stored_kwh(env)
    more = at_target._replace(energy_kwh=at_target.energy_kwh + 1.0)
    env.state = env.state._replace(ev=more)
    assert torch.equal(_stored_kwh(env), credited_kwh)
    less = at_target._replace(energy_kwh=at_target.energy_kwh - 1.0)
    env.state = env.state._replace(ev=less)
    torch.testing.assert_close(_stored_kwh(env), credited_kwh - len(target_kwh))
