"""What a water heater's thermostat does by itself, and what CTA-2045 messages can make it do.

A heater that hears messages alone draws what its thermostat makes of one of them. Its envelope
lies inside that of a heater that takes any power: from what it draws under the deepest shed that
keeps the promise to what it draws under an advanced load up, which without a mixing valve is a
plain one. So whatever holds of the wider envelope holds here, too. In steps of five minutes and
more a power between the edges is a share of the step: one message for its first part and another
for the rest. Grid Emergency is outside the envelope, for it gives the promise up. What the promise
or the weekly heat forces is the heater's own protection, as it is where nobody manages it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.cta2045 import Thermostat, advanced_load_up, critical_peak
from vpp_envs.devices.water_heater import (
    Flow,
    Heater,
    heat_within_kw,
    most_kw,
    passage,
    power_for_kw,
)
from vpp_envs.flexible.flex import Edges
from vpp_envs.flexible.water_heater_layers import LayersAhead, watched_c, watched_within_kw
from vpp_envs.flexible.water_heater_parts import (
    TankState,
    WaterHeaterAgreement,
    WaterHeaterFleet,
)


def own_thermostat(agreed: WaterHeaterAgreement) -> Thermostat:
    """The heaters' own thermostats, (N,)."""
    return Thermostat(agreed.set_c, agreed.set_c - agreed.deadband_k)


def thermostat_kw(
    s: TankState,
    thermostat: Thermostat,
    passing: Flow,
    heater: Heater,
    dt_h: float,
    layers: LayersAhead | None = None,
) -> tuple[Tensor, Tensor]:
    """What a heater's thermostat does: power [kW], and whether it calls for heat, bool.

    From five minutes on it reacts within the step: it starts as soon as the water would end below
    its deadband, and stops when the set-point is reached. The element helps the pump only where
    the pump alone would leave the water far below.

    Args:
        s: State of the tanks, (..., N).
        thermostat: Their own, or what a message makes of it.
        passing: The step's flow.
        heater: What they can do now.
        dt_h: Length of the step. [h]
        layers: The step of tanks of two layers; none: there are none.
    """
    seen = _seen(s, thermostat.set_c, passing, heater, dt_h, layers)
    goes_on = (s.heating > 0) & (seen.now_c < thermostat.set_c - 1e-3)
    runs = goes_on | (seen.low_c < thermostat.start_c)
    pump_only_kw = torch.minimum(seen.needed_kw, heater.pump_kw * heater.pump_cop)
    far = seen.tap_c < thermostat.set_c - 13.0
    wanted_kw = torch.where((heater.pump_kw > 0) & ~far, pump_only_kw, seen.needed_kw)
    power_kw = power_for_kw(wanted_kw, heater)
    if dt_h < 5.0 / 60.0 - 1e-9:
        power_kw = torch.where((heater.pump_kw > 0) & ~far, heater.pump_kw, most_kw(heater))
    return torch.where(runs, power_kw, torch.zeros_like(power_kw)), runs


class _Seen(NamedTuple):
    """What a thermostat sees of its tank, (..., N)."""

    now_c: Tensor  # [C]
    low_c: Tensor  # the colder of now and the end of the step without heat [C]
    tap_c: Tensor  # the same of the water at the tap [C]
    needed_kw: Tensor  # heat after which it sees its set-point [kW]


