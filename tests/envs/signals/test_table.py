import numpy as np
import pytest

from vpp_envs.errors import InputError
from vpp_envs.signals.table import PriceSeries, to_five_minutes


def series(dt_s):
    start = np.datetime64("2022-07-01T00:00:00", "ms")
    return PriceSeries(start, dt_s, np.array([10.0, 20.0]), "NL", "EUR", "UTC", "nl.csv")


@pytest.mark.parametrize(("dt_s", "times"), [(900, 3), (1800, 6), (3600, 12)])
def test_a_coarser_price_repeats_on_the_five_minute_clock_and_says_so(dt_s, times):
    fine = to_five_minutes(series(dt_s))
    np.testing.assert_array_equal(fine.price_per_mwh, [10.0] * times + [20.0] * times)
    assert fine.source == f"nl.csv (each {dt_s // 60}-minute price repeated {times} times)"
    assert fine.stamps_utc[times] == series(dt_s).stamps_utc[1]
    assert to_five_minutes(fine) is fine


@pytest.mark.parametrize("dt_s", [60, 200, 400])
def test_intervals_that_do_not_divide_into_five_minutes_are_refused(dt_s):
    with pytest.raises(InputError, match=f"intervals of {dt_s} s do not divide into 5 minutes"):
        to_five_minutes(series(dt_s))
