"""What a fleet is sampled from, or read from: numbers and names only."""

from dataclasses import dataclass, fields

from vpp_envs.errors import InputError
from vpp_envs.flexible.appliance_parts import APPLIANCES

DEPOT_KINDS = ("school_bus", "delivery_van", "municipal")
_HABIT_SHARES = ("ev_midnight_share", "ev_last_moment_share")


@dataclass(frozen=True)
class FleetSpec:
    """What to sample. The same home id is the same home in every fleet with that seed.

    Or the table to read instead: then `homes` is how many a split has at most.
    """

    homes: int = 256
    seed: int = 0
    first_home: int = 0  # id of the first home: disjoint ranges are disjoint homes
    battery_share: float = 1.0  # of homes
    solar_share: float = 0.7  # of homes
    # A uniform class instead of the product mix; none: as the product has it.
    duration_h: float | None = None  # of all batteries: usable energy over discharge power [h]
    round_trip_eff: float | None = None  # of all batteries, AC to AC [0 to 1]
    wear_per_kwh: float | None = None  # of all batteries, per AC kWh discharged [currency/kWh]
    import_limit_kw: float = 14.5  # 63 A, single phase [kW]
    export_limit_kw: float | None = 5.0  # per phase in Australia; none: no limit binds [kW]
    homeowner_share: float = 0.8  # of the devices' market money, paid to the owners
    ev_share: float = 0.0  # of homes
    v2g_share: float = 0.5  # of the cars that can give energy back
    managed_share: float = 1.0  # of the cars whose drivers let others choose when to charge
    # Of the homes' drivers who wait where nobody commands their car; the others charge at once.
    ev_midnight_share: float = 0.0  # for midnight, from noon on
    ev_last_moment_share: float = 0.0  # for the last moment that the target allows
    water_heater_share: float = 0.0  # of homes with an electric tank of hot water
    heat_pump_water_share: float = 0.3  # of these tanks
    messages_water_share: float = 0.0  # of these that hear CTA-2045 messages and take no power
    layered_water: bool = False  # whether their water is simulated in two layers, else in one
    hvac_share: float = 0.0  # of homes whose cooling and heating is simulated
    heat_pump_share: float = 0.2  # of these that heat by heat pump; the others cool only
    dishwasher_share: float = 0.0  # of homes
    washer_share: float = 0.0  # of homes
    dryer_share: float = 0.0  # of homes
    pool_pump_share: float = 0.0  # of homes
    generator_share: float = 0.0  # of homes with a back-up generator
    generator_permit_share: float = 0.0  # of these whose permit allows them to run for others
    depot_share: float = 0.0  # of places that are a depot's, in blocks of its vehicles
    depot_kind: str = "school_bus"  # what stands there: school_bus, delivery_van or municipal
    depot_vehicles: int = 20  # of a depot
    # A depot's connection over the sum of what its vehicles can charge with [0.05 to 1].
    depot_power_share: float = 0.4
    depot_charger_share: float = 1.0  # chargers a vehicle [0.1 to 1]
    transformer_homes: int = 0  # behind a transformer that they share; 0: none is shared
    transformer_kw: float = 5.0  # of it for each home, either way [kW]
    thermostat_share: float = 1.0  # of owners of these, engines aside, who let others choose
    design_summer_c: float = 37.0  # outdoor air on a hot day, for the size of machines [C]
    design_winter_c: float = 0.0  # and on a cold day [C]
    table: str | None = None  # one's own homes, CSV or Parquet; none: homes are sampled
    train_share: float = 0.7  # of a table's homes; half of the rest each for validation and test

    def __post_init__(self) -> None:
        """Refuse numbers that make no fleet."""
        if self.homes < 1:
            raise InputError(f"fleet.homes must be at least 1, got {self.homes}.")
        _refuse_what_nobody_reads(self)
        shares = ("battery_share", "solar_share", "homeowner_share", "train_share")
        of_cars = ("ev_share", "v2g_share", "managed_share", *_HABIT_SHARES)
        of_water = ("water_heater_share", "heat_pump_water_share", "messages_water_share")
        of_heat = (*of_water, "hvac_share", "heat_pump_share")
        of_machines = tuple(f"{name}_share" for name in APPLIANCES)
        of_engines = ("generator_share", "generator_permit_share")
        others = ("thermostat_share", "depot_share")
        for name in (*shares, *of_cars, *of_heat, *of_machines, *of_engines, *others):
            share = getattr(self, name)
            if not 0.0 <= share <= 1.0:
                raise InputError(f"fleet.{name} must lie between 0 and 1, got {share}.")
        if self.duration_h is not None and not 0.25 <= self.duration_h <= 24.0:
            raise InputError(
                f"fleet.duration_h must lie between 0.25 and 24 hours, got {self.duration_h}."
            )
        if self.round_trip_eff is not None and not 0.3 <= self.round_trip_eff <= 1.0:
            raise InputError(
                f"fleet.round_trip_eff must lie between 0.3 and 1, got {self.round_trip_eff}."
            )
        _refuse_impossible_weather(self)
        _refuse_impossible_depots(self)
        _refuse_tanks_that_nobody_has(self)
        _refuse_habits_that_nobody_has(self)
        for name in ("first_home", "import_limit_kw", "export_limit_kw", "wear_per_kwh"):
            number = getattr(self, name)
            if number is not None and not number >= 0:
                raise InputError(f"fleet.{name} must be 0 or more, got {number}.")


