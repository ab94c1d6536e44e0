"""The only step of the physics: set-points in, outcome out."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.charging import EvOutcome, step_cars
from vpp_envs.devices.battery import stored_change_kwh
from vpp_envs.dispatch.envelope import Envelope, battery_envelope, neutral
from vpp_envs.dispatch.ev_envelope import rounding
from vpp_envs.dispatch.moment import Moment, allowed_solar_kw, car_envelope, with_load
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.state import FleetState
from vpp_envs.flexible.kinds import FlexibleOutcome
from vpp_envs.serving import drawn_kw, flexible_state, promises_broken, serve_flexible


class SetPoints(NamedTuple):
    """What a controller asks of each home for one step, (..., N)."""

    battery_kw: Tensor  # AC power, charging positive [kW]
    solar_output_kw: Tensor  # most that the solar system may produce [kW]
    ev_kw: Tensor | None = None  # AC power of the car; none: it charges at once [kW]
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

    def state(self) -> FleetState:
        """State of the homes at the end of the step."""
        cars, flexible = self.ev, self.flexible
        return FleetState(
            self.energy_kwh,
            None if cars is None else cars.state,
            None if flexible is None else flexible_state(flexible),
        )


def step_site(set_points: SetPoints, moment: Moment, fleet: Fleet, dt_h: float) -> Outcome:
    """Advance all homes by one step of constant power.

    Set-points come out of the envelope already; a number outside it, or none at all (NaN), is
    still served at the nearest edge, or as if the device were left alone. At the home's connection
    what must run comes first, then the flexible devices, then the car, whose driver leaves at an
    hour, and last the battery, which can wait.

    Args:
        set_points: Battery power, solar ceiling and the car's power, (..., N).
        moment: State and signals, (..., N).
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    battery, agreement = fleet.battery, fleet.agreement
    energy_kwh, load_kw = moment.energy_kwh, moment.load_kw
    solar_kw = allowed_solar_kw(set_points.solar_output_kw, moment, fleet, dt_h)
    flexible = serve_flexible(set_points.flexible_kw, moment, solar_kw, fleet, dt_h)
    if flexible is not None:
        moment = with_load(moment, drawn_kw(flexible))
        load_kw = moment.load_kw
    cars: EvOutcome | None = None
    evs, ev = moment.ev, fleet.ev
    if evs is not None and ev is not None:
        around = car_envelope(evs, moment, solar_kw, fleet, dt_h)
        asked = set_points.ev_kw
        if asked is None:
            asked = torch.full_like(load_kw, torch.nan)
        cars = step_cars(asked, evs.state, evs.session, around, ev, dt_h)
        load_kw = load_kw + cars.power_kw
    envelope = battery_envelope(energy_kwh, load_kw - solar_kw, battery, agreement, dt_h)
    asked_kw = torch.where(
        torch.isnan(set_points.battery_kw),
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
