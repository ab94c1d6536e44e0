"""Sharing a target among cars: the sum is met, and who can wait least goes first."""

import pytest
import torch

from vpp_envs.dispatch.cohort_power import least_laxity_kw
from vpp_envs.dispatch.moment import car_envelope, laxity_h
from vpp_envs.vector_env import FleetVectorEnv

DT_H = 1.0 / 12.0
EVENING = 20 * 12


@pytest.fixture(scope="module")
def plant(car_spec):
    env = FleetVectorEnv(car_spec, 3, dispatch="cohort_power", dtype="float64")
    env.reset(seed=1, options={"start_ticks": torch.arange(3) * 288 + EVENING})
    return env


@pytest.fixture(scope="module")
def hostile(hostile_env):
    env = hostile_env(4, dispatch="cohort_power", dtype="float64")
    env.reset(seed=3, options={"start_ticks": [50, 500, 900, 1400]})
    return env


def shared(env, share):
    """Powers, envelopes and laxities at a share of the range for all classes, (B, N) each."""
    moment, fleet = env.moment, env.fleet
    solar = moment.solar_available_kw
    classes = moment.ev.curve.shape[-3]
    action = torch.full((env.num_envs, classes), share, dtype=torch.float64)
    power = least_laxity_kw(action, moment, solar, fleet, DT_H)
    envelope = car_envelope(moment.ev, moment, solar, fleet, DT_H)
    return power, envelope, laxity_h(moment.ev)


@pytest.mark.parametrize("share", [-1.0, -0.7, -0.1, 0.0, 0.4, 0.95, 1.0])
@pytest.mark.parametrize("name", ["plant", "hostile"])
def test_each_class_meets_its_target_inside_the_envelopes(name, share, request):
    env = request.getfixturevalue(name)
    power, envelope, _ = shared(env, share)
    assert (power >= envelope.low_kw - 1e-9).all()
    assert (power <= envelope.high_kw + 1e-9).all()
    ranges = 0
    for index in range(env.moment.ev.curve.shape[-3]):
        mine = env.fleet.ev.cohort == index
        low, high = envelope.low_kw[:, mine].sum(-1), envelope.high_kw[:, mine].sum(-1)
        target = low + 0.5 * (1 + share) * (high - low)
        torch.testing.assert_close(power[:, mine].sum(-1), target, rtol=0, atol=1e-8)
        ranges += int((high > low + 1.0).sum())
    assert ranges > 2


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.5])
def test_who_can_wait_least_draws_most(hostile, share):
    """One car behind another in laxity by more than a step never runs while the other does not."""
    power, envelope, laxity = shared(hostile, share)
    pairs = 0
    for row in range(hostile.num_envs):
        for index in range(hostile.moment.ev.curve.shape[-3]):
            mine = (hostile.fleet.ev.cohort == index) & (
                envelope.high_kw[row] > envelope.low_kw[row] + 1e-6
            )
            low, high = envelope.low_kw[row, mine], envelope.high_kw[row, mine]
            part = (power[row, mine] - low) / (high - low)
            order = torch.argsort(laxity[row, mine])
            part, wait = part[order], laxity[row, mine][order]
            for first in range(len(part)):
                later = part[wait > wait[first] + 3 * DT_H]
                pairs += len(later)
                if part[first] < 1 - 1e-6:
                    assert (later <= 1e-6).all()
    assert pairs > 20


def test_cars_that_are_not_managed_are_left_alone(plant):
    power, envelope, _ = shared(plant, -1.0)
    others = plant.fleet.ev.cohort < 0
    assert torch.equal(power[:, others], envelope.alone_kw[:, others])


def test_laxity_is_the_time_left_beyond_flat_out_charging(plant):
    moment, ev = plant.moment, plant.fleet.ev
    missing = ev.agreement.target_kwh - moment.ev.state.excused_kwh - moment.ev.state.energy_kwh
    stored = (ev.params.charge_kw * ev.params.charge_eff).clamp(min=1e-6)
    expected = moment.ev.session.hours_left - missing / stored
    present = ev.params.charge_kw > 0
    torch.testing.assert_close(laxity_h(moment.ev)[:, present], expected[:, present])


def test_without_cars_there_is_nothing_to_share(small_spec):
    env = FleetVectorEnv(small_spec, 2, dispatch="cohort_power", dtype="float64")
    env.reset(seed=0)
    none = torch.zeros(2, 0, dtype=torch.float64)
    solar = env.moment.solar_available_kw
    assert least_laxity_kw(none, env.moment, solar, env.fleet, DT_H) is None
