"""SAC, TD3 and TQC as Stable-Baselines3 and sb3-contrib ship them, served like everything else.

These learn the value of an action from a replay of all that was lived, so a row is paid what it
made itself. PPO's pairing would pay it against what other rows did at the time: a baseline that
ages with the replay, and that is no function of state and action.

What is stored is paid at its water value when it is stored, and the learner looks ahead some hours
only: beyond them the tabulated curve stands for the future (heuristic-guided reinforcement
learning, Cheng, Kolobov and Swaminathan 2021, arXiv 2106.02757). With a discount of a week, a value
would have to pass backwards through two thousand steps of five minutes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sb3_contrib import TQC
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from torch import Tensor, nn

from vpp_envs.errors import InputError
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import first_observations
from vpp_rl.agents.generators import generator_states, set_generators
from vpp_rl.agents.learner import Update, refuse_no_time
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.sb3_env import FleetVecEnv
from vpp_rl.agents.sb3_state import counters, set_counters

_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
_FOREVER = 10**12  # steps; the caller owns the budget


@dataclass(frozen=True)
class OffPolicySettings:
    """What the learners with a replay have in common."""

    name: str = ""
    hidden: tuple[int, ...] = (64, 64)
    critic_hidden: tuple[int, ...] = (128, 128)
    learning_rate: float = 2e-3
    scenarios: int = 32  # rows of the environment
    warm_up: int = 48  # steps of each row with actions by chance, before the first update
    steps: int = 8  # of each row between updates
    gradient_steps: int = 16  # of an update
    batch: int = 256
    replay: int = 100_000  # transitions that are remembered
    tau: float = 0.04  # by which the target networks follow at a gradient step
    gamma: float = 0.9995  # of the water value from step to step, a week
    horizon_h: float = 4.0  # that the learner looks ahead; beyond it the water value counts
    seconds: float | None = 120.0  # training stops at the first of both; none: no limit of time
    iterations: int = 100_000  # updates

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        counts = ("scenarios", "warm_up", "steps", "gradient_steps", "batch", "iterations")
        _at_least(self, **dict.fromkeys(counts, 1), learning_rate=0)
        refuse_no_time(self.seconds)
        if self.replay < max(self.batch, self.scenarios):
            raise InputError(
                f"agent.replay={self.replay} must hold at least a batch ({self.batch}) and a step "
                f"of all rows ({self.scenarios}); choose a larger replay."
            )
        if not 0.0 < self.gamma < 1.0:
            raise InputError(f"agent.gamma must lie between 0 and 1, got {self.gamma}.")
        if not 0.0 < self.tau <= 1.0:
            raise InputError(f"agent.tau must be above 0 and at most 1, got {self.tau}.")
        if not self.horizon_h > 0.0:
            raise InputError(f"agent.horizon_h must be above 0 hours, got {self.horizon_h}.")


@dataclass(frozen=True)
class SacSettings(OffPolicySettings):
    """How soft actor-critic trains."""

    name: str = "sac"
    entropy_weight: float = 0.01  # at first, against the reward; it is learned
    target_entropy: float = -1.0  # of each component of the action

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        super().__post_init__()
        if not self.entropy_weight > 0.0:
            raise InputError(f"agent.entropy_weight must be above 0, got {self.entropy_weight}.")


@dataclass(frozen=True)
class TqcSettings(SacSettings):
    """How truncated quantile critics train."""

    name: str = "tqc"
    critic_hidden: tuple[int, ...] = (64, 64)
    batch: int = 128
    critics: int = 2
    quantiles: int = 11  # of each critic
    dropped_quantiles: int = 1  # the highest of each critic, against optimism

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        super().__post_init__()
        _at_least(self, critics=1, quantiles=1, dropped_quantiles=0)
        if self.dropped_quantiles >= self.quantiles:
            raise InputError(
                f"agent.dropped_quantiles={self.dropped_quantiles} leaves none of agent.quantiles="
                f"{self.quantiles}; drop fewer."
            )


@dataclass(frozen=True)
class Td3Settings(OffPolicySettings):
    """How twin delayed deep deterministic policy gradient trains."""

    name: str = "td3"
    gradient_steps: int = 8
    noise: float = 0.5  # standard deviation of exploration
    policy_delay: int = 4  # gradient steps of the critics for one of the actor
    target_noise: float = 0.1  # by which target actions are smoothed, clipped at twice as much

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        super().__post_init__()
        _at_least(self, noise=0, policy_delay=1, target_noise=0)


class OffPolicyLearner:
    """SAC, TD3 or TQC, whichever the settings are of; see `vpp_rl.agents.learner.Learner`."""

    def __init__(
        self, env: FleetVectorEnv, settings: OffPolicySettings, seed: int, compile: bool = False
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
        self.network = PolicyNetwork(features, actions, settings.hidden)
        self.network.set_normaliser(first_observations(env, seed))
        self._adapter = FleetVecEnv(
            env, self.network.mean, self.network.scale, settings.gamma, shaping=True, group=1
        )
        self._adapter.seed(seed)
        self._model = off_policy_model(self._adapter, settings, seed)
        _begin_at_zero(self._model)
        # What `learn` does before its first update.
        _, self._callback = self._model._setup_learn(_FOREVER)
        copy_actor(self._model, self.network)

    def update(self, share: float) -> Update:
        """Collect and learn once, as a round of `learn` does; the first one warms up too."""
        model, settings, before = self._model, self._settings, self._model.num_timesteps
        rate = settings.learning_rate * max(1.0 - share, 0.02)
        model.lr_schedule = lambda _: rate
        steps = settings.steps if before else settings.warm_up + settings.steps
        try:
            self._collect(steps)
            model.train(settings.gradient_steps, settings.batch)
        except ValueError:
            # The distributions of torch refuse a mean that is no number.
            if self._finite():
                raise
        copy_actor(model, self.network)
        return Update(
            home_steps=model.num_timesteps - before,
            profit_per_kw_day=self._mean_reward(steps) * self._per_day,
            gradient_norm=float("nan"),
            loss=model.logger.name_to_value["train/critic_loss"]
            if self._finite()
            else float("nan"),
        )

    def _collect(self, steps: int) -> None:
        self._model.collect_rollouts(
            self._adapter,
            self._callback,
            TrainFreq(steps, TrainFrequencyUnit.STEP),
            self._replay,
            self._model.action_noise,
            self._model.learning_starts,
        )

    @property
    def _replay(self) -> ReplayBuffer:
        assert self._model.replay_buffer is not None
        return self._model.replay_buffer

    def _mean_reward(self, steps: int) -> float:
        """Mean reward of the last steps, the change of the stored value included."""
        replay = self._replay
        at = np.arange(replay.pos - min(steps, replay.buffer_size), replay.pos)
        return float(replay.rewards[at % replay.buffer_size].mean())

    def _finite(self) -> bool:
        """Whether all that was learned are numbers."""
        return all(bool(weight.isfinite().all()) for weight in self._model.policy.parameters())

    def state(self) -> dict[str, Any]:
        """All that Stable-Baselines3 carries from one update to the next, the replay included."""
        model = self._model
        return {
            "network": self.network.state_dict(),
            "parameters": model.get_parameters(),  # of networks, target networks and optimisers
            "variables": _variables(model),
            "replay": _replay_state(self._replay),
            "env": self._adapter.get_state(),
            "generators": generator_states(),
            "chance": model.action_space.np_random.bit_generator.state,  # of the warm-up
            **counters(model),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become the learner that wrote this state."""
        model = self._model
        self.network.load_state_dict(state["network"])
        model.set_parameters(state["parameters"], device=model.device)
        with torch.no_grad():
            for name, variable in _variables(model).items():
                variable.copy_(state["variables"][name])
        _set_replay(self._replay, state["replay"])
        self._adapter.set_state(state["env"])
        model.action_space.np_random.bit_generator.state = state["chance"]
        set_counters(model, state)
        set_generators(state["generators"])


