"""The simulated fleet in the form of the measured one: nobody commands it, it just lives.

Homes are sampled as `vpp train` samples them and stepped by the environment, in weeks side by side
that each begin at a local midnight with the thermostats at their set-points.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vpp_envs.dispatch.moment import Moment
from vpp_envs.fleet.hvac_sampling import OCCUPANCY_ARCHETYPES
from vpp_envs.fleet.sampling import sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible import hvac
from vpp_envs.flexible.hvac_parts import HVAC_COHORTS, HvacFleet, HvacTables
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.serving import drawn_kw
from vpp_envs.signals.market import TICKS_PER_DAY, MarketSpec
from vpp_envs.signals.synthetic.hot_water import hot_water_table
from vpp_envs.signals.synthetic.occupancy import occupancy_tables
from vpp_envs.simulator import Outcome, SetPoints, step_site
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.evaluation.load_shapes import coarser
from vpp_rl.evaluation.measured_shapes import CooledHouses, Homes, Sessions, Taps, Weather
from vpp_rl.evaluation.statistics import FloatArray

DT_H = 1.0 / 12.0
_BARE = FleetSpec(battery_share=0.0, solar_share=0.0, export_limit_kw=None)
# The suburb of configs/fleet/suburb.yaml without tanks, cars and engines.
_SUBURB = replace(
    _BARE,
    hvac_share=0.8,
    heat_pump_share=0.2,
    dishwasher_share=0.7,
    washer_share=0.8,
    dryer_share=0.6,
    pool_pump_share=0.2,
)
_CAR_DAYS = 15  # of a row of cars
_BEDROOM_USES = (46 / 69, 57 / 69, 1.0)  # of one, two and three bedrooms over that of three
_SUMMER_ZONE = "Etc/GMT+6"  # of Austin, without daylight saving, as its weather has it
_FULL_POINTS = 2  # of a value curve that nobody reads


def simulated_homes(
    region: str, zone: str, homes: int, weeks: int, slots: int, tanks: bool
) -> tuple[Homes, Homes]:
    """Base load of sampled homes, and all that they draw with cooling, heating and machines.

    Args:
        region: Of the weather.
        zone: Of the clock.
        homes: N.
        weeks: Spread evenly over half a year from January on, or over the year beyond 26.
        slots: Ticks of a day in the result, 24 or 48.
        tanks: Whether half of the homes heat water by electricity.
    """
    fleet = replace(_SUBURB, homes=homes, water_heater_share=0.5 if tanks else 0.0)
    base, devices = [], []
    with TemporaryDirectory() as folder:
        spec = ScenarioSpec(market=_flat_market(Path(folder), region, zone), fleet=fleet)
        days = build_scenario(spec, "train").market.day_starts.numpy()
        starts = _quiet_weeks(days, weeks, 182 if weeks <= 26 else 364)
        for moment, outcome in _unwatched(spec, starts, 7):
            assert outcome.flexible is not None
            base.append(moment.load_kw)
            devices.append(drawn_kw(outcome.flexible))
    base_kw, devices_kw = _joined(base), _joined(devices)
    ticks = TICKS_PER_DAY // slots
    return (
        Homes(f"simulated, base load, {region}", coarser(base_kw, ticks), slots),
        Homes(f"simulated, all loads, {region}", coarser(base_kw + devices_kw, ticks), slots),
    )


def _flat_market(folder: Path, region: str, zone: str) -> MarketSpec:
    """A market of one price: nobody trades here, and not every region has simulated prices.

    Args:
        folder: For its file, which must last until the scenario is built.
        region: Of the weather.
        zone: Of the clock.
    """
    path = folder / f"{region}.csv"
    hours = pd.date_range("2022-12-01", "2024-04-01", freq="h", inclusive="left")
    pd.DataFrame({"time": hours.strftime("%Y-%m-%d %H:%M:%S"), "price": 50.0}).to_csv(
        path, index=False
    )
    return MarketSpec(
        region=region,
        prices=str(path),
        prices_unit="per_mwh",
        prices_currency="USD",
        prices_column="price",
        prices_time_column="time",
        prices_zone="UTC",
        prices_stamp="start",
        zone=zone,
        train_dates="2023-01-01/2024-01-01",
        validation_dates="2024-02-01/2024-02-10",
        test_dates="2024-03-01/2024-03-10",
    )


def _unwatched(
    spec: ScenarioSpec, starts: np.ndarray, days: int
) -> Iterator[tuple[Moment, Outcome]]:
    """Each step of homes that nobody commands, a row for each start."""
    env = FleetVectorEnv(spec, len(starts), autoreset_mode="Disabled")
    env.reset(seed=0, options={"start_ticks": torch.from_numpy(starts), "episode_days": days})
    nothing = torch.zeros_like(env.energy_kwh)
    for _ in range(days * TICKS_PER_DAY):
        moment = env.moment
        asked = SetPoints(nothing, moment.solar_available_kw)
        yield moment, step_site(asked, moment, env.fleet, DT_H)
        env.step_set_points(asked)


def _quiet_weeks(day_starts: np.ndarray, weeks: int, span: int) -> np.ndarray:
    """First ticks of weeks in which no clock is changed, spread over the span, (W,)."""
    firsts = np.arange(0, span - 6, 7)
    quiet = [
        day_starts[first]
        for first in firsts
        if day_starts[first + 7] - day_starts[first] == 7 * TICKS_PER_DAY
    ]
    chosen = np.linspace(0, len(quiet) - 1, min(weeks, len(quiet))).round().astype(int)
    starts: np.ndarray = np.array(quiet, dtype=np.int64)[chosen]
    return starts


def _joined(rows: list[Tensor]) -> FloatArray:
    """Weeks one after the other, (W * T, N), of a list of (W, N)."""
    joined: FloatArray = torch.stack(rows, dim=1).flatten(0, 1).double().numpy()
    return joined


def simulated_sessions(homes: int, rows: int) -> Sessions:
    """Stays of the cars of sampled homes, each charging at once; what a row cuts off is left out.

    Args:
        homes: N, each with a car.
        rows: Spans of 15 days, at most 24.
    """
    fleet = replace(_BARE, homes=homes, ev_share=1.0)
    market = MarketSpec("NSW1", train_days=rows * _CAR_DAYS + 2)
    spec = ScenarioSpec(market=market, fleet=fleet)
    days = build_scenario(spec, "train").market.day_starts.numpy()
    starts = days[np.arange(rows) * _CAR_DAYS]
    there, ends, energy = [], [], []
    for moment, outcome in _unwatched(spec, starts, _CAR_DAYS):
        assert moment.ev is not None
        assert outcome.ev is not None
        there.append(moment.ev.session.hours_left > 0)
        ends.append(moment.ev.session.ends > 0)
        energy.append(outcome.ev.power_kw * DT_H)
    plugged, leaving, charged = (
        torch.stack(part).flatten(1).double().numpy() for part in (there, ends, energy)
    )
    begin, end, energy_kwh = sessions_of(plugged, leaving, charged)
    return Sessions(
        "simulated homes",
        begin % TICKS_PER_DAY * DT_H,
        end % TICKS_PER_DAY * DT_H,
        (end - begin) * DT_H,
        energy_kwh,
        float((plugged * leaving).sum()) / (rows * homes * _CAR_DAYS / 7.0),
    )


def sessions_of(
    there: FloatArray, ends: FloatArray, energy_kwh: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sessions that begin and end inside a record.

    Args:
        there: 1 while a car is plugged in, (T, N).
        ends: 1 in the last tick of a stay, (T, N).
        energy_kwh: Charged in each tick, (T, N). [kWh]

    Returns:
        First tick, tick after the last, and energy, (M,) each.
    """
    begins, ticks, energies = [], [], []
    for here, last, kwh in zip(there.T > 0, ends.T > 0, energy_kwh.T, strict=True):
        before = np.append(False, here[:-1] & ~last[:-1])
        first = np.flatnonzero(here & ~before)
        after = np.flatnonzero(here & last) + 1
        # The stay of the first tick began before, and its end closes no other.
        if len(first) and first[0] == 0:
            first, after = first[1:], after[1:]
        first = first[: len(after)]
        summed = np.append(0.0, np.cumsum(kwh))
        begins.append(first)
        ticks.append(after)
        energies.append(summed[after] - summed[first])
    begin, end, energy = (np.concatenate(part) for part in (begins, ticks, energies))
    return begin.astype(np.float64), end.astype(np.float64), energy


