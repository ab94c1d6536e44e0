"""The viability envelope: the powers from which every agreement stays reachable.

Whatever lies inside keeps the reserve, the battery's limits and the site's import and export
limits at the end of the step, so a command that is mapped into the envelope is safe by
construction (control theory calls the set of such states a viability kernel).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.pick import is_nan


class Envelope(NamedTuple):
    """Range of battery power for one step, (..., N)."""

    low_kw: Tensor  # most discharge, or least recharge below the reserve [kW]
    high_kw: Tensor  # most charge [kW]
    site_limited: Tensor  # the site's own load leaves no power that keeps all limits, bool


def battery_range(
    energy_kwh: Tensor, battery: BatteryParams, agreement: Agreement, dt_h: float
) -> tuple[Tensor, Tensor]:
    """Return the powers that keep the reserve and the battery's own limits.

    With D the energy missing to the reserve at the end of the step if nothing is done, from
    ``min(P_c, D / (eta dt))`` if D > 0, else ``-min(P_d, -D eta / dt)``, up to
    ``min(P_c, (E - e + l dt) / (eta dt))``.

    Args:
        energy_kwh: Stored energy now, (..., N). [kWh]
        battery: Constants, (N,).
        agreement: Reserve, (N,).
        dt_h: Length of the step. [h]

    Returns:
        Lower and upper edge, (..., N). [kW]
    """
    left_kwh = energy_kwh - battery.standing_loss_kw * dt_h
    missing_kwh = agreement.reserve_kwh - left_kwh
    recharge_kw = missing_kwh / (battery.one_way_eff * dt_h)
    release_kw = missing_kwh * battery.one_way_eff / dt_h
    low_kw = torch.where(
        missing_kwh > 0,
        torch.minimum(recharge_kw, battery.charge_kw),
        torch.maximum(release_kw, -battery.discharge_kw),
    )
    full_kw = (battery.capacity_kwh - left_kwh) / (battery.one_way_eff * dt_h)
    return low_kw, torch.minimum(full_kw.clamp(min=0.0), battery.charge_kw)


def battery_envelope(
    energy_kwh: Tensor,
    site_kw: Tensor,
    battery: BatteryParams,
    agreement: Agreement,
    dt_h: float,
) -> Envelope:
    """Narrow the battery's own range by the site's connection.

    Discharge only fills what solar leaves of the export limit, charge what the load leaves of
    the import limit.

    Args:
        energy_kwh: Stored energy now, (..., N). [kWh]
        site_kw: Load less solar output, without the battery, (..., N). [kW]
        battery: Constants, (N,).
        agreement: Reserve and site limits, (N,).
        dt_h: Length of the step. [h]
    """
    low_kw, high_kw = battery_range(energy_kwh, battery, agreement, dt_h)
    export_room_kw = (agreement.export_limit_kw + site_kw).clamp(min=0.0)
    low_kw = torch.where(low_kw < 0, torch.maximum(low_kw, -export_room_kw), low_kw)
    import_room_kw = agreement.import_limit_kw - site_kw
    site_limited = import_room_kw < low_kw
    high_kw = torch.maximum(torch.minimum(high_kw, import_room_kw), low_kw)
    return Envelope(low_kw, high_kw, site_limited)


def solar_ceiling(
    asked_kw: Tensor,
    available_kw: Tensor,
    load_kw: Tensor,
    energy_kwh: Tensor,
    battery: BatteryParams,
    agreement: Agreement,
    dt_h: float,
) -> Tensor:
    """Return the solar output that a command allows, (..., N). [kW]

    Without a number the system produces all it can. Output that the site needs to stay under its
    import limit, with the battery at its lower edge, is not curtailed: else a negative price
    would pay for exceeding the limit.

    Args:
        asked_kw: Most that the system may produce, (..., N). [kW]
        available_kw: Output if not curtailed, (..., N). [kW]
        load_kw: Base load, (..., N). [kW]
        energy_kwh: Stored energy now, (..., N). [kWh]
        battery: Constants, (N,).
        agreement: Reserve and site limits, (N,).
        dt_h: Length of the step. [h]
    """
    low_kw, _ = battery_range(energy_kwh, battery, agreement, dt_h)
    needed_kw = load_kw + low_kw - agreement.import_limit_kw
    asked_kw = torch.where(is_nan(asked_kw), available_kw, asked_kw)
    return torch.minimum(torch.maximum(asked_kw, needed_kw.clamp(min=0.0)), available_kw)


def into_envelope(share: Tensor, low_kw: Tensor, high_kw: Tensor) -> Tensor:
    """Map -1 .. 1 onto the envelope: 0 leaves the device alone, the ends are its edges.

    Nothing is clipped, so no two commands mean the same power (except where the envelope itself
    is one-sided: a device that may only draw leaves itself alone at any negative share).

    Args:
        share: Command in [-1, 1], broadcastable to (..., N).
        low_kw: Lower edge, (..., N). [kW]
        high_kw: Upper edge, (..., N). [kW]
    """
    neutral_kw = neutral(low_kw, high_kw)
    up = share.clamp(min=0.0) * (high_kw - neutral_kw)
    down = (-share).clamp(min=0.0) * (neutral_kw - low_kw)
    return torch.minimum(torch.maximum(neutral_kw + up - down, low_kw), high_kw)


def neutral(low_kw: Tensor, high_kw: Tensor) -> Tensor:
    """Power of a device that is left alone: the point of its envelope nearest to zero. [kW]"""
    return torch.minimum(high_kw, low_kw.clamp(min=0.0))
