"""Estimators and intervals against numbers that are known in closed form."""

import numpy as np
import pytest

from vpp_rl.evaluation.statistics import (
    Interval,
    band_mean,
    block_draws,
    bootstrap_interval,
    interquartile_mean,
    paired_block_interval,
    probability_of_improvement,
    ratio_interval,
    stratified_draws,
    tail_mean,
    wilson_interval,
)

TRIALS = 400


def test_interquartile_mean_of_eight_values_is_the_mean_of_the_middle_four():
    assert interquartile_mean([1000.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1000.0]) == pytest.approx(3.5)


def test_interquartile_mean_of_five_values_counts_the_edges_in_part():
    # The middle half of five values is 1.25 to 3.75: weights 0.75, 1, 0.75 of 2.5.
    expected = (0.75 * 2.0 + 1.0 * 4.0 + 0.75 * 7.0) / 2.5
    assert interquartile_mean([7.0, 0.0, 99.0, 2.0, 4.0]) == pytest.approx(expected)


def test_interquartile_mean_of_one_value_is_that_value():
    assert interquartile_mean([3.25]) == 3.25


def test_interquartile_mean_pools_a_table_in_any_order():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(5, 13))
    shuffled = rng.permutation(table.ravel())
    assert interquartile_mean(table) == pytest.approx(interquartile_mean(shuffled), abs=1e-14)


def test_interquartile_mean_shifts_and_scales_with_its_values():
    values = np.random.default_rng(1).normal(size=31)
    shifted = interquartile_mean(3.0 * values - 2.0)
    assert shifted == pytest.approx(3.0 * interquartile_mean(values) - 2.0)


def test_tail_mean_of_twenty_values_is_the_mean_of_the_two_lowest():
    assert tail_mean(np.arange(20.0)[::-1], share=0.1) == pytest.approx(0.5)


def test_tail_mean_of_normal_values_is_the_textbook_shortfall():
    # E[x | x < q_0.1] = -phi(-1.28155) / 0.1 = -1.75498 for a standard normal.
    values = np.random.default_rng(2).normal(size=200_000)
    assert tail_mean(values, share=0.1) == pytest.approx(-1.75498, abs=0.02)


def test_band_mean_of_the_whole_band_is_the_mean_along_the_last_axis():
    table = np.random.default_rng(3).normal(size=(4, 7))
    np.testing.assert_allclose(band_mean(table, 0.0, 1.0), table.mean(axis=-1))


def test_stratified_draws_keep_every_window_in_its_quarter():
    quarters = np.array([1, 1, 1, 2, 2, 4, 4, 4])
    draws = stratified_draws(3, quarters, np.random.default_rng(0), resamples=50)
    assert draws.seeds.shape == (50, 3)
    np.testing.assert_array_equal(quarters[draws.windows], np.tile(quarters, (50, 1)))


def test_strata_of_one_window_are_pooled_so_that_they_vary():
    draws = stratified_draws(1, [1, 2, 3, 4], np.random.default_rng(0), resamples=50)
    assert np.unique(draws.windows[:, 0]).tolist() == [0, 1, 2, 3]


def test_a_lonely_stratum_joins_another_one():
    draws = stratified_draws(1, [1, 1, 2, 2, 3], np.random.default_rng(0), resamples=50)
    assert np.unique(draws.windows[:, 4]).tolist() == [2, 3, 4]
    assert np.unique(draws.windows[:, 0]).tolist() == [0, 1]


def test_blocks_are_runs_of_neighbours_on_a_ring():
    draws = block_draws(1, 12, block=3, rng=np.random.default_rng(0), resamples=40)
    assert draws.windows.shape == (40, 12)
    steps = np.diff(draws.windows.reshape(40, 4, 3), axis=-1) % 12
    assert (steps == 1).all()


def test_blocks_draw_every_window_equally_often():
    draws = block_draws(1, 10, block=2, rng=np.random.default_rng(0), resamples=20_000)
    share = np.bincount(draws.windows.ravel()) / draws.windows.size
    np.testing.assert_allclose(share, 0.1, atol=0.002)


def test_a_block_is_never_so_long_that_nothing_varies():
    differences = np.arange(8.0)
    interval = paired_block_interval(differences, np.random.default_rng(0), block=8)
    assert interval.low < 3.5 < interval.high


