"""A home without the grid: sun, a backup generator and the battery carry what they can.

Only here may the reserve be used: it was kept for this. Sun comes first, because it is free, then
the generator, then the battery, which is thus kept longest; sun that is left over charges the
battery, and what it cannot take is curtailed. A generator follows the load and charges nothing.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.battery import BatteryParams, stored_change_kwh
from vpp_envs.dispatch.envelope import battery_range
from vpp_envs.fleet.agreement import Agreement


class Island(NamedTuple):
    """What happened in one step without the grid, (..., N).

    Power balances: ``solar + generator - battery + unserved = load`` (unserved in kW).
    """

    energy_kwh: Tensor  # stored at the end [kWh]
    battery_kw: Tensor  # AC, charging positive [kW]
    solar_output_kw: Tensor  # produced [kW]
    generator_kw: Tensor  # produced, positive [kW]
    load_kwh: Tensor  # wanted [kWh]
    served_kwh: Tensor  # of it [kWh]
    unserved_kwh: Tensor  # the rest [kWh]
    curtailed_kwh: Tensor  # sun that nobody could take [kWh]
    backup_h: Tensor  # share of the load that was served, times the step [h]
    spared_kwh: Tensor  # of the standing loss, which an empty battery does not have [kWh]


def step_island(
    energy_kwh: Tensor,
    load_kw: Tensor,
    solar_kw: Tensor,
    generator_kw: Tensor,
    battery: BatteryParams,
    dt_h: float,
) -> Island:
    """Carry homes through one step without the grid.

    A battery that runs empty serves its energy as a mean over the step. Load beyond the power at
    hand is shed, and the rest goes on.

    Args:
        energy_kwh: Stored at the start, (..., N). [kWh]
        load_kw: What the home needs, at least 0, (..., N). [kW]
        solar_kw: Output that the sun allows, (..., N). [kW]
        generator_kw: Power that a backup generator may give, 0 without one, (..., N). [kW]
        battery: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    low_kw, high_kw = battery_range(energy_kwh, battery, _without_limits(battery), dt_h)
    low_kw = low_kw.clamp(max=0.0)  # an empty battery cannot recharge from a grid that is away
    sun_kw = torch.minimum(solar_kw, load_kw)
    engine_kw = torch.minimum(generator_kw, load_kw - sun_kw)
    missing_kw = load_kw - sun_kw - engine_kw
    given_kw = torch.minimum(missing_kw, -low_kw)
    stored_kw = torch.minimum(solar_kw - sun_kw, high_kw)
    # One of the two is zero: sun is left over only where nothing is missing.
    battery_kw = stored_kw - given_kw
    raw_kwh = energy_kwh + stored_change_kwh(battery_kw, battery, dt_h)
    # Rounding may put a full battery a bit above its top.
    after_kwh = raw_kwh.clamp(min=0.0).minimum(battery.capacity_kwh)
    unserved_kwh = (missing_kw - given_kw) * dt_h
    load_kwh = load_kw * dt_h
    served_kwh = load_kwh - unserved_kwh
    share = torch.where(load_kwh > 0, served_kwh / load_kwh.clamp(min=1e-12), 1.0)
    return Island(
        after_kwh,
        battery_kw,
        sun_kw + stored_kw,
        engine_kw,
        load_kwh,
        served_kwh,
        unserved_kwh,
        (solar_kw - sun_kw - stored_kw) * dt_h,
        share * dt_h,
        after_kwh - raw_kwh,
    )


def backup_hours(
    energy_kwh: Tensor,
    load_kw: Tensor,
    solar_kw: Tensor,
    generator_kw: Tensor,
    battery: BatteryParams,
    most_h: float,
) -> Tensor:
    """How long homes would hold if the grid went away now and nothing changed, (..., N). [h]

    ``e / (missing / eta + standing loss)``; nothing where the load needs more than the battery's
    power, and the most where sun and generator carry it alone.

    Args:
        energy_kwh: Stored now, (..., N). [kWh]
        load_kw: What the home needs, (..., N). [kW]
        solar_kw: Output that the sun allows, (..., N). [kW]
        generator_kw: Power that a backup generator may give, (..., N). [kW]
        battery: Constants, (N,).
        most_h: What "for ever" is cut to. [h]
    """
    missing_kw = (load_kw - solar_kw - generator_kw).clamp(min=0.0)
    drain_kw = missing_kw / battery.one_way_eff + battery.standing_loss_kw
    hours = (energy_kwh / drain_kw.clamp(min=1e-9)).clamp(max=most_h)
    hours = torch.where(missing_kw > battery.discharge_kw, torch.zeros_like(hours), hours)
    return torch.where(missing_kw > 0, hours, torch.full_like(hours, most_h))


def begins(out: Tensor, was_out: Tensor) -> Tensor:
    """Homes whose outage begins with this step, (..., N) bool.

    Args:
        out: The grid is away in this step, (..., N).
        was_out: It was in the last, (..., N).
    """
    return (out > 0) & (was_out <= 0)


def backup_shortfall_kwh(energy_kwh: Tensor, agreement: Agreement, begins: Tensor) -> Tensor:
    """What was missing to the reserve when an outage began, else 0, (..., N). [kWh]

    Args:
        energy_kwh: Stored when the step begins, (..., N). [kWh]
        agreement: Reserve, (N,).
        begins: From `begins`, (..., N) bool.
    """
    missing_kwh = (agreement.reserve_kwh - energy_kwh).clamp(min=0.0)
    return torch.where(begins, missing_kwh, torch.zeros_like(missing_kwh))


def _without_limits(battery: BatteryParams) -> Agreement:
    """The agreement while the grid is away: no reserve; there is no connection to limit, (N,)."""
    none = torch.zeros_like(battery.capacity_kwh)
    return Agreement(none, none, none, none)
