"""A benchmark as one page that opens anywhere: no network, no other file, light and dark."""

import html
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vpp_rl.evaluation.comfort import comfort_of, comfort_section
from vpp_rl.evaluation.figures import (
    KIND_COLOURS,
    DayTrace,
    day_figure,
    gain_bars,
    lead_over_time,
    learning_figure,
)
from vpp_rl.evaluation.page import render_definitions, render_figure, render_page
from vpp_rl.evaluation.statistics import Interval
from vpp_rl.evaluation.tables import Column, table_columns
from vpp_rl.evaluation.windows import panel

__all__ = ["DayTrace", "verdict", "write_report"]

_KIND_WORDS = {"rule": "rule", "optimiser": "optimiser", "learned": "learned policy"}

# One sentence for each column of the table, in its order.
_MEANINGS = {
    "profit_per_home_year": "What aggregator and homeowner make together: market money of the "
    "whole site, less battery wear, plus the worth of the energy left in store, for one home over "
    "365 days. How they share it is the agreement's affair.",
    "profit_iqm_per_home_year": "The same money in ordinary windows: the interquartile mean over "
    "windows and seeds, which leaves out the best and the worst quarter.",
    "gain_per_home_year": "The same money less what {reference} makes on the same windows: what "
    "control adds.",
    "difference_per_home_year": "The same money less that of {against} on the same windows, homes "
    "and prices.",
    "improvement_probability": "How often a random training seed beats {against} in a random "
    "window; a tie counts as half.",
    "share_optimum": "What control adds, as a share of what the best possible controller adds "
    "that knows the price process but not the future.",
    "share_bound": "What control adds, as a share of what a plan with perfect knowledge of the "
    "future adds; no controller can reach it.",
    "share_bound_spikes": "The share of perfect foresight in the twentieth of the windows in which "
    "foresight adds most.",
    "share_bound_rest": "The share of perfect foresight in all other windows.",
    "cvar10_per_home_day": "Mean money per home and day in the worst tenth of the windows "
    "(conditional value at risk).",
    "cycles_per_year": "Energy that the batteries delivered, in units of their usable capacity, "
    "per year.",
    "broken_agreements": "Five-minute steps of a home in which its reserve or its connection limit "
    "was not kept, over all windows and seeds.",
    "train_s": "Seconds of training until the policy that was kept, mean over seeds.",
}
_KEY = ", ".join(
    f'<i style="background:{colour}"></i> {words}'
    for words, colour in (
        ("learned", KIND_COLOURS["learned"]),
        ("optimisers", KIND_COLOURS["optimiser"]),
        ("rules", KIND_COLOURS["rule"]),
        ("yardsticks that nobody can deploy", KIND_COLOURS["bound"]),
    )
)
_METHOD = {
    "95 % interval": "The range that holds the number in 95 of 100 repetitions, by bootstrap over "
    "windows and training seeds; with one seed it knows nothing of the luck of training. Money per "
    "home-year is resampled within quarters of the year; gains, shares and differences are paired "
    "and resampled in blocks of one week.",
}


