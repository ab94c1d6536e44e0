from dataclasses import replace

import numpy as np
import pytest
import torch

from vpp_envs.simulator import step_site
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.baselines.rules import (
    CurtailOnly,
    Idle,
    Quantile,
    SelfConsumption,
    TimeOfUse,
    _quantile,
)
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.policy import Scene, scene_of

RULES = (Idle(), CurtailOnly(), SelfConsumption(), TimeOfUse(), Quantile(), StochasticValueCurve())


@pytest.fixture
def env(day_spec):
    env = FleetVectorEnv(day_spec, 4, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=0, options={"start_ticks": torch.arange(4) * 288})
    # Half full, so that every home can charge and discharge.
    reserve, capacity = env.fleet.agreement.reserve_kwh, env.fleet.battery.capacity_kwh
    half_kwh = ((reserve + capacity) / 2).expand(4, -1).clone()
    env.state = env.state._replace(energy_kwh=half_kwh)
    env._observation()
    return env


def at(env, tick=0, price=None, load=1.0, solar=2.0) -> Scene:
    """The scene at a tick of the first day, with a price per MWh, load and sun as told."""
    env.tick = torch.full((4,), tick)
    moment = env.moment._replace(
        load_kw=torch.full_like(env.energy_kwh, load),
        solar_available_kw=torch.full_like(env.energy_kwh, solar),
    )
    if price is not None:
        moment = moment._replace(price_per_kwh=torch.full((4, 1), price / 1000.0).double())
    env.moment = moment
    return scene_of(env)


def served(env, rule, scene):
    return step_site(rule.act(scene), scene.moment, env.fleet, 1.0 / 12.0)


def test_idle_rests_and_lets_the_sun_shine(env):
    for price in (-500.0, 500.0):
        out = served(env, Idle(), at(env, price=price))
        assert (out.battery_kw == 0).all()
        assert (out.solar_output_kw == 2.0).all()


def test_curtail_only_does_just_that(env):
    assert (served(env, CurtailOnly(), at(env, price=-1.0)).solar_output_kw == 0).all()
    out = served(env, CurtailOnly(), at(env, price=1.0))
    assert (out.solar_output_kw == 2.0).all()
    assert (out.battery_kw == 0).all()


@pytest.mark.parametrize(("load", "solar"), [(1.0, 2.5), (2.0, 0.0), (1.0, 1.0)])
def test_self_consumption_brings_the_meter_to_zero(env, load, solar):
    out = served(env, SelfConsumption(), at(env, load=load, solar=solar))
    torch.testing.assert_close(out.net_kw, torch.zeros_like(out.net_kw), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("hour", "sign"),
    [(9.92, 0), (10.0, 1), (14.92, 1), (15.0, 0), (16.92, 0), (17.0, -1), (20.92, -1), (21.0, 0)],
)
def test_time_of_use_follows_the_clock(env, hour, sign):
    power = served(env, TimeOfUse(), at(env, tick=round(hour * 12), solar=0.0)).battery_kw
    assert (torch.sign(power) == sign).all()


def quantiles(scene, *shares):
    day = scene.forecast_mean.double()
    return [torch.quantile(day, share, dim=-1).tolist() for share in shares]


def test_the_quantile_rule_buys_the_cheap_and_sells_the_dear_part_of_the_day(env):
    rule = Quantile(charge_below=0.25, discharge_above=0.85)
    scene = at(env, tick=100, solar=0.0)
    low, high = (values[0] for values in quantiles(scene, 0.25, 0.85))
    assert 0.8 * (high - 70) > low  # worth a cycle, with 0.07 of wear per kWh
    for price, sign in ((low - 1, 1), ((low + high) / 2, 0), (high + 1, -1)):
        power = served(env, rule, at(env, tick=100, price=price, solar=0.0)).battery_kw
        assert (torch.sign(power) == sign).all()


def test_the_quantile_rule_does_not_cycle_for_less_than_the_wear(env):
    rule = Quantile(charge_below=0.49, discharge_above=0.51)
    scene = at(env, tick=100, solar=0.0)
    low, high = (values[0] for values in quantiles(scene, 0.49, 0.51))
    assert high - low < 40  # less than the least wear, 0.04 per kWh
    for price in (low, high):
        power = served(env, rule, at(env, tick=100, price=price, solar=0.0)).battery_kw
        assert (power == 0).all()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_rule_breaks_an_agreement_or_asks_for_what_is_not_served(day_spec, rule):
    tight = replace(
        day_spec, fleet=replace(day_spec.fleet, import_limit_kw=3.0, export_limit_kw=2.0)
    )
    env = FleetVectorEnv(tight, 4, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=0, options={"start_ticks": torch.arange(4) * 288})
    for _ in range(288):
        env.step_set_points(rule.act(scene_of(env)))
        assert env.last[1].broken.sum() == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rules_are_compared_by_value_and_have_names_of_their_own(rule):
    assert replace(rule) == rule
    assert [other.name for other in RULES].count(rule.name) == 1
    assert rule.kind in {"rule", "optimiser"}


def test_the_unbent_value_curve_is_the_zero_action(day_spec):
    env = FleetVectorEnv(day_spec, 3, dtype="float64", autoreset_mode="Disabled")
    other = FleetVectorEnv(day_spec, 3, dtype="float64", autoreset_mode="Disabled")
    env.reset(seed=2)
    other.reset(seed=2)
    for _ in range(100):
        env.step_set_points(StochasticValueCurve().act(scene_of(env)))
        other.step(np.zeros((3, len(env.action_names))))
        assert torch.equal(env.energy_kwh, other.energy_kwh)


def test_the_quantile_of_each_row_is_the_linear_one():
    values = torch.randn(6, 48, generator=torch.Generator().manual_seed(0)).double()
    shares = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.96, 1.0]).double()
    each = [torch.quantile(row, share) for row, share in zip(values, shares, strict=True)]
    torch.testing.assert_close(_quantile(values, shares.unsqueeze(-1))[:, 0], torch.stack(each))
    torch.testing.assert_close(
        _quantile(values, 0.3)[:, 0], torch.quantile(values, 0.3, dim=-1), rtol=1e-12, atol=1e-12
    )
