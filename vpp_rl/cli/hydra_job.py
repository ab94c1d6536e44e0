"""How a subcommand meets Hydra: overrides checked first, then Hydra's own entry point."""

import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    check_all(config_name, argv, check)
    mistakes: list[InputError] = []

    def guarded(cfg: Any) -> object:  # noqa: ANN401 - a DictConfig
        # Hydra would print a line of its own about an exception that passes through it.
        try:
            return job(cfg)
        except InputError as mistake:
            mistakes.append(mistake)
            return None

    start_hydra(config_name, argv, guarded)
    if mistakes:
        raise mistakes[0]
    return 0


def start_hydra(config_name: str, argv: Sequence[str], task: Callable[[Any], object]) -> None:
    """Hand over to Hydra's own entry point.

    Args:
        config_name: Primary configuration.
        argv: Overrides and Hydra's flags.
        task: Gets the composed configuration of each job.

    Raises:
        InputError: What Hydra refuses: its flags, its keys and its sweeps.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    # Hydra shortens tracebacks and exits by itself; our own door wants the exception.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = [f"vpp {config_name}", *argv]
    decorate = hydra.main(
        version_base="1.3", config_path=str(config_dir()), config_name=config_name
    )
    try:
        decorate(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(" ".join(str(error).split())) from None


def check_all(
    config_name: str,
    argv: Sequence[str],
    check: Callable[[Any], object],
    jobs_of: Callable[[Sequence[str]], Iterable[list[str]]] | None = None,
) -> None:
    """Compose every job, and check each unless it is only shown, before Hydra starts the first.

    Args:
        config_name: Primary configuration.
        argv: Overrides and Hydra's flags.
        check: Gets each composed configuration; raises on bad input.
        jobs_of: Lists the overrides of the jobs of a sweep; by default all combinations.

    Raises:
        InputError: An override is wrong; the sentence says which and what exists.
    """
    folders = config_dirs(argv)
    values = (*folders, "job", "hydra", "all")  # of flags
    overrides = [
        a
        for a in argv
        if not a.startswith("-")
        and a not in values
        and not a.lstrip("+~").startswith(("hydra.", "hydra/"))
    ]
    sweeps = any(flag in argv for flag in ("-m", "--multirun"))
    jobs = (jobs_of or grid_jobs)(overrides) if sweeps else [overrides]
    composed = [compose(config_name, job, folders) for job in jobs]
    if any(flag in argv for flag in ("-c", "--cfg")):
        return
    for cfg in composed:
        check(cfg)


def grid_jobs(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of every job of a sweep over all combinations, in Hydra's order."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    choices = []
    for text in overrides:
        try:
            override = parser.parse_override(text)
            if override.is_sweep_override():
                key = override.get_key_element()
                values = [f"{key}={value}" for value in override.sweep_string_iterator()]
            else:
                values = [text]
        except HydraException:
            # Unreadable, or a sweep that no list of values can stand for: `compose` says so.
            values = [text]
        if not values:
            raise InputError(f"the override '{text}' holds no value: nothing would be run.")
        choices.append(values)
    return (list(job) for job in itertools.product(*choices))


def config_dirs(argv: Sequence[str]) -> list[str]:
    """Folders named by --config-dir."""
    folders = []
    for index, argument in enumerate(argv):
        if argument.startswith("--config-dir="):
            folders.append(argument.split("=", 1)[1])
        elif argument in ("--config-dir", "-cd") and index + 1 < len(argv):
            folders.append(argv[index + 1])
    return folders
