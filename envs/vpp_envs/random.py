"""Counter-based random numbers: a draw is a pure function of five words.

The words are (seed, episode, home, tick, purpose). No generator is kept, so row i of a
batch equals the single environment with that seed, a shard equals its part of the whole,
and a table for one week equals the same rows of a table for a year. The words are chained
through the finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom
number generators", OOPSLA) on int64 tensors; wrapping multiplication and masked shifts
give the same bits in eager, compiled and scripted torch and in plain Python integers.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

_BLOCK = 2**15  # draws


class Purpose:
    """What a draw is for: the fifth word. Numbers are never reused, only appended."""

    START_DAY = 1
    INITIAL_FILL = 2
    ACTION = 3
    INITIAL_CAR = 4
    INITIAL_FLEXIBLE = 5

    FLEET_PRODUCT = 100
    FLEET_UNITS = 101
    FLEET_CAPACITY = 102
    FLEET_HEALTH = 103
    FLEET_EFFICIENCY = 104
    FLEET_STANDING_LOSS = 105
    FLEET_RESERVE = 106
    FLEET_SOLAR_PRESENCE = 107
    FLEET_SOLAR_SIZE = 108
    FLEET_SOLAR_ARCHETYPE = 109
    FLEET_LOAD_MEAN = 110
    FLEET_LOAD_ARCHETYPE = 111
    FLEET_IMPORT_LIMIT = 112
    FLEET_EXPORT_LIMIT = 113
    FLEET_SHARE = 114
    FLEET_WEAR = 115
    FLEET_BATTERY_PRESENCE = 116
    FLEET_EV_PRESENCE = 117
    FLEET_EV_MODEL = 118
    FLEET_EV_V2G = 119
    FLEET_EV_MANAGED = 120
    FLEET_EV_CHARGER = 121
    FLEET_EV_TARGET = 122
    FLEET_EV_MINIMUM = 123
    FLEET_EV_ARCHETYPE = 124
    FLEET_SPLIT = 125
    FLEET_EV_HABIT = 126

    FLEET_WATER_PRESENCE = 130
    FLEET_WATER_SIZE = 131
    FLEET_WATER_UA = 132
    FLEET_WATER_SETTING = 133
    FLEET_WATER_PUMP = 134
    FLEET_WATER_MANAGED = 135
    FLEET_WATER_ARCHETYPE = 136
    FLEET_WATER_USE = 137
    FLEET_WATER_MIXING = 138
    FLEET_WATER_MESSAGES = 139

    FLEET_HVAC_PRESENCE = 140
    FLEET_HVAC_AREA = 141
    FLEET_HVAC_LEVEL = 142
    FLEET_HVAC_PUMP = 143
    FLEET_HVAC_COOL_SET = 144
    FLEET_HVAC_HEAT_SET = 145
    FLEET_HVAC_AWAY = 146
    FLEET_HVAC_MANAGED = 147
    FLEET_HVAC_ARCHETYPE = 148
    FLEET_HVAC_SIZE = 149

    FLEET_APPLIANCE_LENGTH = 160
    FLEET_APPLIANCE_ENERGY = 161
    FLEET_APPLIANCE_MANAGED = 162
    FLEET_APPLIANCE_ARCHETYPE = 163
    FLEET_APPLIANCE_PRESENCE = 164

    FLEET_GENERATOR_SIZE = 168
    FLEET_GENERATOR_DIESEL = 169
    FLEET_GENERATOR_PERMITTED = 170
    FLEET_GENERATOR_PRESENCE = 171

    MIX_HOME = 150
    MIX_BATTERY = 151
    MIX_SOLAR = 152
    MIX_EV = 153

    FLEET_PROGRAMME_QUIET = 190
    FLEET_TEMPER = 191
    FLEET_LINK = 192
    FLEET_FEEDER = 193
    FLEET_ENROLMENT = 194
    FLEET_DEPOT = 195
    FLEET_VEHICLE = 196
    FLEET_VEHICLE_V2G = 197
    FLEET_VEHICLE_DUTY = 198

    PRICE_SLOW = 200
    PRICE_FAST = 201
    PRICE_FIVE_MINUTE = 202
    PRICE_TAIL = 203
    PRICE_FORECAST = 204

    CLOUD = 300
    CLOUD_DAY = 301
    CLOUD_SCORE = 302
    CLOUD_RENEWAL = 303
    TEMPERATURE = 304

    LOAD = 400
    LOAD_SPIKE_START = 401
    LOAD_SPIKE_HEIGHT = 402
    LOAD_SPIKE_LENGTH = 403
    LOAD_DAY = 404

    DRIVE_DEPARTURE = 500
    DRIVE_ARRIVAL = 501
    DRIVE_DISTANCE = 502
    DRIVE_REST_DAY = 503
    DRIVE_PLUG_IN = 504
    DRIVE_EARLY = 505
    DRIVE_EARLY_BY = 506
    DRIVE_FREE_ARRIVAL = 507
    DRIVE_ERRAND = 508
    DRIVE_ERRAND_AFTER = 509
    DRIVE_ERRAND_LENGTH = 510
    DRIVE_ELSEWHERE = 511

    HOT_WATER_EVENT = 700
    HOT_WATER_VOLUME = 701

    APPLIANCE_RUNS = 740
    APPLIANCE_MORNING = 741
    APPLIANCE_HOUR = 742
    APPLIANCE_DUE = 743

    RANDOM_PRICE_LEVEL = 600
    RANDOM_SPIKES = 601
    RANDOM_FORECAST_SKILL = 602

    PEOPLE_OPT_OUT = 760
    PEOPLE_OVERRIDE = 761
    PEOPLE_LEAVE = 762
    PEOPLE_DEPARTURE = 763
    LINK_CHANGE = 770
    LINK_LATENCY = 771
    LINK_LOSS = 772
    CAPABILITY_OPT_OUT = 780
    CAPABILITY_LINK = 781
    CAPABILITY_LIMITED = 782
    OUTAGE_START = 790
    OUTAGE_LENGTH = 791
    DUTY_SERVICE = 800
    DUTY_DEPARTURE = 801
    DUTY_RETURN = 802
    DUTY_DISTANCE = 803


def draw_bits(
    seed: Tensor | int, episode: Tensor | int, home: Tensor | int, tick: Tensor | int, purpose: int
) -> Tensor:
    """Draw 64 random bits for each combination of the five words.

    Args:
        seed: Seed of the scenario, int64 tensor or int; tensors broadcast.
        episode: Number of the episode.
        home: Number of the home, or of whatever else is one of many.
        tick: Number of the interval.
        purpose: A constant of `Purpose`.

    Returns:
        Bits, int64 in the broadcast shape of the words.
    """
    bits = _absorb(torch.zeros((), dtype=torch.int64), seed)
    bits = _absorb(bits, episode)
    bits = _absorb(bits, home)
    bits = _absorb(bits, tick)
    return _absorb(bits, purpose)


def uniform(
    seed: Tensor | int, episode: Tensor | int, home: Tensor | int, tick: Tensor | int, purpose: int
) -> Tensor:
    """Draw uniform numbers in [0, 1), float64; arguments as in `draw_bits`."""
    return _blockwise(uniform_from_bits, (seed, episode, home, tick), purpose)


def normal(
    seed: Tensor | int, episode: Tensor | int, home: Tensor | int, tick: Tensor | int, purpose: int
) -> Tensor:
    """Draw standard normal numbers, float64; arguments as in `draw_bits`.

    Their quantiles come from a table of 65,536 entries, so none lies beyond 4.33.
    """

    def read(bits: Tensor) -> Tensor:
        return normal_from_bits(bits, normal_table(bits.device))

    return _blockwise(read, (seed, episode, home, tick), purpose)


def _blockwise(
    read: Callable[[Tensor], Tensor], words: tuple[Tensor | int, ...], purpose: int
) -> Tensor:
    """Draw bits and read them, in blocks of rows that a core's own cache holds.

    A draw passes over its numbers some forty times: for the millions of a year's table that is
    fifteen times slower in memory than in cache.
    """
    tensors = [torch.tensor(word) if isinstance(word, int) else word for word in words]
    shape = np.broadcast_shapes(*(tuple(word.shape) for word in tensors))
    count = math.prod(shape)

    def block(part: slice) -> Tensor:
        seed, episode, home, tick = (
            word[part] if word.ndim == len(shape) > 0 and len(word) > 1 else word
            for word in tensors
        )
        return read(draw_bits(seed, episode, home, tick, purpose))

    if count <= _BLOCK:
        return block(slice(None))
    rows = max(1, _BLOCK * shape[0] // count)
    return torch.cat([block(slice(at, at + rows)) for at in range(0, shape[0], rows)])


def uniform_from_bits(bits: Tensor) -> Tensor:
    """Map bits to [0, 1) by their top 53, float64."""
    return ((bits >> 11) & 0x1FFFFFFFFFFFFF).to(torch.float64) * (1.0 / 9007199254740992.0)


def normal_from_bits(bits: Tensor, table: Tensor) -> Tensor:
    """Map bits to standard normals by their top 16 and `normal_table`, float64."""
    return table[(bits >> 48) & 0xFFFF]


@cache
def normal_table(device: torch.device) -> Tensor:
    """Return the normal quantiles at the middle of 65,536 equal bins, (65536,) float64.

    A table, because Box-Muller differs in the last bit between compiled and eager torch.
    """
    middle = (torch.arange(65536, dtype=torch.float64) + 0.5) / 65536.0
    quantiles: Tensor = torch.special.ndtri(middle)
    return quantiles.to(device)


def _absorb(bits: Tensor, word: Tensor | int) -> Tensor:
    """Mix one word into the bits."""
    other = torch.tensor(word) if isinstance(word, int) else word
    # The odd increment of SplitMix64 (the golden ratio) keeps zero from being a fixed point.
    mixed = (bits ^ other) - 7046029254386353131
    # The masks turn torch's arithmetic shifts into logical ones.
    mixed = (mixed ^ ((mixed >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    mixed = (mixed ^ ((mixed >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return mixed ^ ((mixed >> 31) & 0x1FFFFFFFF)
