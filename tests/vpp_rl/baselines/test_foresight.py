from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.moment import Moment
from vpp_envs.errors import InputError
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.markets.energy import settle_energy
from vpp_envs.simulator import SetPoints, step_site
from vpp_rl.baselines.foresight import Plan, SiteProblem, solve_foresight

HALF_HOUR = 0.5
EFF = 0.95

# Lossless enough to follow by hand, with no limit that binds.
PLAIN = SiteProblem(
    capacity_kwh=10.0,
    reserve_kwh=2.0,
    charge_kw=5.0,
    discharge_kw=5.0,
    one_way_eff=EFF,
    standing_loss_kw=0.0,
    wear_per_kwh=0.04,
    import_limit_kw=100.0,
    export_limit_kw=100.0,
    initial_kwh=2.0,
    final_value_per_kwh=0.0,
    dt_h=HALF_HOUR,
)


def solve(problem, price_per_mwh, load_kw=0.0, solar_kw=0.0) -> Plan:
    price = np.asarray(price_per_mwh, dtype=np.float64)
    return solve_foresight(
        problem,
        price,
        np.broadcast_to(load_kw, price.shape),
        np.broadcast_to(solar_kw, price.shape),
    )


def step_of_the_site(problem, energy_kwh, asked_kw, ceiling_kw, load_kw, available_kw):
    """The physics of a site, written a second time: one step, in plain numbers."""
    eff, dt_h = problem.one_way_eff, problem.dt_h
    left_kwh = energy_kwh - problem.standing_loss_kw * dt_h
    missing_kwh = problem.reserve_kwh - left_kwh
    if missing_kwh > 0.0:
        low_kw = min(problem.charge_kw, missing_kwh / (eff * dt_h))
    else:
        low_kw = -min(problem.discharge_kw, -missing_kwh * eff / dt_h)
    # Solar may not be curtailed where the import limit needs it.
    needed_kw = min(available_kw, load_kw + low_kw - problem.import_limit_kw)
    solar_kw = max(min(ceiling_kw, available_kw), needed_kw, 0.0)
    site_kw = load_kw - solar_kw
    if low_kw < 0.0:
        low_kw = max(low_kw, -max(problem.export_limit_kw + site_kw, 0.0))
    high_kw = min(problem.charge_kw, (problem.capacity_kwh - left_kwh) / (eff * dt_h))
    high_kw = max(min(high_kw, problem.import_limit_kw - site_kw), low_kw)
    power_kw = min(max(asked_kw, low_kw), high_kw)
    solar_kw = min(solar_kw, max(problem.export_limit_kw + load_kw + power_kw, 0.0))
    cell_kw = power_kw * eff if power_kw > 0.0 else power_kw / eff
    after_kwh = energy_kwh + cell_kw * dt_h - problem.standing_loss_kw * dt_h
    return after_kwh, power_kw, solar_kw


def simulate(problem, price_per_mwh, load_kw, solar_kw, asked_kw, ceiling_kw):
    """Serve set-points step by step; return profit with the final credit, and served power."""
    energy_kwh, money, served = problem.initial_kwh, 0.0, []
    for price, load, available, asked, ceiling in zip(
        price_per_mwh, load_kw, solar_kw, asked_kw, ceiling_kw, strict=True
    ):
        energy_kwh, power, solar = step_of_the_site(
            problem, energy_kwh, asked, ceiling, load, available
        )
        money -= (load - solar + power) * problem.dt_h * price / 1000.0
        money -= problem.wear_per_kwh * max(-power, 0.0) * problem.dt_h
        served.append(power)
    credit = problem.final_value_per_kwh * (energy_kwh - problem.reserve_kwh)
    return money + credit, np.array(served)


