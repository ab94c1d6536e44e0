"""``vpp train``: train an agent on a scenario, into a run folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ABOUT = """usage: vpp train [OVERRIDES] [--cfg job] [--config-dir FOLDER]
       vpp train --resume RUN [agent.iterations=N] [agent.seconds=S]
       vpp train --replay RUN/nan
       vpp train --multirun [OVERRIDES | --resume SWEEP]

Train an agent, and keep the policy that earns most on the validation days.

  vpp train agent=apg scenario=nem_arbitrage seed=0
  vpp train agent=ppo agent.seconds=240 dispatch=cohort_power
  vpp train market=vic1 fleet=two_hour
  vpp train market.prices=PRICE_AND_DEMAND_202207_SA1.csv
  vpp train fleet.table=homes.csv           homes of your own (vpp fleet --help)
  vpp train --cfg job                       show the configuration and stop

Sweeps: many trainings from one command (-m is --multirun).

  vpp train -m seed=0,1,2 agent=apg,ppo     every combination, one after another
  vpp train -m seed='range(8)' hydra/launcher=ray
                                            side by side, one training a core (extra: ray)
  vpp train -m 'agent.learning_rate=tag(log, interval(1e-4, 1e-2))' 'agent.homes=choice(2, 4)' \\
      hydra/sweeper=optuna hydra.sweeper.n_trials=40
                                            a search for the highest profit (extra: sweep)
  vpp train -m 'agent.learning_rate=tag(log, interval(1e-4, 1e-2))' agent.iterations=200 \\
      hydra/sweeper=pbt hydra.sweeper.population=8 hydra.sweeper.generations=10
                                            a population: after each generation those that earn
                                            least take over from those that earn most, with other
                                            settings (extra: ray); the best policy: SWEEP/best
  vpp train -m --resume runs/..._sweep      goes on with what is not done after a stop or a kill

hydra.sweeper. n_trials=20  n_jobs=1 (drawn and launched together)  seed=0  sampler=tpe, random
  of pbt:      population=8  generations=10  quantile=0.25  seed=0  cpus=null (all)
hydra.launcher.ray. init.num_cpus=null (all)  remote.max_retries=3 (of a job whose process died)
hydra.sweep.dir=FOLDER says where; the same command with the same folder goes on as well. Each job
has a line when it ends; the folder's sweep.csv has them all. Exit code 1: some jobs failed.
A budget in seconds ends where the load of the machine has it; for results that do not depend on
that, give agent.iterations=N agent.seconds=1e9.

Groups: agent = apg, ppo, sac, td3, tqc, rllib_ppo.
        scenario = nem_arbitrage, ev_homes, solar_homes.  fleet = mixed, two_hour, ev, solar.
        market = sa1, vic1, nsw1, qld1, ercot2023, ercot2024, nl, own (a price file of yours).
fleet.table=FILE takes homes of your own, scenario.tariff=FILE a retail tariff.
dispatch = value_curve (the policy bends a value curve), cohort_power.

