"""Snapshots of a training: durable, hashed whole, the two newest kept, loaded without pickles.

A file is one line, with a SHA-256 of all that follows it, and what `torch.save` wrote. A bit that
flips anywhere, in the line too, and a file cut short are found before a byte of it is decoded.
"""

import errno
import hashlib
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vpp_envs.errors import InputError

SNAPSHOTS = "snapshots"  # the folder, in that of the run
KEPT = 2
_SUFFIX = ".snapshot"
_TITLE = "vpp-rl snapshot 1 "
_HEADER_BYTES = len(_TITLE) + 64 + 1  # title, SHA-256, end of line


def snapshots(folder: Path) -> list[Path]:
    """The snapshots of a run, the newest first.

    Args:
        folder: Of the run.
    """
    return sorted((folder / SNAPSHOTS).glob(f"[0-9]*{_SUFFIX}"), reverse=True)


def write_snapshot(folder: Path, number: int, state: dict[str, Any]) -> Path:
    """Write a snapshot whole or not at all, and remove all but it and the newest one before it.

    Args:
        folder: Of the run.
        number: Of updates made; it names the file.
        state: Tensors, numbers, strings, lists, tuples and dictionaries.

    Returns:
        Path of the file, which is on the disk, not merely handed to the operating system.

    Raises:
        InputError: The disk is full; what was there is as it was.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path = folder / SNAPSHOTS / f"{number:09d}{_SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    payload = buffer.getbuffer()
    try:
        with temporary.open("wb") as file:
            file.write(_header(payload))
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(path, len(payload)) from None
    _keep_newest(path)
    return path


def read_snapshot(path: Path) -> dict[str, Any]:
    """Read a snapshot back, onto the CPU.

    Args:
        path: Of the file.

    Raises:
        InputError: The file is damaged.
    """
    data = path.read_bytes()
    payload = memoryview(data)[_HEADER_BYTES:]
    if data[:_HEADER_BYTES] != _header(payload):
        raise InputError(
            f"{path} is damaged: it does not have the SHA-256 that it was written with."
        )
    state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
    return state


def newest_snapshot(folder: Path, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """Read the newest snapshot of a run that is sound; none if none was ever written.

    Args:
        folder: Of the run.
        tell: Hears a sentence about every damaged file that is passed over.

    Raises:
        InputError: All are damaged.
    """
    paths = snapshots(folder)
    for path in paths:
        try:
            return read_snapshot(path)
        except InputError as damage:
            tell(f"{damage} Taking the one before it.")
    if paths:
        raise InputError(
            f"{folder}: all {len(paths)} snapshots are damaged; copy the run again, or train anew."
        )
    return None


def _header(payload: memoryview) -> bytes:
    """The line in front of what is saved."""
    return f"{_TITLE}{hashlib.sha256(payload).hexdigest()}\n".encode()


def _keep_newest(path: Path) -> None:
    """Leave a snapshot and the newest one before it: a later one is of a course that was left."""
    before = [other for other in snapshots(path.parent.parent) if other.name < path.name]
    kept = {path, *before[: KEPT - 1]}
    for other in path.parent.iterdir():
        if other not in kept:
            other.unlink()


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _full(path: Path, needed: int) -> InputError:
    free = shutil.disk_usage(path.parent).free
    return InputError(
        f"the disk of {path} is full: the snapshot needs {needed / 1e6:,.1f} MB and "
        f"{free / 1e6:,.1f} MB are free; make room, and go on from the snapshot before it with "
        f"`vpp train --resume {path.parent.parent}`."
    )
