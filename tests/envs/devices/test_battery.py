import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams, stored_change_kwh


def battery(eff: float = 0.9, loss_kw: float = 0.0) -> BatteryParams:
    values = (10.0, 5.0, 5.0, eff, loss_kw, 0.04)
    return BatteryParams(*(torch.tensor([v], dtype=torch.float64) for v in values))


def test_round_trip_returns_the_efficiency_squared_of_the_energy():
    home = battery(eff=0.9)
    stored = stored_change_kwh(torch.tensor([5.0]).double(), home, 2.0)  # 10 kWh in
    assert stored.item() == pytest.approx(9.0)
    out_kw = stored.item() * 0.9  # over one hour
    assert stored_change_kwh(torch.tensor([-out_kw]).double(), home, 1.0).item() == pytest.approx(
        -9.0
    )
    assert out_kw == pytest.approx(10.0 * 0.9**2)  # 8.1 kWh out


def test_standing_loss_drains_a_battery_at_rest():
    change = stored_change_kwh(torch.zeros(1).double(), battery(loss_kw=0.02), 24.0)
    assert change.item() == pytest.approx(-0.48)


@given(st.floats(-20.0, 20.0), st.floats(0.3, 1.0), st.floats(1e-3, 1.0))
def test_no_step_makes_energy(power_kw: float, eff: float, dt_h: float):
    home = battery(eff=eff)
    change = stored_change_kwh(torch.tensor([power_kw]).double(), home, dt_h).item()
    assert change <= power_kw * dt_h + 1e-12
