import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.charging import step_cars
from vpp_envs.devices.ev import EvState, Session
from vpp_envs.dispatch.ev_value import NEED_POINTS, STAYS, STAYS_H, ev_value, value_of_need
from vpp_envs.dispatch.moment import car_moment

DT_H = 1.0 / 12.0
EFF = 0.9
WEIGHTS = torch.full((11,), 1 / 11, dtype=torch.float64)
FIRST = torch.zeros(1, dtype=torch.int64)


def known(prices):
    """A forecast that is sure of its prices, (1, 48, 11)."""
    row = torch.as_tensor(np.asarray(prices), dtype=torch.float64)
    return row.reshape(1, -1, 1).expand(1, -1, 11).contiguous()


def table(prices, discharges=False, eff=EFF, wear=0.0):
    return ev_value(known(prices), WEIGHTS, eff, wear, discharges).unsqueeze(1)


def read(curve, left_h, need):
    at = [torch.tensor([value], dtype=torch.float64) for value in (left_h, need)]
    return value_of_need(curve[0], *at, FIRST).item()


def half_hour(curve, stay, number):
    """Value of that many half hours missing at a stay of so many: in the last one's middle."""
    return read(curve, stay / 2, number / 2 - 0.25 if number > 0 else number / 2)


def leftover(prices, eff=EFF):
    """What a kWh left over at the departure is worth: the mean of the cheapest eighth."""
    return np.sort(prices)[: len(prices) // 8].mean() / eff


def brute_force(prices, stay, eff, wear, discharges):
    """Marginal value by need in half hours (0 to 12), by trying all that a car can do.

    Backwards over the half hours of a stay, with the least cost of each need from seven half hours
    too much to thirty missing, a whole half hour of power or none each time.
    """
    over = leftover(prices, eff)
    cost = {need: 1e3 * need if need > 0 else over * need for need in range(-7, 31)}
    for price in reversed(prices[:stay]):
        before = {}
        for need, rest in cost.items():
            choices = [rest]
            if need - 1 in cost:
                choices.append(cost[need - 1] + price / eff)
            if discharges and need + 1 in cost:
                choices.append(cost[need + 1] - (price - wear) * eff)
            before[need] = min(choices)
        cost = before
    return [cost[need] - cost[need - 1] for need in range(13)]


series = st.lists(st.floats(-0.1, 1.0), min_size=48, max_size=48)


@settings(max_examples=40)
@given(series)
def test_a_needed_kwh_is_worth_the_last_half_hour_that_it_takes(prices):
    curve = table(prices)
    over = leftover(prices)
    for stay in (4, 8, 16):
        cheapest = np.sort(prices[:stay]) / EFF
        for need in range(1, stay + 1):
            expected = cheapest[need - 1]
            if expected < over:
                continue  # then it charges for later too; see the test by brute force
            assert half_hour(curve, stay, need) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=12)
@given(series, st.booleans(), st.floats(0.0, 0.1))
def test_values_are_those_of_trying_everything(prices, discharges, wear):
    curve = table(prices, discharges, wear=wear)
    for stay in (1, 2, 4, 8, 12, 16):
        expected = brute_force(prices, stay, EFF, wear, discharges)
        for need in range(0, min(stay, 12) + 1, 3 if stay == 12 else 1):  # on the table's points
            value = half_hour(curve, stay, need)
            assert value == pytest.approx(expected[need], abs=1e-5), (stay, need)


def forecasts(seed, issues=3):
    generator = torch.Generator().manual_seed(seed)
    level = 0.1 + 0.1 * torch.rand(issues, 48, 1, generator=generator)
    return (level + 0.1 * torch.randn(issues, 48, 11, generator=generator)).sort(-1).values


