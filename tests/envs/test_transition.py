import pytest
import torch

from vpp_envs.simulator import SetPoints
from vpp_envs.transition import advance, total
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0


@pytest.fixture(scope="module")
def interval(small_spec):
    """An interval at midday with random set-points: moment, outcome, ledger, totals."""
    env = FleetVectorEnv(small_spec, 3, dtype="float64")
    env.reset(seed=9, options={"start_ticks": [150, 288 + 140, 2 * 288 + 200]})
    generator = torch.Generator().manual_seed(0)
    asked = SetPoints(
        20 * torch.rand(3, 8, generator=generator, dtype=torch.float64) - 10,
        env.moment.solar_available_kw * torch.rand(3, 8, generator=generator),
    )
    outcome, ledger = advance(asked, env.moment, env.fleet, DT_H)
    return env.moment, outcome, ledger, total(outcome, ledger, env.moment, DT_H)


def test_totals_are_the_sums_over_homes(interval):
    moment, outcome, ledger, totals = interval
    for name in ledger._fields:
        torch.testing.assert_close(getattr(totals, name), getattr(ledger, name).sum(-1))
    torch.testing.assert_close(totals.net_kwh, (outcome.net_kw * DT_H).sum(-1))
    torch.testing.assert_close(totals.load_kwh, (moment.load_kw * DT_H).sum(-1))
    torch.testing.assert_close(
        totals.discharged_kwh, (-outcome.battery_kw * DT_H * (outcome.battery_kw < 0)).sum(-1)
    )
    assert (totals.discharged_kwh > 0).all()


def test_the_fleets_energy_balances(interval):
    moment, _, _, totals = interval
    torch.testing.assert_close(
        totals.net_kwh + totals.solar_kwh, totals.load_kwh + totals.battery_kwh
    )
    torch.testing.assert_close(
        totals.solar_kwh + totals.curtailed_kwh, (moment.solar_available_kw * DT_H).sum(-1)
    )
    assert (totals.curtailed_kwh > 0).all()


def test_sums_are_in_double_precision_whatever_the_homes_are_in(small_spec):
    env = FleetVectorEnv(small_spec, 1, dtype="float32")
    env.reset(seed=0)
    asked = SetPoints(torch.zeros(1, 8), env.moment.solar_available_kw)
    outcome, ledger = advance(asked, env.moment, env.fleet, DT_H)
    assert {part.dtype for part in ledger} == {torch.float64}
    assert {part.dtype for part in total(outcome, ledger, env.moment, DT_H)} == {torch.float64}
