"""Stamps of files as instants: zones by name, and days of 23 and 25 hours exactly."""

import difflib
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import pandas as pd

from vpp_envs.errors import InputError


def known_zone(zone: str, key: str) -> str:
    """Return an IANA zone as it came, if there is one of that name.

    Args:
        zone: Such as "Europe/Amsterdam".
        key: Of the configuration, for the sentence.

    Raises:
        InputError: There is none; the sentence has the nearest name.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        names = {name.lower(): name for name in available_timezones()}
        near = difflib.get_close_matches(zone.lower(), names, n=1)
        hint = f"did you mean '{names[near[0]]}'?" if near else "give one such as Europe/Amsterdam."
        raise InputError(f"{key}={zone!r} is no IANA time zone; {hint}") from None
    return zone


def to_utc(
    name: str,
    wall: np.ndarray,
    zone: str,
    row: np.ndarray,
    second: np.ndarray | None = None,
) -> np.ndarray:
    """Instants of local times.

    Of an hour that the clock shows twice, the first rows of a stamp are those of summer time, in
    the order of the file.

    Args:
        name: File, for sentences.
        wall: Local times, (R,) datetime64[s].
        zone: IANA zone of their clock.
        row: Number of each row in the file, (R,).
        second: Where a file says so itself: the second of two equal hours, (R,) bool.

    Returns:
        UTC, (R,) datetime64[s].

    Raises:
        InputError: A local time that the zone's clock skips.
    """
    if second is None:
        second = pd.Series(wall).duplicated().to_numpy()
    local = pd.DatetimeIndex(wall).tz_localize(zone, ambiguous=~second, nonexistent="NaT")
    skipped = local.isna()
    if skipped.any():
        first = int(skipped.argmax())
        raise InputError(
            f"{name}, row {row[first]}: {text(wall[first])} does not exist in {zone}, whose clock "
            "skips that hour for daylight saving; name the zone that the stamps are in."
        )
    return np.asarray(local.tz_convert("UTC").tz_localize(None).to_numpy()).astype("datetime64[s]")


def one_interval_earlier(ends: np.ndarray) -> np.ndarray:
    """Local starts of intervals whose local ends are given: the most frequent distance earlier.

    Args:
        ends: Any order, (R,) datetime64[s].
    """
    steps, counts = np.unique(np.diff(np.unique(ends)), return_counts=True)
    starts: np.ndarray = ends - steps[counts.argmax()] if len(steps) else ends
    return starts


def text(stamp: np.datetime64) -> str:
    """A stamp as a person writes it, to the minute."""
    return str(stamp.astype("datetime64[m]")).replace("T", " ")
