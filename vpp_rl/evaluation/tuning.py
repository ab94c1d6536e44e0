"""Tune the rules and the MPC on training days, as hard as a learner is tuned."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import TypeVar

from vpp_envs.scenario import ScenarioSpec
from vpp_rl.baselines.mpc import Mpc
from vpp_rl.baselines.rules import Quantile, TimeOfUse
from vpp_rl.evaluation.rollout import Windows, play
from vpp_rl.policy import Policy

P = TypeVar("P", bound=Policy)

TUNING_WINDOWS = 12
MPC_WINDOWS = 6  # a programme at every interval costs more than a rule


def time_of_use_grid() -> Iterable[TimeOfUse]:
    """Windows of the day that are tried."""
    for start, length, evening, stay in product(
        (8.0, 9.0, 10.0, 11.0), (4.0, 6.0), (16.0, 17.0, 18.0), (3.0, 4.0, 6.0)
    ):
        yield TimeOfUse(start, start + length, evening, evening + stay)


def quantile_grid() -> Iterable[Quantile]:
    """Quantiles of the day ahead that are tried."""
    for low, high in product((0.15, 0.25, 0.35, 0.45), (0.65, 0.75, 0.85, 0.92, 0.96)):
        yield Quantile(low, high)


def mpc_grid() -> Iterable[Mpc]:
    """Blends of mean and median forecast, and hurdles, that are tried."""
    for mean_weight, wear_factor in product((1.0, 0.7, 0.4), (1.0, 1.5)):
        yield Mpc(mean_weight, wear_factor)


def tuned(spec: ScenarioSpec, listen: Callable[[str], None]) -> tuple[TimeOfUse, Quantile, Mpc]:
    """Choose, among the grids, what earns most on windows of the training days.

    Args:
        spec: The scenario.
        listen: Called with a line for people whenever a grid is done.
    """
    few = Windows("train", most=TUNING_WINDOWS)
    fewer = Windows("train", most=MPC_WINDOWS)
    rule = _best(time_of_use_grid(), spec, few)
    listen(
        f"time of use: charge {rule.charge_from_h:g}-{rule.charge_to_h:g} h, "
        f"discharge {rule.discharge_from_h:g}-{rule.discharge_to_h:g} h"
    )
    quantile = _best(quantile_grid(), spec, few)
    listen(
        f"quantile rule: charge below {quantile.charge_below:.0%}, "
        f"discharge above {quantile.discharge_above:.0%} of the day ahead"
    )
    mpc = _best(mpc_grid(), spec, fewer)
    listen(f"mpc: weight of the mean {mpc.mean_weight:g}, wear hurdle x {mpc.wear_factor:g}")
    return rule, quantile, Mpc(mpc.mean_weight, mpc.wear_factor)


def _best(grid: Iterable[P], spec: ScenarioSpec, windows: Windows) -> P:
    """The policy of a grid that earns most."""
    scored = [(float(play(policy, spec, windows)[0].profit.sum()), policy) for policy in grid]
    return max(scored, key=lambda pair: pair[0])[1]
