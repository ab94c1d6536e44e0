"""Water heaters beside NREL's OCHRE 0.9.2: two weeks by the minute, under its power and by rule.

Three of its tanks: resistance of two nodes, resistance of twelve nodes with the element forced off
in three windows, and a heat pump of twelve nodes. Temperatures are those at the start of each step:
its top node beside the upper layer, its second node of two beside the lower one, and its mean over
the volume beside the layers' mean and the single node. What two layers and one node cannot show,
the cold water below an element of twelve nodes, is stated as a number that holds today.
"""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vpp_envs.devices.tank import (
    LayerHeat,
    Layers,
    heat_pump_thermostat,
    layers_of,
    mean_of_layers_c,
    resistance_thermostat,
    step_layers,
)
from vpp_envs.devices.water_heater import (
    Draw,
    WaterHeaterParams,
    flow,
    heat_kw,
    heater_now,
    kwh_per_k,
    passage,
    taken,
)

pytestmark = pytest.mark.reference
CASES = ("erwh_190l_2node", "erwh_150l_12node_dr", "hpwh_190l_winter")
STEPS = pytest.mark.parametrize("minutes", [1, 5])


class Ochre(NamedTuple):
    """Its three runs, a column each."""

    cases: list[dict]
    frames: list[pd.DataFrame]
    tank: WaterHeaterParams

    def column(
        self, name: str, minutes: int = 1, how: str = "mean", missing: float = 0.0
    ) -> Tensor:
        """A quantity by step, (T, 3)."""
        parts = [
            frame[name].to_numpy(np.float64) if name in frame else np.full(len(frame), missing)
            for frame in self.frames
        ]
        by_step = torch.tensor(np.stack(parts, 1)).reshape(-1, minutes, len(CASES))
        return {"mean": by_step.mean(1), "sum": by_step.sum(1), "first": by_step[:, 0]}[how]

    def number(self, name: str) -> Tensor:
        """A parameter or a part of the energy balance of each case, (3,)."""
        return torch.tensor(
            [case.get(name, case["energy_balance"].get(name, 0.0)) for case in self.cases]
        ).double()

    def draws(self, minutes: int) -> list[Draw]:
        """What is drawn in each step, and the air around."""
        columns = [
            self.column("draw_fixture_mixed_lpm", minutes, "sum"),
            self.column("draw_appliance_hot_lpm", minutes, "sum"),
            self.column("mains_temp_c", minutes),
            self.column("ambient_temp_c", minutes),
            self.column("zone_wet_bulb_c", minutes, missing=14.0),
        ]
        return [Draw(*row) for row in zip(*columns, strict=True)]

    def first(self) -> tuple[Tensor, Layers]:
        """The tank when the run begins, as one node and as two layers."""
        mean, top = self.column("tank_mean_temp_c")[0], self.column("tank_node_01_c")[0]
        return mean, Layers(top, 1.5 * mean - 0.5 * top)


@pytest.fixture(scope="module")
def ochre(shared_data):
    folder = shared_data / "ochre"
    cases = [json.loads((folder / f"{case}.json").read_text()) for case in CASES]
    frames = [pd.read_parquet(folder / f"{case}.parquet") for case in CASES]
    few = Ochre(cases, frames, None)
    tank = WaterHeaterParams(
        few.number("tank_volume_l"),
        few.number("tank_loss_ua_total_w_per_k") / 1e3,
        few.number("hp_capacity_nominal_w") / 1e3 / few.number("hp_cop_nominal").clamp(min=1.0),
        few.number("hp_cop_nominal").clamp(min=1.0),
        few.number("element_heat_capacity_rated_w") / 1e3,
    )
    return few._replace(tank=tank)


def rmse(ours, theirs):
    return (torch.stack(ours) - theirs).square().mean(0).sqrt()


def under_its_heat(ochre, minutes):
    """Two layers under OCHRE's heat and draws: temperatures by step, heat that left the tank."""
    layers, (_, state) = layers_of(ochre.tank), ochre.first()
    upper = ochre.column("heat_to_tank_w") * (ochre.column("mode_code") == 1) / 1e3
    upper = upper.reshape(-1, minutes, len(CASES)).mean(1)
    heat = ochre.column("heat_to_tank_w", minutes) / 1e3
    states, gone = [], torch.zeros(len(CASES), dtype=torch.float64)
    for draw, above, all_of_it in zip(ochre.draws(minutes), upper, heat, strict=True):
        states.append(state)
        after = step_layers(state, LayerHeat(above, all_of_it - above), draw, layers, minutes / 60)
        state = after.state
        gone = gone + after.delivered_kwh + after.lost_kwh
    return states, gone, layers


@STEPS
def test_under_the_same_heat_two_layers_are_as_warm_as_in_ochre(ochre, minutes):
    """Two nodes: 0.11 to 0.21 K off; twelve: means 1.6 and 0.9 K; energy within 0.3 %."""
    states, gone, layers = under_its_heat(ochre, minutes)
    top, bottom, mean = (
        ochre.column(name, minutes, "first")
        for name in ("tank_node_01_c", "tank_node_02_c", "tank_mean_temp_c")
    )
    assert rmse([s.upper_c for s in states], top)[0] < 0.5
    assert rmse([s.lower_c for s in states], bottom)[0] < 0.5
    means = rmse([mean_of_layers_c(s, layers) for s in states], mean)
    assert means[0] < 0.5
    assert means[1] < 1.7
    assert means[2] < 1.0
    theirs = ochre.number("draw_delivered_kwh") + ochre.number("loss_reported_kwh")
    assert ((gone / theirs - 1.0).abs() < 0.01).all()


