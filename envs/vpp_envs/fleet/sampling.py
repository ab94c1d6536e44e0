"""Sample fleets of homes from published product mixes."""

import torch
from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.devices.ev import LEAST_CHARGE_KW, TAPER_FILL, EvParams
from vpp_envs.fleet.agreement import Agreement, EvAgreement
from vpp_envs.fleet.appliance_sampling import sample_appliances
from vpp_envs.fleet.cohorts import duration_class, ev_class
from vpp_envs.fleet.depots import (
    BASE_LOAD_Q95,
    EV_WEAR_PER_KWH,
    building_load_kw,
    depot_agreement,
    depot_places,
    sample_vehicles,
    shared_connections,
)
from vpp_envs.fleet.fleet import AT_ONCE, LAST_MOMENT, MIDNIGHT, EvFleet, Fleet
from vpp_envs.fleet.generator_sampling import sample_generators
from vpp_envs.fleet.hvac_sampling import sample_hvac
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.water_heater_sampling import sample_water_heaters
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceFleet
from vpp_envs.flexible.kinds import FlexibleFleet
from vpp_envs.flexible.kinds import present as kinds_present
from vpp_envs.random import Purpose, normal, uniform

LOAD_ARCHETYPES = 32
SOLAR_ARCHETYPES = 24
DRIVER_ARCHETYPES = 32

# Usable kWh, continuous discharge kW, charge kW, round-trip efficiency, wear per kWh, weight.
# Capacities and ratings as published or remembered by product line; the weights are an
# assumption (about US and Australian shares of installed home batteries).
PRODUCTS: tuple[tuple[str, float, float, float, float, float, float], ...] = (
    ("Tesla Powerwall 2", 13.5, 5.0, 5.0, 0.90, 0.07, 0.40),
    ("Tesla Powerwall 3", 13.5, 11.5, 5.0, 0.89, 0.04, 0.30),
    ("Enphase IQ 5P", 5.0, 3.84, 3.84, 0.90, 0.04, 0.12),
    ("FranklinWH aPower", 13.6, 5.0, 5.0, 0.89, 0.04, 0.05),
    ("LG RESU Prime 16H", 16.0, 7.0, 7.0, 0.90, 0.07, 0.03),
    ("Generac PWRcell", 13.5, 5.0, 5.0, 0.85, 0.07, 0.03),
    ("BYD, Sungrow, Alpha", 13.0, 6.5, 6.5, 0.90, 0.04, 0.07),
)
_UNIT_SHARES = (0.62, 0.30, 0.08)  # one, two, three units a home
# Share of capacity that owners keep for backup, and how many keep it (an assumption).
_RESERVES = ((0.20, 0.55), (0.10, 0.10), (0.30, 0.10), (0.50, 0.15), (0.80, 0.07), (0.03, 0.03))
# Usable kWh, AC charge kW, V2G discharge kW (0: cannot), kWh/km and weight (an assumption).
CARS: tuple[tuple[str, float, float, float, float, float], ...] = (
    ("generic 75 kWh", 75.0, 11.5, 9.6, 0.174, 0.20),
    ("Tesla Model 3 or Y", 68.0, 11.5, 0.0, 0.165, 0.30),
    ("Ford F-150 Lightning SR", 98.0, 11.3, 9.6, 0.298, 0.08),
    ("Ford F-150 Lightning ER", 131.0, 19.2, 9.6, 0.298, 0.06),
    ("Nissan Leaf 40", 37.5, 6.6, 7.4, 0.180, 0.10),
    ("Nissan Leaf 60", 57.5, 6.6, 7.4, 0.180, 0.08),
    ("Chevrolet Bolt", 65.0, 11.5, 0.0, 0.174, 0.12),
    ("OCHRE BEV250", 81.0, 11.5, 0.0, 0.202, 0.06),
)
_SMALL_CHARGER_KW, _SMALL_CHARGER_SHARE = 7.2, 0.5


