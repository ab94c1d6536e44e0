"""What any kind of flexible device tells dispatch, and what it answers after a step.

A tank, a house, a dishwasher and a generator differ in their physics and their promises. Dispatch
needs none of that: the powers from which every promise stays reachable, what the device does when
left alone, how full it is, and what a kWh drawn now is worth to its owner. One file a kind makes a
`Flex` of its state and turns power into an outcome; all ways of command treat kinds alike.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.fleet.pick import is_nan

# Below this step an on/off device is on or off for all of it, and lockouts are kept by timers;
# from it on a share of the step is served, and its cycling lies inside the step.
DUTY_CYCLE_FROM_H = 5.0 / 60.0


class Flex(NamedTuple):
    """One kind of device at one moment, one column per home, (..., N)."""

    cohort: Tensor  # class among those of its kind, -1: absent or not managed, int64
    rated_kw: Tensor  # size of the device, positive, (N,) [kW]
    low_kw: Tensor  # lower edge of the envelope [kW]
    high_kw: Tensor  # upper edge [kW]
    alone_kw: Tensor  # what it does now when nobody asks, within the edges [kW]
    least_kw: Tensor  # it runs at this magnitude or not at all; 0: at any power [kW]
    fill: Tensor  # 0: it must draw soon, 1: it can take no more [0 to 1]
    value_per_kwh: Tensor  # worth of an AC kWh drawn now instead of later [currency/kWh]
    curve: Tensor  # from which it was read, by class and fill, (..., C, F) [currency/kWh]


class Served(NamedTuple):
    """What every kind reports of one step, (..., N)."""

    power_kw: Tensor  # mean power served [kW]
    alone_kw: Tensor  # had nobody ever asked: what a twin that is left alone draws [kW]
    cost: Tensor  # to the owner beyond energy: fuel, starts [currency]
    alone_cost: Tensor  # the same of the twin [currency]
    broken: Tensor  # a promise was broken, bool: never true, and checked here all the same


class Edges(NamedTuple):
    """Powers of devices for one step: those of the homes, or theirs and their twins', (..., N)."""

    low_kw: Tensor  # from which every promise stays reachable, lower edge [kW]
    high_kw: Tensor  # upper edge [kW]
    alone_kw: Tensor  # when nobody asks, within the edges [kW]


def unless_out(power_kw: Tensor, out: Tensor | None) -> Tensor:
    """Power of devices that stand still while the grid is away, (..., N). [kW]

    Args:
        power_kw: With the grid, (..., N). [kW]
        out: 1 where the grid is away, (..., N); none: it never is.
    """
    if out is None:
        return power_kw
    return torch.where(out > 0, torch.zeros_like(power_kw), power_kw)


def with_thermostat(cohort: Tensor, low_kw: Tensor, high_kw: Tensor, alone_kw: Tensor) -> Edges:
    """Edges of devices whose own thermostat decides where nobody manages them.

    Args:
        cohort: Class, -1 where the thermostat alone decides, (..., N) int64.
        low_kw: Lower edge of where the promise stays reachable, (..., N). [kW]
        high_kw: Upper edge, (..., N). [kW]
        alone_kw: What the thermostat would do, (..., N). [kW]
    """
    alone_kw = torch.minimum(torch.maximum(alone_kw, low_kw), high_kw)
    managed = cohort >= 0
    return Edges(
        torch.where(managed, low_kw, alone_kw), torch.where(managed, high_kw, alone_kw), alone_kw
    )


def told_of_homes(
    cohort: Tensor, rated_kw: Tensor, edges: Edges, least_kw: Tensor, fill: Tensor, curve: Tensor
) -> Flex:
    """Tell dispatch of the homes' devices, the first of two that were foreseen together.

    Args:
        cohort: Class, -1 where nobody may command, (..., N) int64.
        rated_kw: Size, (N,). [kW]
        edges: Of the devices and their twins, (2, ..., N).
        least_kw: At which they run or not at all, (2, ..., N). [kW]
        fill: 0 where it must draw soon, 1 where it can take no more, (..., N).
        curve: Value of a kWh by class and fill, (..., C, F). [currency/kWh]
    """
    value = read_curve(curve, fill, cohort)
    low_kw, high_kw, alone_kw = edges.low_kw[0], edges.high_kw[0], edges.alone_kw[0]
    return Flex(cohort, rated_kw, low_kw, high_kw, alone_kw, least_kw[0], fill, value, curve)


