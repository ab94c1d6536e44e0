"""A market behind a retail tariff: what is fixed is known ahead, what is passed through is not."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.forecast.protocol import LEADS, NODE_WEIGHTS, PriceForecast
from vpp_envs.markets.tariff_file import tariff_from
from vpp_envs.scenario_tables import EXAMPLE_TARIFF, scenario_tariff
from vpp_envs.signals.market import assemble
from vpp_envs.signals.retail import retail_signals, surplus_leads

ADELAIDE = ZoneInfo("Australia/Adelaide")
# Clocks of South Australia went forward on 6 October 2024 and back on 7 April.
SPRING, AUTUMN, WINTER = datetime(2024, 10, 5), datetime(2024, 4, 6), datetime(2024, 7, 1)
WEIGHTS = torch.tensor(NODE_WEIGHTS)


def market(day=WINTER, days=3, seed=0, scale=100.0):
    """A few days of random prices and forecasts from a local midnight on."""
    start = day.replace(tzinfo=ADELAIDE)
    end = (day + timedelta(days=days)).replace(tzinfo=ADELAIDE)
    ticks = int((end.astimezone(UTC) - start.astimezone(UTC)) / timedelta(minutes=5))
    draw = torch.Generator().manual_seed(seed)
    price = 200.0 * torch.randn(ticks, generator=draw, dtype=torch.float64)
    nodes = 100.0 * torch.randn(ticks // 6, LEADS, len(NODE_WEIGHTS), generator=draw)
    return assemble(
        "SA1",
        "AUD",
        "Australia/Adelaide",
        "random",
        "",
        np.datetime64(start.astimezone(UTC).replace(tzinfo=None)),
        price,
        PriceForecast(nodes.sort(-1).values, WEIGHTS),
        scale,
        torch.zeros(1, dtype=torch.int64),
        None,
        None,
        (),
    )


def tariff(**keys):
    return tariff_from({"name": "t", "currency": "AUD", "zone": "Australia/Adelaide", **keys})


def example_per_kwh(local):
    """The example's import price by the clock on the wall, written a second time."""
    if 10 <= local.hour < 15:
        return 0.26
    return 0.34 if 1 <= local.hour < 6 else 0.55


def local_time(signals, tick):
    start = datetime.fromisoformat(str(signals.start_utc.astype("datetime64[s]")))
    return (start.replace(tzinfo=UTC) + timedelta(minutes=5 * tick)).astimezone(ADELAIDE)


