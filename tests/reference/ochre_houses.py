"""Trajectories of houses by NREL's OCHRE, and two masses fitted to them.

Two masses are fitted to the first week of each trajectory at five minutes, to be judged on the
second: the house of the fleet, with its split of gains between air and mass. Given are the weather,
the sun through windows, the gains of people and appliances and the heat of air changes, so that the
ways out are those of windows, doors and walls alone; fitted are its five constants, a factor of
each gain, and how warm the mass is at the start.
"""

import functools
import json
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.devices.house import (
    HouseParams,
    Temperatures,
    after_step,
    equilibrium,
    transition,
)
from vpp_envs.flexible.hvac import PEOPLE_TO_AIR, SUN_TO_AIR

FREE, COOLED, HEATED = "envelope_freefloat_up00_summer", "ac_up00_summer", "ashp_up11_winter"
AIR_CHANGES = ("infiltration_gain_w", "natural_ventilation_gain_w", "forced_ventilation_gain_w")
MOISTURE = ("coil_inlet_wet_bulb_c", "cooling_shr")
# A weak pull to where a builder would begin, so that a week of sun does not fit noise.
PULL = 0.5


class Week(NamedTuple):
    """Half of a trajectory, (T, 1); temperatures are those at the start of each step."""

    air_c: Tensor
    outdoor_c: Tensor
    gains_kw: Tensor  # people and appliances; sun through windows, (T, 2)
    given_kw: Tensor  # heat of air changes
    machine_kw: Tensor  # heat of the machine
    power_kw: Tensor  # its electricity while it runs
    set_c: Tensor
    wet_bulb_c: Tensor  # at the cooling coil
    sensible: Tensor  # heat of cooling over all of its heat
    humidity: Tensor  # outdoors [kg/kg]
    dt_h: float


class Case(NamedTuple):
    """A trajectory in two halves, and the data sheet of its machine."""

    first: Week
    second: Week
    machine: dict
    cools: Tensor  # bool


class Fit(NamedTuple):
    """Houses, where their gains go, and how warm their masses are at the start, (N,)."""

    house: HouseParams
    to_air: Tensor  # of people and of sun, (N, 2)
    to_mass: Tensor  # (N, 2)
    mass_c: Tensor


