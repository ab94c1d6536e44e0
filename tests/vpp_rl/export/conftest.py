"""Runs with a random policy, and what export makes of them."""

import shutil

import pytest
import torch

from vpp_envs.fleet.sampling import FleetSpec
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


def leave_run(folder, dispatch, seed=0):
    """Leave a run with a random policy, as training would; returns its environment and network."""
    env = FleetVectorEnv(SPEC, 2, dispatch=dispatch)
    torch.manual_seed(seed)
    network = PolicyNetwork(len(env.observation_names), len(env.action_names))
    torch.nn.init.normal_(network.head.weight, std=0.5)
    market = env.scenario.market
    facts = PolicyFacts(
        agent="apg",
        dispatch=dispatch,
        scenario="nem_arbitrage",
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
    )
    save_policy(folder, network, facts)
    return env, network


@pytest.fixture(scope="session")
def make_run():
    return leave_run


@pytest.fixture(scope="session", params=["value_curve", "cohort_power"])
def exported(request, tmp_path_factory):
    """Environment, network and artifact of a run, for each dispatch mode."""
    folder = tmp_path_factory.mktemp(request.param)
    env, network = leave_run(folder / "run", request.param)
    return env, network, export_run(folder / "run")


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
    """Random telemetry of so many homes, and signals."""
    generator = torch.Generator().manual_seed(0)

    def draws(homes):
        vector, nodes = random_signals(generator)
        names = [entry.name for entry in SIGNAL_ENTRIES]
        signals = dict(zip(names, vector.tolist(), strict=True))
        return random_fleet(homes, generator), signals | {"nodes_per_mwh": nodes.numpy()}

    return draws
