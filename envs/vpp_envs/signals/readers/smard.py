"""SMARD's day-ahead prices (Bundesnetzagentur): a German table with a column per bidding zone.

UTF-8 with a mark at its start, cells parted by ";", decimal comma, "-" where there is no price,
local stamps: in October one hour stands twice, in March one is left out.
"""

from vpp_envs.errors import InputError
from vpp_envs.signals.readers.clock import to_utc
from vpp_envs.signals.readers.europe import GERMAN, day_ahead_market
from vpp_envs.signals.readers.frame import frame_of, numbers_of, stamps_of
from vpp_envs.signals.readers.quotes import Quotes, chosen, series_of
from vpp_envs.signals.table import PriceSeries

START = "Datum von"
ZONE = "Europe/Berlin"
_UNIT = "[€/MWh]"


def read_smard(name: str, raw: bytes, market: str | None, hold_gaps: bool) -> PriceSeries:
    """Read the prices of one bidding zone.

    Args:
        name: File name for sentences.
        raw: Bytes of the file, plain or gzipped.
        market: Bidding zone such as "DE_LU"; None takes the only one of the file.
        hold_gaps: As in `quotes.series_of`; a "-" is a gap.

    Raises:
        InputError: The file lacks the zone or its unit, or as `quotes.series_of`.
    """
    frame = frame_of(name, raw)
    titles = {title.partition("[")[0].strip(): title for title in frame.columns}
    columns = {GERMAN[title]: column for title, column in titles.items() if title in GERMAN}
    if not columns:
        raise InputError(f"{name}, row 1: no column is one of {', '.join(GERMAN)} {_UNIT}.")
    code = chosen(name, list(columns), market)
    column = columns[code]
    if _UNIT not in column:
        raise InputError(f"{name}, row 1: column '{column}' must be in {_UNIT}; export it so.")
    row = frame.index.to_numpy()
    wall = stamps_of(name, frame[START], ("%d.%m.%Y %H:%M",), "31.01.2025 14:00")
    price = numbers_of(name, frame[column], missing="-", comma=True)
    quotes = Quotes(name, row, to_utc(name, wall, ZONE, row), price)
    return series_of(quotes, raw, day_ahead_market(code), hold_gaps)
