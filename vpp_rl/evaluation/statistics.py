"""Estimates and intervals for policies that ran on the same windows.

A table of results is `(S, W)`: S training seeds (one for a deterministic policy) by W windows of
time. Seeds and windows are crossed, since one trained policy meets every window, so a resample
draws whole rows and whole columns, independently of each other: the luck of a training run is
shared by all its windows and does not average out over them. This errs on the wide side where
seeds differ by noise alone (Owen 2007, "The pigeonhole bootstrap") and on the narrow side, by a
tenth with five seeds, where they differ in earnest: a handful of rows understates their spread.
Intervals are percentile intervals.

Source of the protocol: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the
statistical precipice" (interquartile mean, stratified bootstrap, probability of improvement).
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESAMPLES = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate and the ends of its interval; the ends are NaN where none can be told."""

    value: float
    low: float
    high: float

    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval; an unknown interval excludes nothing."""
        return self.low > 0.0 or self.high < 0.0


class Draws(NamedTuple):
    """R resamples of the rows and columns of a table of results, as indices."""

    seeds: IntArray  # (R, S)
    windows: IntArray  # (R, W)


def band_mean(values: npt.ArrayLike, low: float, high: float) -> FloatArray:
    """Mean of the values between two quantiles, along the last axis.

    Each of n sorted values holds 1/n of the mass; one that lies across an edge of the band
    counts with the part inside.

    Args:
        values: (..., n), n >= 1.
        low: Lower edge of the band, a share of the mass. [0 to 1]
        high: Upper edge of the band. [low to 1]

    Returns:
        (...).
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    edges = np.arange(ordered.shape[-1] + 1) / ordered.shape[-1]
    inside = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    weights = np.maximum(inside, 0.0)
    return np.asarray(ordered @ weights / weights.sum())


def interquartile_mean(values: npt.ArrayLike) -> float:
    """Mean of the middle half of all values, of any shape: robust as a median, yet efficient.

    Equal to rliable's where the count is a multiple of four; elsewhere the values on the edges
    count in part, where rliable rounds the number that it cuts.
    """
    return float(band_mean(np.ravel(np.asarray(values)), 0.25, 0.75))


def tail_mean(values: npt.ArrayLike, share: float = 0.1) -> float:
    """Mean of the lowest share of all values: the conditional value at risk of gains."""
    return float(band_mean(np.ravel(np.asarray(values)), 0.0, share))


