"""A scenario names a tariff that comes with the package, or a file."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from vpp_rl.configuration import compose
from vpp_rl.training.job import job_from


def tariff_of(name):
    cfg = compose("train", ["scenario=solar_homes", f"scenario.tariff={name}"])
    return job_from(OmegaConf.to_container(cfg, resolve=True)).scenario.tariff


def test_a_shipped_tariff_is_found_by_its_name():
    path = Path(tariff_of("flat_au"))
    assert (path.name, path.is_file()) == ("flat_au.yaml", True)


@pytest.mark.parametrize("name", ["example", "mine.yaml"])
def test_what_is_no_name_of_ours_is_left_as_it_is(name):
    assert tariff_of(name) == name
