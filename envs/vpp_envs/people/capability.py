"""What a fleet can promise for an event: its power, and the power that nine events in ten exceed.

Homes fail one by one: an owner stays out, a link is down, a battery is emptier than was expected.
The sum of many is nearly normal; its skewness is corrected for (E. A. Cornish and R. A. Fisher,
"Moments and cumulants in the specification of distributions", 1938), because a few large homes that
seldom fail make it lean to the left. What strikes all homes alike, a cloud service or a wrong
forecast of the weather, does not average out and is named apart.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.envelope import battery_envelope
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.random import Purpose, uniform


class Reliability(NamedTuple):
    """How homes answer an event, one column per home, (N,)."""

    opt_out: Tensor  # probability that the owner stays out [0 to 1]
    offline: Tensor  # probability that the event does not reach the home [0 to 1]
    limited: Tensor  # probability that its energy does not last [0 to 1]
    limited_share: Tensor  # of its power that it then gives on average [0 to 1]


class Capability(NamedTuple):
    """Power of a fleet over an event, positive for what it gives, (...). [kW]"""

    enrolled_kw: Tensor  # were everybody there
    mean_kw: Tensor
    std_kw: Tensor
    p10_kw: Tensor  # nine events in ten give more


def usual_reliability(homes: int, dtype: torch.dtype = torch.float64) -> Reliability:
    """2 % opt out, 5 % are offline, 8 % short of energy, of which half their power is left.

    The three rates are assumptions that bring the delivered share among those observed, 79 to 94 %
    of enrolled power in a Californian programme of 2023; the half is one, too.

    Args:
        homes: Number of homes, N.
        dtype: Working precision.
    """
    return Reliability(*(torch.full((homes,), v, dtype=dtype) for v in (0.02, 0.05, 0.08, 0.5)))


def not_reached(online: Tensor, loss: Tensor, dark: Tensor | float) -> Tensor:
    """Probability that an event does not reach a home, or finds it without the grid, (N,).

    Args:
        online: Share of time that the link is up, (N,). [0 to 1]
        loss: Probability that the message is lost, (N,). [0 to 1]
        dark: Probability that the grid is away at some time of the event, see
            `outage.table.outage_probability`. Homes of a feeder go dark together, which these
            independent homes do not. [0 to 1]
    """
    return 1.0 - online * (1.0 - loss) * (1.0 - dark)


def event_kw(
    energy_kwh: Tensor, site_kw: Tensor, battery: BatteryParams, agreement: Agreement, hours: float
) -> Tensor:
    """Constant power that each battery can give for some hours, reserve kept, (..., N). [kW]

    Args:
        energy_kwh: Stored when the event begins, (..., N). [kWh]
        site_kw: Load less sun over the event, (..., N). [kW]
        battery: Constants, (N,).
        agreement: Reserve and site limits, (N,).
        hours: Length of the event. [h]
    """
    low_kw = battery_envelope(energy_kwh, site_kw, battery, agreement, hours).low_kw
    return (-low_kw).clamp(min=0.0)


def foretell(
    power_kw: Tensor,
    reliability: Reliability,
    late_share: Tensor,
    common_deviation: float = 0.0,
    chance: float = 0.1,
) -> Capability:
    """Foretell what a fleet gives in an event, its homes failing independently.

    Args:
        power_kw: Of each home if it answers, positive, (..., N). [kW]
        reliability: Of the homes, (N,).
        late_share: Share of the event that is over before a home hears of it, (N,). [0 to 1]
        common_deviation: Standard deviation of what strikes all homes alike, as a share of the
            mean.
        chance: Probability of giving less than `p10_kw`.
    """
    r, on_time_kw = reliability, (power_kw * (1.0 - late_share)).double()
    joins = ((1.0 - r.opt_out) * (1.0 - r.offline)).double()
    limited, left = r.limited.double(), r.limited_share.double()
    # Moments of the share that a home gives: 0, the share left, or 1.
    first = joins * (1.0 - limited + limited * left)
    second = joins * (1.0 - limited + limited * left.square())
    third = joins * (1.0 - limited + limited * left.pow(3))
    mean_kw = (on_time_kw * first).sum(-1)
    own = (on_time_kw.square() * (second - first.square())).sum(-1)
    lean = (on_time_kw.pow(3) * (third - 3.0 * first * second + 2.0 * first.pow(3))).sum(-1)
    variance = own + (common_deviation * mean_kw).square()
    std_kw = variance.clamp(min=1e-18).sqrt()
    z = torch.special.ndtri(torch.full_like(std_kw, chance))
    z = z + (z.square() - 1.0) / 6.0 * lean / std_kw.pow(3)
    p10_kw = (mean_kw + z * std_kw).clamp(min=0.0)
    return Capability(power_kw.double().sum(-1), mean_kw, std_kw, p10_kw)


def play_event(
    power_kw: Tensor,
    reliability: Reliability,
    late_share: Tensor,
    seed: int,
    event: Tensor,
    home: Tensor,
) -> Tensor:
    """Draw what each home gives in events, (E, N). [kW]

    Args:
        power_kw: Of each home if it answers, positive, (N,). [kW]
        reliability: Of the homes, (N,).
        late_share: Share of the event that is over before a home hears of it, (N,). [0 to 1]
        seed: Of the draws.
        event: Numbers of the events, (E,) int64.
        home: Ids of the homes, (N,) int64.
    """
    words = seed, event.unsqueeze(-1), home, 0
    joins = uniform(*words, Purpose.CAPABILITY_OPT_OUT) >= reliability.opt_out
    heard = uniform(*words, Purpose.CAPABILITY_LINK) >= reliability.offline
    lasts = uniform(*words, Purpose.CAPABILITY_LIMITED) >= reliability.limited
    share = torch.where(lasts, torch.ones_like(reliability.limited), reliability.limited_share)
    return (joins & heard).to(power_kw.dtype) * share * (power_kw * (1.0 - late_share))
