"""CTA-2045 messages: what each makes of a thermostat, in numbers that one can check by hand."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpp_envs.devices.cta2045 import (
    CTA_2045,
    Thermostat,
    advanced_load_up,
    critical_peak,
    grid_emergency,
    load_up,
    shed,
    thermostat_under,
)

NAMES = [message.name for message in CTA_2045]


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def numbers(thermostat):
    return [round(float(x), 9) for x in (thermostat.set_c, thermostat.start_c)]


OWN = Thermostat(column(54.0), column(48.5))  # 5.5 K of deadband


def test_the_codes_are_those_of_the_standard():
    """Basic demand response, facts.md A4.4; an advanced load up is none of the basic messages."""
    codes = {message.name: message.code for message in CTA_2045}
    assert codes == {
        "end_shed": 0x02,
        "shed": 0x01,
        "critical_peak": 0x08,
        "grid_emergency": 0x0B,
        "load_up": 0x17,
        "advanced_load_up": None,
    }


def test_each_message_moves_the_thermostat_as_its_meaning_says():
    """Of a set-point of 54 C: facts.md A4.4, 8 K down, 1.5 K of deadband, 8 K up to the most."""
    assert numbers(shed(OWN, column(43.0))) == [49.0, 46.0]
    assert numbers(critical_peak(OWN, column(43.0))) == [46.0, 43.0]
    assert numbers(grid_emergency(OWN)) == [8.0, 5.0]
    assert numbers(load_up(OWN)) == [54.0, 52.5]
    assert numbers(advanced_load_up(OWN, column(66.0))) == [62.0, 60.5]


def test_no_shed_goes_below_the_promise_and_no_load_up_above_the_most():
    assert numbers(shed(OWN, column(47.0))) == [50.0, 47.0]
    assert numbers(advanced_load_up(OWN, column(60.0))) == [60.0, 58.5]
    assert numbers(advanced_load_up(OWN, column(54.0))) == numbers(load_up(OWN))  # no valve


def test_the_last_message_of_each_heater_is_its_own():
    heard = torch.arange(len(NAMES)).unsqueeze(0)
    under = thermostat_under(heard, OWN, column(43.0), column(60.0))
    assert under.set_c[0].tolist() == [54.0, 49.0, 46.0, 8.0, 54.0, 60.0]
    assert under.start_c[0].tolist() == [48.5, 46.0, 43.0, 5.0, 52.5, 58.5]


@given(
    set_c=st.floats(40.0, 65.0),
    deadband_k=st.floats(0.1, 15.0),
    least_c=st.floats(30.0, 65.0),
    above_k=st.floats(0.0, 20.0),
)
def test_a_deeper_message_never_heats_more(set_c, deadband_k, least_c, above_k):
    own = Thermostat(column(set_c), column(set_c - deadband_k))
    least, most = column(least_c), column(set_c + above_k)
    ordered = ("grid_emergency", "critical_peak", "shed", "end_shed", "load_up", "advanced_load_up")
    under = [
        thermostat_under(torch.tensor([NAMES.index(name)]), own, least, most) for name in ordered
    ]
    for lower, higher in pairwise(under):
        assert lower.start_c <= higher.start_c
        assert lower.set_c <= higher.set_c
    assert all(thermostat.set_c >= thermostat.start_c for thermostat in under)
    assert under[-1].set_c <= most


def test_messages_can_be_scripted_for_export():
    for function, others in ((shed, (column(43.0),)), (load_up, ()), (grid_emergency, ())):
        scripted = torch.jit.script(function)
        for one, other in zip(scripted(OWN, *others), function(OWN, *others), strict=True):
            assert torch.equal(one, other)
    assert numbers(torch.jit.script(advanced_load_up)(OWN, column(60.0))) == [60.0, 58.5]


@pytest.mark.parametrize("message", CTA_2045)
def test_every_message_says_what_it_asks(message):
    assert message.meaning
