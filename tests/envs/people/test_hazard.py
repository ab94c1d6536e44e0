"""Overrides come as often as the hazard says, in whatever steps."""

import numpy as np
import pytest
import torch

from vpp_envs.people.hazard import (
    cold_water_complaint,
    departure_complaint,
    draw_people,
    gives_up,
    leave_probability,
    override_probability,
)
from vpp_envs.people.sampling import sample_programme, sample_temper

HOMES = torch.arange(20_000)


def share(offset_k, hours, dt_h, temper, calls=0.0, pay=0.0):
    """Probability that each owner overrides an event of constant discomfort, (N,)."""
    stays = torch.ones_like(temper.impatience)
    like = torch.zeros_like(stays)
    for step in range(round(hours / dt_h)):
        p = override_probability(
            temper, like + offset_k, like + step * dt_h, like + calls, like + pay, dt_h
        )
        stays = stays * (1.0 - p)
    return 1.0 - stays


def median_owner():
    temper = sample_temper(0, torch.arange(1))
    return temper._replace(impatience=torch.ones(1).double())


def test_the_median_owner_overrides_as_the_model_was_computed_to():
    # Computed anchors of the hazard as written: 30 to 35 % of four hours at +2.2 K, 2 to 3 % of
    # one hour at +1 K (facts on owners, E2). By hand: 2.5e-4/min * e^1.54 * 328.8 min = 0.3836.
    temper = median_owner()
    long, short = share(2.2, 4.0, 1.0 / 12.0, temper), share(1.0, 1.0, 1.0 / 12.0, temper)
    assert 0.30 < long.item() < 0.35
    assert long.item() == pytest.approx(-np.expm1(-0.38349), abs=1e-4)
    # 2.0 % to the second digit; 1 - exp(-0.02017)
    assert short.item() == pytest.approx(0.01996, abs=1e-4)


def test_owners_of_all_tempers_override_a_little_more():
    # The mean over LogNormal(0, 0.8) by quadrature: 35.9 % and 2.7 %.
    temper = sample_temper(7, HOMES)
    assert share(2.2, 4.0, 1.0 / 12.0, temper).mean().item() == pytest.approx(0.3589, abs=0.005)
    short = share(1.0, 1.0, 1.0 / 12.0, temper).mean().item()
    assert short == pytest.approx(0.0271, abs=0.001)
    assert 0.02 < short < 0.03


def test_twelve_steps_of_five_minutes_are_one_hour():
    temper = sample_temper(7, HOMES[:50])
    for hours in (1.0, 4.0):
        fine, coarse = share(1.7, hours, 1.0 / 12.0, temper), share(1.7, hours, 1.0, temper)
        assert torch.allclose(fine, coarse, atol=1e-12)
    seconds = share(1.7, 1.0, 1.0 / 360.0, temper)
    assert torch.allclose(seconds, share(1.7, 1.0, 1.0, temper), atol=1e-11)


def test_what_weighs_on_owners_and_what_consoles_them():
    temper = median_owner()
    base = share(2.0, 2.0, 0.5, temper)
    assert share(2.0, 2.0, 0.5, temper, calls=3.0) > base  # x e^0.3: the third day in a row
    assert share(2.0, 2.0, 0.5, temper, pay=5.0) < base
    assert share(-2.0, 2.0, 0.5, temper) == base  # too cold is as bad as too warm
    assert share(0.5, 2.0, 0.5, temper) == share(0.0, 2.0, 0.5, temper)  # within tolerance


def test_draws_override_as_often_as_the_probabilities_say():
    temper = sample_temper(7, HOMES)
    out = torch.zeros_like(HOMES, dtype=torch.bool)
    like = torch.zeros_like(temper.impatience)
    seed, episode = torch.tensor([5]), torch.tensor([0])
    for step in range(8):
        p = override_probability(temper, like + 2.2, like + step * 0.5, like, like, 0.5)
        out = out | (draw_people(seed, episode, HOMES, torch.tensor([step])).override < p)
    # Four standard errors of 20,000 draws are 1.4 points.
    assert out.double().mean().item() == pytest.approx(0.3589, abs=0.014)


def test_a_homes_draws_depend_on_nobody_else_and_on_the_step():
    seed, episode, tick = torch.tensor([[5], [6]]), torch.tensor([[0], [0]]), torch.tensor([[3]])
    all_homes = draw_people(seed, episode, torch.arange(9), tick)
    some = draw_people(seed[1:], episode[1:], torch.tensor([4]), tick)
    assert all_homes.leave[1, 4] == some.leave[0, 0]
    assert all_homes.leave[1, 4] != all_homes.override[1, 4]
    fused = torch.compile(draw_people, fullgraph=True, backend="eager")
    again = fused(seed, episode, torch.arange(9), tick)
    assert all(torch.equal(a, b) for a, b in zip(all_homes, again, strict=True))


def test_two_of_a_hundred_leave_in_a_quiet_month_and_three_times_the_hazard_when_angry():
    temper = median_owner()
    quiet, angry = (
        leave_probability(temper, torch.tensor([n]).double(), 730.5).item() for n in (2.0, 3.0)
    )
    assert quiet == pytest.approx(0.02)
    assert angry == pytest.approx(1.0 - 0.98**3)
    stays = (1.0 - leave_probability(temper, torch.zeros(1), 0.5)) ** 1461
    assert stays.item() == pytest.approx(0.98)


def test_complaints_have_their_thresholds():
    outlet = torch.tensor([40.5, 40.7, 40.5])
    assert cold_water_complaint(outlet, torch.tensor([5.0, 5.0, 0.0])).tolist() == [
        True,
        False,
        False,
    ]
    missing, draw = torch.tensor([5.9, 6.1, 6.1]), torch.tensor([0.1, 0.1, 0.5])
    temper = sample_temper(0, torch.arange(1))
    assert departure_complaint(temper, missing, torch.tensor([60.0]), draw).tolist() == [
        False,
        True,
        False,
    ]
    assert gives_up(torch.tensor([79.0, 80.0]), torch.tensor([80.0])).tolist() == [False, True]


def test_it_scripts_has_gradients_and_stays_finite_in_float32():
    temper = sample_temper(0, torch.arange(4), torch.float32)
    discomfort = torch.tensor([0.0, 1.0, 3.0, 1e4], requires_grad=True)
    like = torch.zeros(4)
    p = torch.jit.script(override_probability)(temper, discomfort, like, like, like, 1.0 / 12.0)
    assert torch.equal(p, override_probability(temper, discomfort, like, like, like, 1.0 / 12.0))
    p.sum().backward()
    assert bool(torch.isfinite(p).all())
    assert bool(torch.isfinite(discomfort.grad).all())
    torch.jit.script(leave_probability)


def test_a_home_is_the_same_owner_in_every_fleet():
    many, one = sample_programme(3, torch.arange(100)), sample_programme(3, torch.tensor([42]))
    assert all(torch.equal(a[42:43], b) for a, b in zip(many, one, strict=True))
    quiet = many.quiet_from_h > 0
    assert 0.35 < quiet.double().mean().item() < 0.65
    assert set(many.quiet_from_h[quiet].tolist()) == {21.0, 22.0, 23.0}
    assert set(many.quiet_to_h[quiet].tolist()) == {6.0, 7.0, 8.0}
