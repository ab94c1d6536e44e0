"""Results small enough to work out by hand, for the tests of the scoreboard and its tables."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from vpp_rl.evaluation.figures import DayTrace
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
        "start": date(2025, 1 + 6 * window, 1),
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
        "train_s": 120.0 + 2 * seed if learned else np.nan,
        "train_steps": 1_000_000 if learned else np.nan,
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


@pytest.fixture
def day() -> DayTrace:
    """A day of ten homes by hours: sun at noon into the batteries, out again in a spike."""
    hours = np.arange(24)
    load_kw = np.full(24, 5.0)
    solar_kw = np.where((hours > 8) & (hours < 16), 20.0, 0.0)
    battery_kw = np.where((hours > 10) & (hours < 14), 12.0, 0.0)
    battery_kw = battery_kw - np.where(hours == 18, 30.0, 0.0)
    middle = np.where((hours > 13) & (hours < 19), 0.8, 0.2)
    return DayTrace(
        stamps_local=np.datetime64("2025-02-03T00:00") + hours * np.timedelta64(1, "h"),
        price_per_mwh=np.where(hours == 18, 15_000.0, np.where(hours == 12, -60.0, 80.0)),
        load_kw=load_kw,
        solar_kw=solar_kw,
        battery_kw=battery_kw,
        net_kw=load_kw - solar_kw + battery_kw,
        fill_quantiles=middle[:, None] + np.array([-0.15, -0.1, 0.0, 0.1, 0.15]),
        policy="apg",
        currency="AUD",
        market="SA1",
        title="A spike day",
    )


@pytest.fixture
def learning() -> pd.DataFrame:
    """Two seeds of one policy and one of another, each looked at twice."""
    runs = [("apg", 0), ("apg", 1), ("ppo", 0)]
    return pd.DataFrame(
        [
            {"policy": policy, "seed": seed, "steps": 1000 * look, "seconds": 60.0 * look}
            | {"profit_per_home_year": 100.0 + 50.0 * look + seed}
            for policy, seed in runs
            for look in range(2)
        ]
    )
