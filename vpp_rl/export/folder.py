"""Write a folder whole or not at all, and put it in the place of an older one in one step."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from vpp_envs.errors import InputError

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of renameat2(2)


def write_folder(out: Path, names: Sequence[str], write: Callable[[Path], None]) -> Path:
    """Write a folder of known files.

    Args:
        out: Where the folder shall be. What is there already is replaced if it holds all of
            `names` and nothing else, or nothing; otherwise it is left alone.
        names: Files that the folder will hold.
        write: Writes them into the folder that it is given.

    Returns:
        `out`.

    Raises:
        InputError: `out` holds something else, or cannot be written.
    """
    place = out.resolve()
    _check_replaceable(out, names)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        raise InputError(f"cannot write {out} ({error.strerror}): choose another folder.") from None
    try:
        write(temporary)
        temporary.chmod(0o755)  # a temporary folder is its owner's alone
        if not (place.is_dir() and _exchange(temporary, place)):
            _replace(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def _check_replaceable(out: Path, names: Sequence[str]) -> None:
    """Refuse to replace what nobody wrote here."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file: name a folder.")
    there = {path.name for path in out.iterdir()}
    strange, missing = sorted(there - set(names)), sorted(set(names) - there)
    if strange:
        raise InputError(
            f"{out} holds '{strange[0]}', which no artifact has: choose another folder."
        )
    if there and missing:
        raise InputError(
            f"{out} is no artifact, for it has no '{missing[0]}': choose another folder."
        )


def _exchange(new: Path, old: Path) -> bool:
    """Swap two folders in one step; False where the system cannot."""
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(renameat2(_HERE, os.fsencode(new), _HERE, os.fsencode(old), _EXCHANGE) == 0)


def _replace(new: Path, old: Path) -> None:
    """Put one folder in the place of another in two steps, and go back if the second fails."""
    aside = old.with_name(f"{new.name}.old")
    if old.is_dir():
        old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        if aside.is_dir():
            aside.rename(old)
        raise
    shutil.rmtree(aside, ignore_errors=True)
