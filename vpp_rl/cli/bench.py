"""``vpp bench``: measure the speed of the simulator and of the learners on this machine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from vpp_rl.evaluation.learner_speed import LearnerSpeed
    from vpp_rl.evaluation.speed import Speed

ABOUT = """usage: vpp bench [--quick] [--suburb] [--device cuda]

Print home-steps a second of physics and of the whole environment, eager and compiled, PPO against
the same PPO on an environment that does nothing, memory, the share of the memory bandwidth that is
reached, and the goals beside them. It takes some minutes, most of them in the compiler; --quick
leaves out the million homes and counts fewer updates. A benchmark, not a test: run it on a quiet
machine and compare ratios. --suburb takes homes with every kind of device instead of batteries and
sun, and no learner. OMP_NUM_THREADS sets the threads. --device moves the homes of the
simulator to a GPU; PPO's learner stays on the processor and is left out there."""

SIZES = ((1, 100), (64, 256), (256, 64), (1, 50_000), (1, 1_000_000))  # rows x homes
SUBURB_SIZES = ((1, 100), (64, 256), (1, 50_000), (1, 1_000_000))
UPDATES, QUICK_UPDATES = 20, 6
PPO_GOAL = 0.7


def run(argv: Sequence[str]) -> int:
    """Run ``vpp bench``."""
    from vpp_envs.errors import InputError

    if any(flag in argv for flag in ("-h", "--help")):
        print(ABOUT)
        return 0
    rest, device = [a for a in argv if a not in ("--quick", "--suburb")], "cpu"
    if rest[:1] == ["--device"] and len(rest) == 2:
        device = rest[1]
    elif rest:
        raise InputError("vpp bench knows --quick, --suburb and --device cuda only.")
    from vpp_rl.cli.console import console

    out = console()
    quick, suburb = "--quick" in argv, "--suburb" in argv
    sizes = SUBURB_SIZES if suburb else SIZES
    _simulator(out, sizes[:-1] if quick else sizes, suburb, _device(device))
    if device == "cpu" and not suburb:
        _learner(out, QUICK_UPDATES if quick else UPDATES)
    return 0


def _device(name: str) -> str:
    """Name of a device that torch has.

    Raises:
        InputError: It has none of that name.
    """
    import torch

    from vpp_envs.errors import InputError

    if name not in ("cpu", "cuda") or (name == "cuda" and not torch.cuda.is_available()):
        raise InputError(
            f"--device {name} is none that torch has here: choose cpu, or install torch's CUDA "
            "build on a machine with an NVIDIA GPU."
        )
    return name


def goal(what: str, rows: int, homes: int, suburb: bool = False) -> float | None:
    """Home-steps a second that compiled code aims at, in millions; none where there is no goal.

    A day of a million homes with every kind of device is to pass in a minute: 4.8 millions.
    """
    if suburb:
        aims = {(64, 256): 10.0, (1, 50_000): 10.0, (1, 1_000_000): 4.8}
        return aims.get((rows, homes)) if what == "environment" else None
    if what == "physics" and homes >= 50_000:
        return 50.0
    if what == "environment" and (rows, homes) == (256, 64):
        return 10.0
    return None


def _simulator(out: "Console", sizes: Sequence[tuple[int, int]], suburb: bool, device: str) -> None:
    """Measure and print physics and environment."""
    import torch

    from vpp_rl.cli.console import progress_bar
    from vpp_rl.evaluation.speed import (
        bandwidth_gb_s,
        measure_simulator,
        simple_homes,
        suburb_homes,
    )

    measured: list[tuple[int, int, dict[tuple[str, str], Speed]]] = []
    with progress_bar(out, "simulator", total=4.0 * len(sizes)) as (bar, task):
        for rows, homes in sizes:
            bar.update(task, note=f"{rows} x {homes:,} homes")
            speeds = {}
            spec = suburb_homes(homes) if suburb else simple_homes(homes)
            for speed in measure_simulator(spec, rows, device):
                speeds[speed.what, speed.mode] = speed
                bar.advance(task)
            measured.append((rows, homes, speeds))
    bandwidth = bandwidth_gb_s(device)  # last, because its copy would be the peak of the memory
    table = _table("Simulator of a suburb" if suburb else "Simulator")
    for rows, homes, speeds in measured:
        for what in ("physics", "environment"):
            eager, compiled = speeds[what, "eager"], speeds[what, "compiled"]
            aim = goal(what, rows, homes, suburb)
            table.add_row(f"{rows} x {homes:,}", *_cells(eager, compiled, aim, bandwidth))
    out.print(table)
    out.print(
        f"Million home-steps a second, {torch.get_num_threads()} threads, float32. GB/s: compiled, "
        "each tensor of a step\ncounted once, "
        f"as a share of the {bandwidth:.1f} GB/s of a copy of 512 MiB; what fits into the\n"
        "caches may exceed it. MiB: the process at its peak so far.\n"
    )


def _table(title: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in ("rows x homes", "what", "eager", "compiled", "goal", "GB/s", "MiB"):
        table.add_column(name, justify="left" if name == "what" else "right", no_wrap=True)
    return table


def _cells(
    eager: "Speed", compiled: "Speed", aim: float | None, bandwidth: float
) -> tuple[str, ...]:
    """Both modes of one measurement as cells of the table, from the column "what" on."""
    return (
        compiled.what,
        f"{eager.million_home_steps:.3g}",
        f"{compiled.million_home_steps:.3g}",
        "" if aim is None else f"{aim:.0f} {_verdict(compiled.million_home_steps >= aim)}",
        f"{compiled.gigabytes:.1f} ({compiled.gigabytes / bandwidth:.0%})",
        f"{compiled.memory_mib:,.0f}",
    )


def _learner(out: "Console", updates: int) -> None:
    """Measure and print PPO."""
    from vpp_rl.agents.ppo import PpoSettings
    from vpp_rl.cli.console import progress_bar
    from vpp_rl.evaluation.learner_speed import measure_learner

    settings = PpoSettings()
    with progress_bar(out, "PPO", total=updates + 1.0) as (bar, task):
        speed = measure_learner(updates, settings, done=lambda: bar.advance(task))
    out.print(_sentence(speed, settings.scenarios, settings.steps, settings.batch, settings.epochs))


def _sentence(speed: "LearnerSpeed", rows: int, steps: int, batch: int, epochs: int) -> str:
    return (
        f"PPO of Stable-Baselines3, net 64x64, {rows} rows of 64 homes, {steps} steps, batch "
        f"{batch}, {epochs} epochs:\n"
        f"  {speed.ours:,.0f} steps/s, {speed.share:.0%} of the {speed.idle:,.0f} steps/s of the "
        "same PPO on a bare VecEnv whose step does nothing\n"
        f"  goal: {PPO_GOAL:.0%} {_verdict(speed.share >= PPO_GOAL)}"
    )


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"
