"""Snapshots: whole or not at all, damage found, the one before it taken."""

import errno
import os
import pickle
import random

import pytest
import torch

from vpp_envs.errors import InputError
from vpp_rl.training import snapshot
from vpp_rl.training.snapshot import newest_snapshot, read_snapshot, snapshots, write_snapshot


def state(number):
    generator = torch.Generator().manual_seed(number)
    return {"number": number, "weights": torch.randn(40, generator=generator), "none": None}


def numbers(folder):
    """Of the snapshots that are there, by their names; nothing else may be there."""
    names = sorted(os.listdir(folder / "snapshots"))
    assert all(name.endswith(".snapshot") for name in names), names
    return [int(name.split(".")[0]) for name in names]


def test_a_snapshot_comes_back_as_it_was(tmp_path):
    path = write_snapshot(tmp_path, 3, state(3))
    back = read_snapshot(path)
    assert torch.equal(back.pop("weights"), state(3)["weights"])
    assert back == {"number": 3, "none": None}


def test_the_two_newest_are_kept_and_what_a_killed_writer_left_is_removed(tmp_path):
    for number in (1, 5, 9, 10):
        write_snapshot(tmp_path, number, state(number))
        (tmp_path / "snapshots" / ".000000099.snapshot").write_bytes(b"half a")
    write_snapshot(tmp_path, 11, state(11))
    assert numbers(tmp_path) == [10, 11]


def test_a_snapshot_voids_those_of_later_updates(tmp_path):
    """They are damaged, or of a course that a resumed run left."""
    for number in (10, 20):
        write_snapshot(tmp_path, number, state(number))
    write_snapshot(tmp_path, 12, state(12))
    assert numbers(tmp_path) == [10, 12]


@pytest.fixture
def pair(tmp_path):
    """Folder of two snapshots, the bytes of the newer one, and what is told."""
    for number in (1, 2):
        write_snapshot(tmp_path, number, state(number))
    told = []
    newest = snapshots(tmp_path)[0]
    whole = newest.read_bytes()

    def taken(data):
        """Number of the snapshot that is taken when the newer file holds this."""
        told.clear()
        newest.write_bytes(data)
        return newest_snapshot(tmp_path, told.append)["number"], list(told)

    assert taken(whole) == (2, [])
    return whole, taken, newest


def test_every_flipped_bit_is_found_and_the_snapshot_before_is_taken(pair):
    whole, taken, newest = pair
    draw = random.Random(0)
    line = whole.index(b"\n") + 1
    # A hundred anywhere, and in the line that holds the hash, where one hides best.
    bits = draw.sample(range(8 * len(whole)), 100) + draw.sample(range(8 * line), 40)
    for bit in bits:
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        number, told = taken(bytes(data))
        assert number == 1, bit
        assert len(told) == 1
        assert f"{newest} is damaged" in told[0]


def test_every_truncation_is_found_and_the_snapshot_before_is_taken(pair):
    whole, taken, _ = pair
    lengths = [0, 1, 20, whole.index(b"\n"), whole.index(b"\n") + 1, len(whole) - 1]
    lengths += random.Random(0).sample(range(len(whole)), 6)
    assert [taken(whole[:length])[0] for length in lengths] == [1] * len(lengths)
    assert taken(whole + b"\0")[0] == 1


def test_a_run_whose_snapshots_are_all_damaged_is_refused(tmp_path):
    for number in (1, 2):
        write_snapshot(tmp_path, number, state(number)).write_bytes(b"")
    with pytest.raises(InputError, match="all 2 snapshots are damaged"):
        newest_snapshot(tmp_path, lambda sentence: None)


def test_a_run_without_snapshots_has_none(tmp_path):
    assert newest_snapshot(tmp_path, lambda sentence: pytest.fail(sentence)) is None


class Evil:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_an_object_in_a_snapshot_is_not_made_even_if_its_hash_is_right(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_snapshot(tmp_path, 1, {"object": Evil()})
    with pytest.raises(pickle.UnpicklingError):
        read_snapshot(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_snapshot_before_and_says_what_is_needed(
    failing, tmp_path, monkeypatch
):
    write_snapshot(tmp_path, 1, state(1))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(snapshot.os, failing, full)
        with pytest.raises(InputError) as refused:
            write_snapshot(tmp_path, 2, {"weights": torch.zeros(500_000)})
    said = str(refused.value)
    assert f"{tmp_path}/snapshots/000000002.snapshot is full" in said
    assert "needs 2.0 MB" in said
    assert "MB are free" in said
    assert f"vpp train --resume {tmp_path}" in said
    assert numbers(tmp_path) == [1]
    assert newest_snapshot(tmp_path, pytest.fail)["number"] == 1


def test_another_error_of_the_disk_keeps_its_traceback(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(snapshot.os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        write_snapshot(tmp_path, 1, state(1))
