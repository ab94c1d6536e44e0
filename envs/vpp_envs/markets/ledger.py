"""Who pays whom: every flow of money of a step, named, in float64."""

from typing import NamedTuple

from torch import Tensor


class Ledger(NamedTuple):
    """Flows of money, (..., N) float64, each positive in the direction that its comment names.

    Cash is conserved: what the market pays is what the aggregator and the homeowner get.
    """

    energy_market: Tensor  # market -> aggregator: the site's metered energy at the price
    site_passthrough: (
        Tensor  # aggregator -> homeowner: the same energy, had nothing been dispatched
    )
    gain_share: Tensor  # aggregator -> homeowner: the owner's share of what dispatch added
    wear: Tensor  # homeowner's battery, not cash: wear of what was discharged


class Parties(NamedTuple):
    """What each party is left with, float64, money in positive."""

    market: Tensor
    aggregator: Tensor
    homeowner: Tensor  # cash; the wear of the battery is not yet deducted


def by_party(ledger: Ledger) -> Parties:
    """Sum the cash flows by party; the three add up to zero."""
    to_homeowner = ledger.site_passthrough + ledger.gain_share
    return Parties(-ledger.energy_market, ledger.energy_market - to_homeowner, to_homeowner)
