from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vpp_envs.simulator
from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.envelope import Envelope
from vpp_envs.dispatch.moment import Moment
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.simulator import SetPoints, step_site

DT_H = 1.0 / 12.0


def one(value, dtype=torch.float64):
    return torch.tensor([value], dtype=dtype)


def home(
    capacity=10.0,
    charge=5.0,
    discharge=5.0,
    eff=0.9,
    loss=0.0,
    reserve=2.0,
    import_limit=20.0,
    export_limit=20.0,
    dtype=torch.float64,
):
    def column(value):
        return one(value, dtype)

    zero = torch.zeros(1, dtype=torch.int64)
    battery = BatteryParams(
        *(column(v) for v in (capacity, charge, discharge, eff, loss)), column(0.04)
    )
    agreement = Agreement(column(reserve), column(import_limit), column(export_limit), column(0.8))
    return Fleet(zero, battery, column(5.0), zero, column(0.6), zero, agreement, zero)


def step(fleet, energy, power, load=0.0, solar=0.0, ceiling=None):
    dtype = fleet.solar_kw.dtype
    asked = SetPoints(one(power, dtype), one(solar if ceiling is None else ceiling, dtype))
    price, curve = one(0.1, dtype), torch.zeros(1, 2, dtype=dtype)
    moment = Moment(one(energy, dtype), one(load, dtype), one(solar, dtype), price, curve)
    return step_site(asked, moment, fleet, DT_H)


def plain(outcome):
    parts = outcome._asdict().items()
    return SimpleNamespace(**{name: part.item() for name, part in parts if part is not None})


@st.composite
def moments(draw):
    """Any home at any moment, with any command: absent batteries, raised reserves, tight sites."""
    number = st.floats(-50.0, 50.0) | st.sampled_from([float("nan"), float("inf"), -float("inf")])
    has_battery = draw(st.booleans())
    capacity = draw(st.floats(1.0, 40.0)) if has_battery else 1.0
    fleet = home(
        capacity=capacity,
        charge=draw(st.floats(0.2, 15.0)) if has_battery else 0.0,
        discharge=draw(st.floats(0.5, 15.0)) if has_battery else 0.0,
        eff=draw(st.floats(0.6, 1.0)) if has_battery else 1.0,
        loss=draw(st.floats(0.0, 0.05)) if has_battery else 0.0,
        reserve=capacity * draw(st.floats(0.0, 1.0)) if has_battery else 0.0,
        import_limit=draw(st.floats(0.0, 20.0)),
        export_limit=draw(st.floats(0.0, 20.0)),
    )
    energy = capacity * draw(st.floats(0.01, 1.0))
    load, solar = draw(st.floats(0.0, 25.0)), draw(st.floats(0.0, 25.0))
    return fleet, energy, draw(number), load, solar, draw(number)


@settings(max_examples=400)
@given(moments())
def test_energy_in_is_energy_out_and_losses_and_what_the_store_gained(moment):
    fleet, energy, power, load, solar, ceiling = moment
    out = plain(step(fleet, energy, power, load, solar, ceiling))
    eff = fleet.battery.one_way_eff.item()
    drawn, given_back = max(out.battery_kw, 0.0) * DT_H, max(-out.battery_kw, 0.0) * DT_H
    lost = drawn * (1 - eff) + given_back * (1 / eff - 1)
    lost += fleet.battery.standing_loss_kw.item() * DT_H
    gained = out.energy_kwh - energy
    assert drawn - given_back - lost == pytest.approx(gained, abs=1e-9)
    # At the meter: what comes in and from the roof goes into load and battery.
    assert out.net_kw + out.solar_output_kw == pytest.approx(load + out.battery_kw, abs=1e-9)
    assert out.repair_kwh <= 1e-12 * max(1.0, fleet.battery.capacity_kwh.item())


@settings(max_examples=400)
@given(moments())
def test_no_command_breaks_what_could_be_kept(moment):
    fleet, energy, power, load, solar, ceiling = moment
    out = plain(step(fleet, energy, power, load, solar, ceiling))
    battery = plain(fleet.battery)
    agreement = plain(fleet.agreement)
    held = energy - battery.standing_loss_kw * DT_H
    missing = agreement.reserve_kwh - held
    if missing > 0:
        least = min(battery.charge_kw, missing / (battery.one_way_eff * DT_H))
    else:
        least = max(-battery.discharge_kw, missing * battery.one_way_eff / DT_H)
    reachable = held + battery.charge_kw * battery.one_way_eff * DT_H
    assert -battery.discharge_kw - 1e-9 <= out.battery_kw <= battery.charge_kw + 1e-9
    assert -1e-12 <= out.solar_output_kw <= solar + 1e-12
    assert out.energy_kwh <= battery.capacity_kwh
    assert out.energy_kwh >= min(agreement.reserve_kwh, reachable) - 1e-9
    assert -out.net_kw <= agreement.export_limit_kw + 1e-9
    unavoidable = max(load - solar + least - agreement.import_limit_kw, 0.0)
    assert out.site_excess_kw <= unavoidable + 1e-9
    assert out.site_excess_kw == pytest.approx(
        max(out.net_kw - agreement.import_limit_kw, 0.0), abs=1e-12
    )
    assert out.below_reserve_kwh == pytest.approx(
        max(agreement.reserve_kwh - out.energy_kwh, 0.0), abs=1e-12
    )
    assert not out.broken


