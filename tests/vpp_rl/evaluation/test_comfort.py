"""Comfort stands beside the money: per home and day, for those who play."""

import pandas as pd
from rich.console import Console

from vpp_rl.evaluation.comfort import comfort_of, comfort_section, comfort_table


def windows(**changed):
    rows = {
        "policy": ["warm", "warm", "cold", "cold", "dream"],
        "kind": ["rule", "rule", "learned", "learned", "bound"],
        "homes": [10, 10, 10, 10, 10],
        "days": [2.0, 3.0, 2.0, 3.0, 5.0],
        "discomfort_k_h": [10.0, 15.0, 100.0, 0.0, 1.0],
        "hvac_short_k_h": [0.0, 0.0, 5.0, 5.0, 0.0],
        "water_cold_kwh": [1.0, 1.0, 2.0, 2.0, 0.0],
        "appliance_late_jobs": [0.0, 5.0, 0.0, 0.0, 0.0],
        "generator_co2_kg": [0.0, 0.0, 0.0, 50.0, 0.0],
    }
    return pd.DataFrame(rows | changed)


def test_it_is_a_mean_over_homes_and_days_with_the_most_comfortable_first():
    comfort = comfort_of(windows())
    assert list(comfort.index) == ["warm", "cold"]
    assert comfort.loc["warm"].tolist() == [0.5, 0.0, 0.04, 0.1, 0.0]
    assert comfort.loc["cold"].tolist() == [2.0, 0.2, 0.08, 0.0, 1.0]


def test_without_devices_to_feel_there_is_nothing_to_tell():
    assert comfort_of(windows().drop(columns="appliance_late_jobs")) is None
    assert comfort_section(None) == ""


def test_terminal_and_page_say_the_same_and_escape_names():
    comfort = comfort_of(windows(policy=["<a>"] * 2 + ["[b]"] * 2 + ["dream"]))
    page = comfort_section(comfort)
    assert "&lt;a&gt;" in page
    assert "<a>" not in page
    console = Console(width=110, record=True)
    console.print(comfort_table(comfort))
    text = console.export_text()
    assert "[b]" in text
    for number in ("0.5", "0.04", "0.08"):
        assert number in page
        assert number in text
