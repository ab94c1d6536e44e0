import numpy as np
import pytest

from vpp_envs.errors import InputError
from vpp_rl.baselines.foresight import SiteProblem, solve_foresight
from vpp_rl.baselines.mpc_lp import RollingStorageLp, Storage

EFF = 0.95
UNIT_KWH = 0.25  # limits are whole units of stored energy, so that a grid search is exact


def storage(**changes) -> Storage:
    """Two units up and three down in half an hour, 16 units of room."""
    plain = {
        "energy_kwh": 3.0,
        "low_kwh": 1.0,
        "high_kwh": 5.0,
        "charge_kw": 4 * UNIT_KWH / EFF,
        "discharge_kw": 6 * UNIT_KWH * EFF,
        "one_way_eff": EFF,
        "standing_loss_kw": 0.0,
        "wear_per_kwh": 0.04,
        "final_value_per_kwh": 0.05,
    }
    return Storage(*(np.atleast_1d(value) for value in (plain | changes).values()))


def best_on_a_grid(price_per_kwh, dt_h, battery: Storage) -> float:
    """Optimum over whole units of stored energy by dynamic programming, losses left out."""
    low, high, start = (
        round(field.item() / UNIT_KWH)
        for field in (battery.low_kwh, battery.high_kwh, battery.energy_kwh)
    )
    levels = np.arange(low, high + 1)
    value = battery.final_value_per_kwh * (levels - low) * UNIT_KWH
    for price, hours in zip(price_per_kwh[::-1], dt_h[::-1], strict=True):
        stored = (levels[None, :] - levels[:, None]) * UNIT_KWH
        drawn = np.where(stored > 0.0, stored / EFF, stored * EFF)
        gain = -price * drawn - battery.wear_per_kwh * np.maximum(-drawn, 0.0)
        allowed = (drawn <= battery.charge_kw * hours + 1e-9) & (
            drawn >= -battery.discharge_kw * hours - 1e-9
        )
        value = (np.where(allowed, gain, -np.inf) + value[None, :]).max(axis=1)
    return float(value[start - low])


def spiky_prices(intervals: int, seed: int) -> np.ndarray:
    """Prices per kWh with a spike now and then, none low enough to pay for burning energy."""
    draws = np.random.default_rng(seed)
    price = draws.normal(0.1, 0.12, intervals).clip(-0.3)
    return np.where(draws.random(intervals) < 0.05, draws.uniform(0.5, 15.0, intervals), price)


@pytest.mark.parametrize("seed", range(8))
def test_plan_equals_dynamic_programming_over_intervals_of_any_length(seed):
    draws = np.random.default_rng(seed)
    price = spiky_prices(10, seed)
    # Multiples of half an hour keep the limits whole; one interval has no length at all.
    dt_h = 0.5 * draws.integers(1, 4, 10)
    dt_h[3] = 0.0
    battery = storage(
        energy_kwh=UNIT_KWH * draws.integers(4, 21), final_value_per_kwh=draws.uniform(0.0, 0.2)
    )
    step = RollingStorageLp(10).solve(price, dt_h, battery)
    assert step.objective.item() == pytest.approx(best_on_a_grid(price, dt_h, battery), abs=1e-8)


def test_the_actual_price_of_a_short_first_interval_is_what_counts_now():
    model = RollingStorageLp(3)
    dt_h, forecast = np.array([1 / 12, 5 / 12, 0.5]), [0.1, 0.1]
    full = storage(energy_kwh=5.0)
    assert model.solve(np.array([9.0, *forecast]), dt_h, full).battery_kw == pytest.approx(
        -full.discharge_kw
    )
    empty = storage(energy_kwh=1.0)
    assert model.solve(np.array([-0.1, *forecast]), dt_h, empty).battery_kw == pytest.approx(
        empty.charge_kw
    )


def test_equals_perfect_foresight_on_the_same_prices():
    price = spiky_prices(48, 3)
    home = SiteProblem(
        capacity_kwh=5.0, reserve_kwh=1.0, charge_kw=2.0, discharge_kw=3.0, one_way_eff=EFF,
        standing_loss_kw=0.03, wear_per_kwh=0.04, import_limit_kw=100.0, export_limit_kw=100.0,
        initial_kwh=3.0, final_value_per_kwh=0.05, dt_h=0.5,
    )  # fmt: skip
    battery = storage(charge_kw=2.0, discharge_kw=3.0, standing_loss_kw=0.03)
    bound = solve_foresight(home, price * 1000.0, np.zeros(48), np.zeros(48))
    step = RollingStorageLp(48).solve(price, np.full(48, 0.5), battery)
    assert step.objective.item() == pytest.approx(bound.objective, abs=1e-8)
    assert step.battery_kw.item() == pytest.approx(bound.battery_kw[0], abs=1e-7)


