"""A learner around RLlib's algorithm; imported once Ray runs on this machine."""

import logging
import tempfile
import weakref
from typing import Any

import gymnasium as gym
import ray
import torch
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core import COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.analytic import first_observations
from vpp_rl.agents.generators import generator_states, set_generators
from vpp_rl.agents.learner import Update
from vpp_rl.agents.local_ray import stop_ray
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.agents.rllib import RllibSettings
from vpp_rl.agents.rllib_env import RUNNERS_ID, Plan, RunnersEnv

_MEAN_REWARD = "mean_reward"
Rllib = Any  # an object of RLlib, whose annotations are not what its code hands out


class RllibLearner:
    """RLlib's PPO between two updates; an update is one `Algorithm.train`."""

    def __init__(
        self, env: FleetVectorEnv, settings: RllibSettings, seed: int, compile: bool, started: bool
    ) -> None:
        """Build the algorithm; see `vpp_rl.agents.rllib.make`."""
        self._settings = settings
        self._per_day = env.scenario.ticks_per_day / env.reward_scale
        self.network = PolicyNetwork(
            len(env.observation_names), len(env.action_names), settings.hidden, squash=False
        )
        self.network.set_normaliser(first_observations(env, seed))
        plan = Plan(
            env.scenario.spec,
            env.dispatch,
            env.reward_scale,
            compile,
            self.network.mean.numpy(),
            self.network.scale.numpy(),
            settings.gamma,
            settings.shaping,
            settings.group,
        )
        self.algorithm: Rllib = _algorithm(plan, settings, seed)
        self.close = weakref.finalize(self, _stop, self.algorithm, started)
        self.close.atexit = False  # Ray's own hook comes first
        with torch.no_grad():
            for parameter in self._module.pi.net.parameters():
                parameter.zero_()
            self._module.pi.log_std.fill_(settings.log_std)
        self._hand_out()

    def update(self, share: float) -> Update:
        """Gather experience and learn from it, once; see `Learner`."""
        rate = self._settings.learning_rate * max(1.0 - share, 0.02)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        try:
            result = self.algorithm.train()
        except BaseException:
            self.close()
            raise
        copy_actor(self._module, self.network)
        lived = result["env_runners"]
        learned = result["learners"][DEFAULT_MODULE_ID]
        sound = all(bool(weight.isfinite().all()) for weight in self._module.parameters())
        return Update(
            home_steps=int(lived["num_env_steps_sampled"]),
            profit_per_kw_day=float(lived[_MEAN_REWARD]) * self._per_day,
            gradient_norm=float(learned["gradients_default_optimizer_global_norm"]),
            # Of the last batch, after which its own step may still have ruined the critic.
            loss=float(learned["total_loss"]) if sound else float("nan"),
        )

    def state(self) -> dict[str, Any]:
        """All that RLlib carries from one update to the next.

        The rows of worker processes are not in it, nor what those draw from: they begin new
        episodes, so that with `env_runners` a run that goes on is another run than one that never
        stopped. Without, it is the same to the bit.
        """
        state = {
            "network": self.network.state_dict(),
            "module": self._module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "generators": generator_states(),
        }
        if self._local is not None:
            state["env"] = self._local.env.env.get_state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Become the learner that wrote this state; see `state` for what it lacks."""
        self.network.load_state_dict(state["network"])
        self._module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._hand_out()
        if self._local is not None:
            env = self._local.env.env
            env.set_state(state["env"])
            # The runner begins its episodes where the rows stand, but for rows that have ended:
            # their episode begins with the next step, which starts them anew.
            self._local._reset_envs_and_episodes(explore=True)
            for row in env.ended.nonzero()[0]:
                self._local._new_episode(row)
        set_generators(state["generators"])

    @property
    def _local(self) -> Rllib:
        """RLlib's runner of this process; none where worker processes step the rows."""
        return None if self._settings.env_runners else self.algorithm.env_runner

    @property
    def _module(self) -> Rllib:
        """The module that learns."""
        return self._learner.module[DEFAULT_MODULE_ID].unwrapped()

    @property
    def _optimiser(self) -> torch.optim.Optimizer:
        optimiser: torch.optim.Optimizer = self._learner.get_optimizer(DEFAULT_MODULE_ID)
        return optimiser

    @property
    def _learner(self) -> Rllib:
        """RLlib's learner of this process, which there is because none is remote."""
        return self.algorithm.learner_group._learner

    def _hand_out(self) -> None:
        """Give the runners and the network the weights of the module that learns."""
        # Without a sequence number, which `sync_weights` gives, runners take what they are given.
        weights = {COMPONENT_RL_MODULE: self._module.get_state(inference_only=True)}
        self.algorithm.env_runner_group.foreach_env_runner(lambda runner: runner.set_state(weights))
        copy_actor(self._module, self.network)


