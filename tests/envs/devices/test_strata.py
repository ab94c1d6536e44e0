"""Layers of hot water, as many as one likes: balance, bounds, plugs, mixing, and one node's law."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vpp_envs.devices.strata import StrataParams, mean_of_strata_c, step_strata, strata_of
from vpp_envs.devices.water_heater import Draw, WaterHeaterParams

KWH_PER_L_K = 1.16194e-3


def row(*numbers: float) -> Tensor:
    return torch.tensor([list(numbers)], dtype=torch.float64)


def column(number: float) -> Tensor:
    return torch.tensor([float(number)], dtype=torch.float64)


TANK = WaterHeaterParams(*(column(x) for x in (170.343, 1.15e-3, 0.0, 1.0, 4.5)))


def of(number: int) -> StrataParams:
    return strata_of(TANK, torch.full((number,), 1.0 / number, dtype=torch.float64))


def draw(mixed=0.0, hot=0.0, mains=15.0, ambient=20.0) -> Draw:
    return Draw(*(column(x) for x in (mixed, hot, mains, ambient, 15.0)))


def without_losses(*volumes_l: float) -> StrataParams:
    few = len(volumes_l)
    return StrataParams(row(*volumes_l), row(*[1e-9] * few), row(*[0.0] * (few - 1)))


def moment(temps, draw, strata, heat=None):
    """What a second does, in which nothing but the draw and the mixing matters."""
    heat = torch.zeros_like(temps) if heat is None else heat
    return step_strata(temps, heat, draw, strata, 1 / 3600)


@st.composite
def steps(draw_from, numbers):
    """Tanks of any order of layers, draws of up to four tanks, any heat in any layer."""
    number = draw_from(numbers)
    some = st.lists(st.floats(5.0, 70.0), min_size=number, max_size=number)
    shares = draw_from(st.lists(st.floats(0.2, 1.0), min_size=number, max_size=number))
    heats = draw_from(st.lists(st.floats(0.0, 4.5), min_size=number, max_size=number))
    strata = strata_of(TANK, torch.tensor(shares, dtype=torch.float64) / sum(shares))
    water = draw(
        draw_from(st.floats(0.0, 350.0)),
        draw_from(st.floats(0.0, 350.0)),
        draw_from(st.floats(4.0, 25.0)),
        draw_from(st.floats(-5.0, 40.0)),
    )
    dt_h = draw_from(st.sampled_from([1 / 60, 1 / 12, 1 / 4]))
    return row(*draw_from(some)), row(*heats), water, strata, dt_h


@given(steps(st.integers(1, 13)))
def test_energy_is_conserved_and_warm_water_is_on_top(step):
    temps, heats, _, strata, dt_h = step
    after = step_strata(*step)
    change_k = mean_of_strata_c(after.temp_c, strata) - mean_of_strata_c(temps, strata)
    change_kwh = change_k * KWH_PER_L_K * TANK.volume_l
    gone_kwh = after.delivered_kwh + after.lost_kwh
    assert (change_kwh - heats.sum(-1) * dt_h + gone_kwh).abs().item() < 1e-9
    assert (after.temp_c.diff(dim=-1) <= 1e-9).all()


@given(steps(st.integers(3, 13) | st.just(1)))
def test_without_heat_no_layer_leaves_what_tank_mains_and_air_were(step):
    temps, heats, water, strata, dt_h = step
    after = step_strata(temps, torch.zeros_like(heats), water, strata, dt_h).temp_c
    every = torch.cat((temps, torch.stack((water.mains_c, water.ambient_c), -1)), -1)
    assert after.min() >= every.min() - 1e-9
    assert after.max() <= every.max() + 1e-9


def test_a_small_draw_moves_each_layer_down_by_one():
    """5 L of 10 L each: the sixth is half of 60 and half of 20 C, the last half of mains' 10 C."""
    temps = row(*[60.0] * 6, *[20.0] * 6)
    after = moment(temps, draw(hot=5.0, mains=10.0), without_losses(*[10.0] * 12))
    expected = row(*[60.0] * 5, 40.0, *[20.0] * 5, 15.0)
    torch.testing.assert_close(after.temp_c, expected, atol=1e-6, rtol=0.0)
    assert after.delivered_kwh.item() == pytest.approx(5.0 * 50.0 * KWH_PER_L_K, rel=1e-6)
    assert after.outlet_c.item() == pytest.approx(60.0)


