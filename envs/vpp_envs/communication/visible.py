"""The fleet as the operator can command it now: without homes that are offline or left alone.

A device that cannot be commanded has no class, so that it is in no feature and no share of a
cohort's power; the physics go on with the fleet as it is.
"""

import torch
from torch import Tensor

from vpp_envs.communication.link import visible_cohort
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.flexible.flex import Flex


def commandable_fleet(fleet: Fleet, may: Tensor | None) -> Fleet:
    """The fleet as dispatch sees it: itself where all homes can always be commanded.

    Args:
        fleet: Constants, (N,) or (..., N).
        may: Homes that can be commanded in this step, (..., N) bool; none: all.
    """
    return fleet if may is None else visible_fleet(fleet, may)


def visible_fleet(fleet: Fleet, may: Tensor) -> Fleet:
    """Take batteries and cars that cannot be commanded out of their classes.

    Args:
        fleet: Constants, (N,) or (..., N).
        may: Homes that can be commanded in this step, (..., N) bool: reached, and not left alone
            (`people.programme.may_command`).
    """
    seen = may.to(fleet.solar_kw.dtype)
    ev = fleet.ev
    if ev is not None:
        ev = ev._replace(cohort=visible_cohort(ev.cohort, seen))
    return fleet._replace(cohort=visible_cohort(fleet.cohort, seen), ev=ev)


def visible_flexes(flexes: list[Flex], may: Tensor) -> list[Flex]:
    """Take flexible devices that cannot be commanded out of their classes.

    Args:
        flexes: What each kind tells dispatch, (..., N).
        may: Homes that can be commanded in this step, (..., N) bool.
    """
    seen = [visible_cohort(flex.cohort, may.to(flex.low_kw.dtype)) for flex in flexes]
    return [flex._replace(cohort=cohort) for flex, cohort in zip(flexes, seen, strict=True)]


def asked_of(asked_kw: Tensor, may: Tensor) -> Tensor:
    """What reaches a device: NaN, which leaves it alone, where it cannot be commanded. [kW]

    Args:
        asked_kw: Set-point, (..., N). [kW]
        may: Homes that can be commanded in this step, (..., N) bool.
    """
    return torch.where(may, asked_kw, torch.full_like(asked_kw, torch.nan))
