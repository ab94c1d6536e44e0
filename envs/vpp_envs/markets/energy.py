"""Settlement of a gross energy pool: metered energy at the regional price, every interval."""

import torch
from torch import Tensor

from vpp_envs.fleet.fleet import Fleet
from vpp_envs.markets.ledger import Ledger
from vpp_envs.serving import added_cost, left_alone_kw
from vpp_envs.simulator import Outcome


def settle_energy(
    outcome: Outcome,
    load_kw: Tensor,
    solar_available_kw: Tensor,
    price_per_mwh: Tensor,
    fleet: Fleet,
    dt_h: float,
    export_per_mwh: Tensor | None = None,
) -> Ledger:
    """Settle one interval of every site at the regional price, or at a tariff's two prices.

    ``energy_market = -net * dt * price``: only what the meter served is paid. Behind a retail
    tariff the retailer stands where the market does. The homeowner is
    passed through what the site would have settled had nothing been dispatched, plus the agreed
    share of the difference. A car that nobody dispatches charges by its driver's habit, a flexible
    device does what its own thermostat or timer says. Wear holds what fuel and starts cost beyond
    that. Loss factors are 1.

    Args:
        outcome: What the simulator served, (..., N).
        load_kw: Base load, (..., N). [kW]
        solar_available_kw: Solar output if not curtailed, (..., N). [kW]
        price_per_mwh: Regional price, (..., 1) or broadcastable. [currency/MWh]
        fleet: Constants, (N,).
        dt_h: Length of the interval. [h]
        export_per_mwh: What an exported MWh earns, likewise; none: the same price.
    """
    per_kw = price_per_mwh.double() * (dt_h / 1000.0)
    out_per_kw = per_kw
    if export_per_mwh is not None:
        out_per_kw = export_per_mwh.double() * (dt_h / 1000.0)
    energy_market = _at_prices(outcome.net_kw, per_kw, out_per_kw)
    cars = outcome.ev
    if cars is not None:
        load_kw = load_kw + cars.alone_kw
    flexible = outcome.flexible
    if flexible is not None:
        load_kw = load_kw + left_alone_kw(flexible)
    alone_kw = torch.maximum(load_kw - solar_available_kw, -fleet.agreement.export_limit_kw)
    site_passthrough = _at_prices(alone_kw, per_kw, out_per_kw)
    wear = _wear(outcome, fleet, dt_h)
    if outcome.out is not None:
        # Nobody's meter turns while the grid is away, dispatched or not, and what an owner's own
        # backup wears is nobody else's doing.
        lit = outcome.out <= 0
        site_passthrough, wear = site_passthrough * lit, wear * lit
    gain_share = (energy_market - site_passthrough) * fleet.agreement.homeowner_share.double()
    return Ledger(energy_market, site_passthrough, gain_share, wear)


def _wear(outcome: Outcome, fleet: Fleet, dt_h: float) -> Tensor:
    """Wear of what was discharged, and what flexible devices cost beyond their twins, float64."""
    cars, ev, flexible = outcome.ev, fleet.ev, outcome.flexible
    discharged_kwh = (-outcome.battery_kw).clamp(min=0.0).double() * dt_h
    wear = discharged_kwh * fleet.battery.wear_per_kwh.double()
    if cars is not None and ev is not None:
        given_kwh = (-cars.power_kw).clamp(min=0.0).double() * dt_h
        wear = wear + given_kwh * ev.params.wear_per_kwh.double()
    if flexible is not None:
        wear = wear + added_cost(flexible)
    return wear


def _at_prices(net_kw: Tensor, import_per_kw: Tensor, export_per_kw: Tensor) -> Tensor:
    """Money of a meter, positive for what it earns, float64."""
    net = net_kw.double()
    return net * -torch.where(net > 0, import_per_kw, export_per_kw)
