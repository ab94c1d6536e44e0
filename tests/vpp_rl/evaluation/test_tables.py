"""The words and numbers that people read."""

import io

import numpy as np
import pytest
from rich.console import Console

from vpp_rl.evaluation.scoreboard import summarise, to_markdown, to_rich_table


def test_markdown_shows_numbers_with_their_intervals_and_escapes_bars(two_windows):
    frame = two_windows.replace({"policy": {"apg": "apg|residual"}})
    text = to_markdown(summarise(frame, rng=np.random.default_rng(0)), currency="USD")
    lines = text.splitlines()
    assert lines[0].startswith(
        "| policy | USD per home-year | in the middle half | better than curtail only |"
    )
    assert len(lines) == 2 + 5
    row = next(line for line in lines if "apg\\|residual" in line)
    assert "80.0 % [70.0, 90.0]" in row
    assert "+13.0 [+4.0, +30.0]" in row


@pytest.mark.parametrize("width", [80, 100])
def test_terminal_table_fits_its_terminal_and_shows_the_shares(two_windows, width):
    summary = summarise(two_windows, rng=np.random.default_rng(0))
    page = Console(file=io.StringIO(), width=width, record=True)
    page.print(to_rich_table(summary, "[two] windows", narrow=width < 100))
    text = page.export_text()
    assert max(len(line) for line in text.splitlines()) <= width
    for words in ("[two] windows", "80.0 %", "[70.0,", "90.0]", "198.0", "agreements", "121"):
        assert words in text
    assert "…" not in text
