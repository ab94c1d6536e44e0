"""What the linear programmes of storage share: units, the energy path, the solver.

Each interval of a storage is described by one number, the change `x` of its stored energy before
standing losses (DC side, kWh). It fixes the AC power (`ac_power_kw`), so that a programme in `x`
cannot charge and discharge at once except on purpose, and the energy balance has coefficients
of 1 only:

    e[t+1] = e[t] + x[t] - standing_loss * dt[t],      x[t] = low[t] + sum of its segments[t, :]

The money of an interval is piecewise linear in `x`: each segment has a width and a value per kWh.
"""

from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Money is judged to 1e-6, so reduced costs and bounds have to hold well below that.
TOLERANCE = 1e-9
# Smaller differences of value are rounding. [currency/kWh]
NEGLIGIBLE = 1e-11
# Narrower segments join a neighbour: HiGHS cannot tell them from its tolerance. [kWh]
NARROW_KWH = 10.0 * TOLERANCE


class TradeCurve(NamedTuple):
    """Money of T intervals as a function of the change of stored energy, in S segments."""

    low_kwh: Floats  # (T,) least change
    width_kwh: Floats  # (T, S) 0 for a segment that does not exist
    value_per_kwh: Floats  # (T, S) [currency/kWh]


class EnergyPath(NamedTuple):
    """What bounds the stored energy at the T+1 ends of intervals, and what its end is worth."""

    lowest_kwh: Floats  # (T+1,)
    highest_kwh: Floats  # (T+1,) equal to the lowest at the start
    standing_loss_kwh: Floats  # (T,) in each interval
    final_value_per_kwh: float  # [currency/kWh]


class Splits(NamedTuple):
    """Edges between segments that a binary orders: all below is full, or nothing above is used."""

    interval: Ints  # (Z,)
    edge: Ints  # (Z,) between segments `edge` and `edge + 1`
    only_at_lowest: Bools  # (Z,) the segments above may be used only to end at the lowest energy


class Columns(NamedTuple):
    """Entries of a sparse matrix, in any order, (E,) each."""

    row: Ints
    column: Ints
    value: Floats


class Programme(NamedTuple):
    """A linear programme to maximise, integer where `integral`."""

    value: Floats  # objective of each column
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    entries: Columns
    integral: Bools


def stored_kwh(power_kw: Floats, one_way_eff: Floats | float, dt_h: Floats | float) -> Floats:
    """Change of stored energy by an AC power, before standing losses.

    The inverse of `ac_power_kw`; the equation of `vpp_envs.devices.battery`.

    Args:
        power_kw: AC power, charging positive, any shape. [kW]
        one_way_eff: Square root of the round-trip efficiency, broadcast. [0 to 1]
        dt_h: Length of the interval, broadcast. [h]

    Returns:
        Change on the DC side. [kWh]
    """
    return np.where(power_kw > 0.0, power_kw * one_way_eff, power_kw / one_way_eff) * dt_h


def ac_power_kw(change_kwh: Floats, one_way_eff: Floats | float, dt_h: Floats | float) -> Floats:
    """AC power that changes the stored energy by `change_kwh`, before standing losses.

    Args:
        change_kwh: Change on the DC side, charging positive, any shape. [kWh]
        one_way_eff: Square root of the round-trip efficiency, broadcast. [0 to 1]
        dt_h: Length of the interval, above 0, broadcast. [h]

    Returns:
        AC power, charging positive. [kW]
    """
    return np.where(change_kwh > 0.0, change_kwh / one_way_eff, change_kwh * one_way_eff) / dt_h


def trade_value_per_kwh(
    change_kwh: Floats,
    price_per_kwh: Floats,
    one_way_eff: Floats | float,
    wear_per_kwh: Floats | float,
) -> Floats:
    """What one more stored kWh adds to the money of an interval, by the sign of its change.

    Charging costs ``price / eta`` a stored kWh; discharging earns ``(price - wear) * eta`` a kWh.

    Args:
        change_kwh: Change of stored energy: only its sign counts, any shape. [kWh]
        price_per_kwh: Price of a further kWh at the meter, broadcast. [currency/kWh]
        one_way_eff: Square root of the round-trip efficiency, broadcast. [0 to 1]
        wear_per_kwh: Cost of wear per kWh discharged, AC, broadcast. [currency/kWh]

    Returns:
        Derivative of the money by the stored energy, negative where storing costs. [currency/kWh]
    """
    if_charging = -price_per_kwh / one_way_eff
    if_discharging = (wear_per_kwh - price_per_kwh) * one_way_eff
    return np.where(change_kwh > 0.0, if_charging, if_discharging)


