"""`vpp frontier`: from runs with several prices of discomfort to a table and a picture."""

import pandas as pd
import pytest

from vpp_rl.cli.main import main

SMALL = (
    *("scenario=suburb", "fleet=suburb", "fleet.homes=6", "scenario.unseen_homes=4"),
    *("fleet.hvac_share=1.0", "fleet.battery_share=1.0"),
    *("market.train_days=3", "market.validation_days=2", "market.test_days=2"),
    *("agent=apg", "agent.iterations=1", "agent.seconds=null", "agent.scenarios=2"),
    *("agent.horizon_h=1", "validations=1", "validation_windows=1", "validation_window_days=1"),
    *("threads=1", "compile=false"),
)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_runs_with_two_prices_become_a_frontier_beside_rules_tuned_for_each(tmp_path, capsys):
    sweep = [*SMALL, "scenario.comfort_per_k_h=0.0,0.2", f"hydra.sweep.dir={tmp_path / 'runs'}"]
    assert main(["train", "--multirun", *sweep, "hydra.sweep.subdir=${hydra.job.num}"]) == 0
    runs = [str(tmp_path / "runs" / number) for number in "01"]
    assert (
        main(["frontier", str(tmp_path / "runs"), "window_days=1", f"out={tmp_path}", "threads=1"])
        == 0
    )
    said = capsys.readouterr().out
    assert "tuned on training days: 0.2 a K h: store_from_h" in said
    table = pd.read_csv(tmp_path / "frontier.csv").set_index(["family", "comfort_per_k_h"])
    for family in ("learned", "rules"):
        assert sorted(table.loc[family].index) == [0.0, 0.2]
    windows = pd.read_csv(tmp_path / "windows.csv")
    assert (windows.broken_agreements == 0).all()
    assert (tmp_path / "frontier.svg").read_text().startswith("<?xml")
    # A run is one of a price and a seed: the same again is refused.
    assert main(["frontier", runs[0], runs[0]]) == 2
    assert "name one of them" in capsys.readouterr().err


def test_without_runs_it_says_what_it_needs(capsys):
    assert main(["frontier", "windows=2"]) == 2
    assert "vpp frontier needs the folders of runs" in capsys.readouterr().err
    assert main(["frontier", "--help"]) == 0
    assert "scenario.comfort_per_k_h=0,0.1,0.3" in capsys.readouterr().out
