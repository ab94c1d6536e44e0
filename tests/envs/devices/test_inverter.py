"""Efficiency by load beside numbers that one can check by hand, and what any inverter keeps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams, stored_change_kwh
from vpp_envs.devices.inverter import inverter_loss_kw, part_load_efficiency


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def efficiency(power_kw: float, rated_kw: float = 5.0, round_trip_eff: float = 0.9) -> float:
    return part_load_efficiency(one(power_kw), one(rated_kw), one(round_trip_eff)).item()


# facts.md A1.2 [A], an assumption: p0 20 to 60 W (here 40), p1 0.02, p2 such that the round trip
# matches at 3.3 kW.
# With 0.9: loss(3.3) = 3.3 * 0.1 / 1.9 = 0.173684, so p2 = (0.173684 - 0.04 - 0.066) / 3.3^2
# = 0.0062152 per kW.
@pytest.mark.parametrize(
    ("power_kw", "loss_kw", "eff"),
    [
        (3.3, 0.173684, 0.947368),  # 18 / 19
        (-3.3, 0.173684, 0.95),  # 19 / 20
        (5.0, 0.295382, 0.940924),
        (0.5, 0.051554, 0.896892),
        (-0.5, 0.051554, 0.906530),
        (0.1, 0.042062, 0.579378),
    ],
)
def test_a_machine_of_five_kw_has_losses_that_one_can_check_by_hand(power_kw, loss_kw, eff):
    found = inverter_loss_kw(one(power_kw), one(5.0), one(0.9)).item()
    assert found == pytest.approx(loss_kw, abs=1e-6)
    assert efficiency(power_kw) == pytest.approx(eff, abs=2e-6)


@given(st.floats(0.6, 0.93), st.floats(1.0, 20.0))
def test_the_round_trip_of_the_data_sheet_holds_at_its_power(round_trip_eff, rated_kw):
    reference_kw = 0.66 * rated_kw
    there = efficiency(reference_kw, rated_kw, round_trip_eff)
    back = efficiency(-reference_kw, rated_kw, round_trip_eff)
    assert there * back == pytest.approx(round_trip_eff, rel=1e-12)


def test_a_better_round_trip_than_the_other_losses_allow_is_not_reached():
    assert efficiency(3.3, round_trip_eff=0.98) * efficiency(-3.3, round_trip_eff=0.98) == (
        pytest.approx((3.3 - 0.106) / (3.3 + 0.106))  # 0.938
    )


@given(st.floats(-20.0, 20.0), st.floats(0.5, 20.0), st.floats(0.5, 1.0))
def test_no_load_makes_energy(power_kw, rated_kw, round_trip_eff):
    assert 0.0 <= efficiency(power_kw, rated_kw, round_trip_eff) < 1.0


@given(st.floats(0.01, 1.5), st.floats(0.5, 20.0))
def test_machines_of_any_size_have_one_curve_over_their_rating(load, rated_kw):
    alike = efficiency(load * 5.0)
    assert efficiency(load * rated_kw, rated_kw) == pytest.approx(alike, rel=1e-9)


def test_little_power_is_carried_badly():
    rising = [efficiency(power_kw) for power_kw in (0.0, 0.03, 0.1, 0.3, 1.0, 2.5)]
    assert rising[:2] == [0.0, 0.0]
    assert rising[1:] == sorted(rising[1:])


def test_the_gradient_is_finite_at_rest():
    power_kw = torch.tensor([-1.0, 0.0, 0.02, 1.0], dtype=torch.float64, requires_grad=True)
    part_load_efficiency(power_kw, one(5.0), one(0.9)).sum().backward()
    assert power_kw.grad is not None
    assert torch.isfinite(power_kw.grad).all()


@pytest.mark.parametrize("rated_kw", [3.84, 5.0, 11.5])
@pytest.mark.parametrize("round_trip_eff", [0.89, 0.90, 0.92])
def test_the_step_with_its_constant_efficiency_is_within_a_hundredth_of_the_rating(
    rated_kw, round_trip_eff
):
    """Of the loss by load, if what is lost at no power is the standing loss."""
    size = torch.linspace(0.0, 1.0, 101, dtype=torch.float64) * rated_kw
    power_kw = torch.cat([-size, size])
    standing_kw = inverter_loss_kw(one(0.0), one(rated_kw), one(round_trip_eff))
    eff, none = one(round_trip_eff).sqrt(), one(0.0)
    battery = BatteryParams(one(13.5), one(rated_kw), one(rated_kw), eff, standing_kw, none)
    lost_kw = power_kw - stored_change_kwh(power_kw, battery, 1.0)
    by_load_kw = inverter_loss_kw(power_kw, one(rated_kw), one(round_trip_eff))
    apart = (lost_kw - by_load_kw) / rated_kw
    assert apart.min() > -0.003
    assert 0.005 < apart.max() < 0.0105
