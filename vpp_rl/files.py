"""Files written whole or not at all, and their hashes."""

import hashlib
import os
from pathlib import Path

from vpp_envs.errors import InputError


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


def refuse_to_overwrite(path: Path) -> None:
    """Refuse a name that a file has already, or that lies in no folder.

    Args:
        path: Where a file shall be written.

    Raises:
        InputError: The sentence says which.
    """
    if path.exists():
        raise InputError(f"{path} exists and is left alone; name another file.")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is not a folder; make it, or name another file.")