@STEPS
def test_under_the_same_heat_one_node_loses_the_same_energy(ochre, minutes):
    """Energy within 1 %. Its mean is 1.4 K off beside two nodes, because machines draw the water of
    the top, which is 1 K warmer than the mean, and only losses bring a wrong mean back; beside
    twelve nodes, whose bottom stays cold below the element, 3.9 and 6.9 K."""
    temp, (heat, mean) = (
        ochre.first()[0],
        (
            ochre.column("heat_to_tank_w", minutes) / 1e3,
            ochre.column("tank_mean_temp_c", minutes, "first"),
        ),
    )
    temps, gone, dt_h = [], 0.0, minutes / 60
    for draw, into in zip(ochre.draws(minutes), heat, strict=True):
        temps.append(temp)
        passed = passage(temp, into, flow(draw, ochre.tank, dt_h), dt_h)
        left = taken(passed, draw, ochre.tank, dt_h)
        gone, temp = gone + left.delivered_kwh + left.lost_kwh, passed.temp_c
    theirs = ochre.number("draw_delivered_kwh") + ochre.number("loss_reported_kwh")
    assert ((gone / theirs - 1.0).abs() < 0.01).all()
    stored = kwh_per_k(ochre.tank) * (temp - temps[0])
    assert ((heat.sum(0) * dt_h - gone - stored).abs() < 1e-6).all()
    assert (rmse(temps, mean) < torch.tensor([1.5, 4.0, 7.0])).all()


def test_the_heat_pump_gives_and_draws_what_it_does_in_ochre(ochre):
    """Capacity and power in every minute that it runs, at its own condenser's temperature."""
    frame, case = ochre.frames[2], ochre.cases[2]
    nodes = frame[[f"tank_node_{i:02d}_c" for i in range(1, 13)]].to_numpy(np.float64)
    at_condenser = torch.tensor(nodes @ np.array(case["hp_node_heat_fraction"])).unsqueeze(-1)
    wet, ambient, power, capacity = (
        torch.tensor(frame[name].to_numpy(np.float64)).unsqueeze(-1)
        for name in (
            "zone_wet_bulb_c",
            "ambient_temp_c",
            "electric_power_kw",
            "hp_capacity_available_w",
        )
    )
    none = torch.zeros_like(wet)
    pump = WaterHeaterParams(*(column[2:] for column in ochre.tank))
    now = heater_now(at_condenser, Draw(none, none, none, ambient, wet), pump)
    runs = torch.tensor((frame["mode_code"] == 3).to_numpy())
    heat = now.pump_kw * now.pump_cop
    torch.testing.assert_close(heat[runs], capacity[runs] / 1e3, atol=1e-5, rtol=0.0)
    # The 1 W of its electronics while it is off is not modelled.
    torch.testing.assert_close(now.pump_kw[runs], power[runs], atol=1e-5, rtol=0.0)


def by_thermostat(ochre, minutes):
    """Two layers under their own thermostats: electricity [kWh] and minutes of cold fixtures."""
    layers, (_, state) = layers_of(ochre.tank), ochre.first()
    set_c, deadband_k = ochre.number("setpoint_c"), ochre.number("deadband_k")
    allowed = ochre.column("cmd_load_fraction", minutes, missing=1.0)
    none = torch.zeros(len(CASES), dtype=torch.float64)
    pump, on, ran = ochre.tank.pump_kw > 0, LayerHeat(none, none), none
    electric_kwh, cold_min = none, none
    for draw, share in zip(ochre.draws(minutes), allowed, strict=True):
        plain = resistance_thermostat(state, on, set_c, deadband_k)
        hybrid = heat_pump_thermostat(state, on, set_c, deadband_k)
        # A compressor that has started runs for ten minutes.
        stays = (ran > 0) & (ran < 10) & (hybrid.upper == 0)
        below = torch.where(pump, hybrid.lower.maximum(stays.double()), plain.lower)
        on = LayerHeat(torch.where(pump, hybrid.upper, plain.upper), below)
        ran = torch.where(on.lower > 0, ran + minutes, none)
        heater = heater_now(state.lower_c, draw, ochre.tank)
        above_kw = on.upper * ochre.tank.element_kw * share
        below_kw = on.lower * torch.where(pump, heater.pump_kw, ochre.tank.element_kw) * share
        heat = torch.where(pump, heat_kw(below_kw, heater), below_kw)
        after = step_layers(state, LayerHeat(above_kw, heat), draw, layers, minutes / 60)
        state = after.state
        electric_kwh = electric_kwh + (above_kw + below_kw) * minutes / 60
        cold_min = cold_min + (after.cold_kwh > 0) * minutes
    return electric_kwh, cold_min


def test_by_their_own_thermostats_two_layers_draw_what_ochre_draws(ochre):
    """By the minute over two weeks: +0.06 % beside two nodes, +2.2 % beside twelve; cold minutes 0
    of 0, 19 of 19 and 7 of 5. The heat pump draws 15 % less than OCHRE's, in which a lower element
    takes 13 of 57 kWh that this one does not have."""
    electric_kwh, cold_min = by_thermostat(ochre, 1)
    off = electric_kwh / ochre.number("electric_kwh") - 1.0
    assert abs(off[0]) < 0.005
    assert abs(off[1]) < 0.025
    assert abs(off[2]) < 0.16
    assert ((cold_min - ochre.number("cold_fixture_minutes")).abs() <= 3).all()


def test_at_five_minutes_a_resistance_tank_draws_the_same_within_one_per_cent(ochre):
    electric_kwh, _ = by_thermostat(ochre, 5)
    assert electric_kwh[0] == pytest.approx(ochre.number("electric_kwh")[0].item(), rel=0.01)
