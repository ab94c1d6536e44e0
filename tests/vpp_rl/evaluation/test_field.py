"""Who plays: rules and optimisers that suit the homes."""

from dataclasses import replace

import pytest

from vpp_envs.scenario import build_scenario
from vpp_rl.evaluation.field import field_of, with_perfect_forecast
from vpp_rl.rollout import Windows

WINDOWS = Windows("test", window_days=1, most=2)


def names(spec, retune=False):
    said = []
    field = field_of(
        *(spec, WINDOWS, build_scenario(spec, "test"), said.append),
        lambda what, share: None,
        retune,
    )
    return [policy.name for policy in field], said


def test_batteries_on_a_wholesale_market_meet_rules_mpc_and_the_optimum(day_spec):
    found, said = names(day_spec)
    assert found == [
        "idle",
        "curtail only",
        "self-consumption",
        "time of use",
        "quantile rule",
        "mpc",
        "value curve",
        "cohort optimum",
    ]
    assert said == []


def test_cars_meet_the_rules_of_charging(car_days):
    found, _ = names(car_days)
    assert found == [
        *("idle", "value curve", "charge at the latest", "off-peak timer", "cheapest slots")
    ]


def test_homes_with_sun_behind_a_tariff_meet_self_consumption_too(tariff_days):
    found, _ = names(tariff_days)
    assert found == [
        "idle",
        "value curve",
        "self-consumption",
        "self-consumption, cheapest slots",
        "charge at the latest",
        "off-peak timer",
        "cheapest slots",
    ]
    batteries = replace(tariff_days, fleet=replace(tariff_days.fleet, ev_share=0.0))
    assert names(batteries)[0] == ["idle", "value curve", "self-consumption"]


def test_the_timer_is_tuned_on_training_days(car_days, monkeypatch):
    tried = [{"from_h": 17.0, "to_h": 21.0}, {"from_h": 11.0, "to_h": 15.0}]
    monkeypatch.setattr("vpp_rl.evaluation.field.off_peak_grid", lambda: tried)
    found, said = names(car_days, retune=True)
    assert found[3] == "off-peak timer"
    # The sun makes noon cheap, and the evening is dear.
    assert said == ["off-peak timer: charge 11-15 h"]


@pytest.fixture
def recorded(tariff_days, tmp_path):
    """The same homes with prices from a file."""
    path = tmp_path / "prices.csv"
    path.touch()
    market = replace(tariff_days.market, prices=str(path))
    return replace(tariff_days, market=market)


def test_those_who_plan_play_again_with_a_perfect_forecast(tariff_days, recorded):
    scenario = build_scenario(tariff_days, "test")
    field = field_of(
        tariff_days, WINDOWS, scenario, lambda line: None, lambda what, share: None, False
    )
    # A simulated market has no other law than its own.
    assert with_perfect_forecast(tariff_days, field) == []
    again = with_perfect_forecast(recorded, field)
    assert [policy.name for policy, _ in again] == [
        "value curve, perfect forecast",
        "cheapest slots, perfect forecast",
    ]
    for policy, spec in again:
        assert policy.kind == "bound"
        assert spec.market.forecaster == "oracle"
        assert replace(spec, market=replace(spec.market, forecaster="auto")) == recorded
