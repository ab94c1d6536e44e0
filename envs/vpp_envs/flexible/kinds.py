"""The flexible devices that homes may have, in the order in which they are always named."""

from typing import Any, NamedTuple

from torch import Tensor

from vpp_envs.flexible import appliance, generator, hvac, water_heater
from vpp_envs.flexible.appliance_parts import (
    APPLIANCES,
    ApplianceFleet,
    ApplianceMoment,
    ApplianceOutcome,
    ApplianceState,
    ApplianceTables,
)
from vpp_envs.flexible.flex import Flex
from vpp_envs.flexible.generator_parts import (
    GeneratorFleet,
    GeneratorMoment,
    GeneratorOutcome,
    GeneratorState,
    GeneratorTables,
)
from vpp_envs.flexible.hvac_parts import (
    HvacFleet,
    HvacMoment,
    HvacOutcome,
    HvacState,
    HvacTables,
)
from vpp_envs.flexible.water_heater_parts import (
    WaterHeaterFleet,
    WaterHeaterMoment,
    WaterHeaterOutcome,
    WaterHeaterState,
    WaterHeaterTables,
)


class FlexibleFleet(NamedTuple):
    """Constants of the flexible devices, (N,); a kind that no home has is None."""

    water_heater: WaterHeaterFleet | None = None
    hvac: HvacFleet | None = None
    dishwasher: ApplianceFleet | None = None
    washer: ApplianceFleet | None = None
    dryer: ApplianceFleet | None = None
    pool_pump: ApplianceFleet | None = None
    generator: GeneratorFleet | None = None


class FlexibleState(NamedTuple):
    """State of the flexible devices, (..., N)."""

    water_heater: WaterHeaterState | None = None
    hvac: HvacState | None = None
    dishwasher: ApplianceState | None = None
    washer: ApplianceState | None = None
    dryer: ApplianceState | None = None
    pool_pump: ApplianceState | None = None
    generator: GeneratorState | None = None


class FlexibleTables(NamedTuple):
    """What a scenario knows about them by tick, and what their energy is worth by issue."""

    water_heater: WaterHeaterTables | None = None
    hvac: HvacTables | None = None
    dishwasher: ApplianceTables | None = None
    washer: ApplianceTables | None = None
    dryer: ApplianceTables | None = None
    pool_pump: ApplianceTables | None = None
    generator: GeneratorTables | None = None


class FlexibleMoment(NamedTuple):
    """State and signals of the flexible devices at one step, (..., N)."""

    water_heater: WaterHeaterMoment | None = None
    hvac: HvacMoment | None = None
    dishwasher: ApplianceMoment | None = None
    washer: ApplianceMoment | None = None
    dryer: ApplianceMoment | None = None
    pool_pump: ApplianceMoment | None = None
    generator: GeneratorMoment | None = None


class FlexibleOutcome(NamedTuple):
    """What happened to the flexible devices in one step, (..., N)."""

    water_heater: WaterHeaterOutcome | None = None
    hvac: HvacOutcome | None = None
    dishwasher: ApplianceOutcome | None = None
    washer: ApplianceOutcome | None = None
    dryer: ApplianceOutcome | None = None
    pool_pump: ApplianceOutcome | None = None
    generator: GeneratorOutcome | None = None


KINDS = FlexibleFleet._fields
MODULES: dict[str, Any] = {
    "water_heater": water_heater,
    "hvac": hvac,
    **dict.fromkeys(APPLIANCES, appliance),
    "generator": generator,
}


def present(fleet: FlexibleFleet | None) -> tuple[str, ...]:
    """Names of the kinds that some home has, in order."""
    if fleet is None:
        return ()
    return tuple(kind for kind in KINDS if getattr(fleet, kind) is not None)


