"""``vpp study``: repeat a study, from training to its table."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ABOUT = """usage: vpp study [FOLDER] [workers=N] [seeds=K] [market.prices=FILE] [loads=FILE]

Run the study of a folder (default experiments/01_synthetic_sa1): train what its study.yaml names,
each policy in a process of its own, score everything on its test days once, and write results.csv
and results.md beside it. Runs that are finished already are not trained again.

  vpp study experiments/02_sa1_real market.prices=PRICES loads=HOMES workers=2

A study of recorded prices or of measured homes names no file: give yours, as its README says."""


@dataclass(frozen=True)
class StudyArguments:
    """What the command line says beside the folder."""

    workers: int = 1
    seeds: int | None = None  # none: as many as the study says

    def __post_init__(self) -> None:
        """Refuse a study of nothing."""
        from vpp_rl.training.settings import at_least

        at_least(1, "study", self, "workers", "seeds")


@dataclass(frozen=True)
class Study:
    """The keys of a study.yaml; lists are overrides in Hydra's syntax."""

    seeds: int
    common: tuple[str, ...]  # of all trainings
    policies: dict[str, tuple[str, ...]]  # name of a policy: of its trainings
    evaluation: tuple[str, ...]
    regions: tuple[str, ...] = ()  # other markets of the same prices, to score on as well
    sensitivities: dict[str, tuple[str, ...]] = field(default_factory=dict)  # name: evaluation
    currency: str = "AUD"  # of its market, for the page of results

    def __post_init__(self) -> None:
        """Refuse a study of nothing."""
        from vpp_envs.errors import InputError
        from vpp_rl.training.settings import at_least

        at_least(1, "study", self, "seeds")
        if not self.policies:
            raise InputError("study.policies must name at least one policy.")


def run(argv: Sequence[str]) -> int:
    """Run ``vpp study``."""
    from vpp_envs.errors import InputError
    from vpp_rl.configuration import build

    if any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0
    own = tuple(a for a in argv if a.startswith(("market.", "loads=")))
    keys = dict(a.split("=", 1) for a in argv if "=" in a and a not in own)
    folders = [a for a in argv if "=" not in a] or ["experiments/01_synthetic_sa1"]
    if len(folders) > 1 or set(keys) - {"workers", "seeds"}:
        raise InputError("vpp study takes one folder, workers=N and seeds=K.")
    numbers = {
        key: int(text) if re.fullmatch(r"-?\d+", text) else text for key, text in keys.items()
    }
    return _study(Path(folders[0]), build("study", numbers, StudyArguments), own)


def _study(folder: Path, arguments: StudyArguments, own: tuple[str, ...] = ()) -> int:
    """Check everything, train what is missing, score, write."""
    from vpp_rl.cli.console import console, progress_bar
    from vpp_rl.cli.evaluate import EvaluateSettings, evaluate
    from vpp_rl.configuration import build, compose

    out = console()
    study = read_study(folder / "study.yaml")
    loads = [a for a in own if a.startswith("loads=")]
    study = replace(study, common=(*study.common, *(a for a in own if a not in loads)))
    _refuse_strangers(study)
    runs = Path("runs") / folder.name
    seeds = range(arguments.seeds or study.seeds)
    missing = {name: _missing(study, name, runs / name, seeds) for name in study.policies}
    scoring = compose("evaluate", [*study.evaluation, f"out={runs / 'results'}"])
    build("evaluate", scoring, EvaluateSettings)
    todo = [name for name, left in missing.items() if left]
    out.print(f"training {', '.join(todo) or 'nothing: all runs are finished'}")
    with progress_bar(out, "training", total=max(len(todo), 1)) as (bar, task):

        def train(name: str) -> None:
            _train(study, name, runs / name, missing[name])
            bar.advance(task)

        with ThreadPoolExecutor(arguments.workers) as pool:
            list(pool.map(train, todo))
    places = [runs / name / f"seed{seed}" for name in study.policies for seed in seeds]
    _write(folder, study.currency, evaluate(places, scoring), "")
    for region in study.regions:
        there = [*study.evaluation, f"region={region}", f"out={runs / f'results_{region}'}"]
        report = evaluate(places, compose("evaluate", there))
        _write(folder, study.currency, report, f"_{region.lower()}")
    for name, overrides in study.sensitivities.items():
        if not loads:
            out.print(f"{name}: left out, give loads=FILE, a file of measured homes")
            continue
        there = [*study.evaluation, *overrides, *loads, f"out={runs / f'results_{name}'}"]
        report = evaluate(places, compose("evaluate", there))
        _write(folder, study.currency, report, f"_{name}")
    return 0


