"""What a configuration becomes before anything is trained."""

import pytest
from omegaconf import OmegaConf

from vpp_rl.configuration import compose
from vpp_rl.training import job
from vpp_rl.training.compiler import Toolchain

SUBURB = ["scenario=suburb", "fleet=suburb"]


@pytest.mark.parametrize(
    ("overrides", "compiler", "compiles"),
    [
        ([], "/usr/bin/g++", True),
        ([], None, False),
        (["scenario=ev_homes", "fleet=ev"], "/usr/bin/g++", True),
        # Minutes of compiling, for a training of two.
        (SUBURB, "/usr/bin/g++", False),
        ([*SUBURB, "agent=ppo"], "/usr/bin/g++", False),
        ([*SUBURB, "agent=ppo", "agent.seconds=300"], "/usr/bin/g++", True),
        ([*SUBURB, "agent=ppo", "agent.seconds=600"], None, False),
        # Its gradient compiles for longer than that.
        ([*SUBURB, "agent=apg", "agent.seconds=600"], "/usr/bin/g++", False),
        ([*SUBURB, "compile=true"], None, True),
        (["compile=false"], "/usr/bin/g++", False),
    ],
)
def test_steps_are_fused_where_that_saves_more_time_than_it_takes(
    overrides, compiler, compiles, monkeypatch
):
    monkeypatch.setattr(job, "toolchain", lambda: Toolchain(compiler, headers=True))
    cfg = OmegaConf.to_container(compose("train", overrides), resolve=True)
    assert job.job_from(cfg).compile is compiles
