"""While the grid is away a car waits, and what it misses is excused, once."""

import torch

from vpp_envs.charging import step_cars
from vpp_envs.devices.ev import EvState, Session
from vpp_envs.dispatch.ev_envelope import beside_site, ev_range
from vpp_envs.fleet.agreement import Agreement
from vpp_envs.flexible.flex import Flex, into_flex
from vpp_envs.outage.dark import dark_car, dark_flex, where_out


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_a_device_stands_still_whatever_is_asked_and_whatever_it_must():
    tank = Flex(
        torch.tensor([0, 0]),
        torch.tensor([4.5, 4.5]).double(),
        row(4.5, 4.5),
        row(4.5, 4.5),
        row(4.5, 4.5),
        row(4.5, 4.5),
        row(0.0, 0.0),
        row(0.1, 0.1),
        torch.zeros(1, 1, 2).double(),
    )
    dark = dark_flex(tank, row(1.0, 0.0))
    for asked in (4.5, 0.0, float("nan")):
        assert into_flex(row(asked, asked), dark).tolist() == [[0.0, 4.5]]
    assert torch.jit.script(dark_flex)(tank, row(1.0, 0.0)).high_kw.tolist() == [[0.0, 4.5]]


def test_what_a_car_misses_in_an_outage_is_excused_and_breaks_nothing(car_home):
    # 42 of 51 kWh one hour before it leaves: it would charge flat-out, and the grid is away.
    ev = car_home()
    state, session = (
        EvState(row(42.0), row(0.0), row(42.0)),
        Session(*(row(v) for v in (1, 1, 0, 0))),
    )
    site = Agreement(*(row(v) for v in (0.0, 100.0, 100.0, 0.8)))
    lit = beside_site(ev_range(state, session, ev, 1.0), row(0.0), site)
    outcome = step_cars(row(float("nan")), state, session, dark_car(lit, row(1.0)), ev, 1.0)
    assert outcome.power_kw.item() == 0.0
    assert outcome.site_short_kwh.item() == 9.0
    assert outcome.missed_kwh.item() == 0.0
    assert not outcome.broken.item()
    served = step_cars(row(float("nan")), state, session, dark_car(lit, row(0.0)), ev, 1.0)
    assert served.power_kw.item() > 9.9


def test_homes_with_the_grid_are_as_they_were():
    assert where_out(row(1.0, 0.0), row(5.0, 5.0), row(3.0, 3.0)).tolist() == [[5.0, 3.0]]
