import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.markets.energy import settle_energy
from vpp_envs.markets.ledger import Ledger, by_party
from vpp_envs.reward import REWARD_PARTS, reward_parts
from vpp_envs.simulator import SetPoints
from vpp_envs.transition import advance, total
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0
money = st.floats(-1e6, 1e6)


@pytest.fixture(scope="module")
def env(small_spec):
    env = FleetVectorEnv(small_spec, 3, dtype="float64")
    env.reset(seed=1, options={"start_ticks": [150, 288 + 140, 2 * 288 + 30]})
    return env


def settled(env, power_kw, price_per_mwh=None, solar=1.0):
    """Serve one interval with the same command to all homes."""
    moment = env.moment
    if price_per_mwh is not None:
        price = torch.full_like(moment.price_per_kwh, price_per_mwh / 1000.0)
        moment = moment._replace(price_per_kwh=price)
    asked = SetPoints(
        torch.full_like(moment.energy_kwh, power_kw), solar * moment.solar_available_kw
    )
    return (*advance(asked, moment, env.fleet, DT_H), moment)


@given(st.lists(money, min_size=4, max_size=4))
def test_what_the_market_pays_is_what_aggregator_and_homeowner_get(flows):
    parties = by_party(Ledger(*(torch.tensor([f], dtype=torch.float64) for f in flows)))
    assert abs((parties.market + parties.aggregator + parties.homeowner).item()) <= 1e-9


@given(st.floats(-20, 20), st.floats(-1000, 17500))
def test_cash_is_conserved_in_every_home(env, power, price):
    _, ledger, _ = settled(env, power, price)
    parties = by_party(ledger)
    assert (parties.market + parties.aggregator + parties.homeowner).abs().max() <= 1e-9


def test_the_market_pays_metered_energy_at_the_price(env):
    outcome, ledger, _ = settled(env, -3.0, price_per_mwh=240.0)
    for row in range(3):
        for home in range(8):
            energy_mwh = -outcome.net_kw[row, home].item() * (5 / 60) / 1000
            assert ledger.energy_market[row, home].item() == pytest.approx(
                energy_mwh * 240.0, abs=1e-12
            )


def test_exporting_earns_at_a_positive_price_and_costs_at_a_negative_one(env):
    for price in (100.0, -100.0):
        outcome, ledger, _ = settled(env, -20.0, price)
        exporting = outcome.net_kw < -1e-9
        assert exporting.any()
        assert (torch.sign(ledger.energy_market[exporting]) == (1.0 if price > 0 else -1.0)).all()


def test_unserved_power_is_not_paid(env):
    _, modest, _ = settled(env, -20.0)
    _, greedy, _ = settled(env, -2000.0)
    for ours, theirs in zip(modest, greedy, strict=True):
        assert torch.equal(ours, theirs)


def test_only_discharge_wears(env):
    charged, ledger, _ = settled(env, 3.0)
    assert (ledger.wear[charged.battery_kw >= 0] == 0).all()
    outcome, ledger, _ = settled(env, -3.0)
    torch.testing.assert_close(
        ledger.wear,
        (-outcome.battery_kw).clamp(min=0) * (5 / 60) * env.fleet.battery.wear_per_kwh,
    )
    assert (ledger.wear > 0).any()


def test_the_owner_gets_what_the_site_had_settled_for_and_a_share_of_the_gain(env):
    _, ledger, moment = settled(env, -3.0, price_per_mwh=300.0)
    alone = moment.load_kw - moment.solar_available_kw
    alone = torch.maximum(alone, -env.fleet.agreement.export_limit_kw)
    torch.testing.assert_close(ledger.site_passthrough, -alone * (5 / 60) * 0.3)
    gain = ledger.energy_market - ledger.site_passthrough
    torch.testing.assert_close(ledger.gain_share, 0.8 * gain)
    torch.testing.assert_close(by_party(ledger).aggregator, 0.2 * gain)


def test_doing_nothing_gains_nothing(env):
    outcome, ledger, _ = settled(env, 0.0)
    still = outcome.battery_kw == 0
    assert ledger.gain_share[still].abs().max() < 1e-12


def test_named_parts_sum_to_the_plants_gain_over_its_rating(env):
    outcome, ledger, moment = settled(env, -3.0)
    totals = total(outcome, ledger, moment, DT_H)
    parts = reward_parts(
        totals, rated_kw=torch.tensor(50.0, dtype=torch.float64), reward_scale=10.0
    )
    assert len(parts) == len(REWARD_PARTS)
    gain = ledger.energy_market - ledger.site_passthrough - ledger.wear
    torch.testing.assert_close(torch.stack(parts).sum(0), gain.sum(-1) / 5.0)


def test_settlement_is_in_double_precision(small_spec):
    env = FleetVectorEnv(small_spec, 1, dtype="float32")
    env.reset(seed=0)
    outcome, _, moment = settled(env, 1.0)
    ledger = settle_energy(
        outcome,
        moment.load_kw,
        moment.solar_available_kw,
        moment.price_per_kwh * 1000.0,
        env.fleet,
        DT_H,
    )
    assert {part.dtype for part in ledger} == {torch.float64}
