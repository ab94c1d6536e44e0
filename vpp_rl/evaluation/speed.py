"""How fast the simulator and the learners are on this machine."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from gymnasium import spaces

from vpp_envs.fleet.sampling import FleetSpec
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.signals.market import MarketSpec
from vpp_envs.simulator import SetPoints
from vpp_envs.vector_env import FleetVectorEnv, serve

if TYPE_CHECKING:
    from vpp_rl.agents.ppo import PpoSettings

# Tensors of one number a home that the fused step must read and write: state, load, sun, two
# set-points, and thirteen constants.
_NUMBERS_A_HOME = 6
_CONSTANTS_A_HOME = 13


@dataclass(frozen=True)
class Speed:
    """One measurement."""

    what: str  # "physics" (envelope, step, settlement, sums) or "environment" (the whole step)
    mode: str  # "eager" or "compiled"
    milliseconds: float  # median of a step
    million_home_steps: float  # a second
    gigabytes: float  # a second, least traffic
    memory_mib: float  # of the process at its peak


def bandwidth_gb_s() -> float:
    """Memory bandwidth of a large copy, reads and writes. [GB/s]"""
    source = torch.zeros(64 * 2**20, dtype=torch.float64)
    target = torch.empty_like(source)
    seconds = _median(lambda: target.copy_(source), 9)
    return 2 * source.numel() * 8 / seconds / 1e9


def measure_simulator(rows: int, homes: int) -> Iterator[Speed]:
    """Measure physics and environment, eager and compiled.

    Args:
        rows: Scenarios, B.
        homes: Homes, N.
    """
    spec = ScenarioSpec(
        market=MarketSpec(train_days=10), fleet=FleetSpec(homes=homes, duration_h=2.0)
    )
    for compiled in (False, True):
        mode = "compiled" if compiled else "eager"
        env = FleetVectorEnv(
            replace(spec), num_envs=rows, compile=compiled, autoreset_mode="SameStep"
        )
        env.reset(seed=0)
        action = np.zeros((rows, len(env.action_names)), np.float32)
        set_points = SetPoints(torch.zeros(rows, homes), env.moment.solar_available_kw)
        physics: Callable[..., object] = serve
        if compiled:
            physics = torch.compile(serve, dynamic=False, fullgraph=True)
        step = partial(physics, set_points, env.moment, env.fleet, env.scenario.dt_h)
        repeats = 9 if rows * homes > 200_000 else 60
        for what, call in (("physics", step), ("environment", partial(env.step, action))):
            for _ in range(3):
                call()
            seconds = _median(call, repeats)
            count = rows * homes
            numbers = count * _NUMBERS_A_HOME + homes * _CONSTANTS_A_HOME
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
            yield Speed(
                what,
                mode,
                seconds * 1e3,
                count / seconds / 1e6,
                numbers * 4 / seconds / 1e9,
                peak,
            )


def measure_learner(seconds: float) -> tuple[float, float]:
    """PPO's steps a second on an environment that does nothing, and on ours.

    Args:
        seconds: Length of each measurement.
    """
    from vpp_rl.agents.ppo import PpoSettings

    spec = ScenarioSpec(market=MarketSpec(train_days=30), fleet=FleetSpec(homes=64, duration_h=2.0))
    settings = PpoSettings(seconds=seconds)
    env = FleetVectorEnv(
        spec, settings.scenarios, autoreset_mode="SameStep", stagger=True, compile=True
    )
    env.reset(seed=0)
    env.step(np.zeros((settings.scenarios, len(env.action_names)), np.float32))
    return _learning_speed(_Still(env), settings), _learning_speed(env, settings)


def _learning_speed(env: FleetVectorEnv, settings: "PpoSettings") -> float:
    """Steps a second between the first and the last update."""
    from vpp_rl.agents.ppo import train_ppo

    marks: list[tuple[float, int]] = []
    train_ppo(
        env,
        settings,
        0,
        lambda progress, _: marks.append((time.perf_counter(), progress.home_steps)),
    )
    first, last = marks[0], marks[-1]
    return (last[1] - first[1]) / (last[0] - first[0])


class _Still(FleetVectorEnv):
    """The same spaces, and a step that does nothing: what remains is the learner."""

    def __init__(self, env: FleetVectorEnv) -> None:
        self.__dict__.update(env.__dict__)
        self._zeros = np.zeros(env.num_envs, bool)
        self._reward = np.zeros(env.num_envs, np.float32)
        box = env.single_observation_space
        assert isinstance(box, spaces.Box)
        self._seen = np.zeros((env.num_envs, *box.shape), np.float32)

    def step(
        self, actions: np.ndarray | torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, object]]:
        """Do nothing."""
        return self._seen, self._reward, self._zeros, self._zeros, {}


def _median(call: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
