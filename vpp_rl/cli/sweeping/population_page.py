"""The page of a population: profit and settings over generations, by descent."""

import html
import math
from collections.abc import Sequence

from vpp_rl.cli.sweeping.population import Result
from vpp_rl.cli.sweeping.space import Dimension
from vpp_rl.evaluation.figures import BLUE, GREY, Figure
from vpp_rl.evaluation.page import render_figure, render_page

PAGE = "population.html"
Value = float | int | str | None


def page(results: Sequence[Result], line: Sequence[Result], space: Sequence[Dimension]) -> str:
    """Draw a population.

    Args:
        results: Of all members and generations.
        line: What led to the best of them.
        space: What is searched.

    Raises:
        InputError: The plotting library is not installed.
    """
    last = line[-1]
    profit = _figure(
        results, line, [_finite(one.profit) for one in results], "profit per home and year"
    )
    body = [
        "<h1>Population</h1>",
        f'<p class="verdict">Member {last.member} earned most, {last.profit:,.2f} per home and '
        f"year on the validation days after generation {last.generation}.</p>",
        render_figure("profit", profit, "Profit on the validation days. Blue: what led to it."),
    ]
    for number, one in enumerate(space):
        figure = _figure(results, line, [each.settings[one.key] for each in results], one.key)
        if one.log:
            figure["layout"]["yaxis"]["type"] = "log"
        name = f"setting{'abcdefghijklmnopqrstuvwxyz'[number % 26]}{number // 26 or ''}"
        body.append(render_figure(name, figure, html.escape(one.key)))
    return render_page("Population", "\n".join(body))


def _figure(
    results: Sequence[Result], line: Sequence[Result], values: Sequence[Value], title: str
) -> Figure:
    """Values over generations: each is joined to that of the member it went on from."""
    at = {(one.generation, one.member): value for one, value in zip(results, values, strict=True)}
    x: list[int | None] = []
    y: list[Value] = []
    for one in results:
        before = (one.generation - 1, one.parent)
        if before in at:
            x += [before[0], one.generation, None]
            y += [at[before], at[one.generation, one.member], None]
    texts = [f"member {one.member}, from {one.parent}" for one in results]
    blue = [at[one.generation, one.member] for one in line]
    return {
        "data": [
            {"x": x, "y": y, "mode": "lines", "line": {"color": GREY, "width": 1}},
            {
                "x": [one.generation for one in results],
                "y": list(values),
                "text": texts,
                "mode": "markers",
                "marker": {"color": GREY, "size": 6},
            },
            {
                "x": [one.generation for one in line],
                "y": blue,
                "mode": "lines+markers",
                "line": {"color": BLUE, "width": 3},
            },
        ],
        "layout": {
            "height": 320,
            "showlegend": False,
            "margin": {"l": 80, "r": 20, "t": 10, "b": 45},
            "xaxis": {"title": {"text": "generation"}, "dtick": 1},
            "yaxis": {"title": {"text": html.escape(title)}},
        },
    }


def _finite(profit: float) -> float | None:
    return profit if math.isfinite(profit) else None
