"""What every way of commanding a fleet may know at one moment."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.ev import EvState, Session, at_power, charging_clock_h
from vpp_envs.dispatch.envelope import battery_range, solar_ceiling
from vpp_envs.dispatch.ev_envelope import EvEnvelope, beside_site, ev_range
from vpp_envs.dispatch.ev_value import value_of_need
from vpp_envs.fleet.fleet import EvFleet, Fleet
from vpp_envs.flexible.flex import Flex
from vpp_envs.flexible.kinds import FlexibleMoment
from vpp_envs.people.residents import Residents


class EvMoment(NamedTuple):
    """Cars and their stays at one step, as dispatch sees them."""

    state: EvState
    session: Session
    rest_h: Tensor  # from the start of the step to the end of its half hour, (..., 1) [h]
    curve: Tensor  # value of a stored kWh by class, stay and need, (..., C, L, S) [currency/kWh]
    own: EvEnvelope  # powers that keep the promise, before the connection narrows them
    need_h: Tensor  # guaranteed charging missing to the promise, below 0 what is over, (..., N) [h]
    value_per_kwh: Tensor  # of one more stored kWh, 0 without classes, (..., N) [currency/kWh]


def car_moment(
    state: EvState, session: Session, rest_h: Tensor, curve: Tensor, ev: EvFleet, dt_h: float
) -> EvMoment:
    """Foresee the cars' step once, for all who ask.

    Args:
        state: Of the cars, (..., N).
        session: What is known of their stay.
        rest_h: From the start of the step to the end of its half hour, (..., 1). [h]
        curve: Value by class, stay and need, (..., C, L, S). [currency/kWh]
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    promised_kwh = ev.agreement.target_kwh - state.excused_kwh
    params, sure_kw = ev.params, state.sure_kw
    if sure_kw is not None:
        # Without a guarantee the clock would stand still.
        params = at_power(params, torch.maximum(sure_kw, params.least_charge_kw))
    need_h = charging_clock_h(promised_kwh, params) - charging_clock_h(state.energy_kwh, params)
    value = torch.zeros_like(need_h)
    if curve.shape[-3] > 0:
        value = value_of_need(curve, session.hours_left - rest_h, need_h, ev.cohort)
    own = ev_range(state, session, ev, dt_h)
    return EvMoment(state, session, rest_h, curve, own, need_h, value)


class Moment(NamedTuple):
    """State and signals of one step, as dispatch sees them."""

    energy_kwh: Tensor  # stored energy, (..., N) [kWh]
    load_kw: Tensor  # base load, (..., N) [kW]
    solar_available_kw: Tensor  # solar output if not curtailed, (..., N) [kW]
    price_per_kwh: Tensor  # price of the interval that starts now, (..., 1) [currency/kWh]
    curve: Tensor  # water value by cohort and fill, latest issue, (..., C, F) [currency/kWh]
    ev: EvMoment | None = None  # none: no home has a car
    # What an exported kWh earns, (..., 1); none: the price, as on a wholesale market
    # [currency/kWh].
    export_per_kwh: Tensor | None = None
    # What each kind of flexible device tells dispatch; none: no home has one.
    flexes: list[Flex] | None = None
    flexible: FlexibleMoment | None = None  # their state and signals, for their physics
    out: Tensor | None = None  # 1 where the grid is away, (..., N); none: it never is
    reached: Tensor | None = None  # homes that hear a command now, (..., N) bool; none: all do
    may: Tensor | None = None  # homes that can be commanded, (..., N) bool; none: all
    residents: Residents | None = None  # the owners in this step; none: nobody is asked


def allowed_solar_kw(asked_kw: Tensor, moment: Moment, fleet: Fleet, dt_h: float) -> Tensor:
    """Solar output that a command allows at this moment, (..., N). [kW]

    What a car must draw counts like the load, and no battery is asked to help out: no curtailment
    takes the car's promise away.
    """
    load_kw = moment.load_kw + flexible_must_kw(moment)
    cars = moment.ev
    if cars is not None:
        must_kw = cars.own.low_kw.clamp(min=0.0)
        low_kw, _ = battery_range(moment.energy_kwh, fleet.battery, fleet.agreement, dt_h)
        help_kw = torch.where(must_kw > 0, (-low_kw).clamp(min=0.0), torch.zeros_like(low_kw))
        load_kw = load_kw + must_kw + help_kw
    return solar_ceiling(
        asked_kw,
        moment.solar_available_kw,
        load_kw,
        moment.energy_kwh,
        fleet.battery,
        fleet.agreement,
        dt_h,
    )


def flexible_must_kw(moment: Moment) -> Tensor:
    """What the flexible devices of each home must draw, whatever is asked, (..., N). [kW]"""
    must_kw = torch.zeros_like(moment.load_kw)
    flexes = moment.flexes
    if flexes is not None:
        for flex in flexes:
            must_kw = must_kw + flex.low_kw.clamp(min=0.0)
    return must_kw


def flexible_room_kw(
    moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float
) -> tuple[Tensor, Tensor]:
    """What a home's connection leaves to its flexible devices beyond what all of them must draw.

    What its car must draw and its battery must recharge is kept free.

    Args:
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]

    Returns:
        Room to draw, and room to feed in, (..., N). [kW]
    """
    site_kw = moment.load_kw - solar_kw + flexible_must_kw(moment)
    export_kw = fleet.agreement.export_limit_kw + site_kw
    battery_kw, _ = battery_range(moment.energy_kwh, fleet.battery, fleet.agreement, dt_h)
    site_kw = site_kw + battery_kw.clamp(min=0.0)
    cars = moment.ev
    if cars is not None:
        site_kw = site_kw + cars.own.low_kw.clamp(min=0.0)
    return fleet.agreement.import_limit_kw - site_kw, export_kw


def with_load(moment: Moment, more_kw: Tensor) -> Moment:
    """The same moment to cars and batteries, which come later at a home's connection.

    Args:
        moment: State and signals.
        more_kw: What its flexible devices draw, (..., N). [kW]
    """
    return Moment(
        moment.energy_kwh,
        moment.load_kw + more_kw,
        moment.solar_available_kw,
        moment.price_per_kwh,
        moment.curve,
        moment.ev,
        moment.export_per_kwh,
    )


def car_envelope(
    cars: EvMoment, moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float
) -> EvEnvelope:
    """Envelope of each home's car beside its load, its solar output and a battery's recharge.

    Args:
        cars: Their state and stays.
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants of the homes, (N,).
        dt_h: Length of the step. [h]
    """
    low_kw, _ = battery_range(moment.energy_kwh, fleet.battery, fleet.agreement, dt_h)
    site_kw = moment.load_kw - solar_kw + low_kw.clamp(min=0.0)
    return beside_site(cars.own, site_kw, fleet.agreement)


def laxity_h(cars: EvMoment) -> Tensor:
    """Hours that each car could rest and still reach what it was promised, (..., N). [h]"""
    return cars.session.hours_left - cars.need_h