def write_report(
    path: Path,
    title: str,
    summary: pd.DataFrame,
    frame: pd.DataFrame,
    day: DayTrace,
    learning: pd.DataFrame | None,
    notes: Sequence[str],
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write a benchmark as one self-contained HTML file, whole or not at all.

    Args:
        path: File to write; its folder is made if needed.
        title: Words on top of the page.
        summary: What `summarise` returned for `frame`.
        frame: The windows, with the columns `WINDOW_COLUMNS`.
        day: One day to show tick by tick; its currency is the report's.
        learning: Validation profit during training with the columns
            `figures.LEARNING_COLUMNS`, or None where nothing learned.
        notes: Remarks that a reader must know, such as that the run was a short one.
        provenance: Name to text: resolved config, versions, hashes of data.

    Raises:
        InputError: A table lacks a column, or the plotting library is missing.
    """
    parts = [
        _opening(title, summary, frame, day),
        _scoreboard(summary, day.currency),
        comfort_section(comfort_of(frame)),
        _figures(summary, frame, day, learning),
        _explanations(summary, day.currency),
        _provenance(provenance or {}),
    ]
    if notes:
        remarks = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
        parts.insert(1, f'<ul class="notes">{remarks}</ul>')
    _write_atomically(path, render_page(title, "\n".join(parts)))


def verdict(summary: pd.DataFrame, currency: str) -> str:
    """Say in words what won, by how much, and whether that is more than chance.

    Args:
        summary: What `summarise` returned.
        currency: Code of the market's currency.

    Returns:
        Plain text, a few sentences.
    """
    against = str(summary["against"].iloc[0])
    entrants = summary[summary["kind"] != "bound"]
    best = entrants.iloc[0]
    sentences = [_first_place(best, entrants, against, currency)]
    shares = _shares(best)
    if shares:
        sentences.append(f"Over {best['reference']}, it captured {shares}.")
    learned = entrants[(entrants["kind"] == "learned") & (entrants["policy"] != against)]
    if len(learned) and best["kind"] != "learned":
        sentences.append(
            f"The best learned policy, {learned['policy'].iloc[0]}, was "
            f"{_lead(learned.iloc[0], against, currency)}."
        )
    broken = int(entrants["broken_agreements"].sum())
    sentences.append(
        "No agreement with a homeowner was broken by any policy."
        if broken == 0
        else f"Agreements with homeowners were broken in {broken:,} device-steps."
    )
    return " ".join(sentences)


def _first_place(best: "pd.Series", entrants: pd.DataFrame, against: str, currency: str) -> str:
    """The winner's money, and its lead over the policy to beat or over the runner-up."""
    profit = best["profit_per_home_year"]
    made = f"{'earned' if profit >= 0 else 'cost'} {currency} {abs(profit):,.1f} per home-year"
    subject = f"The {_KIND_WORDS[best['kind']]} {best['policy']} {made}"
    if best["policy"] != against:
        return f"{subject}: {_lead(best, against, currency)}."
    if len(entrants) == 1:
        return f"{subject}; nothing else ran."
    second = entrants.iloc[1]
    return (
        f"{subject} and nothing beat it; next, {second['policy']} was "
        f"{_lead(second, against, currency)}."
    )


def _lead(row: "pd.Series", against: str, currency: str) -> str:
    """A paired difference with its interval in words."""
    difference = Interval(*(row[f"difference_per_home_year{end}"] for end in ("", "_low", "_high")))
    size = f"{currency} {abs(difference.value):,.1f}"
    where = f"{'better' if difference.value >= 0 else 'worse'} than {against}"
    text = f"{size} {where} on the same {row['windows']:,} windows"
    if not np.isfinite([difference.low, difference.high]).all():
        return f"{text} (too few windows for an interval)"
    ends = f"95 % interval {difference.low:+,.1f} to {difference.high:+,.1f}"
    told = "excludes" if difference.excludes_zero() else "includes"
    doubt = "" if difference.excludes_zero() else ", so that these windows do not tell them apart"
    return f"{text} ({ends}, which {told} zero{doubt})"


def _shares(row: "pd.Series") -> str:
    """Shares of the yardsticks that exist."""
    words = (
        ("share_optimum", "of what the non-anticipative optimum adds"),
        ("share_bound", "of what perfect foresight adds"),
    )
    known = [f"{100 * row[key]:.1f} % {name}" for key, name in words if np.isfinite(row[key])]
    return " and ".join(known)


def _opening(title: str, summary: pd.DataFrame, frame: pd.DataFrame, day: DayTrace) -> str:
    """Title, what was run, the verdict and its four numbers."""
    played = panel(frame)
    first, last = (str(stamp.astype("datetime64[D]")) for stamp in played.starts[[0, -1]])
    scope = (
        f"{day.market}: {played.starts.size:,} windows of {played.days[0]:g} days from {first} to "
        f"{last}, {played.homes[0]:,.0f} homes, every policy on the same windows"
    )
    place = list(summary["kind"] != "bound").index(True)
    columns = {column.key: column for column in table_columns(summary, day.currency)}
    keys = ("difference_per_home_year", "share_optimum", "share_bound", "broken_agreements")
    tiles = "".join(_tile(columns[key], place, day.currency) for key in keys)
    return (
        f'<h1>{html.escape(title)}</h1><p class="soft">{html.escape(scope)}</p>'
        f'<p class="verdict">{_typeset(verdict(summary, day.currency))}</p>'
        f'<div class="tiles">{tiles}</div>'
    )


def _tile(column: Column, row: int, currency: str) -> str:
    """One big number with its words."""
    words = column.header
    if column.key == "difference_per_home_year":
        words = f"{currency} per home-year {words}"
    interval = column.intervals[row]
    spread = f"<span>{_typeset(f'95 % interval {interval}')}</span>" if interval else ""
    bad = ' bad"' if column.key == "broken_agreements" and column.texts[row] != "0" else '"'
    return (
        f'<div class="tile{bad}><b>{_typeset(column.texts[row])}</b>'
        f"<span>{_typeset(words)}</span>{spread}</div>"
    )


def _scoreboard(summary: pd.DataFrame, currency: str) -> str:
    """The whole table, the winner marked."""
    columns = table_columns(summary, currency)
    head = "".join(f'<th scope="col">{_typeset(column.header)}</th>' for column in columns)
    winner = summary.index[summary["kind"] != "bound"][0]
    rows = [
        f"<tr{' class=best' if row == winner else ''}>{_row_header(facts)}"
        + "".join(_cell(column, place) for column in columns[1:])
        + "</tr>"
        for place, (row, facts) in enumerate(summary.iterrows())
    ]
    return (
        '<h2>Scoreboard</h2><p class="soft">Highest money first; below a number, its 95 % '
        'interval. The words are explained <a href="#words">below</a>.</p>'
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row_header(facts: "pd.Series") -> str:
    """A policy's name and what it is."""
    kind = str(facts["kind"])
    seeds = f", {facts['seeds']} seeds" if facts["seeds"] > 1 else ""
    return f'<th scope="row">{html.escape(str(facts["policy"]))}<small>{kind}{seeds}</small></th>'


def _cell(column: Column, place: int) -> str:
    """A number over its interval."""
    interval = column.intervals[place] if column.intervals else ""
    spread = f"<small>{_typeset(interval)}</small>" if interval else ""
    return f"<td>{_typeset(column.texts[place])}{spread}</td>"


def _figures(
    summary: pd.DataFrame, frame: pd.DataFrame, day: DayTrace, learning: pd.DataFrame | None
) -> str:
    """All pictures, each under a heading and a sentence."""
    reference, against = (
        html.escape(str(summary[key].iloc[0])) for key in ("reference", "against")
    )
    parts = [
        "<h2>What control adds</h2>",
        render_figure(
            "gain",
            gain_bars(summary, day.currency),
            f"Money per home-year above {reference}, with 95 % intervals: {_KEY}.",
        ),
        f"<h2>Where the lead over {against} comes from</h2>",
        render_figure(
            "course",
            lead_over_time(summary, frame, day.currency),
            f"Money per home more than {against} makes, added up window by window. A steady slope "
            "is skill on ordinary days, a step is a price spike.",
        ),
        f"<h2>{html.escape(day.title)}</h2>",
        render_figure(
            "day",
            day_figure(day),
            f"One day under {html.escape(day.policy)}, by local clock. Power above zero draws "
            "from the grid, below zero feeds in; net is their sum. The price axis is squeezed "
            "above 100 so that a spike does not flatten the day. Of the homes' states of charge, "
            "the line is the median, the bands hold the middle half and 90 %.",
        ),
    ]
    if learning is not None:
        figure = render_figure(
            "learning",
            learning_figure(learning, day.currency),
            "Money per home-year on validation days while the policies trained, one line per seed. "
            "The box under the pointer tells the steps.",
        )
        parts += ["<h2>How it learned</h2>", figure]
    return "\n".join(parts)


def _explanations(summary: pd.DataFrame, currency: str) -> str:
    """What each column of the table means."""
    names = {"reference": summary["reference"].iloc[0], "against": summary["against"].iloc[0]}
    columns = table_columns(summary, currency)[1:]
    meanings = {column.header: _MEANINGS[column.key].format(**names) for column in columns}
    return f'<h2 id="words">What the words mean</h2>{render_definitions(meanings | _METHOD)}'


def _provenance(provenance: Mapping[str, str]) -> str:
    """Where the numbers come from, folded away."""
    if not provenance:
        return ""
    parts = (
        f"<p>{html.escape(name)}</p><pre>{html.escape(text)}</pre>"
        for name, text in provenance.items()
    )
    return f"<details><summary>Where these numbers come from</summary>{''.join(parts)}</details>"


def _typeset(text: str) -> str:
    """Escape a text, give its numbers true minus signs and keep together what belongs together."""
    signed = re.sub(r"(?<![\w.])-(?=\d)", "\u2212", html.escape(text))
    return re.sub(r"(?<=\d)(,?) (?=%|\S*\d\])", "\\1\u00a0", signed)


def _write_atomically(path: Path, text: str) -> None:
    """Write beside the file, then put it in its place: a reader sees the old page or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