def stratified_draws(
    seeds: int, strata: npt.ArrayLike, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Draws:
    """Draw windows with replacement inside each stratum, and seeds with replacement.

    A stratum of one window would never vary and feign certainty: such windows are pooled.

    Args:
        seeds: Number of rows S.
        strata: Label of each window, such as its quarter, (W,).
        rng: Source of all draws.
        resamples: Number of resamples R.
    """
    labels = _pooled(np.asarray(strata))
    windows = np.empty((resamples, labels.size), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        windows[:, members] = rng.choice(members, size=(resamples, members.size))
    return Draws(rng.integers(seeds, size=(resamples, seeds)), windows)


def block_draws(
    seeds: int, windows: int, block: int, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Draws:
    """Draw blocks of neighbouring windows with replacement, and seeds with replacement.

    Prices of one week hang together: blocks keep that dependence, single windows would not.
    The series is closed to a ring so that every window is drawn equally often (circular block
    bootstrap, Politis and Romano 1992). A block is at most a quarter of the series, as longer
    ones would leave too little to vary.

    Args:
        seeds: Number of rows S.
        windows: Number of windows W, in the order of time.
        block: Windows per block.
        rng: Source of all draws.
        resamples: Number of resamples R.
    """
    length = max(1, min(block, windows // 4))
    starts = rng.integers(windows, size=(resamples, -(-windows // length), 1))
    ring = (starts + np.arange(length)) % windows
    drawn = ring.reshape(resamples, -1)[:, :windows]
    return Draws(rng.integers(seeds, size=(resamples, seeds)), drawn)


def ratio_interval(
    numerator: npt.ArrayLike, denominator: npt.ArrayLike, draws: Draws, level: float = LEVEL
) -> Interval:
    """Ratio of sums over windows, averaged over seeds, such as money per home-year or a share.

    A ratio of sums weighs each window by what was at stake in it; a mean of ratios would let
    windows decide in which nothing was to be earned.

    Args:
        numerator: (S, W), or (W,) for one seed.
        denominator: (W,). A sum that is not positive makes the result NaN.
        draws: Resamples of (S, W).
        level: Probability that the interval shall have.
    """
    top = np.atleast_2d(np.asarray(numerator, dtype=np.float64))
    bottom = np.asarray(denominator, dtype=np.float64)
    if bottom.sum() <= 0.0:
        return Interval(np.nan, np.nan, np.nan)
    by_seed = np.stack([row[draws.windows].sum(axis=-1) for row in top], axis=-1)  # (R, S)
    drawn_top = np.take_along_axis(by_seed, draws.seeds, axis=-1).mean(axis=-1)
    drawn_bottom = bottom[draws.windows].sum(axis=-1)
    usable = np.where(drawn_bottom > 0.0, drawn_bottom, np.nan)
    value = float(top.sum(axis=-1).mean() / bottom.sum())
    return _percentiles(value, drawn_top / usable, bottom.size, level)


def bootstrap_interval(
    values: npt.ArrayLike,
    statistic: Callable[[FloatArray], float],
    strata: npt.ArrayLike,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Stratified bootstrap of any statistic of a table of results.

    Args:
        values: (S, W), or (W,) for one seed.
        statistic: Maps an (S, W) table to a number, such as `interquartile_mean`.
        strata: Label of each window, (W,).
        rng: Source of all draws.
        resamples: Number of resamples.
        level: Probability that the interval shall have.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    draws = stratified_draws(table.shape[0], strata, rng, resamples)
    pairs = zip(draws.seeds, draws.windows, strict=True)
    samples = np.array([statistic(table[np.ix_(rows, columns)]) for rows, columns in pairs])
    return _percentiles(statistic(table), samples, table.shape[1], level)


def spread_names(name: str) -> tuple[str, str, str]:
    """Names of the columns of an estimate and its interval."""
    return name, f"{name}_low", f"{name}_high"


def spread_columns(name: str, interval: Interval) -> dict[str, float]:
    """An estimate and its interval as columns."""
    return dict(zip(spread_names(name), interval, strict=True))


def paired_block_interval(
    differences: npt.ArrayLike,
    rng: np.random.Generator,
    block: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Block bootstrap of the mean of paired differences.

    Args:
        differences: One policy less another on the same windows, in the order of time,
            (S, W), or (W,) for one seed.
        rng: Source of all draws.
        block: Windows per block, such as those of one week.
        resamples: Number of resamples.
        level: Probability that the interval shall have.
    """
    table = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    draws = block_draws(table.shape[0], table.shape[1], block, rng, resamples)
    return ratio_interval(table, np.ones(table.shape[1]), draws, level)


def wilson_interval(hits: int, trials: int, level: float = LEVEL) -> Interval:
    """A share, and the score interval of a binomial probability.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22, 1927.

    Args:
        hits: Trials that went well.
        trials: All, at least 1.
        level: Probability that the interval shall have.
    """
    z = NormalDist().inv_cdf(0.5 + 0.5 * level)
    share, weight = hits / trials, z * z / trials
    middle = (share + 0.5 * weight) / (1.0 + weight)
    half = z * ((share * (1.0 - share) + 0.25 * weight) / trials) ** 0.5 / (1.0 + weight)
    return Interval(share, middle - half, middle + half)


def probability_of_improvement(policy: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Chance that a random seed of one policy beats one of the other on a random window.

    Args:
        policy: (S, W), or (W,) for one seed.
        other: (S', W), or (W,), on the same windows.

    Returns:
        A probability, where a tie counts as half. [0 to 1]
    """
    ours = np.atleast_2d(np.asarray(policy, dtype=np.float64))[:, None, :]
    theirs = np.atleast_2d(np.asarray(other, dtype=np.float64))[None, :, :]
    return float(np.mean((ours > theirs) + 0.5 * (ours == theirs)))


def _pooled(strata: npt.NDArray[np.generic]) -> IntArray:
    """Number the strata from 1, those of one window pooled as 0, which then holds two or more."""
    _, labels, counts = np.unique(strata, return_inverse=True, return_counts=True)
    pooled = np.where(counts[labels] > 1, labels + 1, 0).astype(np.int64)
    if np.count_nonzero(pooled == 0) == 1:
        pooled[pooled == np.max(pooled)] = 0
    return pooled


def _percentiles(value: float, samples: FloatArray, windows: int, level: float) -> Interval:
    """Ends of the interval; a single window says nothing of how much windows vary."""
    if windows < 2:
        return Interval(value, np.nan, np.nan)
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(samples, [tail, 1.0 - tail])
    return Interval(value, float(low), float(high))
