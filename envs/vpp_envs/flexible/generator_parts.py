"""What there is to know of back-up generators: constants, permits, state and signals."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.generator import GeneratorParams
from vpp_envs.flexible.flex import Served


class GeneratorCohort(NamedTuple):
    """A class of engines, named in observations and actions."""

    name: str
    cost_per_kwh: float  # of a typical one at full load, without its start [currency/kWh]


GENERATOR_COHORTS = (
    GeneratorCohort("generator_gas", 0.27),
    GeneratorCohort("generator_diesel", 0.48),
)


class GeneratorAgreement(NamedTuple):
    """What the engine may be used for and what it must be spared, (N,)."""

    permitted_for_dr: Tensor  # 1: its permit allows it to run for others; 0: in an outage alone
    cap_h: Tensor  # hours that it may run while the grid is there, of a year [h]
    run_h: Tensor  # once started it runs at least so long [h]
    rest_h: Tensor  # once stopped it rests at least so long [h]


class GeneratorFleet(NamedTuple):
    """Constants of the engines of N homes; a home without one has size 0."""

    params: GeneratorParams
    rated_kw: Tensor  # its output at full load, (N,) [kW]
    price_per_l: Tensor  # of fuel, (N,) [currency/L]
    upkeep_per_kwh: Tensor  # of the engine, (N,) [currency/kWh]
    start_cost: Tensor  # fuel and wear of a start, (N,) [currency]
    agreement: GeneratorAgreement
    archetype: Tensor  # column of the tables: 0, (N,) int64
    cohort: Tensor  # class, -1 without one or one that may not run for others, (N,) int64


class GeneratorState(NamedTuple):
    """State of the engines, (..., N). A twin that nobody asks stands still."""

    on: Tensor  # 1 while it runs
    since_s: Tensor  # since it was started or stopped, a million at most [s]
    for_others: Tensor  # 1: this run counts; 0: it stands, or an outage began the run
    run_s: Tensor  # of this year that counts [s]
    fuel_l: Tensor  # in the tank [L]


class GeneratorTables(NamedTuple):
    """The grid by tick, and values by issue."""

    outage: Tensor  # 1: there is no grid, (T, 1)
    curve: Tensor  # what a kWh costs a class, (I, C, F) [currency/kWh]


class GeneratorMoment(NamedTuple):
    """State and signals of one step, (..., N)."""

    state: GeneratorState
    outage: Tensor  # 1: there is no grid
    curve: Tensor  # (..., C, F) [currency/kWh]


class GeneratorOutcome(NamedTuple):
    """What happened in one step, (..., N)."""

    state: GeneratorState
    served: Served
    output_kwh: Tensor  # generated [kWh]
    fuel_l: Tensor  # burnt [L]
    starts: Tensor  # of engines that stood still
    run_h: Tensor  # that it ran [h]
    co2_kg: Tensor  # of the fuel burnt [kg]
