from pathlib import Path

import pytest

from vpp_rl.cli.main import main
from vpp_rl.cli.pages.kinds import PAGES
from vpp_rl.cli.pages.page import markdown


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def test_without_a_kind_all_are_listed_with_one_line_each(capsys):
    assert main(["device"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(PAGES)
    assert all(PAGES[line.split()[0]]().summary in line for line in lines[:-1])
    assert lines[-1] == "next: vpp device hvac"


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_printed_with_all_its_headings_within_the_terminal(kind, capsys):
    assert main(["device", kind]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert set(PAGES[kind]().sections) <= {line.strip() for line in lines}
    assert max(map(len, lines)) <= 120


def test_nothing_is_cut_short_on_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    for kind in PAGES:
        assert main(["device", kind]) == 0
        printed = capsys.readouterr().out
        assert "…" not in printed
        assert max(len(line.rstrip()) for line in printed.splitlines()) <= 80
    assert "import_limit_kw" in printed


def test_a_page_is_written_as_markdown(tmp_path, capsys):
    assert main(["device", "hvac", "--markdown", "hvac.md"]) == 0
    assert capsys.readouterr().out == "wrote hvac.md\n"
    assert Path("hvac.md").read_text() == markdown(PAGES["hvac"]())
    assert [file.name for file in tmp_path.iterdir()] == ["hvac.md"]


def test_all_pages_are_written_with_a_list_of_them(capsys):
    assert main(["device", "--all", "pages"]) == 0
    assert capsys.readouterr().out == f"wrote {len(PAGES)} pages and index.md to pages\n"
    written = {file.name for file in Path("pages").iterdir()}
    assert written == {"index.md", *(f"{kind}.md" for kind in PAGES)}
    index = Path("pages/index.md").read_text()
    assert all(f"({kind}.md)" in index for kind in PAGES)


def test_what_exists_is_left_alone_and_nothing_is_written_beside_it(capsys):
    Path("pages").mkdir()
    Path("pages/hvac.md").write_text("mine")
    said = f"vpp device: {Path('pages/hvac.md')} exists and is left alone; name another file.\n"
    assert main(["device", "--all", "pages"]) == 2
    assert capsys.readouterr().err == said
    assert main(["device", "hvac", "--markdown=pages/hvac.md"]) == 2
    assert [file.name for file in Path("pages").iterdir()] == ["hvac.md"]
    assert Path("pages/hvac.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["hvacs"], "there is no kind of device 'hvacs'; did you mean 'hvac'?"),
        (["nonsense"], "there is no kind of device 'nonsense' (vpp device lists them)"),
        (["hvac", "solar"], "vpp device takes KIND, got 2."),
        (["--markdown", "x.md"], "vpp device takes KIND, got 0."),
        (["hvac", "--markdwn", "x"], "vpp device does not know '--markdwn'; did you mean '--mark"),
        (["hvac", "--markdown"], "vpp device: --markdown needs a value."),
        (["hvac", "--markdown", "nowhere/x.md"], "nowhere is not a folder"),
        (["--all"], "vpp device: --all needs a value."),
        (["hvac", "--all", "pages"], "vpp device takes nothing more, got 1."),
        (["--all", "pages", "--markdown", "x"], "names its files itself; take --markdown out."),
        (["--all", "file"], "file is no folder; name another one."),
    ],
)
def test_wrong_use_is_one_sentence(argv, sentence, tmp_path, capsys):
    Path("file").write_text("mine")
    assert main(["device", *argv]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_help_shows_every_use(capsys):
    assert main(["device", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--markdown" in text
    assert "--all" in text


def test_readme_and_help_mention_the_command(repository, capsys):
    assert "vpp device" in (repository / "README.md").read_text()
    main(["--help"])
    assert "vpp device hvac" in capsys.readouterr().out
