"""When a programme runs its events: the signal that homes are called by."""

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.people.calendar import Calendar


def event_table(calendar: Calendar, days: Tensor, from_hour: float, hours: float) -> Tensor:
    """Mark the ticks of events, (T, 1) float32: 1 while one runs, else 0.

    Args:
        calendar: By tick, (T, 1).
        days: Local days with an event, since 1970-01-01, (D,).
        from_hour: Local hour at which it begins. [0 to 24]
        hours: Its length; it ends by midnight. [h]

    Raises:
        InputError: An event that does not lie within a day.
    """
    if not 0.0 <= from_hour < from_hour + hours <= 24.0:
        raise InputError(
            f"an event must lie within a local day, got {hours:g} h from {from_hour:g} h; "
            "give a start from 0 to 24 and a length above 0 that ends by midnight."
        )
    inside = (calendar.hour >= from_hour) & (calendar.hour < from_hour + hours)
    return (inside & torch.isin(calendar.day, days.to(calendar.day))).float()


def dearest_days(price_per_mwh: Tensor, calendar: Calendar, count: int) -> Tensor:
    """Local days with the highest price in any tick, in order of time, (D,) float32.

    Programmes call events on such days; which ones they are is known to whoever makes a scenario,
    not to whoever acts in it.

    Args:
        price_per_mwh: By tick, (T,). [currency/MWh]
        calendar: By tick, (T, 1).
        count: How many, all where there are fewer.
    """
    days, place = calendar.day.squeeze(-1).unique(return_inverse=True)
    peak = torch.full((len(days),), -torch.inf, dtype=price_per_mwh.dtype)
    peak = peak.scatter_reduce(0, place, price_per_mwh, "amax")
    dearest: Tensor = days[peak.topk(min(count, len(days))).indices].sort().values
    return dearest