def test_a_draw_of_several_layers_delivers_them_from_the_top_down():
    """70 L: 60 at 60 C and 10 at 20 C; 50 L at 20 C stay, and 70 at 10 C come in."""
    temps = row(*[60.0] * 6, *[20.0] * 6)
    after = moment(temps, draw(hot=70.0, mains=10.0), without_losses(*[10.0] * 12))
    expected = row(*[20.0] * 5, *[10.0] * 7)
    torch.testing.assert_close(after.temp_c, expected, atol=1e-6, rtol=0.0)
    assert after.outlet_c.item() == pytest.approx((60 * 60 + 10 * 20) / 70)


def test_a_draw_of_more_than_the_tank_leaves_mains_in_it():
    """300 L from 120 L at 60 C: all the heat above 10 C, and water of 30 C on average."""
    after = moment(row(*[60.0] * 4), draw(hot=300.0, mains=10.0), without_losses(*[30.0] * 4))
    torch.testing.assert_close(after.temp_c, row(*[10.0] * 4), atol=1e-6, rtol=0.0)
    assert after.delivered_kwh.item() == pytest.approx(120.0 * 50.0 * KWH_PER_L_K, rel=1e-6)
    assert after.outlet_c.item() == pytest.approx(30.0)


def test_fixtures_mix_and_cold_water_at_them_is_counted():
    """20 L at 40.6 C of 60 C over 10 C are 12.24 L; of 30 C all 20 L, which miss 10.6 K."""
    of_three = without_losses(*[40.0] * 3)
    warm = moment(row(60.0, 60.0, 60.0), draw(mixed=20.0, mains=10.0), of_three)
    assert warm.drawn_l.item() == pytest.approx(12.24)
    assert warm.cold_kwh.item() == 0.0
    cold = moment(row(30.0, 30.0, 30.0), draw(mixed=20.0, mains=10.0), of_three)
    assert cold.drawn_l.item() == pytest.approx(20.0)
    assert cold.cold_kwh.item() == pytest.approx(20.0 * 10.6 * KWH_PER_L_K)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((30.0, 60.0, 45.0), (50.0, 50.0, 45.0)),  # (30 + 2 * 60) / 3
        ((30.0, 40.0, 70.0), (45.0, 45.0, 45.0)),  # (30 + 2 * 40 + 70) / 4
        ((60.0, 40.0, 52.0), (60.0, 44.0, 44.0)),  # (2 * 40 + 52) / 3
        ((60.0, 50.0, 20.0), (60.0, 50.0, 20.0)),
    ],
)
def test_a_warm_layer_mixes_with_those_above_until_none_below_is_warmer(before, after):
    mixed = moment(row(*before), draw(), without_losses(10.0, 20.0, 10.0)).temp_c
    torch.testing.assert_close(mixed, row(*after), atol=1e-6, rtol=0.0)


def test_an_element_heats_the_layers_above_it_and_none_below():
    """4.5 kW for 5 min into the 10th of 12: 0.375 kWh in ten layers of 10 L are 3.227 K each."""
    strata, heat = without_losses(*[10.0] * 12), torch.zeros(1, 12, dtype=torch.float64)
    heat[0, 9] = 4.5
    after = step_strata(row(*[40.0] * 12), heat, draw(), strata, 1 / 12).temp_c
    expected = row(*[40.0 + 0.375 / (100.0 * KWH_PER_L_K)] * 10, 40.0, 40.0)
    torch.testing.assert_close(after, expected, atol=1e-6, rtol=0.0)


def alike(number: int) -> StrataParams:
    """Layers that lose alike, as though lid and bottom were perfect."""
    strata = of(number)
    return strata._replace(ua_kw_per_k=strata.volume_l * TANK.ua_kw_per_k / TANK.volume_l)


