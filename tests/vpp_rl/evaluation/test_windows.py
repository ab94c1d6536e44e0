"""Windows that cannot be compared are refused; those that can come out in the order of time."""

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_rl.evaluation.windows import panel


def test_week_blocks_follow_the_length_and_the_gaps_of_windows(many_windows):
    def block(days: float, gap_days: int) -> int:
        frame = many_windows({"a": [tuple(range(12))]}, days=days, gap_days=gap_days)
        return panel(frame).block

    assert block(days=2.0, gap_days=2) == 4  # round(3.5), to the even one
    assert block(days=1.0, gap_days=1) == 7
    assert block(days=2.0, gap_days=14) == 1
    assert block(days=7.0, gap_days=0) == 1  # independent draws of the same week


def test_profits_are_laid_out_as_seeds_by_windows_in_the_order_of_time(two_windows):
    late_first = two_windows.replace({"window": {0: 7}})
    profit = panel(late_first).profit
    np.testing.assert_array_equal(profit["apg"], [[118.0, 290.0], [114.0, 270.0]])
    np.testing.assert_array_equal(profit["mpc"], [[110.0, 260.0]])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f.drop(columns="wear"), "column 'wear' is missing"),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: f.replace({"kind": {"rule": "rul"}}), "kind 'rul'"),
        (lambda f: f.iloc[:-1], "policy 'apg', seed 1 lacks window 1"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "policy 'mpc', seed -1 has window 1 twice"),
        (lambda f: f.replace({"profit": {110.0: np.nan}}), "'mpc', seed -1, window 0 has profit"),
        (lambda f: f.assign(homes=0), "has homes 0; expected a positive number"),
        (lambda f: f.assign(days=f["profit"]), "window 0 has more than one 'days'"),
        (lambda f: f.assign(start="someday"), "'start' holds no dates"),
    ],
)
def test_a_table_that_cannot_be_compared_is_refused_with_a_sentence(two_windows, spoil, words):
    with pytest.raises(InputError) as refusal:
        panel(spoil(two_windows))
    assert words in str(refusal.value)