def test_stepping_through_known_prices_earns_the_plan_of_the_first_step():
    price, battery, model = (
        spiky_prices(30, 7),
        storage(standing_loss_kw=0.03),
        RollingStorageLp(30),
    )
    promised = model.solve(price, np.full(30, 0.5), battery).objective.item()
    energy, earned = 3.0, 0.0
    for now in range(30):
        # What lies behind the horizon has no length.
        ahead = np.concatenate((price[now:], np.zeros(now)))
        dt_h = np.concatenate((np.full(30 - now, 0.5), np.zeros(now)))
        power = model.solve(ahead, dt_h, battery._replace(energy_kwh=np.array([energy])))
        kw = power.battery_kw.item()
        earned += -0.5 * kw * price[now] - 0.5 * max(-kw, 0.0) * 0.04
        energy += 0.5 * ((kw * EFF if kw > 0.0 else kw / EFF) - 0.03)
        assert 1.0 - 1e-9 <= energy <= 5.0 + 1e-9
    assert earned + 0.05 * (energy - 1.0) == pytest.approx(promised, abs=1e-7)


def test_a_warm_start_finds_what_a_cold_start_finds():
    warm, draws = RollingStorageLp(50), np.random.default_rng(0)
    dt_h = np.concatenate(([1 / 12, 5 / 12], np.full(48, 0.5)))
    for seed in range(40):
        price = spiky_prices(50, seed)
        battery = storage(energy_kwh=draws.uniform(1.0, 5.0), standing_loss_kw=0.02)
        one, other = (
            warm.solve(price, dt_h, battery),
            RollingStorageLp(50).solve(price, dt_h, battery),
        )
        assert one.objective.item() == pytest.approx(other.objective.item(), abs=1e-8)
        assert one.battery_kw.item() == pytest.approx(other.battery_kw.item(), abs=1e-6)


def test_rows_of_a_batch_equal_the_same_batteries_one_by_one():
    model, prices = RollingStorageLp(12), np.stack([spiky_prices(12, seed) for seed in range(5)])
    dt_h = np.full(12, 0.5)
    fleet = storage(
        energy_kwh=np.linspace(1.0, 5.0, 5),
        charge_kw=np.linspace(1.0, 3.0, 5),
        one_way_eff=np.linspace(0.9, 1.0, 5),
    )
    together = model.solve(prices, dt_h, fleet)
    for row in range(5):
        single = Storage(*(field[[row]] if len(field) > 1 else field for field in fleet))
        alone = model.solve(prices[row], dt_h, single)
        for batch, one in zip(together, alone, strict=True):
            assert batch[row] == pytest.approx(one.item(), abs=1e-8)


@pytest.mark.parametrize("energy_kwh", [1.3, 2.9, 4.6])
def test_value_of_stored_energy_is_the_slope_of_the_objective(energy_kwh):
    price, dt_h, model = spiky_prices(20, 2), np.full(20, 0.5), RollingStorageLp(20)
    step = 1e-4
    objectives = [
        model.solve(price, dt_h, storage(energy_kwh=energy_kwh + change)).objective.item()
        for change in (-step, step)
    ]
    value = model.solve(price, dt_h, storage(energy_kwh=energy_kwh)).value_per_kwh.item()
    assert value == pytest.approx((objectives[1] - objectives[0]) / (2.0 * step), abs=1e-6)
    assert value > 0.0


def test_a_battery_below_its_reserve_recharges_at_full_rate_first():
    battery = storage(energy_kwh=0.2)
    step = RollingStorageLp(4).solve(np.array([9.0, 0.1, 0.1, 0.1]), np.full(4, 0.5), battery)
    assert step.battery_kw.item() == pytest.approx(battery.charge_kw.item())


def test_at_the_price_floor_the_planned_change_of_energy_is_one_power():
    # Averaging full charge and full discharge would be paid 1.00 for each kWh lost; the power
    # is the one power with the planned change, which a full battery can only hold at 0.
    full = storage(energy_kwh=5.0, wear_per_kwh=0.0)
    step = RollingStorageLp(2).solve(np.array([-1.0, 0.05]), np.array([0.5, 0.5]), full)
    assert step.battery_kw.item() == pytest.approx(0.0, abs=1e-9)
    assert step.objective.item() >= 0.05 * 4.0


def test_prices_that_do_not_span_the_horizon_are_refused():
    with pytest.raises(InputError, match=r"expected \(B, 4\)"):
        RollingStorageLp(4).solve(np.zeros(3), np.full(3, 0.5), storage())
    with pytest.raises(InputError, match="longer than 0 h"):
        RollingStorageLp(2).solve(np.zeros(2), np.array([0.0, 0.5]), storage())
