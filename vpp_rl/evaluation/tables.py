"""A scoreboard as text: one set of words and numbers for Markdown, the terminal and the report."""

import textwrap
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table

UNKNOWN = "n/a"


class Column(NamedTuple):
    """One column of a table for people: a text per policy, and its interval where it has one."""

    key: str  # column of the summary
    header: str
    texts: list[str]
    intervals: list[str]  # "" where there is none to show


# Column of the summary, words above it, how to write it, and whether it has an interval.
_SHOWN = (
    ("profit_per_home_year", "{currency} per home-year", "money", True),
    ("profit_iqm_per_home_year", "in the middle half", "money", True),
    ("gain_per_home_year", "better than {reference}", "signed", True),
    ("difference_per_home_year", "better than {against}", "signed", True),
    ("improvement_probability", "windows ahead of {against}", "share", False),
    ("share_optimum", "of the optimum", "share", True),
    ("share_bound", "of perfect foresight", "share", True),
    ("share_bound_spikes", "in spike windows", "share", False),
    ("share_bound_rest", "in other windows", "share", False),
    ("cvar10_per_home_day", "{currency} a day in the worst tenth", "money", False),
    ("cycles_per_year", "full cycles a year", "count", False),
    ("broken_agreements", "broken agreements", "count", False),
    ("train_s", "s to best", "effort", False),
)
_TERMINAL = (
    *("policy", "profit_per_home_year", "difference_per_home_year", "share_optimum"),
    *("share_bound", "cycles_per_year", "broken_agreements", "train_s"),
)

_NAME_WIDTH = 12  # leaves room for the intervals on 80 columns


def table_columns(summary: pd.DataFrame, currency: str) -> list[Column]:
    """Write a summary as texts: the one source of every table that people read.

    Args:
        summary: What `summarise` returned.
        currency: Code of the market's currency, such as "AUD".
    """
    names = {
        "currency": currency,
        "reference": str(summary["reference"].iloc[0]),
        "against": str(summary["against"].iloc[0]),
    }
    columns = [Column("policy", "policy", [str(name) for name in summary["policy"]], [])]
    for key, header, style, spread in _SHOWN:
        write = _writer(style, summary[key])
        intervals = [""] * len(summary)
        if spread:
            ends = zip(summary[key], summary[f"{key}_low"], summary[f"{key}_high"], strict=True)
            intervals = [_interval_text(write, *three) for three in ends]
        texts = [write(value) for value in summary[key]]
        columns.append(Column(key, header.format(**names), texts, intervals))
    return columns


def to_markdown(summary: pd.DataFrame, currency: str = "AUD") -> str:
    """Write a summary as a Markdown table, intervals in brackets.

    Args:
        summary: What `summarise` returned.
        currency: Code of the market's currency.
    """
    columns = table_columns(summary, currency)
    lines = [
        _markdown_row([column.header for column in columns]),
        "|---" + "|---:" * (len(columns) - 1) + "|",
    ]
    lines += [
        _markdown_row([_joined(column, row, " ") for column in columns])
        for row in range(len(summary))
    ]
    return "\n".join(lines) + "\n"


def to_rich_table(
    summary: pd.DataFrame, title: str, currency: str = "AUD", *, narrow: bool = False
) -> Table:
    """Lay the main columns out for a terminal, intervals under the numbers.

    Args:
        summary: What `summarise` returned.
        title: Words above the table.
        currency: Code of the market's currency.
        narrow: For a terminal of 80 columns instead of 100: the ends of an interval on two lines.
    """
    table = Table(
        title=escape(title),
        caption="Below a number: its 95 % interval. Shares are of the money that control can add "
        f"to {escape(str(summary['reference'].iloc[0]))}.",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
    )
    columns = {column.key: column for column in table_columns(summary, currency)}
    names = [textwrap.fill(name, _NAME_WIDTH) for name in columns["policy"].texts]
    columns["policy"] = columns["policy"]._replace(texts=names)
    # Profits rise and fall together with the market: only paired intervals tell policies apart.
    columns["profit_per_home_year"] = columns["profit_per_home_year"]._replace(intervals=[])
    cells = []
    for column in (columns[key] for key in _TERMINAL):
        texts = [_joined(column, row, "\n") for row in range(len(summary))]
        texts = [text.replace(", ", ",\n") for text in texts] if narrow else texts
        lines = [*column.header.split(), *(line for text in texts for line in text.split("\n"))]
        header = textwrap.fill(column.header, max(map(len, lines)))
        side: JustifyMethod = "left" if column.key == "policy" else "right"
        # Widths are settled here: rich would cut words where it runs out of room.
        table.add_column(escape(header), justify=side, no_wrap=True)
        cells.append([escape(text) for text in texts])
    for kind, row in zip(summary["kind"], zip(*cells, strict=True), strict=True):
        table.add_row(*row, style={"learned": "bold", "bound": "dim"}.get(kind))
    return table


def _joined(column: Column, row: int, gap: str) -> str:
    """A text and its interval."""
    interval = column.intervals[row] if column.intervals else ""
    return column.texts[row] + (gap + interval if interval else "")


def _markdown_row(cells: list[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _interval_text(write: Callable[[float], str], value: float, low: float, high: float) -> str:
    """Both ends; nothing where they are unknown or where the number is exact."""
    if not np.isfinite([low, high]).all() or high - low <= 1e-9 * abs(value):
        return ""
    return f"[{write(low)}, {write(high)}]".replace(" %", "")


def _writer(style: str, values: "pd.Series[float]") -> Callable[[float], str]:
    """How to write the numbers of a column: as many decimals as its largest number deserves."""
    largest = float(np.nanmax(np.abs(values.to_numpy()), initial=0.0))
    decimals = 2 if largest < 10.0 else 1 if largest < 1000.0 else 0
    pattern = {
        "money": f"{{:,.{decimals}f}}",
        "signed": f"{{:+,.{decimals}f}}",
        "count": "{:,.0f}",
        "effort": "{:,.0f}",
    }

    def write(value: float) -> str:
        if not np.isfinite(value):
            return "–" if style == "effort" else UNKNOWN
        return f"{100.0 * value:.1f} %" if style == "share" else pattern[style].format(value)

    return write