@pytest.mark.reference
@pytest.mark.parametrize("number", [1, 2, 12])
def test_layers_that_are_alike_cool_and_warm_as_one_node(number):
    """facts.md H2: 51.7 C off for 24 h 47.5740 C; 50 C with 4.5 kW for 300 s 51.8796 C."""
    strata, start = alike(number), torch.ones(1, number, dtype=torch.float64)
    cooled = step_strata(51.7 * start, 0.0 * start, draw(), strata, 24.0).temp_c
    torch.testing.assert_close(cooled, 47.5740 * start, atol=1e-4, rtol=0.0)
    warmed = step_strata(50.0 * start, 4.5 / number * start, draw(), strata, 1 / 12).temp_c
    torch.testing.assert_close(warmed, 51.8796 * start, atol=1e-3, rtol=0.0)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("volume_l", "ua_w_per_k", "end", "side", "between"),
    [
        (136.2748, 1.147376, 0.159668, 0.082804, 0.704748),
        (170.3435, 1.899101, 0.274946, 0.134921, 0.880935),
    ],
)
def test_a_tank_is_split_as_in_ochre(volume_l, ua_w_per_k, end, side, between):
    """Its erwh_150l_12node_dr and hpwh_190l_winter, W/K: lid and bottom are 2 % off, not more."""
    none = column(0.0)
    tank = WaterHeaterParams(column(volume_l), column(ua_w_per_k * 1e-3), none, none, none)
    strata = strata_of(tank, torch.full((12,), 1 / 12, dtype=torch.float64))
    lost = strata.ua_kw_per_k[0] * 1e3
    assert lost.sum().item() == pytest.approx(ua_w_per_k)
    assert lost[[0, 11]].tolist() == pytest.approx([end, end], rel=0.035)
    assert lost[1:11].tolist() == pytest.approx([side] * 10, rel=0.01)
    assert (strata.between_kw_per_k[0] * 1e3).tolist() == pytest.approx([between] * 11, rel=0.003)


def test_five_minutes_are_three_parts_that_one_could_have_passed_oneself():
    temps, heat = row(55.0, 50.0, 30.0, 15.0), row(0.0, 0.0, 4.5, 0.0)
    whole = step_strata(temps, heat, draw(30.0, 12.0), of(4), 1 / 12)
    lost = delivered = 0.0
    for _ in range(3):
        part = step_strata(temps, heat, draw(10.0, 4.0), of(4), 1 / 36)
        temps = part.temp_c
        lost, delivered = lost + part.lost_kwh, delivered + part.delivered_kwh
    torch.testing.assert_close(whole.temp_c, temps, atol=1e-12, rtol=0.0)
    torch.testing.assert_close(whole.lost_kwh, lost, atol=1e-15, rtol=0.0)
    torch.testing.assert_close(whole.delivered_kwh, delivered, atol=1e-15, rtol=0.0)
    served_c = 15.0 + whole.delivered_kwh / (KWH_PER_L_K * whole.drawn_l)
    torch.testing.assert_close(whole.outlet_c, served_c, atol=1e-9, rtol=0.0)


def test_a_tank_is_the_same_in_any_batch_and_any_order():
    torch.manual_seed(0)
    temps, heat = (torch.rand(3, 5, 12).double() * scale for scale in (60.0, 2.0))
    water = Draw(*(torch.rand(3, 5).double() * scale for scale in (60.0, 60.0, 20.0, 20.0, 9.0)))
    tank = WaterHeaterParams(*(torch.rand(5).double() + 1.0 for _ in range(5)))
    tank = tank._replace(volume_l=100.0 * tank.volume_l, ua_kw_per_k=1e-3 * tank.ua_kw_per_k)
    shares = torch.full((12,), 1 / 12, dtype=torch.float64)
    whole = step_strata(temps, heat, water, strata_of(tank, shares), 1 / 12)
    order = torch.tensor([3, 0, 4, 1, 2])
    some = WaterHeaterParams(*(column[order] for column in tank))
    turned = step_strata(
        temps[1][order],
        heat[1][order],
        Draw(*(of_it[1][order] for of_it in water)),
        strata_of(some, shares),
        1 / 12,
    )
    for one, other in zip(whole, turned, strict=True):
        torch.testing.assert_close(one[1][order], other, atol=1e-12, rtol=0.0)


def test_a_step_is_scriptable_and_differentiable():
    temps = row(50.0, 45.0, 47.0).requires_grad_()
    words = (temps, row(0.0, 1.0, 0.0), draw(20.0, 5.0), of(3), 1 / 12)
    after, scripted = step_strata(*words), torch.jit.script(step_strata)(*words)
    assert all(torch.equal(one, other) for one, other in zip(scripted, after, strict=True))
    after.temp_c.sum().backward()
    assert temps.grad.isfinite().all()
