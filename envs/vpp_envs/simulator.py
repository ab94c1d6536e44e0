"""The only step of the physics: set-points in, outcome out."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.charging import EvOutcome, step_cars
from vpp_envs.communication.visible import asked_of
from vpp_envs.devices.battery import stored_change_kwh
from vpp_envs.dispatch.envelope import Envelope, battery_envelope, neutral
from vpp_envs.dispatch.ev_envelope import rounding
from vpp_envs.dispatch.moment import Moment, allowed_solar_kw, car_envelope, with_load
from vpp_envs.dispatch.shared_limit import within_group
from vpp_envs.fleet.connection import of_group
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.pick import is_nan
from vpp_envs.fleet.state import FleetState
from vpp_envs.flexible.kinds import FlexibleOutcome
from vpp_envs.outage.dark import dark_car, where_out
from vpp_envs.outage.island import Island, step_island
from vpp_envs.people.felt import felt_of
from vpp_envs.people.residents import Residents, closed
from vpp_envs.people.step import Reaction
from vpp_envs.serving import drawn_kw, flexible_state, promises_broken, serve_flexible


class SetPoints(NamedTuple):
    """What a controller asks of each home for one step, (..., N)."""

    battery_kw: Tensor  # AC power, charging positive [kW]
    solar_output_kw: Tensor  # most that the solar system may produce [kW]
    ev_kw: Tensor | None = None  # AC power of the car; none, or NaN: it is left alone [kW]
    # AC power of each kind of flexible device; none, or NaN: it is left alone [kW]
    flexible_kw: list[Tensor] | None = None


class Outcome(NamedTuple):
    """What happened in one step, (..., N)."""

    energy_kwh: Tensor  # stored energy at the end [kWh]
    battery_kw: Tensor  # served power, charging positive [kW]
    solar_output_kw: Tensor  # served solar output [kW]
    net_kw: Tensor  # at the meter, import positive [kW]
    repair_kwh: Tensor  # energy written back against rounding, at the reserve or at the top [kWh]
    below_reserve_kwh: Tensor  # still missing to a reserve that was raised above the store [kWh]
    site_excess_kw: Tensor  # import beyond the limit that the site's own load forces [kW]
    broken: Tensor  # an agreement was broken, bool: never true, and checked here all the same
    ev: EvOutcome | None = None  # of the cars, if any home has one
    flexible: FlexibleOutcome | None = None  # of flexible devices, if any home has one
    out: Tensor | None = None  # 1 where the grid is away; none: it never is
    island: Island | None = None  # what all homes are without the grid, and some were
    residents: Residents | None = None  # the owners at the end; none: nobody is asked
    reaction: Reaction | None = None  # what they did

    def state(self) -> FleetState:
        """State of the homes at the end of the step."""
        cars, flexible = self.ev, self.flexible
        return FleetState(
            self.energy_kwh,
            None if cars is None else cars.state,
            None if flexible is None else flexible_state(flexible),
            self.residents,
        )


def step_site(set_points: SetPoints, moment: Moment, fleet: Fleet, dt_h: float) -> Outcome:
    """Advance all homes by one step of constant power.

    Set-points come out of the envelope already; a number outside it, or none at all (NaN), is
    still served at the nearest edge, or as if the device were left alone. At the home's connection
    what must run comes first, then the flexible devices, then the car, whose driver leaves at an
    hour, and last the battery, which can wait.

    A home that cannot be commanded is left alone, whatever is asked. One without the grid is an
    island. In the end owners react to what they felt.

    Args:
        set_points: Battery power, solar ceiling and the car's power, (..., N).
        moment: State and signals, (..., N).
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    if moment.may is not None:
        set_points = _heard(set_points, moment.may)
    outcome = _step_at_grid(set_points, moment, fleet, dt_h)
    if fleet.shared is not None:
        outcome = _step_in_groups(outcome, set_points, moment, fleet, dt_h)
    if moment.out is not None:
        outcome = _islanded(outcome, moment.out, moment, fleet, dt_h)
    if moment.residents is not None and fleet.people is not None:
        happened = moment.flexible, outcome.flexible, outcome.ev
        felt = felt_of(outcome.net_kw, *happened, fleet)
        residents, reaction = closed(moment.residents, fleet.people, felt, dt_h)
        outcome = outcome._replace(residents=residents, reaction=reaction)
    return outcome


