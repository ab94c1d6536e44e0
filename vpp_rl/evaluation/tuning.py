"""Tune the rules and the MPC on training days, by grid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

import pandas as pd
import torch

from vpp_envs.fleet.fleet import rated_kw
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.scenario import ScenarioSpec, build_scenario, split_homes
from vpp_rl.baselines.mpc import Mpc
from vpp_rl.baselines.rules import Quantile, TimeOfUse
from vpp_rl.policy import Policy
from vpp_rl.rollout import Windows, play, window_starts, worth

P = TypeVar("P", bound=Policy)
Listen = Callable[[str, float], None]  # what is being played, and the share that is done
Settings = Sequence[dict[str, float]]  # the numbers of a policy by name, one entry for each try

TUNING_WINDOWS = 36
MPC_WINDOWS = 12  # a programme at every interval costs more than a rule
TUNING_HOMES = 8  # what a rule should do hardly depends on how many homes follow it


def time_of_use_grid() -> Settings:
    """Windows of the day that are tried."""
    names = "charge_from_h", "charge_to_h", "discharge_from_h", "discharge_to_h"
    evenings = (16.0, 17.0, 18.0, 19.0), (3.0, 4.0, 6.0)
    return _two_windows(names, (8.0, 9.0, 10.0, 11.0), (4.0, 6.0), *evenings)


def _two_windows(names: Sequence[str], *choices: Sequence[float]) -> Settings:
    """All pairs of two windows of the day, each of a start and a length; four names a pair."""
    return [
        dict(zip(names, (one, one + long, two, two + wide), strict=True))
        for one, long, two, wide in product(*choices)
    ]


def quantile_grid() -> Settings:
    """Quantiles of the day ahead that are tried."""
    lows, highs = (0.0, 0.05, 0.15, 0.25, 0.4), (0.75, 0.85, 0.92, 0.96, 1.0)
    return [{"charge_below": a, "discharge_above": b} for a, b in product(lows, highs)]


def off_peak_grid() -> Settings:
    """Windows of the night that a car's timer is tried with."""
    starts, lengths = (20.0, 21.0, 22.0, 23.0, 0.0, 1.0, 2.0, 3.0), (3.0, 4.0, 6.0, 8.0)
    return [{"from_h": a, "to_h": (a + b) % 24.0} for a, b in product(starts, lengths)]


def clock_grid() -> Settings:
    """Windows of the day in which devices are tried to store, and to rest."""
    names = "store_from_h", "store_to_h", "rest_from_h", "rest_to_h"
    evenings = (16.0, 17.0, 18.0), (2.0, 4.0, 6.0)
    return _two_windows(names, (1.0, 9.0, 11.0, 13.0), (2.0, 4.0), *evenings)


def thermostat_grid() -> Settings:
    """Hours and depths of pre-cooling (or pre-heating) and of setback that are tried."""
    names = "store_from_h", "store_to_h", "rest_from_h", "rest_to_h"
    hours = _two_windows(names, (9.0, 11.0, 13.0), (2.0, 4.0), (16.0, 17.0, 18.0), (2.0, 4.0))
    depths = product((0.0, 0.5, 1.0), (0.0, 0.25, 0.5, 1.0))
    return [
        {**clock, "store_depth": store, "rest_depth": rest}
        for (store, rest), clock in product(depths, hours)
    ]


def mpc_grid() -> Settings:
    """Blends of mean and median forecast, and hurdles, that are tried."""
    weights, hurdles = (1.2, 1.0, 0.7), (0.7, 1.0, 1.4)
    return [{"mean_weight": a, "wear_factor": b} for a, b in product(weights, hurdles)]


