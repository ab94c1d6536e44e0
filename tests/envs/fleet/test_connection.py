"""Groups of homes that share a connection: sums, and names by their first member."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.fleet.connection import SharedConnection, of_group, regrouped


def shared(group):
    one = torch.ones(len(group), dtype=torch.float64)
    return SharedConnection(torch.tensor(group), one, one, one)


@given(st.lists(st.integers(-3, 9), min_size=1, max_size=30))
def test_groups_are_named_by_their_first_member(names):
    group = regrouped(torch.tensor(names)).tolist()
    assert group == [names.index(name) for name in names]


def test_rows_have_groups_of_their_own():
    group = regrouped(torch.tensor([[5, 5, 2], [1, 2, 1]]))
    assert group.tolist() == [[0, 0, 2], [0, 1, 0]]


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-9, 9)), min_size=1, max_size=20))
def test_a_sum_is_that_of_the_group(members):
    names, values = zip(*members, strict=True)
    group = regrouped(torch.tensor(names)).tolist()
    sums = of_group(torch.tensor(values, dtype=torch.float64), shared(group))
    for name, total in zip(names, sums.tolist(), strict=True):
        expected = sum(value for one, value in members if one == name)
        assert abs(total - expected) < 1e-9
