"""Simulated homes in the form of measured ones."""

import numpy as np
import pytest

from vpp_rl.evaluation.load_shapes import daily_kwh, line_above
from vpp_rl.evaluation.measured_shapes import Weather
from vpp_rl.evaluation.simulated_shapes import (
    sessions_of,
    simulated_homes,
    simulated_houses,
    simulated_sessions,
    simulated_taps,
)


def columns(*rows):
    return np.array(rows, dtype=float).T


def test_only_sessions_with_both_ends_count():
    """There from the start, then two back to back, then one that is cut off; and nobody."""
    there = columns([1, 1, 0, 1, 1, 1, 0, 1], [0] * 8)
    ends = columns([0, 1, 0, 0, 1, 1, 0, 0], [0] * 8)
    energy = columns([9, 9, 0, 2, 1, 4, 0, 9], [0] * 8)
    begin, end, kwh = sessions_of(there, ends, energy)
    np.testing.assert_array_equal(begin, [3, 5])
    np.testing.assert_array_equal(end, [5, 6])
    np.testing.assert_array_equal(kwh, [3, 4])


@pytest.mark.slow
def test_cars_charge_what_they_drove_and_come_and_go_as_their_drivers_do():
    """Six and a half sessions a week: 0.8 plug-ins a return, with 1.16 outings a day."""
    cars = simulated_sessions(homes=16, rows=1)
    assert len(cars.stay_h) > 100
    days = (cars.arrival_h + cars.stay_h - cars.departure_h) / 24.0
    np.testing.assert_allclose(days, days.round(), atol=1e-9)
    assert (cars.energy_kwh >= 0.0).all()
    assert cars.per_week == pytest.approx(7 * 0.8 * 1.16, rel=0.15)


def test_taps_of_three_sizes_draw_their_published_gallons():
    """46, 57 and 69 gallons a day (Building America, as in water_heater_sampling), within 5 %."""
    litres = simulated_taps(8).litres
    assert litres.shape == (365, 24, 24)
    daily = litres.sum(1).mean(0).reshape(3, 8).mean(1)
    np.testing.assert_allclose(daily, np.array([46, 57, 69]) * 3.7854, rtol=0.05)


def test_houses_are_cooled_the_more_the_hotter_it_is_and_not_at_all_in_the_cold():
    hours = np.arange(8760)
    hot = 24.0 + 0.02 * (hours // 24) + 8.0 * np.cos((hours % 24 - 15.0) * np.pi / 12.0)
    weather = Weather(hot, np.zeros(8760))
    houses, power_kw = simulated_houses(weather, 151, 14, 6)
    assert houses.cooling_kw.shape == power_kw.shape == (14, 24, 6)
    assert houses.air_c[0, 15] == pytest.approx(24.0 + 0.02 * 151 + 8.0)
    together = houses.cooling_kw.mean(2)
    assert line_above(houses.air_c.ravel(), together.ravel(), 24.0).slope > 0.05
    some = power_kw > 0.1
    assert (houses.cooling_kw[some] / power_kw[some] > 1.5).all()
    cold, power_kw = simulated_houses(Weather(hot - 40.0, np.zeros(8760)), 151, 7, 6)
    assert cold.cooling_kw.max() == 0.0


@pytest.mark.slow
def test_all_loads_are_the_base_load_and_more():
    base, whole = simulated_homes("NSW1", "Etc/GMT-10", homes=10, weeks=1, slots=48, tanks=False)
    assert base.power_kw.shape == whole.power_kw.shape == (7 * 48, 10)
    assert (whole.power_kw >= base.power_kw - 1e-6).all()
    assert daily_kwh(whole.days_kw).mean() > daily_kwh(base.days_kw).mean() + 1.0
