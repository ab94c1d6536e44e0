"""``vpp evaluate``: score trained policies beside the rules, MPC and the bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ABOUT = """usage: vpp evaluate RUN [RUN ...] [KEY=VALUE ...]

Play trained policies on unseen days and homes beside idle, self-consumption, time of use, the
quantile rule, the stochastic value curve, MPC, the non-anticipative optimum (synthetic markets)
and perfect foresight; print the scoreboard and write an HTML report.

  vpp evaluate runs/2026-11-23_09-43-54_nem_arbitrage_apg_seed0
  vpp evaluate runs/A runs/B runs/C        several seeds or agents on one scoreboard
  vpp evaluate RUN windows=6               fewer windows, for a first look
  vpp evaluate RUN split=validation tune=false
  vpp evaluate RUN region=VIC1             on a market that it was not trained on
  vpp evaluate RUN loads=FILE export_limit_kw=5    with measured loads, behind other connections

Keys: split, window_days, windows, unseen_homes, region, loads, export_limit_kw, tune, out,
threads."""


@dataclass(frozen=True)
class EvaluateSettings:
    """The keys of ``configs/evaluate.yaml``."""

    split: Literal["train", "validation", "test"]
    window_days: int | None
    windows: int | None
    unseen_homes: int | None
    region: str | None
    loads: str | None
    export_limit_kw: float | None
    tune: bool
    out: Path | None
    threads: int

    def __post_init__(self) -> None:
        """Refuse numbers that nothing can be played with."""
        from vpp_rl.training.settings import at_least

        at_least(1, "evaluate", self, "window_days", "windows", "unseen_homes", "threads")


def run(argv: Sequence[str]) -> int:
    """Run ``vpp evaluate``."""
    if not argv or any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0 if argv else 2
    from vpp_rl.configuration import compose

    folders = [Path(a) for a in argv if "=" not in a]
    cfg = compose("evaluate", [a for a in argv if "=" in a])
    evaluate(folders, cfg)
    return 0


def evaluate(folders: Sequence[Path], cfg: Any) -> Path:  # noqa: ANN401 - a DictConfig stops here
    """Score runs, print the scoreboard, write report and results; returns the report's path."""
    from vpp_envs.scenario import build_scenario
    from vpp_rl.cli.console import console, progress_bar
    from vpp_rl.configuration import build
    from vpp_rl.evaluation.benchmark import contest
    from vpp_rl.evaluation.entrants import read_runs
    from vpp_rl.files import write_text
    from vpp_rl.rollout import Windows
    from vpp_rl.training.run import use_threads

    settings = build("evaluate", cfg, EvaluateSettings)
    use_threads(settings.threads)
    out = console()
    runs = read_runs(folders)
    spec = played_spec(runs.spec, settings)
    windows = Windows(settings.split, settings.window_days, settings.windows)
    with out.status("building days and homes"):
        scenario = build_scenario(spec, windows.split)
    for line in (*scenario.market.split_lines, *scenario.fleet_lines):
        out.print(line)
    with progress_bar(out, "playing") as (bar, task):
        result = contest(
            spec,
            windows,
            runs.entrants,
            lambda what, share: bar.update(task, completed=share, note=what),
            retune=settings.tune,
        )
    folder = settings.out or folders[0] / "evaluation"
    # What was played for hours is kept before anything is made of it.
    write_text(folder / "windows.csv", result.frame.to_csv(index=False))
    return show(result, scenario, runs, folder)


def played_spec(spec: Any, settings: EvaluateSettings) -> Any:  # noqa: ANN401 - of vpp_envs
    """The scenario of runs, with the homes and the market that are asked for."""
    from dataclasses import replace

    if settings.unseen_homes is not None:
        spec = replace(spec, unseen_homes=settings.unseen_homes)
    if settings.region is not None:
        spec = replace(spec, market=replace(spec.market, region=settings.region))
    if settings.loads is not None:
        spec = replace(spec, loads=settings.loads)
    if settings.export_limit_kw is not None:
        limited = replace(spec.fleet, export_limit_kw=settings.export_limit_kw)
        spec = replace(spec, fleet=limited)
    return spec


def show(result: Any, scenario: Any, runs: Any, folder: Path) -> Path:  # noqa: ANN401
    """Print the scoreboard and write report and summary; returns the report's path."""
    import json

    import numpy as np

    from vpp_rl.cli.console import console
    from vpp_rl.evaluation.benchmark import day_trace
    from vpp_rl.evaluation.comfort import comfort_of, comfort_table
    from vpp_rl.evaluation.report import verdict, write_report
    from vpp_rl.evaluation.scoreboard import summarise, to_rich_table
    from vpp_rl.files import write_text
    from vpp_rl.training.provenance import provenance

    out, market = console(), scenario.market
    summary = summarise(result.frame, rng=np.random.default_rng(0))
    played = result.frame[result.frame.policy == result.frame.policy.iloc[0]]
    title = (
        f"{market.region}: {played.days.sum():.0f} unseen days, "
        f"{len(scenario.fleet.home_id)} unseen homes"
    )
    tuning = [f"tuned on training days: {line}" for line in result.tuning]
    for line in tuning:
        out.print(line)
    out.print(to_rich_table(summary, title, market.currency, narrow=out.width < 100))
    out.print(verdict(summary, market.currency))
    comfort = comfort_of(result.frame)
    if comfort is not None:
        out.print(comfort_table(comfort))
    report = folder / "report.html"
    write_report(
        report,
        f"{scenario.spec.name} on {market.region}",
        summary,
        result.frame,
        day_trace(result, scenario, "A good day"),
        runs.learning,
        [*market.split_lines, *scenario.fleet_lines, *tuning],
        {**provenance(scenario), "configuration": json.dumps(runs.config, indent=1)},
    )
    write_text(folder / "summary.csv", summary.to_csv(index=False))
    out.print(f"the bound's plan, replayed, misses its objective by {result.replay_error:.1e}")
    if result.bound_gap > 1e-6:
        out.print(
            f"[yellow]a window's plans were not solved to the end: the bound may be up to "
            f"{market.currency} {result.bound_gap:,.2f} higher, and shares of it lower[/]"
        )
    out.print(f"report: [bold]{report}[/]")
    return report
