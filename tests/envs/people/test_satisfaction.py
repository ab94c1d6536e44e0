import math

import pytest
import torch

from vpp_envs.people.satisfaction import (
    departures,
    no_satisfaction,
    outside_band_degree_h,
    over_fleet,
    payment_per_degree_h,
    plus,
)


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_degree_hours_count_on_both_sides_of_the_band():
    air = row(18.0, 21.0, 27.5)
    found = outside_band_degree_h(air, torch.tensor(20.0), torch.tensor(26.0), 0.5)
    assert found.tolist() == [[1.0, 0.0, 0.75]]


def test_a_car_without_its_energy_is_a_missed_departure():
    missed, kwh = departures(row(0.0, 2.0, 0.0), row(0.0, 0.0, 3.0))
    assert missed.tolist() == [[0.0, 1.0, 1.0]]
    assert kwh.tolist() == [[0.0, 2.0, 3.0]]


def test_metrics_stay_apart_and_add_up_by_name():
    none = no_satisfaction(torch.zeros(1, 3))
    step = none._replace(calls=row(1, 0, 1), comfort_degree_h=row(2, 0, 0), payment=row(6, 0, 4))
    twice = plus(plus(none, step), step)
    fleet = over_fleet(twice, row(2, 0, 2), torch.ones(3, dtype=torch.bool))
    assert fleet.total.calls.item() == 4.0
    assert fleet.worst.calls.item() == 2.0
    assert fleet.gini_calls.item() == pytest.approx(1.0 / 3.0)
    assert fleet.gini_discomfort.item() == pytest.approx(2.0 / 3.0)
    assert fleet.most_calls_a_week.item() == 2.0
    assert fleet.payment_per_degree_h.item() == pytest.approx(5.0)
    assert fleet.total.unserved_kwh.item() == 0.0


def test_payment_without_discomfort_has_no_price():
    none = no_satisfaction(torch.zeros(1, 2))
    got = none._replace(payment=row(6, 4), comfort_degree_h=row(3, 0))
    first, second = payment_per_degree_h(got)[0].tolist()
    assert first == 2.0
    assert math.isnan(second)
