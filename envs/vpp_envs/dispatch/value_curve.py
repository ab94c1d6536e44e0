"""Value-curve dispatch: each home compares the price with what its stored energy is worth.

The action bends one broadcast water-value curve per battery cohort; every home answers by its
own fill. Nothing in it depends on the size of the fleet, and no home tells anyone its state.
"""

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import battery_envelope, neutral
from vpp_envs.dispatch.flexible import summed_kw, valued_flexible_kw
from vpp_envs.dispatch.moment import (
    Moment,
    allowed_solar_kw,
    car_envelope,
    with_load,
)
from vpp_envs.dispatch.trade import traded_kw
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.pick import column_of_each
from vpp_envs.flexible.flex import read_curve
from vpp_envs.simulator import SetPoints


def value_curve(
    action: Tensor, moment: Moment, fleet: Fleet, dt_h: float, temperature: Tensor | None = None
) -> SetPoints:
    """Turn bent value curves into set-points.

    With q the tabulated water value at a home's fill, the home buys below
    ``eta * (q * exp(0.7 alpha_b) + 0.1 beta_b)`` and sells above
    ``(q * exp(0.7 alpha_s) + 0.1 beta_s) / eta + wear``. Solar is curtailed below the last
    component's price, ``0.1 * a``. Cars and flexible devices buy (and sell) by one curve of their
    class, bent likewise.
    All zeros is the stochastic value curve itself.

    Args:
        action: alpha_b, beta_b, alpha_s, beta_s of each battery cohort, then the curtailment
            price, then alpha and beta of each class of cars, then of each class of each kind of
            flexible device, (..., 4 C + 1 + 2 V + 2 K), each in [-1, 1].
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        temperature: None for the decision itself; a number for a smooth one for training, with
            this share of the price as its width.
    """
    cohorts = moment.curve.shape[-2]
    curtail_below = 0.1 * action[..., 4 * cohorts : 4 * cohorts + 1]
    solar_kw = allowed_solar_kw(_curtailed(moment, curtail_below, temperature), moment, fleet, dt_h)
    cars = moment.ev
    of_cars = 4 * cohorts + 1
    of_flexible = of_cars + (0 if cars is None else 2 * cars.curve.shape[-3])
    flexible_kw = valued_flexible_kw(
        action[..., of_flexible:], moment, solar_kw, fleet, dt_h, temperature
    )
    moment = with_load(moment, summed_kw(flexible_kw, solar_kw))
    site_kw = moment.load_kw - solar_kw
    ev_kw = car_power_kw(
        action[..., of_cars:of_flexible], moment, solar_kw, fleet, dt_h, temperature
    )
    if ev_kw is not None:
        site_kw = site_kw + ev_kw
    envelope = battery_envelope(moment.energy_kwh, site_kw, fleet.battery, fleet.agreement, dt_h)
    if cohorts == 0:
        alone_kw = neutral(envelope.low_kw, envelope.high_kw)
        return SetPoints(alone_kw, solar_kw, ev_kw, flexible_kw)
    value = value_at_fill(moment.curve, moment.energy_kwh, fleet)
    bend = action[..., : 4 * cohorts].unflatten(-1, [cohorts, 4])
    member = fleet.cohort.clamp(min=0)
    grow = torch.exp(0.7 * bend[..., 0::2])
    buy_value = value * column_of_each(grow[..., 0], member)
    buy_value = buy_value + 0.1 * column_of_each(bend[..., 1], member)
    sell_value = value * column_of_each(grow[..., 1], member)
    sell_value = sell_value + 0.1 * column_of_each(bend[..., 3], member)
    buy_gain = fleet.battery.one_way_eff * buy_value - moment.price_per_kwh
    sell_gain = (
        moment.price_per_kwh - fleet.battery.wear_per_kwh - sell_value / fleet.battery.one_way_eff
    )
    battery_kw = traded_kw(
        buy_gain, sell_gain, envelope.low_kw, envelope.high_kw, site_kw, moment, temperature
    )
    return SetPoints(battery_kw, solar_kw, ev_kw, flexible_kw)