def _heard(set_points: SetPoints, may: Tensor) -> SetPoints:
    """Set-points without those of homes that cannot be commanded."""
    ev_kw, flexible_kw = set_points.ev_kw, set_points.flexible_kw
    return SetPoints(
        asked_of(set_points.battery_kw, may),
        asked_of(set_points.solar_output_kw, may),
        None if ev_kw is None else asked_of(ev_kw, may),
        None if flexible_kw is None else [asked_of(kw, may) for kw in flexible_kw],
    )


def _islanded(lit: Outcome, out: Tensor, moment: Moment, fleet: Fleet, dt_h: float) -> Outcome:
    """Where the grid is away, take what homes do as islands; devices but engines stood still.

    Args:
        lit: What happened with the grid, (..., N).
        out: 1 where it is away, (..., N).
        moment: State and signals, (..., N).
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    none, engine_kw = torch.zeros_like(lit.net_kw), torch.zeros_like(lit.net_kw)
    engines = None if lit.flexible is None else lit.flexible.generator
    if engines is not None:
        engine_kw = -engines.served.power_kw
    own_kw = moment.load_kw, moment.solar_available_kw, engine_kw
    island = step_island(moment.energy_kwh, *own_kw, fleet.battery, dt_h)
    return lit._replace(
        energy_kwh=where_out(out, island.energy_kwh, lit.energy_kwh),
        battery_kw=where_out(out, island.battery_kw, lit.battery_kw),
        solar_output_kw=where_out(out, island.solar_output_kw, lit.solar_output_kw),
        net_kw=where_out(out, none, lit.net_kw),
        repair_kwh=where_out(out, none, lit.repair_kwh),
        below_reserve_kwh=where_out(out, none, lit.below_reserve_kwh),
        site_excess_kw=where_out(out, none, lit.site_excess_kw),
        # What an outage takes is nobody's fault.
        broken=lit.broken & (out <= 0),
        out=out,
        island=island,
    )


def _step_in_groups(
    alone: Outcome, set_points: SetPoints, moment: Moment, fleet: Fleet, dt_h: float
) -> Outcome:
    """Advance all homes within the connections that they share.

    Args:
        alone: What would happen if nobody shared one, (..., N).
        set_points: What is asked.
        moment: State and signals, (..., N).
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    shared = fleet.shared
    assert shared is not None
    agreement = within_group(alone.net_kw, alone.solar_output_kw, moment, fleet, dt_h)
    outcome = _step_at_grid(set_points, moment, fleet._replace(agreement=agreement), dt_h)
    net_kw = outcome.net_kw
    limit_kw = of_group(shared.limit_kw.expand(net_kw.shape), shared)
    excess_kw = (of_group(net_kw, shared) - limit_kw).to(net_kw)
    none = torch.zeros_like(excess_kw)
    excess_kw = torch.where(excess_kw > 16.0 * rounding(net_kw) * limit_kw, excess_kw, none)
    # It is the group's, and booked where its first member is.
    first = shared.group == torch.arange(net_kw.shape[-1], device=net_kw.device)
    excess_kw = torch.where(first, excess_kw, none)
    own_kw = (net_kw - fleet.agreement.import_limit_kw).clamp(min=0.0)
    return outcome._replace(site_excess_kw=torch.maximum(own_kw, excess_kw))


