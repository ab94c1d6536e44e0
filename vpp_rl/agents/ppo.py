"""PPO of Stable-Baselines3 with large batches, served by the same network as everything else."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from torch import nn

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import first_observations
from vpp_rl.agents.generators import generator_states, set_generators
from vpp_rl.agents.learner import Update, refuse_no_time
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.sb3_env import FleetVecEnv
from vpp_rl.agents.sb3_state import counters, set_counters


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
    seconds: float | None = 120.0  # training stops at the first of both; none: no limit of time
    iterations: int = 100_000  # updates

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        ones = dict.fromkeys(("scenarios", "steps", "batch", "epochs", "iterations"), 1)
        for name, least in {**ones, "learning_rate": 0}.items():
            if not getattr(self, name) >= least:
                raise InputError(
                    f"agent.{name} must be at least {least}, got {getattr(self, name)}."
                )
        refuse_no_time(self.seconds)
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


class PpoLearner:
    """Proximal policy optimisation; see `vpp_rl.agents.learner.Learner`."""

    def __init__(
        self, env: FleetVectorEnv, settings: PpoSettings, seed: int, compile: bool = False
    ) -> None:
        """Begin with the rule of the dispatch mode.

        Args:
            env: Vector environment in same-step autoreset mode with ``settings.scenarios`` rows.
            settings: How to train.
            seed: Of weights, exploration and days.
            compile: Not used: the environment is compiled where it is made.
        """
        self._settings = settings
        self._per_day = env.scenario.ticks_per_day / env.reward_scale
        features, actions = len(env.observation_names), len(env.action_names)
        self.network = PolicyNetwork(features, actions, settings.hidden, squash=False)
        self.network.set_normaliser(first_observations(env, seed))
        self._adapter = FleetVecEnv(
            env,
            self.network.mean,
            self.network.scale,
            settings.gamma,
            settings.shaping,
            settings.group,
        )
        self._adapter.seed(seed)
        self._model = ppo_model(self._adapter, settings, seed)
        with torch.no_grad():
            for parameter in self._model.policy.action_net.parameters():
                parameter.zero_()
        # What `learn` does before its first update; the number of steps is the caller's business.
        _, self._callback = self._model._setup_learn(total_timesteps=0)
        copy_actor(self._model, self.network)

    def update(self, share: float) -> Update:
        """Collect and learn once, as a round of `learn` does."""
        model, before = self._model, self._model.num_timesteps
        rate = self._settings.learning_rate * max(1.0 - share, 0.02)
        model.lr_schedule = lambda _: rate
        try:
            model.collect_rollouts(
                self._adapter, self._callback, model.rollout_buffer, model.n_steps
            )
            model.train()
        except ValueError:
            # The distributions of torch refuse a mean that is no number.
            if self._finite():
                raise
        copy_actor(model, self.network)
        return Update(
            home_steps=model.num_timesteps - before,
            profit_per_kw_day=float(np.mean(model.rollout_buffer.rewards)) * self._per_day,
            gradient_norm=float("nan"),
            # Of the last batch, whose own step may still have ruined the critic.
            loss=model.logger.name_to_value["train/loss"] if self._finite() else float("nan"),
        )

    def _finite(self) -> bool:
        """Whether all that was seen, earned and learned are numbers."""
        buffer = self._model.rollout_buffer
        lived = np.isfinite(buffer.observations).all() and np.isfinite(buffer.rewards).all()
        return bool(lived) and all(
            bool(weight.isfinite().all()) for weight in self._model.policy.parameters()
        )

    def state(self) -> dict[str, Any]:
        """All that Stable-Baselines3 carries from one update to the next."""
        model = self._model
        return {
            "network": self.network.state_dict(),
            "policy": model.policy.state_dict(),
            "optimiser": model.policy.optimizer.state_dict(),
            "env": self._adapter.get_state(),
            "generators": generator_states(),
            **counters(model),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become the learner that wrote this state."""
        self.network.load_state_dict(state["network"])
        self._model.policy.load_state_dict(state["policy"])
        self._model.policy.optimizer.load_state_dict(state["optimiser"])
        self._adapter.set_state(state["env"])
        set_counters(self._model, state)
        set_generators(state["generators"])


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
