"""``vpp fleet shapes``: one command from real data to tables, a drawing and a page."""

import pandas as pd
import pytest

from vpp_rl.cli.main import main

PARTS = ["homes_nsw", "homes_california", "hot_water", "cars", "cooling"]


@pytest.mark.slow
def test_the_fleet_is_set_beside_real_data(shared_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "110")
    words = ["--data", str(shared_data), "--out", str(tmp_path), "--homes", "10", "--weeks", "1"]
    assert main(["fleet", "shapes", *words]) == 0
    table = pd.read_csv(tmp_path / "shapes.csv")
    assert list(table["part"].unique()) == PARTS
    assert table["value"].notna().all()
    by_name = table.set_index(["part", "quantity", "series"])["value"]
    measured = {
        ("homes_nsw", "kWh a day, mean", "Smart Grid Smart City"): 11.5,
        ("homes_california", "kWh a day, mean", "CityLearn 2022"): 25.8,
        ("hot_water", "litres a day, mean", "NREL draw profiles"): 212.0,
        ("cars", "kWh a session, mean", "Norway, apartments"): 12.3,
        (
            "cooling",
            "heat taken out, mean of the summer, kW a house",
            "ResStock, Austin 2018",
        ): 3.57,
    }
    for key, value in measured.items():
        assert by_name[key] == pytest.approx(value, rel=0.01)
    assert (tmp_path / "shapes.svg").stat().st_size < 100_000
    assert "plotly" in (tmp_path / "shapes.html").read_text()
    assert "| homes | 6 | 1 | 10 | 10 |" in (tmp_path / "shapes.md").read_text()
    assert "Cooling in a heat wave" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "needs --data and the folder of the public data"),
        (["--data", "."], "needs --out and the folder of results"),
        (
            ["--data", ".", "--out", "there", "--homes", "9"],
            "--homes must be a whole number from 10",
        ),
        (["--data", ".", "--out", "there", "--weeks", "27"], "from 1 to 26, got '27'"),
        (["--data", ".", "--out", "there"], "sgsc_homes_30min.parquet"),
        (["--date", "."], "did you mean '--data'"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(words, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fleet", "shapes", *words]) == 2
    said = capsys.readouterr()
    assert sentence in " ".join((said.out + said.err).split())
    assert not (tmp_path / "there").exists()
