"""What the tests of the world share: small scenarios, cars with promises, a year of weather."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

from vpp_envs.devices.ev import EvParams
from vpp_envs.fleet.agreement import EvAgreement
from vpp_envs.fleet.fleet import HABITS, EvFleet, Fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import Cars, Scenario, ScenarioSpec, build_scenario
from vpp_envs.signals.market import MarketSpec
from vpp_envs.signals.sunlight import clear_sky_w_per_m2, sun_position
from vpp_envs.signals.synthetic.driving import Stays, tabulate
from vpp_envs.vector_env import FleetVectorEnv


@pytest.fixture(scope="session")
def small_spec() -> ScenarioSpec:
    """Eight mixed homes on four synthetic days a split."""
    return ScenarioSpec(
        market=MarketSpec(train_days=4, validation_days=4, test_days=4),
        fleet=FleetSpec(homes=8, seed=3, battery_share=0.8),
    )


@pytest.fixture(scope="session")
def car_spec(small_spec: ScenarioSpec) -> ScenarioSpec:
    """Eight homes, some with a battery and some with a car of either class."""
    fleet = replace(small_spec.fleet, seed=5, battery_share=0.6, ev_share=0.9, managed_share=0.8)
    return replace(small_spec, fleet=fleet)


@pytest.fixture(scope="session")
def suburb_spec(car_spec: ScenarioSpec) -> ScenarioSpec:
    """The same homes, most with a water heater, and with heating and cooling; jobs and engines."""
    more = {"water_heater_share": 0.8, "heat_pump_water_share": 0.5, "hvac_share": 0.8}
    more |= {"dishwasher_share": 0.7, "pool_pump_share": 0.6}
    more |= {"generator_share": 0.4, "generator_permit_share": 0.9}
    fleet = replace(car_spec.fleet, heat_pump_share=0.5, thermostat_share=0.9, **more)
    return replace(car_spec, fleet=fleet)


@pytest.fixture(scope="session")
def tariff_spec(car_spec: ScenarioSpec) -> ScenarioSpec:
    """The same homes, all with sun, behind the tariff of the example."""
    return replace(car_spec, fleet=replace(car_spec.fleet, solar_share=1.0), tariff="example")


@pytest.fixture(scope="session")
def car_home() -> Callable[..., EvFleet]:
    """One home with one car, float64: a function of what is special about it."""

    def build(
        capacity: float = 60.0,
        charge: float = 10.0,
        discharge: float = 0.0,
        least: float = 1.44,
        eff: float = 0.9,
        taper: float = 0.95,
        target: float = 51.0,
        minimum: float = 0.0,
        managed: float = 1.0,
        dtype: torch.dtype = torch.float64,
    ) -> EvFleet:
        def columns(*values: float) -> list[torch.Tensor]:
            return [torch.tensor([value], dtype=dtype) for value in values]

        zero = torch.zeros(1, dtype=torch.int64)
        return EvFleet(
            EvParams(*columns(capacity, charge, discharge, least, eff, eff, taper, 0.07, 0.2)),
            EvAgreement(*columns(target, minimum, managed)),
            zero,
            zero if managed else zero - 1,
        )

    return build


@pytest.fixture(scope="session")
def hostile_spec() -> ScenarioSpec:
    """Homes that `hostile_env` changes: half with a battery, four in five cars managed."""
    return ScenarioSpec(
        market=MarketSpec(train_days=10, validation_days=2, test_days=2),
        fleet=FleetSpec(homes=32, seed=5, battery_share=0.5, ev_share=1.0, managed_share=0.8),
        episode_days=9,
    )


def random_stays(rng: np.random.Generator, ticks: int) -> Stays:
    """Stays of one car: minutes to a day and a half, some back to back, some cut short."""
    arrival, declared, end, km = [], [], [], []
    tick = int(rng.integers(-100, 30))
    while tick < ticks:
        length = int(rng.choice([rng.integers(1, 6), rng.integers(6, 150), rng.integers(100, 450)]))
        early = rng.random() < 0.15
        stays = int(rng.integers(1, length + 1)) if early else length
        arrival.append(tick)
        declared.append(tick + length)
        end.append(tick + stays)
        km.append(float(np.exp(rng.normal(np.log(60.0), 0.9))))
        tick += stays + (0 if rng.random() < 0.2 else int(rng.integers(1, 70)))
    return Stays(np.array(arrival), np.array(declared), np.array(end), np.array(km))


def hostile_fleet(scenario: Scenario, rng: np.random.Generator) -> Fleet:
    """The homes of a scenario with a column of stays each, and little power to spare."""
    fleet, homes = scenario.fleet, len(scenario.fleet.home_id)

    def between(low: float, high: float) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, homes))

    ev = fleet.ev
    capacity, charge = between(15.0, 80.0), between(1.4, 3.7)
    gives = (ev.params.discharge_kw > 0).double()
    target = between(0.6, 0.97) * capacity
    params = ev.params._replace(
        capacity_kwh=capacity,
        charge_kw=charge,
        discharge_kw=gives * charge * between(0.5, 2.0),
        least_charge_kw=torch.full_like(charge, 1.44),
        charge_eff=between(0.8, 0.97),
        discharge_eff=between(0.8, 0.97),
        taper_fill=between(0.8, 0.98),
        drive_kwh_per_km=between(0.15, 0.3),
    )
    agreement = ev.agreement._replace(
        target_kwh=target, minimum_kwh=gives * between(0.1, 0.55) * capacity
    )
    cars = EvFleet(params, agreement, torch.arange(homes), ev.cohort)
    site = fleet.agreement._replace(import_limit_kw=between(2.0, 9.0))
    return fleet._replace(ev=cars, agreement=site, load_mean_kw=between(0.3, 1.5))


@pytest.fixture(scope="session")
def hostile_env(hostile_spec: ScenarioSpec) -> Callable[..., FleetVectorEnv]:
    """An environment of slow chargers, short stays, long trips and weak connections."""

    def build(
        rows: int,
        spec: ScenarioSpec = hostile_spec,
        seed: int = 0,
        habits: bool = False,
        **arguments: object,
    ) -> FleetVectorEnv:
        rng = np.random.default_rng(seed)
        scenario = build_scenario(spec, "train")
        assert scenario.cars is not None
        ticks = len(scenario.features)
        stays = [random_stays(rng, ticks) for _ in scenario.fleet.home_id]
        cars = Cars(scenario.cars.cohorts, tabulate(stays, ticks), scenario.cars.curve)
        fleet = hostile_fleet(scenario, rng)
        if habits:
            habit = torch.from_numpy(rng.integers(0, len(HABITS), len(stays)))
            fleet = fleet._replace(ev=fleet.ev._replace(habit=habit))
            cars = replace(cars, afternoon=(scenario.market.hour >= 12).float().unsqueeze(-1))
        hostile = replace(scenario, fleet=fleet, cars=cars)
        with mock.patch("vpp_envs.vector_env.build_scenario", return_value=hostile):
            return FleetVectorEnv(spec, rows, autoreset_mode="Disabled", **arguments)

    return build


def _weather_year(
    year: int = 2023, latitude: float = -34.93, longitude: float = 138.6, offset_h: float = 9.5
) -> pd.DataFrame:
    """A year of hours under three quarters of a clear sky, by their starts on standard time."""
    start = pd.date_range(f"{year}-01-01", f"{year}-12-31 23:00", freq="h")
    middle = start.to_numpy().repeat(12) + np.tile(
        np.arange(12) * np.timedelta64(300, "s") + np.timedelta64(150, "s"), len(start)
    )
    utc = pd.DatetimeIndex(middle) - pd.Timedelta(hours=offset_h)
    day_of_year = torch.tensor(utc.day_of_year.to_numpy(), dtype=torch.float64)
    hour_utc = torch.tensor(((utc - utc.normalize()).total_seconds() / 3600.0).to_numpy())
    up = sun_position(day_of_year, hour_utc, latitude, longitude).up
    clear = clear_sky_w_per_m2(up)
    of_hour = clear.reshape(-1, 12).mean(-1).numpy()
    beam = (clear / up.clamp(min=0.02)).reshape(-1, 12).mean(-1).numpy()
    warm = np.cos(2 * np.pi * (start.day_of_year - 20) / 365) + np.cos(
        2 * np.pi * (start.hour - 15) / 24
    )
    frame = pd.DataFrame({"start": start, "ghi": 0.75 * of_hour, "dni": 0.5 * beam})
    frame["dhi"] = 0.25 * of_hour
    frame["air"] = 17.0 + 6.0 * warm.to_numpy()
    frame.attrs = {"latitude": latitude, "longitude": longitude, "offset_h": offset_h}
    return frame.round({"ghi": 1, "dni": 1, "dhi": 1, "air": 1})


def _write_epw(path: Path, year: pd.DataFrame) -> Path:
    """Write hours as EnergyPlus lays them out: eight lines of header, 35 columns, hours 1 to 24."""
    place = year.attrs
    head = [
        f"LOCATION,Somewhere,-,AUS,made by a test,999999,{place['latitude']:.2f},"
        f"{place['longitude']:.2f},{place['offset_h']},50.0",
        "DESIGN CONDITIONS,0",
        "TYPICAL/EXTREME PERIODS,0",
        "GROUND TEMPERATURES,0",
        "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
        "COMMENTS 1,",
        "COMMENTS 2,",
        "DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31",
    ]
    rows = [
        f"{row.start.year},{row.start.month},{row.start.day},{row.start.hour + 1},60,?9?9?9?9,"
        f"{row.air},5.0,60,101000,0,0,300,{row.ghi},{row.dni},{row.dhi},0,0,0,0,180,2.0,5,5,20.0,"
        "77777,9,999999999,110,0.1,0,88,0.2,999.0,99.0"
        for row in year.itertuples()
    ]
    path.write_text("\n".join(head + rows) + "\n")
    return path


@pytest.fixture(scope="session")
def weather_year() -> Callable[..., pd.DataFrame]:
    """Sun and air of a year, hour by hour: a function of year and place."""
    return _weather_year


@pytest.fixture(scope="session")
def write_epw() -> Callable[[Path, pd.DataFrame], Path]:
    """Write such a year as an EPW file."""
    return _write_epw
