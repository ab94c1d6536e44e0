"""What stays cost, by hand."""

import pytest
import torch

from vpp_envs.devices.ev import EvParams
from vpp_envs.fleet.agreement import EvAgreement
from vpp_envs.fleet.fleet import EvFleet
from vpp_rl.stays import stay_costs


def cars(homes=1, discharge=0.0, cohort=0, target=20.0):
    """Cars that draw 10 kW, of which 0.8 are stored."""
    one = torch.ones(homes, dtype=torch.float64)
    params = EvParams(
        *(50 * one, 10 * one, discharge * one, 0 * one, 0.8 * one, 0.8 * one, one, 0 * one, one)
    )
    index = torch.zeros(homes, dtype=torch.int64)
    return EvFleet(params, EvAgreement(target * one, 0 * one, one), index, index + cohort)


def costs(left, energy, price, ev=None):
    """Cost, optimum and stays of one home in one window, by the hour."""
    return [
        float(part[0])
        for part in stay_costs(
            torch.tensor(energy, dtype=torch.float64).reshape(-1, 1, 1),
            torch.tensor(left).reshape(-1, 1, 1),
            torch.tensor(price, dtype=torch.float64).reshape(-1, 1),
            ev or cars(),
            1.0,
        )
    ]


# Away, four hours at the charger, away: 12 kWh are missing, of which 4 are bought at 0.3, 8 at 0.1.
LEFT = [0, 4, 3, 2, 1, 0]
ENERGY = [9.0, 8.0, 12.0, 12.0, 20.0, 20.0, 20.0]
PRICE = [9.0, 0.3, 0.2, 0.1, 0.4, 9.0]


def test_a_stay_is_set_beside_its_cheapest_hours():
    """Stored: 4 at 0.3 and 8 at 0.1; the optimum: 10 kWh of the meter at 0.1 and 5 at 0.2."""
    energy = [9.0, 8.0, 12.0, 12.0, 20.0, 20.0, 20.0]
    assert costs(LEFT, energy, PRICE) == pytest.approx([(4 * 0.3 + 8 * 0.1) / 0.8, 2.0, 1])


def test_what_the_hours_of_a_stay_cannot_hold_is_left_out_of_its_optimum():
    energy = [9.0, 8.0, 16.0, 24.0, 32.0, 40.0, 40.0]
    expected = [10 * (0.3 + 0.2 + 0.1 + 0.4), 10 * (0.3 + 0.2 + 0.1 + 0.4), 1]
    assert costs(LEFT, energy, PRICE, cars(target=49.0)) == pytest.approx(expected)


def test_a_car_that_has_its_target_needs_nothing():
    assert costs(LEFT, [30.0] * 7, PRICE) == pytest.approx([0.0, 0.0, 1])


def test_who_leaves_earlier_than_declared_is_left_out():
    assert costs([0, 4, 3, 0, 0, 0], ENERGY, PRICE) == [0.0, 0.0, 0.0]
    # Also where the next stay begins at once: here the second counts alone.
    two = costs([0, 9, 8, 2, 1, 0], ENERGY, PRICE)
    assert two == pytest.approx([8 * 0.1 / 0.8, 10 * 0.1, 1])
    # And where the stay after it ends when it would have.
    assert costs([0, 5, 4, 2, 1, 1], ENERGY, PRICE)[2] == 2.0


def test_stays_that_the_window_cuts_are_left_out():
    """There at the start, or still there at the end."""
    assert costs([4, 3, 2, 1, 0, 0], ENERGY, PRICE) == [0.0, 0.0, 0.0]
    assert costs([0, 0, 0, 4, 3, 2], ENERGY, PRICE) == [0.0, 0.0, 0.0]
    assert costs([0, 0, 0, 3, 2, 1], ENERGY, PRICE)[2] == 1.0


def test_two_stays_back_to_back_are_two():
    assert costs([0, 2, 1, 2, 1, 0], ENERGY, PRICE)[2] == 2.0


def test_cars_that_give_energy_back_or_are_left_alone_do_not_count():
    assert costs(LEFT, ENERGY, PRICE, cars(discharge=10.0)) == [0.0, 0.0, 0.0]
    assert costs(LEFT, ENERGY, PRICE, cars(cohort=-1)) == [0.0, 0.0, 0.0]


def test_windows_and_homes_are_summed_by_window():
    left = torch.tensor(LEFT).reshape(-1, 1, 1).expand(-1, 2, 3)
    energy = torch.tensor(ENERGY, dtype=torch.float64).reshape(-1, 1, 1).expand(-1, 2, 3)
    price = torch.tensor(PRICE, dtype=torch.float64).reshape(-1, 1) * torch.tensor([1.0, 2.0])
    found = stay_costs(energy, left, price, cars(3), 1.0)
    assert found.stays.tolist() == [3, 3]
    assert found.cost.tolist() == pytest.approx([7.5, 15.0])
    assert found.optimum.tolist() == pytest.approx([6.0, 12.0])
