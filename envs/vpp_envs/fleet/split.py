"""Homes of a table by split: no home that was trained with is validated or tested with.

Each home draws a number from its id alone, so that it stays in its split when the table grows.
"""

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.fleet.fleet import Fleet, commanded
from vpp_envs.fleet.mix import homes_at
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.table import FleetTable, read_fleet_table
from vpp_envs.random import Purpose, uniform

LEAST_HOMES = 40  # with something to command: fewer are the same in every split


def table_homes(spec: FleetSpec, split: str, most: int) -> Fleet:
    """Return the homes of a split of a table, in the order of their draws.

    Args:
        spec: Names the table and the share of its homes that trains.
        split: "train", "validation" or "test".
        most: At most so many homes, the first by their draws.

    Raises:
        InputError: As `read_fleet`, or there is nothing to command in training.
    """
    table = _table(spec)
    rows = _rows(table.fleet, spec.train_share)[split][:most]
    fleet = homes_at(table.fleet, rows)
    if split == "train" and not commanded(fleet).any():
        raise InputError(
            f"{spec.table}: none of the {len(rows):,} homes to train with has a battery, or "
            "another device that others may command; add such homes, or raise fleet.homes."
        )
    return fleet


def table_lines(spec: FleetSpec, unseen_homes: int | None) -> tuple[str, ...]:
    """Say how the homes of a table are split, for people.

    Args:
        spec: As in `table_homes`.
        unseen_homes: At most so many homes in validation and test; none: as in training.
    """
    table = _table(spec)
    rows = _rows(table.fleet, spec.train_share)
    count = len(table.names)
    most = {
        "train": spec.homes,
        **dict.fromkeys(("validation", "test"), unseen_homes or spec.homes),
    }
    kept = {split: min(most[split], len(rows[split])) for split in rows}
    if _together(rows):
        lines = [
            f"{spec.table}: {count:,} homes, the same in train, validation and test "
            f"({', '.join(f'{kept[one]:,}' for one in rows)}): to be split it takes {LEAST_HOMES} "
            "with a battery or another device to command, and some of them for each split"
        ]
    else:
        parts = (f"{kept[one]:,} of {len(rows[one]):,} for {one}" for one in rows)
        lines = [f"{spec.table}: {count:,} homes, no home in two splits: {', '.join(parts)}"]
        if any(kept[one] < len(rows[one]) for one in rows):
            lines.append(
                "fleet.homes and scenario.unseen_homes are the most of a split; raise them"
            )
    if table.warnings:
        lines.append(
            f"{len(table.warnings):,} numbers of the table look like slips: vpp fleet validate "
            f"{spec.table} shows them"
        )
    return tuple(lines)


def _rows(fleet: Fleet, train_share: float) -> dict[str, Tensor]:
    """Rows of each split, in the order of their draws."""
    draw = uniform(0, 0, fleet.home_id, 0, Purpose.FLEET_SPLIT)
    order = draw.argsort()
    edges = torch.tensor([train_share, (1.0 + train_share) / 2.0], dtype=torch.float64)
    part = torch.bucketize(draw[order], edges, right=True)
    equipped = commanded(fleet)[order]
    counts = [int(equipped[part == number].sum()) for number in range(3)]
    names = ("train", "validation", "test")
    if sum(counts) < LEAST_HOMES or min(counts) == 0:
        return dict.fromkeys(names, order)
    return {name: order[part == number] for number, name in enumerate(names)}


def _together(rows: dict[str, Tensor]) -> bool:
    return rows["train"] is rows["test"]


def table_stamp(path: str | None) -> tuple[str, int, int] | None:
    """What tells one state of a table from another: where it is, when it was written, its size.

    Args:
        path: None, or a file that is missing, has no stamp.
    """
    if path is None or not Path(path).is_file():
        return None
    facts = Path(path).stat()
    return str(Path(path).resolve()), facts.st_mtime_ns, facts.st_size


def _table(spec: FleetSpec) -> FleetTable:
    assert spec.table is not None
    return _read(spec.table, table_stamp(spec.table))


@lru_cache(maxsize=2)
def _read(path: str, _stamp: tuple[str, int, int] | None) -> FleetTable:
    return read_fleet_table(path)
