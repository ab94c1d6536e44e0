"""Finite-memory recursions against their definitions."""

import numpy as np
import pytest
import torch

from vpp_envs.errors import InputError
from vpp_envs.random import normal, uniform
from vpp_envs.signals.synthetic.recursion import autoregressive, hold, tick_of


def test_second_of_january_1970_is_tick_288():
    assert tick_of(np.datetime64("1970-01-02T00:00", "ms")) == 288


def test_a_time_between_ticks_is_refused_with_a_sentence():
    with pytest.raises(InputError, match=r"2024-01-01T00:07.*five-minute clock"):
        tick_of(np.datetime64("2024-01-01T00:07"))


def test_autoregressive_is_the_geometric_sum_of_its_memory():
    noise = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    scale = ((1 - 0.25) / (1 - 0.25**4)) ** 0.5
    # Memory 4: weights 1, 1/2, 1/4, 1/8; the oldest value has left the second window.
    expected = [0.125 * scale, 1.0 * scale]
    assert autoregressive(noise, 0.5, 2).tolist() == pytest.approx(expected)


def test_autoregressive_has_unit_variance_and_the_decay_as_its_correlation():
    noise = normal(1, 0, torch.arange(200), torch.arange(2255).unsqueeze(-1), 0)
    series = autoregressive(noise, 0.9, 8)
    assert series.shape == (2000, 200)
    assert series.square().mean().item() == pytest.approx(1.0, abs=0.02)
    assert (series[1:] * series[:-1]).mean().item() == pytest.approx(0.9, abs=0.02)


def test_hold_repeats_the_last_renewal():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    renewed = torch.tensor([False, True, False, False, True, False, False])
    # Memory 4: the first tick that comes out is the fourth that went in.
    assert hold(values, renewed, 2).tolist() == [2.0, 5.0, 5.0, 5.0]


def test_a_value_held_with_chance_11_of_12_has_that_correlation():
    ticks = torch.arange(2511).unsqueeze(-1)
    values = normal(1, 0, torch.arange(100), ticks, 0)
    renewed = uniform(1, 0, torch.arange(100), ticks, 1) < 1.0 / 12.0
    held = hold(values, renewed, 9)
    assert (held[1:] * held[:-1]).mean().item() == pytest.approx(11.0 / 12.0, abs=0.03)
    assert (held[12:] * held[:-12]).mean().item() == pytest.approx((11 / 12) ** 12, abs=0.03)
