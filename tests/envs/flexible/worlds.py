"""Hostile little worlds for the flexible kinds: weather, draws and commands that try to hurt."""

import math

import torch

from vpp_envs.fleet.hvac_sampling import OCCUPANCY_ARCHETYPES, sample_hvac
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.water_heater_sampling import HOT_WATER_ARCHETYPES, sample_water_heaters
from vpp_envs.flexible import hvac, water_heater
from vpp_envs.flexible.hvac_parts import HVAC_COHORTS, HvacTables
from vpp_envs.flexible.water_heater_parts import WATER_HEATER_COHORTS, WaterHeaterTables

POLICIES = ("random", "bang-bang", "least", "most", "nan")


def commands(policy, like, generator):
    """What a policy asks of every device. [kW]"""
    luck = torch.rand(like.shape, generator=generator, dtype=torch.float64).to(like)
    return {
        "random": 14.0 * luck - 2.0,
        "bang-bang": torch.where(luck < 0.5, 99.0 + luck, -99.0 + luck),
        "least": 0.0 * luck - 99.0,
        "most": 0.0 * luck + 99.0,
        "nan": luck * torch.nan,
    }[policy]


class HvacWorld:
    """Days from frost to heat, with clouds, visitors and empty houses."""

    module, has = hvac, "hvac"

    def __init__(self, homes, dt_h, dtype=torch.float64, seed=0):
        self.dt_h, self.dtype, self.homes = dt_h, dtype, homes
        self.generator = torch.Generator().manual_seed(seed)
        some = torch.arange(homes) % 10 < 9
        fleet = sample_hvac(seed, torch.arange(homes), some, 0.5, 0.9)
        self.fleet, self.some = cast(fleet, dtype), some

    def rows(self, tick):
        """Weather and people at a tick."""
        hour = tick * self.dt_h
        day = math.sin(math.pi * (hour % 24 - 6) / 12)
        season = 14.0 * math.sin(2 * math.pi * hour / 400)
        luck = torch.rand(1, OCCUPANCY_ARCHETYPES, generator=self.generator)
        away = min(max(2 * (hour % 24 - 8), 0.0), max((17 - hour % 24) / 2, 0.0), 1.0)
        numbers = ([[17.0 + season + 7.0 * day]], [[max(day, 0.0) * float(luck[0, 0])]])
        air, sun = (torch.tensor(x, dtype=self.dtype) for x in numbers)
        away = torch.full((1, OCCUPANCY_ARCHETYPES), away, dtype=self.dtype)
        curve = torch.zeros(1, len(HVAC_COHORTS), 17, dtype=self.dtype)
        return HvacTables(air, sun, (0.2 + 1.6 * luck).to(self.dtype), away, curve)

    def stored_kwh(self, state):
        """Heat in house and air above 0 C. [kWh]"""
        house = self.fleet.house
        return house.air_kwh_per_k * state.house.air_c + house.mass_kwh_per_k * state.house.mass_c

    def came_kwh(self, outcome):
        """Heat that came in less what went out. [kWh]"""
        return outcome.heat_kwh + outcome.gained_kwh - outcome.lost_kwh


class WaterHeaterWorld:
    """Cold mains, frosty and hot garages, and now and then everybody takes a bath."""

    module, has = water_heater, "water_heater"

    def __init__(self, homes, dt_h, dtype=torch.float64, seed=0):
        self.dt_h, self.dtype, self.homes = dt_h, dtype, homes
        self.generator = torch.Generator().manual_seed(seed)
        some = torch.arange(homes) % 10 < 9
        fleet = sample_water_heaters(seed, torch.arange(homes), some, 0.5, 0.9)
        self.fleet, self.some = cast(fleet, dtype), some

    def rows(self, tick):
        """Draws at a tick."""
        luck = torch.rand(3, HOT_WATER_ARCHETYPES, generator=self.generator)
        litres = 30.0 * luck[1] * (luck[0] < 0.5 * self.dt_h)
        hour = tick * self.dt_h
        garage = 20.0 + 26.0 * math.sin(2 * math.pi * hour / 300)
        numbers = ([[8.0]], [[garage]], [[garage - 3.0]])
        mains, ambient, wet = (torch.tensor(x, dtype=self.dtype) for x in numbers)
        mixed, hot = litres * (luck[2] < 0.8), litres * (luck[2] >= 0.8)
        curve = torch.zeros(1, len(WATER_HEATER_COHORTS), 17, dtype=self.dtype)
        draws = (x.unsqueeze(0).to(self.dtype) for x in (mixed, hot))
        return WaterHeaterTables(*draws, mains, ambient, wet, curve)

    def stored_kwh(self, state):
        """Heat in the water above 0 C. [kWh]"""
        return water_heater.kwh_per_k(self.fleet.params) * state.tank.temp_c

    def came_kwh(self, outcome):
        """Heat that came in less what went out. [kWh]"""
        return outcome.heat_kwh - outcome.lost_kwh - outcome.delivered_kwh


WORLDS = {"hvac": HvacWorld, "water_heater": WaterHeaterWorld}


def cast(fleet, dtype):
    """A kind's fleet in a precision."""
    return map_columns(fleet, lambda c: c.to(dtype) if c.is_floating_point() else c)


def live(world, policy, steps, after=None):
    """Live through a world under a policy, and sum what went wrong.

    Args:
        world: One of `WORLDS`.
        policy: One of `POLICIES`.
        steps: How many.
        after: Called with the state before, the flex, the outcome and the moment of each step.

    Returns:
        Broken promises, and the last state.
    """
    share = torch.rand(1, world.homes, generator=world.generator, dtype=torch.float64)
    state = world.module.first_state(share.to(world.dtype), world.rows(0), world.fleet, world.dt_h)
    broken = 0
    for tick in range(steps):
        moment = world.module.moment_of(state, world.rows(tick), world.fleet, world.dt_h)
        flex = world.module.flex(moment, world.fleet, world.dt_h)
        asked = commands(policy, flex.low_kw, world.generator)
        outcome = world.module.step(asked, flex, moment, world.fleet, world.dt_h)
        if after is not None:
            after(state, flex, outcome, moment)
        broken += int(outcome.served.broken.sum())
        state = outcome.state
    return broken, state
