"""The clock on the customer's wall at every tick, across days of 23, 24 and 25 hours."""

import difflib
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError


class LocalClock(NamedTuple):
    """What the local clock shows when each tick starts, (T,) int64 each."""

    month: np.ndarray  # since January 1970
    day: np.ndarray  # since 1970-01-01
    second: np.ndarray  # of the day that the clock shows, 0 to 86399
    offset_s: np.ndarray  # local clock less UTC [s]

    @property
    def month_of_year(self) -> np.ndarray:
        """January is 0, (T,)."""
        return self.month % 12

    @property
    def minute(self) -> np.ndarray:
        """Minute of the day that the clock shows, (T,)."""
        return self.second // 60

    @property
    def weekend(self) -> np.ndarray:
        """Whether it is Saturday or Sunday, (T,) bool."""
        return (self.day + 3) % 7 >= 5  # the first of January 1970 was a Thursday

    @property
    def day_of_month(self) -> np.ndarray:
        """The first is 1, (T,)."""
        first = self.month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        return self.day - first + 1


def local_clock(zone: str, start_utc: np.datetime64, dt_s: int, ticks: int) -> LocalClock:
    """Read the local clock at the start of each tick.

    Args:
        zone: IANA name, which must exist.
        start_utc: Start of the first tick.
        dt_s: Length of a tick. [s]
        ticks: Number of ticks, T.
    """
    seconds = start_utc.astype("datetime64[s]").astype(np.int64) + dt_s * np.arange(ticks)
    stamps = pd.DatetimeIndex(seconds.astype("datetime64[s]"), tz="UTC").tz_convert(zone)
    wall = stamps.tz_localize(None).to_numpy().astype("datetime64[s]")
    day = wall.astype("datetime64[D]").astype(np.int64)
    wall_s = wall.astype(np.int64)
    month = wall.astype("datetime64[M]").astype(np.int64)
    return LocalClock(month, day, wall_s - day * 86400, wall_s - seconds)


def known_zone(name: str) -> str:
    """Return the name of a time zone that exists.

    Args:
        name: As a person wrote it.

    Raises:
        InputError: There is none of this name; the message goes on after the name.
    """
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "write one such as Europe/Berlin"
        raise InputError(f"is no IANA time zone; {hint}") from error
