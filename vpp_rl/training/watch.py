"""What a training shows of itself: TensorBoard, the learning curve, the best policy so far."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from torch.utils.tensorboard import SummaryWriter

from vpp_envs.fleet.split import table_stamp
from vpp_envs.scenario import ScenarioSpec, build_scenario
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.learner import Progress
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.baselines.home_plan import is_exact, plan_homes
from vpp_rl.baselines.plan import plan_windows
from vpp_rl.baselines.rules import Idle
from vpp_rl.files import write_text
from vpp_rl.rollout import COMFORT_COLUMNS, Windows, play, worth
from vpp_rl.training.checkpoint import PolicyFacts, save_policy
from vpp_rl.training.clock import Clock
from vpp_rl.training.settings import TrainingJob
from vpp_rl.training.stack import dispatch_stack

LEARNING = "learning.csv"

# Hears where a run stands, and the best worth of validation days so far per home and year.
Listen = Callable[[Progress, float], None]


@dataclass
class Watch:
    """Keeps the best policy on the validation days, and writes what it sees."""

    job: TrainingJob
    folder: Path
    env: FleetVectorEnv
    writer: SummaryWriter
    listen: Listen
    clock: Clock
    looks: int = -1  # that at the start, by the policy that has learned nothing, is number 0
    best: float = -math.inf
    kept: tuple[PolicyNetwork, PolicyFacts] | None = None  # the best policy
    rows: list[dict[str, float]] = field(default_factory=list)

    def see(self, progress: Progress, policy: PolicyNetwork) -> None:
        """Log an update; look at the validation days at the start and when it is time."""
        step = progress.home_steps
        scalars = {
            "train/profit_per_kw_day": progress.profit_per_kw_day,
            "train/gradient_norm": progress.gradient_norm,
        }
        for name, scalar in scalars.items():
            if not math.isnan(scalar):
                self.writer.add_scalar(name, scalar, step)
        if progress.share * self.job.validations >= self.looks + 1:
            self.looks = int(progress.share * self.job.validations)
            self._look(progress, policy)
        self.listen(progress, self.best)

    def finish(self, progress: Progress, policy: PolicyNetwork) -> None:
        """Look at the policy of the last update, if that is not done."""
        if self.rows[-1]["home_steps"] != progress.home_steps:
            self._look(progress, policy)
            self.listen(replace(progress, share=1.0), self.best)

    def state(self) -> dict[str, Any]:
        """What has been seen so far, as plain values."""
        return {
            "best": self.best,
            "rows": self.rows,
            "policy": self.kept and self.kept[0].state_dict(),
            "facts": self.kept and asdict(self.kept[1]),
        }

    def restore(self, state: dict[str, Any], progress: Progress, policy: PolicyNetwork) -> None:
        """Have seen what the writer of a state had, and bring the folder's files back to it.

        Args:
            state: From `state`.
            progress: Where the run stands by its budget, which may have grown.
            policy: A network of the run.
        """
        # Of the run's budget as it is now: with a larger one, looks that were made are due again.
        self.looks = int(progress.share * self.job.validations)
        self.best, self.rows = state["best"], state["rows"]
        self._write_curve()
        if state["policy"] is not None:
            network = deepcopy(policy)
            network.load_state_dict(state["policy"])
            self._keep(network, PolicyFacts(**state["facts"]))
        self.listen(progress, self.best)

    def _look(self, progress: Progress, policy: PolicyNetwork) -> None:
        """Play the validation days, and keep the policy if it is the best so far."""
        trained = TrainedPolicy(policy, self.job.dispatch, self.job.agent.name)
        frame, trace = play(trained, self.job.scenario, self.job.validation, trace_row=0)
        scalars = seen(frame, self.job.scenario)
        profit, score = scalars["profit_per_home_year"], scalars["worth_per_home_year"]
        for name, scalar in scalars.items():
            self.writer.add_scalar(f"validation/{name}", scalar, progress.home_steps)
        scenario = build_scenario(self.job.scenario, self.job.validation.split)
        first = replace(self.job.validation, most=1)
        alone, bound = yardsticks(
            self.job.scenario, first, table_stamp(self.job.scenario.fleet.table)
        )
        self.writer.add_scalar(
            "validation/capture_of_foresight_first_window",
            (float(frame.profit.iloc[0]) - alone) / max(bound - alone, 1e-9),
            progress.home_steps,
        )
        assert trace is not None
        self.writer.add_figure(
            "validation/dispatch", dispatch_stack(trace, scenario), progress.home_steps
        )
        elapsed = self.clock.seconds
        self.rows.append(
            {
                "home_steps": float(progress.home_steps),
                "seconds": elapsed,
                "profit_per_home_year": profit,
                "worth_per_home_year": score,
            }
        )
        self._write_curve()
        if score > self.best:
            self.best = score
            facts = self._facts(progress, policy, profit, elapsed)
            facts = replace(facts, validation_worth_per_home_year=score)
            self._keep(deepcopy(policy), facts)

    def _write_curve(self) -> None:
        write_text(self.folder / LEARNING, pd.DataFrame(self.rows).to_csv(index=False))

    def _keep(self, policy: PolicyNetwork, facts: PolicyFacts) -> None:
        self.kept = policy, facts
        save_policy(self.folder, policy, facts)

    def _facts(
        self, progress: Progress, policy: PolicyNetwork, profit: float, elapsed: float
    ) -> PolicyFacts:
        """Describe the policy."""
        env, scenario = self.env, self.env.scenario
        return PolicyFacts(
            agent=self.job.agent.name,
            dispatch=self.job.dispatch,
            scenario=self.job.scenario.name,
            region=scenario.market.region,
            currency=scenario.market.currency,
            zone=scenario.market.zone,
            price_scale=scenario.market.price_scale,
            control_dt_s=self.job.scenario.control_dt_s,
            cohorts=scenario.cohort_names,
            cars=None if scenario.cars is None else scenario.car_names,
            observation_names=env.observation_names,
            action_names=env.action_names,
            hidden=self.job.agent.hidden,
            squash=policy.squash,
            seed=self.job.seed,
            train_s=elapsed,
            train_steps=progress.home_steps,
            validation_profit_per_home_year=profit,
        )


@lru_cache(maxsize=4)  # a population goes on in a process that has looked before
def yardsticks(spec: ScenarioSpec, first: Windows, _stamp: object) -> tuple[float, float]:
    """Profit of a window had nothing been dispatched, and with perfect foresight.

    Args:
        spec: Of the scenario.
        first: One window.
        _stamp: Of the table that the homes come from.
    """
    frame, _ = play(Idle(), spec, first)
    plan = plan_windows if is_exact(build_scenario(spec, first.split)) else plan_homes
    return float(frame.profit.iloc[0]), float(plan(spec, first).objective[0])


def seen(frame: pd.DataFrame, spec: ScenarioSpec) -> dict[str, float]:
    """What a look at the validation days says, by name with its unit.

    Args:
        frame: A row a window, from `play`.
        spec: The scenario.
    """
    home_days = float((frame.homes * frame.days).sum())
    home_years = home_days / 365.0
    scalars = {
        "profit_per_home_year": float(frame.profit.sum()) / home_years,
        "worth_per_home_year": float(worth(frame, spec).sum()) / home_years,
        "energy_market_per_home_year": float(frame.energy_market.sum()) / home_years,
        "wear_per_home_year": float(frame.wear.sum()) / home_years,
        "curtailed_kwh_per_home_day": float(frame.curtailed_kwh.sum()) / home_days,
        "broken_agreements": float(frame.broken_agreements.sum()),
    }
    capacity_kwh = float((frame.capacity_kwh * frame.days).sum())
    if capacity_kwh > 0.0:
        scalars["cycles_per_day"] = float(frame.throughput_kwh.sum()) / capacity_kwh
    of_cars = ("ev_cost", "ev_kwh", "ev_discharged_kwh", "ev_missed_kwh", "ev_left_early_kwh")
    for name in (*of_cars, *COMFORT_COLUMNS):
        if name in frame:
            scalars[f"{name}_per_home_day"] = float(frame[name].sum()) / home_days
    return scalars
