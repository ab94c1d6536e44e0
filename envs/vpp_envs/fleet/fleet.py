"""A fleet: the constants of all homes, one column per home."""

from typing import NamedTuple

from torch import Tensor

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.fleet.agreement import Agreement


class Fleet(NamedTuple):
    """Constants of N homes."""

    home_id: Tensor  # names the home in every random draw, (N,) int64
    battery: BatteryParams
    solar_kw: Tensor  # AC rating of the rooftop system, 0 where there is none, (N,) [kW]
    solar_archetype: Tensor  # column of the solar table, (N,) int64
    load_mean_kw: Tensor  # mean base load, (N,) [kW]
    load_archetype: Tensor  # column of the load table, (N,) int64
    agreement: Agreement
    cohort: Tensor  # battery class by duration, -1 without a battery, (N,) int64
