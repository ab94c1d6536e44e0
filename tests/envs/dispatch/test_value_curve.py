import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.moment import Moment
from vpp_envs.dispatch.value_curve import usable_fill, value_at_fill, value_curve
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet

DT_H = 1.0 / 12.0
EFF, WEAR = 0.9, 0.04
RISE = math.exp(0.7)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def fleet(homes=1, cohort=0, solar=5.0):
    """Homes of 10 kWh with 2 kept in reserve, 5 kW, no standing loss, no limit that binds."""
    same, index = torch.ones(homes, dtype=torch.float64), torch.zeros(homes, dtype=torch.int64)
    battery = BatteryParams(10 * same, 5 * same, 5 * same, EFF * same, 0 * same, WEAR * same)
    agreement = Agreement(2 * same, 100 * same, 100 * same, 0.8 * same)
    return Fleet(
        index, battery, solar * same, index, same, index, agreement, torch.full_like(index, cohort)
    )


def moment(price, energy=6.0, curve=((0.30, 0.20, 0.10),), load=1.0, solar=3.0):
    """One home at half its usable store unless said otherwise, price per kWh."""
    return Moment(tensor([energy]), tensor([load]), tensor([solar]), tensor([price]), tensor(curve))


def battery_kw(price, *bends, curtail=0.0, **more):
    bends = bends or (0.0,) * (4 * len(more.get("curve", (0,))))
    action = tensor([*bends, curtail])
    return value_curve(action, moment(price, **more), fleet(), DT_H).battery_kw.item()


# At half fill a stored kWh is worth 0.20: buy below 0.9 x 0.20, sell above 0.20 / 0.9 + 0.04.
BUY, SELL = EFF * 0.20, 0.20 / EFF + WEAR


@pytest.mark.parametrize(
    ("price", "power"),
    [(-0.5, 5.0), (BUY - 1e-9, 5.0), (BUY + 1e-9, 0.0), (SELL - 1e-9, 0.0), (SELL + 1e-9, -5.0)],
)
def test_the_unbent_rule_compares_the_price_with_the_curve(price, power):
    assert battery_kw(price) == power


def test_a_fuller_home_sells_for_less():
    price = 0.17  # worth 0.15 at three quarters: bought below 0.135, sold above 0.2067
    assert battery_kw(price, energy=6.0) == 5.0
    assert battery_kw(price, energy=8.0) == 0.0
    assert battery_kw(0.21, energy=8.0) == -5.0
    assert battery_kw(0.21, energy=6.0) == 0.0


@pytest.mark.parametrize(
    ("bend", "buys_below", "sells_above"),
    [
        ((0.3, 0.0, 0.0, 0.0), EFF * 0.20 * math.exp(0.21), SELL),
        ((-1.0, 0.0, 0.0, 0.0), EFF * 0.20 / RISE, SELL),
        ((0.0, -0.5, 0.0, 0.0), EFF * 0.15, SELL),
        ((0.0, 0.0, 1.0, 0.0), BUY, 0.20 * RISE / EFF + WEAR),
        ((0.0, 0.0, -0.3, 0.0), BUY, 0.20 * math.exp(-0.21) / EFF + WEAR),
        ((0.0, 0.0, 0.0, 0.5), BUY, 0.25 / EFF + WEAR),
    ],
)
def test_each_bend_moves_its_own_threshold(bend, buys_below, sells_above):
    assert battery_kw(buys_below - 1e-9, *bend) == 5.0
    assert battery_kw(buys_below + 1e-9, *bend) <= 0.0
    assert battery_kw(sells_above + 1e-9, *bend) == -5.0
    assert battery_kw(sells_above - 1e-9, *bend) == 0.0


def test_where_bends_make_both_worth_while_the_better_is_done():
    crossing = (1.0, 0.0, 0.0, 0.0)  # buys below 0.3625, sells above 0.2622
    middle = (EFF * 0.20 * RISE + SELL) / 2
    assert battery_kw(middle - 1e-9, *crossing) == 5.0
    assert battery_kw(middle + 1e-9, *crossing) == -5.0


@given(
    st.lists(st.floats(-1, 1), min_size=4, max_size=4),
    st.floats(-1.0, 2.0),
    st.floats(0.001, 0.5),
    st.floats(2.0, 10.0),
)
def test_a_dearer_price_never_makes_a_home_draw_more(bends, price, more, energy):
    assert battery_kw(price + more, *bends, energy=energy) <= (
        battery_kw(price, *bends, energy=energy) + 1e-9
    )


def test_the_sun_is_switched_off_below_the_curtailment_price():
    for curtail, price, kept in (
        (0.0, -0.001, 0.0),
        (0.0, 0.0, 3.0),
        (0.5, 0.049, 0.0),
        (0.5, 0.051, 3.0),
        (-1.0, -0.099, 3.0),
    ):
        action = tensor([0.0, 0.0, 0.0, 0.0, curtail])
        served = value_curve(action, moment(price), fleet(), DT_H)
        assert served.solar_output_kw.item() == kept