def sample_fleet(spec: FleetSpec) -> Fleet:
    """Sample the constants of a fleet, float64; `cast_fleet` gives the working precision.

    Args:
        spec: What to sample.

    Returns:
        Fleet of ``spec.homes`` homes; `Fleet.cohort` indexes `BATTERY_COHORTS`.
    """
    home = torch.arange(spec.first_home, spec.first_home + spec.homes, dtype=torch.int64)

    def draw(purpose: int) -> Tensor:
        return uniform(spec.seed, 0, home, 0, purpose)

    def bell(purpose: int) -> Tensor:
        return normal(spec.seed, 0, home, 0, purpose)

    depot = depot_places(spec, home)
    has_battery = (draw(Purpose.FLEET_BATTERY_PRESENCE) < spec.battery_share) & ~depot
    battery, reserve_kwh = _sample_battery(spec, home, has_battery)
    has_solar = (draw(Purpose.FLEET_SOLAR_PRESENCE) < spec.solar_share) & ~depot
    # AC rating: lognormal DC size (median 6.8 kW, sigma 0.40) over a DC/AC ratio of 1.2.
    solar_kw = (6.8 * torch.exp(0.40 * bell(Purpose.FLEET_SOLAR_SIZE))).clamp(2.0, 20.0) / 1.2
    solar_kw = torch.where(has_solar, solar_kw, torch.zeros_like(solar_kw))
    load_mean_kw = (0.6 * torch.exp(0.35 * bell(Purpose.FLEET_LOAD_MEAN))).clamp(0.2, 2.0)
    load_mean_kw = building_load_kw(load_mean_kw, depot)
    cars = _cars_and_vehicles(spec, home, load_mean_kw, depot)
    flexible = _sample_flexible(spec, home, ~depot)
    import_limit_kw, export_limit_kw = _site_limits(spec, solar_kw, battery, cars)
    if spec.export_limit_kw is None:
        for kind in kinds_present(flexible):
            kw = getattr(flexible, kind).rated_kw
            if kind == "generator":
                export_limit_kw = export_limit_kw + kw
            else:
                import_limit_kw = import_limit_kw + kw
    flexible = _within_connection(flexible, export_limit_kw)
    agreement = Agreement(
        reserve_kwh,
        import_limit_kw,
        export_limit_kw,
        torch.full_like(solar_kw, spec.homeowner_share),
    )
    if cars is not None:
        agreement = depot_agreement(agreement, cars, load_mean_kw, depot)
    return Fleet(
        home,
        battery,
        solar_kw,
        (draw(Purpose.FLEET_SOLAR_ARCHETYPE) * SOLAR_ARCHETYPES).to(torch.int64) * has_solar,
        load_mean_kw,
        (draw(Purpose.FLEET_LOAD_ARCHETYPE) * LOAD_ARCHETYPES).to(torch.int64),
        agreement,
        duration_class(battery, agreement),
        cars,
        flexible,
        shared=shared_connections(spec, home, depot, load_mean_kw, cars, flexible),
    )


def _cars_and_vehicles(
    spec: FleetSpec, home: Tensor, load_mean_kw: Tensor, depot: Tensor
) -> EvFleet | None:
    """Cars of homes and vehicles of depots, (N,); none where there is neither."""
    if spec.ev_share == 0 and not bool(depot.any()):
        return None
    cars = _sample_cars(spec, home, load_mean_kw)
    if bool(depot.any()):
        vehicles = sample_vehicles(spec, home, DRIVER_ARCHETYPES)
        cars = map_columns(vehicles, lambda vehicle, car: torch.where(depot, vehicle, car), cars)
    return cars._replace(habit=_sample_habits(spec, home, (cars.params.charge_kw > 0) & ~depot))


def _sample_habits(spec: FleetSpec, home: Tensor, driver: Tensor) -> Tensor | None:
    """Sample when drivers charge whom nobody commands, (N,) int64; none where all do at once."""
    draw = uniform(spec.seed, 0, home, 0, Purpose.FLEET_EV_HABIT)
    waits = draw < spec.ev_midnight_share + spec.ev_last_moment_share
    habit = torch.where(draw < spec.ev_midnight_share, MIDNIGHT, LAST_MOMENT)
    habit = torch.where(waits & driver, habit, AT_ONCE)
    return habit if bool((habit != AT_ONCE).any()) else None


