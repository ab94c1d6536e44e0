"""CAISO prices in the layout of the gridstatus library: one row an interval and node, UTC.

A stamp at midnight may be a date without a time, as some writers of CSV shorten it.
"""

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.frame import frame_of, numbers_of, stamps_of
from vpp_envs.signals.readers.quotes import Market, Quotes, chosen, series_of
from vpp_envs.signals.table import PriceLimits, PriceSeries

COLUMNS = ("interval_start_utc", "market", "location", "lmp")
ZONE = "America/Los_Angeles"
# Bids end at -150 and 2000 USD/MWh; congestion takes nodal prices beyond them.
LIMITS = PriceLimits(-3000.0, 5000.0)
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


def read_caiso(name: str, raw: bytes, market: str | None, hold_gaps: bool) -> PriceSeries:
    """Read the prices of one node in one of CAISO's markets.

    Args:
        name: File name for sentences.
        raw: Bytes of the file, plain or gzipped.
        market: Node such as "STANDFD2_1_N011"; None takes the only one of the file.
        hold_gaps: As in `quotes.series_of`.

    Returns:
        Locational marginal prices in USD/MWh.

    Raises:
        InputError: The file lacks the node or mixes markets, or as `quotes.series_of`.
    """
    frame = frame_of(name, raw)
    stamp, kind, location, price = COLUMNS
    node = chosen(name, sorted(set(frame[location])), market, "location")
    frame = frame[frame[location] == node]
    kinds = sorted(set(frame[kind]))
    if len(kinds) > 1:
        raise InputError(f"{name} mixes {' and '.join(kinds)}; keep the rows of one market.")
    quotes = Quotes(
        name,
        frame.index.to_numpy(),
        stamps_of(name, frame[stamp], _FORMATS, "2020-01-31 14:15:00"),
        numbers_of(name, frame[price]),
    )
    about = caiso_market(node, kinds[0].startswith("REAL_TIME"))
    return series_of(quotes, raw, about, hold_gaps)


def caiso_market(node: str, real_time: bool) -> Market:
    """Return what the prices of a node are."""
    return Market(node, "USD", ZONE, LIMITS, real_time)
