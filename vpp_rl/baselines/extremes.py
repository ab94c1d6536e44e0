"""How far flexible devices can go in a window: the paths of two extreme policies, kind by kind.

All kinds are monotone: whoever draws more now is never emptier later. So no policy leaves the
paths of the one that draws as little as it may and the one that draws as much, both at a
connection without limits; a programme between them forgets nothing that a policy could do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vpp_envs.fleet.pick import map_columns
from vpp_envs.flexible.kinds import MODULES
from vpp_envs.kernels import flexible_rows
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_envs.vector_env import FleetVectorEnv


class Extremes(NamedTuple):
    """A kind's window, (T, B, N) each: what two extreme policies met and left."""

    before: tuple[Any, Any]  # state at the start of intervals, of the emptiest and the fullest
    after: tuple[Any, Any]  # state at their ends
    moment: tuple[Any, Any]  # what was kept of the moments of both
    drawn_kw: tuple[Tensor, Tensor]
    alone_kw: Tensor  # of a device that nobody commands


def extremes_of(
    env: FleetVectorEnv, starts: Tensor, ticks: int, kind: str, keep: Callable[[Any], Any]
) -> Extremes:
    """Play a kind through windows as little and as much as it may.

    Args:
        env: At the start of the windows, a row each.
        starts: First tick of each, (B,) int64.
        ticks: Intervals T.
        kind: One of those present.
        keep: What to keep of a moment: a tree of (B, N).
    """
    paths = [_path(env, starts, ticks, kind, keep, fullest) for fullest in (False, True)]
    before, after, moment, drawn_kw, alone_kw = zip(*paths, strict=True)
    # Of the fullest path: the other one owes no weekly heat, nor do its twins.
    return Extremes(before, after, moment, drawn_kw, alone_kw[1])


def _path(
    env: FleetVectorEnv,
    starts: Tensor,
    ticks: int,
    kind: str,
    keep: Callable[[Any], Any],
    fullest: bool,
) -> tuple[Any, Any, Any, Tensor, Tensor]:
    """One extreme: states before and after, what was kept, and powers, (T, B, N) each."""
    module, dt_h = MODULES[kind], env.scenario.dt_h
    devices, state = getattr(env.fleet.flexible, kind), getattr(env.state.flexible, kind)
    if kind == "water_heater":
        # Who hears messages alone can do nothing that who takes any power could not, and its
        # contact, once closed, is not monotone.
        devices = devices._replace(messages_only=None)
    if kind == "water_heater" and not fullest:
        # Who was hot earlier in the week need not be hot when the laziest must.
        never = torch.full_like(devices.agreement.hot_c, -100.0)
        devices = devices._replace(agreement=devices.agreement._replace(hot_c=never))
    steps = []
    for tick in range(ticks):
        at = starts + tick
        issue = torch.div(at, TICKS_PER_ISSUE, rounding_mode="floor")
        rows = flexible_rows(env.tables.flexible, at, issue, torch.float64)
        moment = module.moment_of(state, getattr(rows, kind), devices, dt_h)
        around = module.flex(moment, devices, dt_h)
        # Warmer is fuller for a house, too: while it cools that is to draw as little as it may.
        draws = moment.ahead.course.cools[0] != fullest if kind == "hvac" else fullest
        asked_kw = torch.where(torch.as_tensor(draws), torch.full_like(around.low_kw, 1e3), -1e3)
        outcome = module.step(asked_kw, around, moment, devices, dt_h)
        served = outcome.served
        steps.append((state, outcome.state, keep(moment), served.power_kw, served.alone_kw))
        state = outcome.state
    columns: list[Any] = [
        map_columns(part[0], lambda *same: torch.stack(same), *part[1:])
        for part in zip(*steps, strict=True)
    ]
    before, after, kept, power_kw, alone_kw = columns
    return before, after, kept, power_kw, alone_kw
