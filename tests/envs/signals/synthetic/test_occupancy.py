import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.signals.synthetic.occupancy import (
    RAMP_K_PER_H,
    SCHEDULE_SHARE,
    gain_tables,
    offset_table,
    routines,
)

ZONE = "Australia/Adelaide"
# Sunday before the clocks go forward in South Australia on 2018-10-07.
START = np.datetime64("2018-09-30T00:00")
WEEK = 7 * 288


def test_a_week_equals_the_same_rows_of_a_longer_table():
    later = START + np.timedelta64(5, "D")
    long, short = offset_table(ZONE, START, 3 * WEEK), offset_table(ZONE, later, WEEK)
    assert torch.equal(long[5 * 288 : 5 * 288 + WEEK], short)
    long, short = gain_tables(ZONE, START, 3 * WEEK, 7), gain_tables(ZONE, later, WEEK, 7)
    for a, b in zip(long, short, strict=True):
        assert torch.equal(a[5 * 288 : 5 * 288 + WEEK], b)


def test_a_band_opens_at_once_and_closes_on_the_ramp():
    offset = offset_table(ZONE, START, 3 * WEEK)
    change = offset[1:] - offset[:-1]
    assert offset.min() == 0.0
    assert change.min().item() == pytest.approx(-RAMP_K_PER_H / 12.0, abs=1e-5)
    assert change.max() > 0.5


def test_the_band_is_narrow_when_they_come_home():
    # Wednesday, local clock UTC+9:30: at the tick in which they return nothing is left open.
    kinds = routines(32)
    follows = kinds.works & (kinds.away_k > 0)
    assert follows.any()
    midnight = np.datetime64("2018-10-02T14:30")
    offset = offset_table(ZONE, midnight, 288)
    tick = torch.ceil(kinds.returns_h * 12).to(torch.int64)
    for k in torch.nonzero(follows).flatten().tolist():
        assert offset[tick[k] - 1, k] == 0.0  # the value at the tick's end
        assert offset[int(kinds.leaves_h[k] * 12) + 12, k] == pytest.approx(2.5)


def test_about_a_third_of_the_households_has_a_schedule():
    share = (routines(32).away_k > 0).double().mean().item()
    assert share == pytest.approx(SCHEDULE_SHARE, abs=1 / 32)


def test_gains_average_to_the_mean_and_seldom_exceed_what_a_fleet_is_kept_against():
    tables = gain_tables("Etc/UTC", START, 8 * WEEK, seed=3)
    assert tables.expected_pu.mean().item() == pytest.approx(1.0, abs=1e-3)
    assert tables.gain_pu.mean().item() == pytest.approx(1.0, abs=0.02)
    surprise = tables.gain_pu - tables.expected_pu
    # 1.2 is the margin per unit of the mean in `sample_hvac`.
    assert (surprise > 1.2).double().mean() < 0.05


def test_another_seed_brings_other_gains_of_the_same_routine():
    one, two = (gain_tables(ZONE, START, WEEK, seed) for seed in (1, 2))
    assert torch.equal(one.expected_pu, two.expected_pu)
    assert not torch.equal(one.gain_pu, two.gain_pu)


def test_an_unknown_zone_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="did you mean 'Australia/Adelaide'"):
        offset_table("Australia/Adelaid", START, 10)
