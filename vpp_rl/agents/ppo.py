"""PPO of Stable-Baselines3 with large batches, served by the same network as everything else."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from torch import nn

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import UNTRAINED, Progress, first_observations
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.sb3_env import FleetVecEnv


@dataclass(frozen=True)
class PpoSettings:
    """How PPO trains."""

    name: str = "ppo"
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 3e-4
    scenarios: int = 256  # rows of the environment
    steps: int = 96  # of each row between updates
    batch: int = 4096
    epochs: int = 4
    gamma: float = 0.9995  # a week; a day's discount would sell before the evening's peak
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    entropy: float = 0.0
    log_std: float = -2.0
    shaping: bool = True  # pay for stored energy at its water value (a potential)
    group: int = 8  # rows that live the same days and are paid against their mean
    seconds: float = 120.0  # training stops at the first of both
    iterations: int = 100_000  # updates

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        ones = dict.fromkeys(("scenarios", "steps", "batch", "epochs", "iterations"), 1)
        for name, least in {**ones, "learning_rate": 0}.items():
            if not getattr(self, name) >= least:
                raise InputError(
                    f"agent.{name} must be at least {least}, got {getattr(self, name)}."
                )
        if not self.seconds > 0.0:
            raise InputError(f"agent.seconds must be above 0, got {self.seconds}.")
        if self.batch > self.scenarios * self.steps:
            raise InputError(
                f"agent.batch={self.batch} is more than a collection of scenarios x steps = "
                f"{self.scenarios * self.steps}; choose a smaller batch."
            )
        if self.group < 2 or self.scenarios % self.group:
            raise InputError(
                f"agent.group={self.group} must be at least 2 and divide agent.scenarios="
                f"{self.scenarios}."
            )
        if not 0.0 < self.gamma < 1.0:
            raise InputError(f"agent.gamma must lie between 0 and 1, got {self.gamma}.")


def train_ppo(
    env: FleetVectorEnv,
    settings: PpoSettings,
    seed: int,
    report: Callable[[Progress, PolicyNetwork], None],
    compile: bool = False,
) -> PolicyNetwork:
    """Train a policy by proximal policy optimisation.

    Args:
        env: Vector environment in same-step autoreset mode with ``settings.scenarios`` rows.
        settings: How to train.
        seed: Of weights, exploration and days.
        report: Called at the start and after every update with the progress and the policy.
        compile: Not used: the environment is compiled where it is made.

    Returns:
        The trained policy: the mean of the Gaussian, clipped.
    """
    features, actions = len(env.observation_names), len(env.action_names)
    network = PolicyNetwork(features, actions, settings.hidden, squash=False)
    network.set_normaliser(first_observations(env, seed))
    adapter = FleetVecEnv(
        env,
        network.mean,
        network.scale,
        settings.gamma,
        settings.shaping,
        settings.group,
    )
    adapter.seed(seed)
    model = ppo_model(adapter, settings, seed)
    with torch.no_grad():
        for parameter in model.policy.action_net.parameters():
            parameter.zero_()
    callback = _Budget(settings, network, report, env.scenario.ticks_per_day / env.reward_scale)
    model.learn(total_timesteps=10**12, callback=callback)
    copy_actor(model, network)
    return network


def ppo_model(adapter: FleetVecEnv, settings: PpoSettings, seed: int) -> PPO:
    """Stable-Baselines3's PPO, as it is trained here and as its speed is measured."""
    layers = list(settings.hidden)
    return PPO(
        "MlpPolicy",
        adapter,
        learning_rate=settings.learning_rate,
        n_steps=settings.steps,
        batch_size=settings.batch,
        n_epochs=settings.epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip_range,
        ent_coef=settings.entropy,
        max_grad_norm=0.5,
        policy_kwargs={
            "net_arch": {"pi": layers, "vf": layers},
            "activation_fn": nn.Tanh,
            "log_std_init": settings.log_std,
        },
        seed=seed,
        device="cpu",
        verbose=0,
    )


def copy_actor(model: PPO, network: PolicyNetwork) -> None:
    """Copy the Gaussian's mean network of an SB3 policy into ours."""
    actor = model.policy.mlp_extractor.policy_net
    source = [*actor.parameters(), *model.policy.action_net.parameters()]
    target = [*network.body.parameters(), *network.head.parameters()]
    with torch.no_grad():
        for theirs, ours in zip(source, target, strict=True):
            ours.copy_(theirs)


class _Budget(BaseCallback):
    """Reports at the start and after every update, anneals, and stops at the end of the budget."""

    def __init__(
        self,
        settings: PpoSettings,
        network: PolicyNetwork,
        report: Callable[[Progress, PolicyNetwork], None],
        per_day: float,
    ) -> None:
        super().__init__()
        self._settings, self._network, self._report = settings, network, report
        self._began = time.monotonic()
        self._updates = 0
        self._spent = 0.0
        self._mean_reward = 0.0
        self._per_day = per_day

    def _on_rollout_end(self) -> None:
        self._mean_reward = float(np.mean(self.model.rollout_buffer.rewards))  # type: ignore[attr-defined]

    def _on_step(self) -> bool:
        return self._spent < 1.0

    def _on_rollout_start(self) -> None:
        """The last update is done: report it, and set the rate of the next."""
        settings = self._settings
        self._spent = max(
            self._updates / settings.iterations,
            (time.monotonic() - self._began) / settings.seconds,
        )
        rate = settings.learning_rate * max(1.0 - self._spent, 0.02)
        self.model.lr_schedule = lambda _: rate
        progress = UNTRAINED
        if self._updates:
            progress = Progress(
                self._updates,
                min(self._spent, 1.0),
                self.num_timesteps,
                self._mean_reward * self._per_day,
                float("nan"),
            )
        copy_actor(self.model, self._network)  # type: ignore[arg-type]
        self._report(progress, self._network)
        self._updates += 1