def _step_at_grid(set_points: SetPoints, moment: Moment, fleet: Fleet, dt_h: float) -> Outcome:
    """Advance all homes as if the grid were there; without it cars and devices stand still."""
    battery, agreement = fleet.battery, fleet.agreement
    energy_kwh, load_kw = moment.energy_kwh, moment.load_kw
    solar_kw = allowed_solar_kw(set_points.solar_output_kw, moment, fleet, dt_h)
    flexible = serve_flexible(set_points.flexible_kw, moment, solar_kw, fleet, dt_h)
    out = moment.out
    if flexible is not None:
        moment = with_load(moment, drawn_kw(flexible))
        load_kw = moment.load_kw
    cars = _serve_cars(set_points.ev_kw, moment, out, solar_kw, fleet, dt_h)
    if cars is not None:
        load_kw = load_kw + cars.power_kw
    envelope = battery_envelope(energy_kwh, load_kw - solar_kw, battery, agreement, dt_h)
    asked_kw = torch.where(
        is_nan(set_points.battery_kw),
        neutral(envelope.low_kw, envelope.high_kw),
        set_points.battery_kw,
    )
    battery_kw = torch.minimum(torch.maximum(asked_kw, envelope.low_kw), envelope.high_kw)
    # Solar is curtailed before the export limit binds.
    solar_kw = torch.minimum(
        solar_kw, (agreement.export_limit_kw + load_kw + battery_kw).clamp(min=0.0)
    )
    net_kw = load_kw - solar_kw + battery_kw

    raw_kwh = energy_kwh + stored_change_kwh(battery_kw, battery, dt_h)
    stored_kwh = _without_rounding(raw_kwh, fleet)
    broken = _broken(energy_kwh, raw_kwh, net_kw, battery_kw, envelope, fleet, dt_h)
    if cars is not None:
        broken = broken | cars.broken
    if flexible is not None:
        broken = broken | promises_broken(flexible)
    return Outcome(
        stored_kwh,
        battery_kw,
        solar_kw,
        net_kw,
        (stored_kwh - raw_kwh).abs(),
        (agreement.reserve_kwh - stored_kwh).clamp(min=0.0),
        (net_kw - agreement.import_limit_kw).clamp(min=0.0),
        broken,
        cars,
        flexible,
    )


def _serve_cars(
    asked_kw: Tensor | None,
    moment: Moment,
    out: Tensor | None,
    solar_kw: Tensor,
    fleet: Fleet,
    dt_h: float,
) -> EvOutcome | None:
    """Advance the cars by one step, beside what comes before them; none where no home has one.

    Args:
        asked_kw: Power of the cars, none: they are left alone, (..., N). [kW]
        moment: State and signals, flexible devices in the load.
        out: 1 where the grid is away, (..., N); none: it never is.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    cars, ev = moment.ev, fleet.ev
    if cars is None or ev is None:
        return None
    around = car_envelope(cars, moment, solar_kw, fleet, dt_h)
    if out is not None:
        around = dark_car(around, out)
    if asked_kw is None:
        asked_kw = torch.full_like(moment.load_kw, torch.nan)
    return step_cars(asked_kw, cars.state, cars.session, around, ev, dt_h, out, fleet.shared)


def _without_rounding(raw_kwh: Tensor, fleet: Fleet) -> Tensor:
    """Write back what rounding alone took below the reserve or above the top, (..., N). [kWh]

    The tolerance is a few units in the last place of float32, nothing in float64.
    """
    reserve_kwh, capacity_kwh = fleet.agreement.reserve_kwh, fleet.battery.capacity_kwh
    near = raw_kwh >= reserve_kwh - rounding(raw_kwh) * capacity_kwh
    at_floor = (raw_kwh < reserve_kwh) & near
    return torch.where(at_floor, reserve_kwh, raw_kwh).minimum(capacity_kwh).clamp(min=0.0)


def _broken(
    before_kwh: Tensor,
    after_kwh: Tensor,
    net_kw: Tensor,
    battery_kw: Tensor,
    envelope: Envelope,
    fleet: Fleet,
    dt_h: float,
) -> Tensor:
    """Whether an agreement was broken that could have been kept, (..., N) bool.

    Seen before rounding is written back, which would hide an overfull or an overdrawn battery.
    """
    battery, agreement = fleet.battery, fleet.agreement
    rounding_kwh = rounding(after_kwh) * battery.capacity_kwh
    rounding_kw = rounding(after_kwh) * 100.0
    # Below the reserve from the start, or with no room at the connection, the store may fall by
    # its standing loss, and no further.
    excused = envelope.site_limited | (before_kwh < agreement.reserve_kwh)
    excused_kwh = excused.to(after_kwh.dtype) * battery.standing_loss_kw * dt_h + rounding_kwh
    floor_kwh = torch.minimum(agreement.reserve_kwh, before_kwh)
    excess_kw = net_kw - agreement.import_limit_kw
    return (
        (after_kwh < floor_kwh - excused_kwh)
        | (after_kwh > battery.capacity_kwh + rounding_kwh)
        | (-net_kw > agreement.export_limit_kw + rounding_kw)
        | (~envelope.site_limited & (excess_kw > rounding_kw))
        # Where the site's own load exceeds the limit, the battery may not make it worse.
        | (envelope.site_limited & (battery_kw > envelope.low_kw + rounding_kw))
    )
