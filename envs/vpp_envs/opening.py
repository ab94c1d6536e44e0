"""What an environment begins with: the tables of its scenario, and the homes of an episode."""

import torch
from torch import Tensor

from vpp_envs.charging import first_cars
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.pick import column_of_each, map_columns
from vpp_envs.fleet.state import FleetState
from vpp_envs.flexible.kinds import first_flexible
from vpp_envs.kernels import EvRows, Rows, flexible_rows
from vpp_envs.people.residents import Residents, first_residents
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
        None if s.cars is None else EvRows(s.cars.stay, rest_h, s.cars.curve, s.cars.afternoon),
        None if s.export_per_kwh is None else s.export_per_kwh.unsqueeze(-1),
        s.flexible,
        s.around.out,
        s.around.reached,
        s.around.people,
    )
    on_device: Rows = map_columns(tables, lambda table: table.to(device))
    return on_device


def first_state(
    seeds: Tensor, episodes: Tensor, tick: Tensor, scenario: Scenario, exact: Fleet, fleet: Fleet
) -> FleetState:
    """Batteries, cars, devices and owners at the start of episodes.

    Batteries are filled uniformly between reserve and top; cars above their floor, and enough where
    they are away.

    Args:
        seeds: Of the rows, (B,).
        episodes: Numbers of their episodes, (B,).
        tick: At which they start, (B,).
        scenario: With the stays of cars.
        exact: The homes in full precision, (N,) or (B, N).
        fleet: The same homes in the working precision, where they live.

    Returns:
        State, (B, N).
    """
    words = seeds.unsqueeze(-1), episodes.unsqueeze(-1), exact.home_id
    reserve_kwh = exact.agreement.reserve_kwh
    fill = uniform(*words, 0, Purpose.INITIAL_FILL)
    energy_kwh = reserve_kwh + fill * (exact.battery.capacity_kwh - reserve_kwh)
    energy_kwh = torch.maximum(energy_kwh.to(fleet.solar_kw), fleet.agreement.reserve_kwh).minimum(
        fleet.battery.capacity_kwh
    )
    cars, flexible = None, None
    if scenario.cars is not None and exact.ev is not None:
        stay_h = scenario.cars.stay[tick, 0].double() * scenario.dt_h
        left_h = column_of_each(stay_h, exact.ev.archetype)
        share = uniform(*words, 0, Purpose.INITIAL_CAR)
        where = energy_kwh.dtype, energy_kwh.device
        cars = first_cars(share, left_h, exact.ev, *where, exact.shared)
    if scenario.flexible is not None and exact.flexible is not None:
        share = uniform(*words, 0, Purpose.INITIAL_FLEXIBLE)
        issue = torch.div(tick, TICKS_PER_ISSUE, rounding_mode="floor")
        rows = flexible_rows(scenario.flexible, tick, issue, torch.float64)
        assert rows is not None
        began = first_flexible(share, rows, exact.flexible, scenario.dt_h)
        flexible = map_columns(began, lambda column: column.to(energy_kwh))
    residents = first_owners(seeds, episodes, tick, scenario, fleet, energy_kwh)
    return FleetState(energy_kwh, cars, flexible, residents)


def first_owners(
    seeds: Tensor, episodes: Tensor, tick: Tensor, scenario: Scenario, fleet: Fleet, like: Tensor
) -> Residents | None:
    """Owners at the start of episodes; none where nobody is asked.

    Args:
        seeds: Of the rows, (B,).
        episodes: Numbers of their episodes, (B,).
        tick: At which they start, (B,).
        scenario: With the calendar of the owners.
        fleet: The homes in the working precision, where they live.
        like: Any state of the homes, (B, N).
    """
    people = scenario.around.people
    if people is None or fleet.people is None:
        return None
    rows = map_columns(people, lambda column: column[tick].to(like))
    words = (word.unsqueeze(-1).to(like.device) for word in (seeds, episodes, tick))
    return first_residents(like, fleet.people, rows, fleet.home_id, *words)