def car_power_kw(
    bend: Tensor,
    moment: Moment,
    solar_kw: Tensor,
    fleet: Fleet,
    dt_h: float,
    temperature: Tensor | None,
) -> Tensor | None:
    """Power of each car by the bent value of its class; none where no home has a car.

    Args:
        bend: Scale and shift of each class of cars, (..., 2 V).
        moment: State and signals.
        solar_kw: Solar output, (..., N). [kW]
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        temperature: As in `value_curve`.

    Returns:
        AC power, charging positive, (..., N). [kW]
    """
    cars, ev = moment.ev, fleet.ev
    if cars is None or ev is None:
        return None
    envelope = car_envelope(cars, moment, solar_kw, fleet, dt_h)
    if cars.curve.shape[-3] == 0:
        return envelope.alone_kw
    member = ev.cohort.clamp(min=0)
    bends = bend.unflatten(-1, [cars.curve.shape[-3], 2])
    value = cars.value_per_kwh * column_of_each(torch.exp(0.7 * bends[..., 0]), member)
    value = value + 0.1 * column_of_each(bends[..., 1], member)
    buy_gain = ev.params.charge_eff * value - moment.price_per_kwh
    sell_gain = moment.price_per_kwh - ev.params.wear_per_kwh - value / ev.params.discharge_eff
    power_kw = traded_kw(
        buy_gain,
        sell_gain,
        envelope.low_kw,
        envelope.high_kw,
        moment.load_kw - solar_kw,
        moment,
        temperature,
    )
    return torch.where(ev.cohort < 0, envelope.alone_kw, power_kw)


def value_at_fill(curve: Tensor, energy_kwh: Tensor, fleet: Fleet) -> Tensor:
    """Read each home's cohort curve at its usable fill.

    Args:
        curve: Water value by cohort and fill, (..., C, F). [currency/kWh]
        energy_kwh: Stored energy, (..., N). [kWh]
        fleet: Constants, (N,).

    Returns:
        Water value, (..., N). [currency/kWh]
    """
    return read_curve(curve, usable_fill(energy_kwh, fleet), fleet.cohort)


def usable_fill(energy_kwh: Tensor, fleet: Fleet) -> Tensor:
    """Stored energy above the reserve as a share of what is usable, (..., N). [0 to 1]"""
    usable_kwh = (fleet.battery.capacity_kwh - fleet.agreement.reserve_kwh).clamp(min=1e-6)
    return ((energy_kwh - fleet.agreement.reserve_kwh) / usable_kwh).clamp(0.0, 1.0)


def _curtailed(moment: Moment, below_per_kwh: Tensor, temperature: Tensor | None) -> Tensor:
    """Solar output when what is worth less than a price is switched off, (..., N). [kW]"""
    available_kw = moment.solar_available_kw
    own = _kept(moment.price_per_kwh, below_per_kwh, available_kw, temperature)
    export = moment.export_per_kwh
    if export is None:
        return own * available_kw
    # Behind a tariff the home's own use of the sun is worth the price of import.
    used_kw = torch.minimum(moment.load_kw, available_kw)
    left_over = _kept(export, below_per_kwh, available_kw, temperature)
    return own * used_kw + left_over * (available_kw - used_kw)


def _kept(
    price_per_kwh: Tensor, below_per_kwh: Tensor, like: Tensor, temperature: Tensor | None
) -> Tensor:
    """Share of the sun that is worth its price, (..., 1): 1 or 0, between them while smooth."""
    gain = price_per_kwh - below_per_kwh
    if temperature is None:
        return (gain >= 0.0).to(like.dtype)
    return torch.sigmoid(gain / (temperature * (0.13 + price_per_kwh.abs())))
