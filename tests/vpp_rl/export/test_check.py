from dataclasses import replace

import numpy as np
import pytest

from vpp_rl.export.check import broken_promises
from vpp_rl.export.load import load
from vpp_rl.export.telemetry import CAR_COLUMNS


def idle(home, ev_kw):
    return np.zeros_like(ev_kw)


def flat_out(home, ev_kw):
    return home["ev_charge_kw"]


def all_back(home, ev_kw):
    return -np.maximum(home["ev_discharge_kw"], 5.0)


def half_a_step(home, ev_kw):
    return np.where(ev_kw > 0, 0.5 * home["ev_least_charge_kw"], ev_kw)


def a_bit_less_than_it_must(home, ev_kw):
    return np.where(ev_kw > 2.0, ev_kw - 0.1, ev_kw)


@pytest.mark.parametrize("change", [idle, flat_out, all_back, half_a_step, a_bit_less_than_it_must])
def test_a_set_point_that_breaks_a_drivers_promise_is_found_out(exported_with_cars, draw, change):
    telemetry, signals = draw(1000, exported_with_cars[0])
    table = load(exported_with_cars[2]).dispatch(telemetry, signals)
    assert broken_promises(telemetry, table, 1 / 12) == 0
    home = dict(zip(CAR_COLUMNS, telemetry.numpy().T, strict=True))
    spoiled = replace(table, ev_kw=change(home, table.ev_kw).astype(np.float32))
    assert broken_promises(telemetry, spoiled, 1 / 12) > 20
