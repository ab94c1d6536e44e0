"""One control interval of the plant: dispatch, physics, settlement, fleet sums.

The environment steps it, the analytic policy gradient differentiates it, and the compiled
kernel is it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.dispatch.moment import Moment
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.flexible.kinds import FlexibleOutcome
from vpp_envs.markets.energy import settle_energy
from vpp_envs.markets.ledger import Ledger
from vpp_envs.simulator import Outcome, SetPoints, step_site


class Totals(NamedTuple):
    """Fleet sums of one interval, (...) float64."""

    energy_market: Tensor  # market -> aggregator [currency]
    site_passthrough: Tensor  # aggregator -> homeowner, had nothing been dispatched [currency]
    gain_share: Tensor  # aggregator -> homeowner, share of what dispatch added [currency]
    wear: Tensor  # of the homeowners' batteries, not cash [currency]
    net_kwh: Tensor  # at the meters, import positive [kWh]
    battery_kwh: Tensor  # AC, charging positive [kWh]
    discharged_kwh: Tensor  # AC [kWh]
    solar_kwh: Tensor  # produced [kWh]
    curtailed_kwh: Tensor  # solar not produced [kWh]
    load_kwh: Tensor  # base load [kWh]
    repair_kwh: Tensor  # written back against rounding [kWh]
    below_reserve_kwh: Tensor  # missing to reserves raised above the store [kWh]
    site_excess_kwh: Tensor  # import beyond a limit, forced by the site's own load [kWh]
    broken: Tensor  # agreements broken
    ev_kwh: Tensor  # of the cars, AC, charging positive [kWh]
    ev_discharged_kwh: Tensor  # of the cars, AC [kWh]
    ev_driven_kwh: Tensor  # [kWh]
    ev_away_kwh: Tensor  # charged elsewhere [kWh]
    ev_infeasible_kwh: Tensor  # of targets, out of reach at plug-in [kWh]
    ev_infeasible: Tensor  # stays whose target was out of reach at plug-in
    ev_site_short_kwh: Tensor  # of targets, lost to the sites' own load [kWh]
    ev_left_early_kwh: Tensor  # missing to targets of cars that left before they had said [kWh]
    ev_missed_kwh: Tensor  # missing at declared departures, not excused: never above 0 [kWh]
    water_kwh: Tensor  # of water heaters, AC [kWh]
    water_delivered_kwh: Tensor  # with the hot water that was drawn [kWh]
    water_cold_kwh: Tensor  # missing at fixtures to 40.6 C [kWh]
    water_short_k_h: Tensor  # below promises with heaters at their limit [K h]
    water_beyond_k_h: Tensor  # below promises after draws larger than reckoned with [K h]
    hvac_kwh: Tensor  # of heating and cooling, AC [kWh]
    discomfort_k_h: Tensor  # beyond a kelvin from the set-points [K h]
    hvac_short_k_h: Tensor  # outside promised bands with machines at their limit [K h]
    appliance_kwh: Tensor  # of dishwashers, washers, dryers and pool pumps, AC [kWh]
    appliance_jobs: Tensor  # that came to these machines
    appliance_late_jobs: Tensor  # whose deadline passed undone: they came with too little time
    generator_kwh: Tensor  # fed in by back-up generators, AC [kWh]
    generator_co2_kg: Tensor  # of what they burnt [kg]
    called_homes: Tensor  # for which an event began
    opted_out: Tensor  # of these, whose owner stayed out
    overrode: Tensor  # whose owner left an event
    complained: Tensor  # of cold water
    left: Tensor  # whose owner left the programme
    offline_share: Tensor  # of homes that the interval's command did not reach [0 to 1]
    outage_h: Tensor  # of homes without the grid [h]
    backup_h: Tensor  # of these, by the share of the load that was served [h]
    unserved_kwh: Tensor  # of base load, without the grid [kWh]


def advance(
    set_points: SetPoints, moment: Moment, fleet: Fleet, dt_h: float
) -> tuple[Outcome, Ledger]:
    """Serve set-points for one interval and settle it, home by home.

    Args:
        set_points: What is asked of each home, (..., N).
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the interval. [h]
    """
    outcome = step_site(set_points, moment, fleet, dt_h)
    ledger = settle_energy(
        outcome,
        moment.load_kw,
        moment.solar_available_kw,
        moment.price_per_kwh * 1000.0,
        fleet,
        dt_h,
        None if moment.export_per_kwh is None else moment.export_per_kwh * 1000.0,
    )
    return outcome, ledger


def total(outcome: Outcome, ledger: Ledger, moment: Moment, dt_h: float) -> Totals:
    """Sum one interval over the homes, in float64.

    Args:
        outcome: What was served, (..., N).
        ledger: What was settled, (..., N).
        moment: State and signals at the start of the interval.
        dt_h: Length of the interval. [h]
    """
    repair_kwh = outcome.repair_kwh
    if outcome.ev is not None:
        repair_kwh = repair_kwh + outcome.ev.repair_kwh
    return Totals(
        ledger.energy_market.sum(-1),
        ledger.site_passthrough.sum(-1),
        ledger.gain_share.sum(-1),
        ledger.wear.sum(-1),
        outcome.net_kw.sum(-1, dtype=torch.float64) * dt_h,
        outcome.battery_kw.sum(-1, dtype=torch.float64) * dt_h,
        (-outcome.battery_kw).clamp(min=0.0).sum(-1, dtype=torch.float64) * dt_h,
        outcome.solar_output_kw.sum(-1, dtype=torch.float64) * dt_h,
        (moment.solar_available_kw - outcome.solar_output_kw).sum(-1, dtype=torch.float64) * dt_h,
        moment.load_kw.sum(-1, dtype=torch.float64) * dt_h,
        repair_kwh.sum(-1, dtype=torch.float64),
        outcome.below_reserve_kwh.sum(-1, dtype=torch.float64),
        outcome.site_excess_kw.sum(-1, dtype=torch.float64) * dt_h,
        outcome.broken.sum(-1, dtype=torch.float64),
        *_car_totals(outcome, dt_h),
        *_flexible_totals(outcome, dt_h),
        *_people_totals(outcome),
        *_grid_totals(outcome, moment, dt_h),
    )


def _car_totals(outcome: Outcome, dt_h: float) -> tuple[Tensor, ...]:
    """Sum what happened to the cars, in float64."""
    cars = outcome.ev
    if cars is None:
        return (torch.zeros_like(outcome.net_kw[..., 0], dtype=torch.float64),) * 9
    parts = (
        cars.power_kw * dt_h,
        (-cars.power_kw).clamp(min=0.0) * dt_h,
        cars.driven_kwh,
        cars.away_kwh,
        cars.infeasible_kwh,
        cars.infeasible_kwh > 0,
        cars.site_short_kwh,
        cars.left_early_kwh,
        cars.missed_kwh,
    )
    return tuple(part.sum(-1, dtype=torch.float64) for part in parts)


def _flexible_totals(outcome: Outcome, dt_h: float) -> tuple[Tensor, ...]:
    """Sum what happened to the flexible devices, in float64."""
    none = torch.zeros_like(outcome.net_kw)
    tanks = None if outcome.flexible is None else outcome.flexible.water_heater
    houses = None if outcome.flexible is None else outcome.flexible.hvac
    of_tanks, of_houses = (none,) * 5, (none,) * 3
    if tanks is not None:
        of_tanks = (
            tanks.served.power_kw * dt_h,
            tanks.delivered_kwh,
            tanks.cold_kwh,
            tanks.short_k_h,
            tanks.beyond_k_h,
        )
    if houses is not None:
        of_houses = (houses.served.power_kw * dt_h, houses.discomfort_k_h, houses.short_k_h)
    parts = (*of_tanks, *of_houses, *_machine_parts(outcome.flexible, none, dt_h))
    return tuple(part.sum(-1, dtype=torch.float64) for part in parts)


def _machine_parts(outcome: FlexibleOutcome | None, none: Tensor, dt_h: float) -> list[Tensor]:
    """What happened to machines with jobs and to engines, (..., N)."""
    drawn_kwh, jobs, late, made_kwh, co2_kg = (none,) * 5
    if outcome is None:
        return [drawn_kwh, jobs, late, made_kwh, co2_kg]
    for machine in (outcome.dishwasher, outcome.washer, outcome.dryer, outcome.pool_pump):
        if machine is not None:
            drawn_kwh = drawn_kwh + machine.served.power_kw * dt_h
            jobs, late = jobs + machine.came, late + machine.late
    if outcome.generator is not None:
        made_kwh, co2_kg = outcome.generator.output_kwh, outcome.generator.co2_kg
    return [drawn_kwh, jobs, late, made_kwh, co2_kg]


def _people_totals(outcome: Outcome) -> tuple[Tensor, ...]:
    """Sum what owners did, in float64."""
    if outcome.reaction is None:
        return (torch.zeros_like(outcome.net_kw[..., 0], dtype=torch.float64),) * 5
    return tuple(part.sum(-1, dtype=torch.float64) for part in outcome.reaction)


def _grid_totals(outcome: Outcome, moment: Moment, dt_h: float) -> tuple[Tensor, ...]:
    """What links and the grid did to the homes, in float64."""
    none = torch.zeros_like(outcome.net_kw[..., 0], dtype=torch.float64)
    offline = none
    if moment.reached is not None:
        offline = 1.0 - moment.reached.to(torch.float64).mean(-1)
    island, out = outcome.island, outcome.out
    if island is None or out is None:
        return (offline, none, none, none)
    parts = (torch.full_like(out, dt_h), island.backup_h, island.unserved_kwh)
    return (offline, *((part * out).sum(-1, dtype=torch.float64) for part in parts))
