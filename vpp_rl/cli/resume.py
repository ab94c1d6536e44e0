"""``vpp train --resume`` and ``--replay``: go on with a run, or repeat the update that ended it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What may differ from the run's own configuration: how long, and how often it looks and saves.
BUDGET = ("agent.iterations", "agent.seconds", "validations", "checkpoint_every")


def resume(argv: Sequence[str]) -> int:
    """Go on with a run from its newest sound snapshot.

    With a larger budget a smaller share of it is spent, so that rates which fall with the share
    are higher again at first.

    Args:
        argv: Folder of the run, and a larger budget for it, in Hydra's syntax.
    """
    from vpp_envs.errors import InputError
    from vpp_rl.cli.console import console
    from vpp_rl.cli.train import train_with_progress
    from vpp_rl.evaluation.entrants import run_config
    from vpp_rl.training.job import job_from
    from vpp_rl.training.run import DONE, spent_share, use_threads
    from vpp_rl.training.snapshot import newest_snapshot

    folder, overrides = _folder("--resume", argv)
    config = with_budget(run_config(folder), overrides)
    job = job_from(config)
    use_threads(job.threads)
    out = console()
    snapshot = newest_snapshot(folder, tell=out.print)
    if (folder / DONE).is_file():
        if snapshot is None:
            raise InputError(f"{folder} is finished, and holds no snapshot to go on from.")
        if spent_share(snapshot, job) >= 1.0:
            raise InputError(
                f"{folder} is finished: give it a larger budget to go on with, as in "
                f"agent.iterations={2 * job.agent.iterations} or agent.seconds=600."
            )
    if snapshot is None:
        out.print(f"{folder} holds no snapshot yet: the training starts afresh")
    else:
        out.print(f"going on after update {snapshot['progress']['iteration']:,}")
    train_with_progress(job, folder, json.dumps(config, indent=2), snapshot)
    return 0


def replay(argv: Sequence[str]) -> int:
    """Repeat the updates of a bundle that a training left when it stopped at what is no number.

    Args:
        argv: Folder of the bundle.
    """
    from vpp_envs.errors import InputError
    from vpp_rl.agents.registry import learner
    from vpp_rl.cli.console import console
    from vpp_rl.evaluation.entrants import run_config
    from vpp_rl.training import divergence
    from vpp_rl.training.job import job_from
    from vpp_rl.training.run import training_env, use_threads
    from vpp_rl.training.snapshot import newest_snapshot

    bundle, overrides = _folder("--replay", argv)
    if overrides:
        raise InputError(f"vpp train --replay takes a folder alone, not '{overrides[0]}'.")
    job = job_from(run_config(bundle))
    use_threads(job.threads)
    out = console()
    made = learner(job.agent.name).make(training_env(job), job.agent, job.seed, job.compile)
    for number, update, what in divergence.replay(made, newest_snapshot(bundle, out.print), bundle):
        out.print(f"update {number}: {what or f'loss {update.loss:.6g}'}")
        if what:
            return 0
    out.print("every number is finite: this machine does not repeat it")
    return 1


def with_budget(config: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A run's configuration with another budget.

    Args:
        config: As config.json holds it.
        overrides: Such as ``agent.iterations=2000``.

    Raises:
        InputError: An override changes something else.
    """
    from vpp_envs.errors import InputError
    from vpp_rl.configuration import with_values

    for text in overrides:
        key = text.partition("=")[0]
        if key not in BUDGET:
            raise InputError(
                f"vpp train --resume goes on with the run's own settings, of which "
                f"{', '.join(BUDGET)} may be changed, not '{key}': train anew for that."
            )
    return with_values(config, overrides)


def _folder(flag: str, argv: Sequence[str]) -> tuple[Path, list[str]]:
    """The folder that stands after a flag, and what else there is."""
    from vpp_envs.errors import InputError

    words = [word for argument in argv for word in _apart(flag, argument)]
    at = words.index(flag)
    folder = words[at + 1 : at + 2]
    if not folder or not Path(folder[0]).is_dir():
        raise InputError(
            f"vpp train {flag} needs the folder of a run, got {folder[0] if folder else 'none'}: "
            f"vpp train {flag} RUN."
        )
    return Path(folder[0]), words[:at] + words[at + 2 :]


def _apart(flag: str, argument: str) -> list[str]:
    """``--flag=value`` as two words; others as they are."""
    return argument.split("=", 1) if argument.startswith(f"{flag}=") else [argument]
