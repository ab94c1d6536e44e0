"""Homes with every kind of device go through the commands from end to end."""

import pytest

from vpp_rl.cli.main import main

DAYS = ["market.train_days=2", "market.validation_days=2", "market.test_days=2"]
HOMES = ["scenario=suburb", "fleet=suburb", "fleet.homes=4", "scenario.unseen_homes=2"]
SHORT = ["agent.seconds=1", "compile=false", "validations=1", "hydra.run.dir=run"]


@pytest.mark.slow
def test_a_suburb_is_trained_and_evaluated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *HOMES, *DAYS, *SHORT]) == 0
    # Nobody is sent to a command that refuses.
    assert "next: vpp evaluate run\n" in capsys.readouterr().out
    assert main(["evaluate", "run", "windows=1", "window_days=1", "tune=false"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No agreement with a homeowner was broken by any policy." in said
    assert (tmp_path / "run" / "evaluation" / "report.html").exists()


@pytest.mark.slow
def test_a_table_of_a_suburb_is_trained_on_and_evaluated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fleet", "sample", "--out", "homes.csv", "fleet=suburb"]) == 0
    homes = ["scenario=suburb", "fleet.table=homes.csv", "fleet.homes=4", "scenario.unseen_homes=2"]
    assert main(["train", *homes, *DAYS, *SHORT]) == 0
    assert main(["evaluate", "run", "windows=1", "window_days=1", "tune=false"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "No agreement with a homeowner was broken by any policy." in said
    assert (tmp_path / "run" / "evaluation" / "report.html").exists()
