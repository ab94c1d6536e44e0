"""What is done about an update that gives what is no number: it is named, and can be replayed."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpp_envs.errors import InputError
from vpp_rl.agents.learner import Learner, Update
from vpp_rl.agents.network import PolicyNetwork
from vpp_rl.files import write_text
from vpp_rl.training.snapshot import SNAPSHOTS

BUNDLE = "nan"  # the folder, in that of the run
_UPDATES = "updates.json"

_README = """# An update that gave what is no number

Update {update} of this run: {what}.

    vpp train --replay {bundle}

makes the updates from the last sound snapshot (or from the start, where there was none yet) up to
that one again, with the same settings, and prints each. `updates.json` holds the shares of the
budget that they were made at, `config.json` the configuration and its seed.
"""


class DivergedError(InputError):
    """An update gave what is no number: the settings do not train."""


def trouble(update: Update, network: PolicyNetwork) -> str:
    """Say what an update made that is no number, or ``""``.

    Args:
        update: What the learner tells. A NaN profit or gradient norm means that there is none.
        network: The policy afterwards.
    """
    if not math.isfinite(update.loss):
        return f"the loss is {update.loss}"
    if math.isinf(update.gradient_norm):
        return f"the norm of the gradient is {update.gradient_norm}"
    if math.isinf(update.profit_per_kw_day):
        return f"the profit is {update.profit_per_kw_day}"
    for name, weight in network.named_parameters():
        if not bool(weight.isfinite().all()):
            return f"the network's {name} is not finite"
    return ""


def leave_bundle(
    folder: Path, snapshot: Path | None, shares: list[float], update: int, what: str
) -> Path:
    """Write down what repeats an update, in a folder of its own.

    Args:
        folder: Of the run.
        snapshot: The last sound one, if there is one.
        shares: Of the budget, at which the updates since then were made.
        update: Number of the last of them.
        what: What is no number.

    Returns:
        The new folder.
    """
    bundle = folder / BUNDLE
    shutil.rmtree(bundle, ignore_errors=True)
    (bundle / SNAPSHOTS).mkdir(parents=True)
    if snapshot:
        shutil.copy2(snapshot, bundle / SNAPSHOTS)
    if (folder / "config.json").is_file():
        shutil.copy2(folder / "config.json", bundle)
    facts = {"update": update, "what": what, "shares": shares}
    write_text(bundle / _UPDATES, json.dumps(facts, indent=2))
    write_text(bundle / "README.md", _README.format(update=update, what=what, bundle=bundle))
    return bundle


def replay(
    learner: Learner, snapshot: dict[str, Any] | None, bundle: Path
) -> Iterator[tuple[int, Update, str]]:
    """Make the updates of a bundle again: number, what each did, and what is no number.

    Args:
        learner: Made as the run's was.
        snapshot: Of the bundle; none if it has none.
        bundle: From `leave_bundle`.

    Raises:
        InputError: The bundle is not whole.
    """
    try:
        facts = json.loads((bundle / _UPDATES).read_text())
        shares, last = [float(share) for share in facts["shares"]], int(facts["update"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{bundle / _UPDATES} cannot be read: give the folder nan of a run, or copy it again."
        ) from None
    if snapshot:
        learner.restore(snapshot["learner"])
    for number, share in enumerate(shares, start=last - len(shares) + 1):
        update = learner.update(share)
        yield number, update, trouble(update, learner.network)
