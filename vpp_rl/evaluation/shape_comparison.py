"""The simulated fleet beside measured homes, cars, taps and cooled houses: all of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vpp_rl.evaluation.cooling_shapes import cooling_part
from vpp_rl.evaluation.measured_shapes import (
    ausgrid_home,
    citylearn_homes,
    sessions,
    sgsc_homes,
    taps,
)
from vpp_rl.evaluation.shape_parts import Part, cars_part, homes_part, taps_part
from vpp_rl.evaluation.simulated_shapes import (
    simulated_homes,
    simulated_sessions,
    simulated_taps,
)


class Effort(NamedTuple):
    """How much is simulated."""

    homes: int = 64
    weeks: int = 26  # of homes; California lives twice as many
    car_rows: int = 12  # of 15 days


def compare(folder: Path, effort: Effort) -> list[Part]:
    """Simulate and set beside what was measured.

    Args:
        folder: Of the public data, see `measured_shapes`.
        effort: How much is simulated.

    Raises:
        InputError: A file is missing, or is none of that kind.
    """
    wales, customer = sgsc_homes(folder), ausgrid_home(folder)
    california = citylearn_homes(folder)
    ours = simulated_homes("NSW1", "Etc/GMT-10", effort.homes, effort.weeks, 48, tanks=False)
    theirs = simulated_homes(
        "CAISO", "America/Los_Angeles", effort.homes, 2 * effort.weeks, 24, tanks=True
    )
    garages, work = (
        sessions(folder / "ev" / f"{file}.csv.gz", zone, name)
        for file, zone, name in (
            ("norway_residential_sessions", "Europe/Oslo", "Norway, apartments"),
            ("acn_sessions", "America/Los_Angeles", "ACN-Data, work places"),
        )
    )
    cars = simulated_sessions(effort.homes, effort.car_rows)
    return [
        homes_part("homes_nsw", "Homes of New South Wales", [wales, customer, *ours]),
        homes_part("homes_california", "Homes of California", [california, *theirs]),
        taps_part([taps(folder), simulated_taps(effort.homes)]),
        cars_part([garages, work, cars]),
        cooling_part(folder, effort.homes),
    ]


def numbers_table(parts: Sequence[Part]) -> pd.DataFrame:
    """All numbers, long: part, quantity, series, value."""
    rows = [
        (part.name, quantity, series, value)
        for part in parts
        for series, numbers in part.numbers.items()
        for quantity, value in numbers.items()
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=["part", "quantity", "series", "value"])
