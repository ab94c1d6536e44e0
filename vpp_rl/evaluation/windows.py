"""The contract of results: one row per policy, seed and window of time, all of them paired.

Every policy runs on the same windows with the same homes, prices and random numbers. Money is that
of the whole plant, aggregator and homeowners together, in the market's currency.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from vpp_envs.errors import InputError
from vpp_rl.evaluation.statistics import FloatArray

KINDS = ("rule", "optimiser", "learned", "bound")
DAYS_PER_YEAR = 365.0
WEEK_DAYS = 7.0

WINDOW_COLUMNS = (
    "policy",  # name
    "kind",  # one of KINDS; a bound is a yardstick that nobody can deploy
    "seed",  # training seed, -1 for a policy without one
    "window",  # number of the window of time
    "start",  # local date of its start
    "quarter",  # quarter of the year, 1 to 4: the stratum
    "days",  # length
    "homes",  # homes in the fleet
    "profit",  # fleet's market money less wear, plus the worth of energy left in store [currency]
    "energy_market",  # market money alone [currency]
    "wear",  # cost of cycling, positive [currency]
    "inventory_credit",  # worth of the stored energy at the end less at the start [currency]
    "throughput_kwh",  # AC energy that the batteries delivered: charging is the same energy again
    "capacity_kwh",  # usable capacity of the fleet, reserves left out
    "broken_agreements",  # device-steps outside what the homeowner agreed to
    "site_limit_kwh",  # energy beyond a connection limit that the site's own load or sun forced
    "train_s",  # seconds of training, NaN for a policy that does not learn
    "train_steps",  # steps of training as the learner counts them, NaN for others
)


@dataclass(frozen=True)
class Panel:
    """The same windows for every policy, in the order of time."""

    rows: dict[str, pd.DataFrame]  # policy: its rows
    profit: dict[str, FloatArray]  # policy: (S, W) [currency]
    starts: npt.NDArray[np.datetime64]  # (W,)
    quarters: FloatArray  # (W,)
    homes: FloatArray  # (W,)
    days: FloatArray  # (W,)
    home_years: FloatArray  # (W,)
    block: int  # windows of one week


def panel(frame: pd.DataFrame) -> Panel:
    """Check a window table, order its windows by time and lay profits out as seeds by windows.

    Args:
        frame: Rows with the columns `WINDOW_COLUMNS`, in any order.

    Raises:
        InputError: The rows cannot be compared pair by pair; names the first fault.
    """
    check_windows(frame)
    policies = sorted(frame["policy"].unique())
    try:
        stamped = frame.assign(start=pd.to_datetime(frame["start"], format="ISO8601"))
    except (ValueError, TypeError) as error:
        raise InputError(f"window table: column 'start' holds no dates ({error})") from error
    stamped = stamped.sort_values(["start", "window", "seed"], kind="stable")
    windows = stamped.drop_duplicates("window").set_index("window")
    days, homes = (windows[name].to_numpy(dtype=np.float64) for name in ("days", "homes"))
    rows = {policy: stamped[stamped["policy"] == policy] for policy in policies}
    profit = {
        policy: part.pivot(index="seed", columns="window", values="profit")[windows.index].to_numpy(
            dtype=np.float64
        )
        for policy, part in rows.items()
    }
    return Panel(
        rows=rows,
        profit=profit,
        starts=windows["start"].to_numpy(dtype="datetime64[s]"),
        quarters=windows["quarter"].to_numpy(dtype=np.float64),
        homes=homes,
        days=days,
        home_years=homes * days / DAYS_PER_YEAR,
        block=_windows_per_week(windows["start"], days),
    )


def _windows_per_week(starts: "pd.Series[pd.Timestamp]", days: FloatArray) -> int:
    """Windows that start within a week of each other; windows that overlap count by length."""
    gaps = starts.diff().dropna().dt.total_seconds().to_numpy(dtype=np.float64) / 86_400.0
    typical = max(float(np.median(gaps)) if gaps.size else 0.0, float(np.median(days)))
    return max(1, round(WEEK_DAYS / typical))


def check_windows(frame: pd.DataFrame) -> None:
    """Refuse a window table whose rows cannot be compared pair by pair.

    Args:
        frame: Rows with the columns `WINDOW_COLUMNS`.

    Raises:
        InputError: Names the first fault.
    """
    for column in WINDOW_COLUMNS:
        if column not in frame.columns:
            raise InputError(
                f"window table: the column {column!r} is missing; expected "
                f"{', '.join(WINDOW_COLUMNS)}"
            )
    if frame.empty:
        raise InputError("window table: it has no rows; evaluate at least one window")
    for row in frame.loc[~frame["kind"].isin(KINDS), ["policy", "kind"]].itertuples():
        raise InputError(
            f"window table: policy {row.policy!r} is of kind {row.kind!r}; expected one of "
            f"{', '.join(KINDS)}"
        )
    _check_numbers(frame)
    _check_pairs(frame)


def _check_numbers(frame: pd.DataFrame) -> None:
    """Refuse what would turn every sum into nonsense."""
    profit = frame["profit"].to_numpy(dtype=np.float64)
    size = frame[["days", "homes"]].to_numpy(dtype=np.float64)
    for fault, column, wish in (
        (~np.isfinite(profit), "profit", "a finite number"),
        (~(size[:, 0] > 0), "days", "a positive number"),
        (~(size[:, 1] > 0), "homes", "a positive number"),
    ):
        if fault.any():
            row = frame.iloc[int(np.argmax(fault))]
            raise InputError(
                f"window table: policy {row['policy']!r}, seed {row['seed']}, window "
                f"{row['window']} has {column} {row[column]}; expected {wish}"
            )


def _check_pairs(frame: pd.DataFrame) -> None:
    """Refuse doubled or missing windows, and windows that differ between policies."""
    doubled = frame[frame.duplicated(["policy", "seed", "window"])]
    for row in doubled.itertuples():
        raise InputError(
            f"window table: policy {row.policy!r}, seed {row.seed} has window {row.window} twice; "
            "expected one row, so drop the older run"
        )
    everywhere = set(frame["window"])
    for (policy, seed), windows in frame.groupby(["policy", "seed"])["window"]:
        lacking = sorted(everywhere - set(windows))
        if lacking:
            raise InputError(
                f"window table: policy {policy!r}, seed {seed} lacks window {lacking[0]} "
                f"({len(lacking)} missing in all) that other policies have; evaluate every policy "
                "on the same windows"
            )
    for column in ("start", "quarter", "days", "homes"):
        kinds = frame.groupby("window")[column].nunique(dropna=False)
        if (kinds > 1).any():
            raise InputError(
                f"window table: window {kinds.idxmax()} has more than one {column!r} among the "
                "policies; expected the same windows and homes for every policy"
            )
