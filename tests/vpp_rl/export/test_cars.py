import numpy as np
import pytest
import torch

from vpp_envs.fleet.cohorts import EV_COHORTS
from vpp_envs.signals.market import TICKS_PER_ISSUE
from vpp_rl.export.cars import NO_CAR, Cars
from vpp_rl.export.columns import EV_TELEMETRY_COLUMNS

NAMES = [column.name for column in EV_TELEMETRY_COLUMNS]
# 60 kWh, 10 kW into the store and no taper below 57 kWh, target 48 kWh.
CAR = dict(zip(NAMES, NO_CAR, strict=True)) | {
    "ev_energy_kwh": 20.0,
    "ev_hours_left": 4.0,
    "ev_capacity_kwh": 60.0,
    "ev_charge_kw": 12.5,
    "ev_charge_eff": 0.8,
    "ev_taper_fill": 0.95,
    "ev_target_kwh": 48.0,
    "ev_managed": 1.0,
}
CARS = Cars(EV_COHORTS, 1 / 12)


def moment_of(hour=18.0, **changes):
    """What the controller knows of one car."""
    columns = torch.tensor([list((CAR | changes).values())]).T
    valid = torch.ones(1, dtype=torch.bool)
    ev = CARS.fleet(columns, valid)
    return CARS.moment(columns, valid, ev, torch.tensor(hour), torch.zeros(2, 12, 25))


@pytest.mark.parametrize(
    ("energy_kwh", "hours_left", "excused_kwh"),
    [
        (20.0, 4.0, 0.0),  # 60 kWh are in reach
        (8.0, 4.0, 0.0),  # 48 kWh: just the target
        (8.0, 3.0, 10.0),  # 38 kWh
        (18.0, 2.0, 10.0),  # an hour later, on the floor: what is excused stays the same
        (38.0, 0.0, 0.0),  # away, and promised nothing
    ],
)
def test_what_is_out_of_reach_of_the_target_is_excused(energy_kwh, hours_left, excused_kwh):
    state = moment_of(ev_energy_kwh=energy_kwh, ev_hours_left=hours_left).state
    assert state.excused_kwh.item() == pytest.approx(excused_kwh, abs=1e-4)
    assert excused_kwh > 0 or state.excused_kwh.item() == 0.0


def test_the_half_hour_ends_when_the_environments_does():
    for tick in range(288):
        # The hour as the market's table has it, in float32, and as one may write it by hand.
        for hour in (float(np.float32(tick * 300 / 3600.0)), round(tick / 12, 4)):
            rest_h = moment_of(hour).rest_h
            assert rest_h.tolist() == pytest.approx([(6 - tick % TICKS_PER_ISSUE) / 12])


@pytest.mark.parametrize(
    ("changes", "consistent"),
    [
        ({}, True),
        ({"ev_target_kwh": 60.0}, True),
        ({"ev_target_kwh": 60.1}, False),
        ({"ev_minimum_kwh": 48.0}, True),
        ({"ev_minimum_kwh": 48.1}, False),
        (dict(zip(NAMES, NO_CAR, strict=True)), True),
    ],
)
def test_a_target_fits_into_the_car_and_includes_the_minimum(changes, consistent):
    columns = torch.tensor([list((CAR | changes).values())]).T
    assert CARS.consistent(columns).tolist() == [consistent]


@pytest.mark.parametrize(
    ("known", "changes", "place"),
    [
        (EV_COHORTS, {}, 0),
        (EV_COHORTS, {"ev_discharge_kw": 5.0}, 1),
        (EV_COHORTS, {"ev_managed": 0.0}, -1),
        (EV_COHORTS, {"ev_charge_kw": 0.0}, -1),
        (EV_COHORTS[:1], {"ev_discharge_kw": 5.0}, -1),
        (EV_COHORTS[1:], {"ev_discharge_kw": 5.0}, 0),
        (EV_COHORTS[1:], {}, -1),
        ((), {}, -1),
    ],
)
def test_a_car_is_numbered_by_its_classs_place_among_those_that_the_policy_knows(
    known, changes, place
):
    columns = torch.tensor([list((CAR | changes).values())]).T
    ev = Cars(known, 1 / 12).fleet(columns, torch.ones(1, dtype=torch.bool))
    assert ev.cohort.tolist() == [place]
