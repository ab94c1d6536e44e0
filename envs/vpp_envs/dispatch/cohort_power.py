"""Cohort power: a target per cohort; fills draw level, and cars that can wait least go first."""

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import battery_envelope, neutral
from vpp_envs.dispatch.flexible import stacked_flexible_kw, summed_kw
from vpp_envs.dispatch.moment import (
    Moment,
    allowed_solar_kw,
    car_envelope,
    laxity_h,
    with_load,
)
from vpp_envs.dispatch.value_curve import usable_fill
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.simulator import SetPoints


def cohort_power(
    action: Tensor, moment: Moment, fleet: Fleet, dt_h: float, temperature: Tensor | None = None
) -> SetPoints:
    """Turn a power target for each cohort into set-points.

    Args:
        action: One target for each battery cohort, 0 = leave alone, -1 = all discharge,
            +1 = all charge, then the share of solar output that is curtailed (negative: none),
            then one target for each class of cars, -1 = as late and as little as the drivers'
            targets allow (or all discharge), +1 = all charge, then one target for each class of
            each kind of flexible device, 0 = leave alone, (..., C + 1 + V + K), each in [-1, 1].
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        temperature: Not used: the map is piecewise linear as it stands.
    """
    cohorts = moment.curve.shape[-2]
    solar_kw = kept_solar_kw(action[..., cohorts : cohorts + 1], moment, fleet, dt_h)
    cars = moment.ev
    of_flexible = cohorts + 1 + (0 if cars is None else cars.curve.shape[-3])
    flexible_kw = stacked_flexible_kw(action[..., of_flexible:], moment, solar_kw, fleet, dt_h)
    moment = with_load(moment, summed_kw(flexible_kw, solar_kw))
    site_kw = moment.load_kw - solar_kw
    ev_kw = least_laxity_kw(action[..., cohorts + 1 : of_flexible], moment, solar_kw, fleet, dt_h)
    if ev_kw is not None:
        site_kw = site_kw + ev_kw
    envelope = battery_envelope(moment.energy_kwh, site_kw, fleet.battery, fleet.agreement, dt_h)
    alone_kw = neutral(envelope.low_kw, envelope.high_kw)
    number = torch.arange(cohorts, device=fleet.cohort.device).unsqueeze(-1)
    member = fleet.cohort.unsqueeze(-2) == number
    low_kw = envelope.low_kw.unsqueeze(-2) * member
    rest_kw = alone_kw.unsqueeze(-2) * member
    high_kw = envelope.high_kw.unsqueeze(-2) * member
    share = action[..., :cohorts].unsqueeze(-1)
    target_kw = _sum(rest_kw)
    target_kw = target_kw + share.clamp(min=0.0) * _sum(high_kw - rest_kw)
    target_kw = target_kw - (-share).clamp(min=0.0) * _sum(rest_kw - low_kw)
    # All homes move to the same side: else full batteries would charge empty ones, and every
    # target, 0 included, would pay for losses and wear that nobody asked for.
    battery_kw = meet_level(
        target_kw,
        usable_fill(moment.energy_kwh, fleet).unsqueeze(-2),
        _filling_kw(fleet, dt_h).unsqueeze(-2),
        fleet.battery.one_way_eff.unsqueeze(-2),
        torch.where(share < 0, low_kw, rest_kw),
        torch.where(share < 0, rest_kw, high_kw),
    )
    battery_kw = torch.where(fleet.cohort < 0, alone_kw, battery_kw.sum(-2))
    return SetPoints(battery_kw, solar_kw, ev_kw, flexible_kw)