def off_policy_model(
    adapter: FleetVecEnv, settings: OffPolicySettings, seed: int
) -> OffPolicyAlgorithm:
    """Make the algorithm that the settings are of.

    Args:
        adapter: The environment, with the row's own reward.
        settings: Of SAC, TD3 or TQC.
        seed: Of weights and exploration.
    """
    dt_h = adapter.env.scenario.dt_h
    shared: dict[str, Any] = {
        "learning_rate": settings.learning_rate,
        "buffer_size": settings.replay,
        "learning_starts": settings.warm_up * settings.scenarios,
        "batch_size": settings.batch,
        "tau": settings.tau,
        "gamma": settings.gamma * math.exp(-dt_h / settings.horizon_h),
        "train_freq": settings.steps,
        "gradient_steps": settings.gradient_steps,
        "seed": seed,
        "device": "cpu",
    }
    policy = {
        "net_arch": {"pi": list(settings.hidden), "qf": list(settings.critic_hidden)},
        "activation_fn": nn.Tanh,  # as that of the network that is served
    }
    return _MODELS[type(settings)](adapter, settings, policy, shared)


def _sac(
    adapter: FleetVecEnv, settings: SacSettings, policy: dict[str, Any], shared: dict[str, Any]
) -> SAC:
    return SAC("MlpPolicy", adapter, policy_kwargs=policy, **_entropy(adapter, settings), **shared)


