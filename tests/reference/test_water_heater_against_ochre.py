"""Water heaters beside NREL's OCHRE 0.9.2: two weeks by the minute, under its power and by rule.

Three of its tanks: resistance of two nodes, resistance of twelve nodes with the element forced off
in three windows, and a heat pump of twelve nodes. Temperatures are those at the start of each step.
With as many layers as it has nodes, and its own constants, each layer is beside its node; the
single node is beside its mean, and what it cannot show, the cold water below an element of twelve
nodes, is stated as a number that holds today. By rule there are two layers of default constants.
"""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from vpp_envs.devices.strata import StrataParams, mean_of_strata_c, step_strata
from vpp_envs.devices.tank import (
    LayerHeat,
    Layers,
    heat_pump_thermostat,
    layers_of,
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
from vpp_envs.fleet.pick import beside
from vpp_envs.flexible import water_heater
from vpp_envs.flexible.water_heater_parts import (
    TankState,
    WaterHeaterAgreement,
    WaterHeaterFleet,
    WaterHeaterMoment,
    WaterHeaterState,
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


def strata_in(case):
    """OCHRE's own layers of a case."""
    few = (
        np.array(case["node_volume_fraction"]) * case["tank_volume_l"],
        np.array(case["node_loss_ua_w_per_k"]) / 1e3,
        np.array(case["node_to_node_conductance_w_per_k"]) / 1e3,
    )
    return StrataParams(*(torch.tensor(column).unsqueeze(0) for column in few))


def heat_by_node_kw(case, frame):
    """Where its heat went by the minute: to an element's node, or around the condenser, (T, L)."""
    shares = np.zeros((4, case["tank_nodes"]))
    shares[1, int(case["upper_element_node"]) - 1] = 1.0
    shares[2, int(case["lower_element_node"]) - 1] = 1.0
    shares[3] = case.get("hp_node_heat_fraction", 0.0)
    return shares[frame["mode_code"]] * frame["heat_to_tank_w"].to_numpy(np.float64)[:, None] / 1e3


def nodes_in(case, frame):
    return frame[[f"tank_node_{i:02d}_c" for i in range(1, case["tank_nodes"] + 1)]].to_numpy(
        np.float64
    )


def under_its_heat(ochre, number, minutes):
    """A case's layers under its heat and draws: how far off in K, each and their mean; energy."""
    case, frame = ochre.cases[number], ochre.frames[number]
    strata, dt_h = strata_in(case), minutes / 60
    heat = heat_by_node_kw(case, frame).reshape(-1, minutes, 1, case["tank_nodes"]).mean(1)
    theirs = torch.tensor(nodes_in(case, frame)[::minutes]).unsqueeze(1)
    temps, gone, ours = theirs[0], 0.0, []
    for all_draws, into in zip(ochre.draws(minutes), torch.tensor(heat), strict=True):
        draw = Draw(*(column[number : number + 1] for column in all_draws))
        ours.append(temps)
        after = step_strata(temps, into, draw, strata, dt_h)
        temps, gone = after.temp_c, gone + after.delivered_kwh + after.lost_kwh
    off_k = torch.cat((rmse(ours, theirs)[0], means_off_k(ours, theirs, strata)))
    told = ochre.number("draw_delivered_kwh") + ochre.number("loss_reported_kwh")
    return off_k, (gone / told[number] - 1.0).item()


def means_off_k(ours, theirs, strata):
    return rmse(
        [mean_of_strata_c(temps, strata) for temps in ours], mean_of_strata_c(theirs, strata)
    )


@STEPS
@pytest.mark.parametrize("number", range(len(CASES)), ids=CASES)
def test_under_the_same_heat_as_many_layers_are_as_warm_as_in_ochre(ochre, number, minutes):
    """By the minute every node is within 0.21 K and every mean within 0.16 K, by five minutes tops
    within 0.21, means within 0.18 and nodes within 0.40 K but for one; energy within 0.03 %. That
    one is a node of 11 L with the element in it, which rises by 2.5 K a minute: what came first in
    five minutes, the draw or the heat, is lost in their means, and even under OCHRE's own draws by
    the minute it is 0.51 K off."""
    off_k, energy = under_its_heat(ochre, number, minutes)
    most_k = torch.full_like(off_k, 0.5)
    if (CASES[number], minutes) == ("erwh_150l_12node_dr", 5):
        most_k[9] = 0.56  # measured: 0.550
    assert abs(energy) < 0.001
    assert (off_k < most_k).all()


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
    nodes = nodes_in(case, frame)
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


def in_the_chain(ochre, layered):
    """Left alone in the chain by five minutes: electricity beside OCHRE's, cold L, RMSE K."""
    tank, none = ochre.tank, torch.zeros(len(CASES), dtype=torch.float64)
    set_c = ochre.number("setpoint_c")
    agreed = WaterHeaterAgreement(
        *(none + 35.0, set_c, set_c, ochre.number("deadband_k"), none, none, set_c)
    )
    rated_kw = tank.pump_kw + tank.element_kw
    nobody = torch.full_like(none, -1).long()
    fleet = WaterHeaterFleet(tank, rated_kw, none + 1.0, agreed, nobody, nobody, None, layered)
    mean_c, layers = ochre.first()
    above_k = None if layered is None else layers.upper_c - mean_c
    first = TankState(mean_c, none, none, none, above_k)
    state, total = WaterHeaterState(first, first), torch.zeros(2, len(CASES), dtype=torch.float64)
    curve, means = torch.zeros(2, 17, dtype=torch.float64), []
    for draw in ochre.draws(5):
        means.append(state.tank.temp_c)
        ahead = water_heater.foresee(beside(*state), draw, fleet, 1 / 12)
        moment = WaterHeaterMoment(draw, ahead, curve)
        around = water_heater.flex(moment, fleet, 1 / 12)
        outcome = water_heater.step(none + torch.nan, around, moment, fleet, 1 / 12)
        # Its weekly heat is another matter: never due here.
        state = WaterHeaterState(*(of._replace(cool_h=none) for of in outcome.state))
        total = total + torch.stack((outcome.served.power_kw / 12, outcome.cold_l))
    off = rmse(means, ochre.column("tank_mean_temp_c", 5, "first"))
    return total[0] / ochre.number("electric_kwh") - 1.0, total[1], off


def test_in_the_chain_two_layers_are_nearer_to_ochre_than_one_node(ochre):
    """By five minutes over two weeks: -0.01, +3.9 and +3.9 % of OCHRE's electricity, where one node
    draws -1.7, +2.0 and +17 %; cold water 0 L, where one node counts 165, 383 and 862 L and OCHRE
    0, 19 and 5 minutes. The second case's element is forced off at times, which is not played."""
    off, cold_l, apart_k = in_the_chain(ochre, torch.ones(3))
    off_of_one, cold_l_of_one, apart_k_of_one = in_the_chain(ochre, None)
    assert abs(off[0]) < 0.005
    assert (off.abs() < 0.045).all()
    assert abs(off_of_one[2]) > 0.15
    assert (cold_l == 0).all()
    assert (cold_l_of_one > 100.0).all()
    assert apart_k[0] < 1.1 < apart_k_of_one[0]
    assert (apart_k[1:] < 5.0).all()
