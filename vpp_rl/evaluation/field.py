"""Who plays beside the learned policies: rules and optimisers that suit the homes, tuned alike."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from vpp_envs.scenario import Scenario, ScenarioSpec
from vpp_rl.baselines.charging import CheapestSlots, Latest, OffPeak, Together
from vpp_rl.baselines.clock import ByTheClock
from vpp_rl.baselines.home_plan import is_exact
from vpp_rl.baselines.mpc import Mpc
from vpp_rl.baselines.rules import CurtailOnly, Idle, Quantile, SelfConsumption, TimeOfUse
from vpp_rl.baselines.value_curve import NonAnticipativeOptimum, StochasticValueCurve
from vpp_rl.evaluation.tuning import (
    Listen,
    Tuner,
    clock_grid,
    hours_of,
    off_peak_grid,
    time_of_use_grid,
    tuned,
)
from vpp_rl.policy import Policy
from vpp_rl.rollout import Windows, window_starts


def field_of(
    spec: ScenarioSpec,
    windows: Windows,
    scenario: Scenario,
    say: Callable[[str], None],
    listen: Listen,
    retune: bool,
) -> list[Policy]:
    """Everybody that does not learn, the bound left out.

    Args:
        spec: The scenario.
        windows: Those that decide.
        scenario: Of their split.
        say: Called with a line for people whenever something is tuned.
        listen: Hears about progress.
        retune: Tune rules and MPC on training days; else their defaults play.
    """
    starts, days = window_starts(scenario, windows)
    alike = replace(windows, most=len(starts), window_days=days)
    tuner = Tuner(spec, alike, say, listen, retune)
    if is_exact(scenario):
        return _wholesale(tuner, scenario)
    field: list[Policy] = [Idle(), StochasticValueCurve()]
    if scenario.fleet.flexible is not None:
        field += _by_the_clock(tuner, scenario)
    if scenario.export_per_kwh is not None:
        field.append(SelfConsumption())
    if scenario.cars is not None:
        if scenario.export_per_kwh is not None:
            field.append(Together(SelfConsumption(), CheapestSlots()))
        timer = tuner.best(OffPeak, off_peak_grid(), _hours_of_timer)
        field += [Latest(), timer, CheapestSlots()]
    return field


def _hours_of_timer(timer: OffPeak) -> str:
    return f"off-peak timer: charge {timer.from_h:g}-{timer.to_h:g} h"


def _hours_of_clock(clock: ByTheClock) -> str:
    return (
        f"devices by the clock: store {clock.store_from_h:g}-{clock.store_to_h:g} h, "
        f"rest {clock.rest_from_h:g}-{clock.rest_to_h:g} h"
    )


def _by_the_clock(tuner: Tuner, scenario: Scenario) -> list[Policy]:
    """For flexible devices: a clock for them alone, and beside rules for the rest of the home."""
    clock = tuner.best(ByTheClock, clock_grid(), _hours_of_clock)
    field: list[Policy] = [clock]
    if (scenario.fleet.cohort >= 0).any():
        field.append(storage_rules(tuner, scenario, clock))
    return field


def storage_rules(tuner: Tuner, scenario: Scenario, clock: ByTheClock) -> Together:
    """Rules for all of a home: its battery by the hour, its car in the cheapest, and a clock.

    Args:
        tuner: Chooses the battery's hours.
        scenario: Of the split that decides.
        clock: For the flexible devices.
    """
    cars = None if scenario.cars is None else CheapestSlots()
    if scenario.export_per_kwh is not None:
        return Together(SelfConsumption(), cars, clock)
    return Together(tuner.best(TimeOfUse, time_of_use_grid(), hours_of), cars, clock)


def _wholesale(tuner: Tuner, scenario: Scenario) -> list[Policy]:
    """For batteries on a wholesale market."""
    rules: tuple[TimeOfUse, Quantile, Mpc] = (TimeOfUse(), Quantile(), Mpc())
    if tuner.retune:
        rules = tuned(tuner.spec, tuner.windows, tuner.say, tuner.listen)
    field: list[Policy] = [Idle(), CurtailOnly(), SelfConsumption(), *rules, StochasticValueCurve()]
    if scenario.market.model is not None:
        exact = NonAnticipativeOptimum.is_exact(scenario)
        field.append(NonAnticipativeOptimum() if exact else NonAnticipativeOptimum.approximate())
    return field


def with_perfect_forecast(
    spec: ScenarioSpec, field: Sequence[Policy]
) -> list[tuple[Policy, ScenarioSpec]]:
    """Those that plan on a forecast, once more with one that knows the future.

    What they lack to perfect foresight then is the error of control; what they gained is that of
    the forecast. Recorded prices only: a simulated market has no other law than its own.

    Args:
        spec: The scenario.
        field: Everybody that plays.
    """
    if spec.market.prices is None:
        return []
    told = replace(spec, market=replace(spec.market, forecaster="oracle"))
    planners = [p for p in field if isinstance(p, Mpc | StochasticValueCurve | CheapestSlots)]
    return [(replace(p, name=f"{p.name}, perfect forecast", kind="bound"), told) for p in planners]
