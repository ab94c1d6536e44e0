"""Ember's European day-ahead prices: hourly CSV of one or more countries, stamped in UTC.

Copies of it exist that hold two formats of stamps, 2018-01-01 00:00:00 and 01/01/2018 00:00, with
years in both of them; and early years lack an hour here and there.
"""

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.europe import ENGLISH, day_ahead_market
from vpp_envs.signals.readers.frame import frame_of, numbers_of, stamps_of
from vpp_envs.signals.readers.quotes import Quotes, chosen, series_of
from vpp_envs.signals.table import PriceSeries

COLUMNS = ("Country", "Datetime (UTC)", "Price (EUR/MWhe)")
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M")


def read_ember(name: str, raw: bytes, market: str | None, hold_gaps: bool) -> PriceSeries:
    """Read the prices of one country.

    Args:
        name: File name for sentences.
        raw: Bytes of the file, plain or gzipped.
        market: Bidding zone such as "NL"; None takes the only country of the file.
        hold_gaps: As in `quotes.series_of`.

    Returns:
        Hourly prices in EUR/MWh; hours that both formats state alike count once.

    Raises:
        InputError: The file lacks the country, or as `quotes.series_of`.
    """
    frame = frame_of(name, raw)
    country, stamp, price = COLUMNS
    unknown = sorted(set(frame[country]) - set(ENGLISH))
    if unknown:
        raise InputError(
            f"{name}, column {country}: '{unknown[0]}' is no country whose clock is known here; "
            f"expected {', '.join(ENGLISH)}."
        )
    codes = frame[country].map(ENGLISH)
    code = chosen(name, sorted(set(codes)), market)
    frame = frame[codes == code]
    quotes = Quotes(
        name,
        frame.index.to_numpy(),
        stamps_of(name, frame[stamp], _FORMATS, "2018-01-31 14:00:00 or 31/01/2018 14:00"),
        numbers_of(name, frame[price]),
    )
    return series_of(quotes, raw, day_ahead_market(code), hold_gaps)
