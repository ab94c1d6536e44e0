"""What there is to know of machines with jobs: constants, promises, state and signals."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.appliance import ApplianceParams, Jobs
from vpp_envs.flexible.flex import Served


class ApplianceCohort(NamedTuple):
    """A class of machines, named in observations and actions."""

    name: str
    job_h: float  # how long a typical job runs [h]
    slack_h: float  # slack at the last point of its value curve [h]


class ApplianceType(NamedTuple):
    """What the machines of one type have in common, and when people use them."""

    number: int  # among the types: a word of its draws
    cohort: ApplianceCohort
    block_kw: tuple[float, ...]  # mean power of each block of a typical job [kW]
    block_h: float  # length of a block [h]
    pausable_from: float  # share of the job from which it may pause; 1: never once started
    energy_kwh: tuple[float, float]  # least and most of a job [kWh]
    length_h: tuple[float, float]  # shortest and longest job [h]
    runs_per_day: float  # jobs on a mean day
    morning_h: tuple[float, float]  # mean and deviation, by the clock on the wall [h]
    evening_h: tuple[float, float]  # the same of evenings [h]
    morning_share: float  # of the jobs; the others come in the evening
    due_h: tuple[float, float]  # people want it done so long after they load it, uniform [h]


# Energy, length, power: ranges of published cycles, of which these profiles are made. Times of day
# and runs a day: of wet appliances in NREL's OCHRE. The rest is assumed.
APPLIANCES: dict[str, ApplianceType] = {
    # Two heating blocks, between them and after them pumps.
    "dishwasher": ApplianceType(
        0,
        ApplianceCohort("dishwasher", 2.0, 8.0),
        (0.15,) * 2 + (1.5,) * 4 + (0.15,) * 8 + (1.5,) * 4 + (0.15,) * 6,
        1.0 / 12.0,
        1.0,
        (1.0, 1.4),
        (100.0 / 60.0, 150.0 / 60.0),
        0.9,
        (9.0, 0.5),
        (20.0, 1.5),
        0.55,
        (2.0, 10.0),
    ),
    # A warm wash: some heat at first, then the motor.
    "washer": ApplianceType(
        1,
        ApplianceCohort("washer", 50.0 / 60.0, 9.0),
        (0.8,) * 2 + (0.4,) * 8,
        1.0 / 12.0,
        1.0,
        (0.3, 0.6),
        (40.0 / 60.0, 60.0 / 60.0),
        0.6,
        (7.5, 1.0),
        (19.5, 2.0),
        0.3,
        (2.0, 10.0),
    ),
    # High heat: the heater runs through at first, then cycles; the drum alone draws 0.25 kW.
    "dryer": ApplianceType(
        2,
        ApplianceCohort("dryer", 0.5, 9.5),
        (5.6, 5.6, 4.6, 3.2, 2.2, 1.0),
        1.0 / 12.0,
        1.0 / 3.0,
        (1.5, 1.9),
        (29.0 / 60.0, 39.0 / 60.0),
        0.6,
        (8.0, 1.0),
        (21.5, 2.0),
        0.6,
        (2.0, 10.0),
    ),
    # One block: it draws the same from beginning to end. Its owner's timer says when the day's job
    # comes; by midnight it is due.
    "pool_pump": ApplianceType(
        3,
        ApplianceCohort("pool_pump", 6.0, 10.0),
        (1.35,),
        6.0,
        0.0,
        (4.4, 12.8),
        (4.0, 8.0),
        1.0,
        (7.5, 0.75),
        (7.5, 0.75),
        1.0,
        (0.0, 0.0),
    ),
}
APPLIANCE_COHORTS: tuple[ApplianceCohort, ...] = tuple(one.cohort for one in APPLIANCES.values())


class ApplianceAgreement(NamedTuple):
    """What was promised, (N,): every job that had time enough is done by its deadline."""

    managed: Tensor  # 1: others may choose when a job starts; 0: it starts at once


class ApplianceFleet(NamedTuple):
    """Constants of one type of machine in N homes; a home without one has size 0."""

    params: ApplianceParams
    rated_kw: Tensor  # of the block that draws most, (N,) [kW]
    full_slack_h: Tensor  # slack at the last point of its class's value curve, (N,) [h]
    agreement: ApplianceAgreement
    archetype: Tensor  # column of the table of jobs, (N,) int64
    cohort: Tensor  # class: 0, or -1 without one or one that is not managed, (N,) int64


class ApplianceState(NamedTuple):
    """Jobs of the machines, and of twins that start every job at once, (..., N)."""

    jobs: Jobs
    alone: Jobs


class ApplianceTables(NamedTuple):
    """Jobs by tick, and values by issue."""

    due_h: Tensor  # a job comes, due in so many hours; 0: none, (T, K) [h]
    curve: Tensor  # worth of a kWh by class and fill, (I, C, F) [currency/kWh]


class ApplianceMoment(NamedTuple):
    """State and signals of one step, (..., N)."""

    jobs: Jobs  # with those that come at the start of the step; of homes and twins, (2, ..., N)
    block_kw: Tensor  # if they work on them, (2, ..., N) [kW]
    comes: Tensor  # 1: one comes
    curve: Tensor  # (..., C, F) [currency/kWh]


class ApplianceOutcome(NamedTuple):
    """What happened in one step, (..., N)."""

    state: ApplianceState
    served: Served
    came: Tensor  # jobs that people had
    started: Tensor  # jobs
    finished: Tensor  # jobs
    late: Tensor  # jobs whose deadline passed undone: those that came with too little time
    queued_h: Tensor  # that jobs waited or paused, those behind another included [h]
    interrupted: Tensor  # machines that stopped where they may not pause: none
