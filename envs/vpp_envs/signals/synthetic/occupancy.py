"""When people are at home, and how warm they and their appliances make it, by archetype.

A third of the archetypes lets set-points move apart while nobody is at home on workdays, as a
share of homes with programmable thermostats does (an assumption). The table holds the ramp: two
hours before people come home the set-points move together again, so that the band of comfort
never closes faster than a machine can follow.
"""

import math

import numpy as np
import torch
from torch import Tensor

from vpp_envs.signals.local_clock import local_clock
from vpp_envs.signals.synthetic.household import daily_shape, load_archetypes
from vpp_envs.signals.synthetic.recursion import TICK_S, tick_of
from vpp_envs.signals.synthetic.strata import strata

AWAY_SHARE = 0.35  # of archetypes
RAMP_H = 2.0


def occupancy_tables(
    zone: str, start_utc: np.datetime64, ticks: int, archetypes: int = 32
) -> tuple[Tensor, Tensor]:
    """Tabulate heat gains and absence.

    Args:
        zone: IANA zone of the market's clock.
        start_utc: Start of the first five-minute tick, UTC.
        ticks: Number of ticks T.
        archetypes: Number of kinds of household K.

    Returns:
        Heat of people and appliances, per unit of its mean, and how far set-points have moved
        apart, 0 to 1, (T, K) float32 each.
    """
    tick_of(start_utc)  # refuses a start off the clock
    clock = local_clock(zone, start_utc, TICK_S, ticks)
    kinds = load_archetypes(archetypes)
    week = torch.cat([daily_shape(kinds, weekend=False), daily_shape(kinds, weekend=True)])
    row = torch.from_numpy(clock.weekend * len(week) // 2 + clock.second // TICK_S)
    # Half of the heat is there always: refrigerators, standby, sleepers.
    gain_pu = 0.5 + 0.5 * week[row]
    hour = torch.from_numpy(clock.second / 3600.0).unsqueeze(-1)
    workday = torch.from_numpy(~clock.weekend).unsqueeze(-1)
    leaves_h = 7.0 + 2.0 * strata(archetypes, math.sqrt(5.0) - 2.0)
    returns_h = 15.5 + 3.0 * strata(archetypes, math.sqrt(3.0) - 1.0)
    apart = ((hour - leaves_h) / 0.5).clamp(0.0, 1.0)
    together = ((returns_h - hour) / RAMP_H).clamp(0.0, 1.0)
    goes = strata(archetypes, math.sqrt(2.0) - 1.0) < AWAY_SHARE
    away = torch.minimum(apart, together) * workday * goes
    return gain_pu.to(torch.float32), away.to(torch.float32)
