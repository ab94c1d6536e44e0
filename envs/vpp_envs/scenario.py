"""One task: a fleet, its grid signals, a market, a clock, and which days it may see."""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vpp_envs.circumstances import Circumstances, circumstances_of
from vpp_envs.communication.settings import LinkSpec
from vpp_envs.dispatch.modes import action_names
from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS, Cohort, cohort_names
from vpp_envs.fleet.fleet import Fleet, commanded
from vpp_envs.fleet.mix import FleetMix
from vpp_envs.fleet.sampling import DRIVER_ARCHETYPES, sample_fleet
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.split import table_homes, table_lines, table_stamp
from vpp_envs.flexible.kinds import FlexibleTables
from vpp_envs.flexible_tables import (
    Classes,
    class_names,
    classes_present,
    flexible_of,
    with_numbers,
)
from vpp_envs.forecast.protocol import PriceForecast
from vpp_envs.observation import feature_names
from vpp_envs.outage.settings import OutageSpec
from vpp_envs.people.settings import PeopleSpec, with_events
from vpp_envs.scenario_tables import Cars, cars_of, retailing, tables_of
from vpp_envs.signals.market import MarketSignals, MarketSpec
from vpp_envs.signals.measured import measured_loads
from vpp_envs.signals.randomised import Randomisation
from vpp_envs.signals.weather import weather_lines
from vpp_envs.signals.weather_settings import WeatherSpec

SPLITS = ("train", "validation", "test")
_SPLIT_HOMES = 1_000_000  # ids that a split has room for: no home is in two of them


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
    loads: str | None = None  # file of measured homes whose loads the homes have; none: simulated
    randomisation: Randomisation = field(default_factory=Randomisation)  # of the training days
    fleet_mix: FleetMix = field(default_factory=FleetMix)  # of the training episodes
    # What a kelvin-hour beyond comfort counts to a learner; never in the profit [currency/(K h)].
    comfort_per_k_h: float = 0.0
    people: PeopleSpec = field(default_factory=PeopleSpec)  # the owners
    links: LinkSpec = field(default_factory=LinkSpec)  # from the operator to the homes
    outages: OutageSpec = field(default_factory=OutageSpec)  # of the grid
    weather: WeatherSpec = field(default_factory=WeatherSpec)  # file of sun and air, if any

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
        if not 0.0 <= self.comfort_per_k_h < 1e6:
            raise InputError(
                f"scenario.comfort_per_k_h must be a price of a kelvin-hour, 0 or above such as "
                f"0.1, got {self.comfort_per_k_h}."
            )


