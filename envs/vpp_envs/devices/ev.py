"""Electric car at its charger: how fast it charges, what it can still reach, what driving takes.

Near full a car charges ever slower (constant voltage). Read on the *charging clock*, the time that
flat-out charging from empty has taken, this too is a straight line: an hour at the charger moves
the clock by an hour, whatever the state of charge. What a car can reach, and from where it still
reaches its target, are additions on that clock, exact for steps of any length.
"""

from typing import NamedTuple

import torch
from torch import Tensor

LEAST_CHARGE_KW = 1.44  # 6 A at 240 V, below which a charger stops (SAE J1772) [kW]
TAPER_FILL = 0.95  # AC charging hardly slows down before (assumed) [0 to 1]


class EvParams(NamedTuple):
    """Constants of the cars and their chargers, one column per home, (N,).

    A home without a car has capacity 1, efficiencies and taper 1, and all else 0.
    """

    capacity_kwh: Tensor  # usable energy between empty and full [kWh]
    charge_kw: Tensor  # AC limit when charging: the lesser of car and charger [kW]
    discharge_kw: Tensor  # AC limit of vehicle-to-grid, positive; 0 for charging only [kW]
    least_charge_kw: Tensor  # charging runs at this power or not at all (6 A) [kW]
    charge_eff: Tensor  # stored over drawn [0 to 1]
    discharge_eff: Tensor  # injected over taken from the store [0 to 1]
    taper_fill: (
        Tensor  # fill from which charging slows down, in proportion to what is left [0 to 1]
    )
    wear_per_kwh: Tensor  # cost of wear per kWh discharged into the grid, AC [currency/kWh]
    drive_kwh_per_km: Tensor  # taken from the store by driving [kWh/km]


class EvState(NamedTuple):
    """State of the cars, (..., N)."""

    energy_kwh: Tensor  # stored now [kWh]
    excused_kwh: Tensor  # of the target, out of reach at plug-in or since, for no one's fault [kWh]
    alone_kwh: Tensor  # stored, had its driver's habit alone charged it ever since [kWh]
    # Power that its share of a connection guarantees to this stay, below 0 while it waits for a
    # charger; none: the charger's own, because nobody shares a connection [kW].
    sure_kw: Tensor | None = None


class Session(NamedTuple):
    """What is known of each car's stay during one interval, (..., N)."""

    hours_left: Tensor  # to the declared departure, from the interval's start; 0 = away [h]
    ends: Tensor  # 1 if the car leaves at the interval's end, declared or not
    arrives_h: Tensor  # declared length of the stay that begins at the interval's end; 0 = none [h]
    driven_km: Tensor  # since it left, if it arrives at the interval's end [km]
    # To the declared departure of a car that stands there and waits for a charger, 0 = it does
    # not; none: no charger is shared [h].
    waits_h: Tensor | None = None
    # Whether the driver's habit lets the car rest in this interval, bool; none: nobody's does.
    rests: Tensor | None = None


def at_power(ev: EvParams, charge_kw: Tensor) -> EvParams:
    """The same cars behind chargers of another power.

    Args:
        ev: Constants, (N,).
        charge_kw: AC limit when charging, (..., N). [kW]
    """
    return EvParams(
        ev.capacity_kwh,
        charge_kw,
        ev.discharge_kw,
        ev.least_charge_kw,
        ev.charge_eff,
        ev.discharge_eff,
        ev.taper_fill,
        ev.wear_per_kwh,
        ev.drive_kwh_per_km,
    )


def promising(ev: EvParams, state: EvState) -> EvParams:
    """The cars as far as promises go: behind chargers of the power that is guaranteed to them.

    Args:
        ev: Constants, (N,).
        state: Of the cars, (..., N).
    """
    sure_kw = state.sure_kw
    return ev if sure_kw is None else at_power(ev, sure_kw.clamp(min=0.0))


