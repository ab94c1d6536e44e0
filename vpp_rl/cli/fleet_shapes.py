"""``vpp fleet shapes``: the simulated fleet beside real homes, cars, taps and cooled houses."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from vpp_rl.evaluation.shape_comparison import Effort
    from vpp_rl.evaluation.shape_parts import Part

_FLAGS = ("--data", "--out", "--homes", "--weeks")


def shapes(words: Sequence[str]) -> int:
    """Run ``vpp fleet shapes``."""
    from vpp_envs.errors import InputError
    from vpp_rl.cli.console import console
    from vpp_rl.cli.words import read_words
    from vpp_rl.evaluation.shape_comparison import compare, numbers_table
    from vpp_rl.evaluation.shape_report import markdown_table, shape_drawing, shape_page
    from vpp_rl.files import write_text

    asked = read_words("fleet shapes", words, "", _FLAGS)
    for flag, what in (("--data", "the public data"), ("--out", "results")):
        if flag not in asked:
            raise InputError(f"vpp fleet shapes needs {flag} and the folder of {what}.")
    out, folder = console(), Path(asked["--out"])
    parts = compare(Path(asked["--data"]), _effort(asked))
    for part in parts:
        for line in _view(part):
            out.print(line)
    write_text(folder / "shapes.csv", numbers_table(parts).to_csv(index=False, float_format="%.6g"))
    write_text(folder / "shapes.md", "\n\n".join(markdown_table(part) for part in parts) + "\n")
    write_text(folder / "shapes.svg", shape_drawing(parts))
    write_text(folder / "shapes.html", shape_page(parts))
    out.print(f"wrote shapes.csv, shapes.md, shapes.svg and shapes.html to {folder}")
    return 0


def _effort(asked: dict[str, str]) -> "Effort":
    """How much is simulated.

    Raises:
        InputError: A count is not whole, or too small.
    """
    from vpp_envs.errors import InputError
    from vpp_rl.evaluation.shape_comparison import Effort

    usual = Effort()
    counts = {}
    for flag, least, most in (("--homes", 10, 100_000), ("--weeks", 1, 26)):
        text = asked.get(flag, str(getattr(usual, flag[2:])))
        if not text.isdecimal() or not least <= int(text) <= most:
            raise InputError(
                f"vpp fleet shapes: {flag} must be a whole number from {least} to {most:,}, "
                f"got {text!r}."
            )
        counts[flag[2:]] = int(text)
    return Effort(counts["homes"], counts["weeks"], -(-counts["weeks"] * 7 // 15))


def _view(part: "Part") -> Iterator["Table | str"]:
    """Numbers of a part for a terminal."""
    import numpy as np
    from rich import box
    from rich.table import Table

    from vpp_rl.evaluation.shape_report import number_text

    table = Table(title=f"[bold]{part.title}[/]", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", min_width=28)
    for name in part.numbers:
        table.add_column(name, justify="right", overflow="fold")
    for quantity in next(iter(part.numbers.values())):
        cells = (one.get(quantity, np.nan) for one in part.numbers.values())
        table.add_row(quantity, *map(number_text, cells))
    yield table
