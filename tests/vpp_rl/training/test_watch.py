"""What a look at the validation days says, per home and day or year."""

import pandas as pd
import pytest

from vpp_envs.scenario import ScenarioSpec
from vpp_rl.training.watch import seen

SPEC = ScenarioSpec()

WINDOWS = pd.DataFrame(
    {
        "homes": [10, 10],
        "days": [2.0, 2.0],
        "profit": [3.0, 5.0],
        "energy_market": [6.0, 6.0],
        "wear": [1.0, 3.0],
        "curtailed_kwh": [20.0, 0.0],
        "broken_agreements": [0, 1],
        "capacity_kwh": [100.0, 100.0],
        "throughput_kwh": [150.0, 250.0],
    }
)
CARS = {
    "ev_cost": 8.0,
    "ev_kwh": 80.0,
    "ev_discharged_kwh": 4.0,
    "ev_missed_kwh": 0.0,
    "ev_left_early_kwh": 2.0,
}


def test_what_is_seen_is_per_home_and_year_or_day():
    """Forty home-days: 8 of money are 73 a year."""
    assert seen(WINDOWS, SPEC) == {
        "profit_per_home_year": pytest.approx(8.0 / 40 * 365),
        "worth_per_home_year": pytest.approx(8.0 / 40 * 365),  # discomfort has no price here
        "energy_market_per_home_year": pytest.approx(12.0 / 40 * 365),
        "wear_per_home_year": pytest.approx(4.0 / 40 * 365),
        "curtailed_kwh_per_home_day": pytest.approx(0.5),
        "broken_agreements": 1.0,
        # 400 kWh through a store of 100 in four days.
        "cycles_per_day": pytest.approx(1.0),
    }


def test_cars_are_seen_where_there_are_some():
    found = seen(WINDOWS.assign(**CARS), SPEC)
    for name, each in CARS.items():
        assert found[f"{name}_per_home_day"] == pytest.approx(2 * each / 40)


def test_homes_without_a_battery_make_no_cycles():
    found = seen(WINDOWS.assign(capacity_kwh=0.0, throughput_kwh=0.0), SPEC)
    assert "cycles_per_day" not in found


def test_a_look_is_worth_its_profit_less_what_discomfort_counts():
    felt = WINDOWS.assign(discomfort_k_h=[4.0, 6.0])
    found = seen(felt, ScenarioSpec(comfort_per_k_h=0.3))
    assert found["worth_per_home_year"] == pytest.approx((8.0 - 0.3 * 10.0) / 40 * 365)
    assert found["profit_per_home_year"] == pytest.approx(8.0 / 40 * 365)
