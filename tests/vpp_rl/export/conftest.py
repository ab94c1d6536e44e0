"""Runs with a random policy, and what export makes of them."""

import shutil
from dataclasses import replace
from functools import cache

import pytest
import torch

from vpp_envs.fleet.spec import FleetSpec
from vpp_envs.scenario import ScenarioSpec
from vpp_envs.signals.market import MarketSpec
from vpp_envs.vector_env import FleetVectorEnv
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.export.artifact import export_run
from vpp_rl.export.columns import SIGNAL_ENTRIES
from vpp_rl.export.golden import random_fleet, random_signals
from vpp_rl.training.checkpoint import PolicyFacts, save_policy

# The training homes have batteries of one and two hours; the unseen ones have others as well.
SPEC = ScenarioSpec(
    market=MarketSpec(train_days=4, validation_days=4, test_days=4),
    fleet=FleetSpec(homes=12, seed=7, battery_share=0.8),
    unseen_homes=40,
)
# Most homes have a car, of both classes; some drivers let no one choose when it charges. The
# connection is small, so that some targets are out of reach, at plug-in or by the load of the home.
CARS = replace(SPEC.fleet, ev_share=0.9, managed_share=0.8, import_limit_kw=4.5)
DISPATCH = ("value_curve", "cohort_power")
SPEC_WITH_CARS = replace(SPEC, name="ev_homes", fleet=CARS)


def leave_run(folder, dispatch, seed=0, spec=SPEC):
    """Leave a run with a random policy, as training would; returns its environment and network."""
    env = FleetVectorEnv(spec, 2, dispatch=dispatch)
    torch.manual_seed(seed)
    network = PolicyNetwork(len(env.observation_names), len(env.action_names))
    torch.nn.init.normal_(network.head.weight, std=0.5)
    market = env.scenario.market
    facts = PolicyFacts(
        agent="apg",
        dispatch=dispatch,
        scenario=spec.name,
        region=market.region,
        currency=market.currency,
        zone=market.zone,
        price_scale=market.price_scale,
        control_dt_s=300,
        cohorts=env.scenario.cohort_names,
        observation_names=env.observation_names,
        action_names=env.action_names,
        hidden=(64, 64),
        squash=True,
        seed=seed,
        train_s=1.0,
        train_steps=100,
        validation_profit_per_home_year=123.0,
        cars=None if env.scenario.cars is None else env.scenario.car_names,
    )
    save_policy(folder, network, facts)
    return env, network


@pytest.fixture(scope="session")
def make_run():
    return leave_run


@pytest.fixture(scope="session")
def with_cars():
    """What makes the scenario with cars."""
    return SPEC_WITH_CARS


@pytest.fixture(scope="session")
def export_of(tmp_path_factory):
    """Environment, network and artifact of a run, made once."""

    @cache
    def made(dispatch, cars):
        folder = tmp_path_factory.mktemp(dispatch)
        spec = SPEC_WITH_CARS if cars else SPEC
        env, network = leave_run(folder / "run", dispatch, spec=spec)
        return env, network, export_run(folder / "run")

    return made


@pytest.fixture(params=[*DISPATCH, *(f"{dispatch}, cars" for dispatch in DISPATCH)])
def exported(request, export_of):
    """Environment, network and artifact of a run, for each dispatch mode, without and with cars."""
    dispatch, _, cars = request.param.partition(", ")
    return export_of(dispatch, bool(cars))


@pytest.fixture(params=DISPATCH)
def exported_with_cars(request, export_of):
    """Environment, network and artifact of a run with cars, for each dispatch mode."""
    return export_of(request.param, True)


@pytest.fixture(scope="session")
def one_artifact(tmp_path_factory):
    """An artifact, not to be changed."""
    folder = tmp_path_factory.mktemp("one")
    leave_run(folder / "run", "value_curve")
    return export_run(folder / "run")


@pytest.fixture
def artifact(one_artifact, tmp_path):
    """An artifact that a test may spoil."""
    shutil.copytree(one_artifact, tmp_path / "artifact")
    return tmp_path / "artifact"


@pytest.fixture
def draw():
    """Random telemetry of so many homes, with cars where an environment has some, and signals."""
    generator = torch.Generator().manual_seed(0)

    def draws(homes, env=None):
        vector, nodes = random_signals(generator)
        names = [entry.name for entry in SIGNAL_ENTRIES]
        signals = dict(zip(names, vector.tolist(), strict=True))
        cars = env is not None and env.scenario.cars is not None
        return random_fleet(homes, generator, cars), signals | {"nodes_per_mwh": nodes.numpy()}

    return draws
