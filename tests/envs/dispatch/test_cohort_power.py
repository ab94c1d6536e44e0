from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.battery import BatteryParams
from vpp_envs.dispatch.cohort_power import cohort_power, level_fill
from vpp_envs.dispatch.envelope import battery_envelope
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.fleet.fleet import Fleet
from vpp_envs.fleet.pick import map_columns
from vpp_envs.kernels import moment_of, rows_at
from vpp_envs.simulator import SetPoints, step_site
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0


def row(*values):
    return torch.tensor(values, dtype=torch.float64)


def batteries(capacity, power, reserve=None, eff=0.95):
    """A fleet of one cohort, nothing limited by its site."""
    count = len(capacity)
    zero = torch.zeros(count, dtype=torch.int64)
    same = torch.ones(count, dtype=torch.float64)
    battery = BatteryParams(
        row(*capacity), row(*power), row(*power), eff * same, 0 * same, 0.04 * same
    )
    agreement = Agreement(row(*(reserve or [0.0] * count)), 1000 * same, 1000 * same, 0.8 * same)
    return Fleet(zero, battery, 0 * same, zero, 0 * same, zero, agreement, zero)


def edges(fleet, energy):
    envelope = battery_envelope(
        energy, torch.zeros_like(energy), fleet.battery, fleet.agreement, DT_H
    )
    return envelope.low_kw, envelope.high_kw


@st.composite
def cohorts(draw):
    count = draw(st.integers(1, 9))

    def several(low, high):
        return draw(st.lists(st.floats(low, high), min_size=count, max_size=count))

    capacity = several(2.0, 40.0)
    kept = [c * share for c, share in zip(capacity, several(0.0, 0.9), strict=True)]
    fleet = batteries(capacity, several(0.2, 15.0), kept, draw(st.floats(0.7, 1.0)))
    # Stores from below the reserve up to full.
    energy = row(*(c * share for c, share in zip(capacity, several(0.0, 1.0), strict=True)))
    return fleet, energy, draw(st.floats(0.0, 1.0))


@settings(max_examples=300)
@given(cohorts())
def test_the_homes_sum_to_the_target_inside_their_envelopes(case):
    fleet, energy, share = case
    low, high = edges(fleet, energy)
    target = (low.sum() + share * (high.sum() - low.sum())).reshape(1)
    power = level_fill(target, energy, low, high, fleet, DT_H)
    scale = max(low.abs().sum().item(), high.abs().sum().item(), 1e-6)
    assert abs(power.sum().item() - target.item()) <= 1e-9 * scale
    assert (power >= low - 1e-12).all()
    assert (power <= high + 1e-12).all()


@settings(max_examples=100)
@given(cohorts())
def test_power_rises_with_the_target_in_every_home(case):
    fleet, energy, share = case
    low, high = edges(fleet, energy)
    span = high.sum() - low.sum()
    powers = [
        level_fill((low.sum() + s * span).reshape(1), energy, low, high, fleet, DT_H)
        for s in (0.9 * share, share)
    ]
    assert (powers[1] >= powers[0] - 1e-6).all()


def test_equal_fills_get_equal_power_per_unit_of_size():
    fleet = batteries([10.0, 20.0, 5.0], [5.0, 10.0, 2.5])
    energy = row(4.0, 8.0, 2.0)
    low, high = edges(fleet, energy)
    for target in (-12.0, -3.0, 2.0, 15.0):
        power = level_fill(row(target), energy, low, high, fleet, DT_H)
        torch.testing.assert_close(power, target * row(2.0, 4.0, 1.0) / 7.0)


def test_the_emptiest_charge_first_and_the_fullest_discharge_first():
    fleet = batteries([10.0, 10.0, 10.0], [5.0, 5.0, 5.0])
    energy = row(2.0, 5.0, 8.0)
    low, high = edges(fleet, energy)
    charge = level_fill(row(5.0), energy, low.clamp(min=0.0), high, fleet, DT_H)
    torch.testing.assert_close(charge, row(5.0, 0.0, 0.0))
    discharge = level_fill(row(-5.0), energy, low, high.clamp(max=0.0), fleet, DT_H)
    torch.testing.assert_close(discharge, row(0.0, 0.0, -5.0))


def test_fills_meet_at_the_water_level():
    """0.2 and 0.4 kWh short of the third: 3 kWh stored levels all at 4.2 kWh."""
    fleet = batteries([10.0, 10.0, 10.0], [100.0, 100.0, 100.0], eff=1.0)
    energy = row(3.0, 3.2, 3.4)
    low, high = edges(fleet, energy)
    power = level_fill(row(3.0 / DT_H), energy, low, high, fleet, DT_H)
    torch.testing.assert_close(energy + power * DT_H, row(4.2, 4.2, 4.2))


@settings(max_examples=50)
@given(cohorts(), st.randoms(use_true_random=False))
def test_the_order_of_the_homes_does_not_matter(case, random):
    fleet, energy, share = case
    order = list(range(len(energy)))
    random.shuffle(order)
    mixed = map_columns(fleet, lambda column: column[order])
    low, high = edges(fleet, energy)
    target = (low.sum() + share * (high.sum() - low.sum())).reshape(1)
    ours = level_fill(target, energy, low, high, fleet, DT_H)
    theirs = level_fill(target, energy[order], low[order], high[order], mixed, DT_H)
    torch.testing.assert_close(theirs, ours[order], rtol=1e-7, atol=1e-7)


