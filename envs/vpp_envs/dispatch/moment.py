"""What every way of commanding a fleet may know at one moment."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.dispatch.envelope import solar_ceiling
from vpp_envs.fleet.fleet import Fleet


class Moment(NamedTuple):
    """State and signals of one step, as dispatch sees them."""

    energy_kwh: Tensor  # stored energy, (..., N) [kWh]
    load_kw: Tensor  # base load, (..., N) [kW]
    solar_available_kw: Tensor  # solar output if not curtailed, (..., N) [kW]
    price_per_kwh: Tensor  # price of the interval that starts now, (..., 1) [currency/kWh]
    curve: Tensor  # water value by cohort and fill, latest issue, (..., C, F) [currency/kWh]


def allowed_solar_kw(asked_kw: Tensor, moment: Moment, fleet: Fleet, dt_h: float) -> Tensor:
    """Solar output that a command allows at this moment, (..., N). [kW]"""
    return solar_ceiling(
        asked_kw,
        moment.solar_available_kw,
        moment.load_kw,
        moment.energy_kwh,
        fleet.battery,
        fleet.agreement,
        dt_h,
    )
