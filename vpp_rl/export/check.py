"""An independent check of set-points: the promises recomputed from telemetry, in numpy float64."""

import numpy as np

from vpp_rl.export.telemetry import CAR_COLUMNS, COLUMNS, SetPointTable, telemetry_matrix


def broken_promises(telemetry: object, table: SetPointTable, dt_h: float) -> int:
    """Count homes whose set-point would break an agreement that could be kept.

    It shares no code with the controller: stored energy and meter power at the end of the
    interval are computed from the set-point and held against reserve, capacity and connection,
    and a car against its driver's target.

    Args:
        telemetry: What was handed to `dispatch`.
        table: What it answered.
        dt_h: Control interval. [h]
    """
    names = COLUMNS if table.ev_kw is None else CAR_COLUMNS
    matrix = telemetry_matrix(telemetry, names).double().numpy()
    home = dict(zip(names, matrix.T, strict=True))
    broken = _broken_cars(home, table, dt_h)
    if table.ev_kw is not None:
        home["load_kw"] = home["load_kw"] + table.ev_kw
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
    broken = broken | (
        ((stored < floor - slack) & keepable)
        | (stored > np.maximum(home["capacity_kwh"], home["energy_kwh"]) + slack)
        | (np.abs(power) > rated + 1e-3)
        | ((net > home["import_limit_kw"] + 1e-3) & keepable & (power > 1e-3))
        # Solar gives way before the export limit binds, so only discharge can break it.
        | ((power < -1e-3) & (-(home["load_kw"] + power) > home["export_limit_kw"] + 1e-3))
    )
    return int((broken & table.valid).sum())


def _broken_cars(home: dict[str, np.ndarray], table: SetPointTable, dt_h: float) -> np.ndarray:
    """Whether a car's set-point breaks what its driver was promised, (N,) bool."""
    if table.ev_kw is None:
        return np.zeros(len(table.valid), bool)
    power, battery = table.ev_kw.astype(np.float64), table.battery_kw.astype(np.float64)
    hours = home["ev_hours_left"]
    before, capacity = home["ev_energy_kwh"], home["ev_capacity_kwh"]
    after = before + dt_h * (
        home["ev_charge_eff"] * np.maximum(power, 0.0)
        + np.minimum(power, 0.0) / home["ev_discharge_eff"]
    )
    # What can still be reached is promised, up to the target, and must still be reachable then.
    promised = np.minimum(home["ev_target_kwh"], _reach_kwh(before, hours, home))
    promised = np.where(hours > 0, promised, -np.inf)
    kept = _reach_kwh(after, np.maximum(hours - dt_h, 0.0), home)
    most = np.minimum(
        (_reach_kwh(before, dt_h, home) - before) / (home["ev_charge_eff"] * dt_h), 1e5
    )
    # The home's own load, and a battery that must recharge, come before the car.
    recharge = (
        np.minimum(
            np.maximum(home["reserve_kwh"] - home["energy_kwh"], 0.0) / dt_h
            + home["standing_loss_kw"],
            home["charge_kw"] * home["one_way_eff"],
        )
        / home["one_way_eff"]
    )
    site = home["load_kw"] - np.minimum(home["solar_available_kw"], table.solar_limit_kw)
    room = home["import_limit_kw"] - site - recharge
    keepable = room > most
    slack = 1e-4 * (1.0 + capacity)
    least = np.minimum(home["ev_least_charge_kw"], most)
    empties = (power < -1e-3) & (after < home["ev_minimum_kwh"] - slack)
    broken = (
        ((kept < promised - slack) & keepable)
        | (after > np.maximum(capacity, before) + slack)
        | (power > most + 1e-3)
        | (power < -home["ev_discharge_kw"] - 1e-3)
        | ((power > 1e-3) & (power < least - 1e-3))
        | (np.abs(power) > 1e-3) & (hours <= 0)
        | (power < -1e-3) & (home["ev_managed"] <= 0)
        | empties
        | ((power > 1e-3) & (site + power > home["import_limit_kw"] + 1e-3))
        # Solar gives way before the export limit binds, so only discharge can break it.
        | (
            (power < -1e-3)
            & (-(home["load_kw"] + battery + power) > home["export_limit_kw"] + 1e-3)
        )
    )
    return np.asarray(broken)


def _reach_kwh(
    energy: np.ndarray, hours: np.ndarray | float, home: dict[str, np.ndarray]
) -> np.ndarray:
    """Energy after some hours of charging flat out: a straight line, then an exponential."""
    capacity = home["ev_capacity_kwh"]
    speed = np.maximum(home["ev_charge_eff"] * home["ev_charge_kw"], 1e-9)
    knee = home["ev_taper_fill"] * capacity
    straight = np.minimum(np.maximum(knee - energy, 0.0) / speed, hours)
    start = energy + speed * straight
    width = np.maximum(capacity - knee, 1e-9)
    missing = np.maximum(capacity - start, 0.0)
    return np.asarray(start + missing * -np.expm1(-(hours - straight) * speed / width))