def best_on_a_grid(problem, price_per_mwh, unit_kwh) -> float:
    """Optimum by dynamic programming over whole units of stored energy, without site limits.

    Exact where all limits are whole units: the balance of a path has coefficients of 1 only,
    so its optima are whole units too.
    """
    eff, dt_h = problem.one_way_eff, problem.dt_h
    levels = np.arange(
        round(problem.reserve_kwh / unit_kwh), round(problem.capacity_kwh / unit_kwh) + 1
    )
    value = problem.final_value_per_kwh * (levels * unit_kwh - problem.reserve_kwh)
    lost = round(problem.standing_loss_kw * dt_h / unit_kwh)
    up = round(problem.charge_kw * dt_h * eff / unit_kwh)
    down = round(problem.discharge_kw * dt_h / eff / unit_kwh)
    for price in np.asarray(price_per_mwh)[::-1] / 1000.0:
        change = levels[None, :] - levels[:, None] + lost
        stored = change * unit_kwh
        drawn_kwh = np.where(stored > 0.0, stored / eff, stored * eff)
        gain = -price * drawn_kwh - problem.wear_per_kwh * np.maximum(-drawn_kwh, 0.0)
        gain = np.where((change > up) | (change < -down), -np.inf, gain)
        value = (gain + value[None, :]).max(axis=1)
    return float(value[round(problem.initial_kwh / unit_kwh) - levels[0]])


def whole_units(problem: SiteProblem, up: int, down: int, unit_kwh: float) -> SiteProblem:
    """Give the battery limits of `up` and `down` units of stored energy an interval."""
    return replace(
        problem,
        charge_kw=up * unit_kwh / (problem.one_way_eff * problem.dt_h),
        discharge_kw=down * unit_kwh * problem.one_way_eff / problem.dt_h,
    )


def spiky_prices(intervals: int, seed: int) -> np.ndarray:
    """Evening peaks, negative middays, rare spikes to 17,000 and floors at -1,000."""
    draws = np.random.default_rng(seed)
    hour = np.arange(intervals) / 12.0 % 24.0
    price = 80.0 + 120.0 * np.exp(-(((hour - 18.5) / 1.8) ** 2))
    price += -130.0 * np.exp(-(((hour - 12.5) / 2.5) ** 2)) + draws.normal(0.0, 40.0, intervals)
    spike, floor = draws.random(intervals) < 0.01, draws.random(intervals) < 0.01
    price = np.where(spike, draws.uniform(300.0, 17000.0, intervals), price)
    return np.where(floor, -1000.0, price)


def test_three_intervals_by_hand_charge_at_the_low_price_and_discharge_at_the_high_one():
    plan = solve(PLAIN, [50.0, 240.0, 300.0])
    # 5 kW for half an hour store 2.375 kWh, which return 2.25625 kWh = 4.5125 kW; at 240 a kWh
    # bought would return 0.9025 * (0.300 - 0.04) = 0.235 only.
    np.testing.assert_allclose(plan.battery_kw, [5.0, 0.0, -4.5125], atol=1e-9)
    np.testing.assert_allclose(plan.energy_kwh, [2.0, 4.375, 4.375, 2.0], atol=1e-9)
    assert plan.profit == pytest.approx(-2.5 * 0.050 + 2.25625 * (0.300 - 0.04), abs=1e-9)
    assert plan.objective == plan.profit
    assert abs(plan.gap) < 1e-9


@pytest.mark.parametrize(
    ("low", "high", "worth_it"), [(60.0, 107.0, True), (60.0, 106.0, False), (10.0, 52.0, True)]
)
def test_two_prices_trade_only_if_the_spread_pays_losses_and_wear(low, high, worth_it):
    # A kWh bought returns eff^2 kWh: worth it above low / eff^2 + wear, 106.5 per MWh at 60.
    problem = replace(PLAIN, charge_kw=2.0)
    plan = solve(problem, [low, high])
    bought_kwh = 2.0 * HALF_HOUR
    gain = bought_kwh * (EFF**2 * (high / 1000.0 - 0.04) - low / 1000.0)
    assert (gain > 0.0) is worth_it
    assert plan.profit == pytest.approx(max(gain, 0.0), abs=1e-9)


def test_final_credit_is_paid_for_energy_above_the_reserve_only():
    problem = replace(PLAIN, initial_kwh=6.0, final_value_per_kwh=0.5)
    plan = solve(problem, [100.0, 100.0])
    # Buying at 0.100 / 0.95 a stored kWh beats a credit of 0.5; 4.75 kWh fill the top 4 kWh.
    assert plan.energy_kwh[-1] == pytest.approx(10.0)
    assert plan.objective - plan.profit == pytest.approx(0.5 * 8.0)
    assert plan.profit == pytest.approx(-0.1 * 4.0 / EFF)


