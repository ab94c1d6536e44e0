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
    best_of,
    clock_grid,
    fewer_homes,
    off_peak_grid,
    time_of_use_grid,
    tuned,
    tuning_windows,
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
    if is_exact(scenario):
        return _wholesale(spec, alike, scenario, say, listen, retune)
    field: list[Policy] = [Idle(), StochasticValueCurve()]
    if scenario.fleet.flexible is not None:
        field += _by_the_clock(spec, alike, scenario, say, listen, retune)
    if scenario.export_per_kwh is not None:
        field.append(SelfConsumption())
    if scenario.cars is not None:
        if scenario.export_per_kwh is not None:
            field.append(Together(SelfConsumption(), CheapestSlots()))
        timer = OffPeak()
        if retune:
            few = fewer_homes(spec)
            timer = best_of(OffPeak, off_peak_grid(), few, tuning_windows(alike), listen)
            say(f"off-peak timer: charge {timer.from_h:g}-{timer.to_h:g} h")
        field += [Latest(), timer, CheapestSlots()]
    return field


def _by_the_clock(
    spec: ScenarioSpec,
    windows: Windows,
    scenario: Scenario,
    say: Callable[[str], None],
    listen: Listen,
    retune: bool,
) -> list[Policy]:
    """For flexible devices: a clock for them alone, and beside rules for the rest of the home."""
    clock = ByTheClock()
    if retune:
        few, some = fewer_homes(spec), tuning_windows(windows)
        clock = best_of(ByTheClock, clock_grid(), few, some, listen)
        say(
            f"devices by the clock: store {clock.store_from_h:g}-{clock.store_to_h:g} h, "
            f"rest {clock.rest_from_h:g}-{clock.rest_to_h:g} h"
        )
    field: list[Policy] = [clock]
    cars = None if scenario.cars is None else CheapestSlots()
    if (scenario.fleet.cohort >= 0).any():
        battery: Policy = SelfConsumption()
        if scenario.export_per_kwh is None:
            hours = TimeOfUse()
            if retune:
                hours = best_of(TimeOfUse, time_of_use_grid(), few, some, listen)
            battery = hours
        field.append(Together(battery, cars, clock))
    return field


def _wholesale(
    spec: ScenarioSpec,
    windows: Windows,
    scenario: Scenario,
    say: Callable[[str], None],
    listen: Listen,
    retune: bool,
) -> list[Policy]:
    """For batteries on a wholesale market."""
    rules: tuple[TimeOfUse, Quantile, Mpc] = (TimeOfUse(), Quantile(), Mpc())
    if retune:
        rules = tuned(spec, windows, say, listen)
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