@pytest.mark.parametrize(("day", "ticks"), [(WINTER, 864), (SPRING, 852), (AUTUMN, 876)])
def test_where_the_tariff_fixes_the_price_its_forecast_is_exact(day, ticks):
    """Lead h of issue i is the mean of half hour i + 1 + h, on days of 23 and 25 hours too."""
    behind = retail_signals(market(day), scenario_tariff("example"))
    nodes = behind.market.forecast.nodes_per_mwh
    assert len(behind.market.price_per_mwh) == ticks
    assert nodes.shape == (ticks // 6, LEADS, len(NODE_WEIGHTS))
    for issue in range(0, ticks // 6, 7):
        for lead in range(LEADS):
            half_hour = range(6 * (issue + 1 + lead), 6 * (issue + 2 + lead))
            per_kwh = [example_per_kwh(local_time(behind.market, tick)) for tick in half_hour]
            expected = 1000.0 * np.mean(per_kwh)
            assert nodes[issue, lead].tolist() == pytest.approx([expected] * len(WEIGHTS), rel=1e-5)
    torch.testing.assert_close(
        behind.export_leads_per_kwh, torch.full_like(behind.export_leads_per_kwh, 0.05)
    )


@pytest.mark.parametrize("day", [WINTER, SPRING, AUTUMN])
def test_the_price_is_that_of_the_clock_on_the_wall(day):
    behind = retail_signals(market(day), scenario_tariff("example"))
    price = behind.market.price_per_mwh
    expected = [1000.0 * example_per_kwh(local_time(behind.market, t)) for t in range(len(price))]
    np.testing.assert_allclose(price.numpy(), expected, rtol=1e-12)
    assert set(behind.export_per_kwh.tolist()) == {0.05}
    assert price.dtype == behind.export_per_kwh.dtype == torch.float64


def test_what_is_passed_through_is_as_uncertain_as_the_wholesale_forecast():
    plain = market()
    passing = tariff(
        **{
            "import": {"wholesale_factor": 1.155, "per_kwh": 0.1},
            "export": {"wholesale_factor": 0.9, "per_kwh": 0.02},
        }
    )
    behind = retail_signals(plain, passing)
    torch.testing.assert_close(
        behind.market.forecast.nodes_per_mwh, 1.155 * plain.forecast.nodes_per_mwh + 100.0
    )
    mean = (plain.forecast.nodes_per_mwh * WEIGHTS).sum(-1) / 1000.0
    torch.testing.assert_close(behind.export_leads_per_kwh, 0.9 * mean + 0.02)
    wholesale = plain.price_per_mwh
    torch.testing.assert_close(behind.market.price_per_mwh, 1.155 * wholesale + 100.0)
    torch.testing.assert_close(behind.export_per_kwh, 0.9 * wholesale / 1000.0 + 0.02)


def test_prices_of_tomorrow_change_nothing_that_is_known_today():
    passing = tariff(**{"import": {"wholesale_factor": 1.1}, "export": {"wholesale_factor": 0.9}})
    one = market()
    changed = one.price_per_mwh.clone()
    changed[400:] += 1000.0
    other = assemble(
        *("SA1", "AUD", "Australia/Adelaide", "random", "", one.start_utc, changed, one.forecast),
        *(100.0, one.day_starts, None, None, ()),
    )
    ours, theirs = (retail_signals(signals, passing) for signals in (one, other))
    assert not torch.equal(ours.market.price_per_mwh, theirs.market.price_per_mwh)
    for name in ("price_per_mwh", "day_mean_per_mwh", "day_std_per_mwh"):
        seen = (getattr(behind.market, name)[:400] for behind in (ours, theirs))
        assert torch.equal(*seen)
    assert torch.equal(ours.export_per_kwh[:400], theirs.export_per_kwh[:400])
    # Forecasts come from the wholesale forecasts alone.
    assert torch.equal(ours.market.forecast.nodes_per_mwh, theirs.market.forecast.nodes_per_mwh)
    assert torch.equal(ours.export_leads_per_kwh, theirs.export_leads_per_kwh)
    assert ours.market.price_scale == theirs.market.price_scale


def test_prices_are_scaled_alike_in_every_split():
    """A split's own prices may not set the scale that the policy sees them by."""
    passing = tariff(
        **{"import": {"wholesale_factor": 1.2, "per_kwh": 0.1}, "export": {"per_kwh": 0.05}}
    )
    for seed in (0, 1):
        behind = retail_signals(market(seed=seed), passing)
        assert behind.market.price_scale == pytest.approx(220.0)
    example = retail_signals(market(), scenario_tariff("example"))
    assert example.market.price_scale == pytest.approx(550.0)


def test_a_simulated_process_is_no_law_of_what_a_tariff_makes_of_it():
    behind = retail_signals(market(), scenario_tariff("example")).market
    assert behind.model is None
    assert behind.factors is None
    assert behind.source == f"{EXAMPLE_TARIFF['name']}; random"


def test_a_tariff_of_another_currency_is_refused():
    other = tariff_from({**EXAMPLE_TARIFF, "currency": "EUR"})
    with pytest.raises(InputError, match="is in EUR and the market SA1 in AUD: choose a market"):
        retail_signals(market(), other)


def sun_and_load(days=3):
    """Sun from 9 to 15 h above a flat load of half its height, ten archetypes alike, (T, 2)."""
    hour = torch.arange(days * 288) % 288 / 12.0
    sun = ((hour >= 9) & (hour < 15)).float().unsqueeze(-1).expand(-1, 2).clone()
    return sun, torch.ones(days * 288, 2)


def test_sun_is_expected_to_be_left_over_where_it_was_the_day_before():
    sun, load = sun_and_load()
    left_over = surplus_leads(sun, load, 2.0, 1.0)
    assert left_over.shape == (3 * 48, LEADS)
    half_hour = torch.arange(3 * 48).unsqueeze(-1) + 1 + torch.arange(LEADS)
    expected = (half_hour % 48 >= 18) & (half_hour % 48 < 30) & (half_hour >= 48)
    # The last lead is a day after the issue's own half hour, which has only begun.
    assert torch.equal(left_over[:, :-1], expected[:, :-1])
    assert torch.equal(left_over[1:, -1], expected[1:, -2])
    assert not surplus_leads(sun, load, 2.0, 2.0).any()
    assert surplus_leads(sun, load, 2.0, 0.0).any()


def test_what_is_expected_of_the_sun_knows_nothing_but_what_was():
    """Whatever comes from the issue on is changed, and the expectation stays."""
    sun, load = sun_and_load()
    sun += 0.3 * torch.rand(sun.shape)
    before = surplus_leads(sun, load, 2.0, 1.0)
    for issue in (48, 60, 75, 95):
        changed = sun.clone()
        changed[6 * issue :] = 1.5 - changed[6 * issue :]
        after = surplus_leads(changed, load, 2.0, 1.0)
        assert torch.equal(after[: issue + 1], before[: issue + 1])
        assert not torch.equal(after, before)
