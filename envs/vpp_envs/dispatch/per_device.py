"""Per device: one command for each battery, mapped into its own envelope."""

from torch import Tensor

from vpp_envs.dispatch.cohort_power import kept_solar_kw
from vpp_envs.dispatch.envelope import battery_envelope, into_envelope
from vpp_envs.dispatch.flexible import each_flexible_kw, summed_kw
from vpp_envs.dispatch.moment import Moment, car_envelope, with_load
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.simulator import SetPoints


def per_device(
    action: Tensor, moment: Moment, fleet: Fleet, dt_h: float, temperature: Tensor | None = None
) -> SetPoints:
    """Turn a command for each battery into set-points.

    Args:
        action: One command for each home, 0 = leave alone, -1 = discharge and +1 = charge as
            far as the envelope goes, then the share of solar output that is curtailed
            (negative: none), then, where homes have cars, one command for each car,
            -1 = the lower and +1 = the upper edge of its envelope, then one for each flexible
            device, kind by kind, 0 = leave alone, (..., N + 1 + N if cars + K N), each in [-1, 1].
        moment: State and signals.
        fleet: Constants, (N,).
        dt_h: Length of the step. [h]
        temperature: Not used: the map is piecewise linear as it stands.
    """
    homes = moment.energy_kwh.shape[-1]
    solar_kw = kept_solar_kw(action[..., homes : homes + 1], moment, fleet, dt_h)
    cars, ev = moment.ev, fleet.ev
    of_flexible = homes + 1 + (0 if cars is None else homes)
    flexible_kw = each_flexible_kw(action[..., of_flexible:], moment, solar_kw, fleet, dt_h)
    moment = with_load(moment, summed_kw(flexible_kw, solar_kw))
    site_kw = moment.load_kw - solar_kw
    ev_kw: Tensor | None = None
    if cars is not None and ev is not None:
        around = car_envelope(cars, moment, solar_kw, fleet, dt_h)
        share = 0.5 * (1.0 + action[..., homes + 1 : of_flexible])
        ev_kw = around.low_kw + share * (around.high_kw - around.low_kw)
        site_kw = site_kw + ev_kw
    envelope = battery_envelope(moment.energy_kwh, site_kw, fleet.battery, fleet.agreement, dt_h)
    battery_kw = into_envelope(action[..., :homes], envelope.low_kw, envelope.high_kw)
    return SetPoints(battery_kw, solar_kw, ev_kw, flexible_kw)
