import os
import stat

import pytest

from vpp_envs.errors import InputError
from vpp_rl.export import folder as module
from vpp_rl.export.folder import write_folder

NAMES = ("a.txt", "manifest.json")


def writer(text):
    def write(folder):
        for name in NAMES:
            (folder / name).write_text(text)

    return write


def broken(folder):
    (folder / "a.txt").write_text("half")
    raise OSError(28, "No space left on device")


def text_of(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture(params=["exchange", "two steps"])
def way(request, monkeypatch):
    """Swapping in one step, and what happens on systems that cannot."""
    if request.param == "two steps":
        monkeypatch.setattr(module, "_exchange", lambda new, old: False)


def test_a_folder_appears_whole_and_readable_to_all(tmp_path, way):
    out = write_folder(tmp_path / "deep" / "out", NAMES, writer("new"))
    assert text_of(out) == {"a.txt": "new", "manifest.json": "new"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o755
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_older_one_and_an_empty_one_are_replaced(tmp_path, way):
    out = tmp_path / "out"
    out.mkdir()
    write_folder(out, NAMES, writer("old"))
    write_folder(out, NAMES, writer("new"))
    assert text_of(out) == {"a.txt": "new", "manifest.json": "new"}
    assert list(tmp_path.iterdir()) == [out]


def test_a_write_that_fails_leaves_the_older_one_and_no_trace(tmp_path, way):
    out = write_folder(tmp_path / "out", NAMES, writer("old"))
    with pytest.raises(OSError, match="No space left"):
        write_folder(out, NAMES, broken)
    assert text_of(out) == {"a.txt": "old", "manifest.json": "old"}
    assert list(tmp_path.iterdir()) == [out]


def test_the_older_one_comes_back_if_the_second_step_fails(tmp_path, monkeypatch):
    out = write_folder(tmp_path / "out", NAMES, writer("old"))
    monkeypatch.setattr(module, "_exchange", lambda new, old: False)
    real = type(out).rename

    def rename(self, target):
        if target == out and not self.name.endswith(".old"):
            raise OSError("no")
        return real(self, target)

    monkeypatch.setattr(type(out), "rename", rename)
    with pytest.raises(OSError, match="no"):
        write_folder(out, NAMES, writer("new"))
    assert text_of(out) == {"a.txt": "old", "manifest.json": "old"}


def test_at_no_moment_is_there_no_folder(tmp_path, monkeypatch):
    out = write_folder(tmp_path / "out", NAMES, writer("old"))
    real = module._exchange
    seen = []

    def exchange(new, old):
        done = real(new, old)
        seen.append((done, text_of(old)["a.txt"], text_of(new)["a.txt"]))
        return done

    monkeypatch.setattr(module, "_exchange", exchange)
    monkeypatch.setattr(module, "_replace", lambda new, old: pytest.skip("no renameat2 here"))
    write_folder(out, NAMES, writer("new"))
    assert seen == [(True, "new", "old")]


@pytest.mark.parametrize("there", [("thesis.txt",), ("manifest.json",), (*NAMES, "notes.txt")])
def test_a_folder_of_something_else_is_left_alone(tmp_path, there):
    out = tmp_path / "mine"
    out.mkdir()
    for name in there:
        (out / name).write_text("years of work")
    with pytest.raises(InputError, match="choose another folder"):
        write_folder(out, NAMES, writer("new"))
    assert text_of(out) == dict.fromkeys(there, "years of work")
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="out is a file"):
        write_folder(tmp_path / "out", NAMES, writer("new"))
    with pytest.raises(InputError, match="cannot write"):
        write_folder(tmp_path / "out" / "below", NAMES, writer("new"))
    assert (tmp_path / "out").read_text() == "mine"


def test_a_link_to_an_older_one_stays_a_link(tmp_path, way):
    write_folder(tmp_path / "v1", NAMES, writer("old"))
    os.symlink("v1", tmp_path / "production")
    write_folder(tmp_path / "production", NAMES, writer("new"))
    assert (tmp_path / "production").is_symlink()
    assert text_of(tmp_path / "v1") == {"a.txt": "new", "manifest.json": "new"}
