"""The local calendar by tick: the hour, and when its day, week, month and season began."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.signals.local_clock import local_clock
from vpp_envs.signals.market import DT_S

# Programmes of summer events run from May to October (ELRP, DSGS; ConnectedSolutions from June).
SEASON_MONTHS = (5, 11)


class Calendar(NamedTuple):
    """What the wall clock of the customers says, (T, 1) as a table, (..., 1) in a step.

    Days are counted since 1970-01-01. Whoever remembers the day of its last look knows from this
    whether a day, a week, a month or a season has begun since, however many ticks were skipped.
    """

    hour: Tensor  # of the day that the clock shows, when the tick starts [0 to 24]
    day: Tensor  # [d]
    week_began: Tensor  # its Monday [d]
    month_began: Tensor  # its first [d]
    season_began: Tensor  # first of the month in which the programmes' season began [d]


def calendar_table(
    zone: str,
    start_utc: np.datetime64,
    ticks: int,
    season_months: tuple[int, ...] = SEASON_MONTHS,
    dt_s: int = DT_S,
) -> Calendar:
    """Tabulate the calendar, float32, which holds days exactly.

    Args:
        zone: IANA zone of the customers' clock.
        start_utc: Start of the first tick.
        ticks: Number of ticks, T.
        season_months: Months, January = 1, on whose first day a season begins.
        dt_s: Length of a tick. [s]

    Raises:
        InputError: No month, or one that does not exist.
    """
    if not season_months or not all(1 <= month <= 12 for month in season_months):
        raise InputError(
            f"season_months must name months from 1 to 12, at least one, got {season_months}."
        )
    clock = local_clock(zone, start_utc, dt_s, ticks)
    month_began = clock.day - clock.day_of_month + 1
    # The first of January 1970 was a Thursday: three days after a Monday.
    columns = (
        clock.second / 3600.0,
        clock.day,
        clock.day - (clock.day + 3) % 7,
        month_began,
        _first_of(_season_month(clock.month, season_months)),
    )
    return Calendar(*(torch.from_numpy(c.astype(np.float32)).unsqueeze(-1) for c in columns))


def _season_month(month: np.ndarray, season_months: tuple[int, ...]) -> np.ndarray:
    """Month since January 1970 in which the season of each month began, (T,)."""
    starts = np.array(season_months) - 1
    since: np.ndarray = ((month[:, None] - starts) % 12).min(axis=1)
    began: np.ndarray = month - since
    return began


def _first_of(month: np.ndarray) -> np.ndarray:
    """Days since 1970 of the first of each month, (T,)."""
    first: np.ndarray = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return first
