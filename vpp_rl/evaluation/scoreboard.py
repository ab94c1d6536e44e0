"""Who earned what: the windows of all policies in, one row per policy out."""

import difflib
from typing import NamedTuple

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError
from vpp_rl.evaluation.statistics import (
    RESAMPLES,
    Draws,
    FloatArray,
    block_draws,
    bootstrap_interval,
    interquartile_mean,
    probability_of_improvement,
    ratio_interval,
    spread_columns,
    spread_names,
    stratified_draws,
    tail_mean,
)
from vpp_rl.evaluation.tables import to_markdown, to_rich_table
from vpp_rl.evaluation.windows import DAYS_PER_YEAR, KINDS, WINDOW_COLUMNS, Panel, panel

__all__ = [
    "KINDS",
    "SUMMARY_COLUMNS",
    "WINDOW_COLUMNS",
    "summarise",
    "to_markdown",
    "to_rich_table",
]

# What others are measured from, and the one to beat, for one kind of homes after the other.
REFERENCES = ("curtail only", "idle")
RIVALS = ("mpc", "self-consumption, cheapest slots", "cheapest slots", "self-consumption")
SPIKE_SHARE = 0.05  # a twentieth of the windows holds a quarter of the value of a spiky market


SUMMARY_COLUMNS = (
    *("policy", "kind", "seeds", "windows", "home_years", "reference", "against"),
    *spread_names("profit_per_home_year"),
    *spread_names("profit_iqm_per_home_year"),
    *spread_names("gain_per_home_year"),
    *spread_names("share_optimum"),
    "share_optimum_iqm",
    *spread_names("share_bound"),
    "share_bound_iqm",
    *spread_names("difference_per_home_year"),
    *("improvement_probability", "share_bound_spikes", "share_bound_rest"),
    *("cvar10_per_home_day", "cycles_per_year", "broken_agreements", "site_limit_kwh"),
    *("train_s", "train_steps"),
)


class _Yardsticks(NamedTuple):
    """Profits that others are measured by, mean over seeds, (W,); None where absent."""

    reference: FloatArray
    optimum: FloatArray | None
    bound: FloatArray | None


