"""The perfect-foresight bound of homes with cars or tariffs: nobody earns more."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from vpp_envs.scenario import SCENARIOS, build_scenario
from vpp_envs.simulator import SetPoints
from vpp_rl.baselines.charging import CheapestSlots, Latest, OffPeak, Together
from vpp_rl.baselines.home_plan import is_exact, plan_homes
from vpp_rl.baselines.plan import plan_windows
from vpp_rl.baselines.rules import CurtailOnly, Idle, SelfConsumption
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.rollout import Windows, play

WINDOWS = Windows("test", window_days=1, most=4)


@dataclass(frozen=True)
class Random:
    """Whatever comes to mind, within or beyond what a home can do."""

    name: str = "random"
    kind: str = "rule"

    def act(self, scene):
        draw = torch.Generator().manual_seed(int(scene.tick[0]))
        battery, sun, car = (
            torch.rand(scene.moment.load_kw.shape, generator=draw, dtype=torch.float64)
            for _ in range(3)
        )
        available = scene.moment.solar_available_kw
        return SetPoints(12.0 * battery - 6.0, available * (sun > 0.1), 24.0 * car - 12.0)


EVERYBODY = (
    Idle(),
    Random(),
    CurtailOnly(),
    SelfConsumption(),
    StochasticValueCurve(),
    Latest(),
    OffPeak(),
    CheapestSlots(),
    Together(SelfConsumption(), CheapestSlots()),
)


@pytest.fixture(scope="module", params=["car_days", "tariff_days"])
def planned(request):
    """A scenario and its bound."""
    spec = request.getfixturevalue(request.param)
    return spec, plan_homes(spec, WINDOWS)


@pytest.mark.parametrize("policy", EVERYBODY, ids=lambda policy: policy.name)
def test_nobody_earns_more_than_the_bound(planned, policy):
    spec, bound = planned
    frame, _ = play(policy, spec, WINDOWS)
    assert bool((frame.profit.to_numpy() <= bound.objective.numpy() + 1e-6).all())


WAITING = {"managed_share": 0.4, "ev_midnight_share": 0.4, "ev_last_moment_share": 0.4}


@pytest.mark.slow
@pytest.mark.parametrize("shares", [{}, {"transformer_homes": 3, "transformer_kw": 5.0}])
@pytest.mark.parametrize("days", ["car_days", "tariff_days"])
def test_the_bound_holds_for_drivers_who_wait_whoever_commands_them(days, shares, request):
    """Those that may be commanded, and those that nobody may; left alone, too."""
    spec = request.getfixturevalue(days)
    fleet = replace(spec.fleet, ev_share=1.0, homes=8, **WAITING, **shares)
    spec = replace(spec, fleet=fleet)
    ev = build_scenario(spec, "test").fleet.ev
    assert (ev.habit.unique().tolist(), ev.agreement.managed.unique().tolist()) == (
        [0, 1, 2],
        [0.0, 1.0],
    )
    windows = Windows("test", window_days=2)
    bound = plan_homes(spec, windows)
    for policy in (Idle(), Random(), Latest(), OffPeak(), CheapestSlots(), StochasticValueCurve()):
        frame, _ = play(policy, spec, windows)
        assert bool((frame.profit.to_numpy() <= bound.objective.numpy() + 1e-6).all()), policy.name
        assert frame.broken_agreements.sum() == frame.ev_missed_kwh.sum() == 0


def test_the_bound_is_not_far_from_what_its_plans_earn(planned):
    """It relaxes least currents and the tail near full, and little else."""
    spec, bound = planned
    frame, _ = play(bound, spec, WINDOWS)
    idle, _ = play(Idle(), spec, WINDOWS)
    profit, objective = frame.profit.sum(), float(bound.objective.sum())
    assert profit <= objective + 1e-6
    assert objective - profit <= 0.15 * (objective - float(idle.profit.sum()))


def test_the_bound_holds_for_windows_that_cars_cross_the_midnights_of(car_days):
    windows = Windows("test", window_days=2)
    bound = plan_homes(car_days, windows)
    for policy in (StochasticValueCurve(), Random()):
        frame, _ = play(policy, car_days, windows)
        assert bool((frame.profit.to_numpy() <= bound.objective.numpy() + 1e-6).all())


def test_without_cars_and_tariffs_it_is_the_exact_bound_or_just_above(day_spec):
    spec = replace(day_spec, fleet=replace(day_spec.fleet, homes=4))
    windows = replace(WINDOWS, most=2)
    exact, relaxed = plan_windows(spec, windows), plan_homes(spec, windows)
    least = exact.objective.numpy()
    assert bool((relaxed.objective.numpy() >= least - 1e-6).all())
    np.testing.assert_allclose(relaxed.objective.numpy(), least, rtol=0.01)
    assert not relaxed.gap.any()


def test_two_prices_and_no_car_are_planned_to_the_cent(tariff_days):
    """The programme of a battery behind a tariff relaxes nothing: its plan earns the bound."""
    spec = replace(tariff_days, fleet=replace(tariff_days.fleet, ev_share=0.0))
    bound = plan_homes(spec, WINDOWS)
    frame, _ = play(bound, spec, WINDOWS)
    np.testing.assert_allclose(frame.profit, bound.objective.numpy(), atol=1e-4)


def test_a_stay_too_short_for_the_target_between_two_trips_is_planned(car_days):
    """Home 7 is back from 300 km for 55 minutes, and comes home below its minimum the next time."""
    spec = replace(car_days, fleet=replace(car_days.fleet, homes=1, first_home=7))
    windows = replace(WINDOWS, most=None)
    bound = plan_homes(spec, windows)
    for policy in (Idle(), Random(), StochasticValueCurve()):
        frame, _ = play(policy, spec, windows)
        assert bool((frame.profit.to_numpy() <= bound.objective.numpy() + 1e-6).all())
        assert frame.ev_infeasible_kwh.sum() > 1.0


def test_only_batteries_at_one_price_are_planned_exactly(day_spec, car_days, tariff_days):
    no_cars = replace(tariff_days, fleet=replace(tariff_days.fleet, ev_share=0.0))
    found = [
        is_exact(build_scenario(spec, "test"))
        for spec in (day_spec, car_days, tariff_days, no_cars)
    ]
    assert found == [True, False, False, False]


def test_progress_is_told_home_by_home(car_days):
    told = []
    plan_homes(car_days, replace(WINDOWS, most=1), lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    "depot",
    [{}, {"v2g_share": 0.0}, {"depot_charger_share": 0.5, "depot_power_share": 0.06}],
    ids=["both ways", "charging only", "tight"],
)
def test_vehicles_of_a_depot_earn_by_their_value_and_no_more_than_the_bound(car_days, depot):
    """The one-kind study of depots: left alone, by chance, by the clock, by value, the bound."""
    fleet = replace(SCENARIOS["depots"].fleet, homes=10, depot_vehicles=10, **depot)
    spec = replace(car_days, fleet=fleet)
    bound = plan_homes(spec, WINDOWS)
    earned = {}
    for policy in (Idle(), Random(), CheapestSlots(), StochasticValueCurve(), bound):
        frame, _ = play(policy, spec, WINDOWS)
        earned[policy.name] = frame.profit.sum()
        assert bool((frame.profit.to_numpy() <= bound.objective.numpy() + 1e-6).all()), policy.name
        assert frame.broken_agreements.sum() == 0
    assert earned["value curve"] > earned["idle"]


def test_what_homes_share_lowers_their_bound_and_the_programme_holds_it(car_days):
    """Nothing is gained by sharing a limit; one that never binds changes no bound."""
    wide = {"transformer_homes": 100, "transformer_kw": 100.0}
    bounds = []
    for share in ({}, wide, {**wide, "transformer_kw": 2.0}):
        spec = replace(car_days, fleet=replace(car_days.fleet, **share))
        bounds.append(plan_homes(spec, replace(WINDOWS, most=1)).objective.numpy())
    alone, never, tight = bounds
    # Promises behind a shared connection are not held against a plan.
    assert (never >= alone - 1e-6).all()
    assert (tight <= never + 1e-6).all()
    assert tight.sum() < never.sum() - 0.01