def flexible_moment(
    state: FlexibleState, rows: FlexibleTables, fleet: FlexibleFleet, dt_h: float
) -> FlexibleMoment:
    """Scale the rows of the tables to the homes, kind by kind.

    Args:
        state: Of the devices, (B, N).
        rows: One row of the tables a scenario, (B, K).
        fleet: Constants, (N,) or (B, N).
        dt_h: Length of the step. [h]
    """
    return FlexibleMoment(
        **{
            kind: MODULES[kind].moment_of(
                getattr(state, kind), getattr(rows, kind), getattr(fleet, kind), dt_h
            )
            for kind in present(fleet)
        }
    )


def first_flexible(
    share: Tensor, rows: FlexibleTables, fleet: FlexibleFleet, dt_h: float
) -> FlexibleState:
    """Flexible devices at the start of episodes.

    Args:
        share: Where in its band each begins, (B, N). [0 to 1]
        rows: Of the first tick, (B, K).
        fleet: Constants, (N,) or (B, N).
        dt_h: Length of a step. [h]
    """
    return FlexibleState(
        **{
            kind: MODULES[kind].first_state(share, getattr(rows, kind), getattr(fleet, kind), dt_h)
            for kind in present(fleet)
        }
    )


def flexes(moment: FlexibleMoment, fleet: FlexibleFleet, dt_h: float) -> list[Flex]:
    """What each kind that is present tells dispatch, in order.

    Args:
        moment: State and signals, (..., N).
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    return [
        MODULES[kind].flex(getattr(moment, kind), getattr(fleet, kind), dt_h)
        for kind in present(fleet)
    ]


def step_kind(
    kind: str,
    asked_kw: Tensor,
    around: Flex,
    moment: FlexibleMoment,
    fleet: FlexibleFleet,
    dt_h: float,
    out: Tensor | None = None,
) -> Any:  # noqa: ANN401 - each kind has its own outcome
    """Advance one kind by one step.

    Args:
        kind: One of `KINDS`, present.
        asked_kw: Power asked of each device, NaN = nobody asks, (..., N). [kW]
        around: The devices at this moment, narrowed by the home's connection.
        moment: State and signals of all kinds.
        fleet: Constants of all kinds.
        dt_h: Length of the step. [h]
        out: 1 where the grid is away, (..., N); none: it never is.
    """
    parts = getattr(moment, kind), getattr(fleet, kind)
    return MODULES[kind].step(asked_kw, around, *parts, dt_h, out)


def stored_kwh(moment: FlexibleMoment, fleet: FlexibleFleet) -> list[Tensor]:
    """Electricity that each kind that is present has drawn ahead, (..., N). [kWh]

    Args:
        moment: State and signals of all kinds.
        fleet: Constants of all kinds.
    """
    return [
        MODULES[kind].stored_kwh(getattr(moment, kind), getattr(fleet, kind))
        for kind in present(fleet)
    ]


def cohorts(fleet: FlexibleFleet | None) -> list[Tensor]:
    """Class of each device of each kind that is present, in order, (N,) int64 each."""
    return [getattr(fleet, kind).cohort for kind in present(fleet)]


def rated_of_kinds_kw(fleet: FlexibleFleet) -> list[Tensor]:
    """Rated power of each kind that is present, in order, (N,) each. [kW]

    Written out, because an exported controller is scripted from it. An engine that may not run for
    others is none of the plant's.
    """
    rated: list[Tensor] = []
    tanks, houses, engines = fleet.water_heater, fleet.hvac, fleet.generator
    if tanks is not None:
        rated.append(tanks.rated_kw)
    if houses is not None:
        rated.append(houses.rated_kw)
    machines: list[ApplianceFleet | None] = [fleet.dishwasher, fleet.washer, fleet.dryer]
    machines.append(fleet.pool_pump)
    for machine in machines:
        if machine is not None:
            rated.append(machine.rated_kw)  # noqa: PERF401 - scripted
    if engines is not None:
        rated.append(engines.rated_kw * (engines.cohort >= 0))
    return rated
