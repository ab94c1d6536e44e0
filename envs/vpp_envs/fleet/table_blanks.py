"""What follows where a flexible device's cell is blank: the rules by which homes are sampled, too.

Each function fills the blank cells of one kind of row in the order in which they follow from each
other. What is wrong stays unknown (NaN), and so does what follows from it.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vpp_envs.devices.house import HouseParams, loss_kw_per_k
from vpp_envs.devices.hvac import HvacParams
from vpp_envs.fleet.columns_flexible import FUELS, HEATING
from vpp_envs.fleet.generator_sampling import fuel_of, tank_of_l
from vpp_envs.fleet.hvac_sampling import (
    aperture_of_m2,
    cooling_kw,
    gain_of_kw,
    house_of,
    most_drawn_kw,
)
from vpp_envs.fleet.water_heater_sampling import ua_of

GAS, PUMP, RESISTANCE, NONE = (float(number) for number in range(len(HEATING)))
DIESEL = float(FUELS.index("diesel"))
DESIGN_SUMMER_C, DESIGN_WINTER_C = 37.0, 0.0  # outdoors, as sampled fleets have it by default
_FT2_PER_M2 = 1.0 / 0.09290304

_Columns = dict[str, np.ndarray]
_Blank = Callable[[str], np.ndarray]  # which cells of a column are blank, (M,) bool


def fill_blanks(kind: str, columns: _Columns, blank: _Blank) -> None:
    """Fill what follows from other cells of the same row, in place.

    Args:
        kind: Of the rows.
        columns: Every column of the kind, (M,), NaN for what is blank or wrong.
        blank: Which cells of a column are blank.
    """
    fill = {"water_heater": _tank, "hvac": _house, "generator": _engine}.get(kind)
    if fill is not None:
        fill(columns, blank)


def house_params(columns: _Columns) -> HouseParams:
    """Heat balance of the houses of some rows, (M,)."""
    return HouseParams(*(torch.from_numpy(columns[name]) for name in HouseParams._fields))


def hvac_params(columns: _Columns) -> HvacParams:
    """The machines of some rows, (M,)."""
    burner = (columns["heating"] == GAS).astype(np.float64)
    known = {**columns, "burner": burner}
    return HvacParams(*(torch.from_numpy(known[name]) for name in HvacParams._fields))


def _put(columns: _Columns, blank: _Blank, name: str, value: np.ndarray | Tensor) -> None:
    columns[name] = np.where(blank(name), np.asarray(value), columns[name])


def _tank(columns: _Columns, blank: _Blank) -> None:
    pump = columns["heat_pump"]
    _put(columns, blank, "heat_pump_kw", 0.5 * pump)
    ua = ua_of(torch.from_numpy(columns["volume_l"]), torch.from_numpy(pump) > 0)
    _put(columns, blank, "ua_kw_per_k", np.where(np.isnan(pump), np.nan, ua.numpy()))
    _put(columns, blank, "most_c", columns["setpoint_c"])
    above_k = columns["setpoint_c"] - columns["least_c"] - 1.5
    usual_k = np.where(pump > 0, 8.17, 5.56)
    _put(columns, blank, "deadband_k", np.maximum(np.minimum(usual_k, above_k), 1.0))


def _house(columns: _Columns, blank: _Blank) -> None:
    level = np.nan_to_num(columns["insulation"]).astype(np.int64)
    known = 0.0 * columns["insulation"] * columns["heating"]  # NaN where one of them is wrong
    area_ft2 = torch.from_numpy(columns["floor_m2"] * _FT2_PER_M2 + known)
    house, aperture_ft2 = house_of(area_ft2, torch.from_numpy(level))
    for name, column in house._asdict().items():
        _put(columns, blank, name, column)
    _put(columns, blank, "aperture_m2", aperture_of_m2(aperture_ft2))
    _put(columns, blank, "gain_kw", gain_of_kw(area_ft2))
    house = house_params(columns)
    sized_kw = cooling_kw(house, area_ft2, aperture_ft2, DESIGN_SUMMER_C)
    _put(columns, blank, "cooling_kw", sized_kw)
    heating, cooling = columns["heating"], columns["cooling_kw"]
    _put(columns, blank, "heating_kw", np.where(heating == PUMP, cooling, known))
    needed_kw = 1.2 * loss_kw_per_k(house).numpy() * (20.0 - DESIGN_WINTER_C)
    electric = (heating == PUMP) | (heating == RESISTANCE)
    _put(columns, blank, "auxiliary_kw", np.where(electric, needed_kw, known))
    drawn_kw = most_drawn_kw(hvac_params(columns), DESIGN_SUMMER_C, DESIGN_WINTER_C)
    _put(columns, blank, "rated_kw", drawn_kw)


def _engine(columns: _Columns, blank: _Blank) -> None:
    rated_kw, diesel = columns["rated_kw"], columns["fuel"] == DIESEL
    fuel = fuel_of(torch.from_numpy(diesel))
    _put(columns, blank, "least_kw", 0.3 * rated_kw)
    _put(columns, blank, "idle_l_per_h", fuel.idle_l_per_h_kw.numpy() * rated_kw)
    _put(columns, blank, "fuel_l_per_kwh", fuel.l_per_kwh)
    _put(columns, blank, "fuel_price_per_l", fuel.price_per_l)
    idle, slope = (torch.from_numpy(columns[name]) for name in ("idle_l_per_h", "fuel_l_per_kwh"))
    tank_l = tank_of_l(idle, slope, torch.from_numpy(rated_kw)).numpy()
    _put(columns, blank, "tank_l", np.where(diesel, tank_l, np.nan))
