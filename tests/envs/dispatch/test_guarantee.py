"""Guarantees of a shared connection: the earliest departure first, and never more than there is."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.devices.ev import EvParams, at_power, reachable_kwh
from vpp_envs.dispatch.guarantee import WAITS_KW, guaranteed_kw, needed_power_kw
from vpp_envs.fleet.agreement import EvAgreement
from vpp_envs.fleet.connection import SharedConnection, of_group
from vpp_envs.fleet.fleet import EvFleet

NAN = float("nan")


def column(*values):
    return torch.tensor(values, dtype=torch.float64)


def vehicles(count, charge_kw=20.0):
    one = torch.ones(count, dtype=torch.float64)
    params = EvParams(
        100.0 * one,
        charge_kw * one,
        0.0 * one,
        1.44 * one,
        0.9 * one,
        0.9 * one,
        0.95 * one,
        0.0 * one,
        0.2 * one,
    )
    whole = torch.zeros(count, dtype=torch.int64)
    return EvFleet(params, EvAgreement(90.0 * one, 0.0 * one, one), whole, whole)


def depot(count, sure_kw, chargers=1.0, group=None):
    one = torch.ones(count, dtype=torch.float64)
    place = torch.zeros(count, dtype=torch.int64) if group is None else torch.tensor(group)
    return SharedConnection(place, 99.0 * one, sure_kw * one, chargers * one)


def test_what_is_needed_reaches_the_target_just_in_time():
    ev = vehicles(3)
    energy, hours = column(20.0, 50.0, 89.0), column(5.0, 8.0, 0.2)
    power = needed_power_kw(energy, hours, ev)
    reached = reachable_kwh(energy, hours, at_power(ev.params, power))
    np.testing.assert_allclose(reached, 90.0, atol=1e-9)
    # Without the taper, by hand: 70 kWh at 90 % in 5 h.
    assert float(power[0]) == pytest.approx(70.0 / 0.9 / 5.0)


def test_the_earliest_departure_is_served_first_and_others_get_what_is_left():
    ev = vehicles(3)
    # All need 14 kW, and the connection has 24.
    energy = column(27.0, 27.0, 27.0)
    given = guaranteed_kw(energy, column(5.0, 5.1, 4.9), column(NAN, NAN, NAN), ev, depot(3, 8.0))
    needed = needed_power_kw(energy, column(5.0, 5.1, 4.9), ev)
    assert given[2] == needed[2]
    assert float(given[0]) == pytest.approx(24.0 - float(needed[2]))
    assert float(given[1]) == 0.0  # it has a charger, and no guarantee


def test_who_needs_little_is_given_an_equal_share():
    ev = vehicles(2)
    given = guaranteed_kw(column(85.0, 85.0), column(9.0, 9.0), column(NAN, NAN), ev, depot(2, 6.0))
    np.testing.assert_allclose(given, 6.0, rtol=1e-9)


def test_chargers_go_to_the_earliest_departure_and_the_last_one_waits():
    ev = vehicles(4)
    hours = column(8.0, 3.0, 9.0, 5.0)
    given = guaranteed_kw(column(*[40.0] * 4), hours, column(*[NAN] * 4), ev, depot(4, 10.0, 0.5))
    assert (given >= 0).tolist() == [False, True, False, True]
    assert given[0] == given[2] == WAITS_KW


def test_a_guarantee_once_given_is_not_touched_by_who_comes_later():
    ev = vehicles(3)
    # Two hold 9 of 24 kW each; the newcomer leaves first and gets what is left.
    held = column(9.0, 9.0, NAN)
    given = guaranteed_kw(column(50.0, 50.0, 10.0), column(0.0, 0.0, 1.0), held, ev, depot(3, 8.0))
    np.testing.assert_allclose(given, column(0.0, 0.0, 6.0), rtol=1e-9)


def test_groups_do_not_hear_of_each_other():
    ev = vehicles(4)
    energy, hours, held = column(*[27.0] * 4), column(5.0, 5.0, 5.0, 5.0), column(*[NAN] * 4)
    both = guaranteed_kw(energy, hours, held, ev, depot(4, 8.0, group=[0, 1, 0, 1]))
    one = guaranteed_kw(energy[:2], hours[:2], held[:2], vehicles(2), depot(2, 8.0))
    np.testing.assert_array_equal(both, column(one[0], one[0], one[1], one[1]))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.floats(0, 100),
            st.one_of(st.just(0.0), st.floats(0.1, 60)),
            st.one_of(st.none(), st.floats(0, 5)),
            st.floats(0.5, 30),
        ),
        min_size=1,
        max_size=16,
    ),
    st.floats(0.1, 1.0),
    st.sampled_from([torch.float64, torch.float32]),
)
def test_no_more_is_guaranteed_than_there_is(members, chargers, dtype):
    names = [one[0] for one in members]
    group = [names.index(name) for name in names]
    energy, hours = column(*(one[1] for one in members)), column(*(one[2] for one in members))
    # Who is at a charger does not wait for one.
    held = column(*(NAN if one[3] is None or one[2] > 0 else one[3] for one in members))
    shared = depot(len(members), 1.0, chargers, group)
    shared = shared._replace(sure_kw=column(*(5.0 + one[4] for one in members)))
    given = guaranteed_kw(
        energy.to(dtype), hours.to(dtype), held.to(dtype), vehicles(len(members)), shared
    )
    plugs = (hours > 0) & (given >= 0)
    sums = of_group(given.clamp(min=0.0).double() + held.nan_to_num(0.0), shared)
    limit = of_group(shared.sure_kw, shared)
    fits = of_group(held.nan_to_num(0.0), shared) <= limit
    assert bool((sums <= limit * (1 + 1e-6))[fits].all())
    count = of_group((plugs | held.isfinite()).double(), shared)
    most = torch.maximum(
        (of_group(shared.chargers, shared) + 1e-6).floor(),
        of_group(held.isfinite().double(), shared),
    )
    assert bool((count <= most).all())
    assert bool((given[hours <= 0] == 0).all())
    assert bool(((given <= 0) | (given >= 1.44 * (1 - 1e-6))).all())
    assert bool((given <= 20.0).all())
