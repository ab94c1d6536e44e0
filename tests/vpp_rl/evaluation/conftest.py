"""Results small enough to work out by hand, for the tests of the scoreboard and its tables."""

from collections.abc import Callable

import pandas as pd
import pytest

from vpp_rl.evaluation.windows import WINDOW_COLUMNS

# Ten homes for 36.5 days are one home-year, so that profits per window are per home-year.
PROFITS = {
    ("curtail only", "rule", -1): (100.0, 200.0),
    ("mpc", "optimiser", -1): (110.0, 260.0),
    ("optimum", "optimiser", -1): (120.0, 300.0),
    ("perfect foresight", "bound", -1): (150.0, 350.0),
    ("apg", "learned", 0): (118.0, 290.0),
    ("apg", "learned", 1): (114.0, 270.0),
}


def windows_frame() -> pd.DataFrame:
    rows = [
        row(policy, kind, seed, window, profit)
        for (policy, kind, seed), series in PROFITS.items()
        for window, profit in enumerate(series)
    ]
    return pd.DataFrame(rows, columns=list(WINDOW_COLUMNS))


def row(policy: str, kind: str, seed: int, window: int, profit: float) -> dict:
    learned = kind == "learned"
    return {
        "policy": policy,
        "kind": kind,
        "seed": seed,
        "window": window,
        "start": f"2025-0{1 + 6 * window}-01",
        "quarter": 1 + 2 * window,
        "days": 36.5,
        "homes": 10,
        "profit": profit,
        "energy_market": profit + 7.0,
        "wear": 8.0,
        "inventory_credit": 1.0,
        "throughput_kwh": 500.0,
        "capacity_kwh": 100.0,
        "broken_agreements": 0,
        "site_limit_kwh": 3.0,
        "train_s": 120.0 + 2 * seed if learned else 0.0,
        "train_steps": 1_000_000 if learned else 0,
    }


@pytest.fixture
def two_windows() -> pd.DataFrame:
    """Two windows of one home-year each and five policies, one of them with two seeds."""
    return windows_frame()


@pytest.fixture
def many_windows() -> Callable[..., pd.DataFrame]:
    """Build many windows of ten homes from one series of profits per seed."""
    return dense_frame


def dense_frame(
    profits: dict[str, list[tuple[float, ...]]], days: float = 2.0, gap_days: int = 2
) -> pd.DataFrame:
    """Many windows of ten homes; a list of one series is deterministic, of several are seeds."""
    rows = []
    for policy, by_seed in profits.items():
        for seed, series in enumerate(by_seed):
            for window, profit in enumerate(series):
                start = pd.Timestamp("2025-01-01") + pd.Timedelta(days=gap_days * window)
                facts = row(policy, "rule", seed if len(by_seed) > 1 else -1, 0, profit)
                when = {"window": window, "start": start, "quarter": 1 + window % 4, "days": days}
                rows.append(facts | when)
    return pd.DataFrame(rows)
