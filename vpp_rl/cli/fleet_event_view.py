"""What ``vpp fleet event`` shows: power by interval, and what it means for the homes."""

from collections.abc import Iterator

from rich.table import Table

from vpp_rl.cli.console import number_table
from vpp_rl.evaluation.fleet_event import DT_H, FleetEvent

_BAR = 24  # letters of a full bar


def event_view(event: FleetEvent, name: str, target_mw: float) -> Iterator[Table | str]:
    """Lay an event out for a terminal.

    Args:
        event: From `peak_event`.
        name: Of the fleet.
        target_mw: What was asked for. [MW]
    """
    hours = len(event.battery_mw) * DT_H
    table = number_table(("minute", "MW", "of it exported", "at reserve", ""))
    table.title = f"[bold]{name}[/]: {target_mw:g} MW asked for {hours:g} h"
    every = max(1, len(event.battery_mw) // 12)
    for tick in range(0, len(event.battery_mw), every):
        mw = float(event.battery_mw[tick])
        spent = int(event.at_reserve[tick])
        table.add_row(
            f"{tick * DT_H * 60:.0f}",
            f"{mw:,.3f}",
            f"{float(event.exported_mw[tick]):,.3f}",
            f"{spent:,}",
            "█" * round(_BAR * min(mw / target_mw, 1.0)),
        )
    yield table
    mean, least = float(event.battery_mw.mean()), float(event.battery_mw.min())
    held = (event.battery_mw - target_mw).abs() <= 0.02 * target_mw
    verdict = "held" if bool(held.all()) else f"held for {int(held.sum()) * DT_H * 60:.0f} minutes"
    yield (
        f"{target_mw:g} MW within 2 %: {verdict}. Mean {mean:,.3f} MW, least {least:,.3f} MW: "
        f"{1000.0 * mean / event.batteries:.2f} kW a battery of {event.batteries:,}."
    )
    yield (
        f"{event.broken:,} agreements broken, {event.reserve_short_kwh:,.3f} kWh missing to "
        "reserves."
    )
