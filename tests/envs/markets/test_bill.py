from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.markets.bill import Line, bill
from vpp_envs.markets.tariff import tariff_prices
from vpp_envs.markets.tariff_file import tariff_from

NIGHT = {"name": "night", "per_kwh": 0.20, "hours": "22:00-06:00"}
DAY = {"name": "day", "per_kwh": 0.40, "hours": "06:00-22:00"}


def tariff(zone="Etc/UTC", periods=(NIGHT, DAY), currency="AUD", **keys):
    values = {"name": "t", "currency": currency, "zone": zone, "export": {"per_kwh": 0.05}}
    return tariff_from({**values, "import": {"periods": list(periods)}, **keys})


def kwh(*values):
    return torch.tensor(values, dtype=torch.float64)


def ones(ticks):
    return torch.ones(ticks, dtype=torch.float64)


def rows(of):
    return [
        (line.month, line.label, round(line.quantity, 9), line.unit, round(line.rate, 9))
        for line in of.lines
    ]


def test_a_bill_by_hand():
    """Two hours of June at night, 21:00 to 23:00, then nothing but export until July has begun."""
    of = tariff(daily_charge=1.10)
    imported = kwh(2.0, 3.0, 0.0, 0.5)  # 21:00, 22:00, 23:00 on the 30th, 00:00 on the 1st
    exported = kwh(0.0, 0.0, 1.0, 0.0)
    owed = bill(of, np.datetime64("2026-06-30T21:00"), 3600, imported, exported)
    assert rows(owed) == [
        ("2026-06", "Daily charge", 1.0, "day", 1.10),
        ("2026-06", "Import, night", 3.0, "kWh", 0.20),
        ("2026-06", "Import, day", 2.0, "kWh", 0.40),
        ("2026-06", "Export, flat", 1.0, "kWh", -0.05),
        ("2026-07", "Daily charge", 1.0, "day", 1.10),
        ("2026-07", "Import, night", 0.5, "kWh", 0.20),
    ]
    assert [line.rounded for line in owed.lines] == list(
        map(Decimal, ("1.10", "0.60", "0.80", "-0.05", "1.10", "0.10"))
    )
    assert owed.of("2026-06").total == Decimal("2.45")
    assert owed.of("2026-07").total == Decimal("1.20")
    assert owed.total == Decimal("3.65")
    assert owed.months == ("2026-06", "2026-07")


def test_the_total_is_the_sum_of_the_rounded_lines():
    of = tariff(daily_charge=0.104)
    owed = bill(of, np.datetime64("2026-06-01T12:00"), 3600, kwh(0.01), kwh(0.0))
    assert [line.amount for line in owed.lines] == pytest.approx([0.104, 0.004])
    assert owed.amount == pytest.approx(0.108)
    assert owed.total == Decimal("0.10")  # 0.10 + 0.00, where the sum would round to 0.11


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [
        (1.005, "1.01"),  # 1.00499999999999989 in binary
        (1.05 * 1.9, "2.00"),  # 1.995 by hand, 1.9949999999999999 in float64
        (-1.005, "-1.01"),
        (0.0049999, "0.00"),
        (-0.004, "0.00"),
        (2.675, "2.68"),
        (123456.785, "123456.79"),
    ],
)
def test_halves_of_a_cent_are_rounded_away_from_zero(amount, rounded):
    assert str(Line("2026-01", "x", 1.0, "kWh", amount, amount).rounded) == rounded


@pytest.mark.parametrize(
    ("zone", "midnight_utc", "quarters", "night_quarters"),
    [
        ("Europe/Berlin", "2026-03-28T23:00", 92, 28),
        ("Europe/Berlin", "2026-10-24T22:00", 100, 36),
        ("America/New_York", "2026-03-08T05:00", 92, 28),
        ("America/New_York", "2026-11-01T04:00", 100, 36),
        ("Australia/Lord_Howe", "2026-04-04T13:00", 98, 34),
        ("Australia/Lord_Howe", "2026-10-03T13:30", 94, 30),
        ("Australia/Brisbane", "2026-10-03T14:00", 96, 32),
    ],
)
def test_a_day_of_23_or_25_hours_is_one_day_and_billed_for_its_hours(
    zone, midnight_utc, quarters, night_quarters
):
    of = tariff(zone, daily_charge=1.0)
    start = np.datetime64(midnight_utc)
    owed = bill(of, start, 900, ones(quarters), ones(quarters))
    assert [(line.label, line.quantity) for line in owed.lines] == [
        ("Daily charge", 1.0),
        ("Import, night", night_quarters),
        ("Import, day", 64.0),
        ("Export, flat", quarters),
    ]
    exact = 1.0 + 0.2 * night_quarters + 0.4 * 64 - 0.05 * quarters
    assert owed.amount == pytest.approx(exact, abs=1e-12)
    # The quarter-hour after the day is the next one.
    longer = bill(of, start, 900, ones(quarters + 1), ones(quarters + 1))
    assert longer.lines[0].quantity == 2.0


