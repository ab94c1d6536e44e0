"""What there is in a fleet, as tables and histograms of text."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from vpp_envs.devices.appliance import duration_s
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS, cohort_names
from vpp_envs.fleet.connection import SharedConnection, is_shared, of_group
from vpp_envs.fleet.fleet import HABITS, EvFleet, Fleet
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceFleet
from vpp_envs.flexible.generator_parts import GeneratorFleet
from vpp_envs.flexible.kinds import present
from vpp_envs.flexible_tables import COHORTS
from vpp_rl.cli.console import number_table

_BINS = 8
_BAR = 32  # letters of the longest
_UNMANAGED = "not managed"
_KINDS = {  # by name in `vpp_envs.flexible.kinds.KINDS`
    "water_heater": "water heater",
    "hvac": "heating and cooling",
    "dishwasher": "dishwasher",
    "washer": "washer",
    "dryer": "dryer",
    "pool_pump": "pool pump",
    "generator": "generator",
}


def fleet_view(fleet: Fleet, name: str) -> Iterator[Table | str]:
    """Describe a fleet, part by part, to be printed.

    Args:
        fleet: As sampled or read: cohorts index all that there are.
        name: For the heading.
    """
    yield _totals(fleet, name)
    yield _cohorts(fleet)
    has = fleet.battery.discharge_kw > 0
    battery, kept_kwh = fleet.battery, fleet.agreement.reserve_kwh
    if has.any():
        free_kwh = battery.capacity_kwh - kept_kwh
        yield histogram("Battery capacity, kWh", battery.capacity_kwh[has])
        yield histogram("Battery discharge power, kW", battery.discharge_kw[has])
        yield histogram(
            "Battery duration above the reserve, h", (free_kwh / battery.discharge_kw)[has]
        )
        yield histogram("Battery round-trip efficiency, %", 100 * battery.one_way_eff[has] ** 2)
        yield histogram(
            "Battery reserve, % of capacity", (100 * kept_kwh / battery.capacity_kwh)[has]
        )
    if (fleet.solar_kw > 0).any():
        yield histogram("Solar AC rating, kW", fleet.solar_kw[fleet.solar_kw > 0])
    if fleet.ev is not None and (fleet.ev.params.charge_kw > 0).any():
        yield from _cars(fleet.ev)
    yield from _flexible(fleet)
    if fleet.shared is not None:
        yield from _connections(fleet.shared)
    yield histogram("Mean base load, kW", fleet.load_mean_kw)
    yield histogram("Import limit, kW", fleet.agreement.import_limit_kw)
    yield histogram("Export limit, kW", fleet.agreement.export_limit_kw)


def _connections(shared: SharedConnection) -> Iterator[str]:
    """Connections that several share, each once."""
    kw = of_group(shared.limit_kw, shared)
    shares = is_shared(shared) & (shared.group == torch.arange(len(kw)))
    if shares.any():
        members = of_group(torch.ones_like(kw), shared)
        chargers = (of_group(shared.chargers, shared) + 1e-6).floor()
        yield histogram("Shared connection, kW", kw[shares])
        yield histogram("Shared connection, homes or vehicles", members[shares])
        yield histogram("Shared connection, chargers at most", chargers[shares])


def _flexible(fleet: Fleet) -> Iterator[str]:
    if fleet.flexible is None:
        return
    tanks, houses = fleet.flexible.water_heater, fleet.flexible.hvac
    if tanks is not None and (tanks.rated_kw > 0).any():
        has = tanks.rated_kw > 0
        yield histogram("Hot water tank, L", tanks.params.volume_l[has])
        yield histogram("Hot water set-point, C", tanks.agreement.set_c[has])
    if houses is not None and (houses.rated_kw > 0).any():
        has = houses.rated_kw > 0
        yield histogram("Heating and cooling, kW", houses.rated_kw[has])
        yield histogram("House to outdoors, W/K", 1000.0 * houses.house.ua_kw_per_k[has])
        yield histogram("Cooling set-point, C", houses.agreement.cool_set_c[has])
    for name in APPLIANCES:
        machines = getattr(fleet.flexible, name)
        if machines is not None and (machines.rated_kw > 0).any():
            yield from _machines(_KINDS[name].capitalize(), machines)
    if fleet.flexible.generator is not None:
        yield from _engines(fleet.flexible.generator)


def _machines(name: str, machines: ApplianceFleet) -> Iterator[str]:
    has = machines.rated_kw > 0
    yield histogram(f"{name}, energy of a job, kWh", machines.params.drawn_kwh[has][:, -1])
    yield histogram(f"{name}, length of a job, h", duration_s(machines.params)[has] / 3600.0)


def _engines(engines: GeneratorFleet) -> Iterator[str]:
    permitted = engines.agreement.permitted_for_dr > 0
    for what, some in (
        ("permitted to run for others", permitted),
        ("in an outage alone", ~permitted),
    ):
        has = some & (engines.rated_kw > 0)
        if has.any():
            yield histogram(f"Generator, {what}, kW", engines.rated_kw[has])


def _cars(ev: EvFleet) -> Iterator[str]:
    has = ev.params.charge_kw > 0
    yield histogram("Car capacity, kWh", ev.params.capacity_kwh[has])
    yield histogram("Charging power, kW", ev.params.charge_kw[has])
    target = ev.agreement.target_kwh / ev.params.capacity_kwh
    yield histogram("Target at departure, % of capacity", 100 * target[has])


def _totals(fleet: Fleet, name: str) -> Table:
    """Devices with their number, share of homes, power and energy."""
    homes = len(fleet.home_id)
    table = number_table(("", "number", "of homes", "MW", "MWh"))
    table.title = f"[bold]{name}[/]: {homes:,} homes"

    def row(what: str, has: Tensor, kw: Tensor | None, kwh: Tensor | None) -> None:
        sums = ("" if x is None else f"{x[has].sum().item() / 1000.0:,.3f}" for x in (kw, kwh))
        table.add_row(what, f"{int(has.sum()):,}", f"{has.double().mean():.1%}", *sums)

    battery, has = fleet.battery, fleet.battery.discharge_kw > 0
    row("battery, discharging", has, battery.discharge_kw, battery.capacity_kwh)
    kept_kwh = fleet.agreement.reserve_kwh
    row("  kept in reserve", has & (kept_kwh > 0), None, kept_kwh)
    row("solar, AC", fleet.solar_kw > 0, fleet.solar_kw, None)
    if fleet.ev is not None:
        ev = fleet.ev.params
        row("car, charging", ev.charge_kw > 0, ev.charge_kw, ev.capacity_kwh)
        row("  that discharges", ev.discharge_kw > 0, ev.discharge_kw, ev.capacity_kwh)
        if fleet.ev.habit is not None:
            for number, habit in enumerate(HABITS):
                has = (ev.charge_kw > 0) & (fleet.ev.habit == number)
                row(f"  left alone: {habit}", has, ev.charge_kw, ev.capacity_kwh)
    for kind in present(fleet.flexible):
        devices = getattr(fleet.flexible, kind)
        kw = devices.rated_kw
        row(_KINDS[kind], kw > 0, kw, None)
        if kind == "generator":
            permitted = devices.agreement.permitted_for_dr > 0
            row("  permitted to run for others", (kw > 0) & permitted, kw, None)
    row("base load, mean", fleet.load_mean_kw > 0, fleet.load_mean_kw, None)
    return table


def _cohorts(fleet: Fleet) -> Table:
    """Classes that a policy acts on, with their shares of the devices."""
    table = number_table(("cohort", "number", "of its kind", "MW", "MWh"))
    for kind, names, cohort, kw, kwh in _classes(fleet):
        count = int((kw > 0).sum())
        for number, name in enumerate((*names, f"{_UNMANAGED}: {kind}")):
            has = cohort == number if number < len(names) else (cohort < 0) & (kw > 0)
            if has.any():
                sums = ("" if x is None else f"{x[has].sum().item() / 1e3:,.3f}" for x in (kw, kwh))
                some = int(has.sum())
                table.add_row(name, f"{some:,}", f"{some / count:.1%}", *sums)
    table.caption = "MWh of batteries above the reserve"
    table.caption_justify = "left"
    return table


def _classes(
    fleet: Fleet,
) -> Iterator[tuple[str, tuple[str, ...], Tensor, Tensor, Tensor | None]]:
    """Of each kind: what it is called, names of its classes, class, power [kW], energy [kWh]."""
    battery, ev = fleet.battery, fleet.ev
    free_kwh = battery.capacity_kwh - fleet.agreement.reserve_kwh
    names = cohort_names(BATTERY_COHORTS)
    yield "battery", names, fleet.cohort, battery.discharge_kw, free_kwh
    if ev is not None:
        names = cohort_names(EV_COHORTS)
        yield "car", names, ev.cohort, ev.params.charge_kw, ev.params.capacity_kwh
    for kind in present(fleet.flexible):
        devices = getattr(fleet.flexible, kind)
        names = tuple(one.name for one in COHORTS[kind])
        yield _KINDS[kind], names, devices.cohort, devices.rated_kw, None


def histogram(title: str, values: Tensor) -> str:
    """Bars of text, one for each of equal bins.

    Args:
        title: With unit.
        values: At least one, (M,).
    """
    numbers = values.double().numpy()
    low, high = float(numbers.min()), float(numbers.max())
    head = f"[bold]{title}[/]: median {np.median(numbers):.3g}"
    if high - low <= 1e-9 * max(abs(high), 1.0):
        return f"{head}, all alike\n"
    counts, edges = np.histogram(numbers, bins=_BINS)
    return "\n".join([f"{head}, {low:.3g} to {high:.3g}", *_bars(counts.tolist(), edges), ""])


def _bars(counts: Sequence[int], edges: np.ndarray) -> Iterator[str]:
    labels = [f"{edge:.3g}" for edge in edges]
    width = max(map(len, labels))
    for count, low, high in zip(counts, labels, labels[1:], strict=False):
        bar = "█" * max(round(_BAR * count / max(counts)), min(count, 1))
        yield f"  {low:>{width}} to {high:<{width}} {bar} {count:,}"