def test_standing_loss_at_the_reserve_is_recharged_each_interval():
    problem = replace(PLAIN, standing_loss_kw=0.019, reserve_kwh=2.0)
    plan = solve(problem, [100.0] * 4)
    np.testing.assert_allclose(plan.battery_kw, 0.02, atol=1e-12)
    np.testing.assert_allclose(plan.energy_kwh, 2.0, atol=1e-12)


def test_export_limit_curtails_solar_unless_the_battery_takes_it():
    problem = replace(PLAIN, export_limit_kw=3.0)
    plan = solve(problem, [150.0, 200.0], load_kw=1.0, solar_kw=[8.0, 0.0])
    # 8 kW of sun: 1 feeds the load, 3 are exported, the other 4 are free to store.
    assert plan.battery_kw[0] == pytest.approx(4.0)
    assert plan.solar_kw[0] == pytest.approx(8.0)
    # 4 kW for half an hour return 1.805 kWh, 3.61 kW; the load takes 1.
    assert plan.battery_kw[1] == pytest.approx(-3.61)
    full = solve(
        replace(problem, initial_kwh=10.0), [150.0, 200.0], load_kw=1.0, solar_kw=[8.0, 0.0]
    )
    assert full.solar_kw[0] == pytest.approx(4.0)
    assert full.battery_kw[0] == pytest.approx(0.0, abs=1e-9)


def test_solar_is_used_if_and_only_if_the_price_is_positive():
    plan = solve(PLAIN, [50.0, -50.0, 1.0, -1.0], load_kw=1.0, solar_kw=4.0)
    np.testing.assert_allclose(plan.solar_kw, [4.0, 0.0, 4.0, 0.0])


def test_import_limit_shares_the_meter_between_load_and_battery():
    problem = replace(PLAIN, import_limit_kw=3.0)
    plan = solve(problem, [-50.0, 500.0], load_kw=1.0)
    assert plan.battery_kw[0] == pytest.approx(2.0)
    assert plan.site_excess_kwh == pytest.approx(0.0, abs=1e-12)
    # Paid to import: the sun is used only for what the limit leaves out of the battery's 5 kW.
    sunny = solve(problem, [-50.0, 500.0], load_kw=1.0, solar_kw=6.0)
    assert sunny.battery_kw[0] == pytest.approx(5.0)
    assert sunny.solar_kw[0] == pytest.approx(3.0)


def test_a_load_beyond_the_fuse_is_booked_and_an_empty_battery_is_left_alone():
    problem = replace(PLAIN, import_limit_kw=3.0)
    plan = solve(problem, [1000.0, 10.0], load_kw=[1.0, 4.0])
    np.testing.assert_allclose(plan.battery_kw, 0.0, atol=1e-9)
    assert plan.site_excess_kwh == pytest.approx(1.0 * HALF_HOUR)


def test_a_battery_with_energy_holds_the_fuse_even_at_a_loss():
    problem = replace(PLAIN, import_limit_kw=3.0, initial_kwh=6.0, final_value_per_kwh=0.3)
    plan = solve(problem, [10.0], load_kw=4.0)
    assert plan.battery_kw[0] == pytest.approx(-1.0)
    assert plan.site_excess_kwh == pytest.approx(0.0, abs=1e-9)


def test_emptying_the_battery_before_the_fuse_needs_it_counts_as_a_plan():
    # The simulator lets a battery at its reserve break the fuse, so a bound must know of it:
    # selling 2 kWh at 5.00 before the peak earns more than holding the fuse.
    problem = replace(PLAIN, import_limit_kw=3.0, initial_kwh=4.0)
    plan = solve(problem, [5000.0, 10.0], load_kw=[0.0, 4.0])
    assert plan.energy_kwh[1] == pytest.approx(2.0)
    assert plan.site_excess_kwh == pytest.approx(0.5)


def test_a_battery_below_its_reserve_recharges_at_full_rate_whatever_the_price():
    problem = replace(PLAIN, reserve_kwh=5.0, initial_kwh=0.0)
    plan = solve(problem, [900.0, 900.0, 900.0, 100.0])
    stored = 2.5 * EFF
    np.testing.assert_allclose(plan.energy_kwh[:4], [0.0, stored, 2 * stored, 5.0], atol=1e-9)


