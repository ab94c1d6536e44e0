"""Load shapes of homes that are so simple that one can say what they are."""

import numpy as np
import pytest

from vpp_envs.errors import InputError
from vpp_rl.evaluation.load_shapes import (
    clock_share,
    clock_spread,
    coarser,
    coincidence_factor,
    daily_kwh,
    hottest_days,
    in_days,
    likeness,
    line_above,
    load_duration,
    load_factor,
    mean_day,
    peak_hour,
    spread,
    typical_day,
)


def day_of(*kw):
    return np.array(kw, dtype=float)[:, None]


def test_identical_homes_peak_together():
    power = np.repeat(np.random.default_rng(0).uniform(0.1, 5.0, (96, 1)), 12, axis=1)
    for homes in (1, 5, 12):
        assert coincidence_factor(power, homes) == pytest.approx(1.0)


def test_homes_that_peak_in_turn_coincide_by_one_over_their_number():
    assert coincidence_factor(np.eye(8), 8) == pytest.approx(1 / 8)
    assert coincidence_factor(np.eye(8), 2) == pytest.approx(1 / 2)


def test_coincidence_never_rises_with_the_size_of_the_group():
    power = np.random.default_rng(1).exponential(size=(400, 30))
    factors = [coincidence_factor(power, homes) for homes in (1, 2, 5, 10, 30)]
    assert factors[0] == 1.0
    assert (np.diff(factors) < 0).all()


def test_a_tick_that_one_home_missed_counts_for_nobody_in_its_group():
    power = np.array([[9.0, np.nan], [1.0, 2.0], [2.0, 1.0]])
    assert coincidence_factor(power, 2) == pytest.approx(3 / 4)
    with pytest.raises(InputError, match="no tick was measured in all 2 homes"):
        coincidence_factor(power[:1], 2)
    with pytest.raises(InputError, match="3 homes cannot be drawn from 2"):
        coincidence_factor(power, 3)


def test_the_mean_day_of_two_homes_counts_each_home_alike():
    one, other = np.tile([1.0, 3.0], 3), np.array([5.0, 7.0, *[np.nan] * 4])
    shape = mean_day(in_days(np.stack([one, other], axis=1), 2))
    np.testing.assert_allclose(shape, [3.0, 5.0])
    assert load_factor(shape) == pytest.approx(0.8)
    assert peak_hour(shape) == 12.0


def test_no_large_home_decides_the_typical_day():
    days = in_days(np.array([[1.0, 90.0], [3.0, 10.0]]), 2)
    np.testing.assert_allclose(typical_day(days), [(0.5 + 1.8) / 2, (1.5 + 0.2) / 2])
    assert peak_hour(mean_day(days)) == 0.0


def test_a_day_with_a_gap_has_no_energy():
    days = in_days(day_of(1.0, 1.0, 2.0, 4.0, 1.0, np.nan, 9.0), 2)
    assert len(days) == 3  # the seventh tick is no day
    np.testing.assert_allclose(daily_kwh(days), [24.0, 72.0])
    with pytest.raises(InputError, match="needs a whole day of 48 ticks, got 7"):
        in_days(np.zeros((7, 1)), 48)


def test_half_hours_are_means_of_six_ticks():
    np.testing.assert_allclose(coarser(np.arange(13.0)[:, None], 6)[:, 0], [2.5, 8.5])


def test_the_spread_of_0_to_100_is_known():
    assert spread(np.arange(101.0)) == pytest.approx((50.0, 10.0, 50.0, 90.0))


def test_a_load_duration_curve_falls_from_peak_to_least_around_a_mean_of_one():
    curve = load_duration(day_of(1.0, 3.0, 2.0, 2.0))
    assert curve[0] == 1.5
    assert curve[-1] == 0.5
    assert (np.diff(curve) <= 0).all()


def test_likeness_knows_no_scale():
    shape = np.array([1.0, 2.0, 4.0, 1.0])
    assert likeness(shape, 7.0 * shape) == pytest.approx((1.0, 0.0))
    correlation, rmse = likeness(np.array([0.5, 1.5]), np.array([1.5, 0.5]))
    assert (correlation, rmse) == pytest.approx((-1.0, 1.0))
    assert np.isnan(likeness(np.ones(4), shape)[0])


def test_midnight_lies_between_23_and_1_o_clock():
    around = clock_spread(np.array([23.0, 1.0]))
    assert min(around.mean_h, 24.0 - around.mean_h) == pytest.approx(0.0, abs=1e-9)
    assert around.deviation_h == pytest.approx(1.0, abs=0.02)
    assert clock_spread(np.full(3, 7.5)) == pytest.approx((7.5, 0.0), abs=1e-6)


def test_a_bell_on_the_clock_has_its_own_mean_and_deviation():
    hours = np.random.default_rng(2).normal(22.5, 2.0, 200_000) % 24.0
    assert clock_spread(hours) == pytest.approx((22.5, 2.0), abs=0.02)
    share = clock_share(hours)
    assert share.sum() == pytest.approx(1.0)
    assert share.argmax() in (21, 22)


def test_a_line_is_found_above_its_kink():
    air_c = np.arange(10.0, 41.0)
    line = line_above(air_c, 0.25 * (air_c - 20.0).clip(min=0.0), 22.0)
    assert line == pytest.approx((0.25, -5.0))
    with pytest.raises(InputError, match="two points from 40 on, got 1"):
        line_above(air_c, air_c, 40.0)


def test_the_hottest_days_are_found():
    air_c = np.array([20.0, 38.0, 22.0, 33.0, 34.0, 25.0])[:, None] + np.zeros(4)
    assert hottest_days(air_c, 1) == slice(1, 2)
    assert hottest_days(air_c, 2) == slice(3, 5)
    with pytest.raises(InputError, match="run of 7 days"):
        hottest_days(air_c, 7)
