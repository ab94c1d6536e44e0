"""The tables of load shapes on the page are those of the file beside it."""

from pathlib import Path

import pandas as pd

from vpp_rl.evaluation.shape_parts import Part
from vpp_rl.evaluation.shape_report import markdown_table

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "04_fleet_validation"


def test_every_number_of_the_tables_stands_in_the_file():
    page = (FOLDER / "README.md").read_text().splitlines()
    table = pd.read_csv(FOLDER / "shapes.csv")
    assert table["part"].nunique() == 5
    for name, rows in table.groupby("part", sort=False):
        names = list(rows["series"].unique())
        header = next(line for line in page if line.endswith(f"| {' | '.join(names)} |"))
        title = header.split(" | ")[0].removeprefix("| ")
        by_series = rows.set_index(["series", "quantity"])["value"]
        # The first series may lack what is measured against it: the page says which rows there are.
        at = page.index(header) + 2
        shown = [line.split(" | ")[0].removeprefix("| ") for line in page[at : at + 40]]
        count = next((i for i, line in enumerate(page[at:]) if not line.startswith("|")), 40)
        quantities = shown[:count]
        assert set(quantities) == set(rows["quantity"])
        numbers = {
            series: {what: by_series.get((series, what), float("nan")) for what in quantities}
            for series in names
        }
        expected = markdown_table(Part(str(name), title, numbers, ())).splitlines()
        assert page[at - 2 : at + count] == expected


def test_the_drawing_is_a_light_one():
    drawing = FOLDER / "shapes.svg"
    assert drawing.stat().st_size < 100_000
    assert drawing.read_text().startswith("<svg ")
