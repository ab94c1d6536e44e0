"""What there is to know of water heaters: constants, promises, state and signals."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.water_heater import Draw, Flow, Heater, WaterHeaterParams
from vpp_envs.flexible.flex import Edges, Served
from vpp_envs.flexible.water_heater_layers import LayersAhead


class WaterHeaterCohort(NamedTuple):
    """A class of heaters, named in observations and actions."""

    name: str
    full_h: float  # at rated power from the least to the most that may be stored [h]
    drain: float  # share of rated power that its draws and losses take
    decay_per_h: float  # of what is stored [1/h]


WATER_HEATER_COHORTS = (
    WaterHeaterCohort("water_resistance", 0.75, 0.09, 0.006),
    WaterHeaterCohort("water_heat_pump", 0.8, 0.04, 0.008),
)


class WaterHeaterAgreement(NamedTuple):
    """The hot water that was promised, one column per home, (N,)."""

    least_c: Tensor  # the tank is never colder while the heater can help it [C]
    most_c: Tensor  # nor hotter: the set-point, or more behind a mixing valve [C]
    set_c: Tensor  # of the heater's own thermostat [C]
    deadband_k: Tensor  # it starts so far below [K]
    draw_kwh: Tensor  # heat of a large draw in five minutes (q95), for the margin [kWh]
    managed: Tensor  # 1: others may choose within the band; 0: the thermostat alone
    # Once a week it is so hot: 60 C against Legionella, or the most that it may be if that is less,
    # for want of a mixing valve. [C]
    hot_c: Tensor


class WaterHeaterFleet(NamedTuple):
    """Constants of the heaters of N homes; a home without one has size 0."""

    params: WaterHeaterParams
    rated_kw: Tensor  # pump and element together, (N,) [kW]
    use: Tensor  # hot water per that of its archetype, (N,)
    agreement: WaterHeaterAgreement
    archetype: Tensor  # column of the tables of draws, (N,) int64
    cohort: Tensor  # class, -1 without one or one that is not managed, (N,) int64
    # 1: it hears CTA-2045 messages alone, 0: it takes any power, (N,); none: all do
    messages_only: Tensor | None = None
    layered: Tensor | None = None  # 1: a tank of two layers, 0: of one, (N,); none: all of one


class TankState(NamedTuple):
    """State of tanks, (..., N)."""

    temp_c: Tensor  # of the water, its mean [C]
    # 1 while the thermostat has not reached its set-point; of a heater that hears messages alone,
    # while its contact is closed
    heating: Tensor
    cool_h: Tensor  # since the tank was last as hot as it must be once a week [h]
    ran_h: Tensor  # since the compressor started, kept in steps below five minutes; 0: off [h]
    # by which the upper layer is warmer than the mean; none: no tank has two layers [K]
    above_k: Tensor | None = None


class WaterHeaterState(NamedTuple):
    """State of the tanks and of their twins, which make the same promises and nobody commands."""

    tank: TankState
    alone: TankState


class WaterHeaterTables(NamedTuple):
    """Draws and temperatures by tick, and values by issue."""

    mixed_l: Tensor  # at fixtures, (T, K) [L]
    hot_l: Tensor  # by machines, (T, K) [L]
    mains_c: Tensor  # cold water, (T, 1) [C]
    ambient_c: Tensor  # around the tanks, (T, 1) [C]
    wet_bulb_c: Tensor  # of that air, (T, 1) [C]
    curve: Tensor  # worth of a kWh by class and fill, (I, C, F) [currency/kWh]


class TankAhead(NamedTuple):
    """The step ahead of tanks, foreseen once for all who ask, (..., N)."""

    state: TankState  # from which
    flow: Flow
    heater: Heater
    floor_c: Tensor  # least at the step's end from which the promise survives a large draw [C]
    edges: Edges
    least_kw: Tensor  # it runs at this power or not at all, 0: at any [kW]
    calls: Tensor  # the thermostat calls for heat, bool
    layers: LayersAhead | None = None  # of tanks of two layers; none: there are none


class WaterHeaterMoment(NamedTuple):
    """State and signals of one step, (..., N)."""

    draw: Draw
    ahead: TankAhead  # of the homes' tanks and of their twins, (2, ..., N)
    curve: Tensor  # (..., C, F) [currency/kWh]


class WaterHeaterOutcome(NamedTuple):
    """What happened in one step, (..., N)."""

    state: WaterHeaterState
    served: Served
    heat_kwh: Tensor  # into the water [kWh]
    lost_kwh: Tensor  # to the air around [kWh]
    delivered_kwh: Tensor  # with the water drawn, above mains [kWh]
    cold_kwh: Tensor  # missing at fixtures to 40.6 C [kWh]
    cold_l: Tensor  # drawn at fixtures below 40.6 C [L]
    short_k_h: Tensor  # below the promise with the heater at its limit [K h]
    beyond_k_h: Tensor  # below the promise after a draw larger than was reckoned with [K h]
    overdue_h: Tensor  # beyond a week since the tank was last hot enough [h]
