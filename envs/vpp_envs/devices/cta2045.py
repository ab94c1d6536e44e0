"""CTA-2045 (EcoPort) messages: what each makes of a water heater's own thermostat.

Many heaters cannot be given a power. They hear a message, and their thermostat answers it with
another set-point and another deadband until the next one. How deep each goes is a usual mapping
(an assumption): the standard leaves it to the maker. An advanced load up, of CTA-2045-B, is safe
behind a mixing valve only, without which the most that the tank may be is its set-point.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Message(NamedTuple):
    """A message and what it asks of a tank."""

    name: str
    code: int | None  # of the basic demand response message; none: not a basic one
    meaning: str


# In the order of the numbers that `thermostat_under` takes.
CTA_2045 = (
    Message("end_shed", 0x02, "its own thermostat again"),
    Message("shed", 0x01, "no heat down to 8 K below the set-point, nor below what was promised"),
    Message("critical_peak", 0x08, "no heat down to what was promised"),
    Message("grid_emergency", 0x0B, "off but for frost, whatever was promised"),
    Message("load_up", 0x17, "heat to the set-point now"),
    Message("advanced_load_up", None, "heat up to 8 K beyond it behind a mixing valve"),
)


class Thermostat(NamedTuple):
    """What a heater does by itself, (..., N)."""

    set_c: Tensor  # it stops when the water is so hot [C]
    start_c: Tensor  # and starts below this, one deadband further down [C]


def shed(own: Thermostat, least_c: Tensor) -> Thermostat:
    """Let the tank fall to 8 K below its set-point, and hold it there, 3 K wide (assumed).

    Args:
        own: The heater's own thermostat.
        least_c: Promised; the fall ends there, (..., N). [C]
    """
    return _fallen_to(torch.maximum(own.set_c - 8.0, least_c), own)


def critical_peak(own: Thermostat, least_c: Tensor) -> Thermostat:
    """Let the tank fall as far as what was promised allows; arguments as in `shed`."""
    return _fallen_to(torch.minimum(own.set_c, least_c), own)


def grid_emergency(own: Thermostat) -> Thermostat:
    """Heat against frost alone, from 5 to 8 C; no promise survives it.

    Args:
        own: The heater's own thermostat.
    """
    return Thermostat(own.set_c.clamp(max=8.0), own.start_c.clamp(max=5.0))


def load_up(own: Thermostat) -> Thermostat:
    """Heat to the set-point now: 1.5 K are left of the deadband (assumed).

    Args:
        own: The heater's own thermostat.
    """
    return Thermostat(own.set_c, torch.maximum(own.start_c, own.set_c - 1.5))


def advanced_load_up(own: Thermostat, most_c: Tensor) -> Thermostat:
    """Heat up to 8 K beyond the set-point, as hot as the tank may be (mixing valve).

    Args:
        own: The heater's own thermostat.
        most_c: That the tank may be, (..., N). [C]
    """
    stored_c = torch.maximum(own.set_c, torch.minimum(own.set_c + 8.0, most_c))
    return Thermostat(stored_c, torch.maximum(own.start_c, stored_c - 1.5))


def thermostat_under(
    message: Tensor, own: Thermostat, least_c: Tensor, most_c: Tensor
) -> Thermostat:
    """What each heater does under the message that it heard last.

    Args:
        message: Index in `CTA_2045` for each heater, (..., N) int64.
        own: The heaters' own thermostats.
        least_c: Promised, (..., N). [C]
        most_c: That the tanks may be, (..., N). [C]
    """
    each = (
        own,
        shed(own, least_c),
        critical_peak(own, least_c),
        grid_emergency(own),
        load_up(own),
        advanced_load_up(own, most_c),
    )
    set_c = torch.stack([of.set_c.expand_as(message) for of in each], -1)
    start_c = torch.stack([of.start_c.expand_as(message) for of in each], -1)
    at = message.unsqueeze(-1)
    return Thermostat(set_c.gather(-1, at).squeeze(-1), start_c.gather(-1, at).squeeze(-1))


def _fallen_to(start_c: Tensor, own: Thermostat) -> Thermostat:
    """A thermostat that starts lower than its own does, and so stops lower."""
    start_c = torch.minimum(start_c, own.start_c)
    return Thermostat(torch.minimum(start_c + 3.0, own.set_c), start_c)
