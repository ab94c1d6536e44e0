"""What a shared connection leaves to each of its members in one step.

Every home first does what it is asked, as if alone. Where the group's sum is beyond its limit, the
limit is shared out: first what must run whatever anyone asks, then what cars and reserves were
promised, last the rest in proportion to what was asked. What a member gets is its own limit in this
step, so that all that keeps a home within its connection keeps the group within its own.
"""

import torch
from torch import Tensor

from vpp_envs.dispatch.envelope import battery_range
from vpp_envs.dispatch.ev_envelope import rounding
from vpp_envs.dispatch.moment import Moment, flexible_must_kw
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.connection import SharedConnection, of_group
from vpp_envs.fleet.fleet import Fleet


def within_group(
    net_kw: Tensor, solar_kw: Tensor, moment: Moment, fleet: Fleet, dt_h: float
) -> Agreement:
    """Agreements with the limits that a shared connection leaves to each home, (..., N).

    Args:
        net_kw: What each home would draw at its meter, as if alone, (..., N). [kW]
        solar_kw: Its solar output then, (..., N). [kW]
        moment: State and signals at the start of the step.
        fleet: Constants of the homes, which share connections.
        dt_h: Length of the step. [h]
    """
    agreement, shared = fleet.agreement, fleet.shared
    assert shared is not None
    battery_kw, _ = battery_range(moment.energy_kwh, fleet.battery, agreement, dt_h)
    promised_kw = battery_kw.clamp(min=0.0)
    if moment.ev is not None:
        promised_kw = promised_kw + moment.ev.own.low_kw.clamp(min=0.0)
    firm_kw = moment.load_kw - solar_kw + flexible_must_kw(moment)
    # Nobody can be made to feed in more than it may.
    firm_kw = torch.maximum(firm_kw, -agreement.export_limit_kw)
    draw_kw = _shared_out(net_kw, firm_kw, promised_kw, shared)
    # An engine in its least run feeds in whatever the others do.
    run_kw = torch.zeros_like(net_kw)
    for flex in moment.flexes or []:
        run_kw = run_kw + (-flex.high_kw).clamp(min=0.0)
    none = torch.zeros_like(net_kw)
    feed_kw = _shared_out(-net_kw, run_kw, none, shared)
    return agreement._replace(
        import_limit_kw=torch.minimum(agreement.import_limit_kw, draw_kw),
        export_limit_kw=torch.minimum(agreement.export_limit_kw, feed_kw),
    )


def _shared_out(
    net_kw: Tensor, firm_kw: Tensor, promised_kw: Tensor, shared: SharedConnection
) -> Tensor:
    """What each member may draw of its group's limit; infinite where nothing is taken from it.

    Args:
        net_kw: What each would draw; what others feed in counts for the group, (..., N). [kW]
        firm_kw: Of it, what must run; the limit does not bind it, (..., N). [kW]
        promised_kw: Beside it, what comes before all else, (..., N). [kW]
        shared: Constants of the connections.
    """
    firm_kw = torch.minimum(firm_kw, net_kw)
    promised_kw = torch.minimum(promised_kw, net_kw - firm_kw)
    rest_kw = net_kw - firm_kw - promised_kw
    promised_sum_kw, rest_sum_kw = of_group(promised_kw, shared), of_group(rest_kw, shared)
    limit_sum_kw = of_group(shared.limit_kw.expand(net_kw.shape), shared)
    # Rounding must neither take a charger below its least current nor a group beyond its limit.
    slack = 8.0 * rounding(net_kw)
    rounded_kw = 2.0 * slack * (limit_sum_kw + of_group(firm_kw.abs(), shared))
    rounded_kw = rounded_kw + 2.0 * slack * (promised_sum_kw + rest_sum_kw)
    room_kw = limit_sum_kw - of_group(firm_kw, shared) - rounded_kw
    promised_share = _share(room_kw, promised_sum_kw).to(net_kw)
    rest_share = _share(room_kw - promised_sum_kw, rest_sum_kw).to(net_kw)
    allowed_kw = firm_kw + promised_share * promised_kw + rest_share * rest_kw
    allowed_kw = allowed_kw + slack * (promised_share * promised_kw + rest_share * rest_kw)
    cut = ((promised_share < 1.0) & (promised_kw > 0)) | ((rest_share < 1.0) & (rest_kw > 0))
    return torch.where(cut, allowed_kw, torch.full_like(allowed_kw, torch.inf))


def _share(room_kw: Tensor, asked_kw: Tensor) -> Tensor:
    """Part of what is asked for which there is room, float64. [0 to 1]"""
    return torch.where(
        asked_kw > room_kw,
        room_kw.clamp(min=0.0) / asked_kw.clamp(min=1e-12),
        torch.ones_like(room_kw),
    )
