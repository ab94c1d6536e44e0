"""When a programme runs its events: the signal that homes are called by."""

import torch
from torch import Tensor

from vpp_envs.errors import InputError
from vpp_envs.people.calendar import Calendar

EVENT_FEATURES = (
    "programme/event",  # 1 while one runs
    "programme/event_left",  # until it ends [days]
    "programme/event_ahead",  # to the start of the next that was announced, 1: of none [days]
)


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


def event_features(event: Tensor, notice_h: Tensor, tick_h: float) -> Tensor:
    """What a policy sees of a programme's events, in order of `EVENT_FEATURES`, (T, 3).

    One that was not announced yet is as one that will never come.

    Args:
        event: Above 0 while one runs, (T, 1).
        notice_h: How long before its start an event is announced, (T, 1). [h]
        tick_h: Length of a tick. [h]
    """
    running = event > 0
    left_h = torch.where(running, _ticks_until(~running) * tick_h, 0.0 * event)
    ahead_h = _ticks_until(running) * tick_h
    ahead = torch.where(ahead_h <= notice_h, ahead_h / 24.0, torch.ones_like(ahead_h))
    return torch.cat([running.to(event.dtype), left_h / 24.0, ahead.clamp(max=1.0)], -1)


def _ticks_until(what: Tensor) -> Tensor:
    """Ticks from each to the next at which something is so, 0 at such a tick, (T, 1) float32."""
    at = torch.arange(len(what), device=what.device).unsqueeze(-1)
    places = torch.where(what, at, 2 * len(what))
    return (places.flip(0).cummin(0).values.flip(0) - at).float()


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