def least_laxity_kw(
    share: Tensor, moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float
) -> Tensor | None:
    """Share a target among each class of cars, those that can wait least first.

    Smoothed least laxity: ``p_i(L) = clip(P_i (L - l_i + dt) / dt, low_i, high_i)`` with the laxity
    l, the hours that a car could rest and still reach its target, and L such that the powers sum to
    the target (Chen et al. 2021, arXiv 2102.08610). It is `meet_level` with laxity for fill.

    Args:
        share: Where between the edges each class shall be, (..., V), each in [-1, 1].
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]

    Returns:
        AC power of the cars, charging positive, (..., N); none where no home has a car. [kW]
    """
    cars, ev = moment.ev, fleet.ev
    if cars is None or ev is None:
        return None
    envelope = car_envelope(cars, moment, solar_kw, fleet, dt_h)
    classes = cars.curve.shape[-3]
    if classes == 0:
        return envelope.alone_kw
    number = torch.arange(classes, device=ev.cohort.device).unsqueeze(-1)
    member = ev.cohort.unsqueeze(-2) == number
    low_kw, high_kw = (
        envelope.low_kw.unsqueeze(-2) * member,
        envelope.high_kw.unsqueeze(-2) * member,
    )
    low_sum_kw = _sum(low_kw)
    target_kw = low_sum_kw + 0.5 * (1.0 + share.unsqueeze(-1)) * (_sum(high_kw) - low_sum_kw)
    power_kw = meet_level(
        target_kw,
        (laxity_h(cars) - dt_h).unsqueeze(-2),
        (ev.params.charge_kw / dt_h).unsqueeze(-2),
        torch.ones_like(ev.params.charge_kw).unsqueeze(-2),
        low_kw,
        high_kw,
    )
    return torch.where(ev.cohort < 0, envelope.alone_kw, power_kw.sum(-2))


def level_fill(
    target_kw: Tensor,
    energy_kwh: Tensor,
    low_kw: Tensor,
    high_kw: Tensor,
    fleet: Fleet,
    dt_h: float,
) -> Tensor:
    """Share a target among batteries so that their fills meet at one water level.

    Args:
        target_kw: Sum asked of the homes, within the sums of the edges, (..., 1). [kW]
        energy_kwh: Stored energy, (..., N). [kWh]
        low_kw: Lower edges, 0 for homes that do not take part, (..., N). [kW]
        high_kw: Upper edges, 0 for homes that do not take part, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    fill, stored_kw = usable_fill(energy_kwh, fleet), _filling_kw(fleet, dt_h)
    return meet_level(target_kw, fill, stored_kw, fleet.battery.one_way_eff, low_kw, high_kw)


def _sum(power_kw: Tensor) -> Tensor:
    """Sum over the homes, (..., 1) float64: else one home's power would hang on their order."""
    return power_kw.sum(-1, keepdim=True, dtype=torch.float64)


def _filling_kw(fleet: Fleet, dt_h: float) -> Tensor:
    """Power that fills each battery from its reserve within a step, on the DC side. [kW]"""
    return (fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh) / dt_h


def meet_level(
    target_kw: Tensor,
    fill: Tensor,
    stored_kw: Tensor,
    eff: Tensor,
    low_kw: Tensor,
    high_kw: Tensor,
) -> Tensor:
    """Share a target so that all who may move meet at one level.

    Home i moves towards the level phi with ``clip(g((phi - f_i) U_i / dt), low, high)``, where
    g converts stored to AC power. phi is the exact root of the piecewise linear sum, without a
    gradient; one Newton step from there carries it (implicit function theorem). What
    rounding leaves is spread over the remaining headroom, so that the sum is the target and every
    home stays inside its envelope.

    Args:
        target_kw: Sum asked of the homes, within the sums of the edges, (..., 1). [kW]
        fill: Of each battery, (..., N).
        stored_kw: Power that fills it within the step, on the DC side, (..., N). [kW]
        eff: Square root of the round-trip efficiency, (..., N).
        low_kw: Lower edges, 0 for homes that do not take part, (..., N). [kW]
        high_kw: Upper edges, 0 for homes that do not take part, (..., N). [kW]

    Returns:
        Powers in the precision of the edges, met in float64, (..., N). [kW]
    """
    like = low_kw
    target_kw, fill, stored_kw = target_kw.double(), fill.double(), stored_kw.double()
    eff, low_kw, high_kw = eff.double(), low_kw.double(), high_kw.double()
    level = _water_level(
        target_kw.detach(), fill.detach(), stored_kw, eff, low_kw.detach(), high_kw.detach()
    )
    power_kw, slope_kw = _towards(level, fill, stored_kw, eff, low_kw, high_kw)
    missing_kw = target_kw - power_kw.sum(-1, keepdim=True)
    step = torch.where(slope_kw > 1e-6, missing_kw / slope_kw.clamp(min=1e-6), 0.0 * missing_kw)
    power_kw, _ = _towards(level + step, fill, stored_kw, eff, low_kw, high_kw)
    return spread(power_kw, target_kw, low_kw, high_kw).to(like.dtype)


