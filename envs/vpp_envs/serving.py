"""One step of all flexible devices of a home, one kind after the other at its connection."""

from functools import reduce
from typing import Any

import torch
from torch import Tensor

from vpp_envs.dispatch.moment import Moment, flexible_room_kw
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.flexible.flex import Flex, Served, within_room
from vpp_envs.flexible.generator import on_island
from vpp_envs.flexible.kinds import FlexibleOutcome, FlexibleState, present, step_kind
from vpp_envs.outage.dark import dark_flex


def serve_flexible(
    asked_kw: list[Tensor] | None, moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float
) -> FlexibleOutcome | None:
    """Advance the flexible devices by one step; none where no home has one.

    What all of them must draw is kept free; the rest of the connection goes to one kind after the
    other.

    Args:
        asked_kw: Power asked of each kind that is present, in order, NaN = nobody asks; none: they
            are all left alone, (..., N). [kW]
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    flexes, devices, of_homes = moment.flexes, moment.flexible, fleet.flexible
    if flexes is None or devices is None or of_homes is None:
        return None
    import_kw, export_kw = flexible_room_kw(moment, solar_kw, fleet, dt_h)
    outcomes: dict[str, Any] = {}
    nobody = torch.full_like(moment.load_kw, torch.nan)
    for index, kind in enumerate(present(of_homes)):
        around = within_room(flexes[index], import_kw, export_kw)
        asked = nobody if asked_kw is None else asked_kw[index]
        if moment.out is not None:
            around = dark_flex(around, moment.out)
            if kind == "generator":
                around, asked = _behind_switches(around, asked, moment, fleet, dt_h)
        outcome = step_kind(kind, asked, around, devices, of_homes, dt_h, moment.out)
        # What a device feeds in makes room, too, but a generator that stops would take it back.
        power_kw = outcome.served.power_kw
        import_kw = import_kw - (power_kw.clamp(min=0.0) - around.low_kw.clamp(min=0.0))
        export_kw = export_kw + power_kw - around.low_kw.clamp(min=0.0)
        outcomes[kind] = outcome
    return FlexibleOutcome(**outcomes)


def _behind_switches(
    around: Flex, asked_kw: Tensor, moment: Moment, fleet: Fleet, dt_h: float
) -> tuple[Flex, Tensor]:
    """Let engines of homes without the grid follow the load that the sun leaves.

    Up to their least load they run at it, and what nobody takes is wasted.

    Args:
        around: The engines at this moment, those of dark homes at rest.
        asked_kw: Power asked of them, (..., N). [kW]
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    devices, of_homes, out = moment.flexible, fleet.flexible, moment.out
    assert devices is not None
    assert of_homes is not None
    assert devices.generator is not None
    assert of_homes.generator is not None
    assert out is not None
    island, dark = on_island(devices.generator, of_homes.generator, dt_h), out > 0
    missing_kw = moment.load_kw - moment.solar_available_kw
    wanted_kw = torch.where(
        missing_kw > 0, torch.maximum(missing_kw, island.least_kw), torch.zeros_like(missing_kw)
    )
    return around._replace(
        cohort=torch.where(dark, island.cohort, around.cohort),
        low_kw=torch.where(dark, island.low_kw, around.low_kw),
        least_kw=torch.where(dark, island.least_kw, around.least_kw),
    ), torch.where(dark, -wanted_kw, asked_kw)


def flexible_state(outcome: FlexibleOutcome) -> FlexibleState:
    """State of all kinds at the end of a step."""
    kinds = outcome._asdict().items()
    return FlexibleState(**{kind: None if part is None else part.state for kind, part in kinds})


def served_of(outcome: FlexibleOutcome) -> list[Served]:
    """What the kinds that are present report, in order."""
    return [of_kind.served for of_kind in outcome if of_kind is not None]


def drawn_kw(outcome: FlexibleOutcome) -> Tensor:
    """Power of all flexible devices of each home, (..., N). [kW]"""
    return reduce(torch.add, [served.power_kw for served in served_of(outcome)])


def left_alone_kw(outcome: FlexibleOutcome) -> Tensor:
    """The same of their twins that nobody ever commands, (..., N). [kW]"""
    return reduce(torch.add, [served.alone_kw for served in served_of(outcome)])


def added_cost(outcome: FlexibleOutcome) -> Tensor:
    """What fuel and starts cost beyond those of the twins, (..., N) float64. [currency]"""
    added = (served.cost.double() - served.alone_cost.double() for served in served_of(outcome))
    return reduce(torch.add, added)


def promises_broken(outcome: FlexibleOutcome) -> Tensor:
    """Homes where a flexible device broke its promise, (..., N) bool."""
    return reduce(torch.bitwise_or, [served.broken for served in served_of(outcome)])
