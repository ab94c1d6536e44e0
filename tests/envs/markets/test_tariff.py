from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.errors import InputError
from vpp_envs.markets.tariff import tariff_prices
from vpp_envs.markets.tariff_file import tariff_from

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Australia/Adelaide")
KINDS = ("weekday", "weekend", "holiday")
HOLIDAYS = ("01-01", "10-05", "12-25")


def tariff(zone="Etc/UTC", **keys):
    return tariff_from(
        {"name": "t", "currency": "AUD", "zone": zone, "export": "none", **keys}, "tariff"
    )


def time_of_use(*periods, zone="Etc/UTC", **keys):
    return tariff(zone, **{"import": {"periods": list(periods)}}, **keys)


def hourly(of, start, hours=24):
    return tariff_prices(of, np.datetime64(start), 3600, hours)[0].tolist()


def hhmm(minute):
    return f"{minute // 60:02d}:{minute % 60:02d}"


@st.composite
def tilings(draw):
    """Periods that fill the year: dictionaries for a file, and the same as sets."""
    first, last = draw(st.integers(0, 11)), draw(st.integers(0, 11))
    season = [m % 12 for m in range(first, last + 1 + 12 * (last < first))]
    seasons = [(f"{first + 1}-{last + 1}", set(season))]
    if rest := [m for m in range(12) if m not in season]:
        seasons.append(([m + 1 for m in rest], set(rest)))
    group_of = draw(st.tuples(*[st.integers(0, 1)] * 3))
    groups = [[KINDS[k] for k in range(3) if group_of[k] == group] for group in set(group_of)]
    periods = []
    for months, month_set in seasons:
        for days in groups:
            edges = sorted(draw(st.sets(st.integers(0, 95), min_size=1, max_size=5)))
            for start, end in zip(edges, edges[1:] + edges[:1], strict=True):
                window = "all" if start == end else f"{hhmm(15 * start)}-{hhmm(15 * end)}"
                quarters = {q % 96 for q in range(start, end + 96 * (end <= start))}
                price = draw(st.integers(-20, 90)) / 100
                one = {"name": f"p{len(periods)}", "per_kwh": price, "hours": window}
                one |= {"months": months, "days": days}
                periods.append((one, month_set, set(days), quarters))
    return periods


def matching(periods, local):
    kind = KINDS[local.weekday() >= 5]
    if local.strftime("%m-%d") in HOLIDAYS:
        kind = "holiday"
    quarter = local.hour * 4 + local.minute // 15
    return [
        one["per_kwh"]
        for one, months, days, quarters in periods
        if local.month - 1 in months and kind in days and quarter in quarters
    ]


@settings(max_examples=40)
@given(
    tiling=tilings(),
    zone=st.sampled_from(ZONES),
    day=st.sampled_from(
        [
            *("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"),
            *("2026-12-25", "2027-12-31", "2028-02-28"),
        ]
    ),
)
def test_a_tariff_that_fills_the_year_gives_each_tick_the_one_price_of_its_local_clock(
    tiling, zone, day
):
    of = time_of_use(*(one for one, *_ in tiling), zone=zone, holidays=list(HOLIDAYS))
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=14)
    cost, gain = tariff_prices(of, np.datetime64(start.replace(tzinfo=None)), 900, 220)
    assert gain.count_nonzero() == 0
    for tick in range(220):
        local = (start + timedelta(minutes=15 * tick)).astimezone(ZoneInfo(zone))
        assert matching(tiling, local) == [cost[tick].item()]


@settings(max_examples=30)
@given(tiling=tilings(), which=st.integers(0, 10**6), twice=st.booleans())
def test_a_tariff_with_one_period_less_or_twice_is_refused_and_says_when(tiling, which, twice):
    periods = [one for one, *_ in tiling]
    chosen = which % len(periods)
    if twice:
        periods.append({**periods[chosen], "name": "again"})
    else:
        del periods[chosen]
    with pytest.raises(InputError, match="has 2 prices" if twice else "has no price") as found:
        time_of_use(*periods, holidays=list(HOLIDAYS))
    period, _, days, quarters = tiling[chosen]
    if twice:
        assert f"'{period['name']}' and 'again'" in str(found.value)
    elif periods:
        assert hhmm(15 * min(quarters)) in str(found.value)
        assert all(kind in str(found.value) for kind in days)


