import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.markets.tariff import TABLE_SHAPE, Tariff, tariff_prices
from vpp_envs.markets.tariff_file import read_tariff, tariff_from

GOOD = """\
name: test
currency: EUR
zone: Europe/Berlin
daily_charge: 1
holidays: [2026-04-03, 12-25]
import:
  periods:
    - {name: peak, per_kwh: 0.4, days: weekday, hours: 17-21}
    - {name: rest, per_kwh: 0.3, days: weekday, hours: 21:00-17:00}
    - {name: rest, per_kwh: 0.3, days: [weekend, holiday]}
export:
  per_kwh: 0.08
demand:
  - {name: evening, per_kw: 9, interval_min: 30, months: [1-2, 11-12], hours: [17:00-21:00]}
"""
VALUES = {
    "name": "test",
    "currency": "EUR",
    "zone": "Europe/Berlin",
    "import": {"per_kwh": 0.3},
    "export": "none",
}


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return path

    return write


def refusal(path):
    with pytest.raises(InputError) as found:
        read_tariff(path)
    return str(found.value)


def test_a_file_says_all_that_a_tariff_is(file):
    tariff = read_tariff(file(GOOD))
    assert (tariff.name, tariff.currency, tariff.zone) == ("test", "EUR", "Europe/Berlin")
    assert tariff.daily_charge == 1.0
    assert [str(day) for day in tariff.holidays] == ["2026-04-03"]
    assert tariff.yearly_holidays == ((12, 25),)
    assert tariff.imports.names == ("peak", "rest")  # rest stands there twice at one price
    assert np.unique(tariff.imports.per_kwh).tolist() == [0.3, 0.4]
    assert tariff.exports.names == ("flat",)
    assert not tariff.needs_wholesale
    (charge,) = tariff.demand
    assert (charge.name, charge.per_kw, charge.interval_s) == ("evening", 9.0, 1800)
    hours = charge.applies[:, :, ::60]
    assert hours.any(axis=(1, 2)).nonzero()[0].tolist() == [0, 1, 10, 11]
    assert hours.any(axis=(0, 1)).nonzero()[0].tolist() == [17, 18, 19, 20]


@pytest.mark.parametrize("export", ["none", "null", "{per_kwh: 0}"])
def test_no_export_payment_is_a_price_of_zero(file, export):
    tariff = read_tariff(file(GOOD.replace("\n  per_kwh: 0.08", f" {export}")))
    assert not tariff.exports.per_kwh.any()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("name: test\n", "", "mine.yaml, name: is missing; add it."),
        ("name: test", "name: on", "line 1, name: True must be text; put it in quotes (YAML"),
        ("EUR", "euro", "line 2, currency: 'euro' must be an ISO 4217 code"),
        ("EUR", "12", "line 2, currency: 12 must be an ISO 4217 code"),
        ("Europe/Berlin", "Europe/Berln", "line 3, zone: 'Europe/Berln' is no IANA time zone; did"),
        ("daily_charge: 1", "dayly_charge: 1", "line 4, dayly_charge: is no key here; did you mea"),
        ("daily_charge: 1", "daily_charge: 1 EUR", "line 4, daily_charge: '1 EUR' must be a"),
        ("daily_charge: 1", "daily_charge: .inf", "line 4, daily_charge: inf must be a number"),
        ("daily_charge: 1", "daily_charge: yes", "line 4, daily_charge: True must be a number"),
        ("12-25]", "12-32]", "line 5, holidays[1]: '12-32' must be a date; write 2026-04-03, or"),
        ("[2026-04-03, 12-25]", "12-25", "line 5, holidays: '12-25' must be a list; write [..]"),
        ("hours: 17-21", "hours: 17-25", "line 8, import.periods[0].hours: '17-25' must lie in"),
        ("hours: 17-21", "hours: 17-17", "start and end apart"),
        ("hours: 17-21", "hours: 17:60-21", "'17:60-21' must lie in 00:00 to 24:00"),
        ("hours: 17-21", "hours: 17", "import.periods[0].hours: 17 must be hours; write all, a w"),
        ("hours: 17-21", "hours: []", "import.periods[0].hours: [] is empty"),
        ("hours: 17-21", "months: 0-3", "import.periods[0].months: '0-3' must be months; write a"),
        ("days: weekday, hours: 17", "days: monday, hours: 17", "'monday' must be kinds of day"),
        ("per_kwh: 0.4", "per_kwh: [0.4, 0.5]", "line 8, import.periods[0].per_kwh: [0.4, 0.5] ha"),
        ("per_kwh: 0.4", f"per_kwh: [{', '.join(['0.4'] * 24)}]", "has 24 prices and hours; leave"),
        ("per_kwh: 0.4", "price: 0.4", "import.periods[0].per_kwh: is missing"),
        ("per_kwh: 0.4", "per_kwh: 40", "line 6, import: 40 EUR a kWh looks like cents"),
        ("\n  per_kwh: 0.08", " 0.08", "line 11, export: 0.08 must be a mapping; write key: value"),
        ("  per_kwh: 0.08", "  wholesale_factor: 0", "export: has no price; add per_kwh, periods,"),
        ("  per_kwh: 0.08", "  per_kwh: 1\n  table: x.csv", "export: has per_kwh and table; keep"),
        ("interval_min: 30", "interval_min: 20", "line 14, demand[0].interval_min: 20 must be 15,"),
        ("[17:00-21:00]", "17:15-21:00", "line 14, demand[0]: has hours that cut an interval of 3"),
        ("hours: 17-21", "hours: 17-20", "weekday 20:00-21:00 in Jan-Dec has no price; add a per"),
        ("hours: 17-21", "hours: 16-21", "weekday 16:00-17:00 in Jan-Dec has 2 prices, 'peak' and"),
        ("[weekend, holiday]", "weekend", "line 6, import: holiday 00:00-24:00 in Jan-Dec has no"),
        ("zone:", "currency: EUR\nzone:", "line 3, currency: stands in line 2 already; keep one."),
    ],
)  # fmt: skip
def test_one_problem_is_one_sentence_with_line_key_value_rule_and_fix(file, old, new, sentence):
    assert old in GOOD
    text = refusal(file(GOOD.replace(old, new, 1)))
    assert sentence in text
    if "price: 0.4" not in new:
        assert text.startswith("mine.yaml, ")
        assert "\n" not in text


