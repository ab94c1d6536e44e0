"""Dryer cycles that NREL's OCHRE ships as measured, run through the chain at several steps.

An excerpt (means of five minutes of one cycle) is in this file; all cycles are compared where the
data lie beside the checkout.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from vpp_envs.fleet.appliance_sampling import check_appliances, cycle_params
from vpp_envs.flexible import appliance
from vpp_envs.flexible.appliance_parts import (
    ApplianceAgreement,
    ApplianceFleet,
    ApplianceTables,
)
from vpp_envs.signals.readers.appliance_cycles import read_cycles

pytestmark = pytest.mark.reference
# Low heat, second measurement: 1.63 kWh in half an hour. [kW]
LOW_HEAT_2 = (5.243, 4.976, 4.472, 2.863, 1.717, 0.318)


def dryer(block_kw):
    power = torch.tensor(np.array([block_kw]), dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    index = torch.zeros(1, dtype=torch.int64)
    params = cycle_params(power, 300.0 * one, 1 / 3)
    fleet = ApplianceFleet(
        params, power.max(-1).values, 9.5 * one, ApplianceAgreement(one), index, index
    )
    check_appliances(fleet, "dryer of column")
    return fleet


def run(block_kw, minutes):
    """Mean power of each step of a cycle that starts at once, until it ends. [kW]"""
    dt_h, fleet = minutes / 60.0, dryer(block_kw)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    state = appliance.first_state(zero, None, fleet, dt_h)
    served = []
    for number in range(200):
        rows = ApplianceTables(zero + (4.0 if number == 0 else 0.0), torch.zeros(1, 1, 17).double())
        moment = appliance.moment_of(state, rows, fleet, dt_h)
        around = appliance.flex(moment, fleet, dt_h)
        outcome = appliance.step(torch.nan * zero, around, moment, fleet, dt_h)
        state = outcome.state
        served.append(outcome.served.power_kw.item())
        if outcome.finished.item():
            return np.array(served)
    raise AssertionError("the cycle does not end")


@pytest.mark.parametrize("minutes", [1, 5, 15, 60])
def test_a_measured_cycle_keeps_its_energy_at_any_step(minutes):
    served = run(LOW_HEAT_2, minutes)
    assert served.sum() * minutes / 60 == pytest.approx(sum(LOW_HEAT_2) / 12, abs=1e-12)
    assert len(served) == max(1, 30 // minutes)
    assert sum(LOW_HEAT_2) / 12 == pytest.approx(1.63, abs=0.005)


def test_all_measured_cycles_run_in_the_chain_as_they_were_measured(shared_data):
    """By fifteen minutes the chain draws the file's own means, to 1e-4 kW."""
    path = shared_data / "appliance" / "dryer_cycles_10s.csv.gz"
    table = pd.read_csv(path)
    cycles = read_cycles(path)
    assert len(cycles) == 5
    for cycle in cycles:
        served = run(cycle.block_kw, 15)
        measured = table[cycle.name].to_numpy()
        # The reader begins with the first 5 W.
        measured = measured[np.flatnonzero(measured > 0.005)[0] :]
        padded = np.pad(measured, (0, 90 * (len(measured) // 90 + 1) - len(measured)))
        means = padded.reshape(-1, 90).mean(1)[: len(served)]
        np.testing.assert_allclose(served, means, atol=1e-4)