def lowest_path_kwh(
    initial_kwh: Floats | float,
    reserve_kwh: Floats | float,
    most_kwh: Floats,
    standing_loss_kwh: Floats,
) -> Floats:
    """Stored energy below which no interval may end.

    It is the reserve; from a start below the reserve it is the path of full-rate charging up to
    it, so that the constraint ``e >= lowest`` forces the recharge that the agreement asks for.

    Args:
        initial_kwh: Stored energy at the start, broadcast to (..., 1). [kWh]
        reserve_kwh: Energy kept for the owner, broadcast to (..., 1). [kWh]
        most_kwh: Largest change of stored energy in each interval, (..., T). [kWh]
        standing_loss_kwh: Standing loss in each interval, (..., T). [kWh]

    Returns:
        Lowest energy at the start of the first and the end of each interval, (..., T+1). [kWh]
    """
    gained = np.cumsum(most_kwh - standing_loss_kwh, axis=-1)
    recharge = np.concatenate((np.zeros_like(gained[..., :1]), gained), axis=-1)
    return np.minimum(reserve_kwh, initial_kwh + recharge)


def snapped_edges(edges_kwh: Floats, low_kwh: Floats, high_kwh: Floats) -> Floats:
    """Sort the inner edges of segments into their range, and join those that nearly coincide.

    Args:
        edges_kwh: Inner edges in any order, (T, S-1). [kWh]
        low_kwh: Lower end of the range, (T,). [kWh]
        high_kwh: Upper end of the range, (T,). [kWh]

    Returns:
        Inner edges, rising, at least `NARROW_KWH` apart or equal, (T, S-1). [kWh]
    """
    edges = np.sort(edges_kwh, axis=-1)
    below = low_kwh
    for edge in range(edges.shape[1]):
        raised = np.where(edges[:, edge] - below < NARROW_KWH, below, edges[:, edge])
        below = np.where(high_kwh - raised < NARROW_KWH, high_kwh, raised)
        edges[:, edge] = below
    return edges


def kinks_upward(curve: TradeCurve) -> Bools:
    """Edges between segments at which a further kWh becomes worth more, (T, S-1)."""
    rises = np.diff(curve.value_per_kwh, axis=-1) > NEGLIGIBLE
    reach = np.cumsum(curve.width_kwh, axis=-1)
    return rises & (reach[:, :-1] > 0.0) & (reach[:, -1:] > reach[:, :-1])


def chord_value(curve: TradeCurve, chorded: Bools) -> Floats:
    """Values per kWh with the two segments at each chorded edge averaged by width.

    Args:
        curve: Money of each interval.
        chorded: Edges to bridge, at most one an interval, (T, S-1).

    Returns:
        Value of each segment, (T, S). [currency/kWh]
    """
    value = curve.value_per_kwh.copy()
    interval, edge = np.nonzero(chorded)
    below, above = curve.width_kwh[interval, edge], curve.width_kwh[interval, edge + 1]
    chord = (value[interval, edge] * below + value[interval, edge + 1] * above) / (below + above)
    value[interval, edge] = chord
    value[interval, edge + 1] = chord
    return value


def path_programme(
    curve: TradeCurve, value: Floats, path: EnergyPath, splits: Splits | None = None
) -> Programme:
    """Write the programme of one storage.

    Columns are the segments of positive width by interval, the energies e[0..T], the binaries.
    Row t of the first T reads ``e[t+1] - e[t] - sum(segments of t) = low[t] - loss[t]``.

    Args:
        curve: Money of each interval.
        value: Values per kWh, with chords where no binary splits, (T, S).
        path: Bounds and final worth of the stored energy.
        splits: Edges with a binary; None for a linear programme.
    """
    at, segment = np.nonzero(curve.width_kwh)
    step, first_energy = np.arange(len(curve.low_kwh)), len(at)
    worth = np.zeros(len(step) + 1)
    worth[-1] = path.final_value_per_kwh
    balance = curve.low_kwh - path.standing_loss_kwh
    columns = first_energy + len(worth)
    linear = Programme(
        value=np.concatenate((value[at, segment], worth)),
        lower=np.concatenate((np.zeros(first_energy), path.lowest_kwh)),
        upper=np.concatenate((curve.width_kwh[at, segment], path.highest_kwh)),
        row_lower=balance,
        row_upper=balance,
        entries=Columns(
            row=np.concatenate((at, step, step)),
            column=np.concatenate(
                (np.arange(first_energy), first_energy + step, first_energy + step + 1)
            ),
            value=np.concatenate((-np.ones(first_energy + len(step)), np.ones(len(step)))),
        ),
        integral=np.zeros(columns, dtype=np.bool_),
    )
    return linear if splits is None else _with_binaries(linear, curve, path, splits)


