"""Base load."""

import torch
from torch import tensor

from vpp_envs.devices.base_load import load_kw


def test_load_is_the_homes_mean_times_its_archetypes_load():
    load = load_kw(tensor([0.5, 0.8]), tensor([[1.6, 0.5], [1.0, 1.0]]))
    assert torch.allclose(load, tensor([[0.8, 0.4], [0.5, 0.8]]))