@functools.cache
def case_of(shared_data, name, minutes):
    """A trajectory at one or at five minutes."""
    folder = shared_data / "ochre"
    facts = json.loads((folder / f"{name}.json").read_text())
    rows = pd.read_parquet(folder / f"{name}.parquet").astype(float)
    if name == COOLED:
        # Of an idle coil nothing is known.
        runs = rows["cooling_mode_code"] == 1
        for column in MOISTURE:
            rows[column] = rows[column].where(runs).interpolate(limit_direction="both")
    if minutes < facts["step_minutes"]:
        rows = rows.loc[rows.index.repeat(facts["step_minutes"] // minutes)]
    else:
        held = minutes // facts["step_minutes"]
        at_start = rows["indoor_temp_c"].to_numpy()[::held]
        rows = rows.groupby(np.arange(len(rows)) // held).mean().assign(indoor_temp_c=at_start)
    half = len(rows) // 2
    first, second = (week_of(part, minutes / 60.0) for part in (rows[:half], rows[half:]))
    machine = facts["heater" if name == HEATED else "cooler"]
    return Case(first, second, machine, torch.tensor(name != HEATED))


def week_of(rows, dt_h):
    """Rows as tensors; what a case does not have is no number."""

    def column(name, scale=1.0):
        numbers = rows[name] if name in rows else np.full(len(rows), np.nan)
        return torch.tensor(scale * np.asarray(numbers)).unsqueeze(-1)

    kind = "heating" if "heating_setpoint_c" in rows else "cooling"
    people = column("internal_sensible_gain_w", 1e-3)
    sun = column("window_transmitted_solar_w", 1e-3)
    machine_kw = column("hvac_sensible_gain_indoor_w", 1e-3)
    return Week(
        column("indoor_temp_c"),
        column("outdoor_temp_c"),
        torch.cat([people, sun], dim=-1),
        sum(column(name, 1e-3) for name in AIR_CHANGES),
        machine_kw,
        column(f"{kind}_electric_power_kw") * (machine_kw.abs() > 1e-3),
        column(f"{kind}_setpoint_c"),
        *(column(name) for name in MOISTURE),
        column("outdoor_humidity_ratio"),
        dt_h,
    )


def fit_of(numbers, walls):
    """Houses from rows of seven numbers and their mass, (N, 8).

    Args:
        numbers: Logarithms of the constants, factors of people and sun, mass. [C]
        walls: Whether they lead through the mass, as the fleet's do, or all ways out begin at the
            air and half of all gains ends there, as in GridLAB-D.
    """
    house = HouseParams(*numbers[:, :5].exp().unbind(-1))
    if not walls:
        house = house._replace(mass_ua_kw_per_k=torch.zeros_like(house.mass_ua_kw_per_k))
    shares = torch.tensor([PEOPLE_TO_AIR, SUN_TO_AIR if walls else 0.5])
    return Fit(house, shares * numbers[:, 5:7], (1.0 - shares) * numbers[:, 5:7], numbers[:, 7])


def heats(week, fit):
    """Heat into air and mass without the machine's, (T, N). [kW]"""
    return week.gains_kw @ fit.to_air.T + week.given_kw, week.gains_kw @ fit.to_mass.T


def play(week, fit, machine_kw):
    """Temperatures at the start of each step and after the last, with the machine's heat given."""
    over = transition(fit.house, week.dt_h)
    air_kw, mass_kw = heats(week, fit)
    rest = equilibrium(week.outdoor_c, air_kw + machine_kw, mass_kw, fit.house)
    now = Temperatures(week.air_c[0].expand_as(fit.mass_c), fit.mass_c)
    seen = []
    for air_c, mass_c in zip(*rest, strict=True):
        seen.append(now)
        now = after_step(now, Temperatures(air_c, mass_c), over)
    return Temperatures(*(torch.stack(part) for part in zip(*seen, strict=True))), now


@functools.cache
def fitted(shared_data, name, walls=True):
    """Two masses fitted to the first week at five minutes, by Levenberg and Marquardt.

    Every number that is nudged and every damping that is tried is a house of one fleet.
    """
    week = case_of(shared_data, name, 5).first
    constants = np.log([0.1, 1.5, 1.0, 4.0, 0.1])
    begin = torch.tensor([*constants, 1.0, 1.0, week.air_c[0].item()])
    size = len(begin)
    damping = 10.0 ** torch.arange(-6.0, 3.0, dtype=torch.float64)
    nudge = 1e-4 * torch.eye(size, dtype=torch.float64)
    pull = PULL**2 * torch.eye(size, dtype=torch.float64)
    found, lowest = begin, np.inf
    for _ in range(40):
        fleet = fit_of(torch.cat([found[None], found + nudge, found - nudge]), walls)
        air_c = play(week, fleet, week.machine_kw)[0].air_c
        slopes = (air_c[:, 1 : size + 1] - air_c[:, size + 1 :]) / 2e-4
        square = slopes.T @ slopes + pull
        down = slopes.T @ (air_c[:, 0] - week.air_c[:, 0]) + pull @ (found - begin)
        damped = square + damping[:, None, None] * torch.diag(square.diagonal())
        tried = found - torch.linalg.solve(damped, down.expand(len(damping), size))
        air_c = play(week, fit_of(tried, walls), week.machine_kw)[0].air_c
        cost = (air_c - week.air_c).square().sum(0) + ((tried - begin) @ pull**0.5).square().sum(-1)
        best = cost.nan_to_num(1e18).argmin()
        if cost[best] > lowest - 1e-6:
            break
        found, lowest = tried[best], cost[best].item()
    return fit_of(found[None], walls)


def second_week(shared_data, name, minutes, walls=True):
    """A case, and its fit with the mass where the first week leaves it."""
    case, fit = case_of(shared_data, name, minutes), fitted(shared_data, name, walls)
    return case, fit._replace(mass_c=play(case.first, fit, case.first.machine_kw)[1].mass_c)


def rmse_k(air_c, week):
    return (air_c - week.air_c).square().mean().sqrt().item()
