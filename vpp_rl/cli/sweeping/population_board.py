"""What a person sees of a population: a line per generation, ``population.csv``, and a page."""

import math
import os
import shlex
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from vpp_rl.cli.sweeping.board import resume_command
from vpp_rl.cli.sweeping.generation import best_profit
from vpp_rl.cli.sweeping.population import TABLE, Member, Plan, Result, ancestry, table
from vpp_rl.cli.sweeping.population_page import PAGE, page
from vpp_rl.cli.sweeping.space import Dimension
from vpp_rl.files import write_text
from vpp_rl.training.checkpoint import FACTS, WEIGHTS
from vpp_rl.training.run import DONE
from vpp_rl.training.watch import LEARNING

BEST = "best"  # the folder, in that of the sweep, of a run with the best policy so far
_OF_A_RUN = ("config.json", "provenance.json", LEARNING, WEIGHTS, FACTS)


@dataclass
class PopulationBoard:
    """Hears of every generation of every member."""

    out: Console
    plan: Plan
    space: Sequence[Dimension]
    bar: Callable[[float, str], None]  # share of all that is done, and a note
    results: dict[tuple[int, int], Result] = field(default_factory=dict)  # by generation, member
    lost: dict[int, str] = field(default_factory=dict)  # members given up, and why
    began: float = field(default_factory=time.monotonic)
    earlier: set[tuple[int, int]] = field(default_factory=set)  # on record before this process

    def __post_init__(self) -> None:
        for generation in range(1, self.plan.generations + 1):
            for member in range(len(self.plan.folders)):
                if self.plan.record.read(generation, member):
                    self.earlier.add((generation, member))

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Ray writes down all that hears of results, to go on by, which we do not."""
        return {}

    @property
    def folder(self) -> Path:
        """Of the sweep."""
        return self.plan.record.folder

    @property
    def over(self) -> bool:
        """Whether all members have trained to their end, or one cannot."""
        return bool(self.lost) or self._ended(self.plan.generations)

    def tell(self, line: str) -> None:
        """Say something."""
        self.out.print(line, markup=False)

    def add(self, result: Result, members: Sequence[Member]) -> None:
        """Hear what a member came to; the last one of its generation ends that.

        Args:
            result: Of the member.
            members: As they go into their next generations.
        """
        key = result.generation, result.member
        if key in self.results:  # of a member that died before Ray had noted it
            return
        self.results[key] = result
        generation, size = self._of(result.generation), len(self.plan.folders)
        self.bar(
            len(self.results) / size / self.plan.generations,
            f"generation {result.generation}: {len(generation)} of {size} members",
        )
        if not self._ended(result.generation):
            return
        self._keep_best(generation)
        write_text(self.folder / TABLE, table(list(self.results.values()), self.space))
        heirs = [one for one in members if one.since == result.generation]
        self.tell(self._line(result.generation, generation, heirs))
        self.plan.record.forget_snapshots(result.generation - 1)

    def close(self) -> bool:
        """Say what came of it, and write the page; returns whether members were lost."""
        for number, why in sorted(self.lost.items()):
            self.tell(f"member {number} is lost: {why}")
        if self.lost or not self._ended(self.plan.generations):
            self.tell(f"to try again: {resume_command(self.folder)}")
            return True
        best = max(self.results.values(), key=lambda one: one.profit)
        line = ancestry(self.results, best)
        write_text(self.folder / PAGE, page(list(self.results.values()), line, self.space))
        self.plan.record.forget_snapshots(self.plan.generations)
        kept = best_profit(self.folder / BEST)
        if kept > best.profit:
            self.tell(f"no generation earned more than the policy that all began with: {kept:,.2f}")
        else:
            self.tell(
                f"best: member {best.member} after generation {best.generation}, validation profit "
                f"{best.profit:,.2f} per home and year"
            )
            for text in _schedule(line):
                self.tell(f"  {text}")
        shown = os.path.relpath(self.folder)
        self.tell(f"all generations: {shown}/{TABLE}, drawn in {shown}/{PAGE}")
        policy = shlex.quote(f"{shown}/{BEST}")
        self.tell(f"next: vpp evaluate {policy}   or   vpp export {policy}")
        return False

    def _of(self, generation: int) -> list[Result]:
        return [one for one in self.results.values() if one.generation == generation]

    def _ended(self, generation: int) -> bool:
        return len(self._of(generation)) == len(self.plan.folders)

    def _keep_best(self, generation: Sequence[Result]) -> None:
        """Copy the best policy so far, before a member that takes over another's loses it."""
        top = max(generation, key=lambda one: (one.best, -one.member))
        if not top.best > best_profit(self.folder / BEST):
            return
        temporary = self.folder / f".{BEST}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        for name in _OF_A_RUN:
            shutil.copy2(self.plan.folders[top.member] / name, temporary)
        write_text(
            temporary / DONE, f"{top.seconds:.1f} s in generation {top.generation} of a member\n"
        )
        shutil.rmtree(self.folder / BEST, ignore_errors=True)
        os.replace(temporary, self.folder / BEST)

    def _line(self, number: int, generation: Sequence[Result], heirs: Sequence[Member]) -> str:
        profits = [one.profit for one in generation]
        middle = statistics.median(profits)
        took = ", ".join(f"{one.number} takes over from {one.parent}" for one in heirs)
        lived = all((number, one.member) in self.earlier for one in generation)
        return "  ".join(
            part
            for part in (
                f"generation {number} of {self.plan.generations}",
                f"best {_money(max(profits))}  median {_money(middle)}",
                f"worst {_money(min(profits))}",
                took,
                "on record" if lived else self._eta(),
            )
            if part
        )

    def _eta(self) -> str:
        """Time until all generations have ended, if the rest take as long as those trained now."""
        now = len(self.results.keys() - self.earlier)
        left = len(self.plan.folders) * self.plan.generations - len(self.results)
        if not left:
            return ""
        seconds = (time.monotonic() - self.began) / max(now, 1) * left
        return f"ETA {timedelta(seconds=math.ceil(seconds))}"


def _schedule(line: Sequence[Result]) -> list[str]:
    """Settings of a line of descent, where they change."""
    spans: list[tuple[int, Result]] = []
    for one in line:
        if not spans or spans[-1][1].settings != one.settings:
            spans.append((one.generation, one))
    ends = [first - 1 for first, _ in spans[1:]] + [line[-1].generation]
    return [
        f"generation {first}{f' to {last}' if last > first else ''}: "
        + " ".join(f"{key}={value}" for key, value in one.settings.items())
        for (first, one), last in zip(spans, ends, strict=True)
    ]


def _money(profit: float) -> str:
    return f"{profit:,.1f}" if math.isfinite(profit) else "diverged"
