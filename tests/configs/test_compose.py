"""Configurations are code: every file composes and builds what it names."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from vpp_envs.signals.market import MarketSpec
from vpp_rl.agents.registry import LEARNERS, learner
from vpp_rl.configuration import compose
from vpp_rl.training.job import job_from

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
# Tariffs are data that `vpp tariff` reads; no training is composed of them.
OPTIONS = sorted(
    (file.parent.name, file.stem)
    for file in CONFIGS.glob("*/*.yaml")
    if file.parent.name != "tariff"
)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_builds_a_job(group, option):
    cfg = OmegaConf.to_container(compose("train", [f"{group}={option}"]), resolve=True)
    job = job_from(cfg)
    assert job.scenario.name == (option if group == "scenario" else "nem_arbitrage")
    assert job.agent.name in LEARNERS


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("**/*.yaml")), ids=lambda f: f.stem)
def test_every_file_opens_with_the_command_that_runs_it(file):
    assert file.read_text().startswith("# vpp ")


@pytest.mark.parametrize("name", LEARNERS)
def test_defaults_of_the_files_are_those_of_the_code(name):
    job = job_from(OmegaConf.to_container(compose("train", [f"agent={name}"]), resolve=True))
    assert job.agent == learner(name).settings()
    assert job.scenario.market == MarketSpec()
