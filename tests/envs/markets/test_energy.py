"""What a meter earns: one price on a wholesale market, two behind a tariff."""

import pytest
import torch

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.moment import Moment
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.markets.energy import settle_energy
from vpp_envs.simulator import SetPoints, step_site

DT_H = 1.0 / 12.0


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def fleet(export_limit=100.0):
    """Three homes with a battery of 10 kWh and 5 kW; a fifth of the gain is the homeowner's."""
    one, index = torch.ones(3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    battery = BatteryParams(10 * one, 5 * one, 5 * one, 0.9 * one, 0 * one, 0.04 * one)
    agreement = Agreement(0 * one, 100 * one, export_limit * one, 0.2 * one)
    return Fleet(index, battery, 9 * one, index, one, index, agreement, index)


def settled(battery_kw, load, sun, price, export=None, limit=100.0):
    """Ledger of five minutes, prices per MWh."""
    homes = fleet(limit)
    energy = torch.full((1, 3), 5.0, dtype=torch.float64)
    now = Moment(energy, tensor(load), tensor(sun), tensor([0.0]), torch.zeros(1, 1, 3))
    outcome = step_site(SetPoints(tensor(battery_kw), tensor(sun)), now, homes, DT_H)
    export_per_mwh = None if export is None else tensor([export])
    return settle_energy(
        outcome, tensor(load), tensor(sun), tensor([price]), homes, DT_H, export_per_mwh
    )


def test_import_is_paid_at_one_price_and_export_at_the_other():
    """Six kW drawn, three fed in, and a meter at zero, for five minutes."""
    ledger = settled(
        *([5.0, -2.0, 2.0], [1.0, 1.0, 1.0], [0.0, 2.0, 3.0]),
        price=400.0,
        export=50.0,
    )
    assert ledger.energy_market[0].tolist() == pytest.approx([-6 * 0.4 / 12, 3 * 0.05 / 12, 0.0])
    # Left alone: 1 kW drawn, 1 kW fed in, 2 kW fed in.
    assert ledger.site_passthrough[0].tolist() == pytest.approx(
        [-0.4 / 12, 0.05 / 12, 2 * 0.05 / 12]
    )
    gain = (ledger.energy_market - ledger.site_passthrough)[0]
    assert ledger.gain_share[0].tolist() == pytest.approx((0.2 * gain).tolist())
    assert ledger.wear[0].tolist() == pytest.approx([0.0, 0.04 * 2 / 12, 0.0])


def test_what_a_site_left_alone_may_not_feed_in_earns_nothing():
    ledger = settled(
        *([0.0] * 3, [0.0] * 3, [8.0] * 3),
        price=400.0,
        export=60.0,
        limit=5.0,
    )
    assert ledger.site_passthrough[0].tolist() == pytest.approx([5 * 0.06 / 12] * 3)


@pytest.mark.parametrize("price", [-80.0, 0.0, 73.1, 15_500.0])
def test_the_same_price_both_ways_settles_as_the_wholesale_market_does(price):
    flows = ([5.0, -2.0, 1.3], [1.0, 1.7, 0.4], [0.0, 2.0, 6.1])
    wholesale = settled(*flows, price=price)
    retail = settled(*flows, price=price, export=price)
    for ours, theirs in zip(retail, wholesale, strict=True):
        assert torch.equal(ours, theirs)
