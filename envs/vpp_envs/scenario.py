"""One task: a fleet, its grid signals, a market, a clock, and which days it may see."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vpp_envs.dispatch.ev_value import NEED_POINTS, STAYS, ev_value
from vpp_envs.dispatch.water_value import water_value
from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS, Cohort, EvCohort, cohort_names
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.sampling import (
    DRIVER_ARCHETYPES,
    LOAD_ARCHETYPES,
    SOLAR_ARCHETYPES,
    FleetSpec,
    sample_fleet,
)
from vpp_envs.fleet.split import table_homes, table_lines, table_stamp
from vpp_envs.forecast.protocol import LEAD_H, PriceForecast
from vpp_envs.markets.tariff import Tariff
from vpp_envs.markets.tariff_file import read_tariff, tariff_from
from vpp_envs.observation import Signals, compress, feature_names, signal_features
from vpp_envs.signals.market import TICKS_PER_ISSUE, MarketSignals, MarketSpec
from vpp_envs.signals.randomised import Randomisation, with_copies
from vpp_envs.signals.recorded import recorded_signals
from vpp_envs.signals.retail import retail_signals, surplus_leads
from vpp_envs.signals.simulated import simulated_signals
from vpp_envs.signals.synthetic.driving import stay_table
from vpp_envs.signals.synthetic.household import load_table
from vpp_envs.signals.synthetic.weather import climate_of, solar_table

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
SPLITS = ("train", "validation", "test")
_SPLIT_HOMES = 1_000_000  # ids that a split has room for: no home is in two of them
_CHUNK = 512  # rows at once: what a core's own cache holds
_CAR_CHUNK = 64
_EVENING_LOAD = 1.4  # times a home's mean
_CURVE_POINTS = 17  # fills of a water value


@dataclass(frozen=True)
class ScenarioSpec:
    """What makes a scenario: numbers and names only, so that it can be hashed and written."""

    name: str = "nem_arbitrage"
    market: MarketSpec = field(default_factory=MarketSpec)
    fleet: FleetSpec = field(default_factory=FleetSpec)
    unseen_homes: int | None = None  # homes in validation and test; none: as many as in training
    control_dt_s: int = 300
    episode_days: int = 2
    weather_seed: int = 0
    # File of a retail tariff behind which the homes stand, or "example"; none: the market's price.
    tariff: str | None = None
    randomisation: Randomisation = field(default_factory=Randomisation)  # of the training days

    def __post_init__(self) -> None:
        """Refuse a clock that no market here keeps."""
        if self.control_dt_s != 300:
            raise InputError(
                f"scenario.control_dt_s must be 300 (five-minute settlement), "
                f"got {self.control_dt_s}."
            )
        if self.tariff is not None and self.randomisation.copies:
            raise InputError(
                "scenario.randomisation.copies varies wholesale prices, and scenario.tariff puts "
                "fixed ones before them: leave one of the two away."
            )
        most = max(self.fleet.homes, self.unseen_homes or 0)
        if self.fleet.first_home + most > _SPLIT_HOMES:
            raise InputError(
                f"fleet.first_home + fleet.homes (or scenario.unseen_homes) must be at most "
                f"{_SPLIT_HOMES:,}: homes from there on are kept for validation and test; got "
                f"{self.fleet.first_home + most:,}."
            )
        if self.episode_days < 1:
            raise InputError(f"scenario.episode_days must be at least 1, got {self.episode_days}.")


SCENARIOS: dict[str, ScenarioSpec] = {
    "nem_arbitrage": ScenarioSpec(),
    "ev_homes": ScenarioSpec(
        name="ev_homes",
        fleet=FleetSpec(battery_share=0.0, ev_share=1.0),
        market=MarketSpec(train_days=365),
        episode_days=7,
    ),
    "solar_homes": ScenarioSpec(
        name="solar_homes",
        fleet=FleetSpec(solar_share=1.0, ev_share=0.4),
        market=MarketSpec(train_days=365),
        episode_days=7,
        tariff="example",
    ),
}


def scenario_spec(name: str) -> ScenarioSpec:
    """Return the defaults of a scenario by name.

    Raises:
        InputError: The name is unknown.
    """
    if name not in SCENARIOS:
        raise InputError(f"scenario must be one of {', '.join(SCENARIOS)}, got {name!r}.")
    return SCENARIOS[name]


@dataclass(frozen=True)
class Cars:
    """What a scenario with cars knows of them by tick."""

    cohorts: tuple[EvCohort, ...]
    stay: Tensor  # columns of `stay_table` by archetype, (T, 4, K) float32
    curve: Tensor  # value by class, stay and need at the end of each half hour, (I, C, L, S)


@dataclass(frozen=True)
class Scenario:
    """A scenario built for one split: constants and tables by tick, ready to be stepped."""

    spec: ScenarioSpec
    split: str
    cohorts: tuple[Cohort, ...]
    fleet: Fleet  # float64; `Fleet.cohort` indexes `cohorts`
    market: MarketSignals
    forecast: PriceForecast  # (I, H, Q)
    curve: Tensor  # water value at the end of each half hour, (I, C, F) [currency/kWh]
    features: Tensor  # features of the signals alone, (T, F) float32
    solar_pu: Tensor  # solar output per unit of AC rating by archetype, (T, K) float32
    load_pu: Tensor  # base load per unit of a home's mean by archetype, (T, K) float32
    start_ticks: Tensor  # first ticks of the days of this split, (D,) int64
    cars: Cars | None = None  # none: no home has one
    export_per_kwh: Tensor | None = None  # (T,) float64; none: the market's price
    fleet_lines: tuple[str, ...] = ()  # how the homes of a table are split, for people

    @property
    def dt_h(self) -> float:
        """Length of a control interval. [h]"""
        return self.spec.control_dt_s / 3600.0

    @property
    def ticks_per_day(self) -> int:
        """Control intervals a day."""
        return 86_400 // self.spec.control_dt_s

    @property
    def episode_ticks(self) -> int:
        """Control intervals of an episode."""
        return self.spec.episode_days * self.ticks_per_day

    @property
    def cohort_names(self) -> tuple[str, ...]:
        """Names of the cohorts present, in the order of observations and actions."""
        return cohort_names(self.cohorts)

    @property
    def car_names(self) -> tuple[str, ...]:
        """Names of the classes of cars present, in the order of observations and actions."""
        return cohort_names(self.cars.cohorts) if self.cars else ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the observation's features in order."""
        return feature_names(self.cohort_names, self.car_names, self.export_per_kwh is not None)

    def fitting_days(self) -> int:
        """Length of a window that suits the split: ten days, or a quarter of a short split."""
        return min(10, max(1, len(self.start_ticks) // 4))

    def window_starts(self, window_days: int, most: int | None = None) -> Tensor:
        """First ticks of windows that do not overlap and lie wholly inside the split.

        Args:
            window_days: Length of a window.
            most: Spread at most so many evenly over the split; none: all that fit.

        Raises:
            InputError: Not even one window fits.
        """
        last = int(self.start_ticks[-1]) + self.ticks_per_day
        starts, free_from = [], 0
        for tick in self.start_ticks.tolist():
            if tick >= free_from and tick + window_days * self.ticks_per_day <= last:
                starts.append(tick)
                free_from = tick + window_days * self.ticks_per_day
        if not starts:
            raise InputError(
                f"window_days={window_days} does not fit: the {self.split} split has "
                f"{len(self.start_ticks)} days; choose a shorter window or more days."
            )
        if most is not None and most < len(starts):
            picks = np.linspace(0, len(starts) - 1, most).round().astype(int)
            starts = [starts[i] for i in picks]
        return torch.tensor(starts, dtype=torch.int64)


class _Retail(NamedTuple):
    """What the value of storage behind a tariff depends on."""

    tariff: str
    solar_kw: float  # mean rating of the homes with sun
    load_kw: float  # mean base load
    battery_kwh: float  # mean usable energy of the homes with a battery

    @property
    def discharge_h(self) -> float:
        """How long a full battery covers a home in the evening, when it draws most. [h]"""
        return max(self.battery_kwh / (_EVENING_LOAD * self.load_kw), 0.5)


def build_scenario(spec: ScenarioSpec, split: str) -> Scenario:
    """Build the tables of one split; the same spec gives the same days and homes, always.

    Args:
        spec: What makes the scenario.
        split: "train", "validation" or "test".

    Raises:
        InputError: Unknown split, or prices that cannot be read.
    """
    if split not in SPLITS:
        raise InputError(f"split must be one of {', '.join(SPLITS)}, got {split!r}.")
    return _build_scenario(spec, split, table_stamp(spec.fleet.table))


@lru_cache(maxsize=6)
def _build_scenario(
    spec: ScenarioSpec, split: str, _table: tuple[str, int, int] | None
) -> Scenario:
    """Build a scenario once, for as long as the table of its homes stays as it is."""
    present, cars_present = present_cohorts(split_homes(spec, "train"))
    fleet = renumbered(split_homes(spec, split), present, cars_present)
    cohorts = tuple(BATTERY_COHORTS[i] for i in present)
    retail = None if spec.tariff is None else _Retail(spec.tariff, *_means(fleet))
    randomisation = spec.randomisation if split == "train" else Randomisation()
    tables = _tables(spec.market, split, cohorts, spec.weather_seed, retail, randomisation)
    days = _start_ticks(tables["market"], spec)
    cars = None
    if fleet.ev is not None:
        classes = tuple(EV_COHORTS[i] for i in cars_present)
        cars = _cars(spec.market, split, classes, spec.weather_seed, spec.tariff, randomisation)
    return Scenario(
        spec=spec,
        split=split,
        cohorts=cohorts,
        fleet=fleet,
        start_ticks=days,
        cars=cars,
        fleet_lines=table_lines(spec.fleet, spec.unseen_homes) if spec.fleet.table else (),
        **tables,
    )


def split_homes(spec: ScenarioSpec, split: str) -> Fleet:
    """Return the homes of a split, float64, with cohorts that index all that there are.

    Args:
        spec: Sampled homes, of which no two splits share one, or a table, as in `table_homes`.
        split: "train", "validation" or "test".
    """
    most = spec.fleet.homes if split == "train" else spec.unseen_homes or spec.fleet.homes
    if spec.fleet.table is not None:
        return table_homes(spec.fleet, split, most)
    first = spec.fleet.first_home + SPLITS.index(split) * _SPLIT_HOMES
    return sample_fleet(replace(spec.fleet, first_home=first, homes=most))


@lru_cache(maxsize=6)
def _cars(
    spec: MarketSpec,
    split: str,
    classes: tuple[EvCohort, ...],
    seed: int,
    tariff: str | None,
    randomisation: Randomisation,
) -> Cars:
    """Stays and value curves of the cars: fleets of the same classes share them."""
    market = with_copies(spec, market_signals(spec, split), randomisation, market_signals)
    if tariff is not None:
        market = retail_signals(market, scenario_tariff(tariff)).market
    stay = stay_table(market.zone, market.start_utc, market.clock_ticks, seed, DRIVER_ARCHETYPES)
    stay = stay.repeat(market.copies + 1, 1, 1)
    return Cars(classes, stay, car_curves(market.forecast, classes))


@lru_cache(maxsize=6)
def _tables(
    spec: MarketSpec,
    split: str,
    cohorts: tuple[Cohort, ...],
    weather_seed: int,
    retail: _Retail | None,
    randomisation: Randomisation,
) -> dict[str, Any]:
    """What a scenario knows by tick, by field: fleets of the same cohorts share it."""
    climate = _climate(spec)
    market = with_copies(spec, market_signals(spec, split), randomisation, market_signals)
    ticks, times = market.clock_ticks, market.copies + 1
    solar_pu = solar_table(climate, market.start_utc, ticks, weather_seed, SOLAR_ARCHETYPES)
    load_pu = load_table(market.zone, market.start_utc, ticks, weather_seed, LOAD_ARCHETYPES)
    solar_pu, load_pu = solar_pu.repeat(times, 1), load_pu.repeat(times, 1)
    export_per_kwh, storing = None, None
    if retail is not None:
        behind = retail_signals(market, scenario_tariff(retail.tariff))
        market, export_per_kwh = behind.market, behind.export_per_kwh
        left_over = surplus_leads(solar_pu, load_pu, retail.solar_kw, retail.load_kw)
        # Where sun is expected to be left over, storing it costs what its export would earn.
        storing = torch.where(
            left_over.unsqueeze(-1),
            1000.0 * behind.export_leads_per_kwh.unsqueeze(-1),
            market.forecast.nodes_per_mwh,
        )
    curve = value_curves(
        market.forecast, cohorts, storing, None if retail is None else retail.discharge_h
    )
    return {
        "market": market,
        "forecast": market.forecast,
        "curve": curve,
        "features": _signal_table(market, curve, export_per_kwh),
        "solar_pu": solar_pu,
        "load_pu": load_pu,
        "export_per_kwh": export_per_kwh,
    }


def scenario_tariff(tariff: str) -> Tariff:
    """Read the tariff that a scenario names: a file, or "example".

    Args:
        tariff: Path of a YAML file, or the word.

    Raises:
        InputError: The file is missing or holds no tariff.
    """
    return tariff_from(EXAMPLE_TARIFF) if tariff == "example" else read_tariff(tariff)


def _means(fleet: Fleet) -> tuple[float, float, float]:
    """Mean solar rating [kW], base load [kW] and usable storage [kWh] of homes that have any."""

    def mean(values: Tensor) -> float:
        present = values[values > 0]
        return float(present.mean()) if len(present) else 0.0

    usable_kwh = fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh
    stored = usable_kwh * (fleet.battery.discharge_kw > 0)
    return mean(fleet.solar_kw), mean(fleet.load_mean_kw), mean(stored)


def market_signals(spec: MarketSpec, split: str) -> MarketSignals:
    """Build the signals of one split: recorded where the market names a file, else simulated.

    Args:
        spec: Which market and which days.
        split: "train", "validation" or "test".
    """
    signals = simulated_signals if spec.prices is None else recorded_signals
    return signals(spec, split)


def _climate(spec: MarketSpec) -> str:
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


def present_cohorts(fleet: Fleet) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices in `BATTERY_COHORTS` and `EV_COHORTS` of the cohorts that the training homes have.

    Raises:
        InputError: No home has a battery or a car to command, so that there is nothing to dispatch.
    """
    present = tuple(sorted(set(fleet.cohort.tolist()) - {-1}))
    cars = () if fleet.ev is None else tuple(sorted(set(fleet.ev.cohort.tolist()) - {-1}))
    if not present and not cars:
        raise InputError(
            "fleet.battery_share=0 leaves no battery to dispatch, and no home has a car that "
            "others may charge; give at least one home a battery, or raise fleet.ev_share."
        )
    return present, cars


def renumbered(fleet: Fleet, present: tuple[int, ...], cars: tuple[int, ...]) -> Fleet:
    """Number the homes' cohorts by their place among those present; others are left alone (-1)."""
    fleet = fleet._replace(cohort=_numbers(present, len(BATTERY_COHORTS))[fleet.cohort])
    if fleet.ev is not None:
        cohort = _numbers(cars, len(EV_COHORTS))[fleet.ev.cohort]
        fleet = fleet._replace(ev=fleet.ev._replace(cohort=cohort))
    return fleet


def _numbers(present: tuple[int, ...], count: int) -> Tensor:
    """Place of each cohort among those present, the last entry for -1."""
    number = torch.full((count + 1,), -1, dtype=torch.int64)
    for new, old in enumerate(present):
        number[old] = new
    return number


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


def _start_ticks(market: MarketSignals, spec: ScenarioSpec) -> Tensor:
    """First ticks of the split's days; an episode may start on all but the last few of them."""
    days = market.day_starts
    if len(days) < spec.episode_days:
        raise InputError(
            f"scenario.episode_days={spec.episode_days} is longer than the split, which has "
            f"{len(days)} days; choose shorter episodes or more days."
        )
    return days
