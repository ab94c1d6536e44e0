"""A scoreboard as text: one set of words and numbers for Markdown, the terminal and the report."""

import textwrap
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
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
    ("gain_per_home_year", "more than {reference}", "signed", True),
    ("difference_per_home_year", "more than {against}", "signed", True),
    ("improvement_probability", "windows ahead of {against}", "share", False),
    ("share_optimum", "of the optimum", "share", True),
    ("share_bound", "of perfect foresight", "share", True),
    ("share_bound_spikes", "on spike days", "share", False),
    ("share_bound_rest", "on other days", "share", False),
    ("cvar10_per_home_day", "worst tenth, {currency} per home-day", "money", False),
    ("cycles_per_year", "full cycles a year", "count", False),
    ("broken_agreements", "broken agreements", "count", False),
    ("train_s", "s to train", "effort", False),
)
_TERMINAL = (
    *("policy", "profit_per_home_year", "difference_per_home_year", "share_optimum"),
    *("share_bound", "cycles_per_year", "broken_agreements", "train_s"),
)


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


def to_rich_table(summary: pd.DataFrame, title: str, currency: str = "AUD") -> Table:
    """Lay the main columns out for a terminal of 80 columns or more, intervals under the numbers.

    Args:
        summary: What `summarise` returned.
        title: Words above the table.
        currency: Code of the market's currency.
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
    shown = [columns[key] for key in _TERMINAL]
    # Profits rise and fall together with the market: only paired intervals tell policies apart.
    shown[1] = shown[1]._replace(intervals=[])
    for column in shown:
        lines = [_joined(column, row, "\n") for row in range(len(summary))]
        longest_word = max(len(word) for text in (column.header, *lines) for word in text.split())
        longest_line = max(len(line) for text in lines for line in text.split("\n"))
        width = max(longest_word, longest_line)
        table.add_column(
            escape(textwrap.fill(column.header, width)),
            justify="left" if column.key == "policy" else "right",
            min_width=longest_word,
            max_width=width,
            no_wrap=column.key != "policy" and not any(column.intervals),
        )
    for row, kind in enumerate(summary["kind"]):
        style = {"learned": "bold", "bound": "dim"}.get(kind)
        table.add_row(*(escape(_joined(column, row, "\n")) for column in shown), style=style)
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
            return UNKNOWN
        if style == "share":
            return f"{100.0 * value:.1f} %"
        return "–" if style == "effort" and value == 0.0 else pattern[style].format(value)

    return write
