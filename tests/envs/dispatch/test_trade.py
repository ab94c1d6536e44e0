"""Two prices at the meter: what a device does is the best for its home, step by step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.dispatch.moment import Moment
from vpp_envs.dispatch.trade import traded_kw

EFF, WEAR = 0.9, 0.04


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def moment(price, export=None):
    none = tensor(0.0)
    return Moment(
        *(none, none, none, tensor(price), tensor([0.0])),
        export_per_kwh=None if export is None else tensor(export),
    )


def power(value, site, price=0.40, export=0.05, low=-5.0, high=5.0, temperature=None):
    """Power of one device whose stored kWh is worth so much."""
    return traded_kw(
        tensor(EFF * value - price),
        tensor(price - WEAR - value / EFF),
        tensor(low),
        tensor(high),
        tensor(site),
        moment(price, export),
        temperature,
    ).item()


def money(power_kw, value, site, price, export):
    """What an hour at a power is worth to a home: the meter, the wear and what is stored."""
    net, given = site + power_kw, (-power_kw).clamp(min=0.0)
    meter = -torch.where(net > 0, price, export) * net
    stored = EFF * power_kw.clamp(min=0.0) - given / EFF
    return meter + value * stored - WEAR * given


@pytest.mark.parametrize(
    ("value", "site", "asked"),
    [
        # Three kW of sun are left over: worth storing above 0.05 / 0.9, buying more above 0.4 / 0.9
        (0.05, -3.0, 0.0),
        (0.06, -3.0, 3.0),
        (0.44, -3.0, 3.0),
        (0.45, -3.0, 5.0),
        # More sun than can be stored.
        (0.06, -8.0, 5.0),
        # The home draws two kW: worth covering below 0.9 x 0.36, feeding in below 0.9 x 0.01.
        (0.45, 2.0, 5.0),
        (0.44, 2.0, 0.0),
        (0.33, 2.0, 0.0),
        (0.32, 2.0, -2.0),
        (0.06, 2.0, -2.0),
        (0.01, 2.0, -2.0),
        (0.008, 2.0, -5.0),
        # It draws more than can be given.
        (0.06, 7.0, -5.0),
        # Neither sun nor need.
        (0.2, 0.0, 0.0),
    ],
)
def test_the_sun_left_over_costs_its_export_and_the_need_is_met_at_the_import_price(
    value, site, asked
):
    assert power(value, site) == pytest.approx(asked)


def test_no_other_power_is_worth_more_to_the_home():
    """The kinks of the home's money are its edges, rest, and the meter's zero."""
    value, site, price, share, low, room = (
        least + (most - least) * torch.rand(3000, 1, dtype=torch.float64)
        for least, most in ((0, 0.8), (-9, 9), (0.1, 0.6), (-0.5, 1), (-6, 2), (0, 8))
    )
    export, high = share * price, low + room
    now = moment(0.0)._replace(price_per_kwh=price, export_per_kwh=export)
    gains = EFF * value - price, price - WEAR - value / EFF
    chosen = traded_kw(*gains, low, high, site, now, None)
    assert bool(((chosen >= low) & (chosen <= high)).all())
    kinks = [low, high, *(torch.clamp(kink, low, high) for kink in (0.0 * site, -site))]
    best = torch.stack([money(kink, value, site, price, export) for kink in kinks]).amax(0)
    ours = money(chosen, value, site, price, export)
    torch.testing.assert_close(ours, best, rtol=0.0, atol=1e-9)


@given(
    buy=st.floats(-1.0, 1.0),
    sell=st.floats(-1.0, 1.0),
    site=st.floats(-9.0, 9.0),
    low=st.floats(-6.0, 2.0),
    room=st.floats(0.0, 8.0),
    temperature=st.sampled_from([None, 0.02, 0.3]),
)
def test_with_one_price_both_ways_it_is_a_wholesale_market(buy, sell, site, low, room, temperature):
    arguments = (tensor(buy), tensor(sell), tensor(low), tensor(low + room), tensor(site))
    retail = traded_kw(*arguments, moment(0.3, 0.3), temperature)
    wholesale = traded_kw(*arguments, moment(0.3), temperature)
    torch.testing.assert_close(retail, wholesale, rtol=0.0, atol=1e-12)


@given(st.floats(0.0, 0.6), st.floats(-6.0, 6.0))
def test_a_home_feeds_in_from_its_store_only_where_export_pays(value, site):
    asked = power(value, site)
    if value / EFF >= 0.05 - WEAR:
        assert asked >= min(-site, 0.0) - 1e-12


@pytest.mark.parametrize("site", [-3.0, 2.0])
@pytest.mark.parametrize("value", [0.0, 0.2, 0.6])
def test_smooth_decisions_come_close_to_the_decision_and_lead_the_way(value, site):
    decided = power(value, site)
    assert power(value, site, temperature=1e-3) == pytest.approx(decided, abs=1e-3)
    worth = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    smooth = traded_kw(
        *(EFF * worth - 0.4, 0.4 - WEAR - worth / EFF, tensor(-5.0), tensor(5.0), tensor(site)),
        *(moment(0.4, 0.05), 0.3),
    )
    smooth.sum().backward()
    assert worth.grad.item() > 0.0


def test_gradients_are_numbers_however_far_prices_are_from_the_value():
    gain = tensor(-1e3, 1e3).requires_grad_()
    traded_kw(
        *(gain, -gain, tensor(-5.0), tensor(5.0), tensor(-1.0, 1.0), moment(0.4, 0.05), 0.02)
    ).sum().backward()
    assert bool(gain.grad.isfinite().all())
