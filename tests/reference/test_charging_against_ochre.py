"""Charging beside NREL's OCHRE 0.9.2: six home sessions of EVI-Pro, charged at once.

The car of its case `ev_sessions`: 48.75 kWh, 7.2 kW, charging efficiency 0.9, no taper. An excerpt
of the trajectory is in this file; the whole of it is compared where the data lie beside the
checkout.
"""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from vpp_envs.charging import step_cars
from vpp_envs.devices.ev import EvParams, EvState, Session
from vpp_envs.dispatch.ev_envelope import beside_site, ev_range
from vpp_envs.fleet.agreement import Agreement, EvAgreement
from vpp_envs.fleet.fleet import EvFleet

pytestmark = pytest.mark.reference
DT_H = 1.0 / 12.0


def column(value):
    return torch.tensor([value], dtype=torch.float64)


def car(capacity_kwh, charge_kw, eff):
    one = column(1.0)
    params = EvParams(
        *(column(v) for v in (capacity_kwh, charge_kw, 0.0, 0.0, eff, eff)), one, 0 * one, 0 * one
    )
    index = torch.zeros(1, dtype=torch.int64)
    return EvFleet(params, EvAgreement(column(capacity_kwh), 0 * one, one), index, index)


def charged(ev, fill, ticks):
    """Power and fill of a car that is left alone for so many intervals, (T,) each."""
    energy = fill * ev.params.capacity_kwh
    state = EvState(energy, 0 * energy, energy)
    agreement = Agreement(column(0.0), column(1e3), column(1e3), column(0.0))
    power, fills = [], []
    for tick in range(ticks):
        left = column((ticks - tick) * DT_H)
        session = Session(left, 0 * left, 0 * left, 0 * left)
        around = beside_site(ev_range(state, session, ev, DT_H), 0 * left, agreement)
        outcome = step_cars(around.alone_kw, state, session, around, ev, DT_H)
        state = outcome.state
        power.append(outcome.power_kw.item())
        fills.append((state.energy_kwh / ev.params.capacity_kwh).item())
    return np.array(power), np.array(fills)


def test_a_session_begins_as_in_ochre():
    power, fill = charged(car(48.75, 7.2, 0.9), 0.778, 5)
    assert power == pytest.approx(7.2)
    # soc_next of OCHRE from 2018-01-02 16:30 on.
    assert fill == pytest.approx([0.789077, 0.800154, 0.811231, 0.822308, 0.833385], abs=1e-6)


def test_all_sessions_of_ochre_take_the_same_energy_at_the_same_time(shared_data):
    folder = shared_data / "ochre"
    case = json.loads((folder / "ev_sessions.json").read_text())
    theirs = pd.read_parquet(folder / "ev_sessions.parquet")
    ev = car(case["capacity_kwh"], case["max_ac_power_kw"], case["charging_efficiency"])
    for session in case["sessions"]:
        stay = theirs[session["arrival_local"] : session["departure_local"]].iloc[:-1]
        power, fill = charged(ev, session["soc_arrival"], len(stay))
        np.testing.assert_allclose(power, stay["ac_power_kw"], atol=1e-4)
        np.testing.assert_allclose(fill, stay["soc_next"], atol=1e-5)
