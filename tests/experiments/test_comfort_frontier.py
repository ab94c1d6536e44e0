"""The table of comfort's frontier is that of the file beside it, and so is what the page claims."""

from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "05_comfort_frontier"


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FOLDER / "frontier.csv")


def bracketed(row, name, digits):
    numbers = (row[name + end] for end in ("", "_low", "_high"))
    mean, low, high = (f"{number:,.{digits}f}" for number in numbers)
    return f"{mean} [{low}, {high}]"


def test_every_number_of_the_table_stands_in_the_file(table):
    page = (FOLDER / "README.md").read_text().splitlines()
    rows = [line for line in page if line.startswith("| ")][1:]
    assert len(rows) == len(table)
    for line, (_, row) in zip(rows, table.iterrows(), strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rules, lead = "", ""
        if pd.notna(row.rules_at_this_discomfort):
            rules = f"{row.rules_at_this_discomfort:,.0f}"
        if pd.notna(row.lead_per_home_year):
            lead = bracketed(row, "lead_per_home_year", 0)
        gain = bracketed(row, "gain_per_home_year", 0)
        felt = bracketed(row, "discomfort_k_h_per_home_day", 2)
        assert cells == [row.policy, str(row.seeds), gain, felt, rules, lead]


def test_the_verdict_holds_in_the_file(table):
    learned = table[table.policy.str.startswith("apg")].sort_values("comfort_per_k_h")
    assert learned.comfort_per_k_h.tolist() == [0.0, 0.05, 0.1, 0.3, 1.0]
    assert (learned.seeds == 3).all()
    # Above the rules at every price, with the interval; and less discomfort at every higher price.
    assert (learned.lead_per_home_year_low > 0).all()
    assert (learned.gain_per_home_year > learned.rules_at_this_discomfort).all()
    assert (learned.discomfort_k_h_per_home_day.diff().dropna() < 0).all()
    cost = learned.gain_per_home_year.iloc[0] - learned.gain_per_home_year.iloc[-1]
    assert round(cost) == 34


def test_the_drawing_is_a_light_one():
    drawing = FOLDER / "frontier.svg"
    assert drawing.stat().st_size < 100_000
    assert "<svg " in drawing.read_text()[:300]
