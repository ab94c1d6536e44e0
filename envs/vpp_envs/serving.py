"""One step of all flexible devices of a home, one kind after the other at its connection."""

from typing import Any

import torch
from torch import Tensor

from vpp_envs.dispatch.moment import Moment, flexible_room_kw
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.flexible.flex import Served, within_room
from vpp_envs.flexible.kinds import FlexibleOutcome, FlexibleState, present, step_kind


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
        outcome = step_kind(kind, asked, around, devices, of_homes, dt_h)
        # What a device feeds in makes room, too, but a generator that stops would take it back.
        power_kw = outcome.served.power_kw
        import_kw = import_kw - (power_kw.clamp(min=0.0) - around.low_kw.clamp(min=0.0))
        export_kw = export_kw + power_kw - around.low_kw.clamp(min=0.0)
        outcomes[kind] = outcome
    return FlexibleOutcome(**outcomes)


def flexible_state(outcome: FlexibleOutcome) -> FlexibleState:
    """State of all kinds at the end of a step."""
    kinds = outcome._asdict().items()
    return FlexibleState(**{kind: None if part is None else part.state for kind, part in kinds})


def served_of(outcome: FlexibleOutcome) -> list[Served]:
    """What the kinds that are present report, in order."""
    return [of_kind.served for of_kind in outcome if of_kind is not None]


def drawn_kw(outcome: FlexibleOutcome) -> Tensor:
    """Power of all flexible devices of each home, (..., N). [kW]"""
    return torch.stack([served.power_kw for served in served_of(outcome)]).sum(0)


def left_alone_kw(outcome: FlexibleOutcome) -> Tensor:
    """The same of their twins that nobody ever commands, (..., N). [kW]"""
    return torch.stack([served.alone_kw for served in served_of(outcome)]).sum(0)


def added_cost(outcome: FlexibleOutcome) -> Tensor:
    """What fuel and starts cost beyond those of the twins, (..., N) float64. [currency]"""
    return torch.stack(
        [served.cost.double() - served.alone_cost.double() for served in served_of(outcome)]
    ).sum(0)


def promises_broken(outcome: FlexibleOutcome) -> Tensor:
    """Homes where a flexible device broke its promise, (..., N) bool."""
    return torch.stack([served.broken for served in served_of(outcome)]).any(0)
