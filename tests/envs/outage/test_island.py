"""A home without the grid: every kWh is accounted for, and a reserve lasts as long as it should."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.outage.island import backup_hours, backup_shortfall_kwh, begins, step_island

DT_H = 1.0 / 12.0


def row(*values, dtype=torch.float64):
    return torch.tensor([values], dtype=dtype)


def battery(homes=1, capacity=13.5, power=5.0, eff=0.95, loss=0.0, dtype=torch.float64):
    values = (capacity, power, power, eff, loss, 0.04)
    return BatteryParams(*(torch.full((homes,), v, dtype=dtype) for v in values))


def through(energy, load_kw, of, steps, solar_kw=0.0, generator_kw=0.0, dt_h=DT_H):
    """Sums over an outage of constant load, and the energy at its end."""
    like = torch.zeros_like(energy)
    served, unserved, hours = like, like, like
    for _ in range(steps):
        island = step_island(energy, like + load_kw, like + solar_kw, like + generator_kw, of, dt_h)
        energy = island.energy_kwh
        served, unserved = served + island.served_kwh, unserved + island.unserved_kwh
        hours = hours + island.backup_h
    return served, unserved, hours, energy


def test_a_reserve_holds_a_load_for_reserve_times_efficiency_over_load():
    # 2.7 kWh (20 % of 13.5) at 0.95 carry 1 kW for 2.565 h.
    served, unserved, hours, left = through(row(2.7), 1.0, battery(), 12 * 6)
    assert hours.item() == pytest.approx(2.565)
    assert served.item() == pytest.approx(2.565)
    assert unserved.item() == pytest.approx(6.0 - 2.565)
    assert left.item() == pytest.approx(0.0, abs=1e-12)
    none = row(0.0)
    now = backup_hours(row(2.7), row(1.0), none, none, battery(), 168.0)
    assert now.item() == pytest.approx(2.565)


@given(st.floats(0.1, 13.5), st.floats(0.2, 5.0), st.floats(0.7, 1.0), st.floats(0.0, 0.05))
def test_a_home_holds_as_long_as_was_foretold(energy, load, eff, loss):
    of, none = battery(eff=eff, loss=loss), row(0.0)
    foretold = backup_hours(row(energy), row(load), none, none, of, 168.0).item()
    _, _, hours, _ = through(row(energy), load, of, 80, dt_h=1.0)
    # The last step is served as a mean, and its standing loss counts in full: below an hour's.
    assert hours.item() == pytest.approx(foretold, abs=loss * eff / load + 1e-9)


def test_homes_with_more_reserve_have_less_unserved_energy():
    reserves = row(0.0, 1.35, 2.7, 6.75, 10.8)
    unserved = through(reserves, 1.0, battery(5), 12 * 8)[1][0]
    assert bool((unserved.diff() < 0).all())
    assert unserved[0].item() == pytest.approx(8.0)


def test_load_beyond_the_power_of_the_battery_is_shed():
    island = step_island(row(13.5), row(8.0), row(0.0), row(0.0), battery(), 1.0)
    assert island.served_kwh.item() == 5.0
    assert island.unserved_kwh.item() == 3.0
    assert island.backup_h.item() == pytest.approx(0.625)
    none = row(0.0)
    assert backup_hours(row(13.5), row(8.0), none, none, battery(), 168.0).item() == 0.0


def test_sun_serves_then_charges_and_is_then_curtailed():
    island = step_island(row(5.0), row(1.0), row(9.0), row(0.0), battery(), 1.0)
    assert island.battery_kw.item() == 5.0
    assert island.solar_output_kw.item() == 6.0
    assert island.curtailed_kwh.item() == 3.0
    full = step_island(row(13.5), row(1.0), row(9.0), row(0.0), battery(), 1.0)
    assert full.curtailed_kwh.item() == 8.0
    assert full.energy_kwh.item() == 13.5


def test_a_generator_spares_the_battery_and_follows_the_load():
    island = step_island(row(5.0), row(3.0), row(1.0), row(7.0), battery(), 1.0)
    assert island.generator_kw.item() == 2.0
    assert island.battery_kw.item() == 0.0
    assert island.unserved_kwh.item() == 0.0
    small = step_island(row(5.0), row(3.0), row(1.0), row(0.5), battery(), 1.0)
    assert small.battery_kw.item() == -1.5


def test_a_home_without_a_battery_is_dark_and_harmless():
    none = BatteryParams(*(torch.tensor([v]) for v in (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)))
    load = torch.tensor([[2.0]], requires_grad=True)
    zero = torch.zeros(1, 1)
    island = step_island(zero, load, zero, zero, none, DT_H)
    assert island.unserved_kwh.item() == pytest.approx(2.0 * DT_H)
    assert island.backup_h.item() == 0.0
    (island.unserved_kwh + island.backup_h + island.energy_kwh).sum().backward()
    assert load.grad.item() == pytest.approx(DT_H)
    hours = backup_hours(zero, load, zero, zero, none, 168.0)
    assert hours.item() == 0.0


powers = st.floats(0.0, 30.0)


@given(
    st.floats(0.0, 1.0),
    powers,
    powers,
    powers,
    st.floats(0.5, 30.0),
    st.floats(0.0, 10.0),
    st.floats(0.3, 1.0),
    st.floats(0.0, 0.1),
    st.floats(1.0 / 3600.0, 1.0),
)
def test_every_kwh_is_accounted_for(fill, load, solar, engine, capacity, power, eff, loss, dt_h):
    of = battery(1, capacity, power, eff, loss)
    before = row(fill * capacity)
    i = step_island(before, row(load), row(solar), row(engine), of, dt_h)
    # At the bus: what comes in is what is served or stored.
    come = (i.solar_output_kw + i.generator_kw - i.battery_kw) * dt_h
    assert come.item() == pytest.approx(i.served_kwh.item(), abs=1e-9)
    assert (i.served_kwh + i.unserved_kwh).item() == pytest.approx(load * dt_h, abs=1e-9)
    assert (i.solar_output_kw * dt_h + i.curtailed_kwh).item() == pytest.approx(
        solar * dt_h, abs=1e-9
    )
    # In the cells, written out anew.
    charge, discharge = i.battery_kw.clamp(min=0.0), (-i.battery_kw).clamp(min=0.0)
    stored = (charge * eff - discharge / eff - loss) * dt_h + i.spared_kwh
    assert (i.energy_kwh - before).item() == pytest.approx(stored.item(), abs=1e-9)
    assert 0.0 <= i.energy_kwh.item() <= capacity + 1e-9
    assert -1e-12 <= i.spared_kwh.item() <= loss * dt_h + 1e-12
    parts = (i.served_kwh, i.unserved_kwh, i.curtailed_kwh, i.generator_kw, i.solar_output_kw)
    assert all(part.item() >= -1e-12 for part in parts)
    assert abs(i.battery_kw.item()) <= power + 1e-12
    # Nothing is left unserved while something could serve it.
    if i.unserved_kwh.item() > 1e-9:
        assert i.curtailed_kwh.item() <= 1e-9
        at_power = discharge.item() >= power - 1e-9
        assert at_power or i.energy_kwh.item() <= 1e-9


def test_what_is_missing_to_the_reserve_counts_when_the_outage_begins():
    agreement = Agreement(*(torch.tensor([v, v]).double() for v in (2.7, 99.0, 99.0, 0.8)))
    starts = begins(row(1.0, 1.0), row(0.0, 1.0))
    short = backup_shortfall_kwh(row(2.0, 2.0), agreement, starts)
    assert short[0].tolist() == pytest.approx([0.7, 0.0])


def test_twelve_steps_of_five_minutes_are_an_hour_while_the_battery_lasts():
    of = battery(loss=0.03)
    fine, coarse = through(row(9.0), 2.0, of, 12)[3], through(row(9.0), 2.0, of, 1, dt_h=1.0)[3]
    assert fine.item() == pytest.approx(coarse.item(), abs=1e-12)


def test_it_scripts_and_compiles_as_it_runs():
    of = battery(3, dtype=torch.float32)
    words = [row(5.0, 1.0, 0.0, dtype=torch.float32) for _ in range(4)]
    eager = step_island(*words, of, DT_H)
    for other in (
        torch.jit.script(step_island),
        torch.compile(step_island, fullgraph=True, backend="eager"),
    ):
        assert all(torch.equal(a, b) for a, b in zip(eager, other(*words, of, DT_H), strict=True))
    torch.jit.script(backup_hours)
