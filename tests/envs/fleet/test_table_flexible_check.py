"""What a fleet table may say of flexible devices: ranges, rules, and what a blank cell means."""

import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.fleet.column import range_of
from vpp_envs.fleet.columns import KINDS, column_names, columns_help
from vpp_envs.fleet.columns_flexible import DAY_L, FLEXIBLE_COLUMNS
from vpp_envs.fleet.hvac_sampling import check_hvac, drift_while_resting_k, time_class
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.table import inspect_fleet, read_fleet, read_fleet_table
from vpp_envs.fleet.table_rules_flexible import FLEXIBLE_RULES
from vpp_envs.flexible.kinds import KINDS as FLEXIBLE

# Cells of rows 3 to 9 of the table below: all that must be given, and what makes them plain.
DEVICES = {
    "water_heater": {"volume_l": "180", "setpoint_c": "52", "most_c": "60"},
    "hvac": {"cooling_kw": "14", "heating": "heat pump"},
    "dishwasher": {},
    "washer": {},
    "dryer": {},
    "pool_pump": {"pump_kw": "1.35", "hours_per_day": "6"},
    "generator": {"rated_kw": "14", "fuel": "diesel"},
}
ROW = {kind: number for number, kind in enumerate(DEVICES, 3)}
HOME = {"home_id": "h", "kind": "site", "import_limit_kw": "30", "export_limit_kw": "5"}


def table(path, devices):
    rows = [HOME, *({"home_id": "h", "kind": kind, **cells} for kind, cells in devices.items())]
    return of_rows(path, rows)


