import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams, stored_change_kwh
from vpp_envs.dispatch.envelope import battery_envelope, into_envelope, neutral
from vpp_envs.fleet.agreement import Agreement

DT_H = 1.0 / 12.0


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@st.composite
def homes(draw):
    has_battery = draw(st.booleans())
    capacity = draw(st.floats(1.0, 40.0)) if has_battery else 1.0
    power = draw(st.floats(0.5, 15.0)) if has_battery else 0.0
    reserve = capacity * draw(st.floats(0.0, 0.9)) if has_battery else 0.0
    energy = capacity * draw(st.floats(0.0, 1.0)) if has_battery else 0.0
    battery = BatteryParams(
        one(capacity),
        one(power),
        one(power * draw(st.floats(0.5, 2.0))),
        one(draw(st.floats(0.6, 1.0))),
        one(0.02 if has_battery else 0.0),
        one(0.04),
    )
    agreement = Agreement(
        one(reserve), one(draw(st.floats(0.5, 20.0))), one(draw(st.floats(0.0, 20.0))), one(0.8)
    )
    return battery, agreement, one(energy), one(draw(st.floats(-15.0, 15.0)))


@settings(max_examples=300)
@given(homes(), st.floats(-1.0, 1.0))
def test_any_power_inside_keeps_every_agreement(home, share):
    battery, agreement, energy, site = home
    envelope = battery_envelope(energy, site, battery, agreement, DT_H)
    assert (envelope.low_kw <= envelope.high_kw).all()
    power = into_envelope(one(share), envelope.low_kw, envelope.high_kw)
    after = energy + stored_change_kwh(power, battery, DT_H)
    loss = battery.standing_loss_kw * DT_H
    if energy >= agreement.reserve_kwh and not envelope.site_limited:
        recharge = battery.charge_kw * battery.one_way_eff * DT_H
        assert after >= agreement.reserve_kwh - (loss - recharge).clamp(min=0.0) - 1e-9
    assert after <= battery.capacity_kwh + 1e-9
    assert -battery.discharge_kw - 1e-9 <= power <= battery.charge_kw + 1e-9
    if not envelope.site_limited:
        assert site + power <= agreement.import_limit_kw + 1e-9
    if power < 0:
        assert site + power >= -agreement.export_limit_kw - 1e-9


@settings(max_examples=300)
@given(homes())
def test_the_envelope_gives_nothing_away(home):
    battery, agreement, energy, site = home
    envelope = battery_envelope(energy, site, battery, agreement, DT_H)
    beyond = envelope.high_kw + 1e-3
    after = energy + stored_change_kwh(beyond, battery, DT_H)
    assert (
        after > battery.capacity_kwh
        or beyond > battery.charge_kw
        or site + beyond > agreement.import_limit_kw
    )
    beyond = envelope.low_kw - 1e-3
    after = energy + stored_change_kwh(beyond, battery, DT_H)
    assert (
        after < agreement.reserve_kwh
        or -beyond > battery.discharge_kw
        or site + beyond < -agreement.export_limit_kw
    )


def test_zero_leaves_a_device_alone_and_the_ends_are_the_edges():
    low, high = one(-3.0), one(5.0)
    assert into_envelope(one(0.0), low, high).item() == 0.0
    assert into_envelope(one(1.0), low, high).item() == 5.0
    assert into_envelope(one(-1.0), low, high).item() == -3.0
    assert into_envelope(one(-0.5), low, high).item() == -1.5
    assert neutral(one(1.0), one(2.0)).item() == 1.0  # must recharge


def test_a_battery_at_its_reserve_recharges_what_it_loses():
    battery = BatteryParams(one(10.0), one(5.0), one(5.0), one(0.9), one(0.09), one(0.04))
    agreement = Agreement(one(2.0), one(20.0), one(20.0), one(0.8))
    envelope = battery_envelope(one(2.0), one(0.0), battery, agreement, 1.0)
    assert abs(envelope.low_kw.item() - 0.1) < 1e-12  # 0.09 kW lost, bought at 90 %