def into_flex(asked_kw: Tensor, flex: Flex) -> Tensor:
    """Turn what was asked into what the device may serve, (..., N). [kW]

    No number (NaN) leaves the device alone, and so does everything if it is not managed. What
    falls between off and the least power goes to the nearer of the two that the envelope allows.

    Args:
        asked_kw: Power asked, load positive, (..., N). [kW]
        flex: The device at this moment.
    """
    silent = is_nan(asked_kw) | (flex.cohort < 0)
    power_kw = torch.where(silent, flex.alone_kw, asked_kw)
    power_kw = torch.minimum(torch.maximum(power_kw, flex.low_kw), flex.high_kw)
    small = power_kw.abs() < flex.least_kw
    runs = (power_kw.abs() * 2.0 >= flex.least_kw) | (flex.low_kw > 0) | (flex.high_kw < 0)
    # A device that generates runs below 0, one that draws above.
    side = torch.where(flex.low_kw < 0, -flex.least_kw, flex.least_kw)
    possible = (side >= flex.low_kw) & (side <= flex.high_kw)
    snapped_kw = torch.where(runs & possible, side, torch.zeros_like(side))
    return torch.where(small, snapped_kw, power_kw)


def within_room(flex: Flex, import_room_kw: Tensor, export_room_kw: Tensor) -> Flex:
    """Narrow an envelope by what is left of the home's connection.

    What a device must do it does, whatever the connection.

    Args:
        flex: The device at this moment.
        import_room_kw: Power that it may draw beyond the least that it must, (..., N). [kW]
        export_room_kw: Power that it may feed into the home, (..., N). [kW]
    """
    must_kw = torch.clamp(flex.low_kw, min=0.0)
    high_kw = torch.minimum(flex.high_kw, must_kw + import_room_kw.clamp(min=0.0))
    # A generator that may not stop yet feeds its least power in, whatever the room.
    feeds_kw = torch.minimum(-export_room_kw.clamp(min=0.0), flex.high_kw)
    low_kw = torch.where(flex.low_kw < 0, torch.maximum(flex.low_kw, feeds_kw), flex.low_kw)
    free = flex.high_kw >= 0
    # Without room for its least power a device that need not run stays off.
    none = torch.zeros_like(low_kw)
    high_kw = torch.where(free & (low_kw <= 0) & (high_kw < flex.least_kw), none, high_kw)
    low_kw = torch.where(free & (low_kw < 0) & (-low_kw < flex.least_kw), none, low_kw)
    high_kw = torch.maximum(high_kw, low_kw)
    alone_kw = torch.minimum(torch.maximum(flex.alone_kw, low_kw), high_kw)
    return Flex(
        flex.cohort,
        flex.rated_kw,
        low_kw,
        high_kw,
        alone_kw,
        flex.least_kw,
        flex.fill,
        flex.value_per_kwh,
        flex.curve,
    )


def read_curve(curve: Tensor, share: Tensor, cohort: Tensor) -> Tensor:
    """Read each home's class of a value curve at a share, linearly between its points.

    Args:
        curve: By class and point, (..., C, F).
        share: Where on the curve, (..., N). [0 to 1]
        cohort: Class of each home, -1 for none (it reads the first), (..., N) int64.

    Returns:
        (..., N).
    """
    points = curve.shape[-1]
    if curve.shape[-2] == 0:  # nobody may command one, and nobody reads it
        return torch.zeros_like(share)
    at = share * (points - 1)
    cell = at.floor().clamp(0.0, points - 2.0)
    index = cell.to(torch.int64)
    if curve.shape[-2] > 1:
        index = index + cohort.clamp(min=0) * points
    flat = curve.flatten(-2)
    left = torch.gather(flat, -1, index)
    right = torch.gather(flat, -1, index + 1)
    return left + (at - cell) * (right - left)
