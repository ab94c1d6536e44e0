"""Ageing of batteries by NREL's semi-empirical models, one step a day.

Two chemistries: LFP by the model of a 250 Ah prismatic cell (BLAST-Lite,
``lfp_gr_250AhPrismatic_2019``; valid from 10 to 45 C, charge up to C/1.5, discharge up to 1C), NMC
by that of Smith et al. 2017 (IEEE 7963578) as OCHRE runs it. A day's trace of fill and temperature
gives rates, and rates move the state of ageing. All parameters are those of new cells at
``T0`` = 25 C; R = 8.314 J/(mol K), F = 96485 C/mol.

Losses that grow with a power p of time or throughput follow virtual time: what was lost so far is
read as an age under today's stress, from which the loss goes on. So ten days of equal stress are
the same in one step or in ten.

Two oddities are the models' own. The cycle terms fall with temperature (of LFP an artefact of the
fit, of NMC mechanical strain in the cold), so only the calendar terms rise with it throughout. And
the NMC model counts a cycle whatever its depth; depth enters through its calendar term.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.cycles import count_cycles, mean_within

_GAS = 8.314
_F_OVER_R = 96485.0 / _GAS
_T0_K = 298.15
_LFP_TIME_POWER, _LFP_CYCLE_POWER, _NMC_TIME_POWER = 0.526, 0.828, 0.5
_NMC_BREAK_IN_DAYS = 5.0
# Of graphite against lithium and of the cell at rest, by fill in steps of a tenth. [V]
_ANODE_V = (1.2868, 0.242, 0.1818, 0.1488, 0.1297, 0.123, 0.1181, 0.1061, 0.0925, 0.0876, 0.0859)
_OPEN_V = (3.0, 3.4679, 3.5394, 3.595, 3.6453, 3.6876, 3.7469, 3.84, 3.9521, 4.0668, 4.1934)


class Ageing(NamedTuple):
    """Capacity lost so far, each a share of that when new, (..., N)."""

    calendar: Tensor  # by time at a fill and temperature
    cycle: Tensor  # by charging and discharging
    break_in: Tensor  # of NMC's first days, negative: capacity that is found; 0 for LFP


class LfpRates(NamedTuple):
    """What one day does to LFP batteries, (..., N)."""

    calendar: Tensor  # loss of the first day of a new one, mean over the day [day^-0.526]
    cycle: Tensor  # loss of the first full cycle of a new one [cycle^-0.828]
    full_cycles: Tensor  # throughput of the day over twice the capacity


class NmcRates(NamedTuple):
    """What one day does to NMC batteries, (..., N)."""

    calendar: Tensor  # loss of the first day of a new one, b1 [day^-0.5]
    cycle: Tensor  # loss of a day, b2 [1/day]
    break_in: Tensor  # what the break-in comes to, b3, negative


def new_battery(like: Tensor) -> Ageing:
    """State of batteries that have not aged, in the shape and type of another tensor."""
    zero = torch.zeros_like(like)
    return Ageing(zero, zero, zero)


def capacity_left(ageing: Ageing) -> Tensor:
    """Capacity over that when new, (..., N); above 1 in the first weeks of NMC."""
    return 1.0 - (ageing.calendar + ageing.cycle + ageing.break_in)


def lasting_loss(ageing: Ageing) -> Tensor:
    """Share of capacity lost for good, (..., N): never falls, break-in left out."""
    return ageing.calendar + ageing.cycle


def ageing_cost(
    lost: Tensor, capacity_kwh: Tensor, replacement_per_kwh: float, usable_loss: float = 0.3
) -> Tensor:
    """Money of lost capacity: its part of the loss after which a battery is replaced, (..., N).

    ``lost / usable_loss * capacity * replacement``. Warranties promise 70 % after ten years; a
    battery that lost the other 30 % is taken as used up, so losing 1 kWh costs the replacement of
    3.3 kWh. With ``usable_loss`` 1 a lost kWh costs the price of a new one, no more.

    Args:
        lost: Share of capacity lost, such as the growth of `lasting_loss` in a day, (..., N).
        capacity_kwh: Capacity when new, (..., N). [kWh]
        replacement_per_kwh: Price of a new battery per kWh of its capacity. [currency/kWh]
        usable_loss: Share of capacity that is lost at its replacement. [0 to 1]
    """
    return lost / usable_loss * capacity_kwh * replacement_per_kwh


def lfp_anode_v(fill: Tensor) -> Tensor:
    """Potential of a graphite anode against lithium (Safari and Delacourt 2011). [V]"""
    x = 0.0085 + 0.7715 * fill
    return (
        0.6379
        + 0.5416 * torch.exp(-305.5309 * x)
        + 0.044 * torch.tanh(-(x - 0.1958) / 0.1088)
        - 0.1978 * torch.tanh((x - 1.0571) / 0.0854)
        - 0.6875 * torch.tanh((x + 0.0117) / 0.0529)
        - 0.0175 * torch.tanh((x - 0.5692) / 0.0875)
    )


def lfp_calendar_rate(fill: Tensor, temperature_c: Tensor) -> Tensor:
    """Loss of LFP in its first day at rest: ``8.37e4 exp(-5210/T) exp(-3560 Ua/T)``.

    Args:
        fill: Stored energy over capacity, any shape. [0 to 1]
        temperature_c: Of the cells, the same shape. [C]
    """
    kelvin = temperature_c + 273.15
    return 8.37e4 * torch.exp(-(5210.0 + 3560.0 * lfp_anode_v(fill)) / kelvin)


def lfp_cycle_rate(depth: Tensor, c_rate: Tensor, temperature_c: Tensor) -> Tensor:
    """Loss of LFP in its first full cycle.

    ``(4.38e-8 + 1.55e-8 depth + 1.68e-7 rate) (exp(2190/T) + exp(-1.55e5/T))``. It falls with
    temperature, an artefact of the fit: meaningless outside 10 to 45 C.

    Args:
        depth: Depth of discharge, any shape. [0 to 1]
        c_rate: Mean speed of charge and discharge, capacities per hour. [1/h]
        temperature_c: Of the cells. [C]
    """
    kelvin = temperature_c + 273.15
    warmth = torch.exp(2190.0 / kelvin) + torch.exp(-1.55e5 / kelvin)
    return (4.38e-8 + 1.55e-8 * depth + 1.68e-7 * c_rate) * warmth


def lfp_rates(fill: Tensor, temperature_c: Tensor, dt_h: float) -> LfpRates:
    """Rates of LFP from the trace of a day.

    Depth is the range of the day; the C-rate is the mean while the battery moves by more than a
    hundredth of its capacity an hour (BLAST-Lite averages over the hours at rest too, which tells
    a slow battery from an idle one no longer).

    Args:
        fill: Stored energy over capacity at the edges of the day's steps, (..., T + 1, N). [0 to 1]
        temperature_c: Of the cells at the same edges. [C]
        dt_h: Length of a step. [h]
    """
    moved = fill.diff(dim=-2).abs()
    moves = (moved > 0.01 * dt_h).to(fill.dtype)
    c_rate = (moved * moves).sum(-2) / (dt_h * moves.sum(-2).clamp(min=1.0))
    depth = fill.amax(-2) - fill.amin(-2)
    cycle = lfp_cycle_rate(depth.unsqueeze(-2), c_rate.unsqueeze(-2), temperature_c)
    calendar = lfp_calendar_rate(fill, temperature_c)
    return LfpRates(_over_day(calendar), _over_day(cycle), moved.sum(-2) / 2.0)


def age_lfp(ageing: Ageing, rates: LfpRates, days: float = 1.0) -> Ageing:
    """Go on by some days of equal stress: calendar as t^0.526, cycles as their number^0.828.

    Args:
        ageing: State before, (..., N).
        rates: What a day does; its full cycles are per day.
        days: How many of them.
    """
    days_passed = torch.full_like(rates.calendar, days)
    return Ageing(
        _virtual_time(ageing.calendar, rates.calendar, days_passed, _LFP_TIME_POWER),
        _virtual_time(ageing.cycle, rates.cycle, rates.full_cycles * days, _LFP_CYCLE_POWER),
        ageing.break_in,
    )


def nmc_calendar_rate(fill: Tensor, temperature_c: Tensor, depth: Tensor) -> Tensor:
    """Loss of NMC in its first day, b1, at one fill and temperature.

    ``3.503e-3 exp(-F/R (Un/T - 0.08/T0)) exp(-35392/R (1/T - 1/T0)) exp(2.472 depth^2.157)``.

    Args:
        fill: Stored energy over capacity, any shape. [0 to 1]
        temperature_c: Of the cells. [C]
        depth: Deepest cycle of the day. [0 to 1]
    """
    kelvin = temperature_c + 273.15
    tafel = torch.exp(-_F_OVER_R * (_by_tenths(fill, _ANODE_V) / kelvin - 0.08 / _T0_K))
    return 3.503e-3 * tafel * _arrhenius(kelvin, 35392.0) * torch.exp(2.472 * depth**2.157)


def nmc_cycle_rate(number: Tensor, temperature_c: Tensor) -> Tensor:
    """Loss of NMC by the cycles of a day, b2: ``1.541e-5 sqrt(sum (exp(42800/R x) n)^2)``.

    With ``x = 1/T - 1/T0``, so that cold cycles cost more.

    Args:
        number: 1 for a cycle, 0.5 for half a cycle, 0 for none, (..., T, N).
        temperature_c: Mean over each cycle, (..., T, N). [C]
    """
    weight = _arrhenius(temperature_c + 273.15, -42800.0) * number
    square = (weight * weight).sum(-2)
    some = square > 0
    # A root has no slope at 0: days without a cycle take no part in the gradient.
    root = torch.where(some, square, torch.ones_like(square)).sqrt()
    return 1.541e-5 * torch.where(some, root, torch.zeros_like(root))


def nmc_break_in(fill: Tensor, temperature_c: Tensor, depth: Tensor) -> Tensor:
    """What the break-in of NMC comes to, b3, negative: capacity that is found.

    ``-2.805e-2 exp(0.0066 F/R (Voc/T - 3.7/T0)) exp(-42800/R (1/T - 1/T0)) (1 + 0.135 depth)``.

    Args:
        fill: Stored energy over capacity, any shape. [0 to 1]
        temperature_c: Of the cells. [C]
        depth: Deepest cycle of the day. [0 to 1]
    """
    kelvin = temperature_c + 273.15
    tafel = torch.exp(0.0066 * _F_OVER_R * (_by_tenths(fill, _OPEN_V) / kelvin - 3.7 / _T0_K))
    return -2.805e-2 * tafel * _arrhenius(kelvin, 42800.0) * (1.0 + 0.135 * depth)


def nmc_rates(fill: Tensor, temperature_c: Tensor, least_depth: float = 0.01) -> NmcRates:
    """Rates of NMC from the trace of a day.

    Args:
        fill: Stored energy over capacity at the edges of the day's steps, (..., T + 1, N). [0 to 1]
        temperature_c: Of the cells at the same edges. [C]
        least_depth: Cycles no deeper do not count. The model counts a cycle whatever its depth,
            so that topping up standing losses would cost like full cycles. [share of capacity]
    """
    cycles = count_cycles(fill, least_depth)
    depth = (fill.amax(-2) - fill.amin(-2)).unsqueeze(-2)
    return NmcRates(
        _over_day(nmc_calendar_rate(fill, temperature_c, depth)),
        nmc_cycle_rate(cycles.number, mean_within(temperature_c, cycles)),
        _over_day(nmc_break_in(fill, temperature_c, depth)),
    )


def age_nmc(ageing: Ageing, rates: NmcRates, days: float = 1.0) -> Ageing:
    """Go on by some days of equal stress: calendar as t^0.5, cycles by number, break-in over days.

    The break-in approaches ``b3`` by a fifth of the way a day, ``q3 + days/5 min(b3 - q3, 0)``, at
    least ``b3``: on days whose own ``b3`` is smaller, what was found beyond it is gone at once.

    Args:
        ageing: State before, (..., N).
        rates: What a day does.
        days: How many of them; one at a time for the break-in to be the published one.
    """
    days_passed = torch.full_like(rates.calendar, days)
    gain = (rates.break_in - ageing.break_in).clamp(max=0.0)
    return Ageing(
        _virtual_time(ageing.calendar, rates.calendar, days_passed, _NMC_TIME_POWER),
        ageing.cycle + rates.cycle * days,
        torch.maximum(ageing.break_in + days / _NMC_BREAK_IN_DAYS * gain, rates.break_in),
    )


def nmc_capacity_factor(temperature_c: Tensor) -> Tensor:
    """What the cold leaves of NMC's capacity for the time being: no ageing.

    ``1.001 exp(-4126/R x - 9.752e6/R x^2)`` with ``x = 1/T - 1/T0``.
    """
    x = 1.0 / (temperature_c + 273.15) - 1.0 / _T0_K
    return 1.001 * torch.exp(-4126.0 / _GAS * x - 9.752e6 / _GAS * x * x)


def _virtual_time(lost: Tensor, rate: Tensor, passed: Tensor, power: float) -> Tensor:
    """Go on along ``rate * x^power`` from where it has lost as much: exact over any step.

    ``((lost / rate)^(1/power) + passed)^power * rate``.
    """
    age = (lost / rate) ** (1.0 / power) + passed
    some = age > 0
    # At age 0 the slope is infinite: what neither aged nor cycled takes no part in the gradient.
    grown = torch.where(some, age, torch.ones_like(age)) ** power * rate
    # Rounding of the powers must not heal what was lost.
    return torch.maximum(torch.where(some, grown, lost), lost)


def _over_day(values: Tensor) -> Tensor:
    """Mean over a day between its edges by the trapezium rule, (..., N)."""
    return (values[..., 1:, :] + values[..., :-1, :]).mean(-2) / 2.0


def _arrhenius(kelvin: Tensor, joule_per_mol: float) -> Tensor:
    """Speed of a reaction over that at 25 C."""
    return torch.exp(-joule_per_mol / _GAS * (1.0 / kelvin - 1.0 / _T0_K))


def _by_tenths(fill: Tensor, values: tuple[float, ...]) -> Tensor:
    """Interpolate a table of eleven values by fill."""
    table = torch.tensor(values, dtype=fill.dtype, device=fill.device)
    place = fill.clamp(0.0, 1.0) * 10.0
    left = place.detach().floor().clamp(max=9.0)
    step = table.diff()[left.long()]
    return table[left.long()] + step * (place - left)
