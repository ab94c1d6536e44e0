"""What a utility's CTA-2045 (EcoPort) message does to the band of a water heater.

A message changes the agreement while it lasts, and the envelope follows from the agreement: what
a tank may do is nowhere written twice. How deep each goes is a usual mapping, not the standard's
(an assumption): the standard leaves it to the maker.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.flexible.water_heater_parts import WaterHeaterAgreement


class Cta2045Command(NamedTuple):
    """A message and what it asks of a tank."""

    name: str
    code: int | None  # of the basic demand response message; none: not a basic one
    meaning: str


# In the order of the numbers that `commanded` takes.
CTA_2045 = (
    Cta2045Command("normal", 0x02, "the agreement as it is (end of shed)"),
    Cta2045Command("shed", 0x01, "no heat down to 8 K below the set-point, nor below 40.6 C"),
    Cta2045Command("load_up", 0x17, "heat to the set-point now"),
    Cta2045Command("advanced_load_up", None, "heat up to 8 K beyond it behind a mixing valve"),
    Cta2045Command("critical_peak", 0x08, "no heat down to 40.6 C"),
    Cta2045Command("grid_emergency", 0x0B, "off, but for frost and the weekly heat"),
)


def commanded(agreement: WaterHeaterAgreement, command: Tensor) -> WaterHeaterAgreement:
    """Return the agreement under a message.

    What is below the changed band is heated at once, as fast as it can be; what is above cools.
    The weekly heat against Legionella stays due whatever the message.

    Args:
        agreement: As agreed, (N,).
        command: Index in `CTA_2045` for each home, (..., N) int64.
    """
    like = torch.zeros(command.shape, dtype=agreement.set_c.dtype, device=command.device)
    least_c, most_c = agreement.least_c + like, agreement.most_c + like
    set_c = agreement.set_c + like
    load_up_c = torch.maximum(least_c, set_c - 1.5)
    stored_c = torch.minimum(set_c + 8.0, most_c)
    shed_c = torch.minimum(least_c, (set_c - 8.0).clamp(min=40.6))
    peak_c = torch.minimum(least_c, torch.full_like(least_c, 40.6))
    frost_c = torch.full_like(least_c, 5.0)
    bottoms = torch.stack(
        (least_c, shed_c, load_up_c, torch.maximum(least_c, stored_c - 1.5), peak_c, frost_c), -1
    )
    tops = torch.stack(
        (most_c, shed_c + 3.0, torch.minimum(set_c, most_c), stored_c, peak_c + 3.0, frost_c + 3.0),
        -1,
    )
    at = command.unsqueeze(-1)
    return WaterHeaterAgreement(
        bottoms.gather(-1, at).squeeze(-1),
        torch.minimum(tops.gather(-1, at).squeeze(-1), most_c),
        agreement.set_c,
        agreement.deadband_k,
        agreement.draw_kwh,
        agreement.managed,
        agreement.hot_c,
    )
