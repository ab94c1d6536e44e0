"""The folder of a sweep: whose it is, and the command that it goes on with."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vpp_envs.errors import InputError
from vpp_rl.files import write_text

COMMAND = "sweep.json"  # the arguments that the sweep was started with
_LOCK = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder; the system frees it when the process dies.

    Args:
        folder: Of the sweep; made if needed.

    Raises:
        InputError: Another process works in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process works on the sweep in {folder}: wait for it, or stop it first."
            ) from None
        yield
    finally:
        os.close(lock)


def keep_command(folder: Path, argv: Sequence[str]) -> None:
    """Note the arguments of a sweep, for `resumed`."""
    write_text(folder / COMMAND, json.dumps({"arguments": list(argv)}, indent=2))


def resumed(argv: Sequence[str]) -> list[str]:
    """Replace ``--resume SWEEP`` by the arguments that the sweep was started with.

    Args:
        argv: Arguments; what else they hold may only be settings of the sweep itself
            (``hydra/launcher=ray``, ``hydra.sweeper.n_trials=40``), which replace the earlier ones.

    Returns:
        Arguments without ``--resume``.

    Raises:
        InputError: There is no such sweep, or the jobs themselves are to be changed.
    """
    folder, rest = _resume_flag(argv)
    if folder is None:
        return rest
    later = {}
    for argument in rest:
        if argument in ("-m", "--multirun"):
            continue
        if not argument.startswith(("hydra.", "hydra/")):
            raise InputError(
                f"--resume goes on with the jobs that the sweep has: drop '{argument}', or start "
                "another sweep without --resume."
            )
        later[argument.partition("=")[0]] = argument
    later["hydra.sweep.dir"] = f"hydra.sweep.dir={quoted(str(folder))}"
    kept = [one for one in _command(folder) if one.partition("=")[0] not in later]
    return [*kept, *later.values()]


def quoted(text: str) -> str:
    """A text as a value in Hydra's syntax, whatever characters it has."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text=text, quote=Quote.single).with_quotes()


def _resume_flag(argv: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The folder that ``--resume`` names, if it is there, and the other arguments."""
    rest = list(argv)
    for index, argument in enumerate(rest):
        if argument == "--resume":
            if index + 1 == len(rest) or rest[index + 1].startswith("-"):
                raise InputError("--resume needs the folder of a sweep: --resume runs/..._sweep")
            folder = Path(rest[index + 1])
            return folder, rest[:index] + rest[index + 2 :]
        if argument.startswith("--resume="):
            return Path(argument.partition("=")[2]), rest[:index] + rest[index + 1 :]
    return None, rest


def _command(folder: Path) -> list[str]:
    path = folder / COMMAND
    if not path.is_file():
        raise InputError(f"{path} is missing: --resume takes the folder of a sweep.")
    try:
        return [str(argument) for argument in json.loads(path.read_text())["arguments"]]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{path} cannot be read: give the sweep's own command again, with "
            f"hydra.sweep.dir={folder}"
        ) from None
