"""How each way of command sets flexible loads: by their value, by a target, or one by one.

Every kind comes as a `Flex`; the arithmetic here is the same for tanks, houses, appliances and
generators. Set-points are such that each device can serve them.
"""

import torch
from torch import Tensor

from vpp_envs.dispatch.moment import Moment, flexible_room_kw
from vpp_envs.dispatch.trade import traded_kw
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.pick import column_of_each
from vpp_envs.flexible.flex import Flex, into_flex, within_room


def flexes_around(moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float) -> list[Flex]:
    """The flexible devices beside their homes' load, sun and promises, kind by kind.

    Args:
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    around: list[Flex] = []
    flexes = moment.flexes
    if flexes is not None:
        import_kw, export_kw = flexible_room_kw(moment, solar_kw, fleet, dt_h)
        for flex in flexes:
            around.append(within_room(flex, import_kw, export_kw))  # noqa: PERF401 - scripted
    return around


def summed_kw(parts: list[Tensor] | None, like: Tensor) -> Tensor:
    """Sum of the kinds in each home, (..., N). [kW]"""
    total_kw = torch.zeros_like(like)
    if parts is not None:
        for part in parts:
            total_kw = total_kw + part
    return total_kw


def valued_flexible_kw(
    bend: Tensor,
    moment: Moment,
    solar_kw: Tensor,
    fleet: Fleet,
    dt_h: float,
    temperature: Tensor | None,
) -> list[Tensor]:
    """Power of all flexible devices by the bent values of their classes.

    Args:
        bend: Scale and shift of each class of each kind in order, (..., 2 C), each in [-1, 1].
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        temperature: None for the decision itself; a number for a smooth one for training.

    Returns:
        AC power of each kind, (..., N). [kW]
    """
    powers: list[Tensor] = []
    first, site_kw = 0, moment.load_kw - solar_kw
    for flex in flexes_around(moment, solar_kw, fleet, dt_h):
        size = 2 * flex.curve.shape[-2]
        of_kind = bend[..., first : first + size]
        power_kw = valued_kw(of_kind, flex, site_kw, moment, temperature)
        powers.append(power_kw)
        first, site_kw = first + size, site_kw + power_kw
    return powers


def stacked_flexible_kw(
    share: Tensor, moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float
) -> list[Tensor]:
    """Power of all flexible devices by a target for each class of each kind.

    Args:
        share: Of each class of each kind in order, (..., C), each in [-1, 1].
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]

    Returns:
        AC power of each kind, (..., N). [kW]
    """
    powers: list[Tensor] = []
    first = 0
    for flex in flexes_around(moment, solar_kw, fleet, dt_h):
        size = flex.curve.shape[-2]
        powers.append(stacked_kw(share[..., first : first + size], flex))
        first = first + size
    return powers


def each_flexible_kw(
    share: Tensor, moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float
) -> list[Tensor]:
    """Power of all flexible devices by a command for each.

    Args:
        share: Of each home, kind by kind, (..., K N), each in [-1, 1].
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]

    Returns:
        AC power of each kind, (..., N). [kW]
    """
    powers: list[Tensor] = []
    first, homes = 0, moment.load_kw.shape[-1]
    for flex in flexes_around(moment, solar_kw, fleet, dt_h):
        powers.append(each_kw(share[..., first : first + homes], flex))
        first = first + homes
    return powers


def valued_kw(
    bend: Tensor,
    flex: Flex,
    site_kw: Tensor,
    moment: Moment,
    temperature: Tensor | None,
) -> Tensor:
    """Power of each device by the bent value of its class: it draws what is worth its price.

    Args:
        bend: Scale and shift of each class of the kind, (..., 2 C), each in [-1, 1].
        flex: The devices at this moment.
        site_kw: What the home draws without the device, (..., N). [kW]
        moment: State and signals.
        temperature: None for the decision itself; a number for a smooth one for training.

    Returns:
        AC power, (..., N). [kW]
    """
    if bend.shape[-1] == 0:
        return flex.alone_kw
    bends = bend.unflatten(-1, [bend.shape[-1] // 2, 2])
    member = flex.cohort.clamp(min=0)
    value = flex.value_per_kwh * column_of_each(torch.exp(0.7 * bends[..., 0]), member)
    value = value + 0.1 * column_of_each(bends[..., 1], member)
    gain = value - moment.price_per_kwh
    power_kw = traded_kw(gain, -gain, flex.low_kw, flex.high_kw, site_kw, moment, temperature)
    if temperature is None:
        return into_flex(power_kw, flex)
    return torch.where(flex.cohort < 0, flex.alone_kw, power_kw)


def stacked_kw(share: Tensor, flex: Flex) -> Tensor:
    """Meet a target for each class of a kind by a priority stack.

    At 0 all are left alone. Above, those that are emptiest go to their upper edge first, until the
    class draws its share of what it could draw; below, those that are fullest go to their lower
    edge first. The last of them takes what is left, or, if it is on or off, the nearer of the two.

    Args:
        share: Of each class, (..., C), each in [-1, 1].
        flex: The devices at this moment.

    Returns:
        AC power, (..., N). [kW]
    """
    classes = share.shape[-1]
    if classes == 0:
        return flex.alone_kw
    number = torch.arange(classes, device=flex.cohort.device).unsqueeze(-1)
    member = (flex.cohort.unsqueeze(-2) == number).to(flex.alone_kw.dtype)
    share = share.unsqueeze(-1)
    up_kw = (flex.high_kw - flex.alone_kw).unsqueeze(-2) * member
    down_kw = (flex.alone_kw - flex.low_kw).unsqueeze(-2) * member
    room_kw = torch.where(share < 0, down_kw, up_kw)
    fill = flex.fill.unsqueeze(-2) + torch.zeros_like(room_kw)
    # The emptiest first upwards, the fullest first downwards; others have no room anyway.
    order = torch.sort(torch.where(share < 0, -fill, fill), dim=-1)[1]
    queued_kw = room_kw.gather(-1, order).double()
    ahead_kw = queued_kw.cumsum(-1) - queued_kw
    target_kw = share.abs().double() * queued_kw.sum(-1, keepdim=True)
    taken_kw = torch.minimum((target_kw - ahead_kw).clamp(min=0.0), queued_kw)
    moved_kw = torch.zeros_like(taken_kw).scatter(-1, order, taken_kw).to(room_kw.dtype)
    signed_kw = torch.where(share < 0, -moved_kw, moved_kw).sum(-2)
    return into_flex(flex.alone_kw + signed_kw, flex)


def each_kw(share: Tensor, flex: Flex) -> Tensor:
    """Map a command for each device into its envelope: 0 leaves it alone, the ends are the edges.

    Args:
        share: Of each home, (..., N), each in [-1, 1].
        flex: The devices at this moment.

    Returns:
        AC power, (..., N). [kW]
    """
    up_kw = share.clamp(min=0.0) * (flex.high_kw - flex.alone_kw)
    down_kw = (-share).clamp(min=0.0) * (flex.alone_kw - flex.low_kw)
    return into_flex(flex.alone_kw + up_kw - down_kw, flex)