@given(price=st.floats(-1, 1), zone=st.sampled_from(ZONES))
def test_a_flat_tariff_is_a_time_of_use_tariff_with_one_price(price, zone):
    flat = tariff(zone, **{"import": {"per_kwh": price}})
    parts = time_of_use(
        {"name": "a", "per_kwh": price, "hours": "06:00-22:00"},
        {"name": "b", "per_kwh": price, "hours": "22:00-06:00"},
        zone=zone,
    )
    start = np.datetime64("2026-10-03T00:00")
    assert torch.equal(
        tariff_prices(flat, start, 1800, 200)[0], tariff_prices(parts, start, 1800, 200)[0]
    )


def test_a_window_that_wraps_midnight_is_the_end_and_the_beginning_of_each_day():
    of = time_of_use(
        {"name": "night", "per_kwh": 0.1, "days": "weekday", "hours": "22:00-06:00"},
        {"name": "day", "per_kwh": 0.3, "days": "weekday", "hours": "06:00-22:00"},
        {"name": "weekend", "per_kwh": 0.2, "days": ["weekend", "holiday"]},
    )
    thursday, friday, saturday = "2026-07-02", "2026-07-03", "2026-07-04"
    weekday = [0.1] * 6 + [0.3] * 16 + [0.1] * 2
    assert hourly(of, thursday) == weekday
    assert hourly(of, friday) == weekday
    assert hourly(of, saturday) == [0.2] * 24  # the early hours after Friday's night as well


def test_a_range_of_months_may_wrap_the_new_year():
    of = time_of_use(
        {"name": "warm", "per_kwh": 0.4, "months": "11-3"},
        {"name": "cool", "per_kwh": 0.2, "months": "4-10"},
    )
    prices = [hourly(of, f"2026-{month:02d}-15", 1)[0] for month in range(1, 13)]
    assert prices == [0.4] * 3 + [0.2] * 7 + [0.4] * 2


def test_24_prices_are_those_of_the_hours_from_midnight_on_the_local_clock():
    day = [h / 100 for h in range(24)]
    of = time_of_use({"name": "hourly", "per_kwh": day}, zone="America/New_York")
    assert hourly(of, "2026-01-01T05:00") == day
    assert hourly(of, "2026-03-08T05:00", 23) == day[:2] + day[3:]  # 02:00 does not exist
    assert hourly(of, "2026-11-01T04:00", 25) == day[:2] + day[1:]  # 01:00 comes twice


def test_holidays_are_listed_dates_or_days_of_every_year():
    of = time_of_use(
        {"name": "work", "per_kwh": 0.4, "days": "weekday"},
        {"name": "rest", "per_kwh": 0.2, "days": ["weekend", "holiday"]},
        holidays=["2026-04-03", "12-25", "02-29"],
    )
    assert hourly(of, "2026-04-02", 48) == [0.4] * 24 + [0.2] * 24  # Thursday, Good Friday
    assert hourly(of, "2026-12-25", 1) == [0.2]  # a Friday
    assert hourly(of, "2026-03-01", 48) == [0.2] * 24 + [0.4] * 24  # Sunday, Monday


def test_holidays_of_every_year_serve_any_year_and_dates_their_own_only():
    work = {"name": "work", "per_kwh": 0.4, "days": "weekday"}
    rest = {"name": "rest", "per_kwh": 0.2, "days": ["weekend", "holiday"]}
    yearly = time_of_use(work, rest, holidays=["02-29", "12-25"])
    assert hourly(yearly, "2024-02-29", 1) == [0.2]  # a Thursday
    assert hourly(yearly, "2025-12-25", 1) == [0.2]  # a Thursday
    dated = time_of_use(work, rest, holidays=["2026-04-03", "12-25"])
    with pytest.raises(InputError, match=r"lists holidays of 2026 and none of 2027; add them"):
        hourly(dated, "2026-12-31", 25)