def test_the_clock_of_the_tariff_says_which_month_it_is():
    of = tariff("Australia/Lord_Howe", daily_charge=1.0)
    owed = bill(of, np.datetime64("2026-06-30T13:00"), 1800, ones(2), torch.zeros(2))
    assert owed.months == ("2026-06", "2026-07")  # 23:30 on the 30th and 00:00 on the 1st, +10:30


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    zone=st.sampled_from(("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
    start=st.sampled_from(("2026-03-07T00:00", "2026-10-03T00:00", "2026-10-24T00:00")),
)
def test_a_bill_is_energy_times_price_tick_by_tick_and_additive(seed, zone, start):
    of = tariff(
        zone,
        **{"import": {"wholesale_factor": 1.1, "periods": [NIGHT, DAY]}},
        export={"wholesale_factor": 0.9, "per_kwh": -0.01},
    )
    draw = torch.Generator().manual_seed(seed)
    imported, exported, price = torch.rand(3, 400, generator=draw, dtype=torch.float64) * 3
    price = 300 * price - 200
    first = np.datetime64(start)
    cost, gain = tariff_prices(of, first, 1800, 400, price)
    owed = bill(of, first, 1800, imported, exported, price)
    assert owed.amount == pytest.approx(float((imported * cost - exported * gain).sum()), abs=1e-6)
    cut = seed % 399 + 1
    later = first + np.timedelta64(cut * 1800, "s")
    parts = [
        bill(of, first, 1800, imported[:cut], exported[:cut], price[:cut]),
        bill(of, later, 1800, imported[cut:], exported[cut:], price[cut:]),
    ]
    assert parts[0].amount + parts[1].amount == pytest.approx(owed.amount, abs=1e-9)


@given(currency=st.sampled_from(("AUD", "EUR", "JPY", "XTS")))
def test_the_currency_changes_no_number(currency):
    start, energy = np.datetime64("2026-06-30T21:00"), kwh(1.5, 2.5, 0.5)
    mine = bill(tariff(currency=currency, daily_charge=1.0), start, 3600, energy, energy)
    other = bill(tariff(currency="USD", daily_charge=1.0), start, 3600, energy, energy)
    assert mine.currency == currency
    assert mine.lines == other.lines


def test_periods_of_one_name_and_price_are_one_line_and_of_two_prices_are_two():
    periods = [
        {"name": "peak", "per_kwh": 0.5, "hours": "07:00-09:00"},
        {"name": "peak", "per_kwh": 0.5, "hours": "17:00-19:00"},
        {"name": "rest", "per_kwh": 0.1, "hours": ["00:00-07:00", "09:00-17:00"]},
        {"name": "rest", "per_kwh": 0.2, "hours": "19:00-24:00"},
    ]
    owed = bill(tariff(periods=periods), np.datetime64("2026-01-01"), 3600, ones(24), ones(24) * 0)
    assert [(line.label, line.quantity, round(line.rate, 9)) for line in owed.lines] == [
        ("Import, peak", 4.0, 0.5),
        ("Import, rest", 15.0, 0.1),
        ("Import, rest", 5.0, 0.2),
    ]


def test_demand_is_the_highest_average_of_the_month_inside_its_window():
    charge = {"name": "evening", "per_kw": 10.0, "interval_min": 30, "hours": "17:00-19:00"}
    of = tariff(demand=[{**charge, "days": "weekday"}])
    energy = torch.zeros(288 * 3, dtype=torch.float64)  # Thursday to Saturday, five minutes
    energy[12 * 12] = 9.0  # Thursday noon is outside the window
    energy[17 * 12 + 5 : 17 * 12 + 7] = 1.0  # 17:25 and 17:30 are in two half hours
    energy[288 + 18 * 12 : 288 + 18 * 12 + 6] = 0.25  # Friday 18:00 to 18:30: 1.5 kWh, 3 kW
    energy[2 * 288 + 18 * 12] = 5.0  # Saturday
    owed = bill(of, np.datetime64("2026-07-02"), 300, energy, energy * 0)
    (line,) = [line for line in owed.lines if line.unit == "kW"]
    assert (line.label, line.rounded) == ("Demand, evening", Decimal("30.00"))
    assert line.quantity == pytest.approx(3.0)
    assert line.rate == 10.0


def test_demand_of_each_month_is_its_own_and_months_without_it_have_no_line():
    charge = {"name": "summer", "per_kw": 2.0, "interval_min": 60, "months": [6, 7]}
    of = tariff(demand=[charge])
    energy = ones(24 * 93)
    energy[5], energy[24 * 30 + 7] = 4.0, 6.0  # 1 June 05:00, 1 July 07:00; 1 September follows
    owed = bill(of, np.datetime64("2026-06-01"), 3600, energy, energy * 0)
    demand = [(line.month, line.quantity) for line in owed.lines if line.unit == "kW"]
    assert demand == [("2026-06", 4.0), ("2026-07", 6.0)]
    assert owed.months == ("2026-06", "2026-07", "2026-08", "2026-09")


def test_the_hour_that_comes_twice_is_two_hours_of_demand():
    of = tariff("America/New_York", demand=[{"name": "all", "per_kw": 1.0, "interval_min": 60}])
    energy = kwh(1.0, 1.0, 2.0, 2.0)  # 01:00 and 01:30 of summer time, then of winter time
    owed = bill(of, np.datetime64("2026-11-01T05:00"), 1800, energy, energy * 0)
    (line,) = [line for line in owed.lines if line.unit == "kW"]
    assert line.quantity == 4.0


def test_an_hour_cut_short_by_the_clock_is_averaged_over_what_there_is_of_it():
    of = tariff("Australia/Lord_Howe", demand=[{"name": "all", "per_kw": 1.0, "interval_min": 60}])
    energy = kwh(0.5, 0.5, 1.5, 0.5, 0.5)  # 01:00, 01:30, 02:30 (02:00 does not exist), 03:00
    owed = bill(of, np.datetime64("2026-10-03T14:30"), 1800, energy, energy * 0)
    (line,) = [line for line in owed.lines if line.unit == "kW"]
    assert line.quantity == 3.0


@pytest.mark.parametrize(
    ("imported", "exported", "sentence"),
    [
        (kwh(1.0, -0.1), kwh(0.0, 0.0), "import_kwh must hold one finite energy .* got -0.1"),
        (kwh(1.0, 1.0), kwh(0.0, float("nan")), "export_kwh must hold .* got nan"),
        (kwh(1.0, 1.0), kwh(0.0), "import_kwh has 2 intervals and export_kwh 1"),
        (torch.ones(2, 2), torch.ones(2, 2), r"got the shape \(2, 2\)"),
    ],
)
def test_energy_that_no_meter_shows_is_refused(imported, exported, sentence):
    with pytest.raises(InputError, match=sentence):
        bill(tariff(), np.datetime64("2026-01-01"), 3600, imported, exported)


def test_intervals_longer_than_those_of_a_demand_charge_are_refused():
    of = tariff(demand=[{"name": "all", "per_kw": 1.0, "interval_min": 30}])
    with pytest.raises(InputError, match="averages over 30 minutes, which intervals of 3600 s"):
        bill(of, np.datetime64("2026-01-01"), 3600, ones(2), ones(2))


def test_nothing_metered_is_an_empty_bill():
    of = tariff(daily_charge=1.0, demand=[{"name": "all", "per_kw": 1.0, "interval_min": 30}])
    owed = bill(of, np.datetime64("2026-01-01"), 300, kwh(), kwh())
    assert owed.lines == ()
    assert owed.total == Decimal("0.00")


def test_a_year_s_half_of_spanish_prices_is_billed_by_the_months_of_madrid(shared_data):
    table = pd.read_csv(shared_data / "tariffs" / "es_pvpc_2023.csv.gz", parse_dates=["time_utc"])
    price = torch.from_numpy(table["price_eur_mwh"].to_numpy(np.float64).copy())
    of = tariff("Europe/Madrid", **{"import": {"wholesale_factor": 1.0}}, export="none")
    start = table["time_utc"].iloc[0].to_datetime64()
    owed = bill(of, start, 3600, ones(len(price)), ones(len(price)) * 0, price)
    local = table["time_utc"].dt.tz_localize("UTC").dt.tz_convert("Europe/Madrid")
    by_month = (
        (table["price_eur_mwh"] / 1000).groupby(local.dt.strftime("%Y-%m")).agg(["sum", "size"])
    )
    assert by_month["size"]["2023-03"] == 743  # an hour less than 31 days
    assert [line.month for line in owed.lines] == list(by_month.index)
    assert [line.quantity for line in owed.lines] == list(by_month["size"])
    assert [line.amount for line in owed.lines] == pytest.approx(list(by_month["sum"]), abs=1e-9)
