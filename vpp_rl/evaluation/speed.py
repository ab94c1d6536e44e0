"""How fast the simulator is on this machine."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from vpp_envs.fleet.pick import map_columns
from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.flexible.kinds import present
from vpp_envs.kernels import serve
from vpp_envs.scenario import ScenarioSpec, scenario_spec
from vpp_envs.signals.market import MarketSpec
from vpp_envs.simulator import SetPoints
from vpp_envs.vector_env import FleetVectorEnv

SAMPLES = 9  # of which the median is taken


@dataclass(frozen=True)
class Speed:
    """One measurement of the simulator."""

    what: str  # "physics" (envelope, step, settlement, sums) or "environment" (the whole step)
    mode: str  # "eager" or "compiled"
    milliseconds: float  # of a step
    million_home_steps: float  # a second
    gigabytes: float  # a second, least traffic
    memory_mib: float  # of the process at its peak so far


class Traffic(NamedTuple):
    """Bytes that one step cannot do without."""

    a_home: int  # of each home in each row
    constants: int  # of each home, whatever the rows


def traffic(env: FleetVectorEnv, what: str) -> Traffic:
    """Bytes of a step if each tensor were read or written exactly once.

    Physics reads the state, load, available sun and set-points, and writes the state; it needs
    the constants of the devices. The environment makes the set-points itself, and writes them, the
    next load and sun besides; it needs the mean load, the solar rating and the indices of classes
    and archetypes, too. What has one number a row (sums, prices, tables, the observation) is left
    out, and so are intermediate results, which eager torch moves many times over: the true traffic
    is larger.

    Args:
        env: The environment, reset.
        what: "physics" or "environment".
    """
    fleet, homes = env.fleet, env.fleet.load_mean_kw.shape[-1]
    read = tuple(fleet)[1:]  # all but the homes' names
    state = _bytes_a_home(env.state, env.num_envs * homes)
    number = env.energy_kwh.element_size()
    set_points = number * (2 + (fleet.ev is not None) + len(present(fleet.flexible)))
    constants = _bytes_a_home(list(read), homes)
    if what == "environment":
        return Traffic(2 * state + set_points + 4 * number, constants)
    indices = _bytes_a_home(list(read), homes, floating=False)
    return Traffic(2 * state + set_points + 2 * number, constants - indices - 2 * number)


def _bytes_a_home(tree: object, homes: int, floating: bool | None = None) -> int:
    """Bytes of a tree of columns for one home; none: of numbers and indices alike."""
    total = 0

    def count(column: torch.Tensor) -> torch.Tensor:
        nonlocal total
        if floating is None or column.is_floating_point() == floating:
            total += column.numel() * column.element_size()
        return column

    map_columns(tree, count)
    return total // homes


def bandwidth_gb_s(device: str = "cpu") -> float:
    """Memory bandwidth of a copy of 512 MiB, bytes read plus bytes written. [GB/s]

    Args:
        device: Whose memory.
    """
    # Ones, because pages of zeros that nobody wrote are one page in the cache.
    source = torch.ones(64 * 2**20, dtype=torch.float64, device=device)
    target = torch.empty_like(source)
    seconds = _median_seconds(lambda: target.copy_(source), 1)
    return 2 * source.numel() * 8 / seconds / 1e9


def simple_homes(homes: int) -> ScenarioSpec:
    """Batteries, sun and load."""
    return ScenarioSpec(
        market=MarketSpec(train_days=10), fleet=FleetSpec(homes=homes, duration_h=2.0)
    )


def suburb_homes(homes: int) -> ScenarioSpec:
    """The suburb of the catalogue, with every kind of device."""
    suburb = scenario_spec("suburb")
    return replace(
        suburb, market=MarketSpec(train_days=10), fleet=replace(suburb.fleet, homes=homes)
    )


def measure_simulator(spec: ScenarioSpec, rows: int, device: str = "cpu") -> Iterator[Speed]:
    """Measure physics and environment, eager and compiled, with as many threads as torch has.

    The rows of the environment are of different ages, so that the restarts of those that end are
    in the mean of each block of steps.

    Args:
        spec: The homes, N, and their market.
        rows: Scenarios, B.
        device: Where the homes live.
    """
    homes = spec.fleet.homes
    count = rows * homes
    block = min(40, max(1, 1_000_000 // count))
    for mode in ("eager", "compiled"):
        env = FleetVectorEnv(
            spec,
            rows,
            compile=mode == "compiled",
            autoreset_mode="SameStep",
            stagger=True,
            device=device,
        )
        env.reset(seed=0)
        for what, call in (("physics", _physics(env, mode)), ("environment", _whole_step(env))):
            for _ in range(3):
                call()
            seconds = _median_seconds(call, block)
            a_home, constants = traffic(env, what)
            yield Speed(
                what,
                mode,
                seconds * 1e3,
                count / seconds / 1e6,
                (count * a_home + homes * constants) / seconds / 1e9,
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
            )


def _physics(env: FleetVectorEnv, mode: str) -> Callable[[], object]:
    """Serve set-points at one moment of the environment."""
    moment = env.moment
    set_points = SetPoints(torch.zeros_like(moment.energy_kwh), moment.solar_available_kw)
    physics: Callable[..., object] = serve
    if mode == "compiled":
        physics = torch.compile(serve, dynamic=False, fullgraph=True)
    return partial(physics, set_points, moment, env.fleet, env.scenario.dt_h)


def _whole_step(env: FleetVectorEnv) -> Callable[[], object]:
    """Step the environment with the unlearned rule's action."""
    return partial(env.step, np.zeros((env.num_envs, len(env.action_names)), np.float32))


def _median_seconds(call: Callable[[], object], block: int) -> float:
    """Median over samples of the mean seconds of a call within a block of calls."""

    def calls() -> None:
        for _ in range(block):
            call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # a GPU is only told what to do by a call

    return statistics.median(seconds_of(calls) for _ in range(SAMPLES)) / block


def seconds_of(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
