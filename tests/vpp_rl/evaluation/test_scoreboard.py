"""The scoreboard on frames small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_rl.evaluation.scoreboard import SUMMARY_COLUMNS, summarise, to_markdown


def summary_of(frame: pd.DataFrame, **options: object) -> pd.DataFrame:
    return summarise(frame, rng=np.random.default_rng(0), **options).set_index("policy")


def test_summary_holds_one_row_per_policy_with_the_highest_profit_first(two_windows):
    summary = summarise(two_windows, rng=np.random.default_rng(0))
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert summary["policy"].tolist() == [
        "perfect foresight",
        "optimum",
        "apg",
        "mpc",
        "curtail only",
    ]
    assert summary["kind"].tolist() == ["bound", "bound", "learned", "optimiser", "rule"]
    assert summary["seeds"].tolist() == [1, 1, 2, 1, 1]


def test_profit_per_home_year_is_the_sum_over_windows_by_the_home_years(two_windows):
    apg = summary_of(two_windows).loc["apg"]
    assert apg["home_years"] == pytest.approx(2.0)
    assert apg["profit_per_home_year"] == pytest.approx((118 + 290 + 114 + 270) / 2 / 2)
    # The middle half of 114, 118, 270 and 290.
    assert apg["profit_iqm_per_home_year"] == pytest.approx((118 + 270) / 2)


def test_share_of_the_optimum_is_a_ratio_of_sums_of_gains(two_windows):
    apg = summary_of(two_windows).loc["apg"]
    # Gains over the reference: 18 + 90 and 14 + 70 of the optimum's 20 + 100.
    assert apg["gain_per_home_year"] == pytest.approx((108 + 84) / 2 / 2)
    assert apg["share_optimum"] == pytest.approx((108 + 84) / 2 / 120)
    assert apg["share_optimum_iqm"] == pytest.approx((108 / 120 + 84 / 120) / 2)
    # Seed 0 has 0.9 of the optimum in either window, seed 1 has 0.7.
    assert apg["share_optimum_low"] == pytest.approx(0.7)
    assert apg["share_optimum_high"] == pytest.approx(0.9)
    assert apg["share_bound"] == pytest.approx((108 + 84) / 2 / 200)


def test_yardsticks_have_all_and_the_reference_has_none(two_windows):
    summary = summary_of(two_windows)
    for end in ("", "_low", "_high", "_iqm"):
        assert summary.loc["optimum", f"share_optimum{end}"] == pytest.approx(1.0)
        assert summary.loc["perfect foresight", f"share_bound{end}"] == pytest.approx(1.0)
        assert summary.loc["curtail only", f"share_bound{end}"] == 0.0


def test_difference_is_paired_and_its_interval_spans_seeds_and_windows(two_windows):
    apg = summary_of(two_windows).loc["apg"]
    # Over mpc: 8 and 30 with seed 0, 4 and 10 with seed 1.
    assert apg["difference_per_home_year"] == pytest.approx((8 + 30 + 4 + 10) / 4)
    # One seed in one window only, in 1 of 16 resamples, bounds the interval on either side.
    assert apg["difference_per_home_year_low"] == pytest.approx(4.0)
    assert apg["difference_per_home_year_high"] == pytest.approx(30.0)
    assert apg["improvement_probability"] == 1.0


def test_spike_windows_are_those_in_which_foresight_earns_most(two_windows):
    apg = summary_of(two_windows).loc["apg"]
    assert apg["share_bound_spikes"] == pytest.approx((90 + 70) / 2 / 150)
    assert apg["share_bound_rest"] == pytest.approx((18 + 14) / 2 / 50)


def test_operation_counts_cycles_bad_days_promises_and_training(two_windows):
    frame = two_windows
    frame.loc[frame.index[-1], "broken_agreements"] = 2
    apg = summary_of(frame).loc["apg"]
    # 500 kWh out of 100 kWh are 5 cycles in 36.5 days: 50 a year.
    assert apg["cycles_per_year"] == pytest.approx(50.0)
    # The lowest tenth of four windows lies inside the lowest one: 114 over 365 home-days.
    assert apg["cvar10_per_home_day"] == pytest.approx(114 / 365)
    assert apg["broken_agreements"] == 2
    assert apg["site_limit_kwh"] == pytest.approx(6.0)
    assert apg["train_s"] == pytest.approx(121.0)


def test_without_an_optimum_its_columns_are_unknown_and_the_rest_stays(two_windows):
    full = summary_of(two_windows)
    frame = two_windows
    summary = summary_of(frame[frame["policy"] != "optimum"])
    assert summary.filter(like="share_optimum").isna().all(axis=None)
    pd.testing.assert_series_equal(
        summary.loc["apg"].drop(labels=list(summary.filter(like="share_optimum"))),
        full.loc["apg"].drop(labels=list(summary.filter(like="share_optimum"))),
    )
    assert "n/a" in to_markdown(summary.reset_index())


def test_summary_does_not_depend_on_the_order_of_rows(two_windows):
    frame = two_windows
    shuffled = frame.sample(frac=1.0, random_state=3)
    pd.testing.assert_frame_equal(summary_of(frame), summary_of(shuffled))


def test_policies_with_equal_profits_get_equal_intervals_whatever_their_seeds(many_windows):
    rng = np.random.default_rng(8)
    base, mpc, good = (tuple(rng.normal(size=24) + level) for level in (0.0, 1.0, 1.5))
    summary = summary_of(
        many_windows({"curtail only": [base], "mpc": [mpc], "one": [good], "three": [good] * 3})
    )
    for column in summary.filter(like="per_home_year").columns:
        if "iqm" in column:
            continue
        assert summary.loc["one", column] == pytest.approx(summary.loc["three", column]), column


def test_a_yardstick_that_did_not_run_is_refused_with_the_nearest_name(two_windows):
    with pytest.raises(InputError, match=r"no row of policy 'mcp' \(did you mean 'mpc'\?\)"):
        summary_of(two_windows, against="mcp")
