"""Several price files as one: which files a name stands for, and how their series join."""

import glob
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from vpp_envs.errors import InputError
from vpp_envs.signals.table import PriceSeries

# A price held over a longer gap would be invented, not mended.
LONGEST_FILL_S = 2 * 3600
PUBLISHED_NAME = re.compile(r"PRICE_AND_DEMAND_(\d{4})(\d\d)_([A-Z]+\d)\.csv(\.gz)?", re.I)


def expand(paths: str | Path | Sequence[str | Path], market: str | None) -> list[Path]:
    """Files that a path, a folder, a pattern, or several of these stand for.

    Args:
        paths: A folder stands for AEMO's monthly PRICE_AND_DEMAND files in it.
        market: Region whose files a folder gives; None gives those of all.

    Raises:
        InputError: Nothing is named, or a folder or a pattern has no file.
    """
    entries = [paths] if isinstance(paths, str | Path) else list(paths)
    files = [file for entry in entries for file in _expand(entry, market)]
    if not files:
        raise InputError("no price file was named; give one with market.prices=FILE.")
    return files


def join(parts: Sequence[PriceSeries], hold_gaps: bool) -> PriceSeries:
    """Join series of one market in time order.

    Args:
        parts: One or more, in any order.
        hold_gaps: Hold the last price through gaps of up to two hours, and say so in `source`.

    Returns:
        The joined series; its SHA-256 is that of its parts' digests, one a line.

    Raises:
        InputError: Two overlap, leave a gap, or differ in region or in resolution.
    """
    parts = sorted(parts, key=lambda part: part.start_utc)
    if len(parts) == 1:
        return parts[0]
    prices, filled = [parts[0].price_per_mwh], 0
    for before, after in pairwise(parts):
        missing = _missing_between(before, after, hold_gaps)
        prices += [np.full(missing, before.price_per_mwh[-1]), after.price_per_mwh]
        filled += missing
    digests = "".join(f"{part.sha256}\n" for part in parts)
    source = f"{parts[0].source} to {parts[-1].source} ({len(parts)} files)" + held(filled)
    return replace(
        parts[0],
        price_per_mwh=np.concatenate(prices),
        source=source,
        sha256=hashlib.sha256(digests.encode()).hexdigest(),
    )


def held(filled: int) -> str:
    """What `source` says of held prices."""
    return f" ({filled} missing intervals hold the price before them)" if filled else ""


def _expand(entry: str | Path, market: str | None) -> list[Path]:
    path = Path(entry)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if PUBLISHED_NAME.fullmatch(file.name))
        tail = f"_{market}.csv".lower()
        files = [file for file in files if market is None or tail in file.name.lower()]
        if not files:
            region = market or "REGION"
            raise InputError(f"{path} holds no file PRICE_AND_DEMAND_YYYYMM_{region}.csv.")
        return files
    if not path.exists() and glob.has_magic(str(entry)):
        files = sorted(Path(file) for file in glob.glob(str(entry)))
        if not files:
            raise InputError(f"no file matches {entry}; check the pattern.")
        return files
    return [path]


def _missing_between(before: PriceSeries, after: PriceSeries, hold_gaps: bool) -> int:
    """Number of intervals between the end of one series and the start of the next."""
    both = f"{before.source} and {after.source}"
    if before.market != after.market:
        raise InputError(f"{both} hold {before.market} and {after.market}; choose one market.")
    if before.dt_s != after.dt_s:
        raise InputError(
            f"{both} have intervals of {before.dt_s} s and {after.dt_s} s; use files of one era "
            "(the NEM's 5-minute prices begin on 2021-10-01)."
        )
    due = before.stamps_utc[-1] + np.timedelta64(before.dt_s, "s")
    missing = int((after.start_utc - due) // np.timedelta64(before.dt_s, "s"))
    if missing < 0:
        raise InputError(f"{both} overlap by {-missing} intervals; name each month once.")
    if missing * before.dt_s > (LONGEST_FILL_S if hold_gaps else 0):
        raise InputError(f"{missing} intervals are missing between {both}; add the file of them.")
    return missing
