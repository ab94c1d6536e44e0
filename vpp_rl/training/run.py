"""One training run: a folder with everything that is needed to trust, repeat and use it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import torch
from torch.utils.tensorboard import SummaryWriter

from vpp_envs.scenario import ScenarioSpec
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import UNTRAINED, Progress
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.registry import Settings, learner
from vpp_rl.agents.trained import TrainedPolicy
from vpp_rl.files import write_text
from vpp_rl.rollout import Windows, play
from vpp_rl.training.checkpoint import FACTS, WEIGHTS, PolicyFacts, save_policy

LEARNING = "learning.csv"
DONE = "done"  # stands in the folder of a run that was trained to its end


@dataclass(frozen=True)
class TrainingJob:
    """What to train, on what, and how often to look at the validation days."""

    scenario: ScenarioSpec
    agent: Settings
    dispatch: str = "value_curve"
    seed: int = 0
    compile: bool = False
    threads: int = 1
    validations: int = 8  # looks at the validation days after the first, spread over the budget
    validation: Windows = field(default_factory=lambda: Windows("validation", most=36))


# Hears where a run stands, and the best validation profit so far per home and year.
Listen = Callable[[Progress, float], None]


@dataclass
class _Watch:
    """Keeps the best policy on the validation days, and writes what it sees."""

    job: TrainingJob
    folder: Path
    env: FleetVectorEnv
    writer: SummaryWriter
    listen: Listen
    began: float
    last: Progress = UNTRAINED
    looks: int = -1  # that at the start, by the policy that has learned nothing, is number 0
    best: float = -math.inf
    rows: list[dict[str, float]] = field(default_factory=list)

    def __call__(self, progress: Progress, policy: PolicyNetwork) -> None:
        """Log an update; look at the validation days at the start and when it is time."""
        self.last = progress
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
            self.look(progress, policy)
        self.listen(progress, self.best)

    def look(self, progress: Progress, policy: PolicyNetwork) -> None:
        """Play the validation days, and keep the policy if it is the best so far."""
        trained = TrainedPolicy(policy, self.job.dispatch, self.job.agent.name)
        frame, _ = play(trained, self.job.scenario, self.job.validation)
        home_years = float((frame.homes * frame.days).sum()) / 365.0
        profit = float(frame.profit.sum()) / home_years
        scalars = {
            "validation/profit_per_home_year": profit,
            "validation/energy_market_per_home_year": float(frame.energy_market.sum()) / home_years,
            "validation/wear_per_home_year": float(frame.wear.sum()) / home_years,
            "validation/cycles_per_day": float(
                frame.throughput_kwh.sum() / (frame.capacity_kwh * frame.days).sum()
            ),
            "validation/broken_agreements": float(frame.broken_agreements.sum()),
        }
        for name, scalar in scalars.items():
            self.writer.add_scalar(name, scalar, progress.home_steps)
        elapsed = time.monotonic() - self.began
        self.rows.append(
            {
                "home_steps": float(progress.home_steps),
                "seconds": elapsed,
                "profit_per_home_year": profit,
            }
        )
        write_text(self.folder / LEARNING, pd.DataFrame(self.rows).to_csv(index=False))
        if profit > self.best:
            self.best = profit
            save_policy(self.folder, policy, self.facts(progress, policy, profit, elapsed))

    def facts(
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


def start_afresh(folder: Path) -> None:
    """Remove what an earlier run left in a folder, where it would pass for the new run's.

    Args:
        folder: Of the run that starts; need not exist.
    """
    for name in (DONE, WEIGHTS, FACTS, LEARNING):
        (folder / name).unlink(missing_ok=True)


def run_training(job: TrainingJob, folder: Path, listen: Listen) -> tuple[float, float, int]:
    """Train, and leave the best policy on the validation days in the folder.

    Args:
        job: What to train.
        folder: Of the run: policy, learning curve and TensorBoard events go there.
        listen: Called at the start and after every update.

    Returns:
        Best validation profit per home-year, seconds of training, and home-steps.
    """
    chosen = learner(job.agent.name)
    env = FleetVectorEnv(
        job.scenario,
        num_envs=job.agent.scenarios,
        dispatch=job.dispatch,
        split="train",
        autoreset_mode=chosen.autoreset_mode,
        stagger=chosen.steps_env,
        compile=job.compile and chosen.steps_env,
    )
    began = time.monotonic()
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        watch = _Watch(job, folder, env, writer, listen, began)
        policy = chosen.train(env, job.agent, job.seed, watch, job.compile)
        seconds = time.monotonic() - began
        if watch.rows[-1]["home_steps"] != watch.last.home_steps:
            watch.look(watch.last, policy)
            listen(replace(watch.last, share=1.0), watch.best)
    return watch.best, seconds, watch.last.home_steps


def use_threads(threads: int) -> None:
    """Give torch so many threads; more than the cores only slow it down."""
    torch.set_num_threads(max(threads, 1))