The run's folder holds the policy, the configuration, the learning curve and TensorBoard events,
and the two newest snapshots of the training, one about every minute (checkpoint_every=N: every N
updates). --resume goes on from the newest one that is sound, however the run ended, in the same
folder; a finished run goes on with a larger budget. On the same machine, with threads=1 and
agent.seconds=null (a budget of updates alone), a resumed run ends as an unbroken one, to the bit.
SIGTERM and Ctrl+C end the update and leave a snapshot; Ctrl+C again stops at once. An update that
gives what is no number ends the run, and --replay repeats it."""


def run(argv: Sequence[str]) -> int:
    """Run ``vpp train``."""
    from vpp_rl.cli import resume
    from vpp_rl.cli.sweeping.command import is_sweep, run_sweep

    if is_sweep(argv):
        return run_sweep("train", argv, _check, _train)
    helps = any(flag in argv for flag in ("-h", "--help"))
    for flag, command in (("--resume", resume.resume), ("--replay", resume.replay)):
        if not helps and any(word.split("=", 1)[0] == flag for word in argv):
            return command(argv)
    from vpp_rl.cli.hydra_job import run_hydra

    return run_hydra("train", argv, _check, _train, ABOUT)


def _check(cfg: Any) -> None:  # noqa: ANN401 - a DictConfig, which stops here
    """Refuse what cannot be trained before anything is written; what is built here is kept."""
    from vpp_envs.scenario import build_scenario
    from vpp_rl.cli.console import console
    from vpp_rl.configuration import resolved
    from vpp_rl.rollout import window_starts
    from vpp_rl.training.job import job_from
    from vpp_rl.training.run import use_threads

    job = job_from(resolved(cfg))
    # Before the days are built: two processes with more threads than cores take ten times as long.
    use_threads(job.threads)
    with console().status("building the training days and homes"):
        build_scenario(job.scenario, "train")
        window_starts(build_scenario(job.scenario, "validation"), job.validation)


def _train(cfg: Any) -> float:  # noqa: ANN401 - a DictConfig, which stops here
    """Train one configuration; returns the validation profit, for sweepers."""
    import json

    from hydra.core.hydra_config import HydraConfig

    from vpp_rl.cli.console import console
    from vpp_rl.configuration import resolved
    from vpp_rl.training.job import job_from
    from vpp_rl.training.run import use_threads

    folder = Path(HydraConfig.get().runtime.output_dir)
    config = resolved(cfg)
    job = job_from(config)
    use_threads(job.threads)
    profit = train_with_progress(job, folder, json.dumps(config, indent=2))
    words = ("evaluate", "export") if _can_be_exported(folder) else ("evaluate",)
    ways = (f"[bold]vpp {word} {_shown(folder)}[/]" for word in words)
    console().print(f"next: {'   or   '.join(ways)}")
    return profit


def _can_be_exported(folder: Path) -> bool:
    """Whether controllers know all that a run has."""
    from vpp_envs.errors import InputError
    from vpp_rl.export.artifact import controller_of

    try:
        controller_of(folder)
    except InputError:
        return False
    return True


def train_with_progress(
    job: Any,  # noqa: ANN401
    folder: Path,
    config: str,
    snapshot: dict[str, Any] | None = None,
) -> float:
    """Train with a bar, an ETA and live numbers; returns the best validation profit.

    Args:
        job: What to train.
        folder: Of the run.
        config: Text of its config.json.
        snapshot: Of the run, to go on from; none begins.

    Raises:
        InputError: Another process trains in the folder.
        SystemExit: SIGTERM stopped it; a snapshot is left.
        KeyboardInterrupt: Ctrl+C did.
    """
    from vpp_rl.cli.console import console
    from vpp_rl.cli.signals import stop_signals
    from vpp_rl.files import write_text
    from vpp_rl.training.lock import locked
    from vpp_rl.training.run import DONE, TrainingStopped, start_afresh

    best = 0.0
    with locked(folder), stop_signals() as stop:
        if snapshot is None:
            start_afresh(folder)
        else:
            (folder / DONE).unlink(missing_ok=True)
        # First of all, so that a run that is killed while its days are built can be resumed, too.
        write_text(folder / "config.json", config)
        try:
            best = _train_and_tell(job, folder, snapshot, stop)
        except TrainingStopped:
            console().print(f"stopped; go on with: [bold]vpp train --resume {_shown(folder)}[/]")
    stop.leave()
    return best


def _train_and_tell(
    job: Any,  # noqa: ANN401
    folder: Path,
    snapshot: dict[str, Any] | None,
    stop: Callable[[], bool],
) -> float:
    """Train, and say what is trained on and what came of it."""
    import json

    from vpp_envs.scenario import build_scenario
    from vpp_rl.agents.learner import Progress
    from vpp_rl.cli.console import console, progress_bar
    from vpp_rl.files import write_text
    from vpp_rl.training.provenance import provenance
    from vpp_rl.training.run import DONE, run_training

    out = console()
    with out.status("building the training days and homes"):
        scenario = build_scenario(job.scenario, "train")
        build_scenario(job.scenario, "validation")
    market = scenario.market
    write_text(folder / "provenance.json", json.dumps(provenance(scenario), indent=2))
    out.print(
        f"training [bold]{job.agent.name}[/] by {job.dispatch} on {len(scenario.start_ticks)} days "
        f"of {market.source}, {len(scenario.fleet.home_id)} homes, "
        f"cohorts {', '.join(scenario.cohort_names)}"
    )
    for line in (*market.split_lines, *scenario.fleet_lines):
        out.print(f"  {line}")
    with progress_bar(out, "training") as (bar, task):

        def listen(progress: Progress, best: float) -> None:
            text = f"best on validation {best:,.0f} {market.currency}/home/year"
            if progress.iteration:
                earned = progress.profit_per_kw_day
                text = f"{earned:+.2f} {market.currency}/kW/day · {text}"
            bar.update(task, completed=progress.share, note=text)

        best, seconds, steps = run_training(job, folder, listen, snapshot, stop)
    write_text(folder / DONE, f"{seconds:.1f} s\n")
    out.print(
        f"trained in {seconds:.0f} s, {steps:,} steps; validation profit "
        f"[bold]{best:,.0f} {market.currency}[/] per home and year; run in {_shown(folder)}"
    )
    return best


def _shown(folder: Path) -> str:
    """The folder as the person would type it."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