def read_study(path: Path) -> Study:
    """Read a study.yaml.

    Args:
        path: The file.

    Raises:
        InputError: It is missing, cannot be read, or is no study.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from vpp_envs.errors import InputError
    from vpp_rl.configuration import build

    if not path.is_file():
        raise InputError(f"{path} is missing: name the folder of a study.")
    try:
        plain = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (YAMLError, OmegaConfBaseException) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(plain, dict):
        raise InputError(f"{path} must hold keys and values, as other studies do.")
    return build("study", {str(key): value for key, value in plain.items()}, Study)


def _refuse_strangers(study: Study) -> None:
    """Refuse policies that one scoreboard will not hold, before hours are spent on them."""
    from vpp_envs.errors import InputError
    from vpp_rl.training.job import job_from

    jobs = {
        name: job_from(_composed([*study.common, *overrides]))
        for name, overrides in study.policies.items()
    }
    for (name, job), (other, twin) in combinations(jobs.items(), 2):
        if job.scenario != twin.scenario:
            raise InputError(
                f"study.policies: '{name}' and '{other}' are trained on different scenarios: "
                "make a study of each."
            )
        if (job.agent.name, job.dispatch) == (twin.agent.name, twin.dispatch):
            raise InputError(
                f"study.policies: '{name}' and '{other}' are both agent={job.agent.name} with "
                f"dispatch={job.dispatch}, and would pass for seeds of one learner: make a study "
                "of each."
            )


def _missing(study: Study, name: str, place: Path, seeds: Sequence[int]) -> list[int]:
    """The seeds of a policy that are not trained yet; all are checked, trained or not.

    Raises:
        InputError: A training cannot be made so, or a finished one was made with other settings.
    """
    from vpp_envs.errors import InputError
    from vpp_rl.evaluation.entrants import difference, run_config
    from vpp_rl.training.job import job_from
    from vpp_rl.training.run import DONE

    missing = []
    for seed in seeds:
        config = _composed([*study.common, *study.policies[name], f"seed={seed}"])
        job_from(config)
        folder = place / f"seed{seed}"
        if not (folder / DONE).is_file():
            missing.append(seed)
        elif differs := difference(run_config(folder), config):
            raise InputError(
                f"{folder} was made with other settings than the study has now, they differ in "
                f"{differs}: remove it, so that it is trained again, or undo the change."
            )
    return missing


def _composed(overrides: Sequence[str]) -> Mapping[str, Any]:
    """The configuration of a training as its config.json holds it."""
    from vpp_rl.configuration import compose, resolved

    return resolved(compose("train", overrides))


def _train(study: Study, name: str, place: Path, seeds: Sequence[int]) -> None:
    """Train seeds of a policy in one process, which builds days, homes and kernels once."""
    from vpp_envs.errors import InputError

    # Unbuffered, so that the last line of the log is what was said last.
    command = [sys.executable, "-u", "-m", "vpp_rl.cli.main", "train", "--multirun"]
    command += [*study.common, *study.policies[name], f"seed={','.join(map(str, seeds))}"]
    command += [f"hydra.sweep.dir={place}", "hydra.sweep.subdir=seed${seed}"]
    place.mkdir(parents=True, exist_ok=True)
    path = place / "log.txt"
    with path.open("w") as log:
        code = subprocess.run(command, check=False, stdout=log, stderr=log).returncode
    if code != 0:
        said = path.read_text(errors="replace").split("\n")
        last = next((line for line in reversed(said) if line.strip()), f"exit code {code}")
        raise InputError(f"training {name} failed: {last.strip()}; see {path}")


def _write(folder: Path, currency: str, report: Path, suffix: str) -> None:
    """Write the results of a study from what was played, in files whose names end so."""
    import pandas as pd

    from vpp_rl.files import write_text

    frame = pd.read_csv(report.parent / "windows.csv").round(4)
    write_text(folder / f"results{suffix}.csv", frame.to_csv(index=False))
    frame["start"] = pd.to_datetime(frame["start"]).dt.date
    write_text(folder / f"results{suffix}.md", results_page(frame, folder, currency))


def results_page(frame: "pd.DataFrame", folder: Path, currency: str) -> str:
    """Write the page of a study's results in Markdown.

    Args:
        frame: The windows, as in results.csv.
        folder: Of the study.
        currency: Of its market.
    """
    import numpy as np

    from vpp_rl.evaluation.scoreboard import summarise, to_markdown

    summary = summarise(frame, rng=np.random.default_rng(0))
    learned = frame[frame.kind == "learned"].groupby("policy")
    cost = learned[["train_s", "train_steps"]].agg(["mean", "max"]).round(0)
    lines = [
        f"<!-- generated by `vpp study {folder}`; do not edit -->",
        "",
        to_markdown(summary, currency),
        "",
        "| learner | seconds to the chosen policy, mean | longest | steps, mean |",
        "|---|---|---|---|",
        *(
            f"| {name} | {row[('train_s', 'mean')]:.0f} | {row[('train_s', 'max')]:.0f} | "
            f"{row[('train_steps', 'mean')]:,.0f} |"
            for name, row in cost.iterrows()
        ),
        "",
    ]
    return "\n".join(lines)