def charging_clock_h(energy_kwh: Tensor, ev: EvParams) -> Tensor:
    """Return how long flat-out charging from empty takes to store an energy.

    Up to ``taper_fill`` the power is constant; from there it falls in proportion to what is
    missing to full, so that the missing energy decays exponentially.

    Args:
        energy_kwh: Stored energy, (..., N). [kWh]
        ev: Constants, (N,).

    Returns:
        Time on the charging clock, (..., N). [h]
    """
    speed_kw, width_kwh = _charging(ev)
    knee_kwh = ev.taper_fill * ev.capacity_kwh
    left_kwh = torch.minimum((ev.capacity_kwh - energy_kwh).clamp(min=1e-12), width_kwh)
    tail_h = torch.log(width_kwh / left_kwh) * width_kwh / speed_kw
    return torch.minimum(energy_kwh, knee_kwh) / speed_kw + tail_h


def energy_at_clock_kwh(clock_h: Tensor, ev: EvParams) -> Tensor:
    """Return the energy stored at a time on the charging clock; the inverse of `charging_clock_h`.

    Args:
        clock_h: Time, (..., N); below 0 the energy is below 0, in a straight line. [h]
        ev: Constants, (N,).

    Returns:
        Stored energy, (..., N). [kWh]
    """
    speed_kw, width_kwh = _charging(ev)
    knee_h = ev.taper_fill * ev.capacity_kwh / speed_kw
    beyond_h = (clock_h - knee_h).clamp(min=0.0)
    tail_kwh = -width_kwh * torch.expm1(-beyond_h * speed_kw / width_kwh)
    return torch.minimum(clock_h, knee_h) * speed_kw + tail_kwh


def _charging(ev: EvParams) -> tuple[Tensor, Tensor]:
    """Stored power below the taper [kW], and the energy over which charging slows down. [kWh]"""
    # So little that a charger without power adds nothing in any time, and no division fails.
    speed_kw = (ev.charge_eff * ev.charge_kw).clamp(min=1e-12)
    return speed_kw, ((1.0 - ev.taper_fill) * ev.capacity_kwh).clamp(min=1e-9)


def reachable_kwh(energy_kwh: Tensor, hours: Tensor, ev: EvParams) -> Tensor:
    """Return what flat-out charging stores in some hours, (..., N). [kWh]

    Args:
        energy_kwh: Stored energy now, (..., N). [kWh]
        hours: Time at the charger, (..., N). [h]
        ev: Constants, (N,).
    """
    return energy_at_clock_kwh(charging_clock_h(energy_kwh, ev) + hours, ev)


def floor_kwh(target_kwh: Tensor, hours: Tensor, ev: EvParams) -> Tensor:
    """Return the least energy from which a target is still reached in some hours, (..., N). [kWh]

    Args:
        target_kwh: Energy wanted at the end, (..., N). [kWh]
        hours: Time until then, (..., N). [h]
        ev: Constants, (N,).
    """
    return energy_at_clock_kwh(charging_clock_h(target_kwh, ev) - hours, ev)


def most_charge_kw(energy_kwh: Tensor, ev: EvParams, dt_h: float) -> Tensor:
    """Return the highest mean power of a step, AC: full, tapering, or at the limit, (..., N). [kW]

    Args:
        energy_kwh: Stored energy at the start, (..., N). [kWh]
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    after_kwh = reachable_kwh(energy_kwh, torch.full_like(energy_kwh, dt_h), ev)
    after_kwh = torch.minimum(after_kwh, ev.capacity_kwh)
    power_kw = (after_kwh - energy_kwh).clamp(min=0.0) / (ev.charge_eff * dt_h)
    return torch.minimum(power_kw, ev.charge_kw)


def charged_kwh(power_kw: Tensor, ev: EvParams, dt_h: float) -> Tensor:
    """Return the change of stored energy by an AC power, charging positive, (..., N). [kWh]

    Args:
        power_kw: AC power, (..., N). [kW]
        ev: Constants, (N,).
        dt_h: Length of the step. [h]
    """
    stored_kw = torch.where(power_kw > 0, power_kw * ev.charge_eff, power_kw / ev.discharge_eff)
    return stored_kw * dt_h


def weather_factor(air_c: Tensor) -> Tensor:
    """What a vehicle on duty uses for a km, over what it uses in mild air, (...).

    ``1 + 0.012 max(0, 15 - T) + 0.006 max(0, T - 25)``: an assumption about cabins and batteries.

    Args:
        air_c: Outdoor air, (...). [C]
    """
    return 1.0 + 0.012 * (15.0 - air_c).clamp(min=0.0) + 0.006 * (air_c - 25.0).clamp(min=0.0)