def _refuse_impossible_weather(spec: FleetSpec) -> None:
    """Refuse outdoor air for which no machine is sized."""
    for name, low, high in (("design_summer_c", 25.0, 55.0), ("design_winter_c", -40.0, 20.0)):
        air_c = getattr(spec, name)
        if not low <= air_c <= high:
            raise InputError(
                f"fleet.{name} must lie between {low:g} and {high:g} C, got {air_c:g}; it is the "
                "outdoor air for which machines are sized."
            )


def _refuse_tanks_that_nobody_has(spec: FleetSpec) -> None:
    """Refuse to say how tanks are commanded or simulated where no home has one."""
    for name in ("messages_water_share", "layered_water"):
        value = getattr(spec, name)
        if value and spec.water_heater_share == 0:
            raise InputError(
                f"fleet.{name}={value} is about water heaters, and fleet.water_heater_share=0 "
                f"leaves all homes without; give them some, or leave {name} out."
            )


def _refuse_habits_that_nobody_has(spec: FleetSpec) -> None:
    """Refuse habits without drivers, and more habits than drivers."""
    shares = {name: getattr(spec, name) for name in _HABIT_SHARES}
    for name, share in shares.items():
        if share and spec.ev_share == 0:
            raise InputError(
                f"fleet.{name}={share} is about drivers of cars, and fleet.ev_share=0 leaves all "
                f"homes without; give them some, or leave {name} out."
            )
    if sum(shares.values()) > 1.0 + 1e-9:
        raise InputError(
            "fleet.ev_midnight_share and fleet.ev_last_moment_share are shares of the same "
            f"drivers and must add up to at most 1, got {sum(shares.values()):g}; lower one."
        )


def _refuse_impossible_depots(spec: FleetSpec) -> None:
    """Refuse connections that nobody could share."""
    if spec.depot_kind not in DEPOT_KINDS:
        raise InputError(
            f"fleet.depot_kind must be one of {', '.join(DEPOT_KINDS)}, got {spec.depot_kind!r}."
        )
    if not 1 <= spec.depot_vehicles <= 1000:
        raise InputError(
            f"fleet.depot_vehicles must lie between 1 and 1000, got {spec.depot_vehicles}."
        )
    if not 0 <= spec.transformer_homes <= 100_000:
        raise InputError(
            "fleet.transformer_homes must lie between 0 (none is shared) and 100000, got "
            f"{spec.transformer_homes}."
        )
    ranges = (
        ("depot_power_share", 0.05, 1.0),
        ("depot_charger_share", 0.1, 1.0),
        ("transformer_kw", 0.5, 1000.0),
    )
    for name, low, high in ranges:
        if not low <= getattr(spec, name) <= high:
            raise InputError(
                f"fleet.{name} must lie between {low:g} and {high:g}, got {getattr(spec, name):g}."
            )


def _refuse_what_nobody_reads(spec: FleetSpec) -> None:
    """Refuse what shapes sampled homes beside a table, and what splits a table without one."""
    if spec.table is None:
        if spec.train_share != FleetSpec.train_share:
            raise InputError(
                "fleet.train_share splits the homes of a table, and fleet.table names none; "
                "name the table, or take fleet.train_share out."
            )
        return
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name not in ("homes", "table", "train_share") and value != field.default:
            raise InputError(
                f"fleet.{field.name}={value} shapes sampled homes, and fleet.table={spec.table} "
                "names homes of your own; write fleet=mixed, and only fleet.homes and "
                "fleet.train_share beside it."
            )
