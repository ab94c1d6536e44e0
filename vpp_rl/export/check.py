"""An independent check of set-points: the promises recomputed from telemetry, in numpy float64."""

import numpy as np

from vpp_rl.export.telemetry import COLUMNS, SetPointTable, telemetry_matrix


def broken_promises(telemetry: object, table: SetPointTable, dt_h: float) -> int:
    """Count homes whose set-point would break an agreement that could be kept.

    It shares no code with the controller: stored energy and meter power at the end of the
    interval are computed from the set-point and held against reserve, capacity and connection.

    Args:
        telemetry: What was handed to `dispatch`.
        table: What it answered.
        dt_h: Control interval. [h]
    """
    matrix = telemetry_matrix(telemetry).double().numpy()
    home = dict(zip(COLUMNS, matrix.T, strict=True))
    power = table.battery_kw.astype(np.float64)
    eff = home["one_way_eff"]
    stored = home["energy_kwh"] + dt_h * (
        eff * np.maximum(power, 0.0) + np.minimum(power, 0.0) / eff - home["standing_loss_kw"]
    )
    # A battery below its reserve, or with no more than its reserve, may at best recharge at its
    # rate; a connection that the load alone overloads cannot be kept.
    best = home["energy_kwh"] + dt_h * (eff * home["charge_kw"] - home["standing_loss_kw"])
    floor = np.minimum(home["reserve_kwh"], best)
    solar = np.minimum(home["solar_available_kw"], table.solar_limit_kw)
    net = home["load_kw"] - solar + power
    least = home["load_kw"] - home["solar_available_kw"] - home["discharge_kw"]
    tight = (
        home["load_kw"]
        - home["solar_available_kw"]
        + np.maximum(
            (floor - home["energy_kwh"] + home["standing_loss_kw"] * dt_h) / (eff * dt_h), 0.0
        )
    )
    keepable = np.maximum(least, tight) < home["import_limit_kw"]
    slack = 1e-4 * (1.0 + home["capacity_kwh"])
    rated = np.maximum(home["charge_kw"], home["discharge_kw"])
    broken = (
        ((stored < floor - slack) & keepable)
        | (stored > np.maximum(home["capacity_kwh"], home["energy_kwh"]) + slack)
        | (np.abs(power) > rated + 1e-3)
        | ((net > home["import_limit_kw"] + 1e-3) & keepable & (power > 1e-3))
        # Solar gives way before the export limit binds, so only discharge can break it.
        | ((power < -1e-3) & (-(home["load_kw"] + power) > home["export_limit_kw"] + 1e-3))
    )
    return int((broken & table.valid).sum())