def test_bootstrap_interval_covers_the_mean_of_normal_data_in_95_of_100_trials():
    rng = np.random.default_rng(11)
    strata = np.repeat([1, 2, 3, 4], 15)
    covered = 0
    for _ in range(TRIALS):
        values = rng.normal(5.0, 2.0, size=60)
        interval = bootstrap_interval(values, lambda x: float(x.mean()), strata, rng, resamples=300)
        covered += interval.low <= 5.0 <= interval.high
    assert covered / TRIALS == pytest.approx(0.95, abs=0.03)


def test_block_interval_covers_dependent_data_better_than_single_windows_do():
    rng = np.random.default_rng(12)
    covered = {1: 0, 12: 0}
    for _ in range(TRIALS):
        series = _first_order_series(rng, windows=240, memory=0.6)
        for block in covered:
            interval = paired_block_interval(series, rng, block=block, resamples=300)
            covered[block] += interval.low <= 0.0 <= interval.high
    # Memory 0.6 doubles the deviation of the mean, so that 1.96 deviations become 0.98: 67 %.
    assert covered[1] / TRIALS == pytest.approx(0.67, abs=0.06)
    assert covered[12] / TRIALS > 0.87


def test_intervals_of_five_seeds_hold_the_luck_of_training():
    rng = np.random.default_rng(13)
    luck = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])[:, None]
    one = paired_block_interval(np.zeros((1, 40)), rng, block=4)
    five = paired_block_interval(luck + np.zeros((5, 40)), rng, block=4)
    assert (one.low, one.high) == (0.0, 0.0)
    # The mean of five draws from the five values has a deviation of sqrt(2 / 5) = 0.632.
    assert five.value == pytest.approx(0.0)
    assert five.high - five.low == pytest.approx(2 * 1.96 * 0.632, rel=0.1)


def test_ratio_of_sums_weighs_windows_by_what_was_at_stake():
    draws = block_draws(1, 2, block=1, rng=np.random.default_rng(0))
    interval = ratio_interval([1.0, 90.0], [10.0, 90.0], draws)
    assert interval.value == pytest.approx(0.91)
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(1.0)


def test_a_ratio_over_nothing_at_stake_is_unknown():
    draws = block_draws(1, 3, block=1, rng=np.random.default_rng(0))
    assert np.isnan(ratio_interval([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], draws)).all()


def test_one_window_has_a_value_and_no_interval():
    interval = paired_block_interval([4.0], np.random.default_rng(0), block=1)
    assert interval.value == 4.0
    assert np.isnan([interval.low, interval.high]).all()
    assert not interval.excludes_zero()


def test_equal_generators_give_equal_intervals():
    values = np.random.default_rng(4).normal(size=(5, 20))
    strata = np.repeat([1, 2], 10)
    first, second = (
        bootstrap_interval(values, interquartile_mean, strata, np.random.default_rng(7))
        for _ in range(2)
    )
    assert first == second


def test_an_interval_excludes_zero_on_either_side_only():
    assert Interval(2.0, 1.0, 3.0).excludes_zero()
    assert Interval(-2.0, -3.0, -1.0).excludes_zero()
    assert not Interval(1.0, -1.0, 3.0).excludes_zero()


def test_probability_of_improvement_counts_wins_and_half_of_ties():
    assert probability_of_improvement([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 5.0, 3.0]) == 0.625


def test_probability_of_improvement_compares_every_pair_of_seeds():
    ours = [[1.0, 1.0], [3.0, 3.0]]
    theirs = [[2.0, 0.0]]
    assert probability_of_improvement(ours, theirs) == 0.75


def test_improvement_and_deterioration_add_up_to_one():
    rng = np.random.default_rng(5)
    ours, theirs = rng.integers(4, size=(3, 9)), rng.integers(4, size=(2, 9))
    forward = probability_of_improvement(ours, theirs)
    assert forward + probability_of_improvement(theirs, ours) == pytest.approx(1.0)


def _first_order_series(rng: np.random.Generator, windows: int, memory: float) -> np.ndarray:
    """A stationary series of mean 0 in which each value keeps a share of the one before."""
    series = rng.normal(size=windows)
    series[0] /= np.sqrt(1.0 - memory**2)
    for window in range(1, windows):
        series[window] += memory * series[window - 1]
    return series


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_the_score_interval_of_a_share_is_the_published_one(hits, trials, low, high):
    """R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I."""
    interval = wilson_interval(hits, trials)
    assert interval.value == hits / trials
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)
