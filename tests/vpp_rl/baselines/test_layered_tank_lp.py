"""The programme's room for tanks of two layers, which no policy and no step leaves."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.tank import LayerHeat, Layers, layers_of, mean_of_layers_c, step_layers
from vpp_envs.devices.water_heater import Draw
from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.fleet.water_heater_sampling import sample_water_heaters
from vpp_envs.flexible.water_heater_layers import layers_now
from vpp_envs.flexible.water_heater_parts import TankState
from vpp_envs.simulator import SetPoints, step_site
from vpp_rl.baselines.layered_tank_lp import layered_tank
from vpp_rl.rollout import Windows, window_env

WINDOWS, TICKS, DT_H = Windows("test", window_days=2), 2 * 288, 1 / 12
FLEET = FleetSpec(
    homes=12,
    seed=7,
    water_heater_share=1.0,
    heat_pump_water_share=0.5,
    messages_water_share=0.3,
    layered_water=True,
)
TANKS = sample_water_heaters(0, torch.arange(20), torch.ones(20, dtype=torch.bool), layered=True)


def stacked(rows):
    return map_columns(rows[0], lambda *same: torch.stack(same), *rows[1:])


@pytest.mark.parametrize("policy", ["random", "bang-bang", "idle", "least", "most"])
def test_no_policy_leaves_the_room_of_the_mean_or_the_lines_of_a_step(day_spec, policy):
    market = replace(day_spec.market, climate="NL")
    env, _, _ = window_env(replace(day_spec, fleet=FLEET, market=market), WINDOWS)
    luck = torch.Generator().manual_seed(5)
    draws, heats, states = [], [], [env.state.flexible.water_heater.tank]
    for _ in range(TICKS):
        moment = env.moment
        share = torch.rand(moment.load_kw.shape, generator=luck, dtype=torch.float64)
        asked = {
            "random": 12.0 * share - 3.0,
            "bang-bang": torch.where(share < 0.5, -99.0, 99.0).double(),
            "idle": torch.full_like(share, torch.nan),
            "least": torch.full_like(share, -99.0),
            "most": torch.full_like(share, 99.0),
        }[policy]
        points = SetPoints(0.0 * share, moment.solar_available_kw, flexible_kw=[asked])
        outcome = step_site(points, moment, env.fleet, DT_H).flexible.water_heater
        env.step_set_points(points)
        draws.append(moment.flexible.water_heater.draw)
        heats.append(outcome.heat_kwh / DT_H)
        states.append(outcome.state.tank)
    fleet, heat = env.fleet.flexible.water_heater, torch.stack(heats)
    box = layered_tank(states[0], stacked(draws), fleet, DT_H)
    mean_c = torch.stack([state.temp_c for state in states])
    water = layers_now(mean_c, torch.stack([state.above_k for state in states]))
    before, after = mean_c[:-1], mean_c[1:]
    assert (before >= box.coldest_c - 1e-9).all()
    assert (after >= box.after_coldest_c - 1e-9).all()
    assert (water.upper_c[1:] <= box.warmest_c + 1e-9).all()
    assert (water.lower_c[1:] >= box.water_c - 1e-9).all()
    assert (after <= before - box.least_k + box.most_k_per_kw * heat + 1e-9).all()
    assert (after >= before - box.most_k + box.least_k_per_kw * heat - 1e-9).all()


@given(
    upper_c=st.floats(20.0, 60.0),
    share=st.floats(0.0, 1.0),
    mixed_l=st.floats(0.0, 150.0),
    hot_l=st.floats(0.0, 60.0),
    mains_c=st.floats(2.0, 25.0),
    ambient_c=st.floats(-5.0, 45.0),
    heat_kw=st.floats(0.0, 8.0),
    above=st.floats(0.0, 1.0),
)
def test_a_step_lies_between_two_lines_whatever_is_drawn(
    upper_c, share, mixed_l, hot_l, mains_c, ambient_c, heat_kw, above
):
    """From any stratification, with baths that no tank holds, and heat wherever it goes."""
    none = torch.zeros(1, 20, dtype=torch.float64)
    least_c = min(mains_c, ambient_c, upper_c)
    upper = torch.minimum(none + upper_c, TANKS.agreement.most_c)
    now = Layers(upper, least_c + share * (upper - least_c))
    draw = Draw(*(none + x for x in (mixed_l, hot_l, mains_c, ambient_c, ambient_c - 3.0)))
    of, heat = layers_of(TANKS.params), none + heat_kw
    after = step_layers(now, LayerHeat(above * heat, (1.0 - above) * heat), draw, of, DT_H).state
    mean_c = mean_of_layers_c(now, of)
    first = TankState(mean_c, none, none, none, now.upper_c - mean_c)
    window = map_columns(draw, lambda column: column.unsqueeze(0))
    box = layered_tank(first, window, TANKS, DT_H)
    ends_c, most = mean_of_layers_c(after, of), box.most_k_per_kw[0] * heat
    assert (ends_c <= mean_c - box.least_k[0] + most + 1e-9).all()
    assert (ends_c >= mean_c - box.most_k[0] + box.least_k_per_kw[0] * heat - 1e-9).all()
