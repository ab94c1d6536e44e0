"""Draws of hot water by archetype, and the air that tanks meet.

Showers, sinks and baths take water that is mixed to 40.6 C, washers and dishwashers take it hot.
Litres a day and times of day are those of the Building America house simulation protocols for a
home of three bedrooms; volumes of single draws are chosen so that there are as many of them as in
those profiles (36 a day), and lognormal. A shower or bath runs for two ticks; who opens the tap of
a sink does so again in the next tick, because draws come in clusters. Beside NREL's profile of a
home with three bedrooms, over a year:

                                         here            NREL
    half hours with a draw               0.38            0.38
    hours with a draw                    0.57            0.56
    litres of a half hour with a draw    6, 41, 62, 108  6, 35, 62, 118  (50, 90, 95, 99 %)
    deviation of a day's litres          0.41            0.54            (over their mean)
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.random import Purpose, normal, uniform
from vpp_envs.signals.local_clock import local_clock
from vpp_envs.signals.synthetic.recursion import TICK_S, tick_of

_LITRES = 3.7854  # of a gallon


class DrawKind(NamedTuple):
    """One use of hot water in a home of three bedrooms."""

    name: str
    day_l: float  # drawn in a day [L]
    event_l: float  # drawn at once, mean [L]
    deviation: float  # of the logarithm of that
    ticks: int  # over which one is spread
    mixed: bool  # to 40.6 C; else as hot as it comes


DRAW_KINDS = (
    DrawKind("shower", 28.8 * _LITRES, 15.0 * _LITRES, 0.4, 2, True),
    DrawKind("sink", 24.4 * _LITRES, 1.6 * _LITRES, 0.9, 2, True),
    DrawKind("bath", 6.7 * _LITRES, 25.0 * _LITRES, 0.3, 2, True),
    DrawKind("washer", 4.3 * _LITRES, 7.0 * _LITRES, 0.3, 1, False),
    DrawKind("dishwasher", 4.4 * _LITRES, 1.5 * _LITRES, 0.2, 1, False),
)
# Share of a day's draws in each hour, from midnight. [%]
_HOURLY = (1.2, 0.7, 0.6, 0.6, 1.0, 2.9, 6.6, 8.2, 7.7, 6.4, 5.9, 4.8) + (
    *(4.1, 3.9, 3.4, 3.2, 4.1, 4.6, 6.3, 6.5, 5.8, 5.2, 3.6, 2.8),
)


def hot_water_table(
    zone: str, start_utc: np.datetime64, ticks: int, seed: int, archetypes: int = 64
) -> tuple[Tensor, Tensor]:
    """Tabulate what homes of three bedrooms draw.

    Args:
        zone: IANA zone of the market's clock.
        start_utc: Start of the first five-minute tick, UTC.
        ticks: Number of ticks T.
        seed: Names the draws.
        archetypes: Number of households K.

    Returns:
        Mixed and hot water, (T, K) float32 each. [L]
    """
    first = tick_of(start_utc)
    lead = max(kind.ticks for kind in DRAW_KINDS) - 1
    begin = start_utc - np.timedelta64(lead * TICK_S, "s")
    clock = local_clock(zone, begin, TICK_S, lead + ticks)
    hourly = torch.tensor(_HOURLY, dtype=torch.float64)
    # Per tick: twelve to the hour.
    share = (hourly / hourly.sum() / 12.0)[torch.from_numpy(clock.second // 3600)].unsqueeze(-1)
    tick = torch.arange(first - lead, first + ticks).unsqueeze(-1)
    column = torch.arange(archetypes)
    mixed = torch.zeros(ticks, archetypes, dtype=torch.float64)
    hot = torch.zeros_like(mixed)
    for number, kind in enumerate(DRAW_KINDS):
        words = seed, number, column, tick
        begins = uniform(*words, Purpose.HOT_WATER_EVENT) < share * (kind.day_l / kind.event_l)
        score = normal(*words, Purpose.HOT_WATER_VOLUME)
        spread = torch.exp(kind.deviation * score - kind.deviation**2 / 2.0)
        litres = begins * spread * (kind.event_l / kind.ticks)
        total = sum(litres[lead - k : lead - k + ticks] for k in range(kind.ticks))
        if kind.mixed:
            mixed = mixed + total
        else:
            hot = hot + total
    return mixed.to(torch.float32), hot.to(torch.float32)


def garage_c(air_c: Tensor) -> Tensor:
    """Air around tanks, of which most stand in garages: seven parts outdoors, three indoors. [C]"""
    return 0.7 * air_c + 0.3 * 21.0


def wet_bulb_c(air_c: Tensor, humidity_pct: float) -> Tensor:
    """Wet-bulb temperature at sea level. [C]

    R. Stull, "Wet-bulb temperature from relative humidity and air temperature", J. Appl. Meteor.
    Climatol. 50 (2011), equation 1; within 1 K from 5 % to 99 % and -20 to 50 C.

    Args:
        air_c: Dry bulb, (...). [C]
        humidity_pct: Relative humidity. [%]
    """
    rh = humidity_pct
    wet_c: Tensor = (
        air_c * math.atan(0.151977 * math.sqrt(rh + 8.313659))
        + torch.atan(air_c + rh)
        - math.atan(rh - 1.676331)
        + 0.00391838 * rh**1.5 * math.atan(0.023101 * rh)
        - 4.686035
    )
    return wet_c
