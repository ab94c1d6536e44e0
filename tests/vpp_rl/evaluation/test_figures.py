"""Pictures hold the numbers that they were given, with the sign that they say."""

import dataclasses

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from vpp_envs.errors import InputError
from vpp_rl.evaluation.figures import (
    DayTrace,
    day_figure,
    gain_bars,
    lead_over_time,
    learning_figure,
)
from vpp_rl.evaluation.scoreboard import summarise


@pytest.fixture
def summary(two_windows) -> pd.DataFrame:
    return summarise(two_windows, rng=np.random.default_rng(0))


def test_bars_hold_the_gains_and_reach_to_the_ends_of_their_intervals(summary):
    bars = gain_bars(summary, "AUD")["data"][0]
    place = bars["y"].index("apg")
    assert bars["x"][place] == pytest.approx(48.0)
    assert bars["x"][place] - bars["error_x"]["arrayminus"][place] == pytest.approx(14.0)
    assert bars["x"][place] + bars["error_x"]["array"][place] == pytest.approx(90.0)
    assert "curtail only" not in bars["y"]


def test_lead_ends_at_the_paired_difference_per_home(summary, two_windows):
    lines = {trace["name"]: trace for trace in lead_over_time(summary, two_windows, "AUD")["data"]}
    # Over mpc: 8 and 4 in the first window, 30 and 10 in the second; ten homes.
    assert lines["apg"]["y"] == pytest.approx([0.6, 0.6 + 2.0])
    assert lines["apg"]["x"] == ["2025-01-01", "2025-07-01"]
    assert "mpc" not in lines
    assert "perfect foresight" not in lines


def test_windows_of_the_same_day_are_drawn_by_number(summary, two_windows):
    same_day = two_windows.assign(start="2025-01-01")
    trace = lead_over_time(summary, same_day, "AUD")["data"][0]
    assert trace["x"] == [1.0, 2.0]


def test_dispatch_layers_add_up_to_net_power_at_every_tick(day):
    traces = {trace["name"]: np.array(trace["y"]) for trace in day_figure(day)["data"]}
    layers = ("base load", "solar", "battery charging", "battery discharging")
    total = sum(traces[name] for name in layers)
    np.testing.assert_allclose(total, traces["net"], atol=0.01)
    assert (traces["solar"] <= 0).all()
    assert (traces["battery charging"] >= 0).all()
    assert (traces["battery discharging"] <= 0).all()


def test_a_large_fleet_is_drawn_in_megawatts(day):
    powers = ("load_kw", "solar_kw", "battery_kw", "net_kw")
    large = dataclasses.replace(day, **{name: getattr(day, name) * 1e3 for name in powers})
    small_net, large_net = (
        next(trace for trace in day_figure(which)["data"] if trace["name"] == "net")
        for which in (day, large)
    )
    np.testing.assert_allclose(large_net["y"], small_net["y"], rtol=1e-3)
    assert "MW" in large_net["hovertemplate"]


def test_price_axis_keeps_a_spike_in_view_without_flattening_the_day(day):
    figure = day_figure(day)
    price = next(trace for trace in figure["data"] if trace["name"] == "price")
    np.testing.assert_allclose(price["customdata"], day.price_per_mwh, rtol=1e-4)
    low, high = figure["layout"]["yaxis"]["range"]
    # 100 against 15,000 per MWh: 0.7 % of a straight axis, more than a tenth of this one.
    assert (np.arcsinh(1.0) - np.arcsinh(0.0)) / (high - low) > 0.1
    ticks = dict(
        zip(
            figure["layout"]["yaxis"]["ticktext"],
            figure["layout"]["yaxis"]["tickvals"],
            strict=True,
        )
    )
    assert ticks["10,000"] == pytest.approx(np.arcsinh(100.0), rel=1e-4)
    assert ticks["0"] == 0.0


def test_learning_draws_one_line_per_seed_and_one_legend_entry_per_policy(learning):
    traces = learning_figure(learning, "AUD")["data"]
    assert len(traces) == 3
    assert [trace["showlegend"] for trace in traces] == [True, False, True]
    assert traces[0]["x"] == pytest.approx([0.0, 1.0])
    assert traces[0]["customdata"] == pytest.approx([0.0, 1000.0])


def test_learning_without_a_column_is_refused_with_a_sentence(learning):
    with pytest.raises(InputError, match="the column 'seconds' is missing"):
        learning_figure(learning.drop(columns="seconds"), "AUD")


def test_every_figure_is_one_that_plotly_knows(summary, two_windows, day, learning):
    figures = (
        gain_bars(summary, "AUD"),
        lead_over_time(summary, two_windows, "AUD"),
        day_figure(day),
        learning_figure(learning, "AUD"),
    )
    for figure in figures:
        go.Figure(figure)  # raises on an unknown property


def test_names_are_escaped_since_plotly_reads_markup(two_windows, learning):
    name = '<a href="http://evil.example">x</a>'
    frame = two_windows.replace({"policy": {"apg": name}})
    summary = summarise(frame, rng=np.random.default_rng(0))
    renamed = learning.assign(policy=name)
    shown = str(
        [
            gain_bars(summary, "AUD"),
            lead_over_time(summary, frame, "AUD"),
            learning_figure(renamed, "AUD"),
        ]
    )
    assert "<a" not in shown
    assert "&lt;a" in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"net_kw": np.zeros(24)}, "misses net by up to"),
        ({"price_per_mwh": np.zeros(23)}, r"price_per_mwh has shape \(23,\); expected \(24,\)"),
        ({"fill_quantiles": np.zeros((24, 3))}, r"expected \(24, 5\)"),
    ],
)
def test_a_day_that_does_not_add_up_is_refused_with_a_sentence(day, changes, words):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(day, **changes)


def test_solar_with_the_sign_of_a_load_is_refused(day):
    with pytest.raises(InputError, match="expected load and solar as amounts"):
        dataclasses.replace(day, solar_kw=-day.solar_kw)


def test_a_day_trace_names_its_quantiles(day):
    assert isinstance(day, DayTrace)
    medians = next(t for t in day_figure(day)["data"] if t["name"] == "median home")
    np.testing.assert_allclose(medians["y"], day.fill_quantiles[:, 2], rtol=1e-4)
