import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_envs.flexible.flex import Flex, into_flex, read_curve, within_room

SHARE = st.floats(0.0, 1.0)


def flex_of(low, high, alone=0.0, least=0.0, cohort=0, fill=0.5, value=0.1):
    numbers = torch.tensor
    rated = max(abs(low), abs(high))
    column = [numbers([float(x)], dtype=torch.float64) for x in (rated, low, high, alone, least)]
    curve = torch.full((1, 2), value, dtype=torch.float64)
    fill, value = (numbers([x], dtype=torch.float64) for x in (fill, value))
    return Flex(numbers([cohort]), *column, fill, value, curve)


def kw(asked, flex):
    return into_flex(torch.tensor([asked], dtype=torch.float64), flex).item()


@pytest.mark.parametrize(
    ("asked", "served"), [(float("nan"), 0.7), (9.0, 4.0), (-3.0, 0.2), (1.5, 1.5)]
)
def test_a_device_serves_what_lies_in_its_envelope_and_without_a_number_is_left_alone(
    asked, served
):
    assert kw(asked, flex_of(0.2, 4.0, alone=0.7)) == served


def test_a_device_that_nobody_manages_does_what_it_would_have_done():
    assert kw(3.0, flex_of(0.0, 4.0, alone=0.7, cohort=-1)) == 0.7


@pytest.mark.parametrize(
    ("low", "high", "asked", "served"),
    [
        (0.0, 4.0, 1.9, 0.0),  # nearer to off
        (0.0, 4.0, 2.1, 4.0),  # nearer to on
        (0.0, 0.0, 4.0, 0.0),  # must not run
        (4.0, 4.0, 0.0, 4.0),  # must run
        (-4.0, 0.0, -2.1, -4.0),  # a generator
        (-4.0, 0.0, -1.0, 0.0),
        (-4.0, -4.0, 0.0, -4.0),
    ],
)
def test_a_device_that_is_on_or_off_goes_to_the_nearer_that_it_may(low, high, asked, served):
    assert kw(asked, flex_of(low, high, least=4.0)) == served


def test_a_connection_takes_from_what_is_wanted_and_not_from_what_must_be():
    room = torch.tensor([1.0], dtype=torch.float64)
    narrowed = within_room(flex_of(0.5, 4.0, alone=3.0), room, room)
    assert (narrowed.low_kw.item(), narrowed.high_kw.item()) == (0.5, 1.5)
    assert narrowed.alone_kw.item() == 1.5
    over = within_room(flex_of(0.5, 4.0), -room, room)
    assert (over.low_kw.item(), over.high_kw.item()) == (0.5, 0.5)


def test_a_device_that_is_on_or_off_stays_off_where_it_does_not_fit():
    room = torch.tensor([1.0], dtype=torch.float64)
    assert within_room(flex_of(0.0, 4.0, least=4.0), room, room).high_kw.item() == 0.0
    assert within_room(flex_of(4.0, 4.0, least=4.0), room, room).high_kw.item() == 4.0
    generator = within_room(flex_of(-5.0, 0.0, least=2.0), room, room)
    assert (generator.low_kw.item(), generator.high_kw.item()) == (0.0, 0.0)


def test_a_generator_that_may_not_stop_yet_feeds_in_its_least_whatever_the_room():
    room = torch.tensor([1.0], dtype=torch.float64)
    held = within_room(flex_of(-5.0, -2.0, alone=-2.0, least=2.0), room, room)
    assert (held.low_kw.item(), held.high_kw.item()) == (-2.0, -2.0)
    assert kw(0.0, held) == -2.0
    roomy = within_room(flex_of(-5.0, -2.0, alone=-2.0, least=2.0), room, 4.0 * room)
    assert (roomy.low_kw.item(), roomy.high_kw.item()) == (-4.0, -2.0)


@settings(deadline=None)
@given(SHARE, SHARE, SHARE, st.floats(-2.0, 8.0), st.floats(-1.0, 6.0))
def test_what_is_served_lies_in_the_envelope_whatever_is_asked(a, b, c, asked, room):
    low, high = sorted((5.0 * a, 5.0 * b))
    flex = flex_of(low, high, alone=low + c * (high - low))
    room_kw = torch.tensor([room], dtype=torch.float64)
    narrowed = within_room(flex, room_kw, room_kw)
    served = kw(asked, narrowed)
    assert low <= served <= high
    assert served <= max(low, low + room) + 1e-12


def test_a_curve_is_read_by_class_and_linearly_between_its_points():
    curve = torch.tensor([[0.0, 1.0, 4.0], [10.0, 20.0, 30.0]])
    share, cohort = torch.tensor([0.25, 1.0, 0.75, 0.5]), torch.tensor([0, 0, 1, -1])
    assert read_curve(curve, share, cohort).tolist() == [0.5, 4.0, 25.0, 1.0]