@pytest.fixture(scope="module")
def plant(small_spec):
    env = FleetVectorEnv(small_spec, 4, dispatch="cohort_power", dtype="float64")
    env.reset(seed=1)
    return env


def dispatched(plant, *shares):
    """Set-points of one action for all rows: shares of the cohorts, then curtailment."""
    action = torch.tensor(shares, dtype=torch.float64).expand(4, -1)
    return cohort_power(action, plant.moment, plant.fleet, DT_H)


def everything(plant, share, curtail=-1.0):
    return dispatched(plant, *([share] * len(plant.scenario.cohorts)), curtail)


def test_zero_leaves_every_battery_alone(plant):
    """Not even a transfer from full homes to empty ones, which would pay wear for nothing."""
    idle = SetPoints(torch.zeros_like(plant.energy_kwh), plant.moment.solar_available_kw)
    alone = step_site(idle, plant.moment, plant.fleet, DT_H)
    assert torch.equal(everything(plant, 0.0).battery_kw, alone.battery_kw)


@pytest.mark.parametrize("share", [-1.0, -0.4, 0.3, 1.0])
def test_no_battery_works_against_its_cohort(plant, share):
    power = everything(plant, share).battery_kw
    assert (power * share >= -1e-12).all()
    assert power.abs().sum() > 0


def test_the_ends_are_the_envelopes(plant):
    moment = plant.moment
    envelope = battery_envelope(
        moment.energy_kwh,
        moment.load_kw - moment.solar_available_kw,
        plant.fleet.battery,
        plant.fleet.agreement,
        DT_H,
    )
    torch.testing.assert_close(everything(plant, 1.0).battery_kw, envelope.high_kw)
    torch.testing.assert_close(everything(plant, -1.0).battery_kw, envelope.low_kw)


def test_half_the_command_is_half_the_power(plant):
    for share in (1.0, -1.0):
        whole = everything(plant, share).battery_kw.sum(-1)
        torch.testing.assert_close(
            everything(plant, share / 2).battery_kw.sum(-1), whole / 2, rtol=1e-9, atol=1e-9
        )


def test_a_cohort_is_commanded_alone(plant):
    count = len(plant.scenario.cohorts)
    for cohort in range(count):
        shares = [0.0] * count
        shares[cohort] = 0.8
        power = dispatched(plant, *shares, -1.0).battery_kw
        others = plant.fleet.cohort != cohort
        assert power[:, others].abs().max() == 0.0
        assert power[:, ~others].abs().max() > 0.0


def test_curtailment_takes_its_share_of_the_sun(plant):
    sunny = plant.moment._replace(solar_available_kw=torch.full_like(plant.energy_kwh, 2.0))
    action = torch.zeros(4, len(plant.action_names), dtype=torch.float64)
    action[:, -1] = 0.25
    assert (cohort_power(action, sunny, plant.fleet, DT_H).solar_output_kw == 1.5).all()
    action[:, -1] = -0.25
    assert (cohort_power(action, sunny, plant.fleet, DT_H).solar_output_kw == 2.0).all()


def test_single_precision_meets_the_target_to_a_millionth_of_the_rating(small_spec):
    env = FleetVectorEnv(small_spec, 16, dispatch="cohort_power", dtype="float32")
    env.reset(seed=1)
    low, high = -env.fleet.battery.discharge_kw, env.fleet.battery.charge_kw
    low, high = low.expand(16, -1), high.expand(16, -1)
    rating = high.sum(-1, keepdim=True)
    for share in (-0.9, -0.3, 0.0, 0.4, 0.99):
        target = share * torch.where(torch.tensor(share) < 0, -low, high).sum(-1, keepdim=True)
        power = level_fill(target, env.energy_kwh, low, high, env.fleet, DT_H)
        error = power.sum(-1, keepdim=True, dtype=torch.float64) - target
        assert (error.abs() <= 1e-6 * rating).all()


def test_the_order_of_the_homes_does_not_matter_in_single_precision_either(small_spec, car_spec):
    """A target is a sum: in single precision it hung on the order, and one home made up for it."""
    for spec in (small_spec, car_spec):
        homes = replace(spec.fleet, homes=300)
        env = FleetVectorEnv(replace(spec, fleet=homes), 8, dispatch="cohort_power")
        env.reset(seed=1)
        order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
        mixed = map_columns(env.fleet, lambda column: column[order])  # noqa: B023
        moment = moment_of(
            map_columns(env.state, lambda part: part[:, order]),  # noqa: B023
            rows_at(env.tables, env.tick, env.dtype),
            mixed,
            DT_H,
        )
        generator = torch.Generator().manual_seed(1)
        action = 2.0 * torch.rand(8, len(env.action_names), generator=generator) - 1.0
        ours = cohort_power(action, env.moment, env.fleet, DT_H)
        theirs = cohort_power(action, moment, mixed, DT_H)
        assert theirs.battery_kw.dtype == torch.float32
        close = {"rtol": 1e-6, "atol": 1e-6}
        torch.testing.assert_close(theirs.battery_kw, ours.battery_kw[:, order], **close)
        if ours.ev_kw is not None:
            torch.testing.assert_close(theirs.ev_kw, ours.ev_kw[:, order], **close)
