"""One look for everything that the commands print."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table


def console() -> Console:
    """The console that commands print to."""
    return Console(highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(out: Console, title: str, total: float = 1.0) -> Iterator[tuple[Progress, TaskID]]:
    """A bar with elapsed time, ETA and a note of live numbers."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=out, transient=not out.is_terminal) as bar:
        yield bar, bar.add_task(title, total=total, note="")


def number_table(columns: Sequence[str]) -> Table:
    """A table of numbers with a name in the first column, which wraps where it is long.

    Args:
        columns: Titles.
    """
    table = Table(box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left", no_wrap=bool(index))
    return table
