"""The picture of a day in TensorBoard."""

import io

import numpy as np
import pytest

from vpp_envs.scenario import build_scenario
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.rollout import Windows, play
from vpp_rl.training.stack import dispatch_stack


@pytest.fixture(params=["day_spec", "car_days", "tariff_days"])
def spec(request):
    return request.getfixturevalue(request.param)


def drawn(spec, days):
    scenario = build_scenario(spec, "test")
    policy, windows = StochasticValueCurve(), Windows("test", window_days=days, most=1)
    _, trace = play(policy, spec, windows, trace_row=0)
    figure = dispatch_stack(trace, scenario)
    figure.savefig(io.BytesIO(), format="png")
    price, power = figure.axes
    labels = {text.get_text() for text in power.get_legend().get_texts()}
    return scenario, trace, price, power, labels


def test_the_second_day_is_drawn_with_what_is_there(spec):
    scenario, trace, price, power, labels = drawn(spec, days=2)
    day = slice(288, 576)
    (prices,) = price.lines
    expected = scenario.market.price_per_mwh[trace.tick[day]]
    np.testing.assert_allclose(prices.get_ydata(), expected)
    (net,) = power.lines
    np.testing.assert_allclose(net.get_ydata(), trace.totals.net_kwh[day] * 12.0)
    assert power.get_xlabel() == "hour, 2010-01-02"
    assert price.get_ylabel() == "AUD/MWh"
    assert {"base load", "net"} <= labels
    assert ("cars charging" in labels) == (scenario.cars is not None)
    has_battery = bool((scenario.fleet.battery.discharge_kw > 0).any())
    assert ("battery charging" in labels) == has_battery
    assert ("solar" in labels) == bool((scenario.fleet.solar_kw > 0).any())


def test_of_a_window_of_one_day_that_day_is_drawn(car_days):
    *_, power, _ = drawn(car_days, days=1)
    assert power.get_xlabel() == "hour, 2010-01-01"
