"""Comparisons of homes, taps and cars that are so simple that one can say how they come out."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from vpp_rl.evaluation.cooling_shapes import cooling_part
from vpp_rl.evaluation.measured_shapes import Homes, Sessions, Taps, taps
from vpp_rl.evaluation.shape_comparison import numbers_table
from vpp_rl.evaluation.shape_parts import cars_part, homes_part, taps_part
from vpp_rl.evaluation.shape_report import (
    markdown_table,
    number_text,
    shape_drawing,
    shape_page,
)
from vpp_rl.evaluation.simulated_shapes import simulated_taps


@pytest.fixture(scope="module")
def real():
    day = 1.0 + np.sin(np.arange(24) * np.pi / 12.0)[:, None] * np.array([0.5, 0.2])
    return Homes("real <1>", np.tile(day, (3, 1)), 24)


@pytest.fixture(scope="module")
def parts(real):
    twice = Homes("simulated homes", 2.0 * real.power_kw, 24)
    water = [Taps(name, np.ones((2, 24, 1))) for name in ("real", "simulated homes")]
    car = [np.array(column) for column in ([17.0, 18.0], [7.0, 8.0], [14.0, 14.0], [5.0, 15.0])]
    cars = [Sessions(name, *car, 5.0) for name in ("real", "simulated homes")]
    return [homes_part("homes", "Homes", [real, twice]), taps_part(water), cars_part(cars)]


def test_homes_of_twice_the_size_have_the_same_shape_and_twice_the_energy(parts):
    real, twice = parts[0].numbers.values()
    assert real["kWh a day, mean"] == pytest.approx(24.0)
    assert twice["kWh a day, mean"] == pytest.approx(48.0)
    for what in ("homes together", "typical day"):
        assert twice[f"{what}, correlation"] == pytest.approx(1.0)
        assert twice[f"{what}, RMSE over the mean"] == pytest.approx(0.0, abs=1e-12)
        assert np.isnan(real[f"{what}, correlation"])
    # Both homes peak at 6 o'clock.
    assert twice["coincidence of 2 homes"] == pytest.approx(1.0)
    assert np.isnan(twice["coincidence of 50 homes"])
    assert twice["typical day, peak h"] == 6.0


def test_equal_cars_and_taps_are_alike(parts):
    _, water, cars = (list(part.numbers.values())[1] for part in parts)
    assert water["litres a day, p90"] == 24.0
    assert water["shares of the hours, RMSE over the mean"] == 0.0
    assert cars["plug-ins by hour, correlation"] == pytest.approx(1.0)
    assert (cars["stay, median h"], cars["kWh a session, mean"]) == (14.0, 10.0)
    assert (cars["plug-in, mean h"], cars["departure, mean h"]) == pytest.approx((17.5, 7.5))


def test_a_table_leaves_out_what_is_not_known(parts):
    table = numbers_table(parts)
    assert table["value"].notna().all()
    assert "| coincidence of 50 homes |  |  |" in markdown_table(parts[0])
    assert [number_text(x) for x in (np.nan, 0.41234, 12.34, 1234.5)] == [
        "",
        "0.412",
        "12.3",
        "1,234",
    ]


def test_the_drawing_is_one_small_svg_with_all_panels(parts):
    drawing = shape_drawing(parts)
    assert len(drawing) < 60_000
    root = ElementTree.fromstring(drawing)
    space = "{http://www.w3.org/2000/svg}"
    panels = [panel for part in parts for panel in part.panels]
    assert len(root.findall(f"{space}g")) == len(panels) == 9
    lines = sum(len(panel.lines) for panel in panels)
    assert len(list(root.iter(f"{space}polyline"))) == lines
    width, height = (float(root.get(side)) for side in ("width", "height"))
    for line in root.iter(f"{space}polyline"):
        places = np.array([point.split(",") for point in line.get("points").split()], dtype=float)
        assert (places >= 0).all()
        assert (places <= (width, height)).all()


def test_the_page_holds_all_it_needs(parts):
    page = shape_page(parts)
    assert "real &lt;1&gt;" in page
    assert "real <1>" not in page
    assert page.count('class="plot"') == 9
    assert "default-src 'none'" in page


def test_simulated_taps_draw_at_the_hours_of_real_profiles(shared_data):
    part = taps_part([taps(shared_data), simulated_taps(8)])
    ours = part.numbers["simulated homes"]
    assert ours["shares of the hours, correlation"] > 0.97
    assert ours["litres a day, mean"] == pytest.approx(
        part.numbers["NREL draw profiles"]["litres a day, mean"], rel=0.06
    )


def test_houses_in_one_summer_meet_one_heat_wave(shared_data):
    part = cooling_part(shared_data, homes=8)
    real, ours, weather = part.numbers.values()
    assert real["hottest five days, mean air C"] == ours["hottest five days, mean air C"]
    assert 28.0 < weather["hottest five days, mean air C"] < 40.0
    for one in (real, ours):
        assert one["slope by hours, kW/K a house"] > 0.1
        assert 11.0 < one["heat wave, peak hour"] < 21.0
