import csv

import pytest

from vpp_envs.errors import InputError
from vpp_envs.fleet.columns import KINDS, column_names, columns_help
from vpp_envs.fleet.table import inspect_fleet, read_fleet
from vpp_envs.fleet.table_rules import RULES

# Row 2 to 5 of the table below; everything that is optional is named once.
SITE = {
    "import_limit_kw": "14.5",
    "export_limit_kw": "5",
    "load_mean_kw": "0.6",
    "load_archetype": "31",
    "homeowner_share": "0.8",
}
BATTERY = {
    "usable_kwh": "13.5",
    "charge_kw": "5",
    "discharge_kw": "5",
    "round_trip_eff": "0.9",
    "standing_loss_kw": "0.02",
    "wear_per_kwh": "0.04",
    "reserve_pct": "20",
}
SOLAR = {"ac_kw": "6", "archetype": "23"}
CAR = {
    "capacity_kwh": "60",
    "charge_kw": "7.2",
    "discharge_kw": "7",
    "least_charge_kw": "1.44",
    "charge_eff": "0.92",
    "discharge_eff": "0.92",
    "taper_fill": "0.95",
    "wear_per_kwh": "0.07",
    "drive_kwh_per_km": "0.18",
    "target_pct": "85",
    "minimum_pct": "40",
    "managed": "yes",
    "archetype": "31",
}
GOOD = [
    {"home_id": "h", "kind": kind, **cells}
    for kind, cells in (("site", SITE), ("battery", BATTERY), ("solar", SOLAR), ("ev", CAR))
]


