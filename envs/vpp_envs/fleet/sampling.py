"""Sample fleets of homes from published product mixes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.errors import InputError
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.cohorts import duration_class
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.random import Purpose, normal, uniform

LOAD_ARCHETYPES = 32
SOLAR_ARCHETYPES = 24

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


@dataclass(frozen=True)
class FleetSpec:
    """What to sample. The same home id is the same home in every fleet with that seed."""

    homes: int = 256
    seed: int = 0
    first_home: int = 0  # id of the first home: disjoint ranges are disjoint homes
    battery_share: float = 1.0
    solar_share: float = 0.7
    # A uniform class instead of the product mix: usable hours, round-trip efficiency and wear.
    duration_h: float | None = None
    round_trip_eff: float | None = None
    wear_per_kwh: float | None = None
    import_limit_kw: float = 14.5  # 63 A, single phase
    export_limit_kw: float | None = 5.0  # per phase in Australia; none: no limit binds
    homeowner_share: float = 0.8

    def __post_init__(self) -> None:
        """Refuse numbers that make no fleet."""
        if self.homes < 1:
            raise InputError(f"fleet.homes must be at least 1, got {self.homes}.")
        for name in ("battery_share", "solar_share", "homeowner_share"):
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
        for name in ("first_home", "import_limit_kw", "export_limit_kw", "wear_per_kwh"):
            number = getattr(self, name)
            if number is not None and not number >= 0:
                raise InputError(f"fleet.{name} must be 0 or more, got {number}.")


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

    has_battery = draw(Purpose.FLEET_BATTERY_PRESENCE) < spec.battery_share
    battery, reserve_kwh = _sample_battery(spec, home, has_battery)
    has_solar = draw(Purpose.FLEET_SOLAR_PRESENCE) < spec.solar_share
    # AC rating: lognormal DC size (median 6.8 kW, sigma 0.40) over a DC/AC ratio of 1.2.
    solar_kw = (6.8 * torch.exp(0.40 * bell(Purpose.FLEET_SOLAR_SIZE))).clamp(2.0, 20.0) / 1.2
    solar_kw = torch.where(has_solar, solar_kw, torch.zeros_like(solar_kw))
    no_limit_kw = solar_kw + battery.discharge_kw + 1.0
    export_limit_kw = (
        no_limit_kw
        if spec.export_limit_kw is None
        else torch.full_like(solar_kw, spec.export_limit_kw)
    )
    import_limit_kw = torch.full_like(solar_kw, spec.import_limit_kw)
    if spec.export_limit_kw is None:
        # No limit shall bind: room for the battery on top of the largest base load.
        import_limit_kw = import_limit_kw + battery.charge_kw
    agreement = Agreement(
        reserve_kwh,
        import_limit_kw,
        export_limit_kw,
        torch.full_like(solar_kw, spec.homeowner_share),
    )
    load_mean_kw = (0.6 * torch.exp(0.35 * bell(Purpose.FLEET_LOAD_MEAN))).clamp(0.2, 2.0)
    return Fleet(
        home,
        battery,
        solar_kw,
        (draw(Purpose.FLEET_SOLAR_ARCHETYPE) * SOLAR_ARCHETYPES).to(torch.int64),
        load_mean_kw,
        (draw(Purpose.FLEET_LOAD_ARCHETYPE) * LOAD_ARCHETYPES).to(torch.int64),
        agreement,
        duration_class(battery, agreement),
    )


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

    return Fleet(
        cast(fleet.home_id),
        BatteryParams(*(cast(t) for t in fleet.battery)),
        cast(fleet.solar_kw),
        cast(fleet.solar_archetype),
        cast(fleet.load_mean_kw),
        cast(fleet.load_archetype),
        Agreement(*(cast(t) for t in fleet.agreement)),
        cast(fleet.cohort),
    )
