"""What documents the flexible devices: their own parts, and what all kinds share."""

from types import ModuleType

from vpp_envs.devices import appliance as machine
from vpp_envs.devices import cta2045, house
from vpp_envs.devices import generator as engine
from vpp_envs.devices import hvac as pump
from vpp_envs.devices import tank as two_layers
from vpp_envs.devices import water_heater as tank
from vpp_envs.fleet import (
    appliance_sampling,
    generator_sampling,
    hvac_sampling,
    water_heater_sampling,
)
from vpp_envs.flexible import (
    appliance,
    appliance_parts,
    flex,
    generator,
    generator_parts,
    hvac,
    hvac_parts,
    water_heater,
    water_heater_layers,
    water_heater_parts,
    water_heater_thermostat,
)
from vpp_envs.flexible.appliance_parts import APPLIANCES, ApplianceType
from vpp_envs.flexible.kinds import MODULES
from vpp_envs.flexible_tables import COHORTS
from vpp_envs.observation import flexible_sums
from vpp_envs.signals.synthetic import appliance_use, hot_water, occupancy
from vpp_rl.cli.pages import shared
from vpp_rl.cli.pages.page import Argument, Fields, Page, Sections, Sources, Text

_HEADINGS = (
    *(shared.WHAT, shared.PARAMETERS, shared.PROMISE, shared.STATE, shared.ENVELOPE, shared.STEP),
    *(shared.ALONE, shared.SEEN, shared.COMMANDS, shared.CLASSES, shared.SAMPLING, shared.SOURCES),
)
_EDGES = ("low_kw", "high_kw", "least_kw", "fill", "value_per_kwh")


def water_heater_page() -> Page:
    """What documents water heaters."""
    parts, thermostat, layers = water_heater_parts, water_heater_thermostat, water_heater_layers
    physics = (tank, two_layers, cta2045)
    chain = (water_heater, layers, thermostat, parts)
    sources = (*physics, *chain, water_heater_sampling, hot_water)
    own: Sections = {
        shared.WHAT: (Text(tank), Text(two_layers), Text(water_heater), Text(layers)),
        shared.PARAMETERS: (Fields(tank.WaterHeaterParams), Fields(parts.WaterHeaterFleet)),
        shared.PROMISE: (Fields(parts.WaterHeaterAgreement),),
        shared.STATE: (
            Fields(parts.WaterHeaterState),
            Fields(parts.TankState),
            Fields(parts.WaterHeaterTables),
        ),
        shared.ENVELOPE: (
            Text(water_heater.foresee),
            Text(water_heater.floor_of_c),
            Text(water_heater.is_due),
            _private(water_heater, "_on_or_off"),
            *(Text(cta2045), Text(thermostat)),
            *(Text(cta2045.critical_peak), Text(cta2045.advanced_load_up)),
        ),
        shared.STEP: (
            *(Text(tank.flow), Text(tank.passage), Text(tank.heater_now)),
            *(Text(two_layers.step_layers), Text(layers.pass_layers)),
            Fields(parts.WaterHeaterOutcome),
        ),
        shared.ALONE: (Text(thermostat.thermostat_kw),),
        shared.SAMPLING: (
            shared.sampled(
                *("water_heater_share", "heat_pump_water_share", "messages_water_share"),
                *("layered_water", "thermostat_share"),
            ),
            Text(water_heater_sampling.sample_water_heaters),
        ),
        shared.SOURCES: (Sources(sources),),
    }
    return _with_shared("water_heater", "Water heater", shared.line_of(water_heater), own)


def hvac_page() -> Page:
    """What documents houses with machines that heat and cool."""
    parts = hvac_parts
    own: Sections = {
        shared.WHAT: (Text(house), Text(pump), Text(hvac)),
        shared.PARAMETERS: (
            *(Fields(house.HouseParams), Fields(pump.HvacParams)),
            Fields(parts.HvacFleet),
        ),
        shared.PROMISE: (Fields(parts.HvacAgreement), Text(hvac.band_c)),
        shared.STATE: (
            *(Fields(parts.HvacState), Fields(parts.HouseState)),
            Fields(parts.HvacTables),
        ),
        shared.ENVELOPE: (
            *(Text(hvac.foresee), _private(hvac, "_inner_c")),
            _private(hvac, "_switched"),
        ),
        shared.STEP: (
            *(Text(house.transition), Text(house.equilibrium), Text(pump.machine_range)),
            Fields(parts.HvacOutcome),
        ),
        shared.ALONE: (_private(hvac, "_thermostat"),),
        shared.SAMPLING: (
            shared.sampled(
                *("hvac_share", "heat_pump_share", "thermostat_share"),
                *("design_summer_c", "design_winter_c"),
            ),
            Text(hvac_sampling.sample_hvac),
        ),
        shared.SOURCES: (Sources((house, pump, hvac, parts, hvac_sampling, occupancy)),),
    }
    return _with_shared("hvac", "Heating and cooling", shared.line_of(hvac), own)