def test_each_cohort_reads_its_own_curve_and_bend():
    curve = ((0.30, 0.20, 0.10), (1.30, 1.20, 1.10))
    now = moment(0.5, curve=curve)
    zero = torch.zeros(1, 9, dtype=torch.float64)
    assert value_curve(zero, now, fleet(cohort=0), DT_H).battery_kw.item() == -5.0
    assert value_curve(zero, now, fleet(cohort=1), DT_H).battery_kw.item() == 5.0
    bent = zero.clone()
    bent[0, 5] = -1.0
    bent[0, 4] = -1.0  # 1.20 / 2.01 - 0.1 = 0.496 is not worth 0.5
    assert value_curve(bent, now, fleet(cohort=0), DT_H).battery_kw.item() == -5.0
    assert value_curve(bent, now, fleet(cohort=1), DT_H).battery_kw.item() == 0.0


def test_a_home_answers_by_its_own_fill_whoever_else_there_is():
    curve = torch.linspace(0.4, 0.1, 17, dtype=torch.float64).reshape(1, 1, 17)
    energy = torch.linspace(2.0, 10.0, 40, dtype=torch.float64).reshape(1, 40)
    full = Moment(energy, 0 * energy + 1, 0 * energy, tensor([0.2]), curve)
    zero = torch.zeros(1, 5, dtype=torch.float64)
    together = value_curve(zero, full, fleet(40), DT_H).battery_kw
    alone = torch.cat(
        [
            value_curve(
                zero,
                Moment(e.reshape(1, 1), tensor([1.0]), tensor([0.0]), tensor([0.2]), curve),
                fleet(),
                DT_H,
                0.0,
            ).battery_kw
            for e in energy[0]
        ],
        dim=1,
    )
    assert torch.equal(together, alone)
    assert len(together.unique()) >= 3


def test_a_smooth_decision_lies_between_and_approaches_the_hard_one():
    action = tensor([0.0, 0.0, 0.0, 0.0, 0.0])
    for price, hard in ((0.05, 5.0), (0.22, 0.0), (0.9, -5.0)):
        powers = [
            value_curve(action, moment(price), fleet(), DT_H, tensor(t)).battery_kw.item()
            for t in (0.3, 0.05, 1e-4)
        ]
        assert all(-5.0 <= power <= 5.0 for power in powers)
        assert powers[-1] == pytest.approx(hard, abs=1e-6)


def test_the_curve_is_read_between_its_points():
    curve = tensor([[0.30, 0.20, 0.10]])
    for energy, worth in ((2.0, 0.30), (4.0, 0.25), (6.0, 0.20), (10.0, 0.10), (0.5, 0.30)):
        assert value_at_fill(curve, tensor([energy]), fleet()).item() == pytest.approx(worth)


def test_fill_counts_from_the_reserve_to_the_top():
    homes = fleet(4)
    fill = usable_fill(tensor(0.0, 2.0, 6.0, 10.0), homes)
    assert fill.tolist() == [0.0, 0.0, 0.5, 1.0]


def behind_a_tariff(price=0.40, export=0.05, **more):
    return moment(price, **more)._replace(export_per_kwh=tensor([export]))


@pytest.mark.parametrize(
    ("load", "sun", "asked"),
    [(1.0, 3.0, 2.0), (1.0, 8.0, 5.0), (1.0, 0.0, -1.0), (9.0, 0.0, -5.0), (2.0, 2.0, 0.0)],
)
def test_behind_a_tariff_a_home_stores_its_own_sun_and_covers_its_own_need(load, sun, asked):
    """Half a fill is worth 0.20: more than export pays, less than import costs."""
    now = behind_a_tariff(load=load, solar=sun)
    served = value_curve(torch.zeros(1, 5, dtype=torch.float64), now, fleet(), DT_H)
    assert served.battery_kw.item() == pytest.approx(asked)
    assert served.solar_output_kw.item() == sun


@pytest.mark.parametrize(("export", "asked"), [(0.26, -1.0), (0.27, -5.0)])
def test_it_gives_more_than_the_home_needs_only_where_export_pays_for_it(export, asked):
    """Sold at half a fill above 0.20 / 0.9 + 0.04 = 0.262."""
    now = behind_a_tariff(export=export, solar=0.0)
    served = value_curve(torch.zeros(1, 5, dtype=torch.float64), now, fleet(), DT_H)
    assert served.battery_kw.item() == pytest.approx(asked)


@given(
    st.lists(st.floats(-1, 1), min_size=5, max_size=5),
    st.floats(-0.3, 0.8),
    st.floats(0.0, 6.0),
    st.floats(0.0, 6.0),
    st.sampled_from([None, 0.1]),
)
def test_one_price_both_ways_is_a_wholesale_market_to_the_value_curve(
    action, price, load, sun, temperature
):
    bent = tensor(action)
    served = [
        value_curve(bent, now, fleet(), DT_H, temperature)
        for now in (
            moment(price, load=load, solar=sun),
            behind_a_tariff(price, price, load=load, solar=sun),
        )
    ]
    for wholesale, retail in zip(*(s[:2] for s in served), strict=True):
        torch.testing.assert_close(retail, wholesale, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("price", "export", "kept"),
    [
        (0.40, 0.05, 3.0),
        (0.40, 0.0, 3.0),
        # What is left over costs to feed in; the home's own use does not.
        (0.40, -0.01, 1.0),
        (-0.01, -0.01, 0.0),
    ],
)
def test_behind_a_tariff_the_sun_that_the_home_uses_itself_is_worth_its_import(price, export, kept):
    now = behind_a_tariff(price, export, energy=10.0, curve=((0.0, 0.0, 0.0),))
    served = value_curve(torch.zeros(1, 5, dtype=torch.float64), now, fleet(), DT_H)
    assert served.solar_output_kw.item() == pytest.approx(kept)
