"""What every way of commanding a fleet may know at one moment."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.ev import EvState, Session, charging_clock_h
from vpp_envs.dispatch.envelope import battery_range, solar_ceiling
from vpp_envs.dispatch.ev_envelope import EvEnvelope, beside_site, ev_range
from vpp_envs.fleet.fleet import EvFleet, Fleet


class EvMoment(NamedTuple):
    """Cars and their stays at one step, as dispatch sees them."""

    state: EvState
    session: Session
    rest_h: Tensor  # from the start of the step to the end of its half hour, (..., 1) [h]
    curve: Tensor  # value of a stored kWh by class, stay and need, (..., C, L, S) [currency/kWh]


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


def allowed_solar_kw(asked_kw: Tensor, moment: Moment, fleet: Fleet, dt_h: float) -> Tensor:
    """Solar output that a command allows at this moment, (..., N). [kW]

    What a car must draw counts like the load: no curtailment takes its promise away.
    """
    load_kw = moment.load_kw
    cars, ev = moment.ev, fleet.ev
    if cars is not None and ev is not None:
        load_kw = load_kw + ev_range(cars.state, cars.session, ev, dt_h).low_kw.clamp(min=0.0)
    return solar_ceiling(
        asked_kw,
        moment.solar_available_kw,
        load_kw,
        moment.energy_kwh,
        fleet.battery,
        fleet.agreement,
        dt_h,
    )


def car_envelope(
    cars: EvMoment, ev: EvFleet, moment: Moment, solar_kw: Tensor, fleet: Fleet, dt_h: float
) -> EvEnvelope:
    """Envelope of each home's car beside its load, its solar output and a battery's recharge.

    Args:
        cars: Their state and stays.
        ev: Their constants, (N,).
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants of the homes, (N,).
        dt_h: Length of the step. [h]
    """
    low_kw, _ = battery_range(moment.energy_kwh, fleet.battery, fleet.agreement, dt_h)
    site_kw = moment.load_kw - solar_kw + low_kw.clamp(min=0.0)
    return beside_site(ev_range(cars.state, cars.session, ev, dt_h), site_kw, fleet.agreement)


def laxity_h(cars: EvMoment, ev: EvFleet) -> Tensor:
    """Hours that each car could rest and still reach what it was promised, (..., N). [h]

    Args:
        cars: Their state and stays.
        ev: Their constants, (N,).
    """
    return cars.session.hours_left - need_h(cars.state, ev)


def need_h(state: EvState, ev: EvFleet) -> Tensor:
    """Hours of flat-out charging missing to what was promised; below 0 what is over, (..., N). [h]

    Args:
        state: Of the cars, (..., N).
        ev: Their constants, (N,).
    """
    promised_kwh = ev.agreement.target_kwh - state.excused_kwh
    return charging_clock_h(promised_kwh, ev.params) - charging_clock_h(state.energy_kwh, ev.params)
