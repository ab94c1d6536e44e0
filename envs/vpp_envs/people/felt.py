"""What owners noticed of a step, read off what their devices did."""

import torch
from torch import Tensor

from vpp_envs.charging import EvOutcome
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.flexible.kinds import FlexibleMoment, FlexibleOutcome
from vpp_envs.people.step import Felt, nothing_felt


def felt_of(
    like: Tensor,
    devices: FlexibleMoment | None,
    flexible: FlexibleOutcome | None,
    cars: EvOutcome | None,
    fleet: Fleet,
) -> Felt:
    """Read discomfort, cold water and cars that left with too little off a step, (..., N).

    Args:
        like: Any power of the homes, (..., N).
        devices: State and signals of flexible devices; none: no home has one.
        flexible: What happened to flexible devices; none: no home has one.
        cars: What happened to cars; none: no home has one.
        fleet: Constants, (N,).
    """
    felt = nothing_felt(like)
    if devices is not None and flexible is not None:
        felt = felt._replace(discomfort_k=_from_set_points_k(like, devices, flexible, fleet))
    tanks = None if flexible is None else flexible.water_heater
    if tanks is not None:
        # 1.16194 Wh warm a litre by a kelvin.
        missing_k = tanks.cold_kwh / (1.16194e-3 * tanks.cold_l).clamp(min=1e-12)
        felt = felt._replace(outlet_c=40.6 - missing_k, shower_l=tanks.cold_l)
    if cars is not None and fleet.ev is not None:
        # Who leaves before the hour that was said has less, too, and does not like it.
        missing_kwh = cars.missed_kwh + cars.left_early_kwh
        capacity_kwh = torch.zeros_like(like) + fleet.ev.params.capacity_kwh
        felt = felt._replace(missing_kwh=missing_kwh, car_kwh=capacity_kwh)
    return felt


def _from_set_points_k(
    like: Tensor, devices: FlexibleMoment, flexible: FlexibleOutcome, fleet: Fleet
) -> Tensor:
    """How far the air ended from where people set it, 0 where no machine is, (..., N). [K]

    While nobody is at home the set-points lie apart.
    """
    now, then = devices.hvac, flexible.hvac
    houses = None if fleet.flexible is None else fleet.flexible.hvac
    if now is None or then is None or houses is None:
        return torch.zeros_like(like)
    agreed, air_c = houses.agreement, then.state.house.air_c
    away_k = agreed.away_k * now.away
    too_warm_k = (air_c - agreed.cool_set_c - away_k).clamp(min=0.0)
    too_cold_k = (agreed.heat_set_c - away_k - air_c).clamp(min=0.0)
    return (too_warm_k + too_cold_k) * (houses.rated_kw > 0)