def test_a_command_inside_the_envelope_is_served_as_it_is():
    for power in (-3.0, -0.1, 0.0, 0.7, 4.9):
        assert plain(step(home(), 6.0, power)).battery_kw == power


@pytest.mark.parametrize(("asked", "served"), [(float("inf"), 5.0), (-float("inf"), -5.0)])
def test_an_endless_command_is_served_at_the_rating(asked, served):
    assert plain(step(home(), 6.0, asked)).battery_kw == served


def test_no_number_leaves_battery_and_panels_alone():
    out = plain(step(home(), 6.0, float("nan"), solar=3.0, ceiling=float("nan")))
    assert out.battery_kw == 0.0
    assert out.solar_output_kw == 3.0


def test_panels_are_curtailed_by_what_the_export_limit_asks_and_no_more():
    out = plain(step(home(export_limit=3.0), 10.0, 0.0, load=1.0, solar=6.0))
    assert out.solar_output_kw == 4.0  # 3 kW out, 1 kW into the load
    assert out.net_kw == -3.0


def test_discharge_gives_way_to_the_sun_at_the_export_limit():
    out = plain(step(home(export_limit=3.0), 8.0, -5.0, load=1.0, solar=2.0))
    assert out.solar_output_kw == 2.0
    assert out.battery_kw == pytest.approx(-2.0)


def test_a_full_fuse_is_relieved_by_the_battery():
    out = plain(step(home(import_limit=2.0), 8.0, 5.0, load=4.0))
    assert out.battery_kw == pytest.approx(-2.0)
    assert out.site_excess_kw == 0.0


def test_sun_that_holds_the_import_limit_is_not_switched_off():
    out = plain(step(home(import_limit=2.0), 2.0, 0.0, load=4.0, solar=3.0, ceiling=0.0))
    assert out.solar_output_kw == pytest.approx(2.0)
    assert out.net_kw == pytest.approx(2.0)
    assert not out.broken


def test_a_load_beyond_the_fuse_is_booked_apart():
    out = plain(step(home(import_limit=2.0), 2.0, 5.0, load=4.0))
    assert out.site_excess_kw == pytest.approx(2.0)
    assert out.battery_kw == 0.0
    assert not out.broken


def test_a_raised_reserve_is_recharged_and_the_shortfall_booked():
    out = plain(step(home(reserve=8.0, eff=1.0), 2.0, -5.0))
    assert out.battery_kw == 5.0
    assert out.below_reserve_kwh == pytest.approx(6.0 - 5.0 / 12.0)
    assert not out.broken


@pytest.mark.parametrize("price", [0.01, 0.3, 15.0])
def test_a_round_trip_at_a_constant_price_loses_money(price):
    """EV2Gym's free energy: what was stored came out again undiminished."""
    fleet, energy, cash = home(eff=0.95, loss=0.01), 6.0, 0.0
    for power in (5.0, 3.0, 2.0, -4.0, -5.0, -5.0, -5.0, -5.0, -5.0, -5.0, -5.0, -5.0, -5.0):
        out = plain(step(fleet, energy, power))
        energy, cash = out.energy_kwh, cash - out.net_kw * DT_H * price
    assert energy < 6.0
    energy_left_out = 6.0 - energy
    # Even with what is missing from the store returned at its value after discharge.
    assert cash - energy_left_out * 0.95 * price < 0.0


def test_discharging_an_empty_battery_does_not_fill_it():
    """EV2Gym: discharging a 5 kWh car with a 15 kWh floor raised it to 15."""
    out = plain(step(home(reserve=2.0, loss=0.0), 2.0, -5.0))
    assert out.energy_kwh == 2.0
    assert out.battery_kw == 0.0


@pytest.mark.parametrize(
    ("energy", "power", "load", "changes"),
    [
        (9.9, 5.0, 0.0, {}),  # overfull
        (2.1, -5.0, 0.0, {}),  # into the reserve
        (0.1, -5.0, 0.0, {"reserve": 0.0}),  # overdrawn
        (6.0, 5.0, 0.0, {"import_limit": 3.0}),
        (6.0, -5.0, 0.0, {"export_limit": 3.0}),
        (6.0, 5.0, 4.0, {"import_limit": 3.0}),
    ],
)
def test_broken_is_seen_where_the_envelope_fails(monkeypatch, energy, power, load, changes):
    def no_envelope(energy_kwh, site_kw, battery, agreement, dt_h):
        endless = torch.full_like(energy_kwh, 1e6)
        return Envelope(-endless, endless, torch.zeros_like(energy_kwh, dtype=torch.bool))

    assert not plain(step(home(**changes), energy, power, load)).broken
    monkeypatch.setattr(vpp_envs.simulator, "battery_envelope", no_envelope)
    for dtype in (torch.float32, torch.float64):
        assert plain(step(home(**changes, dtype=dtype), energy, power, load)).broken


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_battery_at_its_reserve_is_held_there_for_a_month(dtype):
    fleet = home(eff=0.94, loss=0.02, reserve=3.3, capacity=13.5, dtype=dtype)
    energy, repaired = 3.3, 0.0
    for _ in range(30 * 288):
        out = plain(step(fleet, energy, -5.0))
        energy = out.energy_kwh
        repaired = max(repaired, out.repair_kwh)
        assert not out.broken
    assert energy == pytest.approx(3.3, abs=1e-5)
    assert repaired <= (1e-5 if dtype == torch.float32 else 1e-12)
