"""What comfort costs: the money of policies against the discomfort that their homes feel.

A price of a kelvin-hour beyond comfort makes one number of the two. Each price has its own learned
policies and its own rules, tuned for it on training days; all of them play the same windows. The
money shown is money alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_rl.baselines.clock import ByTheClock
from vpp_rl.baselines.rules import Idle
from vpp_rl.baselines.value_curve import StochasticValueCurve
from vpp_rl.evaluation.benchmark import Entrant
from vpp_rl.evaluation.field import storage_rules
from vpp_rl.evaluation.statistics import (
    FloatArray,
    block_draws,
    ratio_interval,
    spread_columns,
)
from vpp_rl.evaluation.tuning import (
    Listen,
    Tuner,
    best_in,
    fewer_homes,
    played_grid,
    thermostat_grid,
    tuning_windows,
)
from vpp_rl.evaluation.windows import DAYS_PER_YEAR, panel
from vpp_rl.policy import Policy
from vpp_rl.rollout import Windows, play

LEARNED, RULES = "learned", "rules"
IDLE = Idle().name


def frontier(
    spec: ScenarioSpec,
    windows: Windows,
    learned: Sequence[tuple[float, Entrant]],
    say: Callable[[str], None],
    listen: Listen,
) -> pd.DataFrame:
    """Play learned policies and rules of every price, and those who know no price.

    Args:
        spec: The scenario, without a price.
        windows: Those that decide.
        learned: Price of a kelvin-hour that each was trained with, and the policy. [currency/(K h)]
        say: Called with a line for people whenever something is tuned.
        listen: Hears about progress.

    Returns:
        A row a window (the scoreboard's columns and those of comfort), with ``family`` ("learned",
        "rules" or "") and ``comfort_per_k_h``, NaN for who knows no price.
    """
    prices = sorted({price for price, _ in learned})

    def played(policy: Policy, family: str, price: float) -> pd.DataFrame:
        frame, _ = play(policy, spec, windows, lambda n, of: listen(policy.name, n / of))
        return frame.assign(family=family, comfort_per_k_h=price)

    rivals = rules_by_price(spec, windows, prices, say, listen)
    frames = [played(policy, "", np.nan) for policy in (Idle(), StochasticValueCurve())]
    frames += [
        played(policy, RULES, price).assign(policy=f"{RULES}, {price:g} a K h")
        for price, policy in rivals.items()
    ]
    frames += [
        played(one.policy, LEARNED, price).assign(
            seed=one.seed, train_s=one.train_s, train_steps=float(one.train_steps)
        )
        for price, one in learned
    ]
    return pd.concat(frames, ignore_index=True)


def rules_by_price(
    spec: ScenarioSpec,
    windows: Windows,
    prices: Sequence[float],
    say: Callable[[str], None],
    listen: Listen,
) -> dict[float, Policy]:
    """Rules for all of a home, with hours and depths of the thermostat tuned for each price.

    Args:
        spec: The scenario, without a price.
        windows: Those that decide: training windows of their length are tuned on.
        prices: Of a kelvin-hour beyond comfort. [currency/(K h)]
        say: Called with a line for people whenever something is tuned.
        listen: Hears about progress.
    """
    few, some, grid = fewer_homes(spec), tuning_windows(windows), thermostat_grid()
    # Discomfort does not depend on its price: one play of the grid serves all prices.
    frame = played_grid(ByTheClock, grid, few, some, listen)
    scenario = build_scenario(spec, windows.split)
    whole = storage_rules(Tuner(spec, windows, say, listen), scenario, ByTheClock())
    found: dict[float, Policy] = {}
    clock: Callable[..., ByTheClock] = ByTheClock
    for price in prices:
        best = best_in(frame, grid, replace(few, comfort_per_k_h=price))
        found[price] = replace(whole, devices=clock(**best))
        say(f"{price:g} a K h: " + ", ".join(f"{name} {best[name]:g}" for name in best))
    return found


def summarise_frontier(frame: pd.DataFrame) -> pd.DataFrame:
    """Money and discomfort of each policy, with 95 % intervals over seeds and blocks of windows.

    Args:
        frame: From `frontier`.

    Returns:
        A row a policy: gain over idle [currency/home-year], discomfort [K h/home-day], and for
        learned ones how much more they are worth at their price than the rules of that price.
    """
    paired = panel(frame)
    rng = np.random.default_rng(0)
    idle = paired.profit[IDLE].mean(axis=0)
    felt = {name: _felt(rows, paired.starts.size) for name, rows in paired.rows.items()}
    rivals = {
        float(rows.comfort_per_k_h.iloc[0]): name
        for name, rows in paired.rows.items()
        if rows.family.iloc[0] == RULES
    }
    table = []
    for name, rows in paired.rows.items():
        profit, price = paired.profit[name], float(rows.comfort_per_k_h.iloc[0])
        draws = block_draws(len(profit), idle.size, paired.block, rng)
        row = {
            "policy": name,
            "family": rows.family.iloc[0],
            "comfort_per_k_h": price,
            "seeds": len(profit),
            **spread_columns(
                "gain_per_home_year", ratio_interval(profit - idle, paired.home_years, draws)
            ),
            **spread_columns(
                "discomfort_k_h_per_home_day",
                ratio_interval(felt[name], paired.home_years * DAYS_PER_YEAR, draws),
            ),
        }
        if row["family"] == LEARNED:
            rival = rivals[price]
            lead = profit - price * felt[name]
            lead = lead - (paired.profit[rival] - price * felt[rival]).mean(axis=0)
            row |= spread_columns(
                "lead_per_home_year", ratio_interval(lead, paired.home_years, draws)
            )
        table.append(row)
    order = ["family", "comfort_per_k_h", "policy"]
    return pd.DataFrame(table).sort_values(order, kind="stable", ignore_index=True)


def rules_at(discomfort: FloatArray, summary: pd.DataFrame) -> FloatArray:
    """Most that a mixture of the rules gains with as much discomfort, (P,). [currency/home-year]

    Args:
        discomfort: Where to look, (P,). [K h/home-day]
        summary: From `summarise_frontier`.

    Returns:
        The upper hull of the rules' points; beyond its ends that of the end, NaN below the first.
    """
    rules = summary[summary.family == RULES]
    points = sorted(
        zip(rules.discomfort_k_h_per_home_day, rules.gain_per_home_year, strict=True),
        key=lambda point: (point[0], -point[1]),
    )
    hull: list[tuple[float, float]] = []
    for x, y in points:
        if hull and y <= hull[-1][1]:
            continue  # more discomfort for no more money
        while len(hull) > 1 and _slope(hull[-2], (x, y)) >= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append((x, y))
    xs, ys = np.array(hull).T
    return np.asarray(np.interp(discomfort, xs, ys, left=np.nan))


def _slope(one: tuple[float, float], other: tuple[float, float]) -> float:
    return (other[1] - one[1]) / max(other[0] - one[0], 1e-12)


def _felt(rows: pd.DataFrame, windows: int) -> FloatArray:
    """Discomfort by seed and window, (S, W). [K h]"""
    seeds = rows["seed"].nunique()
    ordered = rows.sort_values(["seed", "start", "window"], kind="stable")
    return ordered["discomfort_k_h"].to_numpy(dtype=np.float64).reshape(seeds, windows)


def picture(summary: pd.DataFrame, currency: str) -> Figure:
    """Draw the gain over idle against discomfort; bars are 95 % intervals.

    Args:
        summary: From `summarise_frontier`.
        currency: Code of the market's currency.
    """
    figure = Figure(figsize=(7.5, 5.0), layout="constrained")
    axes = figure.subplots()
    x, y = "discomfort_k_h_per_home_day", "gain_per_home_year"
    looks = {LEARNED: ("#0072B2", "o-"), RULES: ("#009E73", "s--"), "": ("#8A9099", "D")}
    for family, (colour, form) in looks.items():
        rows = summary[summary.family == family].sort_values(x)
        if rows.empty:
            continue
        reach = [[rows[y] - rows[f"{y}_low"]], [rows[f"{y}_high"] - rows[y]]]
        axes.errorbar(
            rows[x],
            rows[y],
            yerr=np.abs(np.array(reach)).reshape(2, -1),
            fmt=form,
            color=colour,
            capsize=3,
            label=family or "without a price",
        )
        for _, row in rows.iterrows():
            known = not np.isnan(row.comfort_per_k_h)
            words = f"{row.comfort_per_k_h:g}" if known else str(row.policy)
            axes.annotate(
                words,
                (row[x], row[y]),
                xytext=(5, 5),
                textcoords="offset points",
                fontsize="small",
                color=colour,
            )
    axes.set_xlabel("discomfort, K h beyond 1 K from the set-point, per home and day")
    axes.set_ylabel(f"gain over idle, {currency} per home and year")
    axes.set_title(f"Numbers: price of a K h that it was trained or tuned for, {currency}")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure
