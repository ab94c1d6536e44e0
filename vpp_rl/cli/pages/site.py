"""What documents batteries, solar systems and cars, which each have a place of their own."""

from vpp_envs import charging, kernels, simulator
from vpp_envs.devices import battery, cycles, degradation, ev, inverter, solar
from vpp_envs.dispatch import envelope, ev_envelope, guarantee, moment, shared_limit
from vpp_envs.fleet import connection, depots, sampling
from vpp_envs.fleet.agreement import Agreement, EvAgreement
from vpp_envs.fleet.cohorts import BATTERY_COHORTS, EV_COHORTS, duration_class, ev_class
from vpp_envs.fleet.fleet import EvFleet, Fleet
from vpp_envs.fleet.state import FleetState
from vpp_envs.observation import car_sums, fleet_features
from vpp_envs.signals.synthetic import driving, duty, outings
from vpp_rl.cli.pages import shared
from vpp_rl.cli.pages.page import Argument, Fields, Page, Sections, Sources, Text


def battery_page() -> Page:
    """What documents batteries."""
    outcome = ("energy_kwh", "battery_kw", "repair_kwh", "below_reserve_kwh", "site_excess_kw")
    sections: Sections = {
        shared.WHAT: (Text(battery), Text(envelope), Text(inverter), Text(degradation)),
        shared.PARAMETERS: (Fields(battery.BatteryParams),),
        shared.PROMISE: (Fields(Agreement),),
        shared.STATE: (Fields(FleetState, ("energy_kwh",)),),
        shared.ENVELOPE: (
            Text(envelope.battery_range),
            Text(envelope.battery_envelope),
            Fields(envelope.Envelope),
        ),
        shared.STEP: (
            Text(battery.stored_change_kwh),
            Text(simulator.step_site),
            Fields(simulator.Outcome, (*outcome, "broken")),
        ),
        shared.ALONE: (Text(envelope.neutral),),
        shared.SEEN: shared.seen("battery", fleet_features),
        shared.COMMANDS: shared.commands("battery"),
        shared.CLASSES: (Text(duration_class), shared.classes(BATTERY_COHORTS)),
        shared.SAMPLING: (
            shared.sampled_at_the_meter(
                "battery_share", "duration_h", "round_trip_eff", "wear_per_kwh"
            ),
        ),
        shared.SOURCES: (
            Sources(
                (battery, cycles, degradation, inverter),
                ((sampling, ("PRODUCTS", "_UNIT_SHARES", "_RESERVES")),),
            ),
        ),
    }
    return Page("Battery", shared.line_of(battery), sections)


def solar_page() -> Page:
    """What documents solar systems: they have neither a state nor classes of their own."""
    mountings = (
        ("on the roof", solar.ROOF_MOUNTED),
        ("open rack", solar.OPEN_RACK),
        ("insulated back", solar.INSULATED_BACK),
    )
    sections: Sections = {
        shared.WHAT: (Text(solar),),
        shared.PARAMETERS: (
            Fields(Fleet, ("solar_kw", "solar_archetype")),
            Fields(solar.PanelMounting, records=mountings),
        ),
        shared.PROMISE: (shared.CONNECTION,),
        shared.STATE: (Fields(moment.Moment, ("solar_available_kw",)),),
        shared.ENVELOPE: (Text(envelope.solar_ceiling), Text(moment.allowed_solar_kw)),
        shared.STEP: (
            Text(solar.cell_temperature_c),
            Text(solar.dc_power_pu),
            Text(solar.inverter_ac_pu),
            Text(solar.available_kw),
            Fields(simulator.Outcome, ("solar_output_kw",)),
        ),
        shared.ALONE: (
            Fields(simulator.SetPoints, ("solar_output_kw",)),
            Text(envelope.solar_ceiling),
        ),
        shared.SEEN: shared.seen("solar", fleet_features),
        shared.COMMANDS: shared.commands("solar"),
        shared.SAMPLING: (shared.sampled_at_the_meter("solar_share"),),
        shared.SOURCES: (Sources((solar,)),),
    }
    return Page("Solar", shared.line_of(solar), sections)


def ev_page() -> Page:
    """What documents cars."""
    sections: Sections = {
        shared.WHAT: (Text(ev), Text(ev_envelope), Text(driving)),
        shared.PARAMETERS: (Fields(ev.EvParams), Fields(EvFleet)),
        shared.PROMISE: (Fields(EvAgreement), shared.CONNECTION),
        shared.STATE: (Fields(ev.EvState), Fields(ev.Session)),
        shared.ENVELOPE: (
            Text(ev_envelope.ev_range),
            Text(ev_envelope.beside_site),
            Fields(ev_envelope.EvEnvelope),
        ),
        shared.STEP: (
            Text(charging.step_cars),
            Text(ev.most_charge_kw),
            Text(ev.charged_kwh),
            Fields(charging.EvOutcome),
        ),
        shared.ALONE: (
            Argument(charging.step_cars, "asked_kw"),
            Text(ev_envelope.by_habit_kw),
            Text(kernels.rests_now),
            Fields(ev_envelope.EvEnvelope, ("alone_kw",)),
        ),
        shared.SEEN: shared.seen("ev", car_sums),
        shared.COMMANDS: shared.commands("ev"),
        shared.CLASSES: (Text(ev_class), shared.classes(EV_COHORTS)),
        shared.SAMPLING: (
            shared.sampled_at_the_meter(
                "ev_share",
                "v2g_share",
                "managed_share",
                "ev_midnight_share",
                "ev_last_moment_share",
            ),
            Fields(outings.Driving, (), (("value", outings.RESIDENTIAL),)),
        ),
        shared.SOURCES: (
            Sources(
                (ev, ev_envelope, charging, driving, outings),
                ((sampling, ("CARS",)), (ev, ("LEAST_CHARGE_KW", "TAPER_FILL"))),
            ),
        ),
    }
    return Page("Electric car", shared.line_of(ev), sections)


def depot_page() -> Page:
    """What documents depots, whose vehicles are cars that share a connection."""
    vehicles = tuple((name.replace("_", " "), kind) for name, kind in depots.VEHICLES.items())
    duties = tuple((name.replace("_", " "), one) for name, one in duty.DUTIES.items())
    sections: Sections = {
        shared.WHAT: (Text(depots), Text(duty), Text(connection)),
        shared.PARAMETERS: (
            Fields(connection.SharedConnection),
            Fields(depots.Vehicle, records=vehicles),
            Fields(duty.Duty, ("trips_h", "spread_h", "km"), duties),
        ),
        shared.PROMISE: (Text(guarantee), Fields(EvAgreement)),
        shared.STATE: (Fields(ev.EvState, ("sure_kw",)), Fields(ev.Session, ("waits_h",))),
        shared.ENVELOPE: (Text(shared_limit), Text(ev_envelope.ev_range)),
        shared.STEP: (
            Text(simulator.step_site),
            Text(guarantee.guaranteed_kw),
            Text(guarantee.needed_power_kw),
            Fields(charging.EvOutcome, ("infeasible_kwh", "site_short_kwh")),
        ),
        shared.ALONE: (Text(ev_envelope.charging_at_once_kw),),
        shared.SEEN: shared.seen("ev", car_sums),
        shared.COMMANDS: shared.commands("ev"),
        shared.CLASSES: (Text(ev_class), shared.classes(EV_COHORTS)),
        shared.SAMPLING: (
            shared.sampled(
                "depot_share",
                "depot_kind",
                "depot_vehicles",
                "depot_power_share",
                "depot_charger_share",
                "transformer_homes",
                "transformer_kw",
                "v2g_share",
            ),
        ),
        shared.SOURCES: (Sources((depots, duty, guarantee), ((depots, ("VEHICLES",)),)),),
    }
    return Page("Depot", shared.line_of(depots), sections)
