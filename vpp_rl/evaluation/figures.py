"""The pictures of a report, as plain Plotly figures: `{"data": [...], "layout": {...}}`.

A figure is data, drawn by the script inside the page, which also sets the colours of text and
grid for a light or a dark screen. Colours are Okabe and Ito's, told apart by colour-blind readers.
Texts from users are escaped here, since Plotly reads markup in labels.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from vpp_envs.errors import InputError
from vpp_rl.evaluation.statistics import FloatArray
from vpp_rl.evaluation.windows import panel

Figure = dict[str, Any]

BLUE, SKY, ORANGE, AMBER = "#0072B2", "#56B4E9", "#D55E00", "#E69F00"
GREEN, PINK, GREY = "#009E73", "#CC79A7", "#8A9099"
SERIES = (BLUE, ORANGE, GREEN, PINK, AMBER)
KIND_COLOURS: Final = {"learned": BLUE, "optimiser": ORANGE, "rule": GREEN, "bound": GREY}
DEVICE_COLOURS: Final = {
    "hot water": "#F0A6A0",
    "heating and cooling": ORANGE,
    "machines": "#B8A9D9",
    "engines": "#5B4636",
}
INK = "ink"  # a trace with this tag takes the colour of the page's text

LEARNING_COLUMNS = ("policy", "seed", "steps", "seconds", "profit_per_home_year")
FILL_QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)

_PRICE_KNEE = 100.0  # asinh is straight below this price and logarithmic above it [per MWh]
_PRICE_TICKS = (0, 100, 1000, 10_000, -100, -1000, 300, 3000, 200, 500, 5000, 20_000, 50, -50, -300)


@dataclass(frozen=True)
class DayTrace:
    """One day of one fleet under one policy, by intervals that are named by their start.

    Power follows the load convention where it has a direction: battery and net power above zero
    draw from the grid, below zero feed in. Load and solar are amounts, so that
    net = load - solar + battery + cars + devices.
    """

    stamps_local: npt.NDArray[np.datetime64]  # (T,) clock of the market's zone
    price_per_mwh: FloatArray  # (T,) [currency/MWh]
    load_kw: FloatArray  # (T,) base load of all homes, >= 0
    solar_kw: FloatArray  # (T,) solar output used by all homes, >= 0
    battery_kw: FloatArray  # (T,) charging positive
    net_kw: FloatArray  # (T,) what the fleet draws from the grid
    fill_quantiles: FloatArray  # (T, 5) state of charge that 5, 25, 50, 75, 95 % of homes are below
    policy: str
    currency: str
    market: str
    title: str
    ev_kw: FloatArray | None = None  # (T,) of the cars, charging positive; none: there are none
    # (T,) of each kind of flexible device by its name, draw positive
    devices_kw: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def cars_kw(self) -> FloatArray:
        """Power of the cars, 0 without any, (T,)."""
        return np.zeros_like(self.net_kw) if self.ev_kw is None else self.ev_kw

    @property
    def flexible_kw(self) -> FloatArray:
        """Power of all flexible devices, (T,)."""
        return sum(self.devices_kw.values(), np.zeros_like(self.net_kw))

    def __post_init__(self) -> None:
        """Refuse a day that does not add up.

        Raises:
            InputError: Lengths differ, or the powers break the balance.
        """
        ticks = len(self.stamps_local)
        for name in ("price_per_mwh", "load_kw", "solar_kw", "battery_kw", "net_kw", "cars_kw"):
            if getattr(self, name).shape != (ticks,):
                raise InputError(
                    f"day trace: {name} has shape {getattr(self, name).shape}; expected ({ticks},),"
                    " one value per stamp"
                )
        if self.fill_quantiles.shape != (ticks, len(FILL_QUANTILES)):
            raise InputError(
                f"day trace: fill_quantiles has shape {self.fill_quantiles.shape}; expected "
                f"({ticks}, {len(FILL_QUANTILES)}), the quantiles {FILL_QUANTILES}"
            )
        sum_kw = self.load_kw - self.solar_kw + self.battery_kw + self.cars_kw
        sum_kw = sum_kw + self.flexible_kw
        gap_kw = np.abs(sum_kw - self.net_kw).max()
        if not gap_kw <= 1e-3 * (1.0 + np.abs(self.load_kw).max()):
            raise InputError(
                "day trace: load - solar + battery + cars + devices misses net by up to "
                f"{gap_kw:.3g} kW; expected load and solar as amounts, "
                "the others positive when they draw power"
            )


def gain_bars(summary: pd.DataFrame, currency: str) -> Figure:
    """Draw what control adds to the reference, per home-year, with 95 % intervals.

    Args:
        summary: What `summarise` returned.
        currency: Code of the market's currency.
    """
    rows = summary[summary["policy"] != summary["reference"]].iloc[::-1]
    gain = rows["gain_per_home_year"].to_numpy()
    reach = {"high": rows["gain_per_home_year_high"], "low": rows["gain_per_home_year_low"]}
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [html.escape(str(name)) for name in rows["policy"]],
        "x": _numbers(gain),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": _numbers(reach["high"].to_numpy() - gain),
            "arrayminus": _numbers(gain - reach["low"].to_numpy()),
            "thickness": 1.5,
            "width": 5,
        },
        "meta": INK,
        "marker": {"color": [KIND_COLOURS[kind] for kind in rows["kind"]]},
        "customdata": [list(pair) for pair in zip(*map(_numbers, reach.values()), strict=True)],
        "hovertemplate": "<b>%{x:,.1f}</b> [%{customdata[1]:,.1f}, %{customdata[0]:,.1f}]"
        "<extra></extra>",
    }
    layout = _layout(height=110 + 34 * len(rows))
    layout["xaxis"]["title"] = _title(f"{currency} per home-year")
    layout["yaxis"] |= {"automargin": True, "ticksuffix": "  ", "showgrid": False}
    layout["bargap"] = 0.35
    return {"data": [bars], "layout": layout}


def lead_over_time(summary: pd.DataFrame, frame: pd.DataFrame, currency: str) -> Figure:
    """Draw how the lead over the policy to beat adds up, window by window.

    Shown are the optimum, where there is one, and the best of the others; perfect foresight would
    flatten them all.

    Args:
        summary: What `summarise` returned.
        frame: The windows behind it.
        currency: Code of the market's currency.
    """
    paired = panel(frame)
    against = str(summary["against"].iloc[0])
    attainable = summary[(summary["policy"] != against) & ~(summary["share_bound"] >= 1.0)]
    bounds = list(attainable.loc[attainable["kind"] == "bound", "policy"])
    others = list(attainable.loc[attainable["kind"] != "bound", "policy"].head(len(SERIES)))
    days = paired.starts.astype("datetime64[D]")
    ordered = bool((np.diff(days) > np.timedelta64(0)).all())
    x = [str(day) for day in days] if ordered else list(range(1, days.size + 1))
    base = paired.profit[against].mean(axis=0)
    data = []
    for policy, colour in zip([*bounds, *others], [GREY] * len(bounds) + [*SERIES], strict=False):
        lead = np.cumsum((paired.profit[policy].mean(axis=0) - base) / paired.homes)
        dash = "dash" if policy in bounds else "solid"
        trace = _line(x, lead) | {"name": html.escape(policy), "hovertemplate": "%{y:,.1f}"}
        data.append(trace | {"line": {"color": colour, "dash": dash, "width": 2}})
    layout = _layout(height=400) | {"hovermode": "x unified"} | _legend(-0.14)
    layout["yaxis"] |= {"title": _title(f"{currency} per home"), "zeroline": True}
    layout["xaxis"]["title"] = _title("" if ordered else "window")
    return {"data": data, "layout": layout}


def day_figure(day: DayTrace) -> Figure:
    """Draw price, dispatch and state of charge of one day under one clock.

    Args:
        day: What happened.
    """
    x = [str(stamp) for stamp in day.stamps_local.astype("datetime64[m]")]
    unit, scale = ("MW", 1e-3) if np.abs(day.load_kw).max() >= 2000.0 else ("kW", 1.0)
    layout = _layout(height=760)
    layout |= {"hovermode": "x unified", "hoversubplots": "axis"} | _legend(-0.06)
    layout["xaxis"] |= {"anchor": "y3", "tickformat": "%H:%M", "hoverformat": "%a %d %b, %H:%M"}
    layout["yaxis2"] = layout["yaxis"] | {"domain": [0.34, 0.72], "zeroline": True}
    layout["yaxis3"] = layout["yaxis"] | {"domain": [0.0, 0.26], "range": [0, 1.03]}
    layout["yaxis3"] |= {"tickformat": ".0%"}
    layout["yaxis"] |= {"domain": [0.80, 1.0]} | _price_axis(day.price_per_mwh)
    layout["annotations"] = [
        _caption(1.0, f"<b>Price</b>, {html.escape(day.currency)}/MWh, squeezed above 100"),
        _caption(0.72, f"<b>Power</b>, {unit}, above zero from the grid"),
        _caption(0.26, "<b>State of charge</b> of the homes"),
    ]
    data = [_price_line(x, day.price_per_mwh), *_dispatch(x, day, scale, unit), *_fan(x, day)]
    return {"data": data, "layout": layout}


def learning_figure(learning: pd.DataFrame, currency: str) -> Figure:
    """Draw validation profit over the time of training, one line per policy and seed.

    Args:
        learning: Rows with the columns `LEARNING_COLUMNS`.
        currency: Code of the market's currency.

    Raises:
        InputError: A column is missing.
    """
    for column in LEARNING_COLUMNS:
        if column not in learning.columns:
            raise InputError(
                f"learning curve: the column {column!r} is missing; expected "
                f"{', '.join(LEARNING_COLUMNS)}"
            )
    colours = dict(zip(sorted(learning["policy"].unique()), SERIES * 9, strict=False))
    data: list[Figure] = []
    for (policy, seed), rows in learning.sort_values("steps").groupby(["policy", "seed"]):
        name = html.escape(str(policy))
        trace = _line(rows["seconds"] / 60.0, rows["profit_per_home_year"])
        trace |= {"name": name, "legendgroup": name, "mode": "lines+markers"}
        trace["showlegend"] = all(other["name"] != name for other in data)
        trace |= {"line": {"color": colours[policy], "width": 1.8}, "marker": {"size": 5}}
        trace["customdata"] = _numbers(rows["steps"])
        hover = "%{fullData.name}: %{y:,.1f} after %{x:.3~g} min, %{customdata:.3~s} steps"
        hover += f", seed {seed}<extra></extra>"
        data.append(trace | {"hovertemplate": hover})
    layout = _layout(height=420) | _legend(-0.2)
    layout["yaxis"]["title"] = _title(f"{currency} per home-year")
    layout["xaxis"]["title"] = _title("minutes of training")
    return {"data": data, "layout": layout}


def _price_line(x: list[str], price_per_mwh: FloatArray) -> Figure:
    """Price on the squeezed axis; the box under the pointer tells the true price."""
    trace = _line(x, _squeezed(price_per_mwh))
    trace |= {"name": "price", "customdata": _numbers(price_per_mwh), "showlegend": False}
    trace["line"] = {"color": ORANGE, "width": 1.8, "shape": "hv"}
    return trace | {"yaxis": "y", "hovertemplate": "%{customdata:,.0f}/MWh"}


def _dispatch(x: list[str], day: DayTrace, scale: float, unit: str) -> list[Figure]:
    """What draws stacked upwards, what feeds stacked downwards, and their sum as a line."""
    layers: list[tuple[str, FloatArray, str, str]] = [
        ("base load", day.load_kw, GREY, "up"),
        ("battery charging", np.maximum(day.battery_kw, 0.0), SKY, "up"),
        ("solar", -day.solar_kw, AMBER, "down"),
        ("battery discharging", np.minimum(day.battery_kw, 0.0), BLUE, "down"),
    ]
    if day.ev_kw is not None:
        layers.append(("cars charging", np.maximum(day.ev_kw, 0.0), GREEN, "up"))
        layers.append(("cars discharging", np.minimum(day.ev_kw, 0.0), PINK, "down"))
    for name, kw in day.devices_kw.items():
        side = "up" if kw.sum() >= 0.0 else "down"
        layers.append((name, kw, DEVICE_COLOURS[name], side))
    hover = "%{y:,.3~g} " + unit
    traces = []
    for name, power_kw, colour, group in layers:
        trace = _line(x, power_kw * scale) | {"name": name, "stackgroup": group, "yaxis": "y2"}
        trace |= {"line": {"width": 0, "shape": "hv"}, "fillcolor": colour}
        traces.append(trace | {"hovertemplate": hover})
    net = _line(x, day.net_kw * scale) | {"name": "net", "meta": INK, "yaxis": "y2"}
    return [*traces, net | {"line": {"width": 2, "shape": "hv"}, "hovertemplate": hover}]


def _fan(x: list[str], day: DayTrace) -> list[Figure]:
    """Bands of the state of charge over homes, drawn from the outside in."""
    p5, p25, p50, p75, p95 = day.fill_quantiles.T
    bands = (
        ("5 % of homes below", p5, None),
        ("95 % of homes below", p95, "rgba(86, 180, 233, 0.28)"),
        ("25 % of homes below", p25, None),
        ("75 % of homes below", p75, "rgba(0, 114, 178, 0.38)"),
    )
    traces = []
    for name, edge, fill in bands:
        trace = _line(x, edge) | {"name": name, "yaxis": "y3", "showlegend": False}
        trace |= {"line": {"width": 0, "color": BLUE}, "hovertemplate": "%{y:.0%}"}
        traces.append(trace | ({"fill": "tonexty", "fillcolor": fill} if fill else {}))
    median = _line(x, p50) | {"name": "median home", "yaxis": "y3", "showlegend": False}
    return [*traces, median | {"meta": INK, "line": {"width": 2}, "hovertemplate": "%{y:.0%}"}]


def _squeezed(price_per_mwh: npt.ArrayLike) -> FloatArray:
    """Where a price stands on an axis that a spike of 17,500 does not flatten."""
    return np.arcsinh(np.asarray(price_per_mwh, dtype=np.float64) / _PRICE_KNEE)


def _price_axis(price_per_mwh: FloatArray) -> Figure:
    """Range and ticks in true prices, the rounder ones first, none closer than they can be read."""
    ends = _squeezed([min(0.0, price_per_mwh.min()), max(100.0, price_per_mwh.max())])
    span = float(ends[1] - ends[0])
    kept: list[int] = []
    for price in _PRICE_TICKS:
        place = float(_squeezed(price))
        inside = ends[0] - 0.02 * span <= place <= ends[1] + 0.02 * span
        if inside and all(abs(place - _squeezed(other)) > 0.16 * span for other in kept):
            kept.append(price)
    return {
        "range": [float(ends[0]) - 0.06 * span, float(ends[1]) + 0.08 * span],
        "tickvals": _numbers(_squeezed(kept)),
        "ticktext": [f"{price:,}" for price in kept],
    }


def _line(x: list[str] | npt.ArrayLike, y: npt.ArrayLike) -> Figure:
    """A plain line over stamps or numbers."""
    places = x if isinstance(x, list) else _numbers(x)
    return {"type": "scatter", "mode": "lines", "x": places, "y": _numbers(y)}


def _title(text: str) -> Figure:
    """Words along an axis, no larger than its numbers."""
    return {"text": text, "standoff": 6, "font": {"size": 13}}


def _layout(height: int) -> Figure:
    """What all figures share; the page adds the colours of text, grid and background."""
    axis = {"zeroline": False, "automargin": True, "fixedrange": False}
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 34, "b": 8},
        "xaxis": dict(axis),
        "yaxis": dict(axis),
        "separators": ".,",
    }


def _legend(y: float) -> Figure:
    """A legend in one row under the figure, as a narrow screen has no side."""
    return {"legend": {"orientation": "h", "x": 0, "y": y, "yanchor": "top"}}


def _caption(y: float, text: str) -> Figure:
    """Words above a panel, from its left edge."""
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": y}
    return place | {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "text": text}


def _numbers(values: npt.ArrayLike) -> list[float | None]:
    """Five digits are enough for the eye; what is unknown leaves a gap."""
    return [
        float(f"{value:.5g}") if np.isfinite(value) else None
        for value in np.asarray(values, dtype=np.float64).ravel()
    ]
