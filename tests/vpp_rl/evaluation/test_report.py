"""The report is one whole file that loads nothing, says what it was given, and trusts no text."""

import dataclasses
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vpp_envs.errors import InputError
from vpp_rl.evaluation.report import verdict, write_report
from vpp_rl.evaluation.scoreboard import summarise

EVIL = '"><script>alert(1)</script><img src=http://evil.example/x.png>'


class Page(HTMLParser):
    """Elements, attributes and visible text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.texts, self.scripts = [], [], []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        (self.scripts if self._inside else self.texts).append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture
def summary(two_windows) -> pd.DataFrame:
    return summarise(two_windows, rng=np.random.default_rng(0))


@pytest.fixture
def written(tmp_path, summary, two_windows, day, learning) -> Path:
    path = tmp_path / "reports" / "report.html"
    write_report(
        path,
        "Ten homes",
        summary,
        two_windows,
        day,
        learning,
        ["This was a short run."],
        {"config": "seed: 0\nagent: apg", "data": "sha256 abc"},
    )
    return path


def test_report_is_one_file_that_asks_for_nothing(written):
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert not {tag for tag, _ in page.elements} & {"link", "iframe", "img", "object", "embed"}
    for _, attributes in page.elements:
        for name in ("src", "href", "data", "action"):
            assert attributes.get(name, "#").startswith("#")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert [path.name for path in written.parent.iterdir()] == ["report.html"]


def test_report_forbids_the_browser_to_load_anything(written):
    policies = [
        attributes["content"]
        for tag, attributes in Page(written.read_text(encoding="utf-8")).elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none';")
    assert "http" not in policies[0]


def test_report_stays_below_six_megabytes(written):
    assert written.stat().st_size < 6e6


def test_report_says_the_numbers_that_it_was_given(written):
    text = Page(written.read_text(encoding="utf-8")).text
    for words in (
        "Ten homes",
        "SA1: 2 windows of 36.5 days from 2025-01-01 to 2025-07-01, 10 homes",
        "The learned policy apg earned AUD 198.0 per home-year: AUD 13.0 better than mpc",
        "95 % interval +4.0 to +30.0, which excludes zero",
        "80.0 %",
        "[70.0, 90.0]",
        "\u221235.0",
        "This was a short run.",
        "A spike day",
        "sha256 abc",
        "agent: apg",
    ):
        assert words in text, words


def test_every_column_of_the_table_is_explained(written):
    page = Page(written.read_text(encoding="utf-8"))
    columns = sum(attributes.get("scope") == "col" for _, attributes in page.elements)
    assert sum(tag == "dt" for tag, _ in page.elements) == columns  # less policy, plus interval


def test_figures_travel_as_data_that_parses(written):
    text = written.read_text(encoding="utf-8")
    blocks = re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text)
    figures = {name: json.loads(data) for name, data in blocks}
    assert list(figures) == ["gain", "course", "day", "learning"]
    assert figures["gain"]["data"][0]["x"]


def test_texts_from_users_stay_texts(tmp_path, two_windows, day, learning):
    frame = two_windows.replace({"policy": {"apg": EVIL, "mpc": f"mpc{EVIL}"}})
    summary = summarise(frame, rng=np.random.default_rng(0), against=f"mpc{EVIL}")
    evil_day = dataclasses.replace(day, policy=EVIL, market=EVIL, title=EVIL, currency=EVIL)
    path = tmp_path / "report.html"
    write_report(
        path, EVIL, summary, frame, evil_day, learning.assign(policy=EVIL), [EVIL], {EVIL: EVIL}
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert sum(tag == "script" for tag, _ in page.elements) == 4 + 2  # figures, library, drawing
    assert all(tag != "img" for tag, _ in page.elements)
    assert page.text.count("alert(1)") > 5


def test_without_learning_there_is_no_learning_curve(tmp_path, summary, two_windows, day):
    path = tmp_path / "report.html"
    write_report(path, "Rules only", summary, two_windows, day, None, [])
    text = path.read_text(encoding="utf-8")
    assert "How it learned" not in text
    assert "Where these numbers come from" not in text


def test_an_unknown_optimum_is_said_to_be_unknown(tmp_path, two_windows, day):
    frame = two_windows[two_windows["policy"] != "optimum"]
    summary = summarise(frame, rng=np.random.default_rng(0))
    path = tmp_path / "report.html"
    write_report(path, "Recorded prices", summary, frame, day, None, [])
    text = Page(path.read_text(encoding="utf-8")).text
    assert "n/a" in text
    assert "non-anticipative optimum adds" not in text


@pytest.mark.parametrize("fault", ["disk", "input"])
def test_a_failure_leaves_the_old_report_and_no_litter(
    fault, written, monkeypatch, summary, two_windows, day, learning
):
    before = written.read_bytes()
    if fault == "disk":
        monkeypatch.setattr(Path, "replace", _disk_full)
    else:
        learning = learning.drop(columns="steps")
    with pytest.raises((OSError, InputError)):
        write_report(written, "New", summary, two_windows, day, learning, [])
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["report.html"]


def test_a_missing_plotting_library_is_named_with_its_fix(
    tmp_path, monkeypatch, summary, two_windows, day
):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(InputError, match=r"pip install 'vpp-rl\[train\]'"):
        write_report(tmp_path / "report.html", "x", summary, two_windows, day, None, [])


def test_verdict_says_when_the_windows_do_not_tell_the_best_two_apart(many_windows):
    rng = np.random.default_rng(3)
    mpc = rng.normal(100.0, 10.0, size=24)
    learner = mpc + rng.normal(0.1, 10.0, size=24)
    summary = _summary_of(many_windows, base=mpc - 50.0, mpc=mpc, learner=learner)
    text = verdict(summary, "AUD")
    assert "which includes zero, so that these windows do not tell them apart" in text


def test_verdict_names_the_runner_up_where_the_policy_to_beat_won(many_windows):
    mpc = np.arange(24.0) + 100.0
    summary = _summary_of(many_windows, base=mpc - 50.0, mpc=mpc, learner=mpc - 1.0)
    text = verdict(summary, "AUD")
    assert "mpc earned" in text
    assert "nothing beat it; next, learner was AUD" in text
    assert "worse than mpc" in text


def test_verdict_counts_broken_agreements_and_calls_a_loss_a_cost(many_windows):
    mpc = np.arange(24.0) - 100.0
    frame = many_windows({"curtail only": [mpc - 50.0], "mpc": [mpc], "learner": [mpc + 1.0]})
    frame["broken_agreements"] = 1
    text = verdict(summarise(frame, rng=np.random.default_rng(0)), "AUD")
    assert "learner cost AUD" in text
    assert "better than mpc" in text
    assert "Agreements with homeowners were broken in 72 device-steps." in text


def test_verdict_adds_the_best_learned_policy_where_a_rule_won(two_windows):
    frame = two_windows.copy()
    frame.loc[frame["policy"] == "apg", "profit"] = 105.0
    summary = summarise(frame, rng=np.random.default_rng(0), against="curtail only")
    assert "The best learned policy, apg, was AUD 45.0 worse than curtail only" in verdict(
        summary, "AUD"
    )


def _disk_full(self: Path, target: Path) -> None:
    raise OSError("no space left on device")


def _summary_of(many_windows, base, mpc, learner) -> pd.DataFrame:
    frame = many_windows({"curtail only": [base], "mpc": [mpc], "learner": [learner]})
    return summarise(frame, rng=np.random.default_rng(0))
