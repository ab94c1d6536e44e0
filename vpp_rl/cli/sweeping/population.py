"""A population: the settings that its members begin with, what becomes of them, and its record.

What is drawn depends on the seed, the generation and the member alone, and what a member does in a
generation on its settings and the snapshot that it goes on from. A population that was killed is
therefore made again from the start: generations that are on record are read instead of trained.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vpp_envs.errors import InputError
from vpp_rl.cli.sweeping.space import Dimension
from vpp_rl.configuration import with_values
from vpp_rl.files import write_text

TABLE = "population.csv"
_RECORD = ".generations"  # a folder a generation: what each member came to, and its snapshot
_SPACE = "space.json"
_ANEW = 0.25  # share of settings that are drawn anew by a member that takes over

Settings = dict[str, Any]  # what is searched, by dotted key


@dataclass(frozen=True)
class PopulationSettings:
    """Keys of ``hydra.sweeper``."""

    population: int = 8  # members
    generations: int = 10  # equal shares of agent.iterations
    quantile: float = 0.25  # share of the members that take over, and of those they take over from
    seed: int = 0  # of settings that are drawn; members train with the seed of the run
    cpus: int | None = None  # cores for all members together; none: all

    def __post_init__(self) -> None:
        for key, least in {"population": 2, "generations": 1, "cpus": 1, "seed": 0}.items():
            value = getattr(self, key)
            if value is not None and value < least:
                raise InputError(f"hydra.sweeper.{key} must be {least} or more, got {value}")
        if not 0.0 <= self.quantile <= 0.5:
            raise InputError(f"hydra.sweeper.quantile must be 0 to 0.5, got {self.quantile}")


@dataclass(frozen=True)
class Member:
    """A member as it goes into its next generation."""

    number: int
    settings: Settings
    parent: int  # whose snapshot it went on from last
    since: int = 0  # the generation after which it did; 0: it began afresh


@dataclass(frozen=True)
class Result:
    """What a generation of a member came to."""

    generation: int  # from 1
    member: int
    parent: int  # whose snapshot it went on from: its own number unless it took over
    settings: Settings
    profit: float  # on the validation days at its end; -inf if it diverged [currency/home/year]
    best: float  # highest of all looks of what is in the member's folder, likewise
    seconds: float = 0.0  # that it took
    error: str = ""  # why it diverged


def first_members(space: Sequence[Dimension], population: int, seed: int) -> list[Member]:
    """Members whose settings spread evenly over each dimension (a Latin hypercube).

    Args:
        space: What is searched.
        population: Number of members.
        seed: Of the draws.
    """
    draw = np.random.default_rng([seed, 0])
    units = [(draw.permutation(population) + draw.random(population)) / population for _ in space]
    return [
        Member(
            number,
            {one.key: one.at(unit[number]) for one, unit in zip(space, units, strict=True)},
            parent=number,
        )
        for number in range(population)
    ]


def heir(
    space: Sequence[Dimension], parent: Member, number: int, generation: int, seed: int
) -> Member:
    """A member that takes over another's snapshot, with settings that differ in every dimension.

    Ray would multiply a setting by 0.8 or 1.2, which leaves the space, and takes a discount of
    0.999 to 0.8. Here it moves by a tenth of its dimension, or is drawn anew.

    Args:
        space: What is searched.
        parent: What is taken over.
        number: Of the member that takes over.
        generation: After which it does.
        seed: Of the draws.
    """
    draw = np.random.default_rng([seed, generation, number])
    settings = {}
    for one in space:
        before = parent.settings[one.key]
        anew, unit, up = draw.random() < _ANEW, draw.random(), draw.random() < 0.5
        there = one.at(unit) if anew else before
        settings[one.key] = one.beside(before, up) if there == before else there
    return Member(number, settings, parent.number, since=generation)


@dataclass(frozen=True)
class Record:
    """What is on record of a population, in the folder of its sweep."""

    folder: Path

    def claim(self, arguments: Sequence[str], settings: PopulationSettings) -> None:
        """Note whose record this is.

        Args:
            arguments: Overrides that all members have, or that span the space.
            settings: Of the population.

        Raises:
            InputError: Another population's is there.
        """
        own = {**asdict(settings), "cpus": None, "arguments": list(arguments)}
        path = self.folder / _RECORD / _SPACE
        if path.is_file() and json.loads(path.read_text()) != own:
            raise InputError(
                f"{self.folder} holds a population with other settings: name another folder by "
                "hydra.sweep.dir=..."
            )
        write_text(path, json.dumps(own, indent=2))

    def snapshot(self, generation: int, member: int) -> Path:
        """Where the snapshot of a member at the end of a generation lies."""
        return self._place(generation, member, "snapshot")

    def read(self, generation: int, member: int) -> Result | None:
        """What a member came to; none if it did not get so far."""
        path = self._place(generation, member, "json")
        return Result(**json.loads(path.read_text())) if path.is_file() else None

    def write(self, result: Result) -> None:
        """Put a generation of a member on record; its snapshot lies there already."""
        path = self._place(result.generation, result.member, "json")
        write_text(path, json.dumps(asdict(result)))

    def forget_snapshots(self, generation: int) -> None:
        """Remove the snapshots of a generation, which all members have left behind."""
        for path in (self.folder / _RECORD / f"{generation:04d}").glob("*.snapshot"):
            path.unlink()

    def _place(self, generation: int, member: int, suffix: str) -> Path:
        return self.folder / _RECORD / f"{generation:04d}" / f"{member}.{suffix}"


@dataclass(frozen=True)
class Plan:
    """What all members have in common."""

    record: Record
    folders: tuple[Path, ...]  # of the members' runs
    config: Mapping[str, Any]  # of a run, but for what is searched
    generations: int

    def config_of(self, settings: Settings) -> dict[str, Any]:
        """The configuration of a run with these settings."""
        return with_values(self.config, [f"{key}={value}" for key, value in settings.items()])


def table(results: Sequence[Result], space: Sequence[Dimension]) -> str:
    """A population as CSV: a row a member and generation.

    Args:
        results: In any order.
        space: What is searched.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = [one.key for one in space]
    writer.writerow(["generation", "member", "parent", *keys, "profit_per_home_year"])
    for one in sorted(results, key=lambda one: (one.generation, one.member)):
        values = [one.settings[key] for key in keys]
        profit = "" if one.error else repr(one.profit)
        writer.writerow([one.generation, one.member, one.parent, *values, profit])
    return text.getvalue()


def ancestry(results: Mapping[tuple[int, int], Result], last: Result) -> list[Result]:
    """What led to a result: one of each generation, the first one first.

    Args:
        results: By generation and member.
        last: One of them.
    """
    line = [last]
    while line[0].generation > 1:
        line.insert(0, results[line[0].generation - 1, line[0].parent])
    return line
