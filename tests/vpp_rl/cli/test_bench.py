from dataclasses import replace

import pytest

from vpp_rl.cli import bench
from vpp_rl.cli.main import main
from vpp_rl.evaluation import learner_speed, speed
from vpp_rl.evaluation.learner_speed import LearnerSpeed
from vpp_rl.evaluation.speed import Speed

MEASURED = Speed("physics", "compiled", 1.0, 60.0, 5.0, 700.0)


@pytest.fixture
def measured(monkeypatch):
    """No clock: what would be measured is given; returns the sizes that were asked for."""
    asked, kinds = [], []

    def simulator(spec, rows, device):
        asked.append((rows, spec.fleet.homes))
        kinds.append(spec.fleet.hvac_share > 0)
        whole = replace(MEASURED, what="environment", million_home_steps=9.0)
        for measurement in (MEASURED, whole):
            yield replace(measurement, mode="eager", million_home_steps=1.5)
            yield measurement

    def learner(updates, settings, done):
        done()
        return LearnerSpeed(ours=720.0, idle=1000.0)

    monkeypatch.setattr(speed, "bandwidth_gb_s", lambda device: 10.0)
    monkeypatch.setattr(speed, "measure_simulator", simulator)
    monkeypatch.setattr(learner_speed, "measure_learner", learner)
    monkeypatch.setenv("COLUMNS", "80")
    yield asked
    assert len(set(kinds)) <= 1  # all of one sort


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_goals_are_set_for_compiled_physics_of_many_homes_and_for_the_whole_step():
    assert bench.goal("physics", 1, 50_000) == 50.0
    assert bench.goal("physics", 1, 1_000_000) == 50.0
    assert bench.goal("environment", 256, 64) == 10.0
    assert bench.goal("physics", 256, 64) is None
    assert bench.goal("environment", 64, 256) is None


def test_goals_stand_beside_what_was_reached(measured, capsys):
    assert main(["bench"]) == 0
    assert measured == [(1, 100), (64, 256), (256, 64), (1, 50_000), (1, 1_000_000)]
    out = lines(capsys)
    assert sum("50 reached" in line for line in out) == 2
    assert sum("10 missed" in line for line in out) == 1
    assert any("5.0 (50%)" in line for line in out)
    assert any("72% of the 1,000 steps/s" in line for line in out)
    assert any("goal: 70% reached" in line for line in out)


def test_quick_leaves_out_the_million_homes(measured, capsys):
    assert main(["bench", "--quick"]) == 0
    assert (1, 1_000_000) not in measured
    assert len(measured) == 4


def test_a_suburb_has_goals_of_its_own_and_no_learner(measured, capsys):
    assert main(["bench", "--suburb", "--quick"]) == 0
    assert measured == [(1, 100), (64, 256), (1, 50_000)]
    out = lines(capsys)
    assert any("Simulator of a suburb" in line for line in out)
    assert sum("10 missed" in line for line in out) == 2
    assert not any("PPO" in line for line in out)
    assert bench.goal("environment", 1, 1_000_000, suburb=True) == 4.8


def test_another_flag_is_refused_with_a_sentence(capsys):
    assert main(["bench", "--fast"]) == 2
    assert "vpp bench knows --quick, --suburb and --device cuda only." in capsys.readouterr().err


def test_a_device_that_torch_lacks_is_refused_with_a_sentence(capsys):
    assert main(["bench", "--device", "abacus"]) == 2
    assert "--device abacus is none that torch has here" in capsys.readouterr().err
