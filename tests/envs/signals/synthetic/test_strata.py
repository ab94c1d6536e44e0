"""Even coverage without draws."""

import numpy as np
import pytest
import torch

from vpp_envs.signals.synthetic.strata import strata


def test_each_stratum_occurs_once():
    covered = strata(4, 0.6180339887498949).sort().values
    assert covered.tolist() == [0.125, 0.375, 0.625, 0.875]


@pytest.mark.parametrize("count", [16, 24, 32, 48])
def test_two_steps_pair_their_strata_evenly(count: int):
    one, other = strata(count, 0.6180339887498949), strata(count, 0.7320508075688772)
    assert abs(np.corrcoef(one.numpy(), other.numpy())[0, 1]) < 0.1
    quadrant = torch.stack([one > 0.5, other > 0.5]).all(dim=0).double().mean().item()
    assert quadrant == pytest.approx(0.25, abs=0.06)