def of_rows(path, rows):
    with path.open("w") as file:
        writer = csv.DictWriter(file, column_names(), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def told(path):
    """All that is said about a table: errors, warnings."""
    fleet, problems = inspect_fleet(path)
    errors = [problem.told("row") for problem in problems if not problem.warning]
    assert (fleet is None) == bool(errors)
    return errors, [problem.told("row") for problem in problems if problem.warning]


def with_cells(tmp_path, kind, **cells):
    return table(tmp_path / "homes.csv", {**DEVICES, kind: {**DEVICES[kind], **cells}})


def test_the_table_that_the_cases_change_is_good(tmp_path):
    assert told(table(tmp_path / "homes.csv", DEVICES)) == ([], [])


def cells_beyond():
    """Of each column of each flexible kind, cells that cannot stand, with what is expected."""
    for kind, columns in FLEXIBLE_COLUMNS.items():
        for one in columns:
            if one.form == "truth":
                yield kind, one.name, "maybe", "must be yes or no"
            elif one.choices:
                expected = f"must be {', '.join(one.choices[:-1])} or {one.choices[-1]}"
                yield kind, one.name, "straw", expected
            elif one.form == "whole":
                expected = f"must be a whole number from 0 to {one.most:g}"
                yield from (
                    (kind, one.name, cell, expected) for cell in (f"{one.most + 1:g}", "1.5")
                )
            else:
                yield kind, one.name, "", "is no number"
                low = f"{one.least - 1:g}" if one.zero else f"{one.least:g}"
                bound = f"{'at least' if one.zero else 'above'} {one.least:g}"
                yield kind, one.name, low, f"must be {bound}"
                if np.isfinite(one.most):
                    yield kind, one.name, f"{one.most * 1.01:g}", f"must be at most {one.most:g}"


@pytest.mark.parametrize(("kind", "column", "cell", "expected"), list(cells_beyond()))
def test_every_cell_out_of_its_range_is_named_with_row_column_value_and_what_was_expected(
    kind, column, cell, expected, tmp_path
):
    cell = cell or "some"
    errors, _ = told(with_cells(tmp_path, kind, **{column: cell}))
    shown = cell if cell.lstrip("-").replace(".", "").isdigit() else repr(cell)
    own = [error for error in errors if error.startswith(f"row {ROW[kind]}, {column}: {shown} ")]
    assert len(own) == 1
    assert expected in own[0]
    assert "; " in own[0]  # the fix
    assert own[0][-1] in ".?"
    assert len(errors) == 1  # what follows from a wrong cell is not said as well


def slips():
    for kind, columns in FLEXIBLE_COLUMNS.items():
        for one in columns:
            low, high = one.usual
            if high < one.most and one.form == "number":
                yield kind, one.name, f"{high + 0.3 * min(one.most - high, high):g}", one.slip
            if low > one.least:
                yield kind, one.name, f"{one.least + 0.9 * (low - one.least):g}", one.low


@pytest.mark.parametrize(("kind", "column", "cell", "slip"), list(slips()))
def test_every_cell_beyond_what_is_usual_is_a_warning(kind, column, cell, slip, tmp_path):
    errors, warnings = told(with_cells(tmp_path, kind, **{column: cell}))
    said = f"row {ROW[kind]}, {column}: {cell} {slip or 'is unusually low; check it'}."
    assert said in warnings
    assert all(column not in error.split(":")[0] for error in errors) or column in {
        rule.column for rule in FLEXIBLE_RULES[kind]
    }


def test_columns_that_must_be_given_are_asked_for(tmp_path):
    for kind, cells in DEVICES.items():
        for column in FLEXIBLE_COLUMNS[kind]:
            if column.default is None and column.without == "needed":
                errors, _ = told(with_cells(tmp_path, kind, **{column.name: ""}))
                assert errors == [
                    f"row {ROW[kind]}, {column.name}: is blank; every row of kind {kind} needs it."
                ]
                assert column.name in cells


TOGETHER = [
    ("water_heater", {"element_kw": "0"}, "element_kw: 0 leaves the tank without heat"),
    ("water_heater", {"heat_pump_kw": "0.5"}, "heat_pump_kw: 0.5 belongs to a heat pump, and"),
    ("water_heater", {"least_c": "47", "setpoint_c": "52", "most_c": "49", "deadband_k": "4"},
     "most_c: 49 must be at least 50, 3 K above least_c, for a narrower band cannot be promised"),
    ("water_heater", {"setpoint_c": "61"}, "setpoint_c: 61 is above most_c (60 C), so that its own "
     "thermostat breaks the promise; lower it, or raise most_c."),
    ("water_heater", {"deadband_k": "9.5"}, "setpoint_c: 52 less deadband_k (9.5 K) is below "
     "least_c (43 C), so that its own thermostat lets the promise go"),
    ("water_heater", {"setpoint_c": "43.5"}, "setpoint_c: 43.5 less deadband_k (1 K) is below"),
    ("hvac", {"cooling_kw": "0", "heating": "none"}, "cooling_kw: 0 leaves a machine that neither"),
    ("hvac", {"heating": "gas", "heating_kw": "9"}, "heating_kw: 9 is the heat of a heat pump"),
    ("hvac", {"heating_kw": "0"}, "heating_kw: 0 is no heat pump; write its size"),
    ("hvac", {"heating": "gas", "auxiliary_kw": "9"}, "auxiliary_kw: 9 is resistance heat, which"),
    ("hvac", {"heat_setpoint_c": "23.9"}, "heat_setpoint_c: 23.9 must be at most 23.4, one "
     "deadband below cool_setpoint_c"),
    ("generator", {"least_kw": "14.5"}, "least_kw: 14.5 is above rated_kw (14 kW), so that"),
    ("generator", {"fuel": "gas", "tank_l": "80"}, "tank_l: 80 is a tank of diesel, and fuel is"),
    ("generator", {"permitted_for_dr": "yes", "cap_h_per_year": "0.4"}, "cap_h_per_year: 0.4 does "
     "not last for one run of 0.5 h; raise it, or write permitted_for_dr no."),
    ("generator", {"permitted_for_dr": "yes", "least_kw": "6"}, "permitted_for_dr: 'yes' is of no "
     "use, because its least load of 6 kW is above the export_limit_kw of its site (5 kW)"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "cells", "sentence"), TOGETHER)
def test_numbers_that_cannot_stand_together_are_refused(kind, cells, sentence, tmp_path):
    errors, _ = told(with_cells(tmp_path, kind, **cells))
    assert any(error.startswith(f"row {ROW[kind]}, {sentence}") for error in errors)


SLIPS = [
    ("water_heater", {"element_kw": "31"}, "element_kw: 31 is above the import_limit_kw of its"),
    ("hvac", {"rated_kw": "31"}, "rated_kw: 31 is above the import_limit_kw of its site"),
    ("pool_pump", {"pump_kw": "31"}, "pump_kw: 31 is above the import_limit_kw of its site"),
    ("dishwasher", {"cycle_kwh": "2.7", "cycle_h": "1"}, "cycle_kwh: 2.7 means 2.7 kW over "
     "cycle_h, where a typical one draws 0.6; check both."),
    ("washer", {"cycle_h": "1.9", "cycle_kwh": "0.2"}, "cycle_kwh: 0.2 means 0.11 kW over cycle_h"),
    ("dryer", {"cycle_kwh": "0.8", "cycle_h": "0.8"}, "cycle_kwh: 0.8 means 1 kW over cycle_h"),
    ("generator", {"fuel_l_per_kwh": "335"}, "fuel_l_per_kwh: 335 lies outside 0.15 to 0.6"),
    ("generator", {"fuel": "gas", "fuel_l_per_kwh": "0.335"}, "fuel_l_per_kwh: 0.335 lies outside "
     "150 to 800; gas is counted in litres, a thousand of a m3: check it."),
    ("generator", {"fuel_price_per_l": "140"}, "fuel_price_per_l: 140 lies outside 0 to 5"),
    ("generator", {"fuel": "gas", "fuel_price_per_l": "0.55"}, "fuel_price_per_l: 0.55 lies"),
    ("generator", {"idle_l_per_h": "30"}, "idle_l_per_h: 30 is more than the load burns"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "cells", "sentence"), SLIPS)
def test_numbers_that_look_like_slips_together_are_warned_of(kind, cells, sentence, tmp_path):
    errors, warnings = told(with_cells(tmp_path, kind, **cells))
    assert errors == []
    assert any(warning.startswith(f"row {ROW[kind]}, {sentence}") for warning in warnings)


def test_every_rule_has_a_case():
    said = {(kind, text.split(":")[0]) for kind, _, text in [*TOGETHER, *SLIPS]}
    said.add(("hvac", "setback_k"))
    assert said == {(kind, rule.column) for kind, rules in FLEXIBLE_RULES.items() for rule in rules}


def test_a_comfort_band_that_the_machine_cannot_promise_is_refused_with_what_it_can(tmp_path):
    """By hand: the air drifts by Q / (UA + Hm) (1 - exp(-t (UA + Hm) / Ca)) while it rests."""
    house = {"ua_kw_per_k": "0.2", "mass_kw_per_k": "4.124", "air_kwh_per_k": "0.45"}
    drift_k = 25.0 / 4.324 * (1.0 - np.exp(-4.324 / 0.45 / 12.0))
    least_k = drift_k - 1.5 + 0.4
    cells = {**house, "cooling_kw": "25", "setback_k": "1"}
    errors, _ = told(with_cells(tmp_path, "hvac", **cells))
    assert errors == [
        f"row 4, setback_k: 1 must be at least {least_k:.2f}, for the machine moves the air by "
        f"{drift_k:.2f} K while its compressor rests and a narrower band cannot be promised; allow "
        "more setback_k or prepare_k, or choose a smaller machine."
    ]
    enough = {**cells, "setback_k": f"{least_k + 1e-6:.6f}"}
    assert told(with_cells(tmp_path, "hvac", **enough))[0] == []


@given(
    setback_k=st.floats(0.0, 4.0), cooling_kw=st.floats(1.0, 60.0), prepare_k=st.floats(0.0, 4.0)
)
@settings(max_examples=60, deadline=None)
def test_the_table_refuses_a_band_exactly_where_sampling_does(
    setback_k, cooling_kw, prepare_k, tmp_path_factory
):
    path = tmp_path_factory.mktemp("fleet") / "homes.csv"
    cells = {"setback_k": setback_k, "cooling_kw": cooling_kw, "prepare_k": prepare_k}
    errors, _ = told(table(path, {"hvac": {**cells, "heating": "gas"}}))
    good = read_fleet(table(path, {"hvac": {"cooling_kw": 7, "heating": "gas"}})).flexible.hvac
    number = {name: torch.tensor([value], dtype=torch.float64) for name, value in cells.items()}
    params = good.params._replace(cooling_kw=number["cooling_kw"])
    agreed = good.agreement._replace(setback_k=number["setback_k"], prepare_k=number["prepare_k"])
    fleet = good._replace(params=params, agreement=agreed)
    drift_k = drift_while_resting_k(params.cooling_kw, good.house, good.rest_h).item()
    width_k = setback_k + min(prepare_k, 0.5 * (24.4 - 20.3)) - 0.4
    if abs(drift_k - width_k) < 1e-6:
        return
    if errors:
        with pytest.raises(InputError, match="comfort band"):
            check_hvac(fleet, "house")
    else:
        check_hvac(fleet, "house")


@pytest.mark.parametrize("kind", FLEXIBLE)
def test_a_second_device_of_a_kind_is_refused(kind, tmp_path):
    rows = [HOME, *({"home_id": "h", "kind": kind, **DEVICES[kind]} for _ in range(2))]
    (error,) = told(of_rows(tmp_path / "homes.csv", rows))[0]
    assert error.startswith(f"row 4, home_id: 'h' has a {kind} in row 3 already; ")


def test_one_report_holds_all_problems_of_all_kinds(tmp_path):
    wrong = {
        "water_heater": {"volume_l": "180 l", "setpoint_c": "125"},
        "hvac": {"insulation": "nrmal", "cooling_kw": "-3"},
        "dishwasher": {"cycle_h": "120", "volume_l": "7"},
        "pool_pump": {"pump_kw": "1.35", "hours_per_day": "24"},
        "generator": {"rated_kw": "14", "fuel": "coal", "permitted_for_dr": "perhaps"},
    }
    with pytest.raises(InputError) as caught:
        read_fleet(table(tmp_path / "homes.csv", wrong))
    assert str(caught.value).splitlines() == [
        "homes.csv has 9 problems:",
        "  row 3, setpoint_c: 125 must be at most 90; looks like Fahrenheit; write C, such as 52.",
        "  row 3, volume_l: '180 l' is no number; write it without its unit, which the column "
        "names.",
        "  row 4, cooling_kw: -3 must be at least 0; write it without a sign, or mend it.",
        "  row 4, insulation: 'nrmal' must be very little, little, below normal, normal, above "
        "normal, good or very good; did you mean 'normal'?",
        "  row 5, cycle_h: 120 must be at most 10; looks like minutes; write hours, such as 1.5.",
        "  row 5, volume_l: 7 means nothing in a row of kind dishwasher; leave the cell blank.",
        "  row 6, hours_per_day: 24 must be at most 14; cannot be done between the timer's morning "
        "hour and midnight; write at most 14.",
        "  row 7, fuel: 'coal' must be gas or diesel; write one of them.",
        "  row 7, permitted_for_dr: 'perhaps' must be yes or no; write one of the two.",
    ]


def test_blank_cells_mean_what_the_help_says(tmp_path):
    cells = {"water_heater": {"volume_l": "170"}, "pool_pump": DEVICES["pool_pump"]}
    cells |= {"hvac": {}, "dishwasher": {}, "generator": {"rated_kw": "10", "fuel": "diesel"}}
    flexible = read_fleet(table(tmp_path / "homes.csv", cells)).flexible
    tank, house, engine = flexible.water_heater, flexible.hvac, flexible.generator
    assert tank.params.element_kw.tolist() == [4.5]
    assert tank.params.pump_kw.tolist() == [0.0]
    assert tank.params.ua_kw_per_k.tolist() == [1.15e-3]
    assert tank.agreement.most_c.tolist() == tank.agreement.set_c.tolist() == [51.7]
    assert tank.agreement.hot_c.tolist() == [51.7]  # without a mixing valve no 60 C
    assert tank.agreement.deadband_k.tolist() == [5.56]
    assert tank.use.tolist() == [1.0]
    # facts.md A4.2: of three bedrooms, 28.8 + 24.4 + 4.3 + 4.4 + 6.7 gal a day.
    assert pytest.approx(68.6 * 3.7854) == DAY_L
    assert house.params.burner.tolist() == [1.0]
    assert house.params.heating_kw.tolist() == house.params.auxiliary_kw.tolist() == [0.0]
    assert house.agreement.setback_k.tolist() == [2.0]
    assert house.cohort.tolist() == time_class(house.house).tolist()
    assert flexible.dishwasher.params.drawn_kwh[0, -1].item() == pytest.approx(1.2)
    assert flexible.pool_pump.params.drawn_kwh[0, -1].item() == pytest.approx(1.35 * 6)
    assert engine.params.least_kw.tolist() == [3.0]
    # 24 h of the idle fuel of 10 kW and of 5 kW.
    assert engine.params.tank_l.item() == pytest.approx(24 * (0.08145 * 10 + 0.246 * 5))
    assert engine.agreement.permitted_for_dr.tolist() == [0.0]
    assert engine.cohort.tolist() == [-1]


def test_floor_and_insulation_give_the_house_of_two_masses(tmp_path):
    """facts.md A5: 2,000 ft2, normal: about 0.45 and 1.81 kWh/K, 4,124 W/K between the masses."""
    cells = {"floor_m2": f"{2000 * 0.09290304}", "insulation": "Normal", "cooling_kw": "14"}
    house = read_fleet(table(tmp_path / "homes.csv", {"hvac": cells})).flexible.hvac.house
    assert house.air_kwh_per_k.item() == pytest.approx(0.45, abs=0.005)
    assert house.mass_kwh_per_k.item() == pytest.approx(1.81, abs=0.005)
    assert house.mass_kw_per_k.item() == pytest.approx(4.124, abs=0.001)


def test_words_may_be_written_with_underscores_and_capitals(tmp_path):
    for word in ("heat pump", "heat_pump", "Heat_Pump"):
        path = with_cells(tmp_path, "hvac", heating=word)
        assert read_fleet(path).flexible.hvac.params.heating_kw.tolist() == [14.0]


def test_homes_without_a_device_have_none(tmp_path):
    devices = [{"home_id": "h", "kind": kind, **cells} for kind, cells in DEVICES.items()]
    rows = [HOME, *devices, {**HOME, "home_id": "empty"}]
    fleet = read_fleet_table(of_rows(tmp_path / "homes.csv", rows)).fleet
    for kind in FLEXIBLE:
        devices = getattr(fleet.flexible, kind)
        assert (devices.rated_kw > 0).tolist() == [True, False]
        assert devices.cohort[1].item() == -1
        assert devices.archetype[1].item() == 0
        map_columns(devices, lambda column: column.isfinite().all() or pytest.fail("no number"))


def test_the_help_states_the_range_of_every_column():
    text = columns_help()
    for kind, columns in KINDS.items():
        assert f"\nkind = {kind}\n" in text
        for column in columns:
            assert f"  {column.name} " in text
            assert f"] {range_of(column)}" in text
