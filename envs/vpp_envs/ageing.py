"""What a rollout did to its batteries: capacity left by day, and the money of it."""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.degradation import (
    Ageing,
    age_lfp,
    age_nmc,
    ageing_cost,
    capacity_left,
    lasting_loss,
    lfp_rates,
    new_battery,
    nmc_rates,
)
from vpp_envs.errors import InputError

CHEMISTRIES = ("lfp", "nmc")
# Days of all homes are read together, as many as stay in some hundred megabytes.
_MOST_VALUES = 2_000_000
_ROUNDING = 1e-5  # a float32 store may be fuller than full by this share


class AgeingByDay(NamedTuple):
    """Ageing of N batteries over D whole days, float64."""

    capacity_left: Tensor  # at the end of each day, over that when new, (D, N)
    cost: Tensor  # of what was lost for good in each day, (D, N) [currency]
    state: Ageing  # at the end, to go on from, (N,)


def ageing_of(
    soc_trajectory: Tensor,
    temperature_c: Tensor | float,
    dt_h: float,
    chemistry: str,
    capacity_kwh: Tensor | float = 1.0,
    replacement_per_kwh: float = 250.0,
    start: Ageing | None = None,
) -> AgeingByDay:
    """Age batteries along a trajectory, day by day.

    A year of one home that fills and empties once a day, in steps of an hour:

    >>> import torch
    >>> from vpp_envs.ageing import ageing_of
    >>> hour = torch.arange(365 * 24)
    >>> soc = 0.1 + 0.8 * (1.0 - (hour % 24 - 12).abs() / 12.0)
    >>> year = ageing_of(soc[:, None], 25.0, 1.0, "lfp", capacity_kwh=13.5)
    >>> round(year.capacity_left[-1].item(), 4), round(year.cost.sum().item())
    (0.9779, 249)

    From an environment, collect ``env.energy_kwh[0] / fleet.battery.capacity_kwh`` before each
    step. Homes of either chemistry are columns to be taken apart first. The cost is that of the
    whole ageing, also of what time alone does: for the price of a way of running, take the
    difference to the same homes left alone. What the ledger calls wear is a constant per kWh
    discharged instead, which an agent can be told in advance; this is the check on it.

    Args:
        soc_trajectory: Stored energy over capacity at the start of each step, whole days from
            midnight, (T, N). [0 to 1]
        temperature_c: Of the cells at the same times: one number, (T, 1) or (T, N). [C]
        dt_h: Length of a step. [h]
        chemistry: "lfp" or "nmc".
        capacity_kwh: Capacity when new, a number or (N,). [kWh]
        replacement_per_kwh: Price of a new battery per kWh; the default is that of a pack without
            its installation. [currency/kWh]
        start: State before the first day, (N,); none: new batteries.

    Raises:
        InputError: A shape, a number or a name that makes no sense.
    """
    fill, warmth = _checked(soc_trajectory, temperature_c, dt_h, chemistry)
    steps = round(24.0 / dt_h)
    days, homes = len(fill) // steps, fill.shape[-1]
    size = torch.as_tensor(capacity_kwh, dtype=torch.float64, device=fill.device)
    state = new_battery(fill[0]) if start is None else Ageing(*(part.double() for part in start))
    left, lost = [], []
    block = max(1, _MOST_VALUES // (steps * homes))
    for first in range(0, days, block):
        some = min(block, days - first)
        traces = _days(fill, first, some, steps), _days(warmth, first, some, steps)
        states = _aged(state, *traces, dt_h, chemistry)
        left += [capacity_left(after) for after in states]
        lost += [lasting_loss(after) for after in states]
        state = states[-1]
    before = torch.zeros_like(lost[0]) if start is None else lasting_loss(start).double()
    growth = torch.stack(lost).diff(dim=0, prepend=before[None])
    return AgeingByDay(torch.stack(left), ageing_cost(growth, size, replacement_per_kwh), state)


def _aged(state: Ageing, fill: Tensor, warmth: Tensor, dt_h: float, chemistry: str) -> list[Ageing]:
    """State after each day, from the edges of the days, (D, T + 1, N)."""
    states = []
    if chemistry == "lfp":
        lfp = lfp_rates(fill, warmth, dt_h)
        for day in range(len(fill)):
            state = age_lfp(state, type(lfp)(*(part[day] for part in lfp)))
            states.append(state)
        return states
    nmc = nmc_rates(fill, warmth)
    for day in range(len(fill)):
        state = age_nmc(state, type(nmc)(*(part[day] for part in nmc)))
        states.append(state)
    return states


def _days(values: Tensor, first: int, days: int, steps: int) -> Tensor:
    """Edges of some days, (D, T + 1, N): each ends where the next begins, the last as it stands."""
    edge = torch.cat((values, values[-1:]))
    begin = torch.arange(first, first + days, device=values.device) * steps
    row = begin[:, None] + torch.arange(steps + 1, device=values.device)
    return edge[row]


def _checked(
    soc: Tensor, temperature_c: Tensor | float, dt_h: float, chemistry: str
) -> tuple[Tensor, Tensor]:
    """Fill and temperature of all homes, (T, N) float64, or a sentence on what is wrong."""
    if chemistry not in CHEMISTRIES:
        raise InputError(f"chemistry must be 'lfp' or 'nmc', got {chemistry!r}")
    if not 0.0 < dt_h <= 24.0 or abs(24.0 / dt_h - round(24.0 / dt_h)) > 1e-6:
        raise InputError(f"dt_h must divide a day of 24 hours, got {dt_h}; such as 1/12 for 5 min")
    steps = round(24.0 / dt_h)
    if soc.dim() != 2 or soc.shape[0] == 0 or soc.shape[0] % steps != 0 or soc.shape[1] == 0:
        raise InputError(
            f"soc_trajectory must be whole days of {steps} rows with one column a home, got the"
            f" shape {tuple(soc.shape)}; cut it at midnight"
        )
    fill = soc.double()
    if not bool(((fill >= -_ROUNDING) & (fill <= 1.0 + _ROUNDING)).all()):
        raise InputError(
            "soc_trajectory must lie between 0 and 1 everywhere, got values from"
            f" {fill.min().item():.4g} to {fill.max().item():.4g}; divide kWh by the capacity"
        )
    warmth = torch.as_tensor(temperature_c, dtype=torch.float64, device=fill.device)
    if warmth.dim() not in (0, 2) or warmth.shape not in ((), (len(fill), 1), fill.shape):
        raise InputError(
            "temperature_c must be a number or have a row for each of"
            f" soc_trajectory's {len(fill)}, got the shape {tuple(warmth.shape)}"
        )
    if not bool(((warmth > -60.0) & (warmth < 100.0)).all()):
        raise InputError(
            "temperature_c must be degrees Celsius between -60 and 100 everywhere, got values from"
            f" {warmth.min().item():.4g} to {warmth.max().item():.4g}; kelvin less 273.15"
        )
    return fill.clamp(0.0, 1.0), warmth.expand(fill.shape)