def summarise(
    frame: pd.DataFrame,
    *,
    rng: np.random.Generator,
    reference: str | None = None,
    optimum: str = "optimum",
    bound: str = "perfect foresight",
    against: str | None = None,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Judge every policy on the windows that all of them met.

    Shares are ratios of sums of gains over the reference: `sum(profit - reference) / sum(yardstick
    - reference)`. Profit and its interquartile mean carry intervals stratified by quarter; gains,
    shares and differences are paired and carry intervals from blocks of one week. All policies
    meet the same resamples. Where `against` itself has several seeds, it enters as their mean.

    Args:
        frame: One row per policy, seed and window with the columns `WINDOW_COLUMNS`.
        rng: Source of the resamples.
        reference: The policy that earns nothing by control; none: the first of `REFERENCES`.
        optimum: The non-anticipative optimum; NaN columns if no row has that name.
        bound: The perfect-foresight bound; NaN columns if no row has that name.
        against: The policy to beat, for the paired difference; none: the first of `RIVALS`.
        resamples: Number of resamples.

    Returns:
        One row per policy with the columns `SUMMARY_COLUMNS`, highest profit first.

    Raises:
        InputError: A column, a window or a policy is missing, doubled or not comparable.
    """
    paired = panel(frame)
    reference = reference or _first(REFERENCES, paired.profit)
    against = against or _first(RIVALS, paired.profit)
    for name in (reference, against):
        _must_know(name, list(paired.profit))
    means = {policy: table.mean(axis=0) for policy, table in paired.profit.items()}
    yardsticks = _Yardsticks(means[reference], means.get(optimum), means.get(bound))
    common_seed = int(rng.integers(2**63))
    rows = []
    for policy in paired.profit:
        # Generators of their own: every policy meets the same resampled windows.
        by_quarter, by_week = (np.random.default_rng([common_seed, use]) for use in range(2))
        facts = _identity(paired.rows[policy], bound=policy in (optimum, bound))
        facts |= {"reference": reference, "against": against}
        facts |= _earnings(paired, policy, by_quarter, resamples)
        facts |= _comparisons(paired, policy, yardsticks, against, by_week, resamples)
        rows.append(facts | _operation(paired.rows[policy], paired.profit[policy]))
    summary = pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))
    return summary.sort_values(
        "profit_per_home_year", ascending=False, kind="stable", ignore_index=True
    )


def _first(names: tuple[str, ...], played: dict[str, FloatArray]) -> str:
    """The first of the names that played, or the first of all, for the sentence that misses it."""
    return next((name for name in names if name in played), names[0])


def _must_know(name: str, policies: list[str]) -> None:
    """Refuse a yardstick that did not run."""
    if name not in policies:
        close = difflib.get_close_matches(name, policies, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise InputError(
            f"window table: no row of policy {name!r}{hint}; expected one of {', '.join(policies)}"
        )


def _identity(rows: pd.DataFrame, *, bound: bool) -> dict[str, object]:
    """Who this is and how much of it was seen."""
    first = rows.iloc[0]
    one_seed = rows[rows["seed"] == first["seed"]]
    return {
        "policy": first["policy"],
        "kind": "bound" if bound else first["kind"],
        "seeds": rows["seed"].nunique(),
        "windows": len(one_seed),
        "home_years": float((one_seed["homes"] * one_seed["days"]).sum()) / DAYS_PER_YEAR,
    }


def _earnings(
    paired: Panel, policy: str, rng: np.random.Generator, resamples: int
) -> dict[str, float]:
    """Profit per home-year: in the mean, and in the middle half of seeds and windows."""
    profit = paired.profit[policy]
    draws = stratified_draws(profit.shape[0], paired.quarters, rng, resamples)
    mean = ratio_interval(profit, paired.home_years, draws)
    middle = bootstrap_interval(
        profit / paired.home_years, interquartile_mean, paired.quarters, rng, resamples
    )
    return spread_columns("profit_per_home_year", mean) | spread_columns(
        "profit_iqm_per_home_year", middle
    )


def _comparisons(
    paired: Panel,
    policy: str,
    yardsticks: _Yardsticks,
    against: str,
    rng: np.random.Generator,
    resamples: int,
) -> dict[str, float]:
    """Paired gains, shares of the yardsticks, and the difference from the policy to beat."""
    profit, other = paired.profit[policy], paired.profit[against]
    draws = block_draws(len(profit), paired.home_years.size, paired.block, rng, resamples)
    gain = profit - yardsticks.reference
    difference = ratio_interval(profit - other.mean(axis=0), paired.home_years, draws)
    return (
        spread_columns("gain_per_home_year", ratio_interval(gain, paired.home_years, draws))
        | _share("share_optimum", gain, yardsticks.optimum, yardsticks.reference, draws)
        | _share("share_bound", gain, yardsticks.bound, yardsticks.reference, draws)
        | spread_columns("difference_per_home_year", difference)
        | {"improvement_probability": probability_of_improvement(profit, other)}
        | _spikes_and_rest(gain, yardsticks, paired.home_years)
    )


def _share(
    name: str, gain: FloatArray, yardstick: FloatArray | None, reference: FloatArray, draws: Draws
) -> dict[str, float]:
    """Share of what a yardstick gains over the reference: mean over seeds, interval, and IQM."""
    if yardstick is None:
        return {}
    stake = yardstick - reference
    interval = ratio_interval(gain, stake, draws)
    by_seed = gain.sum(axis=1) / stake.sum() if stake.sum() > 0.0 else np.array([np.nan])
    return spread_columns(name, interval) | {f"{name}_iqm": interquartile_mean(by_seed)}


def _spikes_and_rest(
    gain: FloatArray, yardsticks: _Yardsticks, home_years: FloatArray
) -> dict[str, float]:
    """Share of perfect foresight where it earns most, and elsewhere."""
    if yardsticks.bound is None or home_years.size < 2:
        return {}
    stake = yardsticks.bound - yardsticks.reference
    count = max(1, round(SPIKE_SHARE * stake.size))
    spikes = np.zeros(stake.size, dtype=bool)
    spikes[np.argsort(-stake / home_years, kind="stable")[:count]] = True
    mean_gain = gain.mean(axis=0)
    return {
        f"share_bound_{name}": float(mean_gain[part].sum() / stake[part].sum())
        for name, part in (("spikes", spikes), ("rest", ~spikes))
        if stake[part].sum() > 0.0
    }


def _operation(rows: pd.DataFrame, profit: FloatArray) -> dict[str, float]:
    """How it ran: promises, cycles, bad days and the price of training."""
    home_days = rows["homes"] * rows["days"]
    # An equivalent full cycle delivers the usable capacity once.
    capacity_years = rows["capacity_kwh"] * rows["days"] / DAYS_PER_YEAR
    return {
        "cvar10_per_home_day": tail_mean((rows["profit"] / home_days).to_numpy()),
        "cycles_per_year": _ratio(rows["throughput_kwh"].sum(), capacity_years.sum()),
        "broken_agreements": float(rows["broken_agreements"].sum()),
        "site_limit_kwh": float(rows["site_limit_kwh"].sum()) / profit.shape[0],
        "train_s": float(rows["train_s"].mean()),
        "train_steps": float(rows["train_steps"].mean()),
    }


def _ratio(top: float, bottom: float) -> float:
    """A quotient, NaN over nothing."""
    return float(top / bottom) if bottom > 0.0 else float("nan")