def test_a_period_may_name_holidays_beside_weekends_where_none_are_listed(file):
    tariff = read_tariff(file(GOOD.replace("holidays: [2026-04-03, 12-25]\n", "")))
    assert tariff.holidays == tariff.yearly_holidays == ()


def test_all_problems_are_in_one_report_in_the_order_of_the_file(file):
    bad = (
        GOOD.replace("EUR", "euro")
        .replace("hours: 17-21", "hours: 17-20")
        .replace("interval_min: 30", "interval_min: 7")
        .replace("per_kwh: 0.08", "per_kwh: 8c")
        .replace("daily_charge", "dayly_charge")
    )
    head, *problems = refusal(file(bad)).splitlines()
    assert head == "mine.yaml has 5 problems:"
    found = [re.match(r"  line (\d+), ([^:]+): ", problem).groups() for problem in problems]
    assert found == [
        ("2", "currency"),
        ("4", "dayly_charge"),
        ("6", "import"),
        ("12", "export.per_kwh"),
        ("14", "demand[0].interval_min"),
    ]


def test_holidays_that_cannot_be_read_still_need_a_price(file):
    bad = GOOD.replace("12-25]", "12-32]").replace("[weekend, holiday]", "weekend")
    _, first, second = refusal(file(bad)).splitlines()
    assert "line 5, holidays[1]: '12-32' must be a date" in first
    assert "line 6, import: holiday 00:00-24:00 in Jan-Dec has no price" in second


def test_holes_and_overlaps_name_months_kinds_of_day_and_hours_together():
    periods = [
        {"name": "a", "per_kwh": 0.3, "months": "6-9", "days": "weekday", "hours": "00:00-12:00"},
        {"name": "b", "per_kwh": 0.3, "months": "6-8", "days": "weekday", "hours": "11:30-24:00"},
        {"name": "c", "per_kwh": 0.3, "months": "10-5"},
        {"name": "d", "per_kwh": 0.3, "months": [6, 7, 9], "days": "weekend"},
        {"name": "e", "per_kwh": 0.3, "months": 8, "days": "holiday"},
    ]
    with pytest.raises(InputError) as found:
        tariff_from({**VALUES, "import": {"periods": periods}})
    assert str(found.value).splitlines()[1:] == [
        "  import: 'e' names holidays and none are listed; add them under holidays, "
        "or take it out.",
        "  import: weekday 11:30-12:00 in Jun-Aug has 2 prices, 'a' and 'b'; shorten all but one.",
        "  import: weekday 12:00-24:00 in Sep has no price; add a period or widen one.",
        "  import: weekend 00:00-24:00 in Aug has no price; add a period or widen one.",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "mine.yaml holds no keys; expected a tariff, `vpp tariff template` writes one."),
        ("- a\n", "mine.yaml holds no keys"),
        ("a: [1\n", "mine.yaml, line 2 is not valid YAML: "),
        ("a: !!python/object:os.system x\n", "mine.yaml, line 1 is not valid YAML: could not dete"),
        ("a: &a [*a]\n", "a: is no key here"),
        ("1: 2\n", "name: is missing"),
        ("holidays: [2026-02-30]\n", "mine.yaml holds a date or a number that is none (day "),
    ],
)
def test_files_that_are_no_tariff_are_refused(file, text, sentence):
    assert sentence in refusal(file(text))