def copy_actor(module: Rllib, network: PolicyNetwork) -> None:
    """Copy the Gaussian's mean network of RLlib's module into ours."""
    source = [*module.encoder.actor_encoder.net.parameters(), *module.pi.net.parameters()]
    target = [*network.body.parameters(), *network.head.parameters()]
    with torch.no_grad():
        for theirs, ours in zip(source, target, strict=True):
            ours.copy_(theirs)


class _Ppo(PPO):
    """RLlib's PPO without a folder of its own in the user's home: the run has one."""

    def _setup_logdir(self) -> None:
        self._logdir: Rllib = tempfile.gettempdir()


class _PpoLearner(PPOTorchLearner):
    """RLlib's PPO with a rate that is ours to set: its schedules know steps, not a budget."""

    def configure_optimizers_for_module(self, module_id: str, config: Rllib = None) -> None:
        parameters = self.get_parameters(self.module[module_id])
        self.register_optimizer(
            module_id=module_id,
            optimizer=torch.optim.Adam(parameters, lr=config.lr, eps=1e-5),
            params=parameters,
        )


def _algorithm(plan: Plan, settings: RllibSettings, seed: int) -> Rllib:
    """RLlib's PPO set up as Stable-Baselines3's is."""
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)  # the import set its own
    config: Rllib = PPOConfig(algo_class=_Ppo)  # type: ignore[no-untyped-call]
    config = (
        config.environment(
            RunnersEnv, env_config={"plan": plan}, normalize_actions=False, clip_actions=True
        )
        .env_runners(
            num_env_runners=settings.env_runners,
            num_envs_per_env_runner=settings.scenarios // max(settings.env_runners, 1),
            gym_env_vectorize_mode="vector_entry_point",
            rollout_fragment_length=settings.steps,
        )
        .fault_tolerance(restart_failed_env_runners=False)
        .learners(num_learners=0, num_gpus_per_learner=0)
        .training(
            learner_class=_PpoLearner,
            gamma=settings.gamma,
            lambda_=settings.gae_lambda,
            lr=settings.learning_rate,
            clip_param=settings.clip_range,
            entropy_coeff=settings.entropy,
            vf_loss_coeff=0.5,
            vf_clip_param=float("inf"),
            use_kl_loss=False,
            grad_clip=0.5,
            grad_clip_by="global_norm",
            train_batch_size_per_learner=settings.scenarios * settings.steps,
            minibatch_size=settings.batch,
            num_epochs=settings.epochs,
        )
        .rl_module(
            model_config=DefaultModelConfig(
                fcnet_hiddens=list(settings.hidden),
                fcnet_activation="tanh",
                vf_share_layers=False,
                free_log_std=True,
            )
        )
        .callbacks(on_sample_end=_report_earnings)
        .reporting(log_gradients=True, min_time_s_per_iteration=0)
        .debugging(seed=seed, log_level="ERROR")
    )
    # RLlib registers every environment under this id, and Gymnasium warns the second time.
    gym.registry.pop(RUNNERS_ID, None)
    return config.build_algo()


def _report_earnings(*, env_runner: Rllib, metrics_logger: Rllib, **_: Rllib) -> None:
    """Add what was earned to the results of a runner."""
    metrics_logger.log_value(_MEAN_REWARD, env_runner.env.env.mean_reward(), window=1)


def _stop(algorithm: Rllib, started: bool) -> None:
    """Stop the runners, and Ray where it was started for them."""
    if ray.is_initialized():
        algorithm.stop()
    if started:
        stop_ray()
