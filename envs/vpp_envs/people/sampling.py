"""Who the owners are: agreements and tempers of sampled homes.

A home's draws are keyed by its id, so that it is the same home in every fleet. All numbers are
assumptions unless a source is named.
"""

import torch
from torch import Tensor

from vpp_envs.people.hazard import Temper
from vpp_envs.people.programme import Programme
from vpp_envs.people.step import PeopleFleet
from vpp_envs.random import Purpose, normal, uniform

QUIET_SHARE = 0.5  # of homes that name quiet hours
IMPATIENCE_DEVIATION = 0.8  # of the logarithm


def sample_programme(
    seed: int,
    home: Tensor,
    opt_out: float = 0.02,
    dtype: torch.dtype = torch.float64,
    quiet_share: float = QUIET_SHARE,
) -> Programme:
    """Sample what owners agreed to.

    One call a day, three a week (a usual promise of rotation), sixty a season of at most three
    hours each (ConnectedSolutions: 30 to 60 summer events of at most 3 h), no notice, since devices
    answer by themselves. Half of the homes, unless another share is named, have quiet hours from
    between 21 and 23 h to between 6 and 8 h.

    Args:
        seed: Of the fleet.
        home: Ids of the homes, (N,) int64.
        opt_out: Probability of staying out of an event.
        dtype: Working precision.
        quiet_share: Of homes with quiet hours.
    """
    draw = uniform(seed, 0, home, 0, Purpose.FLEET_PROGRAMME_QUIET)
    quiet = draw < quiet_share
    later_h = torch.floor(draw / max(quiet_share, 1e-9) * 3.0)  # 0, 1 or 2 where there are any
    none = torch.zeros_like(draw)

    def all_homes(value: float) -> Tensor:
        return torch.full_like(draw, value).to(dtype)

    return Programme(
        events_a_day=all_homes(1.0),
        events_a_week=all_homes(3.0),
        events_a_season=all_homes(60.0),
        event_h=all_homes(3.0),
        quiet_from_h=torch.where(quiet, 21.0 + later_h, none).to(dtype),
        quiet_to_h=torch.where(quiet, 6.0 + later_h, none).to(dtype),
        notice_h=all_homes(0.0),
        opt_out=all_homes(opt_out),
        returns=all_homes(0.9),
    )


def sample_temper(seed: int, home: Tensor, dtype: torch.dtype = torch.float64) -> Temper:
    """Sample how owners take events; see `hazard` for what the numbers are worth.

    Args:
        seed: Of the fleet.
        home: Ids of the homes, (N,) int64.
        dtype: Working precision.
    """
    score = normal(seed, 0, home, 0, Purpose.FLEET_TEMPER)

    def all_homes(value: float) -> Tensor:
        return torch.full_like(score, value).to(dtype)

    return Temper(
        override_per_h=all_homes(60.0 * 2.5e-4),
        per_k=all_homes(1.1),
        tolerance_k=all_homes(0.8),
        per_event_h=all_homes(0.15),
        per_call=all_homes(0.10),
        per_log_pay=all_homes(0.2),
        impatience=torch.exp(IMPATIENCE_DEVIATION * score).to(dtype),
        leave_a_month=all_homes(0.02),
        angry_overrides=all_homes(3.0),
        angry_factor=all_homes(3.0),
        leave_if_short=all_homes(0.3),
    )


def sample_people(
    seed: int,
    home: Tensor,
    enrolled: Tensor,
    pay_per_event: float = 0.0,
    quiet_share: float = QUIET_SHARE,
    dtype: torch.dtype = torch.float64,
) -> PeopleFleet:
    """Sample the owners of homes.

    They leave the programme after 80 complaints (GMLC's device models: 80 to 150 service calls).

    Args:
        seed: Of the fleet.
        home: Ids of the homes, (N,) int64.
        enrolled: Homes that take part in the programme, (N,) bool.
        pay_per_event: What they expect for an event. [currency]
        quiet_share: Of homes with quiet hours.
        dtype: Working precision.
    """
    like = torch.zeros(len(home), dtype=dtype)
    return PeopleFleet(
        sample_programme(seed, home, dtype=dtype, quiet_share=quiet_share),
        sample_temper(seed, home, dtype),
        like + pay_per_event,
        like + 80.0,
        enrolled,
    )
