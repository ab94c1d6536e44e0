"""When a programme counts as solved, whatever HiGHS calls it."""

import highspy
import numpy as np
import pytest

from vpp_rl.baselines.storage_lp import new_solver, run_solver


class Doubting:
    """A solver that calls whatever it found unknown, as HiGHS 1.16 does now and then."""

    def __init__(self, solver):
        self.solver = solver

    def getModelStatus(self):  # noqa: N802 - HiGHS's own names
        return highspy.HighsModelStatus.kUnknown

    def __getattr__(self, name):
        return getattr(self.solver, name)


def at_most(limit, least=0.0, **options):
    """Maximise x + y with x + y at most a limit, both between `least` and 3."""
    solver = new_solver(**options)
    for _ in range(2):
        solver.addCol(1.0, least, 3.0, 0, np.array([], np.int32), np.array([]))
    solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
    solver.addRow(-highspy.kHighsInf, limit, 2, np.array([0, 1], np.int32), np.ones(2))
    return solver


def test_an_optimal_solution_counts_also_where_the_solver_doubts_it():
    for solver in (at_most(4.0), Doubting(at_most(4.0))):
        assert run_solver(solver)
        assert sum(solver.getSolution().col_value) == pytest.approx(4.0)


def test_what_is_infeasible_or_stopped_halfway_is_no_solution():
    with pytest.raises(RuntimeError, match="Infeasible"):
        run_solver(at_most(1.0, least=1.0))
    for halfway in (at_most(1.0, least=1.0), at_most(4.0, simplex_iteration_limit=0)):
        with pytest.raises(RuntimeError, match="Unknown"):
            run_solver(Doubting(halfway))
