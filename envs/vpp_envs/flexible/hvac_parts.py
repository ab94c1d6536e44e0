"""What there is to know of houses with machines: constants, promises, state and signals."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.house import HouseParams, Temperatures, Transition
from vpp_envs.devices.hvac import HvacParams, Range
from vpp_envs.flexible.flex import Edges, Served


class HvacCohort(NamedTuple):
    """A class of houses by the time that their warmth lasts, named in observations and actions."""

    name: str
    full_h: float  # at rated power from one edge of the band to the other [h]
    decay_per_h: float  # of what is stored [1/h]
    hold_k: float  # difference to outdoors that needs all of the rated power [K]


HVAC_COHORTS = (
    HvacCohort("hvac_short", 0.6, 0.33, 22.0),
    HvacCohort("hvac_medium", 0.8, 0.18, 26.0),
    HvacCohort("hvac_long", 0.8, 0.11, 35.0),
)
CLASS_EDGES_H = (4.0, 7.0)  # of the time constant


class HvacAgreement(NamedTuple):
    """The comfort that was promised, one column per home, (N,)."""

    cool_set_c: Tensor  # thermostat, cooling [C]
    heat_set_c: Tensor  # thermostat, heating, below it [C]
    setback_k: Tensor  # how much warmer (cooling) or colder (heating) it may get [K]
    prepare_k: Tensor  # how far beyond its set-point it may pre-cool or pre-heat [K]
    away_k: Tensor  # how much further set-points move apart while nobody is at home [K]
    margin_k: Tensor  # kept inside the band for what the next step may bring [K]
    managed: Tensor  # 1: others may choose within the band; 0: the thermostat alone


class HvacFleet(NamedTuple):
    """Constants of the houses and machines of N homes; a home without one has size 0."""

    house: HouseParams
    params: HvacParams
    rated_kw: Tensor  # most that the machine draws at the design temperatures, (N,) [kW]
    aperture_m2: Tensor  # sun through windows per sun on the horizontal, (N,) [m2]
    gain_kw: Tensor  # mean heat of people and appliances, (N,) [kW]
    rest_h: Tensor  # a compressor stays off at least so long, (N,) [h]
    run_h: Tensor  # and on, (N,) [h]
    deadband_k: Tensor  # of the thermostat, both sides together, (N,) [K]
    agreement: HvacAgreement
    archetype: Tensor  # column of the tables of people, (N,) int64
    cohort: Tensor  # class, -1 without one or one that is not managed, (N,) int64


class HouseState(NamedTuple):
    """State of houses and their machines, (..., N)."""

    air_c: Tensor  # indoors [C]
    mass_c: Tensor  # of walls, floors and furniture [C]
    on: Tensor  # 1 while the machine runs
    since_h: Tensor  # since it was switched [h]


class HvacState(NamedTuple):
    """State of the houses and of their twins, which make the same promises and nobody commands."""

    house: HouseState
    alone: HouseState


class HvacTables(NamedTuple):
    """Weather and people by tick, and values by issue."""

    air_c: Tensor  # outdoors, (T, 1) [C]
    sun_kw_per_m2: Tensor  # on the horizontal, (T, 1) [kW/m2]
    gain_pu: Tensor  # heat of people and appliances, (T, K) [per unit of a home's mean]
    away: Tensor  # how far set-points have moved apart, (T, K) [0 to 1]
    curve: Tensor  # worth of a kWh by class and fill, (I, C, F) [currency/kWh]


class Gains(NamedTuple):
    """Heat of sun, people and appliances, (..., N). [kW]"""

    air_kw: Tensor  # into the air
    mass_kw: Tensor  # into the mass


class HouseCourse(NamedTuple):
    """The step ahead of houses with their machines off, and what these can do, (..., N)."""

    state: HouseState  # from which
    free: Temperatures  # at the end, machine off
    rest: Temperatures  # equilibrium of the step, machine off
    over: Transition  # of the step
    cools: Tensor  # the machine's mode, bool
    able: Range
    most_kw: Tensor  # that the machine can draw [kW]
    rise_k_per_kw: Tensor  # of the air at the end, per kW of heat [K/kW]
    inner_c: Tensor  # how far pre-cooling or pre-heating may go [C]


class HouseAhead(NamedTuple):
    """The step ahead of houses, foreseen once for all who ask, (..., N)."""

    course: HouseCourse
    edges: Edges
    least_kw: Tensor  # it runs at this power or not at all, 0: at any [kW]


class HvacMoment(NamedTuple):
    """State and signals of one step, (..., N)."""

    outdoor_c: Tensor  # [C]
    gains: Gains
    away: Tensor  # [0 to 1]
    ahead: HouseAhead  # of the homes and of their twins, (2, ..., N)
    curve: Tensor  # (..., C, F) [currency/kWh]


class HvacOutcome(NamedTuple):
    """What happened in one step, (..., N)."""

    state: HvacState
    served: Served
    heat_kwh: Tensor  # of machine and burner into the air, negative when cooling [kWh]
    lost_kwh: Tensor  # through the envelope [kWh]
    gained_kwh: Tensor  # from sun, people and appliances [kWh]
    discomfort_k_h: Tensor  # beyond a kelvin from the set-points, in degree-hours [K h]
    short_k_h: Tensor  # outside the band with the machine at its limit [K h]
