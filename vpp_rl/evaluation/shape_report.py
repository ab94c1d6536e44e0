"""The comparison of load shapes as pictures: a page that opens anywhere, and one small drawing."""

import html
from collections.abc import Sequence

import numpy as np

from vpp_rl.evaluation.figures import BLUE, GREEN, ORANGE, PINK, Figure
from vpp_rl.evaluation.page import render_figure, render_page
from vpp_rl.evaluation.shape_parts import Panel, Part
from vpp_rl.evaluation.statistics import FloatArray

SIMULATED = "simulated"  # how the names of series begin that are
_REAL_COLOURS, _SIMULATED_COLOURS = (ORANGE, PINK), (BLUE, GREEN)
_WIDTH, _HEIGHT, _COLUMNS = 380, 250, 3  # of a panel of the drawing, and panels side by side
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 50, 34  # margins inside a panel


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Warm colours for what is real, cool ones for what is simulated.

    Args:
        names: Of the series, at most two of each sort.
    """
    warm, cool = iter(_REAL_COLOURS), iter(_SIMULATED_COLOURS)
    return {name: next(cool if name.startswith(SIMULATED) else warm) for name in names}


def shape_page(parts: Sequence[Part]) -> str:
    """The whole comparison as one HTML page.

    Args:
        parts: From `compare`.

    Raises:
        InputError: The plotting library is not installed.
    """
    body = ["<h1>The simulated fleet beside real data</h1>"]
    for part in parts:
        body.append(f"<h2>{html.escape(part.title)}</h2>{_table(part)}")
        for number, panel in enumerate(part.panels):
            name = f"{part.name.replace('_', '')}{'abcdefgh'[number]}"
            body.append(render_figure(name, _figure(panel), html.escape(panel.title)))
    return render_page("Load shapes", "\n".join(body))


def number_text(value: float) -> str:
    """A number as a table shows it: about three digits, nothing where it is not known."""
    if not np.isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown_table(part: Part) -> str:
    """Numbers of a part as a Markdown table, a column a series."""
    names = list(part.numbers)
    rows = [f"| {' | '.join((part.title, *names))} |", f"|---|{'---:|' * len(names)}"]
    for quantity in next(iter(part.numbers.values())):
        cells = (number_text(part.numbers[name].get(quantity, np.nan)) for name in names)
        rows.append(f"| {' | '.join((quantity, *cells))} |")
    return "\n".join(rows)


def _table(part: Part) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in part.numbers)
    rows = []
    for quantity in next(iter(part.numbers.values())):
        cells = (number_text(one.get(quantity, np.nan)) for one in part.numbers.values())
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f"<tr><th>{html.escape(quantity)}</th>{row}</tr>")
    top = f"<thead><tr><th></th>{head}</tr></thead>"
    return f'<div class="wide"><table>{top}<tbody>{"".join(rows)}</tbody></table></div>'


def _figure(panel: Panel) -> Figure:
    """A panel as a plain Plotly figure."""
    colours = colours_of(list(panel.lines))
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": html.escape(name),
            "x": [float(f"{x:.5g}") for x in panel.x],
            "y": [float(f"{y:.5g}") for y in curve],
            "line": {"color": colours[name], "width": 2},
        }
        for name, curve in panel.lines.items()
    ]
    layout = {
        "height": 340,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "xaxis": {"title": {"text": panel.x_title}, "zeroline": False, "automargin": True},
        "yaxis": {"title": {"text": panel.y_title}, "automargin": True, "rangemode": "tozero"},
        "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def shape_drawing(parts: Sequence[Part]) -> str:
    """All panels as one SVG on white, some tens of kilobytes.

    Args:
        parts: From `compare`.
    """
    panels = [panel for part in parts for panel in part.panels]
    rows = -(-len(panels) // _COLUMNS)
    width, height = _COLUMNS * _WIDTH, rows * _HEIGHT
    drawn = [
        f'<g transform="translate({i % _COLUMNS * _WIDTH},{i // _COLUMNS * _HEIGHT})">'
        f"{_drawn(panel)}</g>"
        for i, panel in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="10">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def _drawn(panel: Panel) -> str:
    """Title, legend, axes and curves of one panel."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    low_x, high_x = float(panel.x.min()), float(panel.x.max())
    high_y = 1.05 * max(float(curve.max()) for curve in panel.lines.values())

    def across(x: FloatArray) -> FloatArray:
        return _LEFT + (x - low_x) / (high_x - low_x) * (right - _LEFT)

    def up(y: FloatArray) -> FloatArray:
        return bottom - y / high_y * (bottom - _TOP)

    shapes = [f'<text x="{_LEFT}" y="14" font-size="11">{html.escape(panel.title)}</text>']
    for y in _ticks(0.0, high_y):
        at = up(np.array(y))
        shapes.append(f'<path d="M{_LEFT} {at:.1f}H{right}" stroke="#dddddd"/>')
        shapes.append(f'<text x="{_LEFT - 4}" y="{at + 3:.1f}" text-anchor="end">{y:g}</text>')
    for x in _ticks(low_x, high_x):
        at = across(np.array(x))
        shapes.append(f'<text x="{at:.1f}" y="{bottom + 12}" text-anchor="middle">{x:g}</text>')
    words = html.escape(f"{panel.y_title} by {panel.x_title}")
    shapes.append(f'<text x="{right}" y="{bottom + 26}" text-anchor="end">{words}</text>')
    for number, (name, colour) in enumerate(colours_of(list(panel.lines)).items()):
        points = zip(across(panel.x), up(panel.lines[name]), strict=True)
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        line = f'fill="none" stroke="{colour}" stroke-width="1.6"'
        shapes.append(f'<polyline points="{path}" {line}/>')
        x, y = _LEFT + number % 2 * (_WIDTH - _LEFT) // 2, 27 + number // 2 * 12
        shapes.append(f'<text x="{x}" y="{y}" fill="{colour}">{html.escape(name)}</text>')
    return "".join(shapes)


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between two."""
    step = 10.0 ** np.floor(np.log10((high - low) / 4.0))
    step *= next(
        factor for factor in (1.0, 2.0, 5.0, 10.0) if (high - low) / (step * factor) <= 6.0
    )
    first = np.ceil(low / step - 1e-9) + 0.0  # never -0
    return [float(f"{n * step:.10g}") for n in np.arange(first, high / step + 1e-9)]
