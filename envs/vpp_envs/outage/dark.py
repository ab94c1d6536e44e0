"""What devices may do while the grid is away: wait, so that the battery carries the home alone.

A promise that an outage takes is nobody's fault: a car's is excused as if the home's own load had
taken it, and comfort is counted as discomfort, not as a broken agreement.
"""

import torch
from torch import Tensor

from vpp_envs.dispatch.ev_envelope import EvEnvelope
from vpp_envs.flexible.flex import Flex


def dark_flex(flex: Flex, out: Tensor) -> Flex:
    """Devices of homes without the grid stand still, whatever is asked and whatever they must.

    Args:
        flex: The devices at this moment, (..., N).
        out: 1 where the grid is away, (..., N).
    """
    on = (out <= 0).to(flex.low_kw.dtype)
    return Flex(
        flex.cohort,
        flex.rated_kw,
        flex.low_kw * on,
        flex.high_kw * on,
        flex.alone_kw * on,
        flex.least_kw * on,
        flex.fill,
        flex.value_per_kwh,
        flex.curve,
    )


def dark_car(envelope: EvEnvelope, out: Tensor) -> EvEnvelope:
    """Cars of homes without the grid neither charge nor discharge; what they miss is excused.

    Args:
        envelope: Of the step, (..., N).
        out: 1 where the grid is away, (..., N).
    """
    on = (out <= 0).to(envelope.low_kw.dtype)
    return EvEnvelope(
        envelope.low_kw * on,
        envelope.high_kw * on,
        envelope.step_kw * on,
        envelope.alone_kw * on,
        envelope.site_limited | (out > 0),
    )


def where_out(out: Tensor, dark: Tensor, lit: Tensor) -> Tensor:
    """Take what happened without the grid where it is away, else what happened with it, (..., N).

    Args:
        out: 1 where the grid is away, (..., N).
        dark: From `step_island`, (..., N).
        lit: From the simulator's step, (..., N).
    """
    return torch.where(out > 0, dark, lit)