def _sample_flexible(spec: FleetSpec, home: Tensor, here: Tensor) -> FlexibleFleet | None:
    """Sample the flexible devices of homes that are here, (N,); none where no home has one."""

    def present(share: float, purpose: int, number: int = 0) -> Tensor:
        return (uniform(spec.seed, 0, home, number, purpose) < share) & here

    tanks, houses = None, None
    if spec.water_heater_share > 0:
        tanks = sample_water_heaters(
            spec.seed,
            home,
            present(spec.water_heater_share, Purpose.FLEET_WATER_PRESENCE),
            spec.heat_pump_water_share,
            spec.thermostat_share,
            spec.messages_water_share,
            spec.layered_water,
        )
    if spec.hvac_share > 0:
        houses = sample_hvac(
            spec.seed,
            home,
            present(spec.hvac_share, Purpose.FLEET_HVAC_PRESENCE),
            spec.heat_pump_share,
            spec.thermostat_share,
            spec.design_summer_c,
            spec.design_winter_c,
        )
    machines: dict[str, ApplianceFleet] = {}
    for number, name in enumerate(APPLIANCES):
        share = getattr(spec, f"{name}_share")
        if share > 0:
            has = present(share, Purpose.FLEET_APPLIANCE_PRESENCE, number)
            machines[name] = sample_appliances(spec.seed, home, has, name, spec.thermostat_share)
    engines = None
    if spec.generator_share > 0:
        has = present(spec.generator_share, Purpose.FLEET_GENERATOR_PRESENCE)
        engines = sample_generators(spec.seed, home, has, spec.generator_permit_share)
    flexible = FlexibleFleet(tanks, houses, **machines, generator=engines)
    return flexible if kinds_present(flexible) else None


def _within_connection(
    flexible: FlexibleFleet | None, export_limit_kw: Tensor
) -> FlexibleFleet | None:
    """Take engines whose least load a home may not feed in from those that run for others."""
    if flexible is None or flexible.generator is None:
        return flexible
    engines = flexible.generator
    fits = engines.params.least_kw <= export_limit_kw
    agreed = engines.agreement
    permitted = agreed.permitted_for_dr * fits
    return flexible._replace(
        generator=engines._replace(
            agreement=agreed._replace(permitted_for_dr=permitted),
            cohort=torch.where(fits, engines.cohort, torch.full_like(engines.cohort, -1)),
        )
    )


def _site_limits(
    spec: FleetSpec, solar_kw: Tensor, battery: BatteryParams, cars: EvFleet | None
) -> tuple[Tensor, Tensor]:
    """Import and export limit of each home, (N,). [kW]"""
    import_limit_kw = torch.full_like(solar_kw, spec.import_limit_kw)
    if spec.export_limit_kw is not None:
        return import_limit_kw, torch.full_like(solar_kw, spec.export_limit_kw)
    # No limit shall bind: room for every device on top of the largest base load.
    import_limit_kw = import_limit_kw + battery.charge_kw
    export_limit_kw = solar_kw + battery.discharge_kw + 1.0
    if cars is None:
        return import_limit_kw, export_limit_kw
    return import_limit_kw + cars.params.charge_kw, export_limit_kw + cars.params.discharge_kw


def _sample_cars(spec: FleetSpec, home: Tensor, load_mean_kw: Tensor) -> EvFleet:
    """Sample cars, chargers and what the drivers agreed to, (N,)."""

    def draw(purpose: int) -> Tensor:
        return uniform(spec.seed, 0, home, 0, purpose)

    def bell(purpose: int) -> Tensor:
        return normal(spec.seed, 0, home, 0, purpose)

    present = draw(Purpose.FLEET_EV_PRESENCE) < spec.ev_share
    table = torch.tensor([row[1:] for row in CARS], dtype=torch.float64)
    model = table[_pick(draw(Purpose.FLEET_EV_MODEL), table[:, 4])]
    capacity_kwh, charge_kw, discharge_kw, drive = (model[:, i] for i in range(4))
    small = draw(Purpose.FLEET_EV_CHARGER) < _SMALL_CHARGER_SHARE
    charge_kw = torch.where(small, charge_kw.clamp(max=_SMALL_CHARGER_KW), charge_kw)
    # An installer leaves room for the home: only then is the charger's power a promise.
    room_kw = (spec.import_limit_kw - BASE_LOAD_Q95 * load_mean_kw).clamp(min=LEAST_CHARGE_KW)
    charge_kw = torch.minimum(charge_kw, room_kw)
    gives = (discharge_kw > 0) & (draw(Purpose.FLEET_EV_V2G) < spec.v2g_share)
    managed = draw(Purpose.FLEET_EV_MANAGED) < spec.managed_share
    discharge_kw = torch.where(gives & managed, discharge_kw, torch.zeros_like(discharge_kw))
    target = (0.85 + 0.03 * bell(Purpose.FLEET_EV_TARGET)).clamp(0.80, 0.90)
    minimum = (0.40 + 0.12 * bell(Purpose.FLEET_EV_MINIMUM)).clamp(0.20, 0.70)
    eff = torch.where(discharge_kw > 0, 0.92, 0.90).to(torch.float64)
    zero, one = torch.zeros_like(capacity_kwh), torch.ones_like(capacity_kwh)

    def of_cars(value: Tensor, absent: Tensor) -> Tensor:
        return torch.where(present, value, absent)

    params = EvParams(
        of_cars(capacity_kwh, one),
        of_cars(charge_kw, zero),
        of_cars(discharge_kw, zero),
        of_cars(LEAST_CHARGE_KW * one, zero),
        of_cars(eff, one),
        of_cars(eff, one),
        of_cars(TAPER_FILL * one, one),
        of_cars(EV_WEAR_PER_KWH * one, zero),
        of_cars(drive, zero),
    )
    agreement = EvAgreement(
        of_cars(target * capacity_kwh, zero),
        of_cars(torch.where(discharge_kw > 0, minimum * capacity_kwh, zero), zero),
        of_cars(managed.double(), zero),
    )
    archetype = (draw(Purpose.FLEET_EV_ARCHETYPE) * DRIVER_ARCHETYPES).to(torch.int64) * present
    return EvFleet(params, agreement, archetype, ev_class(params, agreement))