@pytest.mark.parametrize("discharges", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_value_rises_with_need(seed, discharges):
    curve = ev_value(forecasts(seed), WEIGHTS.float(), EFF, 0.07, discharges)
    assert curve.shape == (3, len(STAYS), NEED_POINTS)
    assert (curve.diff(dim=-1) >= -1e-5).all()


@pytest.mark.parametrize("seed", range(4))
def test_who_can_give_back_values_each_kwh_at_least_as_much(seed):
    """More can be done with it, and nothing less."""
    nodes = forecasts(seed)
    charging = ev_value(nodes, WEIGHTS.float(), EFF, 0.07, False)
    giving = ev_value(nodes, WEIGHTS.float(), EFF, 0.07, True)
    assert (giving >= charging - 1e-5).all()
    assert (giving > charging + 1e-3).any()
    dear_wear = ev_value(nodes, WEIGHTS.float(), EFF, 9.0, True)
    torch.testing.assert_close(dear_wear, charging)


def test_a_longer_stay_makes_the_same_need_cheaper():
    curve = table(np.linspace(1.0, 0.1, 48))
    values = [read(curve, hours, 1.0) for hours in (1.0, 2.0, 4.0, 8.0, 16.0, 23.5)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.5 * values[0]


def test_a_spike_that_a_car_can_give_into_is_worth_its_price():
    prices = [0.1] * 10 + [5.0] + [0.1] * 37
    value = read(table(prices, discharges=True, wear=0.07), 16.0, 0.5)
    # It can buy the half hour back, and two of them at 0.1 are not worth one at 5.
    assert value == pytest.approx(0.1 / EFF, abs=0.02)
    none_to_spare = read(table(prices, discharges=True, wear=0.07), 16.0, -3.0)
    assert none_to_spare <= 0.1 / EFF + 0.02
    short = read(table(prices, discharges=True, wear=0.07), 6.0, 6.0)
    assert short == pytest.approx(5.0 / EFF, abs=0.02)  # it must buy through the spike


def test_what_is_due_within_the_half_hour_is_worth_any_price():
    curve = table([0.1] * 48)
    for left in (0.0, -0.25):
        assert read(curve, left, 0.1) > 100.0
    assert read(curve, 0.0, 0.0) == pytest.approx(0.1 / EFF, abs=1e-6)
    assert read(curve, 0.0, -1.0) == pytest.approx(0.1 / EFF, abs=1e-6)


def test_stays_and_needs_are_read_between_their_points():
    curve = torch.arange(2 * 12 * 25, dtype=torch.float64).reshape(1, 2, 12, 25)
    at = value_of_need(
        curve,
        torch.tensor([[4.0, 5.0, 40.0, 4.0]], dtype=torch.float64),
        torch.tensor([[0.75, 1.0, 9.75, -1.5]], dtype=torch.float64),
        torch.tensor([0, 0, 1, -1]),
    )
    row4, row6 = 6 * 25, 7 * 25  # rows of 4 h and 6 h
    need = 8 + 16 * 0.25  # a quarter of the stay
    last = 300 + 11 * 25
    assert at[0].tolist() == [row4 + need, (row4 + row6) / 2 + need, last + need, row4 + 4.0]
    assert STAYS_H[6] == 4.0
    assert STAYS_H[11] == 23.5


def test_a_part_of_a_half_hour_is_worth_a_whole_one_but_for_the_last_minutes():
    curve = table(np.linspace(0.1, 1.0, 48))
    whole = half_hour(curve, 16, 1)
    assert read(curve, 8.0, 0.25) == pytest.approx(whole)
    needs = np.linspace(-0.1, 3.0, 100)
    values = [read(curve, 8.0, need) for need in needs]
    assert (np.diff(values) >= -1e-9).all()


def test_every_tabulated_stay_is_read_at_its_own_row():
    curve = torch.arange(12.0, dtype=torch.float64).reshape(1, 1, 12, 1).expand(1, 1, 12, 25)
    left = torch.tensor([STAYS_H], dtype=torch.float64)
    rows = value_of_need(curve.contiguous(), left, 0.0 * left, torch.zeros(12, dtype=torch.int64))
    assert rows[0].tolist() == list(range(12))


def test_uncertainty_lowers_what_waiting_costs():
    """Who can wait takes the cheap draws: spread around the same mean makes a kWh cheaper."""
    spread = torch.linspace(-0.08, 0.08, 11, dtype=torch.float64)
    sure = ev_value(known([0.1] * 48), WEIGHTS, EFF, 0.0, False)
    unsure = ev_value(known([0.1] * 48) + spread, WEIGHTS, EFF, 0.0, False)
    row, need = STAYS.index(16), 8 + 4
    assert unsure[0, row, need] < sure[0, row, need] - 1e-3


def optimum(prices, ticks, need):
    """Least cost of so many hours of full power in five-minute steps of a stay, per kW."""
    cheapest = np.sort(prices[:ticks])
    whole = int(need * 12)
    return (cheapest[:whole].sum() + cheapest[whole] * (need * 12 - whole)) * DT_H


def test_charging_by_the_value_costs_about_what_the_best_schedule_does(car_home):
    """Known half-hourly prices, sessions of many lengths and needs, five-minute steps."""
    rng = np.random.default_rng(1)
    sessions = 40
    clock = np.arange(4 * 48)
    shape = 0.12 + 0.06 * np.cos((clock - 37) / 48 * 2 * np.pi)
    prices = shape * np.exp(0.3 * rng.standard_normal((sessions, len(clock))))
    ticks = rng.integers(24, 160, sessions)
    need = np.minimum(rng.uniform(0.4, 5.0, sessions), 0.9 * ticks / 12)
    offset = rng.integers(0, 48 * 6, sessions)
    ev = car_home(capacity=75.0, charge=7.2, least=0.0, target=63.0)
    start = torch.from_numpy(63.0 - need * 7.2 * EFF).unsqueeze(-1)
    now = EvState(start, torch.zeros_like(start), start)
    curve = torch.zeros(sessions, 1, len(STAYS), NEED_POINTS, dtype=torch.float64)
    cost = np.zeros(sessions)
    row = np.arange(sessions)
    for tick in range(ticks.max()):
        at = offset + tick
        issue = np.flatnonzero((at % 6 == 0) | (tick == 0))
        if len(issue):
            ahead = np.stack([prices[r, at[r] // 6 + 1 : at[r] // 6 + 49] for r in issue])
            nodes = torch.from_numpy(ahead).unsqueeze(-1).expand(-1, -1, 11)
            curve[issue, 0] = ev_value(nodes, WEIGHTS, EFF, 0.0, False).double()
        left = torch.from_numpy(np.maximum(ticks - tick, 0) * DT_H).unsqueeze(-1)
        none = torch.zeros_like(left)
        session = Session(left, none, none, none)
        rest = torch.from_numpy((6 - at % 6) * DT_H).unsqueeze(-1)
        price = prices[row, at // 6]
        cars = car_moment(now, session, rest, curve, ev, DT_H)
        wants = cars.value_per_kwh * EFF > torch.from_numpy(price).unsqueeze(-1)
        # To the target and no further: the optimum does not buy for later either.
        due_kw = cars.need_h.clamp(min=0.0) * 7.2 / DT_H
        asked = torch.where(wants, due_kw, cars.own.low_kw)
        outcome = step_cars(asked, now, session, cars.own, ev, DT_H)
        cost += outcome.power_kw.squeeze(-1).numpy() * DT_H * price
        now = outcome.state
    assert (now.energy_kwh >= 63.0 - 1e-9).all()
    best = np.array(
        [7.2 * optimum(prices[r].repeat(6)[offset[r] :], ticks[r], need[r]) for r in row]
    )
    assert (cost >= best - 1e-9).all()
    assert cost.sum() <= 1.02 * best.sum()
    at_once = np.array([prices[r].repeat(6)[offset[r] :][: int(12 * need[r])].mean() for r in row])
    assert cost.sum() < 0.8 * (at_once * 7.2 * need).sum()
