"""How a subcommand meets Hydra: overrides checked first, then Hydra's own entry point."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from vpp_envs.errors import InputError
from vpp_rl.configuration import compose, config_dir


def run_hydra(
    config_name: str,
    argv: Sequence[str],
    check: Callable[[Any], object],
    job: Callable[[Any], object],
    about: str,
) -> int:
    """Run a job under Hydra, with its flags (``--cfg job``, ``--multirun``, ``--config-dir``).

    Args:
        config_name: Primary configuration.
        argv: Overrides and Hydra's flags.
        check: Gets the composed configuration before Hydra makes a folder; raises on bad input.
        job: Gets the composed configuration.
        about: Text of ``--help``.

    Raises:
        InputError: An override is wrong; the sentence says which and what exists.
    """
    if any(flag in argv for flag in ("-h", "--help")):
        print(about)
        return 0
    import hydra

    multirun = any(flag in argv for flag in ("-m", "--multirun"))
    overrides = [a for a in argv if not a.startswith("-") and (not multirun or "," not in a)]
    folders = _config_dirs(argv)
    overrides = [a for a in overrides if a not in folders and a not in ("job", "hydra", "all")]
    cfg = compose(config_name, [o for o in overrides if not o.startswith("hydra")], folders)
    if not multirun and "--cfg" not in argv and "-c" not in argv:
        check(cfg)
    # Hydra shortens tracebacks and exits by itself; our own door wants the exception.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [f"vpp {config_name}", *argv]
    mistakes: list[InputError] = []

    def guarded(cfg: Any) -> object:  # noqa: ANN401 - a DictConfig
        # Hydra would print a line of its own about an exception that passes through it.
        try:
            return job(cfg)
        except InputError as mistake:
            mistakes.append(mistake)
            return None

    hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=config_name)(
        guarded
    )()
    if mistakes:
        raise mistakes[0]
    return 0


def _config_dirs(argv: Sequence[str]) -> list[str]:
    """Folders named by --config-dir."""
    folders = []
    for index, argument in enumerate(argv):
        if argument.startswith("--config-dir="):
            folders.append(argument.split("=", 1)[1])
        elif argument in ("--config-dir", "-cd") and index + 1 < len(argv):
            folders.append(argv[index + 1])
    return folders
