"""A results page is what its results.csv says, and its claims hold in it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vpp_rl.cli.study import read_study, results_page

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted((ROOT / "experiments").glob("**/results*.csv"))


def name(path):
    return str(path.relative_to(ROOT / "experiments").with_suffix(""))


@pytest.mark.parametrize("file", STUDIES, ids=name)
def test_the_page_is_generated_from_the_results(file):
    frame = pd.read_csv(file)
    frame["start"] = pd.to_datetime(frame["start"]).dt.date
    folder = file.parent.relative_to(ROOT)
    currency = read_study(file.parent / "study.yaml").currency
    assert file.with_suffix(".md").read_text() == results_page(frame, folder, currency)


@pytest.mark.parametrize("file", STUDIES, ids=name)
def test_nobody_beats_the_bound_and_no_agreement_is_broken(file):
    frame = pd.read_csv(file)
    assert (frame.broken_agreements == 0).all()
    best = frame[frame.policy == "perfect foresight"].set_index("window").profit
    for _, rows in frame.groupby(["policy", "seed"]):
        assert np.all(rows.set_index("window").profit <= best + 1e-4)