def test_missing_binary_and_folder_are_refused(tmp_path):
    assert "is a folder; expected one tariff file" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "no.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe")
    assert "b.yaml is not text in UTF-8" in refusal(tmp_path / "b.yaml")


def table_csv(header="month,hour,weekday,weekend", more=lambda month, hour: ""):
    rows = [
        f"{month},{hour},{month / 100 + hour / 1000:.3f},0.5{more(month, hour)}"
        for month in range(1, 13)
        for hour in range(24)
    ]
    return "\n".join([header, *rows]) + "\n"


def export_table(tmp_path, text, **keys):
    (tmp_path / "acc.csv").write_text(text)
    return tariff_from({**VALUES, "export": {"table": "acc.csv"}, **keys}, "mine.yaml", tmp_path)


def test_a_net_billing_table_of_576_values_prices_each_hour_of_each_month(tmp_path):
    tariff = export_table(tmp_path, table_csv(), holidays=["09-07"])
    assert tariff.exports.per_kwh.shape == TABLE_SHAPE
    # Monday 7 September 2026 is a holiday, the day after is none; Berlin is two hours ahead.
    gain = tariff_prices(tariff, np.datetime64("2026-09-06T22:00"), 3600, 48)[1].tolist()
    assert gain[:24] == [0.5] * 24
    assert gain[24:] == pytest.approx([0.09 + hour / 1000 for hour in range(24)])


def test_a_table_may_price_holidays_apart(tmp_path):
    text = table_csv("month,hour,weekday,weekend,holiday", lambda month, hour: ",0.7")
    tariff = export_table(tmp_path, text, holidays=["09-07"])
    gain = tariff_prices(tariff, np.datetime64("2026-09-06T21:00"), 3600, 2)[1].tolist()
    assert gain == [0.5, 0.7]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t.replace("weekend", "sunday"),
            "row 1: the column weekend is missing; expected",
        ),
        (lambda t: t.replace("\n3,7,", "\n3,8,"), "row 58: month 3, hour 8 is out of range or sta"),
        (lambda t: t.replace("\n1,0,", "\n13,0,"), "row 2: month 13, hour 0 is out of range"),
        (lambda t: t.replace("\n1,0,", "\n1.5,0,"), "row 2: month 1.5, hour 0 is out of range"),
        (lambda t: t.replace("\n1,0,", "\n1,24,"), "row 2: month 1, hour 24 is out of range"),
        (lambda t: t.replace("0.010", "nan"), "row 2, column weekday: 'nan' is not a number"),
        (lambda t: t.replace("0.010", "1c"), "row 2, column weekday: '1c' is not a number"),
        (lambda t: t.replace("0.010", "12"), "acc.csv: 12 EUR a kWh looks like cents"),
        (lambda t: t + "1,0,0.1,0.1\n", "row 290: month 1, hour 0 is out of range or stands there"),
        (lambda t: t[: len(t) // 2], "acc.csv"),
    ],
)
def test_a_damaged_table_is_refused_by_row_and_column(tmp_path, change, sentence):
    assert change(table_csv()) != table_csv()
    with pytest.raises(InputError, match=re.escape(sentence)):
        export_table(tmp_path, change(table_csv()))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["all", "weekday", "1-3", "17-21", "none", "EUR", "12-25"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["per_kwh", "periods", "name", "hours", "months", "days", "table", 7]),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150)
@given(
    key=st.sampled_from([*VALUES, "holidays", "demand", "daily_charge"]),
    value=ANYTHING,
)
def test_whatever_stands_at_a_key_is_a_tariff_or_an_input_error(key, value, tmp_path_factory):
    # Any other error fails the test.
    with suppress(InputError):
        tariff = tariff_from({**VALUES, key: value}, folder=tmp_path_factory.getbasetemp())
        assert isinstance(tariff, Tariff)


@settings(max_examples=150)
@given(
    place=st.integers(0, len(GOOD)),
    cut=st.integers(0, 12),
    put=st.text(alphabet="0123456789-:.,[]{}#&*!?|>%@`'\"\\ \n\tabcé", max_size=5),
)
def test_a_file_with_a_slip_anywhere_is_a_tariff_or_an_input_error(
    place, cut, put, tmp_path_factory
):
    path = tmp_path_factory.getbasetemp() / "slip.yaml"
    path.write_text(GOOD[:place] + put + GOOD[place + cut :])
    with suppress(InputError):
        assert isinstance(read_tariff(path), Tariff)
