"""Rolling-horizon programme of one battery, or of a class of them summed to one.

The interval that starts now carries its actual price, the later ones their forecast means; of the
plan only the first power is used, and the programme is solved again at the next interval.
One HiGHS model a battery is kept: between solves only values and bounds change, and the simplex
method starts from the battery's last basis.

At deeply negative prices the programme may average charging and discharging within an interval
(`vpp_rl.baselines.foresight` says where, and orders them by a binary). Here the average stands:
the plan's worth is then an upper bound, and the power returned is the one whose change of stored
energy is the planned one, that is the two netted.
"""

from typing import NamedTuple

import highspy
import numpy as np

from vpp_envs.errors import InputError
from vpp_rl.baselines.storage_lp import (
    EnergyPath,
    Floats,
    TradeCurve,
    ac_power_kw,
    chord_value,
    kinks_upward,
    load_programme,
    lowest_path_kwh,
    new_solver,
    path_programme,
    run_solver,
    stored_kwh,
    trade_value_per_kwh,
)


class Storage(NamedTuple):
    """Batteries as the programme sees them, each its own or the sum of a class, (B,) each."""

    energy_kwh: Floats  # stored energy now
    low_kwh: Floats  # reserve
    high_kwh: Floats  # capacity
    charge_kw: Floats  # AC limit when charging
    discharge_kw: Floats  # AC limit when discharging, positive
    one_way_eff: Floats  # square root of the round-trip efficiency
    standing_loss_kw: Floats  # constant draw on the DC side
    wear_per_kwh: Floats  # currency per kWh discharged, AC
    final_value_per_kwh: Floats  # worth of a stored kWh above `low_kwh` at the horizon, DC side


class MpcStep(NamedTuple):
    """What to do now, and what the plans expect, (B,) each."""

    battery_kw: Floats  # AC power of the first interval, charging positive
    objective: Floats  # of the whole plan, final energy included [currency]
    value_per_kwh: Floats  # of one more stored kWh now [currency/kWh]


class _Numbers(NamedTuple):
    """What changes in the model, (B, ...); columns are segments by interval, then energies."""

    value: Floats  # (B, 3 K + 1)
    lower: Floats
    upper: Floats
    low_kwh: Floats  # (B, K) full discharge of each interval
    constant: Floats  # (B,) worth of the path of full discharge


class RollingStorageLp:
    """Storage programmes of a fixed number of intervals, solved again and again.

    Intervals may have any length, also 0, but for the first.
    """

    def __init__(self, intervals: int) -> None:
        """Set the horizon.

        Args:
            intervals: Number of intervals K of the horizon.
        """
        self._intervals = intervals
        self._columns = np.arange(3 * intervals + 1, dtype=np.int32)
        self._solvers: list[highspy.Highs] = []

    def solve(self, price_per_kwh: Floats, dt_h: Floats, storage: Storage) -> MpcStep:
        """Plan the horizon of each battery from the energy stored now.

        Args:
            price_per_kwh: Actual price of the first interval, then forecast means, (B, K).
                [currency/kWh]
            dt_h: Length of each interval, (K,) or (B, K). [h]
            storage: Batteries, (B,). One below its `low_kwh` recharges at its full rate.

        Returns:
            First powers, objectives and marginal values of stored energy.

        Raises:
            InputError: If the prices do not span the horizon, or the first interval has no length.
        """
        price_per_kwh = np.atleast_2d(np.asarray(price_per_kwh, dtype=np.float64))
        dt_h = np.broadcast_to(np.asarray(dt_h, dtype=np.float64), price_per_kwh.shape)
        if price_per_kwh.shape[-1] != self._intervals or not (dt_h[:, 0] > 0.0).all():
            raise InputError(
                f"price_per_kwh: expected (B, {self._intervals}) and a first interval longer than"
                f" 0 h, got {price_per_kwh.shape} and {dt_h[:, 0].min()} h"
            )
        numbers = _numbers(price_per_kwh, dt_h, storage)
        while len(self._solvers) < len(price_per_kwh):
            self._solvers.append(_model(self._intervals))
        solved = np.array([self._solve_row(numbers, row) for row in range(len(price_per_kwh))])
        change_kwh = numbers.low_kwh[:, 0] + solved[:, 0]
        return MpcStep(
            battery_kw=ac_power_kw(change_kwh, storage.one_way_eff, dt_h[:, 0]),
            objective=numbers.constant + solved[:, 1],
            value_per_kwh=solved[:, 2],
        )

    def _solve_row(self, numbers: _Numbers, row: int) -> tuple[float, float, float]:
        """Solve one battery: charge of the first interval above `low_kwh`, objective, value."""
        solver, columns = self._solvers[row], self._columns
        solver.changeColsCost(len(columns), columns, numbers.value[row])
        solver.changeColsBounds(len(columns), columns, numbers.lower[row], numbers.upper[row])
        run_solver(solver)
        solution = solver.getSolution()
        used = solution.col_value
        first_energy = 2 * self._intervals
        objective = solver.getInfo().objective_function_value
        return used[0] + used[1], objective, solution.col_dual[first_energy]


def _model(intervals: int) -> highspy.Highs:
    """The programme before its numbers are known."""
    # Energies are counted from the path of full discharge, so that no row ever changes.
    nothing, energy = np.zeros(intervals), np.zeros(intervals + 1)
    shape = TradeCurve(nothing, np.ones((intervals, 2)), np.zeros((intervals, 2)))
    solver = new_solver()
    path = EnergyPath(energy, energy, nothing, 0.0)
    load_programme(solver, path_programme(shape, shape.value_per_kwh, path))
    return solver


def _numbers(price_per_kwh: Floats, dt_h: Floats, storage: Storage) -> _Numbers:
    """Values and bounds of all columns."""
    rows, intervals = price_per_kwh.shape
    each = Storage(*(np.broadcast_to(field, (rows,))[:, None] for field in storage))
    low = stored_kwh(-each.discharge_kw, each.one_way_eff, dt_h)
    high = stored_kwh(each.charge_kw, each.one_way_eff, dt_h)
    sides = np.stack((low, high), axis=-1)
    curve = TradeCurve(
        low_kwh=low.ravel(),
        width_kwh=np.abs(sides).reshape(-1, 2),
        value_per_kwh=trade_value_per_kwh(
            np.array([-1.0, 1.0]),
            price_per_kwh[..., None],
            each.one_way_eff[..., None],
            each.wear_per_kwh[..., None],
        ).reshape(-1, 2),
    )
    value = chord_value(curve, kinks_upward(curve)).reshape(rows, intervals, 2)
    loss = each.standing_loss_kw * dt_h
    energy = np.minimum(each.energy_kwh, each.high_kwh)
    lowest = lowest_path_kwh(energy, each.low_kwh, high, loss)
    highest = np.broadcast_to(each.high_kwh, lowest.shape).copy()
    lowest[:, :1] = highest[:, :1] = energy
    drained = np.concatenate((np.zeros((rows, 1)), np.cumsum(low - loss, axis=-1)), axis=-1)
    worth = np.zeros_like(lowest)
    worth[:, -1:] = each.final_value_per_kwh
    end = each.final_value_per_kwh * (drained[:, -1:] - each.low_kwh)
    return _Numbers(
        value=np.concatenate((value.reshape(rows, -1), worth), axis=-1),
        lower=np.concatenate((np.zeros((rows, 2 * intervals)), lowest - drained), axis=-1),
        upper=np.concatenate((np.abs(sides).reshape(rows, -1), highest - drained), axis=-1),
        low_kwh=low,
        constant=(value[..., 0] * low).sum(axis=-1) + end[:, 0],
    )
