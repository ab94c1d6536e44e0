"""Windows are booked, and a day is drawn, at the hour of the market's own clock."""

from datetime import date

import numpy as np

from vpp_envs.scenario import build_scenario
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.evaluation.benchmark import Contest, day_trace
from vpp_rl.rollout import Windows, play

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
