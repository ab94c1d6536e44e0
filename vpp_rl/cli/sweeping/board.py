"""What a person sees of a sweep: a line per job, a table at the end, and ``sweep.csv``."""

import csv
import io
import math
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vpp_rl.cli.sweeping.outcome import Outcome
from vpp_rl.files import write_text

TABLE = "sweep.csv"


@dataclass
class Board:
    """Hears of every job that ends."""

    out: Console
    folder: Path  # of the sweep
    keys: tuple[str, ...]  # what is swept over
    total: int  # jobs
    options: tuple[str, ...] = ()  # flags of the command that a single job needs too
    outcomes: list[Outcome] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """Tell of a job that ended, and write the table anew."""
        self.outcomes.append(outcome)
        write_text(self.folder / TABLE, self.as_csv())
        words = f"failed: {outcome.error}" if outcome.error else f"{outcome.profit:,.1f}"
        when = "done earlier" if outcome.earlier else f"{outcome.seconds:.0f} s"
        self.out.print(
            f"job {outcome.number} ({len(self.outcomes)} of {self.total})  "
            f"{' '.join(self._pairs(outcome))}  "
            f"{words}  {when}{self._eta()}",
            markup=False,
        )

    def close(self) -> list[Outcome]:
        """Print all jobs, the most profitable first, and how to go on; returns the failed ones."""
        failed = [one for one in self.outcomes if one.error]
        self.out.print(self._table())
        best = max(
            (one for one in self.outcomes if not one.error),
            key=lambda one: one.profit,
            default=None,
        )
        if best:
            command = shlex.join(["vpp", "train", *best.overrides, *self.options])
            self.out.print(
                f"best: job {best.number}, validation profit {best.profit:,.2f} per home and "
                f"year, in {best.folder}\n  again: {command}",
                markup=False,
            )
        self.out.print(f"all jobs: {self.folder / TABLE}", markup=False)
        if failed:
            self.out.print(f"failed, to try again: {resume_command(self.folder)}", markup=False)
        for one in failed:
            self.out.print(f"job {one.number} failed: {one.error}", markup=False)
        return failed

    def as_csv(self) -> str:
        """All jobs so far in the order of their numbers."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            ["job", *self.keys, "profit_per_home_year", "seconds", "state", "error", "folder"]
        )
        for one in sorted(self.outcomes, key=lambda one: one.number):
            profit = "" if one.error else repr(one.profit)
            state = "failed" if one.error else "done"
            values = self._swept(one).values()
            # Relative, so that it holds where the sweep is moved to.
            folder = os.path.relpath(one.folder, self.folder)
            writer.writerow(
                [one.number, *values, profit, f"{one.seconds:.1f}", state, one.error, folder]
            )
        return text.getvalue()

    def _table(self) -> Table:
        from rich import box

        table = Table(title="Sweep", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("job", *self._short_keys().values(), "profit/home/year", "seconds"):
            table.add_column(name, justify="right", no_wrap=True)
        for one in sorted(self.outcomes, key=_worst_last):
            profit = "failed" if one.error else f"{one.profit:,.2f}"
            values = map(_rounded, self._swept(one).values())
            table.add_row(str(one.number), *values, profit, f"{one.seconds:.0f}")
        return table

    def _swept(self, outcome: Outcome) -> dict[str, str]:
        """What distinguishes a job: its values of what is swept over."""
        pairs = dict(text.partition("=")[::2] for text in outcome.overrides)
        return {key: pairs.get(key, "") for key in self.keys}

    def _pairs(self, outcome: Outcome) -> Sequence[str]:
        """The same, short, for a line."""
        names, swept = self._short_keys(), self._swept(outcome)
        return [f"{names[key]}={_rounded(value)}" for key, value in swept.items()]

    def _short_keys(self) -> dict[str, str]:
        """The last part of each key where that is unique: ``agent.batch`` is ``batch``."""
        last = {key: key.rpartition(".")[2] for key in self.keys}
        names = list(last.values())
        return {key: key if names.count(name) > 1 else name for key, name in last.items()}

    def _eta(self) -> str:
        """Time until all jobs have ended, if the rest take as long as those that were run."""
        run = sum(not one.earlier for one in self.outcomes)
        left = self.total - len(self.outcomes)
        if not (run and left):
            return ""
        seconds = (time.monotonic() - self.began) / run * left
        return f"  ETA {timedelta(seconds=math.ceil(seconds))}"


def resume_command(folder: Path) -> str:
    """The command that goes on with the sweep in a folder."""
    return shlex.join(["vpp", "train", "--multirun", "--resume", str(folder)])


def _worst_last(outcome: Outcome) -> tuple[bool, float, int]:
    profit = -math.inf if outcome.error else outcome.profit
    return bool(outcome.error), -profit, outcome.number


def _rounded(value: str) -> str:
    """A drawn number in four digits; what a person wrote, as it is."""
    try:
        return f"{float(value):.4g}" if len(value) > 10 else value
    except ValueError:
        return value
