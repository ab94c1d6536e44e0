"""``vpp train``: train an agent on a scenario, into a run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

ABOUT = """usage: vpp train [OVERRIDES] [--cfg job] [--multirun] [--config-dir FOLDER]

Train an agent, and keep the policy that earns most on the validation days.

  vpp train agent=apg scenario=nem_arbitrage seed=0
  vpp train agent=ppo agent.seconds=240 dispatch=cohort_power
  vpp train market=vic1 fleet=two_hour
  vpp train market.prices=PRICE_AND_DEMAND_202207_SA1.csv
  vpp train fleet.table=homes.csv           homes of your own (vpp fleet --help)
  vpp train --cfg job                       show the configuration and stop
  vpp train --multirun seed=0,1,2,3,4       one run after another

Groups: agent = apg, ppo.  market = sa1, vic1, nsw1, qld1, ercot2023, ercot2024.
        fleet = mixed, two_hour.  scenario = nem_arbitrage.
dispatch = value_curve (the policy bends a value curve), cohort_power.

The run's folder holds the policy, the configuration, the learning curve and TensorBoard events."""


def run(argv: Sequence[str]) -> int:
    """Run ``vpp train``."""
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
    shown = _shown(folder)
    console().print(f"next: [bold]vpp evaluate {shown}[/]   or   [bold]vpp export {shown}[/]")
    return profit


def train_with_progress(job: Any, folder: Path, config: str) -> float:  # noqa: ANN401
    """Train with a bar, an ETA and live numbers; returns the best validation profit."""
    import json

    from vpp_envs.scenario import build_scenario
    from vpp_rl.agents.analytic import Progress
    from vpp_rl.cli.console import console, progress_bar
    from vpp_rl.files import write_text
    from vpp_rl.training.provenance import provenance
    from vpp_rl.training.run import DONE, run_training, start_afresh

    out = console()
    with out.status("building the training days and homes"):
        scenario = build_scenario(job.scenario, "train")
        build_scenario(job.scenario, "validation")
    market = scenario.market
    start_afresh(folder)
    write_text(folder / "config.json", config)
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

        best, seconds, steps = run_training(job, folder, listen)
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