def test_a_home_without_a_battery_settles_its_own_load_and_sun():
    none = replace(
        PLAIN, capacity_kwh=1.0, reserve_kwh=0.0, initial_kwh=0.0, one_way_eff=1.0,
        charge_kw=0.0, discharge_kw=0.0, wear_per_kwh=0.0,
    )  # fmt: skip
    plan = solve(none, [100.0, -100.0], load_kw=1.0, solar_kw=3.0)
    assert plan.profit == pytest.approx((2.0 * 0.1 + 1.0 * 0.1) * HALF_HOUR)


@pytest.mark.parametrize("wear_per_kwh", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_optimum_equals_dynamic_programming_on_whole_units(seed, wear_per_kwh):
    draws = np.random.default_rng(seed)
    unit_kwh = 0.25
    problem = whole_units(
        replace(
            PLAIN,
            wear_per_kwh=wear_per_kwh,
            standing_loss_kw=unit_kwh / HALF_HOUR,
            initial_kwh=float(draws.integers(8, 41)) * unit_kwh,
            final_value_per_kwh=0.1,
        ),
        up=int(draws.integers(2, 12)),
        down=int(draws.integers(1, 12)),
        unit_kwh=unit_kwh,
    )
    price = draws.choice([-1000.0, -400.0, -50.0, 20.0, 90.0, 300.0, 9000.0], size=24)
    plan = solve(problem, price)
    exact = best_on_a_grid(problem, price, unit_kwh)
    assert plan.objective == pytest.approx(exact, abs=1e-6)
    assert plan.objective + plan.gap >= exact - 1e-9


def test_no_energy_is_burnt_by_charging_and_discharging_at_once_at_the_price_floor():
    # An average of charging and discharging would be paid 1.00 for each kWh lost; a battery
    # has one power, so a full one at the floor price can only wait, or cycle at its limits.
    full = replace(PLAIN, initial_kwh=10.0, wear_per_kwh=0.0)
    plan = solve(full, [-1000.0])
    assert plan.profit == pytest.approx(0.0, abs=1e-9)
    assert plan.binaries == 1
    cycled = solve(full, [-1000.0, -1000.0])
    # Pay for 2.25625 kWh delivered, get paid for the 2.5 kWh that refill it.
    assert cycled.profit == pytest.approx(2.5 - 2.25625, abs=1e-9)
    np.testing.assert_allclose(cycled.battery_kw, [-4.5125, 5.0], atol=1e-7)


def test_binaries_appear_only_below_the_price_at_which_burning_pays():
    threshold = -1000.0 * 0.04 * EFF**2 / (1.0 - EFF**2)
    problem = replace(PLAIN, initial_kwh=10.0)
    assert solve(problem, [threshold + 1.0] * 3).binaries == 0
    assert solve(problem, [threshold - 1.0] * 3).binaries > 0


@pytest.mark.parametrize("seed", range(3))
def test_profit_scales_with_the_size_of_the_home(seed):
    price, sun, load = spiky_prices(96, seed), 6.0, 1.5
    small = replace(PLAIN, export_limit_kw=4.0, import_limit_kw=5.0, initial_kwh=6.0)
    sizes = [
        "capacity_kwh",
        "reserve_kwh",
        "charge_kw",
        "discharge_kw",
        "standing_loss_kw",
        "import_limit_kw",
        "export_limit_kw",
        "initial_kwh",
    ]
    large = replace(small, **{name: 7.0 * getattr(small, name) for name in sizes})
    one, seven = solve(small, price, load, sun), solve(large, price, 7 * load, 7 * sun)
    assert seven.objective == pytest.approx(7.0 * one.objective, rel=1e-6)


def test_more_capacity_or_more_power_never_earns_less():
    price = spiky_prices(192, 5)
    earned = [
        [
            solve(replace(PLAIN, capacity_kwh=size, charge_kw=power, discharge_kw=power), price)
            for power in (1.0, 3.0, 9.0)
        ]
        for size in (4.0, 8.0, 16.0)
    ]
    money = np.array([[plan.objective for plan in row] for row in earned])
    assert (np.diff(money, axis=0) > 0.0).all()
    assert (np.diff(money, axis=1) > 0.0).all()


@st.composite
def homes(draw):
    """A home with limits that may bind in every way, and its signals."""
    amount = st.floats(0.0, 6.0)
    capacity = draw(st.floats(1.0, 15.0))
    eff = draw(st.floats(0.85, 1.0))
    charge = draw(st.floats(0.5, 6.0))
    problem = SiteProblem(
        capacity_kwh=capacity,
        reserve_kwh=capacity * draw(st.sampled_from([0.0, 0.2, 0.5, 1.0])),
        charge_kw=charge,
        discharge_kw=draw(st.floats(0.0, 6.0)),
        one_way_eff=eff,
        standing_loss_kw=draw(st.sampled_from([0.0, 0.02, 0.3])),
        wear_per_kwh=draw(st.sampled_from([0.0, 0.04, 0.1])),
        import_limit_kw=draw(st.sampled_from([1.0, 4.0, 100.0])),
        export_limit_kw=draw(st.sampled_from([0.0, 3.0, 100.0])),
        initial_kwh=capacity * draw(st.floats(0.0, 1.0)),
        final_value_per_kwh=draw(st.sampled_from([0.0, 0.1])),
        dt_h=draw(st.sampled_from([1.0 / 12.0, 0.5])),
    )
    steps = draw(st.integers(1, 20))
    price = st.sampled_from([-1000.0, -500.0, -40.0, 0.0, 60.0, 400.0, 17000.0]) | st.floats(
        -1000.0, 1000.0
    )
    signals = [
        np.array(draw(st.lists(values, min_size=steps, max_size=steps)))
        for values in (price, amount, amount)
    ]
    return problem, *signals, draw(st.integers(0, 2**32 - 1))


FUZZ = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@FUZZ
@given(homes())
def test_the_plan_replayed_in_the_physics_of_a_site_earns_its_objective(case):
    problem, price, load, sun, _ = case
    plan = solve(problem, price, load, sun)
    earned, served = simulate(problem, price, load, sun, plan.battery_kw, plan.solar_kw)
    assert earned == pytest.approx(plan.objective, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(served, plan.battery_kw, atol=1e-6)


def column(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def fleet_of_one(problem: SiteProblem) -> Fleet:
    battery = BatteryParams(*(column(getattr(problem, field)) for field in BatteryParams._fields))
    agreement = Agreement(
        reserve_kwh=column(problem.reserve_kwh),
        import_limit_kw=column(problem.import_limit_kw),
        export_limit_kw=column(problem.export_limit_kw),
        homeowner_share=column(0.5),
    )
    number = torch.zeros(1, dtype=torch.int64)
    return Fleet(number, battery, column(5.0), number, column(1.0), number, agreement, number)


@FUZZ
@given(homes())
def test_the_plan_replayed_in_the_simulator_earns_its_objective(case):
    problem, price, load, sun, _ = case
    plan = solve(problem, price, load, sun)
    fleet, energy_kwh, earned = fleet_of_one(problem), column(problem.initial_kwh), 0.0
    for now, price_per_mwh in enumerate(price):
        load_kw, available_kw = column(load[now]), column(sun[now])
        asked = SetPoints(column(plan.battery_kw[now]), column(plan.solar_kw[now]))
        moment = Moment(energy_kwh, load_kw, available_kw, column(0.0), torch.zeros(1, 2))
        served = step_site(asked, moment, fleet, problem.dt_h)
        money = settle_energy(
            served, load_kw, available_kw, column(price_per_mwh), fleet, problem.dt_h
        )
        earned += (money.energy_market - money.wear).item()
        energy_kwh = served.energy_kwh
        assert not served.broken.any()
    credit = problem.final_value_per_kwh * (energy_kwh.item() - problem.reserve_kwh)
    assert earned + credit == pytest.approx(plan.objective, rel=1e-6, abs=1e-6)


@FUZZ
@given(homes())
def test_energy_balances_and_every_limit_holds(case):
    problem, price, load, sun, _ = case
    plan = solve(problem, price, load, sun)
    power, eff, dt_h = plan.battery_kw, problem.one_way_eff, problem.dt_h
    cell_kw = np.where(power > 0.0, power * eff, power / eff) - problem.standing_loss_kw
    np.testing.assert_allclose(np.diff(plan.energy_kwh), cell_kw * dt_h, atol=1e-9)
    assert plan.energy_kwh[0] == problem.initial_kwh
    assert (plan.energy_kwh <= problem.capacity_kwh + 1e-9).all()
    recharged = np.flatnonzero(plan.energy_kwh >= problem.reserve_kwh)
    if len(recharged):
        assert (plan.energy_kwh[recharged[0] :] >= problem.reserve_kwh - 1e-9).all()
    assert (power <= problem.charge_kw + 1e-9).all()
    assert (power >= -problem.discharge_kw - 1e-9).all()
    assert (plan.solar_kw >= 0.0).all()
    assert (plan.solar_kw <= sun + 1e-12).all()
    net_kw = load - plan.solar_kw + power
    assert (net_kw >= -problem.export_limit_kw - 1e-9).all()
    excess_kwh = np.maximum(net_kw - problem.import_limit_kw, 0.0).sum() * dt_h
    assert excess_kwh == pytest.approx(plan.site_excess_kwh, abs=1e-9)


@FUZZ
@given(homes())
def test_no_feasible_policy_earns_more_than_the_bound(case):
    problem, price, load, sun, seed = case
    plan = solve(problem, price, load, sun)
    scale = max(1.0, abs(plan.objective))
    assert abs(plan.gap) <= 1e-6 * scale
    draws = np.random.default_rng(seed)
    for spread_kw in (0.3, 3.0, 30.0):
        for around in (0.0, plan.battery_kw):
            asked = around + spread_kw * draws.normal(size=len(price))
            ceiling = draws.choice([0.0, 0.5, 1.0], size=len(price)) * sun
            earned, _ = simulate(problem, price, load, sun, asked, ceiling)
            assert earned <= plan.objective + plan.gap + 1e-6 * scale


def test_ten_days_of_five_minutes_leave_no_gap():
    price = spiky_prices(2880, 3)
    problem = replace(PLAIN, dt_h=1.0 / 12.0, standing_loss_kw=0.02, final_value_per_kwh=0.08)
    plan = solve(problem, price, load_kw=0.8, solar_kw=2.0)
    assert abs(plan.gap) < 1e-6
    earned, _ = simulate(problem, price, [0.8] * 2880, [2.0] * 2880, plan.battery_kw, plan.solar_kw)
    assert earned == pytest.approx(plan.objective, abs=1e-6)


def test_out_of_time_the_best_plan_comes_with_an_honest_gap():
    # A day at the floor price, no wear: hundreds of equal ways to cycle, too many to rule out.
    problem, hours = replace(PLAIN, wear_per_kwh=0.0, dt_h=1.0 / 12.0), np.zeros(288)
    price = hours - 1000.0
    plan = solve_foresight(problem, price, hours, hours, time_limit_s=0.3)
    assert 0.0 < plan.gap < 0.05 * plan.objective
    earned, _ = simulate(problem, price, hours, hours, plan.battery_kw, plan.solar_kw)
    assert earned == pytest.approx(plan.objective, abs=1e-6)


def test_impossible_homes_and_signals_are_refused_with_a_sentence():
    with pytest.raises(InputError, match="reserve_kwh must lie in"):
        replace(PLAIN, reserve_kwh=11.0)
    with pytest.raises(InputError, match="must cover standing_loss_kw"):
        replace(PLAIN, charge_kw=0.0, standing_loss_kw=0.1)
    with pytest.raises(InputError, match=r"load_kw\[1\]: expected 0 or more"):
        solve(PLAIN, [1.0, 2.0], load_kw=[0.0, -1.0])
    with pytest.raises(InputError, match=r"price_per_mwh\[0\]: expected a finite number"):
        solve(PLAIN, [np.nan, 2.0])
    with pytest.raises(InputError, match="solar_available_kw: expected shape"):
        solve_foresight(PLAIN, np.zeros(3), np.zeros(3), np.zeros(2))
