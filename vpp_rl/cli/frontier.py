"""``vpp frontier``: what comfort costs, by learned policies and by tuned rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

ABOUT = """usage: vpp frontier RUN [RUN ...] [KEY=VALUE ...]

Play policies that were trained with several prices of discomfort beside rules that are tuned for
each of these prices: hours and depths of pre-cooling and setback, storage by the hour. Writes what
each policy earns against what its homes feel: frontier.svg, frontier.csv and windows.csv.

  vpp train -m scenario=suburb fleet=suburb scenario.comfort_per_k_h=0,0.1,0.3 seed=0,1,2 \\
      hydra.sweep.dir=runs/comfort
  vpp frontier runs/comfort        a folder of runs stands for all of them

Runs must differ in scenario.comfort_per_k_h and seed alone. A price is what a kelvin-hour beyond a
kelvin from the set-point counts in training; the money shown is money alone.

Keys: split, window_days, windows, unseen_homes, region, loads, export_limit_kw, out, threads, as of
vpp evaluate."""


def run(argv: Sequence[str]) -> int:
    """Run ``vpp frontier``."""
    if not argv or any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0 if argv else 2
    from vpp_envs.errors import InputError
    from vpp_envs.scenario import build_scenario
    from vpp_rl.cli.console import console, progress_bar
    from vpp_rl.cli.evaluate import EvaluateSettings, played_spec
    from vpp_rl.configuration import build, compose
    from vpp_rl.evaluation.entrants import read_priced_runs
    from vpp_rl.evaluation.frontier import frontier
    from vpp_rl.files import write_text
    from vpp_rl.rollout import Windows
    from vpp_rl.training.run import use_threads

    settings = build(
        "evaluate", compose("evaluate", [a for a in argv if "=" in a]), EvaluateSettings
    )
    use_threads(settings.threads)
    folders = [run for a in argv if "=" not in a for run in runs_in(Path(a))]
    learned, spec = read_priced_runs(folders)
    spec, out = played_spec(spec, settings), console()
    windows = Windows(settings.split, settings.window_days, settings.windows)
    with out.status("building days and homes"):
        scenario = build_scenario(spec, windows.split)
    if scenario.fleet.flexible is None or scenario.fleet.flexible.hvac is None:
        raise InputError(
            "vpp frontier needs homes with heating and cooling: train with fleet=suburb."
        )
    lines: list[str] = []
    with progress_bar(out, "playing") as (bar, task):
        frame = frontier(
            spec,
            windows,
            learned,
            lines.append,
            lambda what, share: bar.update(task, completed=share, note=what),
        )
    folder = settings.out or folders[0].parent / "frontier"
    write_text(folder / "windows.csv", frame.to_csv(index=False))
    for line in lines:
        out.print(f"tuned on training days: {line}")
    summary = write_frontier(frame, folder, scenario.market.currency)
    out.print(frontier_table(summary, scenario.market.currency))
    out.print(f"{folder / 'frontier.svg'}, {folder / 'frontier.csv'}, {folder / 'windows.csv'}")
    return 0


def runs_in(folder: Path) -> list[Path]:
    """A run, or all that a sweep left in a folder, in the order of their names.

    Args:
        folder: Of either.
    """
    inner = sorted(path.parent for path in folder.glob("*/config.json"))
    return [folder] if (folder / "config.json").is_file() or not inner else inner


def write_frontier(frame: "pd.DataFrame", folder: Path, currency: str) -> "pd.DataFrame":
    """Write what was played as a table and a picture, and return the table.

    Args:
        frame: From `vpp_rl.evaluation.frontier.frontier`.
        folder: For frontier.csv and frontier.svg.
        currency: Code of the market's currency.
    """
    import io

    from vpp_rl.evaluation.frontier import picture, rules_at, summarise_frontier
    from vpp_rl.files import write_text

    summary = summarise_frontier(frame)
    felt = summary.discomfort_k_h_per_home_day.to_numpy()
    summary = summary.assign(rules_at_this_discomfort=rules_at(felt, summary))
    write_text(folder / "frontier.csv", summary.round(4).to_csv(index=False))
    drawn = io.StringIO()
    picture(summary, currency).savefig(drawn, format="svg", metadata={"Date": None})
    write_text(folder / "frontier.svg", drawn.getvalue())
    return summary


def frontier_table(summary: "pd.DataFrame", currency: str) -> "Table":
    """Lay a frontier out for a terminal.

    Args:
        summary: From `write_frontier`.
        currency: Code of the market's currency.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{currency} per home and year beyond idle, and comfort", box=SIMPLE_HEAD)
    for words in ("policy", "gain", "K h a home-day", "rules with as much", "lead at its price"):
        table.add_column(words, justify="left" if words == "policy" else "right")
    for _, row in summary.iterrows():
        table.add_row(
            escape(str(row.policy)),
            _three_of(row, "gain_per_home_year"),
            f"{row.discomfort_k_h_per_home_day:.2f}",
            _number(row.rules_at_this_discomfort),
            _three_of(row, "lead_per_home_year"),
        )
    return table


def _three_of(row: "pd.Series[float]", name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    middle = _number(row.get(name))
    return f"{middle} [{_number(low)}, {_number(high)}]".replace("[, ]", "") if middle else ""


def _number(number: float | None) -> str:
    return "" if number is None or number != number else f"{number:,.1f}"
