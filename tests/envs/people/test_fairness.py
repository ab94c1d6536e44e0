import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.people.fairness import gini, jain, most_calls_a_week

ALL = torch.ones(4, dtype=torch.bool)


def amounts(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_golden_numbers():
    assert gini(amounts(3, 3, 3, 3), ALL).item() == pytest.approx(0.0)
    assert gini(amounts(0, 0, 8, 0), ALL).item() == pytest.approx(0.75)  # 1 - 1/n
    assert gini(amounts(1, 2, 3, 4), ALL).item() == pytest.approx(0.25)  # by hand: 10 / (4 * 10)
    assert jain(amounts(3, 3, 3, 3), ALL).item() == pytest.approx(1.0)
    assert jain(amounts(0, 0, 8, 0), ALL).item() == pytest.approx(0.25)  # 1/n
    assert jain(amounts(1, 2, 3, 4), ALL).item() == pytest.approx(100.0 / 120.0)


def test_nobody_has_anything():
    assert gini(amounts(0, 0, 0, 0), ALL).item() == 0.0
    assert jain(amounts(0, 0, 0, 0), ALL).item() == 1.0


def test_homes_outside_the_programme_do_not_count():
    among = torch.tensor([True, False, True, False])
    assert gini(amounts(2, 99, 2, 0), among).item() == pytest.approx(0.0)
    assert jain(amounts(2, 99, 2, 0), among).item() == pytest.approx(1.0)
    assert most_calls_a_week(amounts(2, 99, 3, 0), among).item() == 3.0


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=2, max_size=12).filter(
        lambda homes: any(counts for _, counts in homes)
    )
)
def test_gini_is_half_the_relative_mean_difference(homes):
    x = np.array([amount for amount, counts in homes if counts], dtype=float)
    among = torch.tensor([counts for _, counts in homes])
    found = gini(amounts(*[amount for amount, _ in homes]), among).item()
    if x.sum() > 0:
        differences = np.abs(x[:, None] - x[None]).mean()
        assert found == pytest.approx(differences / (2.0 * x.mean()), abs=1e-12)
    assert 0.0 <= found < 1.0


def test_scenarios_are_rows():
    batch = torch.stack([amounts(3, 3, 3, 3), amounts(0, 0, 8, 0)])
    assert gini(batch, ALL).tolist() == pytest.approx([0.0, 0.75])
    assert torch.jit.script(gini)(batch, ALL).shape == (2,)
