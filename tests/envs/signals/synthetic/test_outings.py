"""Outings of drivers: one after the other within a day, as often and as far as is said."""

import numpy as np
import pytest
import torch

from vpp_envs.signals.synthetic.outings import RESIDENTIAL, Outings, outings

DAYS = torch.arange(19_723, 19_723 + 8 * 365)  # from 1 January 2024, a Monday
WEEKDAY = (DAYS.numpy() + 3) % 7 < 5
DRIVERS = 32


def drawn(**changes: object) -> Outings:
    return outings(DAYS, 1, DRIVERS, RESIDENTIAL._replace(**changes))


@pytest.fixture(scope="module")
def usual() -> Outings:
    return drawn()


def commuters(usual: Outings) -> np.ndarray:
    """Whose first departures on weekdays hardly vary: 0.6 h between days, 2 h of the others."""
    spread_h = usual.leaves_h[WEEKDAY, :, 0].std(0)
    return spread_h < 1.0


def test_outings_of_a_day_follow_each_other(usual: Outings):
    assert (usual.back_h > usual.leaves_h).all()
    assert (usual.leaves_h[..., 1:] > usual.back_h[..., :-1]).all()
    assert (usual.leaves_h[..., 0] >= 4.0).all()
    assert (usual.back_h[usual.goes] <= 23.5).all()
    assert (usual.goes[..., :-1] | ~usual.goes[..., 1:]).all()  # no errand without one before it
    assert (usual.km > 0.0).all()


def test_seven_in_ten_commute_from_half_past_seven_to_six(usual: Outings):
    """facts.md A3.2: 18.0 +- 2.5 h and 7.5 +- 1.2 h, 70 %."""
    those = commuters(usual)
    assert those.mean() == pytest.approx(0.7, abs=0.02)
    leaves_h, back_h = (part[WEEKDAY][:, those, 0] for part in (usual.leaves_h, usual.back_h))
    assert leaves_h.mean() == pytest.approx(7.5, abs=0.1)
    assert leaves_h.std() == pytest.approx(1.2, abs=0.1)
    assert back_h.mean() == pytest.approx(18.0, abs=0.2)
    assert back_h.std() == pytest.approx(2.5, abs=0.2)


def test_others_and_weekends_come_home_at_any_hour_between_nine_and_twenty_two(usual: Outings):
    """facts.md A3.2: U(9, 22), whose quartiles are 12.25, 15.5 and 18.75 h."""
    free = np.broadcast_to(~WEEKDAY[:, None] | ~commuters(usual), usual.goes.shape[:2])
    came_h = usual.back_h[free][usual.goes[free]]
    np.testing.assert_allclose(
        np.quantile(came_h, [0.25, 0.5, 0.75]), [12.25, 15.5, 18.75], atol=0.6
    )


def test_one_day_in_ten_is_one_of_rest(usual: Outings):
    assert usual.goes[..., 0].mean() == pytest.approx(0.9, abs=0.01)


def test_a_days_distance_has_the_median_and_the_spread_that_is_said():
    """facts.md A3.2: lognormal, 27 miles, sigma 0.75, at most 200; however many the outings."""
    full = drawn(at_work_share=0.0, elsewhere_share=0.0)
    day_km = (full.km * full.goes).sum(-1)[full.goes[..., 0]]
    assert np.median(day_km) == pytest.approx(27 * 1.609, rel=0.02)
    assert np.log(day_km).std() == pytest.approx(0.75, abs=0.01)
    assert day_km.max() <= 200.0 * 1.609 + 1e-9


def test_a_tenth_of_the_need_is_met_elsewhere(usual: Outings):
    """17 % of drivers are left the way home of workdays, and all of them of 2 % of outings."""
    full = drawn(at_work_share=0.0, elsewhere_share=0.0)
    home, all_of_it = (float((part.km * part.goes).sum()) for part in (usual, full))
    workdays, of_commutes = 5 / 7, 1.0 - 0.2 * RESIDENTIAL.work_errand_share
    elsewhere = 0.5 * (0.17 * workdays * of_commutes + 0.02)
    assert 1.0 - home / all_of_it == pytest.approx(elsewhere, abs=0.012)


def test_who_comes_home_plugs_in_with_seven_to_nine_tenths(usual: Outings):
    """facts.md A3.2: 0.7 to 0.9, by driver."""
    share = usual.plugs[usual.goes.any(-1)].mean((0, 1)), usual.plugs.mean((0, 2))
    np.testing.assert_allclose(share[0], 0.8, atol=0.01)
    assert share[1].min() == pytest.approx(0.7, abs=0.02)
    assert share[1].max() == pytest.approx(0.9, abs=0.02)


def test_one_morning_in_fifty_is_early_by_half_an_hour_to_three(usual: Outings):
    early = usual.early_h > 0
    assert early[..., 0].mean() == pytest.approx(0.02, abs=0.002)
    assert not early[..., 1:].any()
    assert usual.early_h[early].min() >= 0.5
    assert usual.early_h[early].max() <= 3.0


def test_an_archetype_of_many_is_drawn_by_its_own_number():
    few = outings(DAYS[:30], 3, 4)
    again = outings(DAYS[10:20], 3, 4)
    for part, some in zip(few, again, strict=True):
        np.testing.assert_array_equal(part[10:20], some)