def simulated_taps(homes: int) -> Taps:
    """A year of draws of homes with one, two and three bedrooms, as many of each.

    Args:
        homes: Of each size.
    """
    start = np.datetime64("2023-01-01T00:00")
    parts = hot_water_table("UTC", start, 365 * TICKS_PER_DAY, 0, homes)
    hourly = (parts[0] + parts[1]).double().reshape(365, 24, 12, homes).sum(2)
    litres = torch.cat([use * hourly for use in _BEDROOM_USES], dim=-1)
    return Taps("simulated homes", litres.numpy())


def simulated_houses(
    weather: Weather, first_day: int, days: int, homes: int
) -> tuple[CooledHouses, FloatArray]:
    """Houses with their own thermostats in a measured summer.

    The weeks stand side by side, each after a day in which it settles.

    Args:
        weather: A year from January 2018 on.
        first_day: Of the year, from 0.
        days: Whole weeks.
        homes: N, each with a machine.

    Returns:
        Houses with the heat that is taken out of their air, and the electricity that it takes, by
        day, hour and home, (D, 24, N) [kW].
    """
    fleet = sample_fleet(replace(_BARE, homes=homes, hvac_share=1.0))
    assert fleet.flexible is not None
    assert fleet.flexible.hvac is not None
    tables = _summer_tables(weather, first_day - 1, days + 1)
    starts = torch.arange(days // 7) * 7 * TICKS_PER_DAY
    heat_kw, power_kw = _cooled(tables, starts, fleet.flexible.hvac)
    air_c = weather.air_c.reshape(-1, 24)[first_day : first_day + days]
    houses = CooledHouses("simulated houses, Austin 2018", air_c, heat_kw)
    return houses, power_kw


def _summer_tables(weather: Weather, first_day: int, days: int) -> HvacTables:
    """Tables of weather and people by tick of five minutes; nobody asks for values."""
    ticks = days * TICKS_PER_DAY
    hours = slice(24 * first_day, 24 * (first_day + days))
    air_c, sun = (torch.tensor(part[hours]).repeat_interleave(12).unsqueeze(-1) for part in weather)
    midnight = np.datetime64("2018-01-01T06:00") + np.timedelta64(first_day, "D")
    gain_pu, away = occupancy_tables(_SUMMER_ZONE, midnight, ticks, OCCUPANCY_ARCHETYPES)
    curve = torch.zeros(1, len(HVAC_COHORTS), _FULL_POINTS, dtype=torch.float64)
    return HvacTables(air_c, sun, gain_pu.double(), away.double(), curve)


def _cooled(tables: HvacTables, starts: Tensor, fleet: HvacFleet) -> tuple[FloatArray, FloatArray]:
    """Heat taken out and electricity by day, hour and home, without the first day of each row."""
    rows = _rows(tables, starts)
    homes = len(fleet.rated_kw)
    half = torch.full((len(starts), homes), 0.5, dtype=torch.float64)
    state = hvac.first_state(half, rows, fleet, DT_H)
    nobody = torch.full_like(half, torch.nan)
    heat, power = [], []
    for tick in range(8 * TICKS_PER_DAY):
        moment = hvac.moment_of(state, _rows(tables, starts + tick), fleet, DT_H)
        outcome = hvac.step(nobody, hvac.flex(moment, fleet, DT_H), moment, fleet, DT_H)
        state = outcome.state
        heat.append((-outcome.heat_kwh / DT_H).clamp(min=0.0))
        power.append(outcome.served.power_kw)
    heat_kw, power_kw = (
        coarser(_joined(part[TICKS_PER_DAY:]), 12).reshape(-1, 24, homes) for part in (heat, power)
    )
    return heat_kw, power_kw


def _rows(tables: HvacTables, tick: Tensor) -> HvacTables:
    """Rows of the tables, the curve one for all, (B, ...)."""
    return HvacTables(
        tables.air_c[tick],
        tables.sun_kw_per_m2[tick],
        tables.gain_pu[tick],
        tables.away[tick],
        tables.curve.expand(len(tick), -1, -1),
    )