def table(path, rows, header=None):
    with path.open("w") as file:
        writer = csv.DictWriter(file, header or column_names(), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def told(path):
    """All that is said about a table: errors, warnings."""
    fleet, problems = inspect_fleet(path)
    errors = [problem.told("row") for problem in problems if not problem.warning]
    assert (fleet is None) == bool(errors)
    return errors, [problem.told("row") for problem in problems if problem.warning]


def changed(row, column, cell):
    """The good table with one cell changed; rows are numbered as in a file."""
    return [
        {**cells, column: cell} if number == row else cells for number, cells in enumerate(GOOD, 2)
    ]


def test_the_table_that_the_cases_change_is_good(tmp_path):
    assert told(table(tmp_path / "homes.csv", GOOD)) == ([], [])


POSITIVE = "must be above 0; write it without a sign, or mend it."
NO_SIGN = "must be at least 0; write it without a sign, or mend it."
PERCENT = "must be at most 1; looks like percent; write a share such as 0.9."
NEEDS = "is blank; every row of kind {} needs it."
ERRORS = [
    (2, "import_limit_kw", "", NEEDS.format("site")),
    (2, "import_limit_kw", "-14.5", f"-14.5 {NO_SIGN}"),
    (2, "export_limit_kw", "", NEEDS.format("site")),
    (2, "export_limit_kw", "five", "'five' is no number; write it plainly, such as 13.5."),
    (2, "load_mean_kw", "-0.6", f"-0.6 {NO_SIGN}"),
    (2, "load_archetype", "32", "32 must be a whole number from 0 to 31; leave it blank for a "
     "random one."),
    (2, "connection", "7", "7 needs connection_kw beside it; write what the home brings to the "
     "limit, in kW."),
    (2, "connection", "1.5", "1.5 must be a whole number from 0 to 999999999; number the "
     "connections, and leave it blank where none is shared."),
    (2, "connection_kw", "4", "4 needs connection beside it; write one number for all that share "
     "the connection."),
    (2, "connection_kw", "0", "0 must be above 0; write it without a sign, or mend it."),
    (2, "chargers", "0", "0 must be above 0; write it without a sign, or mend it."),
    (2, "chargers", "2", "2 must be at most 1; looks like all chargers there; write this one's "
     "part, such as 0.5."),
    (2, "load_archetype", "1.5", "1.5 must be a whole number from 0 to 31; leave it blank for a "
     "random one."),
    (2, "homeowner_share", "80", "80 must be at most 1; looks like percent; write a share such as "
     "0.8."),
    (2, "homeowner_share", "-0.1", f"-0.1 {NO_SIGN}"),
    (3, "usable_kwh", "0", f"0 {POSITIVE}"),
    (3, "usable_kwh", "", NEEDS.format("battery")),
    (3, "charge_kw", "0", f"0 {POSITIVE}"),
    (3, "charge_kw", "5 kW", "'5 kW' is no number; write it without its unit, which the column "
     "names."),
    (3, "charge_kw", "4,6", "'4,6' is no number; write a point instead of the comma."),
    (3, "discharge_kw", "-5", f"-5 {POSITIVE}"),
    (3, "discharge_kw", "", NEEDS.format("battery")),
    (3, "round_trip_eff", "90", f"90 {PERCENT}"),
    (3, "round_trip_eff", "0", f"0 {POSITIVE}"),
    (3, "standing_loss_kw", "nan", "nan is not finite; write a number."),
    (3, "standing_loss_kw", "-1", f"-1 {NO_SIGN}"),
    (3, "wear_per_kwh", "inf", "inf is not finite; write a number."),
    (3, "reserve_pct", "", "is blank, and so is reserve_kwh; fill in one, because what stays for "
     "backup is a promise."),
    (3, "reserve_pct", "120", "120 must be at most 100; write per cent of the capacity, "
     "such as 20."),
    (3, "ac_kw", "3", "3 means nothing in a row of kind battery; leave the cell blank."),
    (4, "ac_kw", "0", f"0 {POSITIVE}"),
    (4, "archetype", "24", "24 must be a whole number from 0 to 23; leave it blank for a random "
     "one."),
    (4, "charge_kw", "1", "1 means nothing in a row of kind solar; leave the cell blank."),
    (5, "capacity_kwh", "-60", f"-60 {POSITIVE}"),
    (5, "charge_kw", "", NEEDS.format("ev")),
    (5, "discharge_kw", "-7", f"-7 {NO_SIGN}"),
    (5, "least_charge_kw", "7.3", "7.3 is above charge_kw, so that the car never charges; lower "
     "it, or leave it blank."),
    (5, "charge_eff", "1.01", f"1.01 {PERCENT}"),
    (5, "discharge_eff", "0", f"0 {POSITIVE}"),
    (5, "taper_fill", "95", f"95 {PERCENT}"),
    (5, "target_pct", "", "is blank, and so is target_kwh; fill in one, because what is stored at "
     "departure is a promise."),
    (5, "minimum_pct", "", "is blank, and so is minimum_kwh; fill in one, because the car "
     "discharges."),
    (5, "minimum_pct", "86", "86 is above the target; lower it, or raise the target."),
    (5, "managed", "maybe", "'maybe' must be yes or no; write one of the two."),
    (5, "managed", "2", "2 must be yes or no; write one of the two."),
    (5, "habit", "midnigth", "'midnigth' must be at once, midnight or last moment; did you mean "
     "'midnight'?"),
    (5, "habit", "1", "1 must be at once, midnight or last moment; write one of them."),
    (3, "habit", "midnight", "'midnight' means nothing in a row of kind battery; leave the cell "
     "blank."),
    (5, "archetype", "-1", "-1 must be a whole number from 0 to 55; leave it blank for a random "
     "one."),
    (5, "home_id", "", "is blank; name the home by a number or text."),
    (5, "kind", "EVs", "'EVs' is no kind of row; did you mean 'ev'?"),
    (5, "kind", "heat pump", "'heat pump' is no kind of row; write site, battery, solar, "
     "ev, water_heater, hvac, dishwasher, washer, dryer, pool_pump, generator."),
    (5, "home_id", "i", "'i' has no row of kind site; add one with the limits that were agreed "
     "on."),
]  # fmt: skip


@pytest.mark.parametrize(("row", "column", "cell", "sentence"), ERRORS)
def test_every_error_is_one_line_with_row_column_value_rule_and_fix(
    row, column, cell, sentence, tmp_path
):
    path = table(tmp_path / "homes.csv", changed(row, column, cell))
    assert told(path) == ([f"row {row}, {column}: {sentence}"], [])


WATTS = "looks like W; write kW, such as 5."
WATT_HOURS = "looks like Wh; write kWh, such as 13.5."
SHARE = "is per cent and looks like a share; write 20 for 20 %."
WARNINGS = [
    (2, "import_limit_kw", "14500", f"14500 {WATTS}"),
    (2, "export_limit_kw", "5000", f"5000 {WATTS}"),
    (2, "import_limit_kw", "0.5", "0.5 is below load_mean_kw, so that the home alone is beyond it; "
     "check both."),
    (2, "load_mean_kw", "14", "14 looks like W, or like kWh a day; write the mean in kW, such as "
     "0.6."),
    (3, "usable_kwh", "13500", f"13500 {WATT_HOURS}"),
    (3, "charge_kw", "15", "15 is above the import_limit_kw of its site, so that the battery never "
     "charges at full power; check both."),
    (3, "discharge_kw", "1.3", "1.3 takes more than 10 h to empty the battery; check usable_kwh "
     "and discharge_kw."),
    (3, "discharge_kw", "5000", f"5000 {WATTS}"),
    (3, "round_trip_eff", "0.5", "0.5 is unusually low; check it."),
    (3, "standing_loss_kw", "20", "20 looks like W; write kW, such as 0.02."),
    (3, "wear_per_kwh", "4", "4 looks like cents, or like a price of a MWh; write currency a kWh, "
     "such as 0.04."),
    (3, "reserve_pct", "81", "81 keeps more than 80 % of the capacity, which leaves little to "
     "dispatch; check it."),
    (3, "reserve_pct", "0.2", f"0.2 {SHARE}"),
    (4, "ac_kw", "6000", f"6000 {WATTS}"),
    (5, "capacity_kwh", "60000", f"60000 {WATT_HOURS}"),
    (5, "charge_kw", "22", "22 is above the import_limit_kw of its site, so that the car never "
     "charges at full power; check both."),
    (5, "charge_eff", "0.5", "0.5 is unusually low; check it."),
    (5, "drive_kwh_per_km", "18", "18 looks like Wh/km, or like kWh/100 km; write kWh/km, such as "
     "0.18."),
    (5, "drive_kwh_per_km", "0.04", "0.04 is unusually low; check it."),
    (5, "minimum_pct", "0.4", f"0.4 {SHARE}"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "column", "cell", "sentence"), WARNINGS)
def test_every_slip_is_a_warning_and_the_table_may_stand(row, column, cell, sentence, tmp_path):
    errors, warnings = told(table(tmp_path / "homes.csv", changed(row, column, cell)))
    assert errors == []
    assert f"row {row}, {column}: {sentence}" in warnings
    # What follows is said, too: 13,500 kWh take long to empty, and both chargers exceed 0.5 kW.
    assert len(warnings) <= 3


def test_a_car_that_nobody_manages_and_that_may_discharge_looks_like_a_slip(tmp_path):
    assert told(table(tmp_path / "homes.csv", changed(5, "managed", "no"))) == (
        [],
        [
            "row 5, discharge_kw: 7 is never used, because the car is not managed; write managed "
            "yes, or discharge_kw 0."
        ],
    )


def test_a_target_given_as_a_share_is_seen_beside_the_minimum(tmp_path):
    errors, warnings = told(table(tmp_path / "homes.csv", changed(5, "target_pct", "0.85")))
    assert errors == ["row 5, minimum_pct: 40 is above the target; lower it, or raise the target."]
    assert warnings == [f"row 5, target_pct: 0.85 {SHARE}"]


@pytest.mark.parametrize(
    ("row", "part", "kwh", "sentence"),
    [
        (3, "reserve", "13.6", "13.6 is more than usable_kwh; write what is kept of it."),
        (5, "target", "60.5", "60.5 is more than capacity_kwh; write what is stored at departure."),
        (5, "minimum", "51.5", "51.5 is above the target; lower it, or raise the target."),
    ],
)
def test_parts_in_kwh_are_held_against_the_capacity(row, part, kwh, sentence, tmp_path):
    rows = changed(row, f"{part}_kwh", kwh)
    both = told(table(tmp_path / "both.csv", rows))[0]
    assert both[-1] == (
        f"row {row}, {part}_pct: {rows[row - 2][f'{part}_pct']} stands beside {part}_kwh; "
        "keep one of the two."
    )
    rows[row - 2][f"{part}_pct"] = ""
    assert told(table(tmp_path / "homes.csv", rows))[0] == [f"row {row}, {part}_kwh: {sentence}"]


def test_a_large_reserve_in_kwh_is_named_by_its_column(tmp_path):
    rows = changed(3, "reserve_kwh", "13")
    rows[1]["reserve_pct"] = ""
    assert told(table(tmp_path / "homes.csv", rows))[1] == [
        "row 3, reserve_kwh: 13 keeps more than 80 % of the capacity, which leaves little to "
        "dispatch; check it."
    ]


TWICE = {
    "site": "keep one row with what was agreed on",
    "battery": "join the two in one row: add their usable_kwh, charge_kw and discharge_kw",
    "solar": "join the two in one row: add their ac_kw",
    "ev": "one car a home can be simulated: take one out, or give it a home_id and a site row",
}


@pytest.mark.parametrize(("row", "kind"), list(enumerate(TWICE, 2)))
def test_a_second_device_of_a_kind_is_refused_and_the_sentence_says_how_to_join(
    row, kind, tmp_path
):
    path = table(tmp_path / "homes.csv", [*GOOD, GOOD[row - 2]])
    assert told(path)[0] == [
        f"row 6, home_id: 'h' has a {kind} in row {row} already; {TWICE[kind]}."
    ]


def test_columns_that_are_missing_or_unknown_are_said_once(tmp_path):
    header = [name for name in column_names() if name not in ("charge_kw", "ac_kw")]
    rows = [{k: v for k, v in row.items() if k in header} for row in GOOD] * 2
    rows = [{**row, "home_id": str(at // 4), "Ac_kW": "", "x": ""} for at, row in enumerate(rows)]
    assert told(table(tmp_path / "homes.csv", rows, [*header, "Ac_kW", "x"]))[0] == [
        "row 1, Ac_kW: is no column here; did you mean 'ac_kw'?",
        "row 1, ac_kw: is missing; add the column for rows of solar.",
        "row 1, charge_kw: is missing; add the column for rows of battery and ev.",
        "row 1, x: is no column here; take it out.",
    ]


def test_without_ids_or_kinds_nothing_else_is_said(tmp_path):
    path = tmp_path / "homes.csv"
    path.write_text("home,knd,usable_kwh\n7,battery,-1\n")
    assert told(path)[0] == [
        "row 1, home: is no column here; did you mean 'home_id'?",
        "row 1, home_id: is missing; add the column.",
        "row 1, kind: is missing; add the column.",
        "row 1, knd: is no column here; did you mean 'kind'?",
    ]


BAD = """\
home_id,kind,import_limit_kw,export_limit_kw,load_mean_kw,homeowner_share,usable_kwh,charge_kw,\
discharge_kw,round_trip_eff,reserve_pct,reserve_kwh,capacty_kwh,ac_kw,archetype
a,site,14.5,5,0.6,80,,,,,,,,,
a,battery,,,,,13500,5,5,90,0.2,,,,
a,battery,,,,,13.5,"5,0",-5,0.9,20,,,3,
b,site,0.3,5,0.6,,,,,,,,,,
b,battery,,,,,13.5,5,1,nan,,14,,,
b,batt,,,,,,,,,,,,,
,solar,,,,,,,,,,,,,
c,solar,,,,,,,,,,,,,99
b,ev,,,,,,7 kW,,,,,,,
"""


def test_one_report_holds_everything_that_is_wrong(tmp_path):
    path = tmp_path / "homes.csv"
    path.write_text(BAD)
    with pytest.raises(InputError) as caught:
        read_fleet(path)
    assert str(caught.value).splitlines() == [
        "homes.csv has 17 problems:",
        "  row 1, capacity_kwh: is missing; add the column for rows of ev.",
        "  row 1, capacty_kwh: is no column here; did you mean 'capacity_kwh'?",
        "  row 2, homeowner_share: 80 must be at most 1; looks like percent; write a share such as "
        "0.8.",
        "  row 3, round_trip_eff: 90 must be at most 1; looks like percent; write a share such as "
        "0.9.",
        "  row 4, ac_kw: 3 means nothing in a row of kind battery; leave the cell blank.",
        "  row 4, charge_kw: '5,0' is no number; write a point instead of the comma.",
        "  row 4, discharge_kw: -5 must be above 0; write it without a sign, or mend it.",
        "  row 4, home_id: 'a' has a battery in row 3 already; join the two in one row: add their "
        "usable_kwh, charge_kw and discharge_kw.",
        "  row 6, reserve_kwh: 14 is more than usable_kwh; write what is kept of it.",
        "  row 6, round_trip_eff: nan is not finite; write a number.",
        "  row 7, kind: 'batt' is no kind of row; did you mean 'battery'?",
        "  row 8, home_id: is blank; name the home by a number or text.",
        "  row 9, ac_kw: is blank; every row of kind solar needs it.",
        "  row 9, archetype: 99 must be a whole number from 0 to 23; leave it blank for a random "
        "one.",
        "  row 9, home_id: 'c' has no row of kind site; add one with the limits that were agreed "
        "on.",
        "  row 10, charge_kw: '7 kW' is no number; write it without its unit, which the column "
        "names.",
        "  row 10, target_pct: is blank, and so is target_kwh; fill in one, because what is stored "
        "at departure is a promise.",
    ]
    assert told(path)[1] == [
        "row 3, discharge_kw: 5 takes more than 10 h to empty the battery; check usable_kwh and "
        "discharge_kw.",
        f"row 3, reserve_pct: 0.2 {SHARE}",
        f"row 3, usable_kwh: 13500 {WATT_HOURS}",
        "row 5, import_limit_kw: 0.3 is below load_mean_kw, so that the home alone is beyond it; "
        "check both.",
        "row 6, charge_kw: 5 is above the import_limit_kw of its site, so that the battery never "
        "charges at full power; check both.",
        "row 6, discharge_kw: 1 takes more than 10 h to empty the battery; check usable_kwh and "
        "discharge_kw.",
    ]


def test_every_rule_and_every_column_has_a_case():
    said = {(GOOD[row - 2]["kind"], column) for row, column, *_ in [*ERRORS, *WARNINGS]}
    for kind in TWICE:  # flexible devices: see test_table_flexible_check.py
        columns = KINDS[kind]
        names = {column.name for column in columns if not column.name.endswith("_kwh")}
        names |= {column.name for column in columns if column.least == 0.0 and not column.zero}
        assert {(kind, name) for name in names} <= said | {
            ("ev", "wear_per_kwh"),
            ("ev", "drive_kwh_per_km"),
        }
        for rule in RULES[kind]:
            assert rule.column in {column.name for column in columns}


def test_the_help_names_every_column():
    for name in column_names()[2:]:
        assert f"  {name} " in columns_help()
