"""The power that a shared connection guarantees to a car for as long as it stays.

A promise needs a power that no neighbour can take away. Whoever is given a charger is guaranteed a
constant power until it leaves, and the sum of these never exceeds what the connection keeps free
for them; so whatever anyone asks, every promise can be kept at once. They are allotted to those who
wait by their departure, the earliest first: the mean power that the target needs, then up to an
equal share.
"""

import torch
from torch import Tensor

from vpp_envs.devices.ev import EvParams, at_power, charging_clock_h
from vpp_envs.dispatch.ev_envelope import rounding
from vpp_envs.fleet.connection import SharedConnection, at_start, of_group
from vpp_envs.fleet.fleet import EvFleet

WAITS_KW = -1.0  # stands for the guarantee of a car that waits for a charger


def guaranteed_kw(
    energy_kwh: Tensor, hours: Tensor, held_kw: Tensor, ev: EvFleet, shared: SharedConnection
) -> Tensor:
    """Allot what is free of each connection to the cars that wait for a charger there.

    Args:
        energy_kwh: Stored energy of the cars that wait, (..., N). [kWh]
        hours: To their declared departure, 0 = does not wait, (..., N). [h]
        held_kw: Guaranteed already to cars at a charger, NaN = at none, (..., N). [kW]
        ev: Constants, (N,).
        shared: Constants of the connections.

    Returns:
        Guarantee of those who get a charger now, `WAITS_KW` of those who go on waiting, 0 of the
        others, (..., N). [kW]
    """
    waits, at_charger = hours > 0, held_kw.isfinite()
    held_kw = torch.where(at_charger, held_kw, torch.zeros_like(held_kw))
    order = _by_departure(hours, shared)
    # At a charger, with a guarantee or without.
    free = (of_group(shared.chargers.expand(hours.shape), shared) + 1e-6).floor()
    free = free - of_group(at_charger.to(hours.dtype), shared)
    plugs = waits & (_before(waits.double(), order, shared) < free)
    # Rounding leaves a little of a limit unused.
    sure_kw = shared.sure_kw * (1.0 - 32.0 * rounding(hours))
    free_kw = of_group(sure_kw.expand(hours.shape), shared) - of_group(held_kw, shared)
    needed_kw = needed_power_kw(energy_kwh, hours, ev)
    first_kw = _in_order(torch.where(plugs, needed_kw, 0.0 * needed_kw), free_kw, order, shared)
    left_kw = free_kw - of_group(first_kw, shared)
    chargers = of_group(shared.chargers.expand(hours.shape), shared).clamp(min=1.0)
    equal_kw = of_group(sure_kw.expand(hours.shape), shared) / chargers
    equal_kw = torch.minimum(equal_kw.clamp(min=0.0).to(hours.dtype), ev.params.charge_kw)
    more_kw = torch.where(plugs, (equal_kw - first_kw).clamp(min=0.0), 0.0 * first_kw)
    got_kw = _in_order(more_kw, left_kw, order, shared)
    # An equal share to the bit, which is the charger's power where nothing is short.
    whole_kw = torch.where(plugs, torch.maximum(first_kw, equal_kw), first_kw)
    given_kw = torch.where(got_kw >= more_kw, whole_kw, first_kw + got_kw)
    # Less than the least current cannot be kept up.
    given_kw = torch.where(given_kw < ev.params.least_charge_kw, 0.0 * given_kw, given_kw)
    return torch.where(waits & ~plugs, torch.full_like(given_kw, WAITS_KW), given_kw)


def needed_power_kw(energy_kwh: Tensor, hours: Tensor, ev: EvFleet) -> Tensor:
    """Constant power of a charger that gets a car to its target just in time, (..., N). [kW]

    The time on the charging clock is in inverse proportion to the charger's power.

    Args:
        energy_kwh: Stored energy, (..., N). [kWh]
        hours: To the departure, 0 = none is needed, (..., N). [h]
        ev: Constants, (N,).
    """
    params: EvParams = ev.params
    one_kw = at_power(params, torch.ones_like(params.charge_kw))
    target_kwh = torch.maximum(ev.agreement.target_kwh, ev.agreement.minimum_kwh)
    hours_at_one_kw = charging_clock_h(target_kwh, one_kw) - charging_clock_h(energy_kwh, one_kw)
    power_kw = hours_at_one_kw.clamp(min=0.0) / hours.clamp(min=1e-9)
    power_kw = torch.minimum(torch.maximum(power_kw, params.least_charge_kw), params.charge_kw)
    return torch.where(hours > 0, power_kw, torch.zeros_like(power_kw))


def _by_departure(hours: Tensor, shared: SharedConnection) -> Tensor:
    """Places of the homes group by group, those who wait first and by their departure, int64."""
    by_hour = torch.where(hours > 0, hours, torch.inf).argsort(dim=-1, stable=True)
    group = shared.group.expand(hours.shape)
    return by_hour.gather(-1, group.gather(-1, by_hour).argsort(dim=-1, stable=True))


def _before(asked: Tensor, order: Tensor, shared: SharedConnection) -> Tensor:
    """Sum of what those ask who come first in a member's group, float64, (..., N)."""
    group = shared.group.expand(asked.shape).gather(-1, order)
    in_order = asked.double().gather(-1, order)
    before = in_order.cumsum(-1) - in_order
    return torch.empty_like(before).scatter(-1, order, before - at_start(before, group))


def _in_order(asked_kw: Tensor, free_kw: Tensor, order: Tensor, shared: SharedConnection) -> Tensor:
    """Give each what it asks as long as there is any left, (..., N). [kW]"""
    left_kw = (free_kw - _before(asked_kw, order, shared)).clamp(min=0.0)
    return torch.minimum(asked_kw.double(), left_kw).to(asked_kw.dtype)