def _tqc(
    adapter: FleetVecEnv, settings: TqcSettings, policy: dict[str, Any], shared: dict[str, Any]
) -> TQC:
    return TQC(
        "MlpPolicy",
        adapter,
        policy_kwargs={
            **policy,
            "n_quantiles": settings.quantiles,
            "n_critics": settings.critics,
        },
        top_quantiles_to_drop_per_net=settings.dropped_quantiles,
        **_entropy(adapter, settings),
        **shared,
    )


def _td3(
    adapter: FleetVecEnv, settings: Td3Settings, policy: dict[str, Any], shared: dict[str, Any]
) -> TD3:
    size = adapter.action_space.shape
    assert size is not None
    return TD3(
        "MlpPolicy",
        adapter,
        policy_kwargs=policy,
        action_noise=NormalActionNoise(np.zeros(size), np.full(size, settings.noise)),
        policy_delay=settings.policy_delay,
        target_policy_noise=settings.target_noise,
        target_noise_clip=2.0 * settings.target_noise,
        **shared,
    )


_MODELS: dict[type[OffPolicySettings], Callable[..., OffPolicyAlgorithm]] = {
    SacSettings: _sac,
    TqcSettings: _tqc,
    Td3Settings: _td3,
}


def _entropy(adapter: FleetVecEnv, settings: SacSettings) -> dict[str, Any]:
    """The entropy weight, learned from a start, and what it holds the entropy at."""
    assert adapter.action_space.shape is not None
    return {
        "ent_coef": f"auto_{settings.entropy_weight}",
        "target_entropy": settings.target_entropy * adapter.action_space.shape[0],
    }


def actor_layers(model: OffPolicyAlgorithm) -> list[Tensor]:
    """Weights and biases of the layers that make the action without exploration, in order."""
    actor: Any = model.actor
    if isinstance(model, TD3):
        return list(actor.mu.parameters())
    return [*actor.latent_pi.parameters(), *actor.mu.parameters()]


def copy_actor(model: OffPolicyAlgorithm, network: PolicyNetwork) -> None:
    """Copy the layers of an SB3 actor that acts without exploration into ours."""
    target = [*network.body.parameters(), *network.head.parameters()]
    with torch.no_grad():
        for theirs, ours in zip(actor_layers(model), target, strict=True):
            ours.copy_(theirs)


def _begin_at_zero(model: OffPolicyAlgorithm) -> None:
    """Let the actor begin with the rule of the dispatch mode, which is at zero."""
    with torch.no_grad():
        for layer in actor_layers(model)[-2:]:
            layer.zero_()
    if isinstance(model, TD3):
        model.actor_target.load_state_dict(model.actor.state_dict())


def _variables(model: OffPolicyAlgorithm) -> dict[str, Tensor]:
    """Tensors that are learned outside of a network: the logarithm of the entropy weight."""
    return {name: getattr(model, name) for name in model._get_torch_save_params()[1]}


def _replay_state(replay: ReplayBuffer) -> dict[str, Any]:
    """What a replay remembers so far."""
    filled = replay.buffer_size if replay.full else replay.pos
    state = {name: torch.from_numpy(getattr(replay, name)[:filled]) for name in _REPLAY}
    return {**state, "pos": replay.pos, "full": replay.full}


def _set_replay(replay: ReplayBuffer, state: dict[str, Any]) -> None:
    for name in _REPLAY:
        getattr(replay, name)[: len(state[name])] = state[name].numpy()
    replay.pos, replay.full = state["pos"], state["full"]


def _at_least(settings: OffPolicySettings, **leasts: float) -> None:
    """Refuse settings below a least; what is not a number is below all."""
    for name, least in leasts.items():
        if not getattr(settings, name) >= least:
            raise InputError(
                f"agent.{name} must be at least {least}, got {getattr(settings, name)}."
            )