def _water_level(
    target_kw: Tensor, fill: Tensor, stored_kw: Tensor, eff: Tensor, low_kw: Tensor, high_kw: Tensor
) -> Tensor:
    """Level at which the powers sum to the target, (..., 1).

    The sum is piecewise linear: its value at every breakpoint, in order, tells the piece that
    holds the target, and on a piece the level is a ratio. Beyond the sums of the edges it is the
    first or the last breakpoint.
    """
    level, bend_kw, start_kw = _breakpoints(fill, stored_kw, eff, low_kw, high_kw)
    level, order = torch.sort(level, dim=-1)
    slope_kw = bend_kw.gather(-1, order).cumsum(-1)
    # What rounding leaves of a slope of zero must not let the sum fall.
    rise_kw = slope_kw[..., :-1].clamp(min=0.0) * (level[..., 1:] - level[..., :-1])
    sum_kw = torch.cat([start_kw, rise_kw], -1).cumsum(-1)
    above = (sum_kw < target_kw).sum(-1, keepdim=True).clamp(1, level.shape[-1] - 1)
    below_kw, below = sum_kw.gather(-1, above - 1), level.gather(-1, above - 1)
    piece_kw, piece = sum_kw.gather(-1, above) - below_kw, level.gather(-1, above) - below
    share = (target_kw - below_kw) / piece_kw.clamp(min=1e-12)
    return below + share.clamp(0.0, 1.0) * piece


def _breakpoints(
    fill: Tensor, stored_kw: Tensor, eff: Tensor, low_kw: Tensor, high_kw: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Take the sum of the powers, as a function of the level, apart.

    The power of a home leaves its lower edge, bends where the level passes its fill, because
    charging and discharging lose on different sides, and reaches its upper edge.

    Returns:
        Levels at which the slope changes and by how much, (..., 3 N), and the sum before the
        first of them, (..., 1). [kW]
    """
    # A home of almost no size would move at levels of millions, if at all: it stays where it is.
    moves = (stored_kw > 1e-6) & (high_kw > low_kw)
    stored_kw = stored_kw.clamp(min=1e-6)
    first_kw = torch.where(low_kw < 0, stored_kw * eff, stored_kw / eff)
    last_kw = torch.where(high_kw < 0, stored_kw * eff, stored_kw / eff)
    leaves = fill + low_kw / first_kw
    reaches = fill + high_kw / last_kw
    bends = torch.minimum(torch.maximum(fill, leaves), reaches)
    level = torch.stack([leaves, bends, reaches], -2) * moves.unsqueeze(-2)
    bend_kw = torch.stack([first_kw, last_kw - first_kw, -last_kw], -2) * moves.unsqueeze(-2)
    start_kw = torch.where(moves, low_kw, neutral(low_kw, high_kw)).sum(-1, keepdim=True)
    return level.flatten(-2), bend_kw.flatten(-2), start_kw


def _towards(
    level: Tensor, fill: Tensor, stored_kw: Tensor, eff: Tensor, low_kw: Tensor, high_kw: Tensor
) -> tuple[Tensor, Tensor]:
    """Powers that move each home towards a level, and the slope of their sum, (..., 1)."""
    gap_kw = (level - fill) * stored_kw
    per_kw = torch.where(gap_kw > 0, 1.0 / eff, eff)
    free_kw = gap_kw * per_kw
    inside = ((free_kw > low_kw) & (free_kw < high_kw)).to(free_kw.dtype)
    slope_kw = (inside * per_kw * stored_kw).sum(-1, keepdim=True)
    return torch.minimum(torch.maximum(free_kw, low_kw), high_kw), slope_kw


def spread(power_kw: Tensor, target_kw: Tensor, low_kw: Tensor, high_kw: Tensor) -> Tensor:
    """Spread what is missing to the target over the headroom, in proportion, (..., N). [kW]"""
    missing_kw = target_kw - power_kw.sum(-1, keepdim=True)
    # At 0 the headroom upwards, so that a target that is met already still has a gradient.
    room_kw = torch.where(missing_kw >= 0, high_kw - power_kw, power_kw - low_kw)
    share = missing_kw / room_kw.sum(-1, keepdim=True).clamp(min=1e-9)
    return torch.minimum(
        torch.maximum(power_kw + share.clamp(-1.0, 1.0) * room_kw, low_kw), high_kw
    )


def kept_solar_kw(curtail: Tensor, moment: Moment, fleet: Fleet, dt_h: float) -> Tensor:
    """Solar output after a share of it, (..., 1), is curtailed, (..., N). [kW]"""
    return allowed_solar_kw(
        (1.0 - curtail.clamp(0.0, 1.0)) * moment.solar_available_kw, moment, fleet, dt_h
    )
