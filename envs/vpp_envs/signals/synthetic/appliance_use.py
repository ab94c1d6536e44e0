"""When people load their machines, and by when they want them done, by archetype.

At most one job a day: in the morning or in the evening, each around its hour on the clock on the
wall; an evening may end after midnight. Means, deviations and runs a day are those of wet
appliances in NREL's OCHRE. The day's job of a pool pump comes when its timer says, which its owner
set once, and is due at midnight.
"""

import math

import numpy as np
import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceType
from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.local_clock import local_clock
from vpp_envs.signals.synthetic.recursion import TICK_S, tick_of
from vpp_envs.signals.synthetic.strata import strata

_DAY_S = 86400
_LEAD = 36  # ticks before the first, in which the clocks may have been put back


def appliance_table(
    name: str, zone: str, start_utc: np.datetime64, ticks: int, seed: int, archetypes: int = 64
) -> Tensor:
    """Tabulate the jobs of one type of machine.

    Where clocks are put forward, a job of the missing hour comes right after it; where they are
    put back, one of the hour that comes twice comes in the first.

    Args:
        name: Of the type: one of `APPLIANCES`.
        zone: IANA zone of the market's clock.
        start_utc: Start of the first five-minute tick, UTC.
        ticks: Number of ticks T.
        seed: Names the draws.
        archetypes: Number of households K.

    Returns:
        Hours to the deadline of the job that comes at a tick, 0: none, (T, K) float32. [h]

    Raises:
        InputError: There is no such type, or the start is off the clock.
    """
    if name not in APPLIANCES:
        raise InputError(f"appliance '{name}' is none of {', '.join(APPLIANCES)}; write one.")
    kind = APPLIANCES[name]
    tick_of(start_utc)
    begin = start_utc - np.timedelta64(_LEAD * TICK_S, "s")
    clock = local_clock(zone, begin, TICK_S, _LEAD + ticks)
    wall_s = clock.day * _DAY_S + clock.second
    # What the clock shows for the first time in each tick.
    seen_s = np.maximum.accumulate(wall_s)[_LEAD - 1 : -1] + TICK_S
    from_s = torch.from_numpy(seen_s).unsqueeze(-1)
    until_s = torch.from_numpy(wall_s[_LEAD:] + TICK_S).unsqueeze(-1)
    today = torch.from_numpy(clock.day[_LEAD:]).unsqueeze(-1)
    first = int(today.min()) - 1
    days = torch.arange(first, int(today.max()) + 1).unsqueeze(-1)
    at_s, due_h = _days(kind, days, seed, archetypes)
    table = torch.zeros(ticks, archetypes)
    for row in ((today - first - 1).flatten(), (today - first).flatten()):
        now = (at_s[row] >= from_s) & (at_s[row] < until_s)
        table = torch.where(now, due_h[row].to(torch.float32), table)
    return table


def _days(kind: ApplianceType, days: Tensor, seed: int, archetypes: int) -> tuple[Tensor, Tensor]:
    """The job of each day: when it comes on the clock on the wall, and hours to its deadline.

    Args:
        kind: Of machine.
        days: Since 1970 by the local clock, (D, 1) int64.
        seed: Names the draws.
        archetypes: Number of households K.

    Returns:
        Seconds since 1970 by that clock, far in the past for no job, and hours, (D, K) float64.
    """
    column = torch.arange(archetypes) + 1_000_000 * kind.number
    if kind.due_h[1] <= 0:
        mean, spread = kind.morning_h
        set_h = mean + spread * torch.special.ndtri(strata(archetypes, math.sqrt(2.0) - 1.0))
        set_h = (set_h * 12.0).round() / 12.0  # timers are set by the five minutes
        hour = set_h.expand(len(days), archetypes)
        return days * _DAY_S + (hour * 3600.0).round(), 24.0 - hour
    words = seed, 0, column, days
    mornings = uniform(*words, Purpose.APPLIANCE_MORNING) < kind.morning_share
    score = normal(*words, Purpose.APPLIANCE_HOUR)
    hour = torch.where(
        mornings,
        kind.morning_h[0] + kind.morning_h[1] * score,
        kind.evening_h[0] + kind.evening_h[1] * score,
    )
    runs = uniform(*words, Purpose.APPLIANCE_RUNS) < kind.runs_per_day
    at_s = torch.where(runs, days * _DAY_S + hour * 3600.0, torch.full_like(hour, -1e12))
    least_h, most_h = kind.due_h
    return at_s, least_h + (most_h - least_h) * uniform(*words, Purpose.APPLIANCE_DUE)