def _seen(
    s: TankState,
    set_c: Tensor,
    passing: Flow,
    heater: Heater,
    dt_h: float,
    layers: LayersAhead | None,
) -> _Seen:
    """What thermostats see; in steps below five minutes they do not look ahead."""
    short = dt_h < 5.0 / 60.0 - 1e-9
    idle_c = passage(s.temp_c, torch.zeros_like(s.temp_c), passing, dt_h).temp_c
    low_c = s.temp_c if short else torch.minimum(s.temp_c, idle_c)
    needed_kw = heat_within_kw(s.temp_c, set_c, passing, dt_h)
    if layers is None:
        return _Seen(s.temp_c, low_c, low_c, needed_kw)
    two, pump = layers.layered, heater.pump_kw > 0
    now_c, tap_c = watched_c(layers.now, pump), layers.now.upper_c
    ends_c, tap_ends_c = watched_c(layers.idle, pump), layers.idle.upper_c
    return _Seen(
        torch.where(two, now_c, s.temp_c),
        torch.where(two, now_c if short else torch.minimum(now_c, ends_c), low_c),
        torch.where(two, tap_c if short else torch.minimum(tap_c, tap_ends_c), low_c),
        torch.where(two, watched_within_kw(set_c, pump, layers), needed_kw),
    )


def by_message(
    wide: Edges,
    s: TankState,
    floor_c: Tensor,
    passing: Flow,
    heater: Heater,
    fleet: WaterHeaterFleet,
    dt_h: float,
    layers: LayersAhead | None = None,
) -> Edges:
    """Narrow edges to what messages can do, of the heaters that hear nothing else, (..., N).

    Args:
        wide: Edges of heaters that take any power, and what their own thermostats do.
        s: State of the tanks, (..., N).
        floor_c: Least from which the promise survives a large draw, (..., N). [C]
        passing: The step's flow.
        heater: What they can do now.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        layers: The step of tanks of two layers; none: there are none.
    """
    if fleet.messages_only is None:
        return wide
    agreed, only = fleet.agreement, fleet.messages_only > 0
    own, (low_kw, high_kw, alone_kw) = own_thermostat(agreed), wide
    deepest, fullest = critical_peak(own, floor_c), advanced_load_up(own, agreed.most_c)
    least_kw, _ = thermostat_kw(s, deepest, passing, heater, dt_h, layers)
    up_kw, _ = thermostat_kw(s, fullest, passing, heater, dt_h, layers)
    # To be left to its own thermostat is a message, too: End Shed.
    least_kw, up_kw = torch.minimum(least_kw, alone_kw), torch.maximum(up_kw, alone_kw)
    least_kw = torch.minimum(torch.maximum(least_kw, low_kw), high_kw)
    up_kw = torch.minimum(torch.maximum(up_kw, low_kw), high_kw)
    return Edges(torch.where(only, least_kw, low_kw), torch.where(only, up_kw, high_kw), alone_kw)


def most_stored_c(fleet: WaterHeaterFleet) -> Tensor:
    """The most that somebody else can make a tank hold, (N,). [C]"""
    agreed, only = fleet.agreement, fleet.messages_only
    if only is None:
        return agreed.most_c
    stored_c = advanced_load_up(own_thermostat(agreed), agreed.most_c).set_c
    return torch.where(only > 0, stored_c, agreed.most_c)


def relay(temp_c: Tensor, calls: Tensor, agreed: WaterHeaterAgreement) -> Tensor:
    """The thermostat's memory: it starts below its deadband and stops at its set-point, (..., N).

    Args:
        temp_c: Of the water at the end of the step, (..., N). [C]
        calls: Whether it called for heat in the step, bool.
        agreed: What was promised, (N,).
    """
    own = own_thermostat(agreed)
    goes_on = calls & (temp_c < own.set_c - 1e-3)
    return ((temp_c < own.start_c) | goes_on).to(temp_c.dtype)


def relay_by_message(
    temp_c: Tensor, calls: Tensor, ran: Tensor, left_alone: Tensor, agreed: WaterHeaterAgreement
) -> Tensor:
    """The same of a heater that hears messages: its one contact is closed if it ran, (..., N).

    Args:
        temp_c: Of the water at the end of the step, (..., N). [C]
        calls: Whether its own thermostat called for heat in the step, bool.
        ran: Whether it drew power, bool.
        left_alone: Whether it did what its own thermostat does, bool.
        agreed: What was promised, (N,).
    """
    goes_on = calls & (temp_c < agreed.set_c - 1e-3)
    return torch.where(left_alone, goes_on, ran).to(temp_c.dtype)