def test_wholesale_is_passed_on_times_a_factor_plus_an_adder_in_both_directions():
    of = tariff(
        **{"import": {"wholesale_factor": 1.2, "per_kwh": 0.1}},
        export={"wholesale_factor": 0.5},
    )
    price = torch.tensor([100.0, -50.0], dtype=torch.float64)
    cost, gain = tariff_prices(of, np.datetime64("2026-01-01"), 300, 2, price)
    assert cost.tolist() == pytest.approx([0.22, 0.04])
    assert gain.tolist() == pytest.approx([0.05, -0.025])
    assert cost.dtype == gain.dtype == torch.float64


@pytest.mark.parametrize(
    ("price", "sentence"),
    [
        (None, "passes the wholesale price on; give one"),
        (torch.zeros(3), r"expected 2 finite wholesale prices.*got 3 in the shape \(3,\)"),
        (torch.tensor([1.0, float("nan")]), "got 1 in the shape"),
    ],
)
def test_missing_and_broken_wholesale_prices_are_refused(price, sentence):
    of = tariff(**{"import": {"wholesale_factor": 1.0}})
    with pytest.raises(InputError, match=sentence):
        tariff_prices(of, np.datetime64("2026-01-01"), 300, 2, price)


def test_an_interval_in_which_the_price_changes_is_refused():
    of = time_of_use(
        {"name": "a", "per_kwh": 0.1, "hours": "00:00-17:30"},
        {"name": "b", "per_kwh": 0.2, "hours": "17:30-24:00"},
    )
    assert hourly(of, "2026-01-01", 17) == [0.1] * 17
    with pytest.raises(InputError, match=r"at 17:30 local time, inside the interval of 3600 s"):
        hourly(of, "2026-01-01", 18)
    # Hours of UTC are half hours in Adelaide, and there the change is on the hour.
    adelaide = time_of_use(
        {"name": "a", "per_kwh": 0.1, "hours": "00:00-17:30"},
        {"name": "b", "per_kwh": 0.2, "hours": "17:30-24:00"},
        zone="Australia/Adelaide",
    )
    assert hourly(adelaide, "2026-07-01T07:00", 2) == [0.1, 0.2]


def test_an_hour_of_utc_that_holds_a_midnight_at_which_the_price_changes_is_refused():
    work = {"name": "work", "per_kwh": 0.4, "days": "weekday"}
    of = time_of_use(work, {"name": "rest", "per_kwh": 0.2, "days": "weekend"}, zone=ZONES[3])
    friday = "2026-07-03T12:00"
    assert hourly(of, friday, 2) == [0.4, 0.4]
    with pytest.raises(InputError, match=r"at 00:00 local time, .* from 2026-07-03T14:00:00 UTC"):
        hourly(of, friday, 3)


@pytest.mark.parametrize(
    ("start", "dt_s", "sentence"),
    [
        ("2026-01-01T00:00:20", 300, "start on a whole minute"),
        ("2026-01-01", 0, "expected at least 1 s"),
    ],
)
def test_intervals_on_no_clock_are_refused(start, dt_s, sentence):
    of = time_of_use({"name": "a", "per_kwh": 0.1})
    with pytest.raises(InputError, match=sentence):
        tariff_prices(of, np.datetime64(start), dt_s, 2)


def test_a_price_does_not_depend_on_the_length_of_the_interval():
    of = time_of_use(
        {"name": "a", "per_kwh": 0.1, "hours": "07:00-21:00"},
        {"name": "b", "per_kwh": 0.2, "hours": "21:00-07:00"},
        zone="Europe/Berlin",
    )
    start = np.datetime64("2026-10-24T22:00")
    for dt_s in (4, 300, 900, 1800):
        cost = tariff_prices(of, start, dt_s, 25 * 3600 // dt_s)[0]
        assert cost.reshape(25, -1).std(dim=1).max() < 1e-12
        assert cost.reshape(25, -1)[:, 0].tolist() == hourly(of, start, 25)


def test_a_tariff_of_no_ticks_has_no_prices():
    cost, gain = tariff_prices(
        time_of_use({"name": "a", "per_kwh": 0.1}), np.datetime64("2026-01-01"), 300, 0
    )
    assert cost.shape == gain.shape == (0,)
