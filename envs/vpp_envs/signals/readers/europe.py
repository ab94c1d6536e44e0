"""Bidding zones of the European day-ahead market: names that publishers use, clocks, limits."""

from typing import NamedTuple

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.quotes import Market
from vpp_envs.signals.table import PriceLimits

# Harmonised limits of the coupled day-ahead market since May 2022 are -500 and 4000 EUR/MWh; the
# cap rises by 1000 after days that come near it. Wider here, since they only bound forecasts.
DAY_AHEAD_LIMITS = PriceLimits(-1000.0, 10_000.0)


class _Zone(NamedTuple):
    clock: str
    english: str  # as Ember writes it
    german: str  # as SMARD writes it


_ZONES = {
    "AT": _Zone("Europe/Vienna", "Austria", "Österreich"),
    "BE": _Zone("Europe/Brussels", "Belgium", "Belgien"),
    "CH": _Zone("Europe/Zurich", "Switzerland", "Schweiz"),
    "CZ": _Zone("Europe/Prague", "Czechia", "Tschechien"),
    "DE_LU": _Zone("Europe/Berlin", "Germany", "Deutschland/Luxemburg"),
    "DK1": _Zone("Europe/Copenhagen", "", "Dänemark 1"),
    "DK2": _Zone("Europe/Copenhagen", "", "Dänemark 2"),
    "FR": _Zone("Europe/Paris", "France", "Frankreich"),
    "HU": _Zone("Europe/Budapest", "Hungary", "Ungarn"),
    "IT_NORD": _Zone("Europe/Rome", "", "Italien (Nord)"),
    "NL": _Zone("Europe/Amsterdam", "Netherlands", "Niederlande"),
    "NO2": _Zone("Europe/Oslo", "", "Norwegen 2"),
    "PL": _Zone("Europe/Warsaw", "Poland", "Polen"),
    "SE4": _Zone("Europe/Stockholm", "", "Schweden 4"),
    "SI": _Zone("Europe/Ljubljana", "Slovenia", "Slowenien"),
}
ENGLISH = {zone.english: code for code, zone in _ZONES.items() if zone.english}
GERMAN = {zone.german: code for code, zone in _ZONES.items()}


def day_ahead_market(code: str) -> Market:
    """Return what the day-ahead prices of a bidding zone are.

    Args:
        code: Such as "NL" or "DE_LU".

    Raises:
        InputError: The zone is not known here.
    """
    if code not in _ZONES:
        raise InputError(
            f"market.region={code!r} is no European bidding zone that is known here; choose one of "
            f"{', '.join(_ZONES)}."
        )
    return Market(code, "EUR", _ZONES[code].clock, DAY_AHEAD_LIMITS)


def is_bidding_zone(code: str) -> bool:
    """Whether a name is that of a bidding zone that is known here."""
    return code in _ZONES
