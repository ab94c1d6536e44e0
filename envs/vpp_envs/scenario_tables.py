"""What a scenario knows by tick: prices, sun, load, stays, and what stored energy is worth."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.ev import weather_factor
from vpp_envs.dispatch.ev_value import NEED_POINTS, STAYS, ev_value
from vpp_envs.dispatch.water_value import water_value
from vpp_envs.fleet.cohorts import Cohort, EvCohort
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.sampling import (
    DRIVER_ARCHETYPES,
    LOAD_ARCHETYPES,
    SOLAR_ARCHETYPES,
)
from vpp_envs.forecast.protocol import LEAD_H, PriceForecast
from vpp_envs.markets.tariff import Tariff
from vpp_envs.markets.tariff_file import read_tariff, tariff_from
from vpp_envs.observation import Signals, compress, signal_features
from vpp_envs.signals.market import TICKS_PER_ISSUE, MarketSignals, MarketSpec
from vpp_envs.signals.randomised import Randomisation, with_copies
from vpp_envs.signals.recorded import recorded_signals
from vpp_envs.signals.retail import retail_signals, surplus_leads
from vpp_envs.signals.simulated import simulated_signals
from vpp_envs.signals.synthetic.driving import stay_table
from vpp_envs.signals.synthetic.duty import duty_table
from vpp_envs.signals.synthetic.household import load_table
from vpp_envs.signals.synthetic.weather import climate_of
from vpp_envs.signals.weather import Sky, outdoor_c, rooftop_pu
from vpp_envs.signals.weather_settings import WeatherSpec

# A time-of-use tariff with a payment for export, in the range of South Australian offers.
EXAMPLE_TARIFF: dict[str, Any] = {
    "name": "time of use with feed-in (example)",
    "currency": "AUD",
    "zone": "Australia/Adelaide",
    "daily_charge": 1.20,
    "import": {
        "periods": [
            {"name": "peak", "per_kwh": 0.55, "hours": ["06:00-10:00", "15:00-01:00"]},
            {"name": "off-peak", "per_kwh": 0.34, "hours": "01:00-06:00"},
            {"name": "solar sponge", "per_kwh": 0.26, "hours": "10:00-15:00"},
        ]
    },
    "export": {"per_kwh": 0.05},
}
_CHUNK = 512  # rows at once: what a core's own cache holds
_CAR_CHUNK = 64
_EVENING_LOAD = 1.4  # times a home's mean
_CURVE_POINTS = 17  # fills of a water value
_NOON_H = 12.0


@dataclass(frozen=True)
class Cars:
    """What a scenario with cars knows of them by tick."""

    cohorts: tuple[EvCohort, ...]
    # Columns of `stay_table` by archetype, km of duties as if in mild air, (T, 4, K) float32.
    stay: Tensor
    curve: Tensor  # value by class, stay and need at the end of each half hour, (I, C, L, S)
    # 1 from noon to midnight of the market's clock, (T, 1) float32; none: no driver waits.
    afternoon: Tensor | None = None


class Retailing(NamedTuple):
    """What the value of storage behind a tariff depends on."""

    tariff: str
    solar_kw: float  # mean rating of the homes with sun
    load_kw: float  # mean base load
    battery_kwh: float  # mean usable energy of the homes with a battery

    @property
    def discharge_h(self) -> float:
        """How long a full battery covers a home in the evening, when it draws most. [h]"""
        return max(self.battery_kwh / (_EVENING_LOAD * self.load_kw), 0.5)


def market_signals(spec: MarketSpec, split: str) -> MarketSignals:
    """Build the signals of one split: recorded where the market names a file, else simulated.

    Args:
        spec: Which market and which days.
        split: "train", "validation" or "test".
    """
    signals = simulated_signals if spec.prices is None else recorded_signals
    return signals(spec, split)


def climate_name(spec: MarketSpec) -> str:
    """Climate of a market: the one it names, else its region's.

    The years of ERCOT's price models share one, and so do its hubs and load zones.

    Raises:
        InputError: None is known; said before prices are read and forecast.
    """
    if spec.climate is not None:
        climate = spec.climate
    elif spec.region.startswith(("ERCOT", "HB_", "LZ_")):
        climate = "ERCOT"
    else:
        climate = spec.region
    climate_of(climate)
    return climate


def sky_of(spec: MarketSpec, market: MarketSignals, seed: int, weather: WeatherSpec) -> Sky:
    """Where sun and air of a market's days come from: a file, else the simulated climate.

    Args:
        spec: Of the market.
        market: Clock of the split.
        seed: Of simulated weather and of people.
        weather: Of the scenario.
    """
    climate = None if weather.file is not None else climate_name(spec)
    return Sky(weather, climate, seed, market.start_utc, market.clock_ticks)


@lru_cache(maxsize=6)
def tables_of(
    spec: MarketSpec,
    split: str,
    cohorts: tuple[Cohort, ...],
    weather_seed: int,
    retail: Retailing | None,
    randomisation: Randomisation,
    weather: WeatherSpec,
) -> dict[str, Any]:
    """What a scenario knows by tick, by field: fleets of the same cohorts share it."""
    if weather.file is None:
        climate_name(spec)
    market = with_copies(spec, market_signals(spec, split), randomisation, market_signals)
    ticks, times = market.clock_ticks, market.copies + 1
    solar_pu = rooftop_pu(sky_of(spec, market, weather_seed, weather), SOLAR_ARCHETYPES)
    load_pu = load_table(market.zone, market.start_utc, ticks, weather_seed, LOAD_ARCHETYPES)
    solar_pu, load_pu = solar_pu.repeat(times, 1), load_pu.repeat(times, 1)
    export_per_kwh, storing, discharge_h = None, None, None
    if retail is not None:
        tariff = scenario_tariff(retail.tariff)
        behind = retail_signals(market, tariff)
        market, export_per_kwh = behind.market, behind.export_per_kwh
    if retail is not None and not tariff.one_price:
        left_over = surplus_leads(solar_pu, load_pu, retail.solar_kw, retail.load_kw)
        # Where sun is expected to be left over, storing it costs what its export would earn.
        storing = torch.where(
            left_over.unsqueeze(-1),
            1000.0 * behind.export_leads_per_kwh.unsqueeze(-1),
            market.forecast.nodes_per_mwh,
        )
        discharge_h = retail.discharge_h
    curve = value_curves(market.forecast, cohorts, storing, discharge_h)
    return {
        "market": market,
        "forecast": market.forecast,
        "curve": curve,
        "features": _signal_table(market, curve, export_per_kwh),
        "solar_pu": solar_pu,
        "load_pu": load_pu,
        "export_per_kwh": export_per_kwh,
    }


@lru_cache(maxsize=6)
def cars_of(
    spec: MarketSpec,
    split: str,
    classes: tuple[EvCohort, ...],
    seed: int,
    tariff: str | None,
    randomisation: Randomisation,
    depots: WeatherSpec | None,
    habits: bool,
) -> Cars:
    """Stays and value curves of the cars: fleets of the same classes share them.

    Args:
        spec: Which market and which days.
        split: "train", "validation" or "test".
        classes: Of cars.
        seed: Of the stays.
        tariff: Before the market's prices; none: there is none.
        randomisation: Of the training days.
        depots: Weather of the vehicles on duty among them, whose stays come after the drivers';
            none: there are none.
        habits: Whether any driver waits for midnight or for the last moment.
    """
    market = with_copies(spec, market_signals(spec, split), randomisation, market_signals)
    if tariff is not None:
        market = retail_signals(market, scenario_tariff(tariff)).market
    stay = stay_table(market.zone, market.start_utc, market.clock_ticks, seed, DRIVER_ARCHETYPES)
    if depots is not None:
        duties = duty_table(market.zone, market.start_utc, market.clock_ticks, seed)
        # As if it had been mild and further, by the air in which they return.
        air_c = outdoor_c(sky_of(spec, market, seed, depots))
        duties[:, 3] *= weather_factor(air_c).unsqueeze(-1)
        stay = torch.cat([stay, duties], -1)
    stay = stay.repeat(market.copies + 1, 1, 1)
    afternoon = (market.hour >= _NOON_H).float().unsqueeze(-1) if habits else None
    return Cars(classes, stay, car_curves(market.forecast, classes), afternoon)


def scenario_tariff(tariff: str) -> Tariff:
    """Read the tariff that a scenario names: a file, or "example".

    Args:
        tariff: Path of a YAML file, or the word.

    Raises:
        InputError: The file is missing or holds no tariff.
    """
    return tariff_from(EXAMPLE_TARIFF) if tariff == "example" else read_tariff(tariff)


def retailing(tariff: str, fleet: Fleet) -> Retailing:
    """What the value of storage behind a tariff depends on: means over the homes that have any.

    Args:
        tariff: As `scenario_tariff` reads it.
        fleet: The homes.
    """

    def mean(values: Tensor) -> float:
        present = values[values > 0]
        return float(present.mean()) if len(present) else 0.0

    usable_kwh = fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh
    stored_kwh = usable_kwh * (fleet.battery.discharge_kw > 0)
    return Retailing(tariff, mean(fleet.solar_kw), mean(fleet.load_mean_kw), mean(stored_kwh))


def value_curves(
    forecast: PriceForecast,
    cohorts: tuple[Cohort, ...],
    storing_per_mwh: Tensor | None = None,
    discharge_h: float | None = None,
) -> Tensor:
    """Water value of each cohort for every issue, (I, C, F). [currency/kWh]

    Args:
        forecast: Of the price.
        cohorts: Classes of batteries.
        storing_per_mwh: What storing costs, by lead and bin, where that is another price,
            (I, H, Q). [currency/MWh]
        discharge_h: Usable energy over the power that earns the price, where that is less than
            the battery's. [h]
    """
    parts = []
    for start in range(0, len(forecast.nodes_per_mwh) if cohorts else 0, _CHUNK):
        nodes = forecast.nodes_per_mwh[start : start + _CHUNK] / 1000.0
        storing = None
        if storing_per_mwh is not None:
            storing = storing_per_mwh[start : start + _CHUNK] / 1000.0
        parts.append(
            torch.stack(
                [
                    water_value(
                        nodes,
                        forecast.weights,
                        c.duration_h,
                        c.one_way_eff,
                        c.wear_per_kwh,
                        LEAD_H,
                        storing,
                        discharge_h,
                    )
                    for c in cohorts
                ],
                dim=-2,
            )
        )
    if not cohorts:
        return torch.zeros(len(forecast.nodes_per_mwh), 0, _CURVE_POINTS)
    return torch.cat(parts)


def car_curves(forecast: PriceForecast, classes: tuple[EvCohort, ...]) -> Tensor:
    """Value of a stored kWh in each class of cars for every issue, (I, C, L, S). [currency/kWh]"""
    issues = len(forecast.nodes_per_mwh)
    curve = torch.zeros(issues, len(classes), len(STAYS), NEED_POINTS)
    for start in range(0, issues, _CAR_CHUNK):
        nodes = forecast.nodes_per_mwh[start : start + _CAR_CHUNK].float() / 1000.0
        for index, c in enumerate(classes):
            curve[start : start + _CAR_CHUNK, index] = ev_value(
                nodes, forecast.weights.float(), c.one_way_eff, c.wear_per_kwh, c.discharges
            )
    return curve


def signals_at(market: MarketSignals, ticks: Tensor) -> Signals:
    """Grid signals at some ticks, each with the latest forecast, (B,) float32."""
    return Signals(
        market.price_per_mwh[ticks].float(),
        market.price_per_mwh[market.tick_before(ticks)].float(),
        market.day_mean_per_mwh[ticks],
        market.day_std_per_mwh[ticks],
        market.forecast.nodes_per_mwh[ticks // TICKS_PER_ISSUE],
        market.hour[ticks],
        market.day_of_year[ticks],
        market.weekend[ticks],
    )


def _signal_table(market: MarketSignals, curve: Tensor, export_per_kwh: Tensor | None) -> Tensor:
    """Features of the signals at every tick, (T, F) float32."""
    parts = []
    for start in range(0, len(market.price_per_mwh), _CHUNK):
        ticks = torch.arange(start, min(start + _CHUNK, len(market.price_per_mwh)))
        parts.append(
            signal_features(
                signals_at(market, ticks), curve[ticks // TICKS_PER_ISSUE], market.price_scale
            )
        )
    table = torch.cat(parts)
    if export_per_kwh is None:
        return table
    export = compress(export_per_kwh.float() * 1000.0, market.price_scale)
    return torch.cat([table, export.unsqueeze(-1)], -1)
