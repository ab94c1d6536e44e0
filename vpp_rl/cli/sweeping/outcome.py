"""What one job of a sweep does, and what it came to."""

import json
import math
import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpp_envs.errors import InputError

ERROR = "error.txt"  # traceback of a job that failed by a fault of the code


@dataclass(frozen=True)
class Outcome:
    """What a job came to."""

    number: int
    overrides: tuple[str, ...]
    folder: Path
    seconds: float
    profit: float = math.nan  # best validation profit [currency/home/year]
    error: str = ""  # one sentence; empty if the job was trained to its end
    earlier: bool = False  # finished before this sweep was resumed, and so not run again


@dataclass(frozen=True)
class SweepJob:
    """The function that Hydra calls for each job of a sweep, in whichever process."""

    train: Callable[[Any], float]  # configuration to validation profit
    argv: tuple[str, ...]  # of the sweep, for those who resume it

    def __call__(self, cfg: Any) -> Outcome:  # noqa: ANN401 - a DictConfig
        """Train unless that is done already; a failure is an outcome, and ends no sweep."""
        from hydra.core.hydra_config import HydraConfig

        hydra = HydraConfig.get()
        folder = Path(hydra.runtime.output_dir)
        facts = (int(hydra.job.num), tuple(hydra.overrides.task), folder)
        (folder / ERROR).unlink(missing_ok=True)
        began = time.monotonic()
        try:
            if is_done(folder, cfg):
                return Outcome(*facts, _seconds(folder), _profit(folder), earlier=True)
            profit = float(self.train(cfg))
            error = "" if math.isfinite(profit) else f"the validation profit is {profit}"
        except InputError as mistake:
            profit, error = math.nan, str(mistake)
        except Exception as fault:  # also a bug must not cost the other jobs their result
            (folder / ERROR).write_text(traceback.format_exc())
            profit, error = math.nan, f"{type(fault).__name__}: {fault} (see {folder / ERROR})"
        return Outcome(*facts, time.monotonic() - began, profit, " ".join(error.split()))


def is_done(folder: Path, cfg: Any) -> bool:  # noqa: ANN401 - a DictConfig
    """Whether a folder holds this very training, finished.

    Args:
        folder: Of the run.
        cfg: Configuration of the job.

    Raises:
        InputError: It holds a finished training with other settings.
    """
    from vpp_rl.configuration import resolved
    from vpp_rl.evaluation.entrants import difference, run_config
    from vpp_rl.training.run import DONE

    if not (folder / DONE).is_file():
        return False
    if differs := difference(run_config(folder), json.loads(json.dumps(resolved(cfg)))):
        raise InputError(
            f"{folder} holds a finished training with other settings, they differ in {differs}: "
            "remove it, or name another folder by hydra.sweep.dir=..."
        )
    return True


def _profit(folder: Path) -> float:
    """Validation worth of a finished run."""
    from vpp_rl.training.checkpoint import FACTS, worth_of

    try:
        return worth_of(json.loads((folder / FACTS).read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder / FACTS} cannot be read: remove the folder, so that the job runs again."
        ) from None


def _seconds(folder: Path) -> float:
    """Seconds that a finished run took, as it noted; NaN if it noted none."""
    from vpp_rl.training.run import DONE

    number = re.match(r"[\d.]+", (folder / DONE).read_text())
    return float(number[0]) if number else math.nan
