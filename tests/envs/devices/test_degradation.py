"""Ageing beside the numbers of facts.md A1.3, and what any model of ageing must keep.

The golden numbers were computed there from the published models (LFP: NREL/BLAST-Lite,
lfp_gr_250AhPrismatic_2019; NMC: Smith et al. 2017, IEEE 7963578, as NREL/OCHRE runs it) and are
met to half of the last digit that is printed there.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.degradation import (
    Ageing,
    LfpRates,
    NmcRates,
    age_lfp,
    age_nmc,
    ageing_cost,
    capacity_left,
    lasting_loss,
    lfp_anode_v,
    lfp_calendar_rate,
    lfp_cycle_rate,
    lfp_rates,
    new_battery,
    nmc_break_in,
    nmc_calendar_rate,
    nmc_capacity_factor,
    nmc_cycle_rate,
    nmc_rates,
)

YEAR = 365
FILL, WARM = st.floats(0.0, 1.0), st.floats(10.0, 45.0)  # where the LFP model is valid


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def at_rest(fill: float, temperature_c: float) -> LfpRates:
    rate = lfp_calendar_rate(one(fill), one(temperature_c))
    return LfpRates(rate, lfp_cycle_rate(one(0.0), one(0.0), one(temperature_c)), one(0.0))


def cycling(depth: float, c_rate: float, cycles: float) -> LfpRates:
    rate = lfp_cycle_rate(one(depth), one(c_rate), one(25.0))
    return LfpRates(one(1e-9), rate, one(cycles))


def nmc(fill: float, temperature_c: float, depth: float, cycles: float = 0.0) -> NmcRates:
    where = (one(fill), one(temperature_c), one(depth))
    cycle = nmc_cycle_rate(one(cycles)[None], one(temperature_c)[None])
    return NmcRates(nmc_calendar_rate(*where), cycle, nmc_break_in(*where))


def day_of_cycles(
    depth: float, low: float = 0.1, cycles: int = 1, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """Edges of a day by the hour that charges and discharges in even triangles, (25, 1)."""
    hour = torch.arange(25, dtype=dtype)
    phase = (hour * cycles / 24.0) % 1.0
    return (low + depth * (1.0 - (2.0 * phase - 1.0).abs()))[:, None]


def per_cent(part: torch.Tensor) -> float:
    return 100.0 * part.item()


# facts.md A1.3 [C]: calendar loss of LFP after 1, 5 and 10 years, in per cent.
@pytest.mark.parametrize(
    ("temperature_c", "fill", "published"),
    [
        (25.0, 0.5, (1.10, 2.57, 3.70)),
        (35.0, 0.5, (2.04, 4.75, 6.84)),
        (25.0, 0.8, (1.56, 3.63, 5.23)),
    ],
)
def test_lfp_calendar_loss_is_the_published_one(temperature_c, fill, published):
    state = new_battery(one(0.0))
    found = []
    for day in range(1, 10 * YEAR + 1):
        state = age_lfp(state, at_rest(fill, temperature_c))
        if day in (YEAR, 5 * YEAR, 10 * YEAR):
            found.append(per_cent(state.calendar))
    assert found == pytest.approx(published, abs=0.005)


def test_lfp_loses_about_one_per_cent_in_its_first_year():
    # facts.md A1.3, L1: 1.1 % at half fill, 0.8 % at 30 %, 1.6 % at 80 %, at 25 C.
    found = [
        per_cent(age_lfp(new_battery(one(0.0)), at_rest(fill, 25.0), YEAR).calendar)
        for fill in (0.5, 0.3, 0.8)
    ]
    assert found == pytest.approx([1.1, 0.8, 1.6], abs=0.05)


@pytest.mark.parametrize(("cycles", "published", "digit"), [(1000, 4.64, 0.01), (3000, 11.5, 0.1)])
def test_lfp_cycle_loss_is_the_published_one(cycles, published, digit):
    # facts.md A1.3 [C]: depth 0.8, C/4, 25 C.
    state = new_battery(one(0.0))
    for _ in range(cycles):
        state = age_lfp(state, cycling(0.8, 0.25, 1.0))
    assert per_cent(state.cycle) == pytest.approx(published, abs=digit / 2)


# facts.md A1.3 [C]: q1 of NMC after ten years at 25 C and half fill, by depth of the daily cycle.
@pytest.mark.parametrize(("depth", "published"), [(0.0, 4.0), (0.5, 6.9), (0.8, 18.3)])
def test_nmc_calendar_loss_is_the_published_one(depth, published):
    state = new_battery(one(0.0))
    for _ in range(10 * YEAR):
        state = age_nmc(state, nmc(0.5, 25.0, depth))
    assert per_cent(state.calendar) == pytest.approx(published, abs=0.05)


def test_nmc_cycle_loss_is_the_published_one():
    # facts.md A1.3 [C]: q2 after 3,650 cycles, one a day.
    state = age_nmc(new_battery(one(0.0)), nmc(0.5, 25.0, 0.5, cycles=1.0), 3650)
    assert per_cent(state.cycle) == pytest.approx(5.6, abs=0.05)


def test_nmc_breaks_in_within_weeks_to_the_published_gain():
    # facts.md A1.3: b3 = -2.805e-2 at 25 C and 3.7 V without cycles; a fifth of the way each day.
    fill = 0.5 + 0.1 * (3.7 - 3.6876) / (3.7469 - 3.6876)  # where the table reads 3.7 V
    state = new_battery(one(0.0))
    for day in range(1, 61):
        state = age_nmc(state, nmc(fill, 25.0, 0.0))
        assert state.break_in.item() == pytest.approx(-0.02805 * (1 - 0.8**day), rel=1e-9)
    assert capacity_left(state).item() > 1.0


def test_capacity_in_the_cold_is_the_published_factor():
    # facts.md A1.3: d0 = 1.001 exp(-4126/R x - 9.752e6/R x^2); at 0 C x = 3.0696e-4 1/K.
    cold = 1.001 * math.exp(-4126 / 8.314 * 3.0696e-4 - 9.752e6 / 8.314 * 3.0696e-4**2)
    assert nmc_capacity_factor(one(0.0)).item() == pytest.approx(cold, rel=1e-4)
    assert nmc_capacity_factor(one(25.0)).item() == pytest.approx(1.001)


def test_virtual_time_stays_by_the_explicit_daily_step_of_the_models():
    # facts.md A1.3 writes dy = k p (y/k)^((p-1)/p) dx and dq1 = b1/2 / max(q1/b1, 1): straight
    # steps of a day. The exact curve is within 0.3 % of them after a year, 0.04 % after ten.
    k = at_rest(0.5, 25.0).calendar.item()
    b1 = nmc(0.5, 25.0, 0.5).calendar.item()
    lfp_loss, nmc_loss = k, 0.5 * b1
    for day in range(2, 10 * YEAR + 1):
        lfp_loss += k * 0.526 * (lfp_loss / k) ** ((0.526 - 1) / 0.526)
        nmc_loss += 0.5 * b1 / max(nmc_loss / b1, 1.0)
        if day in (YEAR, 10 * YEAR):
            near = 3e-3 if day == YEAR else 4e-4
            assert k * day**0.526 == pytest.approx(lfp_loss, rel=near)
            assert b1 * day**0.5 == pytest.approx(nmc_loss, rel=near)


@given(FILL, WARM, st.floats(0.0, 1.0), st.integers(1, 400))
def test_equal_days_are_the_same_in_one_step_or_in_many(fill, temperature_c, depth, days):
    lfp = at_rest(fill, temperature_c)._replace(full_cycles=one(depth))
    slow = fast = new_battery(one(0.0))
    for _ in range(days):
        slow = age_lfp(slow, lfp)
    fast = age_lfp(fast, lfp, days)
    assert slow.calendar.item() == pytest.approx(fast.calendar.item(), rel=1e-9)
    assert slow.cycle.item() == pytest.approx(fast.cycle.item(), rel=1e-9)
    wear = nmc(fill, temperature_c, depth, cycles=1.0)
    slow = fast = new_battery(one(0.0))
    for _ in range(days):
        slow = age_nmc(slow, wear)
    fast = age_nmc(fast, wear, days)
    assert slow.calendar.item() == pytest.approx(fast.calendar.item(), rel=1e-9)
    assert slow.cycle.item() == pytest.approx(fast.cycle.item(), rel=1e-9)


def test_hard_days_before_easy_ones_leave_the_same_as_after_them():
    # Calendar loss to the power 1/p adds up day by day, so no order matters.
    hard, easy = at_rest(0.9, 40.0), at_rest(0.2, 15.0)
    one_way, other_way = new_battery(one(0.0)), new_battery(one(0.0))
    for first, second in ((hard, easy), (easy, hard)):
        one_way, other_way = age_lfp(one_way, first, 90), age_lfp(other_way, second, 90)
    assert one_way.calendar.item() == pytest.approx(other_way.calendar.item(), rel=1e-12)


@given(st.lists(FILL, min_size=3, max_size=25), st.floats(-20.0, 60.0), st.floats(0.0, 0.5))
def test_a_day_never_heals_what_was_lost_for_good(values, temperature_c, lost):
    fill = torch.tensor(values, dtype=torch.float64)[:, None]
    warmth = torch.full_like(fill, temperature_c)
    before = Ageing(one(lost), one(lost / 2), one(-0.01))
    for after in (
        age_lfp(before, lfp_rates(fill, warmth, 1.0)),
        age_nmc(before, nmc_rates(fill, warmth)),
    ):
        assert after.calendar.item() >= before.calendar.item()
        assert after.cycle.item() >= before.cycle.item()
        assert lasting_loss(after).item() >= lasting_loss(before).item()


@given(FILL, st.floats(-20.0, 59.0))
def test_calendar_ageing_rises_with_temperature(fill, temperature_c):
    cool, warm, still = one(temperature_c), one(temperature_c + 1.0), one(0.0)
    assert lfp_calendar_rate(one(fill), warm).item() > lfp_calendar_rate(one(fill), cool).item()
    by_warmth = [nmc_calendar_rate(one(fill), warmth, still).item() for warmth in (cool, warm)]
    assert by_warmth[1] > by_warmth[0]


@given(WARM)
def test_cycle_ageing_falls_with_temperature_as_both_models_say(temperature_c):
    # facts.md A1.3: of LFP an artefact; NMC has +42800 J/mol, strain in the cold.
    cool, warm = one(temperature_c), one(temperature_c + 1.0)
    lfp = [lfp_cycle_rate(one(0.8), one(0.25), warmth).item() for warmth in (cool, warm)]
    nmc = [nmc_cycle_rate(one(1.0)[None], warmth[None]).item() for warmth in (cool, warm)]
    assert lfp[1] < lfp[0]
    assert nmc[1] < nmc[0]


@given(st.floats(0.0, 0.99), st.floats(0.0, 1.0), WARM)
def test_deeper_cycles_age_more(depth, c_rate, temperature_c):
    shallow, deep, warmth = one(depth), one(depth + 0.01), one(temperature_c)
    rate = one(c_rate)
    assert (lfp_cycle_rate(deep, rate, warmth) > lfp_cycle_rate(shallow, rate, warmth)).all()
    half = one(0.5)
    assert (nmc_calendar_rate(half, warmth, deep) > nmc_calendar_rate(half, warmth, shallow)).all()


def test_a_day_of_one_cycle_has_its_depth_throughput_and_speed():
    fill = day_of_cycles(0.6)
    warmth = torch.full_like(fill, 25.0)
    rates = lfp_rates(fill, warmth, 1.0)
    assert rates.full_cycles.item() == pytest.approx(0.6)
    # 1.2 of the capacity in 24 h is C/20.
    expected = lfp_cycle_rate(one(0.6), one(0.05), one(25.0))
    assert rates.cycle.item() == pytest.approx(expected.item(), rel=1e-12)
    # Up and down from the bottom counts two halves: sqrt(1/4 + 1/4) of a cycle's loss.
    found = nmc_rates(fill, warmth).cycle.item()
    assert found == pytest.approx(1.541e-5 * math.sqrt(0.5), rel=1e-12)


def test_a_charge_of_four_hours_and_rest_is_at_a_quarter_of_the_capacity_an_hour():
    fill = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9] + [0.9] * 20, dtype=torch.float64)[:, None]
    rates = lfp_rates(fill, torch.full_like(fill, 25.0), 1.0)
    expected = lfp_cycle_rate(one(0.8), one(0.2), one(25.0)).item()
    assert rates.cycle.item() == pytest.approx(expected, rel=1e-12)


def test_topping_up_standing_losses_is_no_cycle():
    wobble = 0.9 - 0.004 * (torch.arange(25, dtype=torch.float64) % 2)[:, None]
    warmth = torch.full_like(wobble, 25.0)
    assert nmc_rates(wobble, warmth).cycle.item() == 0.0
    assert nmc_rates(wobble, warmth, least_depth=0.0).cycle.item() > 0.0


def test_the_anode_potential_falls_with_fill():
    fill = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)
    assert (lfp_anode_v(fill).diff() < 0).all()
    # Graphite stands near 0.1 V for most of its range (Safari and Delacourt 2011).
    assert lfp_anode_v(one(0.5)).item() == pytest.approx(0.12, abs=0.03)


def test_ten_kwh_that_lost_three_per_cent_cost_a_tenth_of_a_new_battery():
    cost = ageing_cost(one(0.03), one(10.0), 250.0)
    assert cost.item() == pytest.approx(0.1 * 10.0 * 250.0)
    plain = ageing_cost(one(0.03), one(10.0), 250.0, usable_loss=1.0)
    assert plain.item() == pytest.approx(0.03 * 10.0 * 250.0)


def test_a_discharged_kwh_wears_lfp_by_about_what_the_ledger_charges():
    # facts.md A1.3: 4 cents per kWh discharged for LFP, 4.2 at $250/kWh over 6,000 cycles. The
    # cycle loss alone, on average over 3,000 cycles, at $250/kWh:
    lost = age_lfp(new_battery(one(0.0)), cycling(0.8, 0.25, 3000.0)).cycle
    per_kwh = ageing_cost(lost, one(1.0), 250.0).item() / (3000.0 * 0.95)
    assert 0.02 < per_kwh < 0.06


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature_c", [-20.0, 10.0, 25.0, 45.0, 60.0])
def test_numbers_stay_finite_in_either_precision(dtype, temperature_c):
    fill = torch.cat([day_of_cycles(depth, 0.0, dtype=dtype) for depth in (0.0, 1e-4, 0.5, 1.0)], 1)
    warmth = torch.full_like(fill, temperature_c)
    lfp = nmc = new_battery(fill[0])
    for _ in range(3):
        lfp = age_lfp(lfp, lfp_rates(fill, warmth, 1.0))
        nmc = age_nmc(nmc, nmc_rates(fill, warmth))
    for part in (*lfp, *nmc):
        assert part.dtype == dtype
        assert torch.isfinite(part).all()


def test_float32_years_end_like_float64_ones():
    ends = []
    for dtype in (torch.float32, torch.float64):
        fill = day_of_cycles(0.8, dtype=dtype)
        rates = lfp_rates(fill, torch.full_like(fill, 25.0), 1.0)
        state = new_battery(fill[0])
        for _ in range(10 * YEAR):
            state = age_lfp(state, rates)
        ends.append(capacity_left(state).item())
    assert ends[0] == pytest.approx(ends[1], abs=1e-4)


@pytest.mark.parametrize("depth", [0.0, 0.5, 1.0])
def test_gradients_are_finite_from_the_first_day_on(depth):
    fill = day_of_cycles(depth, 0.0).requires_grad_()
    warmth = torch.full((25, 1), 25.0, dtype=torch.float64, requires_grad=True)
    lfp = nmc = new_battery(fill[0].detach())
    for _ in range(3):
        lfp = age_lfp(lfp, lfp_rates(fill, warmth, 1.0))
        nmc = age_nmc(nmc, nmc_rates(fill, warmth))
    (capacity_left(lfp) + capacity_left(nmc)).sum().backward()
    for leaf in (fill, warmth):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_batches_of_homes_age_like_each_alone():
    fill = torch.rand(2, 25, 3, dtype=torch.float64)
    warmth = 10.0 + 30.0 * torch.rand(2, 25, 3, dtype=torch.float64)
    state = new_battery(fill[:, 0])
    together = (
        age_lfp(state, lfp_rates(fill, warmth, 1.0)),
        age_nmc(state, nmc_rates(fill, warmth)),
    )
    alone_fill, alone_warmth = fill[1, :, 2:], warmth[1, :, 2:]
    alone = (
        age_lfp(new_battery(one(0.0)), lfp_rates(alone_fill, alone_warmth, 1.0)),
        age_nmc(new_battery(one(0.0)), nmc_rates(alone_fill, alone_warmth)),
    )
    for many, single in zip(together, alone, strict=True):
        for part, own in zip(many, single, strict=True):
            assert part[1, 2].item() == pytest.approx(own.item(), rel=1e-12)
