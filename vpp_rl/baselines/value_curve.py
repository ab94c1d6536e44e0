"""The stochastic value curve without learning, and the optimum that it approximates."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vpp_envs.dispatch.value_curve import value_curve
from vpp_envs.errors import InputError
from vpp_envs.scenario import Scenario
from vpp_envs.signals.synthetic.prices import PriceModel
from vpp_envs.simulator import SetPoints
from vpp_rl.baselines.optimum import OptimalValue, solve_optimum
from vpp_rl.policy import Scene

_HARDLY_EVER = 1e-4  # of the intervals: a kettle on top of everything else in one home


@dataclass(frozen=True)
class StochasticValueCurve:
    """Every home follows the tabulated water value as it is."""

    name: str = "value curve"
    kind: str = "optimiser"

    def act(self, scene: Scene) -> SetPoints:
        """Compare price and water value at each home's fill."""
        return _unbent(scene, scene.moment.curve)


@dataclass
class NonAnticipativeOptimum:
    """The best that any controller can do on the synthetic process without knowing its future.

    It knows the process's own factors. The optimum is solved once a quarter and cohort. It is a
    bound only where `is_exact` holds; elsewhere it is `approximate`, one more optimiser.
    """

    name: str = "optimum"
    kind: str = "bound"
    _solved: dict[tuple[PriceModel, int, str], OptimalValue] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def approximate(cls) -> "NonAnticipativeOptimum":
        """For a fleet that its cohorts describe only roughly."""
        return cls("cohort optimum", "optimiser")

    @staticmethod
    def is_exact(scenario: Scenario) -> bool:
        """Whether every battery is its cohort's, behind a connection that hardly ever binds.

        Standing losses, some watts, are left out of the optimum.
        """
        fleet = scenario.fleet
        battery, agreement = fleet.battery, fleet.agreement
        with_battery = fleet.cohort >= 0
        cohort = [scenario.cohorts[index] for index in fleet.cohort[with_battery].tolist()]
        usable_kwh = battery.capacity_kwh - agreement.reserve_kwh
        alike = [
            (usable_kwh / battery.discharge_kw, [c.duration_h for c in cohort]),
            (usable_kwh / battery.charge_kw, [c.duration_h for c in cohort]),
            (battery.one_way_eff, [c.one_way_eff for c in cohort]),
            (battery.wear_per_kwh, [c.wear_per_kwh for c in cohort]),
        ]
        exports = battery.discharge_kw + fleet.solar_kw <= agreement.export_limit_kw
        room_pu = (agreement.import_limit_kw - battery.charge_kw) / fleet.load_mean_kw
        tight = [
            (scenario.load_pu[:, archetype] > room).double().mean()
            for archetype, room in zip(fleet.load_archetype, room_pu, strict=True)
        ]
        binds = torch.stack(tight)[with_battery].mean()
        return bool(exports[with_battery].all() and binds < _HARDLY_EVER) and all(
            torch.allclose(ours[with_battery], torch.tensor(theirs).to(ours), rtol=1e-6)
            for ours, theirs in alike
        )

    def act(self, scene: Scene) -> SetPoints:
        """Compare price and the optimal marginal value at each home's fill."""
        return _unbent(scene, self.curves(scene.scenario, scene.tick).to(scene.moment.curve.dtype))

    def curves(self, scenario: Scenario, tick: Tensor) -> Tensor:
        """Optimal marginal values at the end of each tick, (B, C, F). [currency/kWh]

        Raises:
            InputError: The prices are recorded, so that their law is not known.
        """
        market = scenario.market
        if market.model is None or market.factors is None:
            raise InputError("the optimum needs a synthetic market: recorded prices have no law.")
        factors = market.factors[tick]
        quarters = market.quarter[tick]
        # By the clock, which daylight saving moves against the ticks in some markets.
        tick_of_day = (market.hour[tick] / scenario.dt_h).round().to(torch.int64)
        curves: list[Tensor] = []
        for cohort in scenario.cohorts:
            rows: Tensor | None = None
            for quarter in torch.unique(quarters).tolist():
                key = (market.model, quarter, cohort.name)
                if key not in self._solved:
                    self._solved[key] = solve_optimum(
                        market.model,
                        quarter,
                        cohort.duration_h,
                        cohort.one_way_eff,
                        cohort.wear_per_kwh,
                        scenario.dt_h,
                    )
                pick = quarters == quarter
                curve = self._solved[key].curve(tick_of_day[pick], factors[pick])
                rows = torch.zeros(len(tick), curve.shape[-1]) if rows is None else rows
                rows[pick] = curve
            assert rows is not None
            curves.append(rows)
        return torch.stack(curves, dim=1)


def _unbent(scene: Scene, curve: Tensor) -> SetPoints:
    """Dispatch by curves as they are."""
    moment = scene.moment._replace(curve=curve)
    actions = len(scene.scenario.action_names("value_curve", 0))
    zero = torch.zeros(curve.shape[0], actions, dtype=curve.dtype)
    return value_curve(zero, moment, scene.fleet, scene.scenario.dt_h)
