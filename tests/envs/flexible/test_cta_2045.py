"""CTA-2045 messages: what each does to the band of a tank; no promise breaks under them."""

import numpy as np
import pytest
import torch

from vpp_envs.fleet.water_heater_sampling import sample_water_heaters
from vpp_envs.flexible import water_heater
from vpp_envs.flexible.cta_2045 import CTA_2045, commanded
from vpp_envs.flexible.water_heater_parts import WaterHeaterTables
from vpp_envs.signals.synthetic.hot_water import hot_water_table

NAMES = [command.name for command in CTA_2045]
HOMES = 120
DT_H = 1 / 12


@pytest.fixture(scope="module")
def fleet():
    return sample_water_heaters(1, torch.arange(HOMES), torch.ones(HOMES, dtype=torch.bool))


def sent(fleet, name):
    """The fleet under one message to all."""
    command = torch.full((HOMES,), NAMES.index(name))
    return fleet._replace(agreement=commanded(fleet.agreement, command))


def band(fleet, name):
    agreed = sent(fleet, name).agreement
    return agreed.least_c, agreed.most_c


def test_the_end_of_a_message_is_the_agreement(fleet):
    for before, after in zip(fleet.agreement, sent(fleet, "normal").agreement, strict=True):
        assert torch.equal(before, after)


def test_each_message_moves_the_band_as_its_meaning_says(fleet):
    agreed = fleet.agreement
    low, high = band(fleet, "shed")
    assert torch.equal(low, torch.minimum(agreed.least_c, (agreed.set_c - 8.0).clamp(min=40.6)))
    assert (high <= low + 3.0).all()
    low, high = band(fleet, "load_up")
    torch.testing.assert_close(low, agreed.set_c - 1.5)
    torch.testing.assert_close(high, agreed.set_c)
    low, high = band(fleet, "advanced_load_up")
    valve = agreed.most_c > agreed.set_c + 1e-9
    torch.testing.assert_close(high, torch.minimum(agreed.set_c + 8.0, agreed.most_c))
    assert (high[valve] > agreed.set_c[valve]).all()
    assert torch.equal(high[~valve], agreed.set_c[~valve])  # no valve: no water to scald
    assert (band(fleet, "critical_peak")[0] == 40.6).all()
    assert (band(fleet, "grid_emergency")[1] == 8.0).all()


def test_bands_are_ordered_by_how_deep_a_message_goes(fleet):
    tops = torch.stack([band(fleet, name)[1] for name in NAMES])
    of = {name: tops[i] for i, name in enumerate(NAMES)}
    assert (of["grid_emergency"] < of["critical_peak"]).all()
    assert (of["critical_peak"] <= of["shed"]).all()
    assert (of["shed"] < of["load_up"]).all()
    assert (of["load_up"] <= of["advanced_load_up"]).all()


def rows_of(days):
    mixed, hot = hot_water_table("Etc/GMT+8", np.datetime64("2023-01-02T08:00"), days * 288, 5)
    curve = torch.zeros(1, 2, 17, dtype=torch.float64)
    for tick in range(days * 288):
        draws = (table[tick : tick + 1].double() for table in (mixed, hot))
        air = (torch.tensor([[value]], dtype=torch.float64) for value in (14.0, 16.0, 12.0))
        yield WaterHeaterTables(*draws, *air, curve)


def day(fleet, messages):
    """A day left alone under messages by hour: power by tick, broken promises, end state."""
    state, powers, broken = None, [], 0
    for tick, rows in enumerate(rows_of(1)):
        if state is None:
            share = torch.full((1, HOMES), 0.5, dtype=torch.float64)
            state = water_heater.first_state(share, rows, fleet, DT_H)
        name = next((name for (a, b), name in messages.items() if a <= tick / 12 < b), "normal")
        now = sent(fleet, name)
        moment = water_heater.moment_of(state, rows, now, DT_H)
        around = water_heater.flex(moment, now, DT_H)
        asked = torch.full_like(around.low_kw, torch.nan)
        outcome = water_heater.step(asked, around, moment, now, DT_H)
        broken += int(outcome.served.broken.sum())
        powers.append(outcome.served.power_kw.mean().item())
        state = outcome.state
    return np.array(powers), broken, state


def test_a_load_up_before_a_shed_moves_the_evening_peak(fleet):
    plain, _, _ = day(fleet, {})
    moved, broken, _ = day(fleet, {(15, 17): "advanced_load_up", (17, 20): "shed"})
    evening, before = slice(17 * 12, 20 * 12), slice(15 * 12, 17 * 12)
    assert broken == 0
    assert moved[evening].mean() < 0.5 * plain[evening].mean()
    assert moved[before].mean() > 1.5 * plain[before].mean()


@pytest.mark.parametrize("name", NAMES)
def test_no_message_breaks_a_promise(fleet, name):
    assert day(fleet, {(6, 18): name})[1] == 0


def test_in_an_emergency_only_the_weekly_heat_runs(fleet):
    powers, broken, state = day(fleet, {(0, 24): "grid_emergency"})
    assert broken == 0
    due = state.tank.cool_h[0] < 24.0  # it was due within the day
    rows = next(rows_of(1))
    now = sent(fleet, "grid_emergency")
    around = water_heater.flex(water_heater.moment_of(state, rows, now, DT_H), now, DT_H)
    assert (around.high_kw[0][~due & (state.tank.cool_h[0] < 150.0)] == 0).all()
    assert powers.mean() < 0.1