def machine_page(kind: str) -> Page:
    """What documents one type of machine with jobs.

    Args:
        kind: One of `APPLIANCES`.
    """
    parts, one = appliance_parts, APPLIANCES[kind]
    kwh, hours = ("{:.3g} to {:.3g}".format(*span) for span in (one.energy_kwh, one.length_h))
    title = kind.replace("_", " ").capitalize()
    own: Sections = {
        shared.WHAT: (Text(machine), Text(appliance)),
        shared.PARAMETERS: (
            Fields(ApplianceType, records=((kind, one),)),
            *(Fields(machine.ApplianceParams), Fields(parts.ApplianceFleet)),
        ),
        shared.PROMISE: (Fields(parts.ApplianceAgreement),),
        shared.STATE: (
            *(Fields(parts.ApplianceState), Fields(machine.Jobs)),
            Fields(parts.ApplianceTables),
        ),
        shared.ENVELOPE: (Text(machine.slack_s), Text(machine.is_held)),
        shared.STEP: (
            *(Text(machine.arrived), Text(machine.work_kw), Text(machine.advance)),
            Fields(parts.ApplianceOutcome),
        ),
        shared.SAMPLING: (
            shared.sampled(f"{kind}_share", "thermostat_share"),
            Text(appliance_sampling.sample_appliances),
        ),
        shared.SOURCES: (Sources((machine, appliance, parts, appliance_sampling, appliance_use)),),
    }
    summary = f"{title}: a job of {kwh} kWh in {hours} h, {one.runs_per_day:g} a day."
    return _with_shared(kind, title, summary, own)


def generator_page() -> Page:
    """What documents back-up generators."""
    parts = generator_parts
    own: Sections = {
        shared.WHAT: (Text(engine), Text(generator)),
        shared.PARAMETERS: (Fields(engine.GeneratorParams), Fields(parts.GeneratorFleet)),
        shared.PROMISE: (Fields(parts.GeneratorAgreement),),
        shared.STATE: (Fields(parts.GeneratorState), Fields(parts.GeneratorTables)),
        shared.ENVELOPE: (_private(generator, "_limits"), Text(generator.for_outage)),
        shared.STEP: (
            *(Text(engine.fuel_l_per_h), Text(engine.output_for_kw), Text(engine.cost_per_kwh)),
            Fields(parts.GeneratorOutcome),
        ),
        shared.SAMPLING: (
            shared.sampled("generator_share", "generator_permit_share"),
            Text(generator_sampling.sample_generators),
        ),
        shared.SOURCES: (Sources((engine, generator, parts, generator_sampling)),),
    }
    return _with_shared("generator", "Generator", shared.line_of(generator), own)


def _with_shared(kind: str, title: str, summary: str, own: Sections) -> Page:
    """Add to what is a kind's own what every kind that tells dispatch a `Flex` has."""
    module = MODULES[kind]
    first: Sections = {shared.STEP: (Text(module.step),)}
    common: Sections = {
        shared.PROMISE: (shared.CONNECTION,),
        shared.STATE: (Text(module.first_state), Text(module.stored_kwh)),
        shared.ENVELOPE: (Text(module.flex), Text(flex.within_room), Fields(flex.Flex, _EDGES)),
        shared.STEP: (Fields(flex.Served),),
        shared.ALONE: (
            Argument(module.step, "asked_kw"),
            Text(flex.into_flex),
            Fields(flex.Flex, ("alone_kw",)),
        ),
        shared.SEEN: shared.seen(kind, flexible_sums),
        shared.COMMANDS: shared.commands(kind),
        shared.CLASSES: (shared.classes(COHORTS[kind]),),
    }
    sections = {
        name: (*first.get(name, ()), *own.get(name, ()), *common.get(name, ()))
        for name in _HEADINGS
    }
    return Page(title, summary, sections)


def _private(module: ModuleType, name: str) -> Text:
    """What a private function says of itself: it is quoted here and never called."""
    return Text(vars(module)[name])
