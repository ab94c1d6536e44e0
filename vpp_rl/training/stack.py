"""A day of a fleet as a picture: what draws stacked upwards, what feeds downwards."""

import numpy as np
from matplotlib.figure import Figure

from vpp_envs.scenario import Scenario
from vpp_rl.rollout import Trace

_COLOURS = {
    "base load": "#8A9099",
    "battery charging": "#56B4E9",
    "cars charging": "#009E73",
    "solar": "#E69F00",
    "battery discharging": "#0072B2",
    "cars discharging": "#CC79A7",
}


def dispatch_stack(trace: Trace, scenario: Scenario) -> Figure:
    """Draw the second day of a window, by when a fleet has forgotten how it began.

    Args:
        trace: What happened in the window.
        scenario: Where.
    """
    day = scenario.ticks_per_day
    first = day if len(trace.tick) >= 2 * day else 0
    part = slice(first, first + day)
    totals, per_h = trace.totals, 1.0 / scenario.dt_h
    battery, cars = totals.battery_kwh[part] * per_h, totals.ev_kwh[part] * per_h
    up = {
        "base load": totals.load_kwh[part] * per_h,
        "battery charging": battery.clamp(min=0.0),
        "cars charging": cars.clamp(min=0.0),
    }
    down = {
        "solar": -totals.solar_kwh[part] * per_h,
        "battery discharging": battery.clamp(max=0.0),
        "cars discharging": cars.clamp(max=0.0),
    }
    hours = np.arange(len(battery)) * scenario.dt_h
    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    price, power = figure.subplots(2, 1, sharex=True, height_ratios=[1, 3])
    market = scenario.market
    price.plot(hours, market.price_per_mwh[trace.tick[part]].numpy(), color="black", linewidth=1.0)
    price.set_ylabel(f"{market.currency}/MWh")
    for layers in (up, down):
        present = {name: layer.numpy() for name, layer in layers.items() if bool(layer.any())}
        if present:
            colours = [_COLOURS[name] for name in present]
            power.stackplot(hours, *present.values(), labels=list(present), colors=colours)
    power.plot(hours, (totals.net_kwh[part] * per_h).numpy(), color="black", label="net")
    power.set_ylabel("kW, above zero from the grid")
    power.set_xlabel(f"hour, {market.local_time(trace.tick[part][:1])[0]:%Y-%m-%d}")
    power.legend(loc="upper left", fontsize="small", ncols=3)
    return figure
