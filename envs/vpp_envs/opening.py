"""What an environment begins with: the tables of its scenario, and the homes of an episode."""

import torch
from torch import Tensor

from vpp_envs.charging import first_cars
from vpp_envs.devices.ev import EvState
from vpp_envs.fleet.fleet import Fleet, map_columns
from vpp_envs.kernels import EvRows, Rows
from vpp_envs.random import Purpose, uniform
from vpp_envs.scenario import Scenario
from vpp_envs.signals.market import TICKS_PER_ISSUE


def tables_on(scenario: Scenario, device: torch.device) -> Rows:
    """Tables of a scenario as they are: a copy in the working precision may be gigabytes.

    Args:
        scenario: Built for a split.
        device: Where the homes live.
    """
    s = scenario
    half_hour = torch.arange(TICKS_PER_ISSUE).unsqueeze(-1)
    rest_h = (TICKS_PER_ISSUE - half_hour) * s.dt_h
    tables = Rows(
        (s.market.price_per_mwh / 1000.0).unsqueeze(-1),
        s.curve,
        s.features,
        s.load_pu,
        s.solar_pu,
        None if s.cars is None else EvRows(s.cars.stay, rest_h, s.cars.curve),
        None if s.export_per_kwh is None else s.export_per_kwh.unsqueeze(-1),
    )
    on_device: Rows = map_columns(tables, lambda table: table.to(device))
    return on_device


def first_energy_kwh(seeds: Tensor, episodes: Tensor, scenario: Scenario, fleet: Fleet) -> Tensor:
    """Stored energy at the start of episodes, uniform between reserve and top, (B, N). [kWh]

    Args:
        seeds: Of the rows, (B, 1).
        episodes: Numbers of their episodes, (B, 1).
        scenario: With the homes in full precision.
        fleet: The same homes in the working precision, where they live.
    """
    exact = scenario.fleet
    reserve_kwh = exact.agreement.reserve_kwh
    fill = uniform(seeds, episodes, exact.home_id, 0, Purpose.INITIAL_FILL)
    energy_kwh = reserve_kwh + fill * (exact.battery.capacity_kwh - reserve_kwh)
    return torch.maximum(energy_kwh.to(fleet.solar_kw), fleet.agreement.reserve_kwh).minimum(
        fleet.battery.capacity_kwh
    )


def first_ev(
    seeds: Tensor, episodes: Tensor, tick: Tensor, scenario: Scenario, fleet: Fleet
) -> EvState:
    """Cars at the start of episodes: above their floor, and full enough where they are away.

    Args:
        seeds: As in `first_energy_kwh`.
        episodes: Likewise.
        tick: At which the episodes start, (B,).
        scenario: With cars.
        fleet: As in `first_energy_kwh`.
    """
    cars, ev = scenario.cars, scenario.fleet.ev
    assert cars is not None
    assert ev is not None
    share = uniform(seeds, episodes, scenario.fleet.home_id, 0, Purpose.INITIAL_CAR)
    ticks_left = cars.stay[tick, 0].double().index_select(-1, ev.archetype)
    like = fleet.solar_kw
    return first_cars(share, ticks_left * scenario.dt_h, ev, like.dtype, like.device)
