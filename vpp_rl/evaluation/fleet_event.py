"""A peak event: how much power the batteries of a fleet give for some hours, through the real step.

An evening without sun. The classes that last longest give first, so that those that are soon empty
last, too; within a class the fullest (`dispatch.cohort_power`). Each battery stays inside its
envelope: what was kept for the owner stays.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vpp_envs.dispatch.cohort_power import cohort_power
from vpp_envs.dispatch.envelope import battery_envelope
from vpp_envs.dispatch.moment import Moment
from vpp_envs.errors import InputError
from vpp_envs.fleet.cohorts import BATTERY_COHORTS
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.simulator import step_site

DT_H = 1.0 / 12.0
_EVENING = 1.5  # base load of an evening over its mean (assumed)


class FleetEvent(NamedTuple):
    """What came of an event, by interval of five minutes, (T,)."""

    battery_mw: Tensor  # from the batteries, AC [MW]
    exported_mw: Tensor  # of it, what flowed into the grid; the rest stood for the homes' own load
    at_reserve: Tensor  # batteries that have nothing left to give
    batteries: int
    broken: int  # agreements, in all intervals and homes
    reserve_short_kwh: float  # missing to reserves at the end: nothing [kWh]


def peak_event(fleet: Fleet, target_mw: float, hours: float, fill: float = 1.0) -> FleetEvent:
    """Ask the batteries of a fleet for a constant power.

    Args:
        fleet: Homes, float64, (N,); its cohorts index `BATTERY_COHORTS`, and its cars and flexible
            devices stand by.
        target_mw: Power at the batteries, AC. [MW]
        hours: How long. [h]
        fill: Of each battery above its reserve, at the start. [0 to 1]

    Raises:
        InputError: Power, hours or fill are not possible, or no home has a battery.
    """
    _refuse_the_impossible(fleet, target_mw, hours, fill)
    homes = fleet._replace(ev=None, flexible=None)
    battery, reserve_kwh = homes.battery, homes.agreement.reserve_kwh
    energy_kwh = reserve_kwh + fill * (battery.capacity_kwh - reserve_kwh)
    load_kw, none = _EVENING * homes.load_mean_kw, torch.zeros_like(homes.load_mean_kw)
    curve = torch.zeros(len(BATTERY_COHORTS), 2, dtype=energy_kwh.dtype)
    price = torch.ones(1, dtype=energy_kwh.dtype)
    rows, broken = [], 0
    for _ in range(round(hours / DT_H)):
        moment = Moment(energy_kwh, load_kw, none, price, curve)
        edge_kw = battery_envelope(energy_kwh, load_kw, battery, homes.agreement, DT_H).low_kw
        action = _longest_first(1000.0 * target_mw, (-edge_kw).clamp(min=0.0), homes)
        outcome = step_site(cohort_power(action, moment, homes, DT_H), moment, homes, DT_H)
        energy_kwh, broken = outcome.energy_kwh, broken + int(outcome.broken.sum())
        given_kw = (-outcome.battery_kw).clamp(min=0.0)
        spent = (edge_kw > -1e-6) & (homes.cohort >= 0)
        rows.append((given_kw.sum(), (-outcome.net_kw).clamp(min=0.0).sum(), spent.sum()))
    given_kw, exported_kw, spent = (torch.stack(column) for column in zip(*rows, strict=True))
    # A standing loss of watts is made up for in the next step.
    short_kwh = (reserve_kwh - battery.standing_loss_kw * DT_H - energy_kwh).clamp(min=0.0)
    return FleetEvent(
        given_kw / 1000.0,
        exported_kw / 1000.0,
        spent,
        int((homes.cohort >= 0).sum()),
        broken,
        float(short_kwh.sum()),
    )


def _longest_first(target_kw: float, able_kw: Tensor, fleet: Fleet) -> Tensor:
    """Action of `cohort_power` that meets a target, all sun kept, (C + 1,)."""
    action, missing_kw = torch.zeros(len(BATTERY_COHORTS) + 1, dtype=able_kw.dtype), target_kw
    for cohort in reversed(range(len(BATTERY_COHORTS))):
        class_kw = float(able_kw[fleet.cohort == cohort].sum())
        given_kw = min(missing_kw, class_kw)
        if given_kw > 0.0:
            action[cohort] = -given_kw / class_kw
        missing_kw -= given_kw
    return action


def _refuse_the_impossible(fleet: Fleet, target_mw: float, hours: float, fill: float) -> None:
    if not target_mw > 0.0:
        raise InputError(f"the power of an event must be above 0 MW, got {target_mw:g}.")
    if not DT_H - 1e-9 <= hours <= 24.0:
        raise InputError(f"an event lasts 5 minutes to 24 hours, got {hours:g} hours.")
    if not 0.0 <= fill <= 1.0:
        raise InputError(f"the fill of the batteries must lie between 0 and 1, got {fill:g}.")
    if not bool((fleet.cohort >= 0).any()):
        raise InputError("no home has a battery, so that there is nothing to ask for.")