def _with_binaries(
    linear: Programme, curve: TradeCurve, path: EnergyPath, splits: Splits
) -> Programme:
    """Append a binary z for each split, with the rows that give it its meaning.

    ``sum(segments below) >= room_below * z``; ``sum(segments above) <= room_above * z``; and
    ``e[t+1] <= highest - (highest - lowest) * z`` where only the lowest energy may use them.
    """
    at, segment = np.nonzero(curve.width_kwh)
    first_row, first_binary = len(curve.low_kwh), len(linear.value)
    count, binary = len(splits.interval), np.arange(len(splits.interval))
    which, column = np.nonzero(splits.interval[:, None] == at[None, :])
    above = segment[column] > splits.edge[which]
    reach = np.cumsum(curve.width_kwh, axis=-1)[splits.interval]
    room_below = reach[binary, splits.edge]
    room_above = reach[:, -1] - room_below
    gated = np.flatnonzero(splits.only_at_lowest)
    end = splits.interval[gated] + 1
    highest = path.highest_kwh[end]
    gate_row = first_row + 2 * count + np.arange(len(gated))
    extra = (
        Columns(first_row + which + count * above, column, np.ones(len(which))),
        Columns(first_row + binary, first_binary + binary, -room_below),
        Columns(first_row + count + binary, first_binary + binary, -room_above),
        Columns(gate_row, len(at) + end, np.ones(len(gated))),
        Columns(gate_row, first_binary + gated, highest - path.lowest_kwh[end]),
    )
    zero, free = np.zeros(count), np.full(count, np.inf)
    no_floor = np.full(len(gated), -np.inf)
    return Programme(
        value=np.concatenate((linear.value, zero)),
        lower=np.concatenate((linear.lower, zero)),
        upper=np.concatenate((linear.upper, np.ones(count))),
        row_lower=np.concatenate((linear.row_lower, zero, -free, no_floor)),
        row_upper=np.concatenate((linear.row_upper, free, zero, highest)),
        entries=Columns(*map(np.concatenate, zip(linear.entries, *extra, strict=True))),
        integral=np.concatenate((linear.integral, np.ones(count, dtype=np.bool_))),
    )


def new_solver(**options: str | float | bool) -> highspy.Highs:
    """Return a silent single-threaded HiGHS with tight tolerances.

    Presolve is off: it costs more time than it saves on these paths, and with binaries it took
    feasible programmes with very narrow segments for infeasible.
    """
    solver = highspy.Highs()
    defaults: dict[str, str | float | bool] = {
        "output_flag": False,
        "threads": 1,
        "presolve": "off",
        "primal_feasibility_tolerance": TOLERANCE,
        "dual_feasibility_tolerance": TOLERANCE,
        "mip_feasibility_tolerance": TOLERANCE,
    }
    for name, value in (defaults | options).items():
        solver.setOptionValue(name, value)
    return solver


def load_programme(solver: highspy.Highs, programme: Programme) -> None:
    """Hand a programme to the solver through its array interface."""
    columns, rows = len(programme.value), len(programme.row_lower)
    entries = programme.entries
    order = np.lexsort((entries.row, entries.column))
    start = np.searchsorted(entries.column[order], np.arange(columns + 1))
    solver.passModel(
        columns,
        rows,
        len(order),
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMaximize),
        0.0,
        programme.value,
        programme.lower,
        programme.upper,
        programme.row_lower,
        programme.row_upper,
        start.astype(np.int32),
        entries.row[order].astype(np.int32),
        entries.value[order],
        programme.integral.astype(np.int32),
    )


def run_solver(solver: highspy.Highs) -> bool:
    """Solve what is loaded.

    Returns:
        Whether there is a solution; False if the time limit came first.

    Raises:
        RuntimeError: If the programme is infeasible or unbounded: a fault of the model.
    """
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kOptimal or _is_optimal(solver.getInfo()):
        return True
    if status != highspy.HighsModelStatus.kTimeLimit:
        raise RuntimeError(f"HiGHS ended with '{solver.modelStatusToString(status)}'")
    feasible = int(highspy.SolutionStatus.kSolutionStatusFeasible)
    return solver.getInfo().primal_solution_status == feasible


def _is_optimal(info: highspy.HighsInfo) -> bool:
    """Whether a solution is optimal that HiGHS itself doubts.

    It calls some "unknown" whose two objectives differ as it counts them, although no constraint,
    no reduced cost and no pair of both is off by more than the tolerance, which is what being
    optimal means.
    """
    solved = int(highspy.SolutionStatus.kSolutionStatusFeasible)
    both = info.primal_solution_status == solved and info.dual_solution_status == solved
    none_off = info.num_primal_infeasibilities == 0 and info.num_dual_infeasibilities == 0
    return both and none_off and info.max_complementarity_violation <= TOLERANCE