def _sample_battery(spec: FleetSpec, home: Tensor, present: Tensor) -> tuple[BatteryParams, Tensor]:
    """Sample batteries and reserves, (N,)."""

    def draw(purpose: int) -> Tensor:
        return uniform(spec.seed, 0, home, 0, purpose)

    def bell(purpose: int) -> Tensor:
        return normal(spec.seed, 0, home, 0, purpose)

    table = torch.tensor([row[1:] for row in PRODUCTS], dtype=torch.float64)
    product = _pick(draw(Purpose.FLEET_PRODUCT), table[:, 5])
    units = (
        1.0
        + _pick(draw(Purpose.FLEET_UNITS), torch.tensor(_UNIT_SHARES, dtype=torch.float64)).double()
    )
    health = 0.85 + 0.15 * draw(Purpose.FLEET_HEALTH)
    capacity_kwh = table[product, 0] * units * health * (1.0 + 0.02 * bell(Purpose.FLEET_CAPACITY))
    round_trip = (table[product, 3] + 0.01 * bell(Purpose.FLEET_EFFICIENCY)).clamp(0.82, 0.95)
    wear = table[product, 4]
    reserve_table = torch.tensor(_RESERVES, dtype=torch.float64)
    kept = reserve_table[_pick(draw(Purpose.FLEET_RESERVE), reserve_table[:, 1]), 0]
    reserve_kwh = kept * capacity_kwh
    discharge_kw, charge_kw = table[product, 1] * units, table[product, 2] * units
    # Battery and gateway together draw 10 to 30 W a site.
    standing_kw = 0.010 + 0.020 * draw(Purpose.FLEET_STANDING_LOSS)
    if spec.duration_h is not None:
        discharge_kw = (capacity_kwh - reserve_kwh) / spec.duration_h
        charge_kw = discharge_kw
    if spec.round_trip_eff is not None:
        round_trip = torch.full_like(round_trip, spec.round_trip_eff)
    if spec.wear_per_kwh is not None:
        wear = torch.full_like(wear, spec.wear_per_kwh)
    zero, one = torch.zeros_like(capacity_kwh), torch.ones_like(capacity_kwh)
    battery = BatteryParams(
        torch.where(present, capacity_kwh, one),
        torch.where(present, charge_kw, zero),
        torch.where(present, discharge_kw, zero),
        torch.where(present, round_trip.sqrt(), one),
        torch.where(present, standing_kw, zero),
        torch.where(present, wear, zero),
    )
    return battery, torch.where(present, reserve_kwh, zero)


def _pick(share: Tensor, weights: Tensor) -> Tensor:
    """Index of the weight interval in which each uniform falls, (N,) int64."""
    edges = torch.cumsum(weights / weights.sum(), 0)[:-1]
    return torch.bucketize(share, edges, right=True)


def cast_fleet(fleet: Fleet, dtype: torch.dtype, device: torch.device) -> Fleet:
    """Return the fleet with its floating constants in the working precision, on a device."""

    def cast(tensor: Tensor) -> Tensor:
        return tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)

    fleet_cast: Fleet = map_columns(fleet, cast)
    return fleet_cast