def tuned(
    spec: ScenarioSpec, windows: Windows, say: Callable[[str], None], listen: Listen
) -> tuple[TimeOfUse, Quantile, Mpc]:
    """Choose, among the grids, what earns most on windows of the training days.

    Args:
        spec: The scenario.
        windows: Those that decide in the end: training windows of their length, and no more of
            them, are tuned on.
        say: Called with a line for people whenever a grid is done.
        listen: Hears about progress.
    """
    spec = fewer_homes(spec)
    few = tuning_windows(windows)
    fewer = replace(few, most=min(max((windows.most or TUNING_WINDOWS) // 4, 1), MPC_WINDOWS))
    rule = best_of(TimeOfUse, time_of_use_grid(), spec, few, listen)
    say(hours_of(rule))
    quantile = best_of(Quantile, quantile_grid(), spec, few, listen)
    say(
        f"quantile rule: charge below {quantile.charge_below:.0%}, "
        f"discharge above {quantile.discharge_above:.0%} of the day ahead"
    )
    mpc = best_of(Mpc, mpc_grid(), spec, fewer, listen)
    say(f"mpc: weight of the mean {mpc.mean_weight:g}, wear hurdle x {mpc.wear_factor:g}")
    return rule, quantile, mpc


def hours_of(rule: TimeOfUse) -> str:
    """What was chosen, for people."""
    return (
        f"time of use: charge {rule.charge_from_h:g}-{rule.charge_to_h:g} h, "
        f"discharge {rule.discharge_from_h:g}-{rule.discharge_to_h:g} h"
    )


def tuning_windows(windows: Windows) -> Windows:
    """Training windows of the length of those that decide, and no more of them."""
    return replace(windows, split="train", most=min(windows.most or TUNING_WINDOWS, TUNING_WINDOWS))


def best_of(
    kind: Callable[..., P],
    grid: Settings,
    spec: ScenarioSpec,
    windows: Windows,
    listen: Listen = lambda what, share: None,
) -> P:
    """Play all settings of a policy side by side, and build it with those that earn most.

    Args:
        kind: Builds the policy from numbers, or from columns of them, (B, 1).
        grid: The settings.
        spec: The scenario.
        windows: Where they are compared.
        listen: Hears about progress.
    """
    frame = played_grid(kind, grid, spec, windows, listen)
    return kind(**best_in(frame, grid, spec))


@dataclass(frozen=True)
class Tuner:
    """Chooses the numbers of rules on training days, or leaves their defaults."""

    spec: ScenarioSpec
    windows: Windows  # those that decide: training windows of their length are tuned on
    say: Callable[[str], None]  # called with a line for people whenever something is tuned
    listen: Listen
    retune: bool = True  # else the defaults play

    def best(self, kind: Callable[..., P], grid: Settings, words: Callable[[P], str]) -> P:
        """Build a rule with the settings that are worth most.

        Args:
            kind: Builds it from numbers, from columns of them, (B, 1), or with its defaults.
            grid: The settings.
            words: What was chosen, for people.
        """
        if not self.retune:
            return kind()
        few, some = fewer_homes(self.spec), tuning_windows(self.windows)
        found = best_of(kind, grid, few, some, self.listen)
        self.say(words(found))
        return found


def best_in(frame: pd.DataFrame, grid: Settings, spec: ScenarioSpec) -> dict[str, float]:
    """The settings that are worth most.

    Args:
        frame: From `played_grid`.
        grid: The settings.
        spec: The scenario.
    """
    return grid[int(worth(frame, spec).to_numpy().reshape(len(grid), -1).sum(-1).argmax())]


def played_grid(
    kind: Callable[..., Policy],
    grid: Settings,
    spec: ScenarioSpec,
    windows: Windows,
    listen: Listen = lambda what, share: None,
) -> pd.DataFrame:
    """Play all settings of a policy side by side.

    Args:
        kind: Builds the policy from numbers, or from columns of them, (B, 1).
        grid: The settings.
        spec: The scenario.
        windows: Where they are compared.
        listen: Hears about progress.

    Returns:
        A row a window, the windows of one setting after the other.
    """
    starts, _ = window_starts(build_scenario(spec, windows.split), windows)
    columns = {name: torch.tensor([[each[name]] for each in grid]).double() for name in grid[0]}
    everyone = kind(**{n: c.repeat_interleave(len(starts), 0) for n, c in columns.items()})
    what = f"tuning the {everyone.name} on training days"
    frame, _ = play(
        everyone,
        spec,
        replace(windows, copies=len(grid)),
        lambda done, ticks: listen(what, done / ticks),
    )
    return frame


def fewer_homes(spec: ScenarioSpec) -> ScenarioSpec:
    """The first homes of the fleet, one with a battery or a car at least, all in every window."""
    equipped = rated_kw(split_homes(spec, "train")) > 0
    homes = max(TUNING_HOMES, int(equipped.int().argmax()) + 1)
    fleet = replace(spec.fleet, homes=min(homes, spec.fleet.homes))
    return replace(spec, fleet=fleet, fleet_mix=FleetMix())