SCENARIOS: dict[str, ScenarioSpec] = {
    "nem_arbitrage": ScenarioSpec(),
    "ev_homes": ScenarioSpec(
        name="ev_homes",
        fleet=FleetSpec(battery_share=0.0, ev_share=1.0),
        market=MarketSpec(train_days=365),
        episode_days=7,
    ),
    "depots": ScenarioSpec(
        name="depots",
        fleet=FleetSpec(
            homes=100, battery_share=0.0, solar_share=0.0, depot_share=1.0, v2g_share=1.0
        ),
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
    "suburb": ScenarioSpec(
        name="suburb",
        fleet=FleetSpec(
            homes=64,
            battery_share=0.5,
            ev_share=0.4,
            water_heater_share=0.5,
            hvac_share=0.8,
            dishwasher_share=0.7,
            washer_share=0.8,
            dryer_share=0.6,
            pool_pump_share=0.2,
            generator_share=0.05,
        ),
        market=MarketSpec(train_days=60, validation_days=28, test_days=28),
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
    flexible: FlexibleTables | None = None  # none: no home has a flexible device
    classes: Classes = ()  # of flexible devices that may be commanded, kind by kind
    fleet_lines: tuple[str, ...] = ()  # where homes and loads of files come from, for people
    around: Circumstances = field(default_factory=Circumstances)  # owners, links and outages

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
    def episode_homes(self) -> int | None:
        """Homes that an episode draws from the fleet; none: it has all of them, as they are."""
        return self.spec.fleet_mix.homes if self.split == "train" else None

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
        retail = self.export_per_kwh is not None
        flexible = tuple(name for names in self.flexible_names.values() for name in names)
        events = self.spec.people.event_days > 0
        return feature_names(self.cohort_names, self.car_names, retail, flexible, events)

    @property
    def flexible_names(self) -> dict[str, tuple[str, ...]]:
        """Names of the classes of each kind of flexible device present, in order."""
        return class_names(self.classes)

    def action_names(self, dispatch: str, homes: int) -> tuple[str, ...]:
        """Names of an action's components in order.

        Args:
            dispatch: Name of the dispatch mode.
            homes: Number of homes, which only `per_device` asks.
        """
        classes = self.cohort_names, homes, self.car_names, self.flexible_names
        return action_names(dispatch, *classes)

    def fitting_days(self) -> int:
        """Length of a window that suits the split: ten days, or a quarter of a short split."""
        return min(10, max(1, len(self.start_ticks) // 4))

    def episode_starts(self) -> Tensor:
        """First ticks of the days from which an episode stays inside the split, (D,) int64."""
        days = self.start_ticks[: len(self.start_ticks) - self.spec.episode_days + 1]
        return self.market.in_every_copy(days)

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
    known = split_homes(spec, "train")
    classes = classes_present(known)
    present, cars_present = present_cohorts(known)
    fleet = renumbered(split_homes(spec, split), present, cars_present)
    fleet = with_numbers(fleet, classes)
    cohorts = tuple(BATTERY_COHORTS[i] for i in present)
    retail = None if spec.tariff is None else retailing(spec.tariff, fleet)
    randomisation = spec.randomisation if split == "train" else Randomisation()
    by_tick = spec.market, split, cohorts, spec.weather_seed, retail, randomisation, spec.weather
    tables = tables_of(*by_tick)
    days = _start_ticks(tables["market"], spec)
    lines = table_lines(spec.fleet, spec.unseen_homes) if spec.fleet.table else ()
    if split == "train" and spec.fleet_mix.homes is not None:
        _refuse_no_choice(spec.fleet_mix.homes, len(fleet.home_id))
        lines = (*lines, f"{len(fleet.home_id)} homes to train with: {spec.fleet_mix}")
    if spec.loads is not None:
        measured = measured_loads(spec.loads, tables["market"])
        tables, lines = {**tables, "load_pu": measured.load_pu}, (*lines, *measured.lines)
        fleet = fleet._replace(load_archetype=fleet.load_archetype % measured.load_pu.shape[-1])
    lines = (*lines, *weather_lines(spec.weather, tables["market"]))
    cars = None
    if fleet.ev is not None:
        of_cars = tuple(EV_COHORTS[i] for i in cars_present)
        on_duty = bool((fleet.ev.archetype >= DRIVER_ARCHETYPES).any())
        depots = spec.weather if on_duty else None
        days_of_cars = (spec.market, split, of_cars, spec.weather_seed, spec.tariff)
        cars = cars_of(*days_of_cars, randomisation, depots, fleet.ev.habit is not None)
    flexible = None
    if classes:
        days_of = (spec.market, split, classes, spec.weather_seed, spec.tariff, randomisation)
        flexible = flexible_of(*days_of, spec.weather)
    around = spec.people, spec.links, spec.outages, fleet, tables["market"]
    fleet, circumstances = circumstances_of(*around)
    features, market = tables["features"], tables["market"]
    features = with_events(features, spec.people, circumstances.people, market)
    return Scenario(
        spec=spec,
        split=split,
        cohorts=cohorts,
        fleet=fleet,
        start_ticks=days,
        cars=cars,
        flexible=flexible,
        classes=classes,
        fleet_lines=lines,
        around=circumstances,
        **{**tables, "features": features},
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


def present_cohorts(fleet: Fleet) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices in `BATTERY_COHORTS` and `EV_COHORTS` of the cohorts that the training homes have.

    Raises:
        InputError: No home has a device to command, so that there is nothing to dispatch.
    """
    present = tuple(sorted(set(fleet.cohort.tolist()) - {-1}))
    cars = () if fleet.ev is None else tuple(sorted(set(fleet.ev.cohort.tolist()) - {-1}))
    if not bool(commanded(fleet).any()):
        raise InputError(
            "fleet.battery_share=0 leaves no battery to dispatch, and no home has a car or another "
            "device that others may command; give at least one home a battery, or raise "
            "fleet.ev_share or fleet.hvac_share."
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


def _refuse_no_choice(homes: int, present: int) -> None:
    """Refuse to draw all homes that there are."""
    if homes >= present:
        raise InputError(
            f"scenario.fleet_mix.homes={homes} leaves nothing to draw from {present} homes to "
            "train with: name fewer, or raise fleet.homes."
        )


def _start_ticks(market: MarketSignals, spec: ScenarioSpec) -> Tensor:
    """First ticks of the split's days; an episode may start on all but the last few of them."""
    days = market.day_starts
    if len(days) < spec.episode_days:
        raise InputError(
            f"scenario.episode_days={spec.episode_days} is longer than the split, which has "
            f"{len(days)} days; choose shorter episodes or more days."
        )
    return days
